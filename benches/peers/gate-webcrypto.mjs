// The gate with WebCrypto for its MACs.
import { hash } from "node:crypto";
import { forward } from "./forward.mjs";
import { claims, grantOf, invalidKey, judge, load, read, refuse, remembered, signedMessage, spend } from "./rules.mjs";

const BASE64URL = { alphabet: "base64url", omitPadding: true };
const encoder = new TextEncoder();
const JWS_HEADER = `${encoder.encode('{"alg":"HS256","typ":"JWT","kid":"v1"}').toBase64(BASE64URL)}.`;

let secrets;

export default {
  async fetch(req, env) {
    const facts = read(req);
    if (facts instanceof Response) return facts;
    secrets ??= { tag: await hmacKey(env.TAG_SECRET), assertion: await hmacKey(env.ASSERTION_SECRET) };
    let record;
    try {
      record = remembered(facts.kid, facts.now) ?? (await load(facts.kid, env.KEYS, facts.now, hmacKey));
    } catch {
      return refuse(503, "AUTH_UNAVAILABLE", "The key could not be checked.", facts.requestId);
    }
    // `verify` compares in constant time.
    if (record === null || !(await verify(secrets.tag, record.digest, facts.key))) return invalidKey(facts.requestId);
    const refusal = judge(facts, record);
    if (refusal !== null) return refusal;
    if (facts.signature !== null && !(await rightlySigned(facts, record))) {
      return refuse(401, "INVALID_SIGNATURE", "The signature is not valid.", facts.requestId);
    }
    const limits = spend(record, facts.now);
    if (limits === null) return refuse(429, "RATE_LIMITED", "The rate limit is used up.", facts.requestId);
    return forward(req, env.ORIGIN, grantOf(facts, record, await assertion(facts, record)));
  },
};

async function rightlySigned(facts, record) {
  const message = signedMessage(facts);
  if (message === null || record.signing === null || !/^[0-9a-f]{64}$/.test(facts.signature)) return false;
  return verify(record.signing, Uint8Array.fromHex(facts.signature), message);
}

async function assertion(facts, record) {
  const targetHash = hash("sha256", facts.target, "base64url");
  const input = JWS_HEADER + base64url(encoder.encode(claims(facts, record, targetHash)));
  const mac = crypto.subtle.sign("HMAC", secrets.assertion, encoder.encode(input));
  return `${input}.${base64url(new Uint8Array(await mac))}`;
}

function verify(key, mac, text) {
  return crypto.subtle.verify("HMAC", key, mac, encoder.encode(text));
}

function hmacKey(text) {
  return crypto.subtle.importKey("raw", encoder.encode(text), { name: "HMAC", hash: "SHA-256" }, false, ["sign", "verify"]);
}

function base64url(bytes) {
  return bytes.toBase64(BASE64URL);
}
