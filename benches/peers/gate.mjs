// A hand-written gate with the synchronous `node:crypto`: once a record is in isolate memory,
// everything up to the origin's promise is one synchronous call.
import { createHmac, hash, timingSafeEqual } from "node:crypto";
import { Buffer } from "node:buffer";
import { forward } from "./forward.mjs";
import { claims, grantOf, invalidKey, judge, load, read, refuse, remembered, signedMessage, spend } from "./rules.mjs";

const BASE64URL = { alphabet: "base64url", omitPadding: true };
const encoder = new TextEncoder();
const JWS_HEADER = `${encoder.encode('{"alg":"HS256","typ":"JWT","kid":"v1"}').toBase64(BASE64URL)}.`;

let secrets;

export default {
  fetch(req, env) {
    const facts = read(req);
    if (facts instanceof Response) return facts;
    secrets ??= { tag: secretKey(env.TAG_SECRET), assertion: secretKey(env.ASSERTION_SECRET) };
    const record = remembered(facts.kid, facts.now);
    if (record !== undefined) return admit(req, env, facts, record);
    return load(facts.kid, env.KEYS, facts.now, secretKey).then(
      (loaded) => (loaded === null ? invalidKey(facts.requestId) : admit(req, env, facts, loaded)),
      () => refuse(503, "AUTH_UNAVAILABLE", "The key could not be checked.", facts.requestId),
    );
  },
};

function admit(req, env, facts, record) {
  const digest = createHmac("sha256", secrets.tag).update(facts.key).digest();
  if (!timingSafeEqual(digest, record.digest)) return invalidKey(facts.requestId);
  const refusal = judge(facts, record);
  if (refusal !== null) return refusal;
  if (facts.signature !== null && !rightlySigned(facts, record)) {
    return refuse(401, "INVALID_SIGNATURE", "The signature is not valid.", facts.requestId);
  }
  if (!spend(record, facts.now)) return refuse(429, "RATE_LIMITED", "The rate limit is used up.", facts.requestId);
  return forward(req, env.ORIGIN, grantOf(facts, record, assertion(facts, record)));
}

function rightlySigned(facts, record) {
  const message = signedMessage(facts);
  if (message === null || record.signing === null || !/^[0-9a-f]{64}$/.test(facts.signature)) return false;
  const mac = createHmac("sha256", record.signing).update(message).digest();
  return timingSafeEqual(mac, Buffer.from(facts.signature, "hex"));
}

function assertion(facts, record) {
  const targetHash = hash("sha256", facts.target, "base64url");
  const input = JWS_HEADER + encoder.encode(claims(facts, record, targetHash)).toBase64(BASE64URL);
  return `${input}.${createHmac("sha256", secrets.assertion).update(input).digest("base64url")}`;
}

// A KeyObject would cost a third more for each MAC.
function secretKey(text) {
  return Buffer.from(text);
}
