// The gate's entry.

import { core, keep, panicked, starts, undecided } from "./restart.mjs";

const decide = core.fetch;

export default {
  fetch(request, env, ctx) {
    keep(env, ctx);
    try {
      const answer = decide.call({ env, ctx }, request);
      return Array.isArray(answer) ? lookedUp(answer[0], request) : answer;
    } catch (error) {
      panicked(error);
      return undecided(request);
    }
  },
};

// What the Wasm decides later. It alone can, so if it fails before, nothing else ever would.
function lookedUp(decided, request) {
  const start = starts;
  return new Promise((resolve) => {
    const done = (answer) => {
      clearInterval(watch);
      resolve(answer);
    };
    const watch = setInterval(() => start === starts || done(undecided(request)), WATCH_MILLIS);
    decided.then(([answer]) => done(answer), () => done(undecided(request)));
  });
}

const WATCH_MILLIS = 50;
