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
 */
export const portcullis: FastifyPluginAsync<Options> = async (app, { gate }) => {
  app.decorateRequest("portcullis", null as unknown as Grant);
  app.addHook("onRequest", async (request, reply) => {
    const told = incoming(request.raw, request.protocol, request.originalUrl);
    const verdict = await gate.verify(told, circumstances(request.ip));
    if (verdict.decision !== "allow") return reply.send(verdict.response);
    request.portcullis = verdict.grant;
    announce(verdict.grant, { setHeader: (name, value) => reply.header(name, value) });
  });
};

// Its hook is for the siblings too, as of a plugin wrapped by `fastify-plugin`.
Object.assign(portcullis, { [Symbol.for("skip-override")]: true });
