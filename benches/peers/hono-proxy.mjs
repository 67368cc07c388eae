// Forwarding by Hono's documented `proxy` helper.
import { proxy } from "hono/proxy";
import { guarded } from "./hono-app.mjs";

export default guarded((c) =>
  proxy(c.req.url, {
    raw: c.req.raw,
    method: c.req.method,
    headers: {
      ...c.req.header(),
      Authorization: undefined,
      Cookie: undefined,
      "X-Forwarded-Host": c.req.header("host"),
      "X-Forwarded-Proto": "https",
      "X-Forwarded-For": c.req.header("cf-connecting-ip"),
    },
    customFetch: (request) => c.env.ORIGIN.fetch(request),
  }),
);
