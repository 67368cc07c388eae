// Forwarding as a careful user writes it: the credential taken off, the client's address put on.
import { guarded } from "./hono-app.mjs";

export default guarded((c) => {
  const out = new Request(c.req.raw, { redirect: "manual" });
  out.headers.delete("authorization");
  out.headers.delete("cookie");
  out.headers.set("X-Forwarded-Host", c.req.header("host") ?? "");
  out.headers.set("X-Forwarded-Proto", "https");
  out.headers.set("X-Forwarded-For", c.req.header("cf-connecting-ip") ?? "");
  return c.env.ORIGIN.fetch(out);
});
