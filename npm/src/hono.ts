import type { Context, MiddlewareHandler } from "hono";

import type { Gate } from "./gate.js";
import { type Grant, tell } from "./verdict.js";

/** What handlers behind the middleware find: `c.get("portcullis")`. */
export interface Variables {
  portcullis: Grant;
}

/**
 * Middleware that only admitted requests pass.
 *
 * @param gate The gate, or what makes or finds it by the context, as on Workers `c.env` holds the secrets.
 * @param address The client's address, where the platform does not set `CF-Connecting-IP`.
 */
export function portcullis(
  gate: Gate | ((context: Context) => Gate),
  address?: (context: Context) => string | undefined,
): MiddlewareHandler<{ Variables: Variables }> {
  return async (context, next) => {
    const own = typeof gate === "function" ? gate(context) : gate;
    const known = address?.(context);
    const verdict = await own.verify(context.req.raw, {
      ...(known !== undefined && { address: known }),
      waitUntil: (work) => behind(context, work),
    });
    if (verdict.decision !== "allow") return verdict.response;
    context.set("portcullis", verdict.grant);
    await next();
    const answer = context.res;
    if (answer.status === 101) return;
    const told = new Response(answer.body, answer);
    tell(verdict.grant, told.headers);
    // Else Hono would lay the old headers over these.
    context.res = undefined;
    context.res = told;
  };
}

function behind(context: Context, work: Promise<unknown>): void {
  try {
    context.executionCtx.waitUntil(work);
  } catch {
    // A server that lives on needs no telling.
  }
}
