// The demo origin. It answers what it saw, byte for byte:
//
//   {"method", "target", "headers": {name: value}, "body_sha256"}
//
// `target` is the text after the authority, unparsed. Bodies are hashed as they stream.

export default {
  async fetch(request) {
    const digest = new crypto.DigestStream("SHA-256");
    if (request.body) await request.body.pipeTo(digest);
    else await digest.getWriter().close();
    const sha256 = new Uint8Array(await digest.digest);
    return Response.json({
      method: request.method,
      target: request.url.replace(/^[^:]*:\/\/[^/?#]*/, ""),
      headers: Object.fromEntries(request.headers),
      body_sha256: Array.from(sha256, (byte) => byte.toString(16).padStart(2, "0")).join(""),
    });
  },
};
