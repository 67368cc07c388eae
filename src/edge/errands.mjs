// What is done by the platform for the core. No decision is taken here.

// A row of KV: its text, `null` if there is none, or `undefined` if it does not come in time.
export async function read(env, name, millis) {
  try {
    return await within(millis, env.KEYS.get(name, { type: "text", cacheTtl: 30 }));
  } catch {
    return undefined;
  }
}

// A Workspace's answer, or `undefined` if there is none in time. Once again, with the same text, if the
// first attempt was lost or takes half the time, whichever answers: a call has a name, so that it
// counts once.
export async function ask(env, number, text, millis) {
  const namespace = env.WORKSPACE;
  if (namespace === undefined) return undefined;
  const begun = Date.now();
  const first = attempt(namespace, number, text);
  try {
    return await within(millis / 2, first);
  } catch (error) {
    if (error.overloaded) return undefined;
  }
  try {
    const second = attempt(namespace, number, text);
    return await within(millis - (Date.now() - begun), Promise.any([first, second]));
  } catch {
    return undefined;
  }
}

async function attempt(namespace, number, text) {
  const stub = namespace.get(namespace.idFromName(number));
  const response = await stub.fetch("https://workspace/", { method: "POST", body: text });
  if (response.status !== 200) throw new Error(`status ${response.status}`);
  return response.text();
}

// The text at a URL or, with a form, what it answers to that; `undefined` unless all of it comes in time, with
// status 200 and no redirect.
export async function download(url, millis, limit, form) {
  try {
    const headers = { accept: "application/jwk-set+json, application/json" };
    if (form) headers["content-type"] = "application/x-www-form-urlencoded";
    const response = await fetch(url, {
      method: form ? "POST" : "GET",
      body: form || null,
      headers,
      // "error" is not to be had here: a redirect comes as its status.
      redirect: "manual",
      cache: "no-store",
      signal: AbortSignal.timeout(millis),
    });
    if (response.status !== 200) {
      await response.body?.cancel();
      throw new Error(`status ${response.status}`);
    }
    const chunks = [];
    let length = 0;
    for await (const chunk of response.body ?? []) {
      length += chunk.byteLength;
      if (length > limit) throw new Error(`more than ${limit} bytes`);
      chunks.push(chunk);
    }
    return UTF8.decode(joined(chunks, length));
  } catch (error) {
    console.error(`portcullis: ${url}: ${error.message}`);
    return undefined;
  }
}

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

// Whether a signature, in base64, is that of a public key: `true` or `false`, or `undefined` if that cannot
// be told. A key that cannot be imported has made none.
export async function verify(algorithm, jwk, signature, signed) {
  const [imported, verified] = ALGORITHMS[algorithm];
  let key = keys.get(jwk);
  if (key === undefined) {
    try {
      key = await crypto.subtle.importKey("jwk", JSON.parse(jwk), imported, false, ["verify"]);
    } catch {
      return "false";
    }
    if (keys.size >= MOST_KEYS) keys.delete(keys.keys().next().value);
    keys.set(jwk, key);
  }
  try {
    const own = Uint8Array.from(atob(signature), (character) => character.charCodeAt(0));
    return String(await crypto.subtle.verify(verified, key, own, new TextEncoder().encode(signed)));
  } catch {
    return undefined;
  }
}

// By the text of their JWK: whoever holds that holds the key.
const keys = new Map();
const MOST_KEYS = 64;

const RSA = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
const ED25519 = { name: "Ed25519" };
const ALGORITHMS = {
  RS256: [RSA, RSA],
  ES256: [{ name: "ECDSA", namedCurve: "P-256" }, { name: "ECDSA", hash: "SHA-256" }],
  EdDSA: [ED25519, ED25519],
};

// Bodies that are read, or sent on, at present. None counts for longer than its time, as a request that
// is cancelled tells nobody of its end.
const held = new Set();

// The body that a request has: its `bytes` or, `instead`, a word: `long`, if it has more than `limit` of them;
// `full`, if all that are held would be more than `most`; `late`, if it is not there in time or breaks off.
export async function body(request, millis, limit, most) {
  const own = { bytes: undefined, instead: "", length: 0, end: Date.now() + millis, release: () => held.delete(own) };
  held.add(own);
  const reader = request.body?.getReader();
  const came = await within(millis, gather(reader, own, limit, most)).catch(() => "late");
  if (typeof came === "string") {
    own.instead = came;
    own.release();
    reader?.cancel().catch(() => {});
  } else {
    own.bytes = came;
    own.end = Date.now() + millis;
  }
  return own;
}

// The same as a text: an empty word and the text or, in its place, a word; `binary` if it is not UTF-8.
export async function text(request, millis, limit, most) {
  if (request.body === null) return ["", ""];
  const { bytes, instead, release } = await body(request, millis, limit, most);
  release();
  if (bytes === undefined) return [instead, undefined];
  try {
    return ["", UTF8.decode(bytes)];
  } catch {
    return ["binary", undefined];
  }
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
  return joined(chunks, own.length);
}

function joined(chunks, length) {
  const bytes = new Uint8Array(length);
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

// `lines`: status, names and values of headers in turn, body.
export function respond(lines, request) {
  const pairs = [];
  for (let at = 1; at < lines.length - 1; at += 2) pairs.push([lines[at], lines[at + 1]]);
  // Clients set their clocks by it (RFC 9110 §6.6.1).
  pairs.push(["date", new Date().toUTCString()]);
  const body = lines[lines.length - 1];
  const none = request.method === "HEAD" || body === "";
  return new Response(none ? null : body, { status: Number(lines[0]), headers: pairs });
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
