// What the documentation of Hono and hono-rate-limiter leads to. It decides less than the gates: one
// configured token, no record, scope, address, signature or assertion.
import { Hono } from "hono";
import { bearerAuth } from "hono/bearer-auth";
import { rateLimiter } from "hono-rate-limiter";

/** @returns an app that guards `forward(c)`. */
export function guarded(forward) {
  const app = new Hono();
  app.use(bearerAuth({ verifyToken: (token, c) => token === c.env.TOKEN }));

  // Made at the first request: its memory store sets a timer, which Workers refuse at start-up.
  let limiter;
  app.use((c, next) => {
    limiter ??= rateLimiter({
      windowMs: 3600 * 1000,
      limit: 1_000_000_000,
      keyGenerator: (c) => c.req.header("authorization") ?? "",
    });
    return limiter(c, next);
  });

  app.all("*", forward);
  return app;
}
