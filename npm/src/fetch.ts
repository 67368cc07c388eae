import type { Gate } from "./gate.js";
import { type Grant, tell } from "./verdict.js";

/** What a wrapped handler may be told by its platform besides the request. */
export interface Options<Env, Context> {
  /** The client's address, where the platform does not set `CF-Connecting-IP`. */
  address?: (request: Request, env: Env, context: Context) => string | undefined;
}

/**
 * A `fetch` handler (Workers, Deno, Bun, service workers) that only admitted requests reach.
 *
 * @param gate The gate, or what makes or finds it when the platform hands the secrets in with the request.
 * @param handler Answers; gets the grant after the request.
 */
export function guard<Env = unknown, Context = unknown>(
  gate: Gate | ((env: Env) => Gate),
  handler: (request: Request, grant: Grant, env: Env, context: Context) => Response | Promise<Response>,
  options: Options<Env, Context> = {},
): (request: Request, env: Env, context: Context) => Promise<Response> {
  return async (request, env, context) => {
    const own = typeof gate === "function" ? gate(env) : gate;
    const address = options.address?.(request, env, context);
    const { waitUntil } = (context ?? {}) as { waitUntil?: (work: Promise<unknown>) => void };
    const verdict = await own.verify(request, {
      ...(address !== undefined && { address }),
      ...(waitUntil && { waitUntil: waitUntil.bind(context) }),
    });
    if (verdict.decision !== "allow") return verdict.response;
    const answer = await handler(request, verdict.grant, env, context);
    if (answer.status === 101) return answer;
    const told = new Response(answer.body, answer);
    tell(verdict.grant, told.headers);
    return told;
  };
}
