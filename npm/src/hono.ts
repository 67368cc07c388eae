import type { Context, MiddlewareHandler } from "hono";

import type { Gate } from "./gate.js";
import { type Grant, tell } from "./verdict.js";

/** What handlers behind the middleware find: `c.get("portcullis")`. */
export type Variables = {
  /** By which the request was admitted. */
  portcullis: Grant;
};

/** The environment of handlers behind the middleware. */
export type Guarded = {
  /** What they find by `c.get`. */
  Variables: Variables;
};

/**
 * Middleware that only admitted requests pass.
 *
 * @param gate The gate, or what makes or finds it by the context, as on Workers `c.env` holds the secrets.
 * @param address The client's address, where the platform does not set `CF-Connecting-IP`.
 */
export function portcullis(
  gate: Gate | ((context: Context) => Gate),
  address?: (context: Context) => string | undefined,
): MiddlewareHandler<Guarded> {
  return async (context, next) => {
    const own = typeof gate === "function" ? gate(context) : gate;
    const known = address?.(context);
    const waitUntil = (work: Promise<unknown>) => behind(context, work);
    const verdict = await own.verify(context.req.raw, known === undefined ? { waitUntil } : { address: known, waitUntil });
    if (verdict.decision !== "allow") return verdict.response;
    context.set("portcullis", verdict.grant);
    await next();
    const told = new Response(context.res.body, context.res);
    tell(verdict.grant, told.headers);
    // Else Hono would lay the old headers over these.
    context.res = undefined;
    context.res = told;
  };
}

/** Servers that live on have no such context, and need none. */
function behind(context: Context, work: Promise<unknown>): void {
  try {
    context.executionCtx.waitUntil(work);
  } catch {}
}
