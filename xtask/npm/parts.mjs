// The parts without a gate of their own: keys, assertions, the client, bodies of the management API.
import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { createGate, memoryStore } from "portcullis";
import { AssertionError, verifyAssertion } from "portcullis/assertion";
import { createClient } from "portcullis/client";
import { generateKey, hashKey, isWellFormed, parseKey } from "portcullis/keys";
import { memoryLedger } from "portcullis/ledger";
import { ManagementError, createManagement } from "portcullis/management";

const { world, v1 } = JSON.parse(readFileSync(new URL("vectors.json", import.meta.url), "utf8"));
const { policy, root, keys, kv } = world;
let count = 0;
const is = (actual, expected, what) => {
  assert.deepEqual(actual, expected, what);
  count++;
};

// Keys: what the vectors' records store of them, and what a gate makes of new ones.
for (const [name, key] of Object.entries(keys)) {
  const kid = key.split("_").at(-2);
  const row = kv[`k1:${kid}`];
  const parsed = parseKey(key);
  is(isWellFormed(key), parsed !== null, name);
  if (parsed !== null) is(parsed.kid, kid, name);
  if (row === undefined || name.startsWith("record_") || parsed === null) continue;
  const { secrets } = JSON.parse(row.split(".").slice(2).join("."));
  const newest = await hashKey(key, root);
  const own = secrets.filter(({ root, generation }) => root === newest.root && generation === parsed.generation);
  if (/^(full|read_only|limits_of_two|live|rotated_new)$/.test(name)) is(own.map(({ digest }) => digest), [newest.digest], name);
}
for (const name of ["bad_crc", "truncated", "lower_case"]) is(parseKey(keys[name]), null, name);
for (const text of ["", "ak", ` ${keys.full}`, `${keys.full}\n`, keys.full.replace("ak_", "AK_")]) is(isWellFormed(text), false, text);
is(isWellFormed(keys.full.slice(0, -1) + (keys.full.endsWith("0") ? "1" : "0")), false, "a typing error");
const made = await generateKey({ root, workspace: "DEM0WS", prefix: "acme_live" });
is(parseKey(made.key), { prefix: "acme_live", kid: made.kid, workspace: "DEM0WS", generation: 0 }, "a new key");
is(made.secret.digest, (await hashKey(made.key, root)).digest, "its digest");
await assert.rejects(generateKey({ root: "c2hvcnQ=", workspace: "DEM0WS" }), TypeError);
await assert.rejects(generateKey({ root, workspace: "dem0ws" }), TypeError);
// Its tags hold, so that it is looked for; one by another root is refused unasked.
const asked = [];
const store = { get: async (name) => (asked.push(name), null) };
const own = createGate({ policy, root, staticKeys: world.static_keys, store });
const verified = async (gate, key) => (await gate.verify(new Request("http://api.test/v1/agents", { headers: { "x-api-key": key } }))).code;
is(await verified(own, made.key), "INVALID_API_KEY", "a key without a record");
is(asked, [`k1:${made.kid}`], "is looked for");
const foreign = await generateKey({ root: Buffer.alloc(32, 1).toString("base64"), workspace: "DEM0WS" });
is([await verified(own, foreign.key), asked.length], ["INVALID_API_KEY", 1], "a foreign key is not");

// Gates that must not be.
assert.throws(() => createGate({ policy: {}, root, store }), /^TypeError: portcullis: the policy/);
assert.throws(() => createGate({ policy, root: Buffer.alloc(32, 1).toString("base64"), store }), /fingerprint/);
assert.throws(() => createGate({ policy: { ...policy, more: 1 }, root, store }), /^TypeError/);
for (const [options, what] of [
  [{ policy: "{", root, store }, "policy"],
  [{ policy: null, root, store }, "policy"],
  [{ policy, store }, "root"],
  [{ policy, root }, "store"],
  [{ policy, root, store: {} }, "store"],
  [{ policy, root, store, ledger: {} }, "ledger"],
  [{ policy, root, store, staticKeys: 1 }, "staticKeys"],
]) assert.throws(() => createGate(options), new RegExp(`^TypeError: portcullis: ${what}: an? (object|string)`), what);
assert.throws(() => memoryLedger({ policy, rows: [] }), /^TypeError: portcullis: root: a string/);
assert.throws(() => memoryLedger({ policy, root, rows: [{ key: `k1:${made.kid}`, value: "1.AA.{}" }] }), TypeError);
const failing = createGate({ policy, root, store: { get: () => Promise.reject(new Error("down")) } });
is(await verified(failing, keys.full), "AUTH_UNAVAILABLE", "a store that fails is no denial");
const alone = createGate({ policy, root, store: memoryStore(Object.entries(kv).map(([key, value]) => ({ key, value }))) });
const strict = await alone.verify(new Request("http://api.test/v1/strict", { headers: { "x-api-key": keys.full } }));
is([strict.decision, strict.status, (await strict.response.json()).error.code], ["unavailable", 503, "AUTH_UNAVAILABLE"], "nobody counts");

