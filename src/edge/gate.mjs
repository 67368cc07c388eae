// The gate's entry.

import { forward } from "./forward.mjs";
import { pursue } from "./lookup.mjs";
import { core, deployed, keep, panicked, undecided } from "./restart.mjs";

export default {
  fetch(request, env, ctx) {
    keep(env, ctx);
    try {
      const told = facts(request);
      const plan = core.decide(told);
      if (plan !== undefined) return forward(request, env, plan.split("\n"));
      return pursue(core.proceed(deployed(env)), request, env, ctx, told);
    } catch (error) {
      panicked(error);
      return undecided(request);
    }
  },
};

// See `request.rs`.
function facts(request) {
  let text = request.method + (request.body === null ? "" : " body") + "\n" + request.url;
  request.headers.forEach((value, name) => {
    text += "\n" + name + "\n" + value;
  });
  return text;
}
