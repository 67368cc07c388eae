// Verifications per second on Node.js: the package against the hand-written gate of benches/peers, the same request
// and the same checks, nobody forwards. Contenders take turns; of the rounds' ratios the median and, by order
// statistics, its 96 % interval. Prints the least of the medians as per cent.
import { createHmac, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import { createGate, memoryStore } from "portcullis";
import { sign } from "portcullis/client";

Uint8Array.fromHex ??= (text) => new Uint8Array(Buffer.from(text, "hex"));
const { grantOf, invalidKey, judge, load, read, remembered, signedMessage, spend } = await import(`${process.argv[2]}/benches/peers/rules.mjs`);
const ROUNDS = 15;
const MILLIS = 120;

const { world, v1 } = JSON.parse(readFileSync(new URL("vectors.json", import.meta.url), "utf8"));
const ahead = world.now * 1000 - Date.now();
const clock = Date.now;
Date.now = () => clock() + ahead;

// A Workspace that lends whatever is wanted, with the limits of the other gate.
const granted = () => {
  const end = Date.now() + 3_600_000;
  return `granted tokens=1000000 millis=2000 requests=1000000000 window=3600 burst=1000000 remaining=1000000000 window_end=${end} burst_remaining=1000000`;
};
const ledger = { idFromName: String, get: () => ({ fetch: async (_, { body }) => new Response(body.startsWith("admit") ? granted() : "done") }) };
const rows = Object.entries({ ...world.kv, ...v1.kv }).map(([key, value]) => ({ key, value }));
const gate = createGate({ policy: { ...world.policy, mode: "lease" }, root: world.root, staticKeys: world.static_keys, store: memoryStore(rows), ledger });

const tag = Buffer.from("tag secret of 32 bytes or more ..");
const peers = {
  async load(key, signing) {
    const digest = createHmac("sha256", tag).update(key).digest("hex");
    const stored = { digest, signing, status: "active", expires: 4102444800, workspace: "ABCDEF", type: "service", subject: "me", scopes: ["agents:read"], ips: [], bindings: {} };
    const kid = key.split("_")[1];
    for (const how of [(text) => Buffer.from(text), hmacKey]) {
      const own = how === hmacKey ? subtle : synchronous;
      own.set(key, await load(kid, { get: async () => stored }, Date.now(), how));
    }
  },
};
async function signedFor(request) {
  const { pathname, search } = new URL(request.url);
  const message = `GET\n${pathname}${search}\n${request.headers.get("x-timestamp")}\n`;
  return createHmac("sha256", "the other gate's signing secret").update(message).digest("hex");
}

const synchronous = new Map();
const subtle = new Map();
const subtleTag = await hmacKey(tag);

function hmacKey(text) {
  return crypto.subtle.importKey("raw", Buffer.from(text), { name: "HMAC", hash: "SHA-256" }, false, ["sign", "verify"]);
}

async function byNodeCrypto(request) {
  const facts = read(request);
  if (facts instanceof Response) return facts;
  remembered(facts.kid, facts.now);
  const record = synchronous.get(facts.key);
  const digest = createHmac("sha256", tag).update(facts.key).digest();
  if (!timingSafeEqual(digest, record.digest)) return invalidKey(facts.requestId);
  const refusal = judge(facts, record);
  if (refusal !== null) return refusal;
  if (facts.signature !== null) {
    const mac = createHmac("sha256", record.signing).update(signedMessage(facts)).digest();
    if (!timingSafeEqual(mac, Buffer.from(facts.signature, "hex"))) return invalidKey(facts.requestId);
  }
  if (!spend(record, facts.now)) return invalidKey(facts.requestId);
  return grantOf(facts, record, "");
}

async function byWebCrypto(request) {
  const facts = read(request);
  if (facts instanceof Response) return facts;
  remembered(facts.kid, facts.now);
  const record = subtle.get(facts.key);
  if (!(await crypto.subtle.verify("HMAC", subtleTag, record.digest, Buffer.from(facts.key)))) return invalidKey(facts.requestId);
  const refusal = judge(facts, record);
  if (refusal !== null) return refusal;
  if (facts.signature !== null) {
    const mac = Buffer.from(facts.signature, "hex");
    if (!(await crypto.subtle.verify("HMAC", record.signing, mac, Buffer.from(signedMessage(facts))))) return invalidKey(facts.requestId);
  }
  if (!spend(record, facts.now)) return invalidKey(facts.requestId);
  return grantOf(facts, record, "");
}

async function byPackage(request) {
  const verdict = await gate.verify(request);
  return verdict.decision === "allow" ? verdict.grant : verdict.response;
}

async function rate(verify, request) {
  const begun = performance.now();
  let count = 0;
  let took;
  do {
    for (let at = 0; at < 100; at++) if ((await verify(request)) instanceof Response) throw new Error(`${verify.name} refuses`);
    count += 100;
    took = performance.now() - begun;
  } while (took < MILLIS);
  return (1000 * count) / took;
}

const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];
// Ranks 4 and 12 of 15.
const interval = (list) => [...list].sort((a, b) => a - b).filter((_, at) => at === 3 || at === 11);

let least = Infinity;
const url = "http://api.test/v1/agents?page=2";
const { key, kid: keyId, secrets } = v1.keys.optional;
const signature = await sign({ method: "GET", url: url.replace("/v1", "/near/v1") }, { version: "v1", secret: secrets[0], keyId, apiKey: key });
const requests = { bearer: [url, { authorization: `Bearer ${world.keys.full}` }], signed: [url.replace("/v1", "/near/v1"), signature] };
for (const [what, [target, headers]] of Object.entries(requests)) {
  const request = new Request(target, { headers });
  // The other gate knows its own routes.
  const other = new Request(url, { headers: request.headers });
  await peers.load(request.headers.get("authorization").slice(7), "the other gate's signing secret");
  if (what === "signed") other.headers.set("x-signature", await signedFor(other));
  const ratios = { "node:crypto": [], WebCrypto: [] };
  const rates = { package: [], "node:crypto": [], WebCrypto: [] };
  for (let round = -2; round < ROUNDS; round++) {
    const own = await rate(byPackage, request);
    if (round >= 0) rates.package.push(own);
    for (const [name, verify] of [["node:crypto", byNodeCrypto], ["WebCrypto", byWebCrypto]]) {
      const peer = await rate(verify, other);
      if (round < 0) continue;
      ratios[name].push(own / peer);
      rates[name].push(peer);
    }
  }
  console.error(`${what}: package ${Math.round(median(rates.package))}/s`);
  for (const [name, list] of Object.entries(ratios)) {
    const [low, high] = interval(list);
    console.error(`${what}: ${name} ${Math.round(median(rates[name]))}/s, ratio ${median(list).toFixed(2)} (${low.toFixed(2)}–${high.toFixed(2)})`);
    if (high < 1) throw new Error(`${what}: ${name}: the other gate is faster`);
    least = Math.min(least, median(list));
  }
}
console.log(Math.round(least * 100));
process.exit(0);
