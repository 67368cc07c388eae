// What the Worker of the Workspaces has done by the platform. No decision is taken here.

// The text at a URL, or what it answers to a form; rejects unless all of it comes in time, with status 200 and no
// redirect.
export async function download(url, millis, limit, form) {
  const headers = { accept: "application/jwk-set+json, application/json" };
  if (form !== undefined) headers["content-type"] = "application/x-www-form-urlencoded";
  const response = await fetch(url, {
    method: form === undefined ? "GET" : "POST",
    body: form,
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
  const bytes = await read(response.body, limit);
  if (bytes === null) throw new Error(`more than ${limit} bytes`);
  return UTF8.decode(bytes);
}

// An object's answer to a call. It is made once: what changes something is repeated by who asked for it.
export async function ask(env, binding, name, text) {
  const namespace = env[binding];
  const stub = namespace.get(namespace.idFromName(name));
  const signal = AbortSignal.timeout(ASK_MILLIS);
  const response = await stub.fetch("https://object/", { method: "POST", body: text, signal });
  if (response.status !== 200) throw new Error(`status ${response.status}`);
  return response.text();
}

const ASK_MILLIS = 10_000;

// The body of a file of the dashboard; the status of the answer that is none.
export async function file(env, name, isHead) {
  const response = await env.ASSETS.fetch(`https://assets/${name}`);
  if (response.status === 200 && !isHead) return response.body;
  await response.body?.cancel();
  return response.status === 200 ? null : response.status;
}

// A row of KV, or `null`.
export async function row(env, name) {
  return env.KEYS.get(name);
}

// A request's body as text; the number 1 if it is longer than `limit` bytes, 2 if it is not UTF-8;
// rejects if it breaks off.
export async function body(request, limit) {
  const bytes = await read(request.body, limit);
  if (bytes === null) return 1;
  try {
    return UTF8.decode(bytes);
  } catch {
    return 2;
  }
}

// `null` if there are more than `limit` bytes; no more are read then.
async function read(stream, limit) {
  const chunks = [];
  let length = 0;
  for await (const chunk of stream ?? []) {
    length += chunk.byteLength;
    if (length > limit) return null;
    chunks.push(chunk);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  return bytes;
}

// Whether a signature is that of a public key. A key that cannot be imported has made none.
export async function verify(algorithm, jwk, signature, signed) {
  // They are views into the Wasm's memory, which may move while we wait.
  const [own, text] = [signature.slice(), signed.slice()];
  const [imported, verified] = ALGORITHMS[algorithm];
  let key = keys.get(jwk);
  if (key === undefined) {
    try {
      key = await crypto.subtle.importKey("jwk", JSON.parse(jwk), imported, false, ["verify"]);
    } catch {
      return false;
    }
    if (keys.size >= MOST_KEYS) keys.delete(keys.keys().next().value);
    keys.set(jwk, key);
  }
  return crypto.subtle.verify(verified, key, own, text);
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

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
