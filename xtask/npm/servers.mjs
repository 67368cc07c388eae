// Every adapter in front of a real server: allowed, denied, limited, and a signed body that the handler still reads.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer, request as call } from "node:http";
import { connect } from "node:http2";
import { createRequire } from "node:module";
import { createGate, memoryStore } from "portcullis";
import { sign } from "portcullis/client";
import { grantOf, portcullis as express } from "portcullis/express";
import { portcullis as fastify } from "portcullis/fastify";
import { guard } from "portcullis/fetch";
import { portcullis as hono } from "portcullis/hono";
import { memoryLedger } from "portcullis/ledger";
import { route } from "portcullis/next";

// The frameworks are the checkout's, not the package's.
const peer = createRequire(new URL("node_modules/x", `file://${process.argv[2]}/`));
const { world, v1 } = JSON.parse(readFileSync(new URL("vectors.json", import.meta.url), "utf8"));
const { policy, root, static_keys: staticKeys, keys } = world;
const ahead = world.now * 1000 - Date.now();
const clock = Date.now;
Date.now = () => clock() + ahead;

function gate() {
  const rows = Object.entries({ ...world.kv, ...v1.kv }).map(([key, value]) => ({ key, value }));
  const readable = rows.filter(({ key, value }) => good(key, value));
  return createGate({ policy, root, staticKeys, store: memoryStore(rows), ledger: memoryLedger({ policy, root, rows: readable }) });
}

// The vectors have records that are none, too.
function good(key, value) {
  try {
    memoryLedger({ policy, root, rows: [{ key, value }] });
    return true;
  } catch {
    return false;
  }
}

const bridged = (handle) =>
  createServer(async (message, out) => {
    const chunks = [];
    for await (const chunk of message) chunks.push(chunk);
    const headers = Object.entries(message.headersDistinct).flatMap(([name, values]) => values.map((value) => [name, value]));
    const init = { method: message.method, headers, ...(chunks.length > 0 && { body: Buffer.concat(chunks) }) };
    const answer = await handle(new Request(new URL(message.url, `http://${message.headers.host}`), init));
    out.writeHead(answer.status, Object.fromEntries(answer.headers)).end(await answer.text());
  });

const servers = {
  async express() {
    const app = peer("express")();
    app.enable("case sensitive routing").enable("strict routing");
    app.set("trust proxy", false);
    app.use(express(gate()));
    app.use(peer("express").text({ type: "*/*" }));
    app.all("/*all", (request, response) => response.json({ key: grantOf(response).key, body: request.body ?? "" }));
    return app.listen(0, "127.0.0.1");
  },
  async fastify() {
    const app = peer("fastify").default();
    app.removeAllContentTypeParsers();
    app.addContentTypeParser("*", { parseAs: "string" }, (_, body, done) => done(null, body));
    await app.register(fastify, { gate: gate() });
    app.all("/*", (request) => ({ key: request.portcullis.key, body: request.body ?? "" }));
    await app.listen({ port: 0, host: "127.0.0.1" });
    return app.server;
  },
  async hono() {
    const { Hono } = await import(peer.resolve("hono"));
    const app = new Hono();
    app.use(hono(gate()));
    app.all("*", async (c) => c.json({ key: c.get("portcullis").key, body: await c.req.text() }));
    return bridged((request) => app.fetch(request)).listen(0, "127.0.0.1");
  },
  async fetch() {
    const handle = guard(gate(), async (request, grant) => Response.json({ key: grant.key, body: await request.text() }));
    return bridged((request) => handle(request, {}, undefined)).listen(0, "127.0.0.1");
  },
  async next() {
    const handle = route(gate(), async (request, { portcullis }) => Response.json({ key: portcullis.key, body: await request.text() }));
    return bridged((request) => handle(request, { params: Promise.resolve({}) })).listen(0, "127.0.0.1");
  },
};

