// Does what the core wants done for a request to the management API, until there is an answer. A step is lines: a
// word, an empty line, and
//
//   answer  status, how many lines of headers, names and values in turn, body
//   file    name, then as the answer that has the file as its body
//   ask     number, milliseconds, namespace, name of an object, the call
//   text    number, milliseconds, bytes that the request's body may have, bytes that all may have
//   read, fetch (with a form to send, if any), verify, wait: as in `lookup.mjs`
//
// The Wasm keeps what waits under its number, and forgets it if nobody comes back.

import { download, read, sleep, text, verify } from "./errands.mjs";
import { facts } from "./facts.mjs";
import { deployed, enter, keep, kept, starts, undecided } from "./restart.mjs";

export async function manage(request, env, ctx) {
  keep(env, ctx);
  try {
    const answer = await kept(answered(request, env));
    return answer ?? undecided(request);
  } catch (error) {
    console.error("portcullis: not answered", error);
    return undecided(request);
  }
}

// Nothing if the Wasm was started again meanwhile, or nobody was expected any more.
async function answered(request, env) {
  const [own, told, start] = [deployed(env), facts(request), starts()];
  let step = enter("manage", own, told);
  while (step !== undefined) {
    const [word, , ...lines] = step.split("\n");
    if (word === "answer") return respond(request, lines, lines.slice(2 + Number(lines[1])).join("\n"));
    const came = word === "file" ? await file(request, env, lines) : await run(word, lines, request, env);
    if (came instanceof Response) return came;
    if (start !== starts()) return undefined;
    step = word === "file" ? enter("no_file", own, told, came) : enter("resume", own, Number(lines[0]), told, ...came);
  }
  return undefined;
}

// A word and a text: of these the core makes something.
async function run(word, [, patience, ...lines], request, env) {
  const millis = Number(patience);
  switch (word) {
    case "ask":
      return brought(await ask(env, lines[0], lines[1], lines.slice(2).join("\n"), millis));
    case "text":
      return text(request, millis, Number(lines[0]), Number(lines[1]));
    case "read": {
      const row = await read(env, lines[0], millis);
      if (row === undefined) console.error("portcullis: KV: no answer in time");
      return row === null ? ["none", undefined] : brought(row);
    }
    case "fetch":
      return brought(await download(lines[1], millis, Number(lines[0]), lines[2]));
    case "verify":
      return brought(await verify(lines[0], lines[1], lines[2], lines.slice(3).join("\n")));
    default:
      return brought(await sleep(millis));
  }
}

const brought = (text) => ["", text];

// An object's answer to a call. It is made once: what changes something is repeated by who asked for it.
async function ask(env, binding, name, call, millis) {
  try {
    const namespace = env[binding];
    const stub = namespace.get(namespace.idFromName(name));
    const signal = AbortSignal.timeout(millis);
    const response = await stub.fetch("https://object/", { method: "POST", body: call, signal });
    if (response.status !== 200) throw new Error(`status ${response.status}`);
    return await response.text();
  } catch (error) {
    console.error(`portcullis: ${binding} ${name}: ${error.message}`);
    return undefined;
  }
}

// A file of the dashboard, or whether there is none.
async function file(request, env, [name, ...lines]) {
  try {
    const { status, body } = await env.ASSETS.fetch(`https://assets/${name}`);
    if (status === 200 && request.method !== "HEAD") return respond(request, lines, body);
    await body?.cancel();
    if (status === 200) return respond(request, lines, null);
    if (status === 404) return true;
    throw new Error(`status ${status}`);
  } catch (error) {
    console.error(`portcullis: the dashboard's ${name}: ${error.message}`);
    return false;
  }
}

function respond(request, [status, count, ...lines], body) {
  const pairs = [];
  for (let at = 0; at < Number(count); at += 2) pairs.push([lines[at], lines[at + 1]]);
  // Clients set their clocks by it (RFC 9110 §6.6.1).
  pairs.push(["date", new Date().toUTCString()]);
  const none = request.method === "HEAD" || status === "204";
  return new Response(none ? null : body, { status: Number(status), headers: pairs });
}
