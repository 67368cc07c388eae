// The gate's entry.

import { core, keep, kept, panicked, undecided } from "./restart.mjs";

const decide = core.fetch;

export default {
  fetch(request, env, ctx) {
    keep(env, ctx);
    try {
      const answer = decide.call({ env, ctx }, request);
      return Array.isArray(answer) ? kept(answer[0], request) : answer;
    } catch (error) {
      panicked(error);
      return undecided(request);
    }
  },
};
