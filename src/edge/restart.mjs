// Around a Worker's Wasm: starts it again when it fails. worker-build's class would cost a construction
// and three proxies a request; the functions on its prototype are called directly, and the class serves
// only to start the Wasm again after a panic.

import { BUILT, POLICY } from "./built.mjs";
import Worker from "./index.js";

export const core = Worker.prototype;

// Through an object of the class an error of this kind marks the Wasm as broken, and the call after
// it starts the Wasm again.
core.fail = () => {
  throw new WebAssembly.RuntimeError("portcullis: starting the Wasm again");
};
core.rest = () => {};

let keeper;

let started = 0;

// How often the Wasm was started again: one that has been knows nothing of what waited before.
export const starts = () => started;

// Before the first call.
export function keep(env, ctx) {
  keeper ??= new Worker(ctx, env);
}

// The bindings, with what the build has fixed: what the Wasm starts from.
export const deployed = (env) => Object.assign(Object.create(env), { POLICY, BUILT });

function restart() {
  try {
    keeper.fail();
  } catch {}
  keeper.rest();
  started++;
}

// After a call that threw.
export function panicked(error) {
  console.error("portcullis: panicked", error);
  restart();
}

// Calls the core by name. Nothing else may enter a broken Wasm: not even what is due between a rejected
// promise and whoever awaits it.
export function enter(name, ...args) {
  try {
    return core[name](...args);
  } catch (error) {
    panicked(error);
    throw error;
  }
}

// What comes of something that waits for the Wasm; nothing, soon, if that is started again.
export function kept(decided) {
  const start = started;
  return new Promise((resolve, reject) => {
    const watch = setInterval(() => start === started || (clearInterval(watch), resolve(undefined)), WATCH_MILLIS);
    decided.then(resolve, reject).finally(() => clearInterval(watch));
  });
}

// The core's answer to a fault, without the core.
export function undecided(request) {
  const [status, code, detail] = [503, "AUTH_UNAVAILABLE", "The request cannot be authorised at present."];
  const request_id = crypto.randomUUID().replaceAll("-", "");
  const retry_after = 1 + Math.floor(3 * Math.random());
  const problem = (request.headers.get("accept") ?? "").includes("application/problem+json");
  const body = problem
    ? { type: "about:blank", title: code, status, detail, code, request_id, retry_after }
    : { error: { code, message: detail, status, request_id, retry_after } };
  const headers = {
    "content-type": problem ? "application/problem+json" : "application/json",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "x-request-id": request_id,
    "retry-after": String(retry_after),
  };
  return new Response(request.method === "HEAD" ? null : JSON.stringify(body), { status, headers });
}

const WATCH_MILLIS = 50;
