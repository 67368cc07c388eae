// Tells of a decision what the core says of it: an observation, see `observation.rs`.

import { respond } from "./errands.mjs";
import { core } from "./restart.mjs";

const [, , TEXTS, NUMBERS] = core.names().split("\n\n").map((names) => names.split("\n"));

// The gate's own answer: `lines` begin with an observation, or an empty line. `sent`: when the request went
// to its origin, if it did.
export function answer(lines, request, env, sent) {
  const response = respond(lines.slice(1), request);
  if (lines[0] !== "") observe(env, lines[0], response, sent);
  return response;
}

// What came of a request that was sent to its origin then.
export function observe(env, observation, response, sent) {
  const millis = sent === undefined ? 0 : Math.round(performance.now() - sent);
  const [goes, outcome, timing, ...rest] = observation.split("\t");
  const texts = [outcome, ...rest];
  const [coins, look_up] = texts.splice(TEXTS.length).map(Number);
  const numbers = [response.status, coins, look_up, millis];
  if (timing !== "" && !response.webSocket) response.headers.append("server-timing", `${timing}, origin;dur=${millis}`);
  if (goes.includes("p")) point(env, texts, numbers);
  if (goes.includes("l")) console.log(line(texts, numbers));
}

// Nothing that becomes of it becomes of the request.
function point(env, [outcome, workspace, ...texts], doubles) {
  try {
    env.PORTCULLIS_ANALYTICS.writeDataPoint({ indexes: [workspace], blobs: [outcome, ...texts], doubles });
  } catch (error) {
    if (!missed) console.error("portcullis: no point could be written to PORTCULLIS_ANALYTICS:", error.message);
    missed = true;
  }
}

// Whether the log knows.
let missed = false;

function line(texts, numbers) {
  const named = (names, values) => names.map((name, at) => [name, values[at]]);
  return JSON.stringify({ event: "decision", ...Object.fromEntries([...named(TEXTS, texts), ...named(NUMBERS, numbers)]) });
}
