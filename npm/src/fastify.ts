import type { FastifyPluginAsync } from "fastify";

import type { Gate } from "./gate.js";
import { announce, circumstances, incoming } from "./incoming.js";
import type { Grant } from "./verdict.js";

declare module "fastify" {
  interface FastifyRequest {
    /** The grant by which the request was admitted. */
    portcullis: Grant;
  }
}

/** What the plugin is registered with. */
export interface Options {
  /** Which is asked before each handler. */
  gate: Gate;
}

/**
 * Fastify 5 plugin: `app.register(portcullis, { gate })`. Only admitted requests reach what is registered beside it;
 * scheme and client address are what Fastify makes of its setting `trustProxy`.
 *
 * @throws If the application takes several paths for one, which the policy tells apart: a handler could be reached by
 * a path whose route asks for less.
 */
export const portcullis: FastifyPluginAsync<Options> = async (app, { gate }) => {
  const given = app.initialConfig as Router & { routerOptions?: Router };
  const routers = [given, given.routerOptions ?? {}];
  const loose = Object.entries(LOOSE).filter(([option, value]) => routers.some((router) => router[option] === value));
  if (loose.length > 0) throw new Error(`portcullis: the policy tells paths apart that are one by ${loose.map(([option, value]) => `${option}: ${value}`).join(", ")}`);
  app.decorateRequest("portcullis", null as unknown as Grant);
  app.addHook("onRequest", async (request, reply) => {
    const told = incoming(request.raw, request.protocol, request.originalUrl);
    const verdict = await gate.verify(told, circumstances(request.ip));
    if (verdict.decision !== "allow") return reply.send(verdict.response);
    request.portcullis = verdict.grant;
    announce(verdict.grant, { setHeader: (name, value) => reply.header(name, value) });
  });
};

type Router = Readonly<Record<string, unknown>>;

const LOOSE: Router = { caseSensitive: false, ignoreTrailingSlash: true, ignoreDuplicateSlashes: true, useSemicolonDelimiter: true };

// Its hook is for the siblings too, as of a plugin wrapped by `fastify-plugin`.
Object.assign(portcullis, { [Symbol.for("skip-override")]: true });
