// The gate's entry.

import { forward } from "./forward.mjs";
import { core, keep, kept, panicked, undecided } from "./restart.mjs";
import { facts } from "./shim.js";

export default {
  fetch(request, env, ctx) {
    keep(env, ctx);
    try {
      const come = core.decide(facts(request)) ?? core.proceed(request, env, ctx);
      return Array.isArray(come) ? lookedUp(come[0], request, env) : answer(come, request, env);
    } catch (error) {
      panicked(error);
      return undecided(request);
    }
  },
};

async function lookedUp(decided, request, env) {
  const come = await kept(decided, request);
  try {
    return answer(come, request, env);
  } catch (error) {
    panicked(error);
    return undecided(request);
  }
}

// `come`: a plan, with the body in an array if that was read, or what answers the request.
function answer(come, request, env) {
  if (typeof come === "string") return forward(request, env, come);
  if (!Array.isArray(come)) return come;
  const [plan, held] = come;
  const forwarded = Promise.resolve(forward(request, env, plan, held.bytes));
  return forwarded.finally(held.release);
}
