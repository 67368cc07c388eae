// The few things that are cheaper in JavaScript than across the boundary. No
// decision is taken here: `plan` comes from the core.

let own, told, fault;

// `names` and `responses`: the headers the gate sets, a line each. `answer(late,
// requestId, problem, method)`: the response to an origin's failure.
export function install(names, responses, answer) {
  own = names.split("\n");
  told = responses.split("\n");
  fault = answer;
}

export function facts(request) {
  let text = request.method + (request.body === null ? "" : " body") + "\n" + request.url;
  request.headers.forEach((value, name) => {
    text += "\n" + name + "\n" + value;
  });
  return text;
}

export function random(into) {
  crypto.getRandomValues(into);
}

// `plan`: see `forward::plan`.
export function forward(request, env, plan) {
  const lines = plan.split("\n");
  const [binding, url, millis, flags, id] = lines;
  const out = new Request(url === "" ? request : new Request(url, request), ONWARD);
  const headers = out.headers;
  for (let at = 4 + own.length + told.length; at < lines.length; at++) headers.delete(lines[at]);
  for (let at = 0; at < own.length; at++) {
    const value = lines[4 + at];
    if (value !== "") headers.set(own[at], value);
  }
  return new Promise((resolve, reject) => {
    // Until the head only: a body may stream for as long as it likes. What is
    // left unanswered ends with this request's context.
    const fail = (late) => {
      try {
        resolve(fault(late, id, flags.includes("p"), request.method));
      } catch (error) {
        reject(error);
        reportError(error);
      }
    };
    const timer = setTimeout(fail, Number(millis), true);
    (binding === "" ? fetch(out) : env[binding].fetch(out)).then(
      (response) => {
        clearTimeout(timer);
        resolve(finish(response, id, flags, lines));
      },
      () => {
        clearTimeout(timer);
        fail(false);
      },
    );
  });
}

const ONWARD = { redirect: "manual", cache: "no-store" };

function finish(response, id, flags, lines) {
  if (response.webSocket) return response;
  const out = new Response(response.body, response);
  const headers = out.headers;
  headers.set("x-request-id", id);
  for (let at = 0; at < told.length; at++) {
    const value = lines[4 + own.length + at];
    if (value !== "") headers.set(told[at], value);
  }
  if (flags.includes("k")) {
    if (!isPrivate(headers.get("cache-control"))) headers.set("cache-control", "private, no-store");
    for (const name of SHARED) headers.delete(name);
  }
  return out;
}

// Whether no shared cache may keep an answer (RFC 9111 §5.2.2); what is quoted is not trusted.
function isPrivate(control) {
  if (control === null || /"|\b(public|s-maxage)\b/i.test(control)) return false;
  return control.split(",").some((directive) => /^\s*(private|no-store)\s*$/i.test(directive));
}

// By these an origin would speak to shared caches alone (RFC 9213).
const SHARED = ["cdn-cache-control", "cloudflare-cdn-cache-control", "surrogate-control"];

export function respond(status, lines, body) {
  const headers = lines.split("\n");
  headers.pop();
  const pairs = [];
  for (let at = 0; at < headers.length; at += 2) pairs.push([headers[at], headers[at + 1]]);
  return new Response(body, { status, headers: pairs });
}

export function manage(request, env, ...unavailable) {
  return env.MANAGEMENT?.fetch(request).catch(() => respond(...unavailable));
}

export function text(env, name) {
  const value = env[name];
  return typeof value === "string" ? value : "";
}

// Reads a row of KV; rejects if it does not come in time.
export function read(env, name, millis) {
  return within(millis, env.KEYS.get(name, { type: "text", cacheTtl: 30 }));
}

// Asks a Workspace; `null` if it does not answer in time. Once again, with the same text, if the
// first attempt was lost or takes half the time, whichever answers: a call has a name, so that it
// counts once.
export async function ask(env, number, text, millis) {
  const namespace = env.WORKSPACE;
  if (namespace === undefined) return null;
  const begun = Date.now();
  const first = attempt(namespace, number, text);
  try {
    return await within(millis / 2, first);
  } catch (error) {
    if (error.overloaded) return null;
  }
  try {
    const second = attempt(namespace, number, text);
    return await within(millis - (Date.now() - begun), Promise.any([first, second]));
  } catch {
    return null;
  }
}

async function attempt(namespace, number, text) {
  const stub = namespace.get(namespace.idFromName(number));
  const response = await stub.fetch("https://workspace/", { method: "POST", body: text });
  if (response.status !== 200) throw new Error(`status ${response.status}`);
  return response.text();
}

async function within(millis, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(reject, Math.max(millis, 0), new Error("late"));
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

export function sleep(millis) {
  return new Promise((resolve) => setTimeout(resolve, millis));
}