let count = 0;
for (const [name, serve] of Object.entries(servers)) {
  const server = await serve();
  if (!server.listening) await new Promise((resolve) => server.once("listening", resolve));
  const send = (method, target, headers = {}, body = undefined) =>
    new Promise((resolve, reject) => {
      const outgoing = call({ port: server.address().port, host: "127.0.0.1", method, path: target, headers: { host: "api.test", ...headers } });
      outgoing.on("error", reject).on("response", async (answer) => {
        let text = "";
        for await (const chunk of answer.setEncoding("utf8")) text += chunk;
        count++;
        resolve({ status: answer.statusCode, headers: answer.headers, json: JSON.parse(text) });
      });
      // In two pieces, without a length.
      if (body !== undefined) outgoing.write(body.slice(0, 3));
      setTimeout(() => outgoing.end(body?.slice(3)), body === undefined ? 0 : 20);
    });
  const bearer = (key) => ({ authorization: `Bearer ${keys[key]}` });
  const kid = (key) => keys[key].split("_").at(-2);

  const allowed = await send("GET", "/v1/strict", bearer("full"));
  assert.deepEqual([allowed.status, allowed.json.key], [200, kid("full")], `${name}: allowed`);
  assert.match(allowed.headers["x-request-id"], /^[0-9a-f]{32}$/, name);
  assert.match(allowed.headers["cache-control"], /private/, name);

  const missing = await send("GET", "/v1/strict");
  assert.deepEqual([missing.status, missing.json.error.code], [401, "MISSING_API_KEY"], `${name}: denied`);
  assert.match(missing.headers["www-authenticate"], /^Bearer/, name);

  const twice = await send("GET", "/v1/strict", { ...bearer("full"), "x-api-key": keys.full });
  assert.deepEqual([twice.status, twice.json.error.code], [400, "AMBIGUOUS_CREDENTIALS"], `${name}: two credentials`);
  const repeated = await send("GET", "/v1/strict", { authorization: [`Bearer ${keys.full}`, `Bearer ${keys.revoked}`] });
  assert.deepEqual([repeated.status, repeated.json.error.code], [400, "AMBIGUOUS_CREDENTIALS"], `${name}: one header twice`);
  const spoofed = await send("GET", "/v1/strict", { ...bearer("ip_bound"), "cf-connecting-ip": "203.0.113.7" });
  assert.deepEqual([spoofed.status, spoofed.json.error.code], [403, "IP_NOT_ALLOWED"], `${name}: an address of the client's own`);

  const absolute = await send("GET", "http://api.test/v1/strict", bearer("full"));
  // A framework of `Request`s has no such thing: the bridge makes another URL of it.
  if (/express|fastify/.test(name)) assert.deepEqual([absolute.status, absolute.json.error.code], [400, "BAD_REQUEST"], `${name}: a proxy's target`);

  for (const left of ["1", "0"]) {
    const one = await send("GET", "/v1/strict", bearer("limits_of_two"));
    assert.deepEqual([one.status, one.headers["x-ratelimit-remaining"]], [200, left], `${name}: within its limit`);
  }
  const limited = await send("GET", "/v1/strict", bearer("limits_of_two"));
  assert.deepEqual([limited.status, limited.json.error.code], [429, "RATE_LIMITED"], `${name}: limited`);
  for (const header of ["retry-after", "ratelimit", "ratelimit-policy", "x-ratelimit-limit"]) assert.ok(limited.headers[header], `${name}: ${header}`);

  const { key: apiKey, kid: keyId, secrets } = v1.keys.required;
  const url = "http://api.test/near/v1/servers?a=1";
  const body = `{"adapter":"${name}"}`;
  const signer = { version: "v1", secret: secrets[0], keyId, apiKey };
  const headers = await sign({ method: "POST", url, body }, signer);
  const signed = await send("POST", "/near/v1/servers?a=1", { ...headers, "content-type": "application/json" }, body);
  assert.deepEqual([signed.status, signed.json], [200, { key: keyId, body }], `${name}: signed: ${JSON.stringify(signed.json)}`);
  const again = await send("POST", "/near/v1/servers?a=1", { ...headers, "content-type": "application/json" }, body);
  assert.deepEqual([again.status, again.json.error.code], [401, "REPLAYED_REQUEST"], `${name}: replayed`);
  const empty = await sign({ method: "POST", url: "http://api.test/near/v1/servers", body: "" }, signer);
  const nothing = await send("POST", "/near/v1/servers", { ...empty, "content-type": "application/json", "transfer-encoding": "chunked" });
  assert.deepEqual([nothing.status, nothing.json.key], [200, keyId], `${name}: an empty body in chunks: ${JSON.stringify(nothing.json)}`);
  const other = await send("POST", "/near/v1/servers?a=1", { ...headers, "content-type": "application/json" }, `${body} `);
  assert.deepEqual([other.status, other.json.error.code], [401, "INVALID_SIGNATURE"], `${name}: another body`);

  server.close();
  server.closeAllConnections();
}
// Several paths for one would let a handler be reached by a path whose route asks for less.
const settings = ["case sensitive routing", "strict routing"];
for (const missing of [settings, ...settings.map((one) => [one])]) {
  const app = peer("express")();
  for (const setting of settings) if (!missing.includes(setting)) app.enable(setting);
  app.use(express(gate()));
  app.all("/*all", (_, response) => response.json({}));
  app.use((error, _request, response, _next) => response.status(500).json({ error: error.message }));
  const server = app.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const answer = await fetch(`http://127.0.0.1:${server.address().port}/v1/strict`, { headers: { authorization: `Bearer ${keys.full}` } });
  assert.equal(answer.status, 500);
  const { error } = await answer.json();
  for (const setting of settings) assert.equal(error.includes(`"${setting}"`), missing.includes(setting), error);
  server.close();
  count++;
}
for (const options of [{ ignoreTrailingSlash: true }, { routerOptions: { caseSensitive: false } }, { useSemicolonDelimiter: true }, { routerOptions: { ignoreDuplicateSlashes: true } }]) {
  const app = peer("fastify").default(options);
  await assert.rejects(async () => app.register(fastify, { gate: gate() }), /tells paths apart/, JSON.stringify(options));
  count++;
}

