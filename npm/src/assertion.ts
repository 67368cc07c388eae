// The gate's word to an origin: docs/origin.md. WebCrypto alone.

import { HMAC, base64url, unbase64, utf8 } from "./bytes.js";

/** What an assertion says. */
export interface Claims {
  /** Who says so. */
  iss: "portcullis";
  /** The origin's name in the policy. */
  aud: string;
  /** Unix seconds of when it was made. */
  iat: number;
  /** Unix seconds of when it ends. */
  exp: number;
  /** The request's id. */
  jti: string;
  /** The request's method. */
  htm: string;
  /** SHA-256 of the request's target, in base64url. */
  tgt: string;
  /** The client's address. */
  ip?: string;
  /** Whom the caller is; absent on public routes, and so is all that follows. */
  sub?: string;
  /** The key's public name; absent for people's tokens. */
  key?: string;
  /** The workspace's number. */
  workspace?: string;
  /** Of the key, or `session` or `oauth`. */
  type?: string;
  /** Separated by spaces. */
  scope?: string;
  /** What the key is bound to, by parameter of the path. */
  bindings?: Record<string, string[]>;
}

/** A request whose parts are told one by one. */
export interface Asserted {
  /** As it arrived. */
  method: string;
  /** Path and query as they arrived. */
  target: string;
  /** The value of `X-Portcullis-Assertion`. */
  assertion: string | null | undefined;
}

/** What the origin knows. */
export interface Options {
  /** Its name in the policy. */
  origin: string;
  /** Unix seconds; the clock by default. */
  now?: number;
}

/** Why an assertion is refused. */
export class AssertionError extends Error {
  /** Tells it from other errors where classes are twice. */
  override readonly name = "AssertionError";
}

/**
 * What the gate says of a request. Rejects with an {@link AssertionError} unless the gate let this very request through to
 * this origin half a minute ago at most.
 *
 * @param keys What `portcullis assertion-key` prints; while a root is rotated, by root version: `{ v1: …, v2: … }`.
 */
export async function verifyAssertion(request: Request | Asserted, keys: string | Record<string, string>, options: Options): Promise<Claims> {
  const { method, target, assertion } = request instanceof Request ? parts(request) : request;
  const [header, claims, signature, more] = (assertion ?? "").split(".");
  if (!header || !claims || !signature || more !== undefined) throw new AssertionError("no assertion");
  const { alg, kid } = read<{ alg?: unknown; kid?: unknown }>(header);
  if (alg !== "HS256") throw new AssertionError("another algorithm");
  const text = typeof keys === "string" ? keys : typeof kid === "string" && Object.hasOwn(keys, kid) ? keys[kid] : undefined;
  if (text === undefined) throw new AssertionError("an unknown key");
  const key = await crypto.subtle.importKey("raw", unbase64(text), HMAC, false, ["verify"]);
  const signed = utf8(`${header}.${claims}`);
  if (!(await crypto.subtle.verify("HMAC", key, bytes(signature), signed))) throw new AssertionError("the MAC does not hold");
  const said = read<Claims>(claims);
  const now = options.now ?? Date.now() / 1000;
  if (said.iss !== "portcullis" || said.aud !== options.origin) throw new AssertionError("for another origin");
  if (!(said.iat <= now + LEEWAY && said.exp > now - LEEWAY)) throw new AssertionError("too old, or of the future");
  const hash = base64url(new Uint8Array(await crypto.subtle.digest("SHA-256", utf8(target))));
  if (said.htm !== method || said.tgt !== hash) throw new AssertionError("for another request");
  return said;
}

function parts(request: Request): Asserted {
  const { method, url, headers } = request;
  return { method, target: url.slice(url.indexOf("/", url.indexOf("//") + 2)), assertion: headers.get("x-portcullis-assertion") };
}

function read<T>(part: string): T {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes(part))) as T;
  } catch {
    throw new AssertionError("no assertion");
  }
}

function bytes(part: string) {
  try {
    return unbase64(part);
  } catch {
    throw new AssertionError("no assertion");
  }
}

/** Seconds by which two clocks may differ. */
const LEEWAY = 5;
