// Another Worker asks the built gate by its entrypoint `Verify`.
import { strict as assert } from "node:assert";
import vectors from "./vectors.json";

const { world } = vectors;
const ask = (env, key, init = {}, target = "/v1/agents") =>
  env.GATE.verify(new Request(`http://api.test${target}`, { ...init, headers: { ...(key && { "x-api-key": key }), ...init.headers } }));

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
    // Nobody counts here, so what may be forwarded once is not admitted.
    const strict = await ask(env, world.keys.full, {}, "/v1/strict");
    assert.deepEqual([strict.decision, strict.code, strict.status], ["unavailable", "AUTH_UNAVAILABLE", 503]);
    console.log("rpc 9");
  },
};
