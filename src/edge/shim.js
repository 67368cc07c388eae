// The few things that are cheaper in JavaScript than across the boundary. No
// decision is taken here.

export function facts(request) {
  let text = request.method + (request.body === null ? "" : " body") + "\n" + request.url;
  request.headers.forEach((value, name) => {
    text += "\n" + name + "\n" + value;
  });
  return text;
}

export function random(into) {
  crypto.getRandomValues(into);
}

export function respond(status, lines, body) {
  const headers = lines.split("\n");
  headers.pop();
  const pairs = [];
  for (let at = 0; at < headers.length; at += 2) pairs.push([headers[at], headers[at + 1]]);
  // Clients set their clocks by it (RFC 9110 §6.6.1).
  pairs.push(["date", new Date().toUTCString()]);
  return new Response(body, { status, headers: pairs });
}

export function text(env, name) {
  const value = env[name];
  return typeof value === "string" ? value : "";
}

export function sleep(millis) {
  return new Promise((resolve) => setTimeout(resolve, millis));
}
