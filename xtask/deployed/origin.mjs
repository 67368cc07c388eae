// The origin of a gate that is deployed for the conformance cases. A header of each answer tells what
// the origin got. As at the recording origin (xtask/src/conformance/origin.rs) the last segment of the
// path says how it answers, and `X-Answer-NAME: VALUE` puts `NAME: VALUE` into the answer.
// `known` makes the keys whose requests are signed known to their Workspace, by CALLS, which is
// written before this.

const ANSWERS = {
  204: () => new Response(null, { status: 204 }),
  302: () => new Response(null, { status: 302, headers: { location: "https://evil.example/" } }),
  304: () => new Response(null, { status: 304, headers: { etag: '"a"' } }),
  401: () => new Response("origin", { status: 401, headers: { "www-authenticate": "Basic" } }),
  500: () => new Response("origin", { status: 500 }),
  "cache-public": () =>
    new Response(null, { headers: { "cache-control": "public, max-age=3600", etag: '"a"' } }),
  "set-cookie": () =>
    new Response(null, { headers: [["set-cookie", "a=1; Path=/"], ["set-cookie", "b=2"]] }),
  known,
};

export default {
  async fetch(request, env) {
    const body = new Uint8Array(await request.arrayBuffer());
    const target = request.url.replace(/^[^:]*:\/\/[^/?#]*/, "");
    const got = {
      method: request.method,
      target,
      headers: [...request.headers],
      body: body.length > LONGEST ? null : base64(body),
    };
    const segment = target.split("?")[0].split("/").pop();
    const make = Object.hasOwn(ANSWERS, segment) ? ANSWERS[segment] : ordinary;
    const answer = await make(request, target, env);
    answer.headers.set("x-origin-got", base64(new TextEncoder().encode(JSON.stringify(got))));
    return answer;
  },
};

function ordinary(request, target) {
  if (request.method === "HEAD") return new Response(null, { headers: { "content-length": "17" } });
  const key = request.headers.get("x-portcullis-key");
  const answer = Response.json({ method: request.method, target, key });
  for (const [name, value] of request.headers) {
    if (name.startsWith("x-answer-")) answer.headers.set(name.slice("x-answer-".length), value);
  }
  return answer;
}

async function known(request, target, { WORKSPACE }) {
  const workspace = WORKSPACE.get(WORKSPACE.idFromName("TEST00"));
  const call = (body) => workspace.fetch("https://workspace/", { method: "POST", body });
  const [open, ...puts] = CALLS;
  const answers = [await call(open), ...(await Promise.all(puts.map(call)))];
  return new Response(null, { status: answers.every(({ ok }) => ok) ? 204 : 500 });
}

function base64(bytes) {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

// Bytes of a body that a header can tell.
const LONGEST = 8192;
