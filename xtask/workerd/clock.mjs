// In front of the Worker of the Workspaces, for the conformance step alone. The Worker's own files are
// what is deployed, byte for byte; a caller of the deployed one has no such means.
//
//   X-Clock: N             from now on the clock is N milliseconds ahead
//   X-Clock: =N            from now on it stands at the Nth millisecond since 1970
//   X-Signed: BASE64URL    in place of what this request's token says, this is what its signature is
//                          verified over
//   X-Trap: 1              a trap, as a panic ends in, where the Wasm next reads the clock
//   X-Body: N              answers what is made of the body, N bytes at most

import product, { Directory, Workspace } from "./object.mjs";
import { text } from "./errands.mjs";
import module from "./trap.wasm";

export { Directory, Workspace };

const now = Date.now;
const { trap } = new WebAssembly.Instance(module).exports;
let ahead = 0;
let standing = null;
let trapping = false;
Date.now = () => {
  if (trapping) {
    trapping = false;
    trap();
  }
  return standing ?? now() + ahead;
};

// The caller has one such request under way at a time.
let signed = null;
const verify = crypto.subtle.verify.bind(crypto.subtle);
crypto.subtle.verify = (algorithm, key, signature, own) => verify(algorithm, key, signature, signed ?? own);

export default {
  async fetch(request, env, ctx) {
    const header = (name) => request.headers.get(name);
    const clock = header("x-clock");
    if (clock !== null) [standing, ahead] = clock.startsWith("=") ? [Number(clock.slice(1)), 0] : [null, Number(clock)];
    trapping = header("x-trap") !== null;
    if (header("x-body") !== null) {
      return Response.json(await text(request, 10_000, Number(header("x-body")), 1 << 20));
    }
    const other = header("x-signed");
    signed = other === null ? null : Uint8Array.fromBase64(other, { alphabet: "base64url" });
    return product.fetch(request, env, ctx);
  },
};
