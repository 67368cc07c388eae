// The demo origin. It answers what it saw, byte for byte:
//
//   {"method", "target", "headers": {name: value}, "body_sha256"}
//
// `target` is the text after the authority, unparsed. Bodies are hashed as they stream.

export default {
  async fetch(request) {
    const sha256 = await hash(request.body);
    return Response.json({
      method: request.method,
      target: request.url.replace(/^[^:]*:\/\/[^/?#]*/, ""),
      headers: Object.fromEntries(request.headers),
      body_sha256: Array.from(sha256, (byte) => byte.toString(16).padStart(2, "0")).join(""),
    });
  },
};

// Through one buffer: `pipeTo` takes a new one for each piece, and memory grows with the body.
async function hash(body) {
  const digest = new crypto.DigestStream("SHA-256");
  const writer = digest.getWriter();
  const reader = body?.getReader({ mode: "byob" });
  let buffer = new ArrayBuffer(65536);
  while (reader) {
    const { done, value } = await reader.read(new Uint8Array(buffer));
    if (done) break;
    await writer.write(value);
    buffer = value.buffer;
  }
  await writer.close();
  return new Uint8Array(await digest.digest);
}