// HTTP/2, where bodies need not be announced and headers can come twice.
{
  const app = peer("fastify").default({ http2: true });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "string" }, (_, body, done) => done(null, body));
  await app.register(fastify, { gate: gate() });
  app.all("/*", (request) => ({ key: request.portcullis.key, body: request.body ?? "" }));
  await app.listen({ port: 0, host: "127.0.0.1" });
  const session = connect(`http://127.0.0.1:${app.server.address().port}`);
  const send = (headers, ...pieces) =>
    new Promise((resolve, reject) => {
      const stream = session.request({ ":authority": "api.test", ...headers }, { endStream: pieces.length === 0 });
      let status, text = "";
      stream.on("error", reject).on("response", (answer) => (status = answer[":status"]));
      stream.setEncoding("utf8").on("data", (piece) => (text += piece)).on("end", () => {
        count++;
        resolve({ status, json: JSON.parse(text) });
      });
      for (const [at, piece] of pieces.entries()) setTimeout(() => (at + 1 < pieces.length ? stream.write(piece) : stream.end(piece)), 20 * at);
    });
  const { key: apiKey, kid: keyId, secrets } = v1.keys.required;
  let number = 0;
  const signed = async (body) => {
    const path = `/near/v1/servers?number=${++number}`;
    const headers = await sign({ method: "POST", url: `http://api.test${path}`, body }, { version: "v1", secret: secrets[0], keyId, apiKey });
    return { ":method": "POST", ":path": path, "content-type": "application/json", ...headers };
  };
  const refused = [401, "INVALID_SIGNATURE"];
  const told = ({ status, json }) => [status, json.error?.code];

  const get = { ":method": "GET", ":path": "/v1/strict", authorization: `Bearer ${keys.full}` };
  assert.equal((await send(get)).status, 200, "no body");
  const bodies = ["in pieces", "x".repeat(200_000)];
  for (const body of bodies) {
    for (const length of [{}, { "content-length": body.length }]) {
      const answer = await send({ ...(await signed(body)), ...length }, body.slice(0, 4), body.slice(4));
      assert.deepEqual([answer.status, answer.json.body, answer.json.key], [200, body, keyId], `${body.length} ${JSON.stringify(length)}`);
    }
  }
  assert.deepEqual(told(await send(await signed(""), "foreign")), refused, "a body where none was signed");
  assert.deepEqual(told(await send(await signed("own"), "foreign")), refused, "another body");
  assert.deepEqual(told(await send(await signed("own"))), refused, "no body where one was signed");
  assert.equal((await send(await signed(""), "")).status, 200, "an empty one is none");
  assert.equal((await send({ ...(await signed("")), "content-length": 0 }, "")).status, 200, "and announced");
  const twice = await send({ ...get, authorization: undefined, "x-api-key": [keys.full, keys.revoked] });
  assert.deepEqual(told(twice), [400, "AMBIGUOUS_CREDENTIALS"], "one header twice");
  assert.deepEqual(told(await send({ ...get, host: "other.test" })), [400, "BAD_REQUEST"], "for two hosts");
  session.destroy();
}
console.log(count);
process.exit(0);
