// In front of the built Worker, for the conformance step alone: makes its Wasm, or the JavaScript at
// its side, fail where a request says. The Worker's own files are what is deployed, byte for byte; a
// caller of the deployed one has no such means.
//
//   X-Provoke: trap N      a trap, as a panic ends in, where the Wasm reads the clock for the N-th time
//                          from this request on
//   X-Provoke: throw N     an exception of JavaScript there
//   X-Provoke: request N   one where the N-th `Request` is made
//   X-Provoke: response N  one where the N-th `Response` is made
//   X-Provoke: entered     nothing: answers how many requests the Worker has been given
//
// The first reading is before anything is decided, the third of a request that asks KV is while what
// KV said is being put into memory, which is then left half changed.

import module from "./trap.wasm";

const { trap } = new WebAssembly.Instance(module).exports;
const exception = () => {
  throw new TypeError("provoked");
};
const FAILURES = { trap, throw: exception, request: exception, response: exception };

// What to do at which of the calls to come.
let provoked = { count: 0 };

function called(...kinds) {
  if (!kinds.includes(provoked.kind) || --provoked.count > 0) return;
  const { kind } = provoked;
  provoked = { count: 0 };
  FAILURES[kind]();
}

const now = Date.now;
Date.now = () => {
  called("trap", "throw");
  return now();
};
globalThis.Request = class extends Request {
  constructor(...init) {
    called("request");
    super(...init);
  }
};
globalThis.Response = class extends Response {
  constructor(...init) {
    called("response");
    super(...init);
  }
};

const { default: gate } = await import("./index.js");

let entered = 0;

export default {
  fetch(request, env, ctx) {
    const provoke = request.headers.get("x-provoke");
    if (provoke === "entered") return new Response(String(entered));
    entered++;
    if (provoke !== null) {
      const [kind, count] = provoke.split(" ");
      provoked = { kind, count: Number(count) };
    }
    return gate.fetch(request, env, ctx);
  },
};
