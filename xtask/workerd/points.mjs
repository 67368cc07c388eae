// In the place of Analytics Engine: workerd posts each point that was written here, and passes over one that
// is beyond the limits. A GET takes what came: a list of {index, blobs, doubles}.

let points = [];

export default {
  async fetch(request) {
    if (request.method === "POST") {
      points.push(point(await request.json()));
      return new Response();
    }
    const taken = points;
    points = [];
    return Response.json(taken);
  },
};

// The event has texts as lists of bytes, blobs as far as there are some, and twenty doubles.
function point(event) {
  const numbered = (name) => Array.from({ length: 20 }, (_, at) => event[name + (at + 1)]);
  const blobs = numbered("blob").filter((blob) => blob !== undefined);
  return { index: text(event.index1), blobs: blobs.map(text), doubles: numbered("double") };
}

const text = (bytes) => new TextDecoder().decode(Uint8Array.from(bytes));
