// The Worker's entry. worker-build's class would cost a construction and three
// proxies a request; the function on its prototype is called directly, and the
// class serves only to start the Wasm again after a panic.

import Worker from "./index.js";
import { workspaceClass } from "./workspace.mjs";

const core = Worker.prototype;
const decide = core.fetch;

// Through the class this marks the instance as broken; the next construction replaces it.
Worker.prototype.fail = (error) => {
  throw error;
};

let panic;
addEventListener("error", ({ error }) => {
  if (error instanceof WebAssembly.RuntimeError) panic = error;
});

export default {
  fetch(request, env, ctx) {
    if (panic !== undefined) restart(env, ctx);
    try {
      return decide.call({ env, ctx }, request);
    } catch (error) {
      console.error("portcullis: panicked", error);
      panic = error;
      restart(env, ctx);
      return undecided();
    }
  },
};

// The Workspace's functions, which are called inside a transaction: what they throw undoes it.
export const Workspace = workspaceClass((name, env, ctx, ...args) => {
  if (panic !== undefined) restart(env, ctx);
  try {
    return core[name].call({ env, ctx }, ...args);
  } catch (error) {
    console.error("portcullis: panicked", error);
    panic = error;
    throw error;
  }
});

function restart(env, ctx) {
  try {
    new Worker(ctx, env).fail(panic);
  } catch {}
  new Worker(ctx, env);
  panic = undefined;
}

// The core's answer to a fault, without the core.
function undecided() {
  const request_id = crypto.randomUUID().replaceAll("-", "");
  const message = "The request cannot be authorised at present.";
  const error = { code: "AUTH_UNAVAILABLE", message, status: 503, request_id, retry_after: 1 };
  const headers = { "cache-control": "no-store", "retry-after": "1", "x-request-id": request_id };
  return Response.json({ error }, { status: 503, headers });
}
