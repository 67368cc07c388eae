import type { IncomingMessage, ServerResponse } from "node:http";

import type { Gate } from "./gate.js";
import { announce, circumstances, incoming, send } from "./incoming.js";
import type { Grant } from "./verdict.js";

/** Of an Express request what is looked at. */
export interface ExpressRequest extends IncomingMessage {
  /** Path and query as they were sent. */
  originalUrl: string;
  /** `http` or `https`. */
  protocol: string;
  /** The client's address. */
  ip?: string | undefined;
  /** The application that has it, for its settings. */
  app: {
    /** Whether a setting is on. */
    enabled(setting: string): boolean;
  };
}

/** Of an Express response what is used. */
export interface ExpressResponse extends ServerResponse {
  /** Where the grant is put, as `portcullis`. */
  locals: Record<string, unknown>;
}

/**
 * Express 5 middleware that only admitted requests pass. It stands before any parser of bodies; scheme and client
 * address are what Express makes of its setting `trust proxy`.
 *
 * @throws Before each request, unless the application tells paths apart as the policy does, by its settings `case
 * sensitive routing` and `strict routing`: a handler could be reached by a path whose route asks for less.
 */
export function portcullis(gate: Gate): (request: ExpressRequest, response: ExpressResponse, next: (error?: unknown) => void) => Promise<void> {
  return async (request, response, next) => {
    const missing = SETTINGS.filter((setting) => !request.app.enabled(setting));
    if (missing.length > 0) throw new Error(`portcullis: enable ${missing.map((setting) => `"${setting}"`).join(" and ")} before the first app.use`);
    const told = incoming(request, request.protocol, request.originalUrl);
    const verdict = await gate.verify(told, circumstances(request.ip));
    if (verdict.decision !== "allow") return send(verdict.response, response);
    response.locals["portcullis"] = verdict.grant;
    announce(verdict.grant, response);
    next();
  };
}

const SETTINGS = ["case sensitive routing", "strict routing"];

/** The grant of a request that has passed. */
export function grantOf(response: Pick<ExpressResponse, "locals">): Grant {
  const grant = response.locals["portcullis"];
  if (grant === undefined) throw new TypeError("the request has passed no gate");
  return grant as Grant;
}