// What stores of callers without types give, and no request at all: the Wasm does not fail for it.
const { Kept, generation } = await import(new URL("node_modules/portcullis/dist/core.js", import.meta.url));
const silenced = console.error;
console.error = () => {};
const parsing = createGate({ policy, root, store: { get: async (name) => ({ name }) } });
is(await verified(parsing, keys.full), "AUTH_UNAVAILABLE", "a store that gives no text");
is((await own.verify(null)).code, "AUTH_UNAVAILABLE", "nothing is no request");
is(generation(), 0, "nothing failed");

// A Wasm that fails is started again: whoever waits is answered 503, and the next by a new one.
let bring;
const slow = createGate({ policy, root, store: { get: () => new Promise((resolve) => (bring = resolve)) } });
const waiter = verified(slow, keys.full);
const { management, alerts, leak_reports, workspace_shadow, ...read } = policy;
const trapped = new Kept(JSON.stringify(read), root, "");
assert.throws(() => trapped.enter(() => {
  throw new WebAssembly.RuntimeError("unreachable");
}), WebAssembly.RuntimeError);
console.error = silenced;
bring(null);
is(await waiter, "AUTH_UNAVAILABLE", "who waited");
is(await verified(own, made.key), "INVALID_API_KEY", "who comes next");
is((await alone.verify(new Request("http://api.test/v1/agents", { headers: { "x-api-key": keys.full } }))).decision, "allow", "and is known");

// Assertions.
const secret = Buffer.alloc(32, 7).toString("base64url");
const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
const now = Math.floor(Date.now() / 1000);
const claims = { iss: "portcullis", aud: "agents", iat: now, exp: now + 30, jti: "1", htm: "GET", tgt: createHash("sha256").update("/a?b=c").digest("base64url"), sub: "me" };
const assertion = (changes = {}, head = { alg: "HS256", typ: "JWT", kid: "v1" }) => {
  const text = `${part(head)}.${part({ ...claims, ...changes })}`;
  return `${text}.${createHmac("sha256", Buffer.from(secret, "base64url")).update(text).digest("base64url")}`;
};
const request = (token, method = "GET") => new Request("https://origin.test/a?b=c", { method, headers: { "x-portcullis-assertion": token } });
is((await verifyAssertion(request(assertion()), secret, { origin: "agents" })).sub, "me", "an assertion");
is((await verifyAssertion({ method: "GET", target: "/a?b=c", assertion: assertion() }, { v1: secret }, { origin: "agents" })).sub, "me", "by version");
const good = assertion();
for (const [what, args] of Object.entries({
  none: [new Request("https://origin.test/a?b=c"), secret, { origin: "agents" }],
  "another origin": [request(good), secret, { origin: "other" }],
  "another method": [request(good, "POST"), secret, { origin: "agents" }],
  "another target": [{ method: "GET", target: "/", assertion: good }, secret, { origin: "agents" }],
  old: [request(good), secret, { origin: "agents", now: now + 36 }],
  early: [request(good), secret, { origin: "agents", now: now - 6 }],
  "another key": [request(good), Buffer.alloc(32).toString("base64url"), { origin: "agents" }],
  "an unknown version": [request(good), { v2: secret }, { origin: "agents" }],
  "no algorithm": [request(assertion({}, { alg: "none", kid: "v1" })), secret, { origin: "agents" }],
  "no end": [request(assertion({ exp: undefined })), secret, { origin: "agents" }],
  changed: [request(good.replace(/.$/, (last) => (last === "A" ? "E" : "A"))), secret, { origin: "agents" }],
  garbage: [request("a.b.c"), secret, { origin: "agents" }],
})) {
  await assert.rejects(verifyAssertion(...args), AssertionError, what);
  count++;
}

