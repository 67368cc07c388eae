// Beside the built Workers: this one asks the gate by its entrypoint `Verify`, and has a gate of the package's own
// with their KV and their Durable Objects. It is the gate's origin, too.
import { strict as assert } from "node:assert";
import { createGate } from "portcullis";
import { verifyAssertion } from "portcullis/assertion";
import vectors from "./vectors.json";

const { world } = vectors;
const ask = (env, key, init = {}, target = "/v1/agents") =>
  env.GATE.verify(new Request(`http://api.test${target}`, { ...init, headers: { ...(key && { "x-api-key": key }), ...init.headers } }));

export const origin = {
  async fetch(request) {
    const [, newest] = /^v\d+:([^,]+)/.exec(world.root);
    const key = await derived(await derived(bytes(newest), "k_assert"), "assertion:near");
    return Response.json(await verifyAssertion(request, btoa(String.fromCharCode(...key)), { origin: "near" }));
  },
};

async function derived(secret, info) {
  const key = await crypto.subtle.importKey("raw", secret, "HKDF", false, ["deriveBits"]);
  const [salt, label] = ["portcullis/1", info].map((text) => new TextEncoder().encode(text));
  return new Uint8Array(await crypto.subtle.deriveBits({ name: "HKDF", hash: "SHA-256", salt, info: label }, key, 256));
}

const bytes = (base64) => Uint8Array.from(atob(base64), (symbol) => symbol.charCodeAt(0));

export default {
  async test(_, env) {
    const allowed = await ask(env, world.keys.full);
    assert.equal(allowed.decision, "allow");
    const { requestId, ...grant } = allowed.grant;
    assert.match(requestId, /^[0-9a-f]{32}$/);
    const expected = { key: world.keys.full.split("_").at(-2), workspace: "TEST00", type: "service", scopes: ["*:*"], subject: null, headers: [["x-request-id", requestId]], isPrivate: true };
    assert.deepEqual({ ...grant }, expected);
    const denied = await ask(env, world.keys.revoked);
    assert.deepEqual([denied.decision, denied.code, denied.status, denied.response.status], ["deny", "REVOKED_API_KEY", 401, 401]);
    assert.equal((await denied.response.json()).error.code, "REVOKED_API_KEY");
    assert.equal((await ask(env, undefined)).code, "MISSING_API_KEY");
    const admin = await env.GATE.verify(new Request("http://portcullis.localhost/api/v1/workspaces", { method: "POST", body: "{}" }));
    assert.deepEqual([admin.decision, admin.status], ["deny", 404]);
    const forwarded = await env.FRONT.fetch("http://api.test/v1/agents?page=2", { headers: { "x-api-key": world.keys.full } });
    assert.equal((await forwarded.json()).sub, allowed.grant.key);

    // A key that KV knows and its Workspace does not.
    const unknown = await ask(env, world.keys.full, {}, "/v1/strict");
    assert.deepEqual([unknown.decision, unknown.code, unknown.status], ["unavailable", "AUTH_UNAVAILABLE", 503]);

    const kid = world.keys.limits_of_two.split("_").at(-2);
    const [, , ...json] = world.kv[`k1:${kid}`].split(".");
    const stub = env.WORKSPACE.get(env.WORKSPACE.idFromName("TEST00"));
    const call = async (body) => (await stub.fetch("https://workspace/", { method: "POST", body })).text();
    assert.equal(await call("open v=1 workspace=TEST00"), "done");
    assert.match(await call(`put v=1\n${json.join(".")}`), /^written version=1/);
    const { policy, root, static_keys: staticKeys } = world;
    const own = createGate({ policy, root, staticKeys, store: env.KEYS, ledger: env.WORKSPACE });
    const request = new Request("http://api.test/v1/strict", { headers: { "x-api-key": world.keys.limits_of_two } });
    const first = await own.verify(request);
    assert.deepEqual([first.decision, new Headers(first.grant?.headers).get("x-ratelimit-remaining")], ["allow", "1"]);
    // Both gates ask one Workspace.
    assert.equal((await env.GATE.verify(request.clone())).decision, "allow");
    for (const verdict of [await own.verify(request), await env.GATE.verify(request.clone())]) {
      assert.deepEqual([verdict.code, verdict.response.headers.has("ratelimit")], ["RATE_LIMITED", true]);
    }
    console.log("cases: 15");
  },
};
