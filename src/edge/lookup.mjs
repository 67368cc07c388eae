// Does what the core wants done before it decides a request, and behind the answer. A step is lines: a word,
// the numbers of chores to begin, and
//
//   forward  the plan
//   settle   number, the header in which the origin says what the request has cost, the plan
//   answer   an observation or nothing, status, names and values of headers in turn, body
//   manage   a URL in the place of the request's or nothing, then the same for when the management API fails
//   read     number, milliseconds, name of a row of KV
//   call     number, milliseconds, workspace, the call
//   body     number, milliseconds, bytes it may have, bytes that all may have
//   fetch    number, milliseconds, bytes it may have, URL
//   verify   number, 0, algorithm, JWK, signature in base64, what is signed
//   wait     number, milliseconds
//
// The Wasm keeps what waits under its number, and forgets it if nobody comes back.

import { ask, body, download, read, sleep, verify } from "./errands.mjs";
import { answer } from "./observe.mjs";
import { enter, kept, starts, undecided } from "./restart.mjs";

// The answer to a request or, if it is admitted, what `onward` makes of its plan; or the promise of one.
export function pursue(step, request, env, ctx, facts, onward) {
  const { word, lines, start } = told(step, env, ctx);
  const done = DECIDED[word];
  if (done === undefined) return lookedUp(word, lines, request, env, ctx, facts, onward);
  return done(lines, { start, request, env, ctx, facts, onward });
}

const DECIDED = {
  forward: (plan, { request, env, body, onward }) => onward(request, env, plan, body),
  settle: ([number, name, ...plan], { start, request, env, ctx, body, onward }) =>
    onward(request, env, plan, body, (headers) => {
      // In a Wasm that was started since, the number is another's.
      if (start === starts()) ctx.waitUntil(chore(number, env, headers.get(name) ?? undefined));
    }),
  answer: (lines, { request, env }) => answer(lines, request, env),
  manage: (lines, { request, env, facts }) => manage(request, env, lines, facts),
};

async function lookedUp(word, lines, request, env, ctx, facts, onward) {
  const held = { bytes: undefined, release() {} };
  try {
    const decided = await kept(decide(word, lines, held, request, env, ctx, facts));
    if (decided === undefined) return undecided(request);
    // Awaited, as what is sent counts as held.
    return await DECIDED[decided.word](decided.lines, { ...decided, request, env, ctx, facts, onward, body: held.bytes });
  } catch (error) {
    console.error("portcullis: not decided", error);
    return undecided(request);
  } finally {
    held.release();
  }
}

// What is decided when all is found out; nothing if nobody was expected any more. A body that is read is put
// into `held`.
async function decide(word, lines, held, request, env, ctx, facts) {
  const start = starts();
  let step;
  do {
    const number = Number(lines[0]);
    if (word === "body") {
      if (held.bytes === undefined) Object.assign(held, await body(request, ...lines.slice(1).map(Number)));
      if (start !== starts()) return undefined;
      step = enter("resume_with_body", number, facts, held.bytes, held.instead);
    } else {
      const came = await run(word, lines, env);
      if (start !== starts()) return undefined;
      step = enter("resume", number, facts, came !== undefined, came ?? undefined);
    }
    if (step === undefined) return undefined;
    ({ word, lines } = told(step, env, ctx));
  } while (DECIDED[word] === undefined);
  return { word, lines, start };
}

function told(step, env, ctx) {
  const [word, chores, ...lines] = step.split("\n");
  if (chores !== "") for (const number of chores.split(" ")) ctx.waitUntil(chore(number, env));
  return { word, lines, start: starts() };
}

async function chore(number, env, came) {
  const start = starts();
  while (start === starts()) {
    const step = enter("resume", Number(number), "", came !== undefined, came ?? undefined);
    if (step === undefined) return;
    const [word, , ...lines] = step.split("\n");
    number = lines[0];
    came = await run(word, lines, env);
  }
}

// What came of an errand: a text, `null` for a row that is not there, or `undefined`.
function run(word, [, millis, ...lines], env) {
  switch (word) {
    case "read":
      return read(env, lines[0], Number(millis));
    case "call":
      return ask(env, lines[0], lines.slice(1).join("\n"), Number(millis));
    case "fetch":
      return download(lines[1], Number(millis), Number(lines[0]));
    case "verify":
      return verify(...lines);
    default:
      return sleep(Number(millis));
  }
}

function manage(request, env, [url, ...unavailable], facts) {
  if (env.MANAGEMENT === undefined) return answer(enter("not_found", facts).split("\n").slice(2), request, env);
  return env.MANAGEMENT.fetch(url === "" ? request : new Request(url, request)).catch(() => answer(unavailable, request, env));
}
