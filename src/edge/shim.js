// The few things that are cheaper in JavaScript than across the boundary. No
// decision is taken here.

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

export function respond(status, lines, body) {
  const headers = lines.split("\n");
  headers.pop();
  const pairs = [];
  for (let at = 0; at < headers.length; at += 2) pairs.push([headers[at], headers[at + 1]]);
  // Clients set their clocks by it (RFC 9110 §6.6.1).
  pairs.push(["date", new Date().toUTCString()]);
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

// Bodies that are read, or sent on, at present. None counts for longer than its time, as a request that
// is cancelled tells nobody of its end.
const held = new Set();

export async function body(request, limit, most, millis) {
  const own = { bytes: null, length: 0, end: Date.now() + millis, release: () => held.delete(own) };
  held.add(own);
  const reader = request.body.getReader();
  const came = await within(millis, gather(reader, own, limit, most)).catch(() => "late");
  if (typeof came === "string") {
    own.release();
    reader.cancel().catch(() => {});
    return came;
  }
  own.bytes = came;
  own.end = Date.now() + millis;
  return own;
}

async function gather(reader, own, limit, most) {
  const chunks = [];
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    own.length += value.byteLength;
    if (own.length > limit) return "long";
    if (sum() > most) return "full";
    chunks.push(value);
  }
  const bytes = new Uint8Array(own.length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  return bytes;
}

function sum() {
  const now = Date.now();
  let bytes = 0;
  for (const own of held) {
    if (own.end < now) held.delete(own);
    else bytes += own.length;
  }
  return bytes;
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
