// The gate's entry.

import { facts } from "./facts.mjs";
import { forward } from "./forward.mjs";
import { pursue } from "./lookup.mjs";
import { core, deployed, keep, panicked, undecided } from "./restart.mjs";
import { verifying } from "./verify.mjs";

export const Verify = verifying(decided);

export default {
  fetch(request, env, ctx) {
    return decided(request, env, ctx, forward);
  },
};

// The answer to a request or, if it is admitted, what `onward` makes of its plan; or the promise of one.
function decided(request, env, ctx, onward) {
  keep(env, ctx);
  try {
    const told = facts(request);
    const plan = core.decide(told);
    if (plan !== undefined) return onward(request, env, plan.split("\n"));
    return pursue(core.proceed(deployed(env)), request, env, ctx, told, onward);
  } catch (error) {
    panicked(error);
    return undecided(request);
  }
}
