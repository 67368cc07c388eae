// The key-value service behind `KEYS`: one record, its digest made from the key the load generator sends.
import { createHmac } from "node:crypto";

export default {
  fetch(req, env) {
    const name = decodeURIComponent(new URL(req.url).pathname.slice(1));
    if (name !== `k1:${env.KEY.split("_")[1]}`) return new Response(null, { status: 404 });
    return Response.json({
      digest: createHmac("sha256", env.TAG_SECRET).update(env.KEY).digest("hex"),
      signing: env.SIGNING_SECRET,
      status: "active",
      expires: 4102444800,
      workspace: "ABCDEF",
      type: "service",
      subject: "svc-bench",
      scopes: ["agents:read", "agents:write"],
      ips: ["198.51.100.0/24", "2001:db8::/32", "203.0.113.0/24"],
      bindings: { agent_id: ["agent-123"] },
    });
  },
};
