// See `request.rs`.
export function facts(request) {
  let text = request.method + (request.body === null ? "" : " body") + "\n" + request.url;
  request.headers.forEach((value, name) => {
    text += "\n" + name + "\n" + value;
  });
  return text;
}