// The client, before a gate whose clock is not its own.
const clock = Date.now;
const rows = Object.entries({ ...kv, ...v1.kv }).map(([key, value]) => ({ key, value }));
const wanted = [v1.keys.required.kid, keys.limits_of_two.split("_").at(-2)];
const skew = world.now * 1000 - clock();
const ledger = memoryLedger({ policy, root, rows: rows.filter(({ key }) => wanted.includes(key.slice(3))) });
const gate = createGate({ policy, root, store: memoryStore(rows), ledger });
const codes = [];
async function atTheGate(request) {
  Date.now = () => clock() + skew;
  const verdict = await gate.verify(request).finally(() => (Date.now = clock));
  codes.push(verdict.code ?? verdict.decision);
  return verdict.decision === "allow" ? new Response(await request.text()) : verdict.response;
}
const url = "http://api.test";
const { key: apiKey, kid: keyId, secrets } = v1.keys.required;
const signing = createClient({ signer: { version: "v1", secret: secrets[0], keyId, apiKey }, fetch: atTheGate });
is(await (await signing(`${url}/near/v1/a`, { method: "POST", body: "one" })).text(), "one", "signed by the gate's clock");
is(await (await signing(`${url}/near/v1/a`, { method: "POST", body: "two" })).text(), "two", "and again");
is(codes, ["STALE_TIMESTAMP", "allow", "allow"], "its clock was set once");
codes.length = 0;
const metered = createClient({ apiKey: keys.limits_of_two, maxWait: 1, fetch: atTheGate });
for (const status of [200, 200, 429]) is((await metered(`${url}/v1/strict`)).status, status, "within its limit, then not for an hour");

// What its Workspace is told takes effect at the gate, and is not to be copied for ever.
const tell = async (body) => (await ledger.get(ledger.idFromName("TEST00")).fetch("https://workspace/", { method: "POST", body })).text();
is((await tell(`status v=1 kid=${wanted[0]} status=revoked`)).split(" ")[0], "written", "a revocation");
is(await tell("due v=1"), "due", "nothing is left to copy");
codes.length = 0;
await signing(`${url}/near/v1/a`, { method: "POST", body: "three" });
is(codes, ["REVOKED_API_KEY"], "at once");

const answers = [];
const said = [];
const scripted = (options) => createClient({ ...options, fetch: async (request) => (said.push(request), answers.shift()) });
const stale = () => Response.json({ error: { code: "STALE_TIMESTAMP", server_time: Math.floor(clock() / 1000) + 5000 } }, { status: 401 });
const client = scripted({ signer: { version: "v1", secret: secrets[0], keyId } });
answers.push(stale(), new Response("in"), new Response("again"), stale(), stale());
is(await (await client(`${url}/`, { method: "POST", body: "x" })).text(), "in", "signed again by the gate's clock");
const stamps = said.map((request) => Number(request.headers.get("x-timestamp")));
assert.ok(stamps[1] - stamps[0] >= 4999, String(stamps));
is(await said[1].text(), "x", "with its body");
is(await (await client(`${url}/`)).text(), "again", "and at once from then on");
is([(await client(`${url}/`)).status, answers.length], [401, 0], "once only");

said.length = 0;
const limited = (headers) => new Response("", { status: 429, headers });
const waiting = scripted({ apiKey: "ak_x", maxWait: 2 });
answers.push(limited({ "retry-after": "1" }), new Response("later", { headers: { ratelimit: '"hour";r=0;t=1, "burst";r=5;t=0' } }), new Response("then"), limited({ "retry-after": "3600" }));
const begun = performance.now();
is(await (await waiting(`${url}/`)).text(), "later", "after a 429");
const between = performance.now();
is(await (await waiting(`${url}/`)).text(), "then", "after what RateLimit says");
assert.ok(between - begun >= 990 && performance.now() - between >= 900, "it waited");
is([(await waiting(`${url}/`)).status, said.length], [429, 4], "not for an hour");
is(said[0].headers.get("authorization"), "Bearer ak_x", "the key");

said.length = 0;
const past = new Date(Date.now() - 60_000).toUTCString();
answers.push(...["0", past, "0"].map((after) => limited({ "retry-after": after })));
is([(await waiting(`${url}/`)).status, said.length], [429, 3], "no more often than its patience has seconds");

// The management client.
const api = createManagement({
  url: "http://admin.test",
  token: async () => "t",
  fetch: async (request) => {
    said.push(request);
    return answers.shift();
  },
});
answers.push(Response.json({ kid: "K" }, { status: 201 }), Response.json({ error: { code: "NOT_FOUND", message: "no" } }, { status: 404 }));
const created = await api("/api/v1/workspaces/{workspace}/api-keys", "post", { path: { workspace: "a/b" }, body: { name: "n" } });
const last = said.at(-1);
is([created.status, created.data, last.url, last.method, await last.text(), last.headers.get("authorization")], [201, { kid: "K" }, "http://admin.test/api/v1/workspaces/a%2Fb/api-keys", "POST", '{"name":"n"}', "Bearer t"], "a call");
await assert.rejects(api("/api/v1/me", "get"), (error) => error instanceof ManagementError && error.code === "NOT_FOUND" && error.status === 404);
console.log(count + 1);
process.exit(0);
