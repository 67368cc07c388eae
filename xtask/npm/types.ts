// What the package's types promise: checked by `tsc --strict` in an installed project.
import express from "express";
import Fastify from "fastify";
import { Hono } from "hono";
import { type Grant, type Ledger, type Store, type Verdict, createGate, memoryStore } from "portcullis";
import { type Claims, verifyAssertion } from "portcullis/assertion";
import { createClient } from "portcullis/client";
import { grantOf, portcullis as forExpress } from "portcullis/express";
import { portcullis as forFastify } from "portcullis/fastify";
import { guard } from "portcullis/fetch";
import { type Variables, portcullis as forHono } from "portcullis/hono";
import { generateKey, isWellFormed } from "portcullis/keys";
import { memoryLedger } from "portcullis/ledger";
import { createManagement } from "portcullis/management";
import { route } from "portcullis/next";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const holds = <_ extends true>(): void => {};

const store: Store = memoryStore();
const ledger: Ledger = memoryLedger({ policy: {}, root: "", rows: [] });
const gate = createGate({ policy: {}, root: "", store, ledger });
// @ts-expect-error a gate needs a store
createGate({ policy: {}, root: "" });

const verdict = await gate.verify(new Request("https://api.test/"));
if (verdict.decision === "allow") holds<Equal<typeof verdict.grant, Grant>>();
else holds<Equal<typeof verdict.response, Response>>();
// @ts-expect-error only an admitted request has a grant
verdict.grant;
holds<Equal<Verdict["decision"], "allow" | "deny" | "unavailable" | "preflight">>();

const app = new Hono<{ Variables: Variables }>();
app.use(forHono(gate));
app.get("/", (c) => {
  holds<Equal<ReturnType<typeof read>, Grant>>();
  const read = () => c.get("portcullis");
  return c.json(read().scopes);
});

express().use(forExpress(gate)).get("/", (_, response) => void response.json(grantOf(response).key));

const fastify = Fastify();
await fastify.register(forFastify, { gate });
// @ts-expect-error a gate is needed
await fastify.register(forFastify, {});
fastify.get("/", (request) => request.portcullis.key);

export const GET = route(gate, async (_: Request, context: { params: Promise<{ id: string }>; portcullis: Grant }) => {
  const { id } = await context.params;
  return Response.json({ id, key: context.portcullis.key });
});

export const handler = guard<{ SECRET: string }>((env) => (env.SECRET === "" ? gate : gate), (_, grant) => new Response(grant.subject));

const answer: Response = await createClient({ apiKey: "ak_" })("https://api.test/", { method: "POST" });
const claims: Claims = await verifyAssertion(new Request("https://api.test/"), "key", { origin: "agents" });
const formed: boolean = isWellFormed((await generateKey({ root: "", workspace: "DEM0WS" })).key);
void [answer, claims.sub, formed];

const call = createManagement({ url: "https://admin.test", token: "" });
const keys = await call("/api/v1/workspaces/{workspace}/api-keys", "get", { path: { workspace: "current" } });
void keys.data.keys.map((key) => key.kid);
// @ts-expect-error a path that is not there
await call("/api/v1/nothing", "get");
// @ts-expect-error a name is a text
await call("/api/v1/workspaces/{workspace}/api-keys", "post", { path: { workspace: "current" }, body: { name: 7 } });
