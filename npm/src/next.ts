import type { Gate } from "./gate.js";
import { type Grant, tell } from "./verdict.js";

/** What a route handler gets besides the request: what Next.js tells it, and the grant. */
export type Guarded<Context> = Context & {
  /** By which the request was admitted. */
  portcullis: Grant;
};

/** What the deployment knows. */
export interface Options {
  /** The client's address, by whatever header the platform in front of Next.js sets itself. */
  address?: (request: Request) => string | undefined;
  /** `after` of `next/server`. */
  after?: (work: Promise<unknown>) => void;
}

/**
 * A route handler (`export const GET = route(gate, …)`) that only admitted requests reach.
 *
 * The hosts of the policy are those that Next.js has in `request.url`.
 */
export function route<R extends Request, Context = unknown>(
  gate: Gate,
  handler: (request: R, context: Guarded<Context>) => Response | Promise<Response>,
  { address, after }: Options = {},
): (request: R, context: Context) => Promise<Response> {
  return async (request, context) => {
    const known = address?.(request);
    const verdict = await gate.verify(request, {
      ...(known !== undefined && { address: known }),
      ...(after && { waitUntil: after }),
    });
    if (verdict.decision !== "allow") return verdict.response;
    const answer = await handler(request, { ...context, portcullis: verdict.grant });
    const told = new Response(answer.body, answer);
    tell(verdict.grant, told.headers);
    return told;
  };
}
