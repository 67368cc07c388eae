// Does what the core wants done before it decides a request, and behind the answer. A step is lines: a word,
// the numbers of chores to begin, and
//
//   forward  the plan
//   answer   status, names and values of headers in turn, body
//   manage   the same, for when the management API fails
//   read     number, milliseconds, name of a row of KV
//   call     number, milliseconds, workspace, the call
//   body     number, milliseconds, bytes it may have, bytes that all may have
//   wait     number, milliseconds
//
// The Wasm keeps what waits under its number, and forgets it if nobody comes back.

import { ask, body, read, respond, sleep } from "./errands.mjs";
import { forward } from "./forward.mjs";
import { core, kept, panicked, starts, undecided } from "./restart.mjs";

// The answer to a request, or the promise of one.
export function pursue(step, request, env, ctx, facts) {
  const [word, chores, ...lines] = step.split("\n");
  begin(chores, env, ctx);
  const done = DECIDED[word];
  if (done !== undefined) return done(request, env, lines, facts);
  return kept(lookedUp(word, lines, request, env, ctx, facts), request);
}

const DECIDED = {
  forward: (request, env, plan) => forward(request, env, plan),
  answer: (request, env, lines) => respond(lines, request),
  manage: (request, env, lines, facts) => manage(request, env, lines, facts),
};

async function lookedUp(word, lines, request, env, ctx, facts) {
  const start = starts();
  let held;
  let chores;
  try {
    for (;;) {
      let step;
      if (word === "body") {
        held ??= await body(request, ...lines.slice(1).map(Number));
        if (start !== starts()) return undecided(request);
        step = core.resume_with_body(Number(lines[0]), facts, held.bytes, held.instead);
      } else {
        const came = await run(word, lines, env);
        if (start !== starts()) return undecided(request);
        step = core.resume(Number(lines[0]), facts, came !== undefined, came ?? undefined);
      }
      // Nobody was expected any more.
      if (step === undefined) return undecided(request);
      [word, chores, ...lines] = step.split("\n");
      begin(chores, env, ctx);
      if (word === "forward") {
        const sent = Promise.resolve(forward(request, env, lines, held?.bytes));
        if (held === undefined) return sent;
        // What is sent counts as held.
        const own = held;
        held = undefined;
        return sent.finally(own.release);
      }
      const done = DECIDED[word];
      if (done !== undefined) return done(request, env, lines, facts);
    }
  } catch (error) {
    panicked(error);
    return undecided(request);
  } finally {
    held?.release();
  }
}

function begin(numbers, env, ctx) {
  if (numbers === "") return;
  for (const number of numbers.split(" ")) ctx.waitUntil(chore(number, env));
}

async function chore(number, env) {
  const start = starts();
  let came;
  try {
    while (start === starts()) {
      const step = core.resume(Number(number), "", came !== undefined, came ?? undefined);
      if (step === undefined) return;
      const [word, , ...lines] = step.split("\n");
      number = lines[0];
      came = await run(word, lines, env);
    }
  } catch (error) {
    panicked(error);
  }
}

// What came of an errand: a text, `null` for a row that is not there, or `undefined`.
function run(word, [, millis, ...lines], env) {
  switch (word) {
    case "read":
      return read(env, lines[0], Number(millis));
    case "call":
      return ask(env, lines[0], lines.slice(1).join("\n"), Number(millis));
    default:
      return sleep(Number(millis));
  }
}

function manage(request, env, unavailable, facts) {
  if (env.MANAGEMENT === undefined) return respond(core.not_found(facts).split("\n").slice(2), request);
  return env.MANAGEMENT.fetch(request).catch(() => respond(unavailable, request));
}
