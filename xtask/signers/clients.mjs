// Two clients before a running gate: npm/src/sign.ts, and http-message-signatures told the profile. Reads the ready
// line's members from standard input; prints how many requests were answered as they have to be.
import { createHash, createHmac, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { httpbis } from "http-message-signatures";
import { sign, signRequest } from "../../npm/src/sign.ts";

const { url, keys, signing } = JSON.parse(readFileSync(0, "utf8"));
const kid = (name) => keys[name].split("_").at(-2);
let count = 0;

async function expect(response, status, code) {
  const text = await response.text();
  if (response.status !== status || (code && !text.includes(`"${code}"`)))
    throw new Error(`${response.status}, not ${status} ${code ?? ""}: ${text}`);
  count++;
  return text;
}

const signers = {
  signed_v1: { version: "v1", secret: signing.signed_v1, apiKey: keys.signed_v1 },
  signed_only: { version: "v1", secret: signing.signed_only, keyId: kid("signed_only") },
  signed_v2: { version: "v2", secret: signing.signed_v2, keyId: kid("signed_v2") },
};
const body = JSON.stringify({ name: "café", at: Date.now() });
for (const [name, signer] of Object.entries(signers)) {
  const target = `${url}/v1/agents?by=${name}&q=a%20b`;
  await expect(await fetch(await signRequest(new Request(target), signer)), 200);
  // Each with the Content-Type that `fetch` gives it.
  for (const init of [{ body }, { body: new URLSearchParams({ name }) }, { body: new Blob([body]) }, {}]) {
    const request = await signRequest(new Request(`${target}&n=${count}`, { method: "POST", ...init }), signer);
    const sent = Buffer.from(await request.clone().arrayBuffer());
    const seen = JSON.parse(await expect(await fetch(request), 200));
    if (seen.body_sha256 !== createHash("sha256").update(sent).digest("hex")) throw new Error(`${name}: another body`);
  }
  const headers = await sign({ method: "POST", url: target, body }, signer);
  const code = name === "signed_v2" ? "DIGEST_MISMATCH" : "INVALID_SIGNATURE";
  const init = { method: "POST", headers };
  await expect(await fetch(target, { ...init, body: new TextEncoder().encode(`${body} `) }), 401, code);
  await expect(await fetch(target, { ...init, body: new TextEncoder().encode(body) }), 200);
  await expect(await fetch(target, { ...init, body: new TextEncoder().encode(body) }), 401, "REPLAYED_REQUEST");
}

const fields = ["@method", "@authority", "@path", "@query"];
const config = (more) => ({
  key: {
    id: kid("signed_v2"),
    alg: "hmac-sha256",
    sign: async (base) => createHmac("sha256", signing.signed_v2).update(base).digest(),
  },
  fields: [...fields, ...more],
  params: ["created", "expires", "nonce", "keyid", "tag"],
  paramValues: { nonce: randomBytes(16).toString("base64url"), tag: "portcullis" },
});
for (const [method, target, text] of [
  ["GET", "/v1/agents", null],
  ["GET", "/v1/agents?page=2&q=a%20b", null],
  ["POST", "/v1/agents", body],
  ["POST", "/v1/agents?dry=1", body],
]) {
  const request = { method, url: url + target, headers: {} };
  if (text !== null) {
    request.headers["Content-Type"] = "application/json";
    request.headers["Content-Digest"] = `sha-256=:${createHash("sha256").update(text).digest("base64")}:`;
  }
  const more = text === null ? [] : ["content-digest", "content-type"];
  const { headers } = await httpbis.signMessage(config(more), request);
  await expect(await fetch(`${request.url}${target.includes("?") ? "&" : "?"}x=1`, { method, headers, body: text }), 401, "INVALID_SIGNATURE");
  await expect(await fetch(request.url, { method, headers, body: text }), 200);
  await expect(await fetch(request.url, { method, headers, body: text }), 401, "REPLAYED_REQUEST");
  // Any other profile than ours.
  const { headers: bare } = await httpbis.signMessage({ ...config(more), fields: fields.slice(0, 3) }, request);
  await expect(await fetch(request.url, { method, headers: bare, body: text }), 401, "INVALID_SIGNATURE");
}
console.log(count);
