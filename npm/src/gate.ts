// Asks the core what is to be done with a request, and does its errands until it is decided.

import { Kept, generation, setsAddress, toldNames } from "./core.js";
import { ask, body, download, read, sleep, verify } from "./errands.js";
import { expect, without } from "./policy.js";
import type { Ledger, Store } from "./stores.js";
import { type Verdict, unavailable, verdict } from "./verdict.js";

/** What a gate is made of. */
export interface GateOptions {
  /** What `portcullis policy compile` writes, as text or parsed. */
  policy: string | object;
  /** The root secret, as `PORTCULLIS_ROOT`. */
  root: string;
  /** Where records of keys are read. */
  store: Store;
  /** Who counts requests in the modes `lease` and `strict`; without one those answer 503 to every key. */
  ledger?: Ledger;
  /** Environment keys, as `PORTCULLIS_STATIC_KEYS`. */
  staticKeys?: string;
}

/** A request whose parts are told one by one. */
export interface Incoming {
  /** As it was sent. */
  method: string;
  /** Absolute, its path and query spelt as they were sent. */
  url: string;
  /** Names in lower case; values of one name joined by `", "`. */
  headers: Iterable<readonly [name: string, value: string]>;
  /** Opens the body, if there is one; whoever handles the request must be able to read it afterwards. */
  body: (() => ReadableStream<Uint8Array>) | null;
}

/** What is known of a request besides itself. */
export interface Circumstances {
  /** The client's address. On Workers it is Cloudflare's word if absent; elsewhere the header is not believed. */
  address?: string;
  /** Keeps the process at work behind the answer, as `ctx.waitUntil` does. */
  waitUntil?: (work: Promise<unknown>) => void;
}

/** Decides on requests. */
export interface Gate {
  /** What becomes of a request. Rejects never; the request's body can still be read. */
  verify(request: Request | Incoming, circumstances?: Circumstances): Promise<Verdict>;
}

/** Makes a gate. Throws a `TypeError` if policy, root and environment keys do not fit together. */
export function createGate({ policy, root, store, ledger, staticKeys = "" }: GateOptions): Gate {
  expect("root", typeof root === "string", "a string");
  expect("staticKeys", typeof staticKeys === "string", "a string");
  expect("store", typeof store?.get === "function", "an object with `get`");
  expect("ledger", ledger === undefined || typeof ledger?.idFromName === "function", "an object with `idFromName`");
  const core = new Kept(without(policy, NOT_FOR_GATE), root, staticKeys);
  const env = { KEYS: store, WORKSPACE: ledger };
  return {
    verify(request, circumstances = {}) {
      try {
        const told = facts(request, circumstances.address);
        const step = core.enter((core) => core.decide(told));
        return pursue(step, { core, env, request, told, circumstances });
      } catch {
        return Promise.resolve(unavailable(String(request?.method)));
      }
    },
  };
}

interface Matter {
  core: Kept;
  env: { KEYS: Store; WORKSPACE: Ledger | undefined };
  request: Request | Incoming;
  told: string;
  circumstances: Circumstances;
}

function pursue(step: string, matter: Matter): Promise<Verdict> {
  const told = begun(step, matter);
  if (DECIDED.has(told[0]!)) return Promise.resolve(verdict(told, matter.request.method, toldNames()));
  return lookedUp(told, matter).catch(() => unavailable(matter.request.method));
}

async function lookedUp(step: string[], matter: Matter): Promise<Verdict> {
  const { core, request, told } = matter;
  let [word, , ...lines] = step as [string, string, ...string[]];
  const start = generation();
  let release = () => {};
  try {
    while (!DECIDED.has(word)) {
      const number = Number(lines[0]);
      let next: string | undefined;
      if (word === "body") {
        const [, millis, limit, most] = lines.map(Number) as [number, number, number, number];
        const held = await body({ body: opened(request) }, millis, limit, most);
        release = held.release;
        if (start !== generation()) return unavailable(request.method);
        next = core.enter((core) => core.resume_with_body(number, told, held.bytes, held.instead));
      } else {
        const came = await run(word, lines, matter);
        if (start !== generation()) return unavailable(request.method);
        next = core.enter((core) => core.resume(number, told, came !== undefined, came ?? undefined));
      }
      if (next === undefined) return unavailable(request.method);
      step = begun(next, matter);
      [word, , ...lines] = step as [string, string, ...string[]];
    }
    return verdict(step, request.method, toldNames());
  } finally {
    release();
  }
}

/** The lines of a step; what is to be done behind the answer is begun. */
function begun(step: string, matter: Matter): string[] {
  const lines = step.split("\n");
  const chores = lines[1];
  if (chores) {
    for (const number of chores.split(" ")) {
      const work = chore(Number(number), matter).catch(() => {});
      matter.circumstances.waitUntil?.(work);
    }
  }
  return lines;
}

async function chore(number: number, matter: Matter): Promise<void> {
  const start = generation();
  let came: string | null | undefined;
  while (start === generation()) {
    const step = matter.core.enter((core) => core.resume(number, "", came !== undefined, came ?? undefined));
    if (step === undefined) return;
    const [word, , ...lines] = step.split("\n") as [string, string, ...string[]];
    number = Number(lines[0]);
    came = await run(word, lines, matter);
  }
}

/** What came of an errand: a text, `null` for a row that is not there, or `undefined`. */
async function run(word: string, lines: string[], matter: Matter): Promise<string | null | undefined> {
  const came: unknown = await errand(word, lines, matter);
  if (typeof came === "string" || came === null || came === undefined) return came;
  // Stores of others may parse what they hold.
  console.error(`portcullis: ${word}: ${typeof came} instead of a text`);
  return undefined;
}

function errand(word: string, lines: string[], { env }: Matter): Promise<string | null | undefined> {
  const [, millis, ...rest] = lines as [string, string, ...string[]];
  switch (word) {
    case "read":
      return read(env, rest[0]!, Number(millis));
    case "call":
      return ask(env, rest[0]!, rest.slice(1).join("\n"), Number(millis));
    case "fetch":
      return download(rest[1]!, Number(millis), Number(rest[0]));
    case "verify":
      return verify(...(rest as [string, string, string, string]));
    default:
      return sleep(Number(millis));
  }
}

/** The body, of which a copy is read: the request keeps its own. */
function opened(request: Request | Incoming): ReadableStream<Uint8Array> | null {
  return isWhole(request) ? request.clone().body : (request.body?.() ?? null);
}

/** By its methods, as a server may have a class of its own. */
function isWhole(request: Request | Incoming): request is Request {
  return "clone" in request;
}

/** See `src/request.rs`. */
function facts(request: Request | Incoming, address: string | undefined): string {
  const believed = address === undefined && setsAddress();
  let text = `${request.method}${request.body == null ? "" : " body"}\n${request.url}`;
  if (isWhole(request)) {
    request.headers.forEach((value, name) => {
      if (believed || name !== ADDRESS) text += `\n${name}\n${value}`;
    });
  } else {
    for (const [name, value] of request.headers) {
      if (name !== ADDRESS) text += `\n${name}\n${value}`;
      if (/[\n\r]/.test(name + value)) return "";
    }
    if (/[\n\r]/.test(request.method + request.url)) return "";
  }
  return address === undefined ? text : `${text}\n${ADDRESS}\n${address}`;
}

/** `Document::NOT_FOR_GATE`. */
const NOT_FOR_GATE = ["management", "alerts", "leak_reports", "workspace_shadow", "told"];
const DECIDED = new Set(["allow", "deny", "unknown", "pages"]);
const ADDRESS = "cf-connecting-ip";
