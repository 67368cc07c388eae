import { respond } from "./errands.js";

/** Who calls, and what the answer has to say. Exists only for a request that was counted. */
export interface Grant {
  /** 32 hex digits; in the answer as `X-Request-Id`. */
  readonly requestId: string;
  /** The key's public name; `null` on public routes and for tokens of people. */
  readonly key: string | null;
  /** The workspace's number; `null` on public routes. */
  readonly workspace: string | null;
  /** Of the key or token; `null` on public routes. */
  readonly type: "personal" | "service" | "project" | "temporary" | "session" | "oauth" | null;
  /** What it may, as the policy names it. */
  readonly scopes: readonly string[];
  /** Whom a personal key belongs to, or whom a token speaks for. */
  readonly subject: string | null;
  /** Headers for the answer: its id, and what is left of the limits where a total is kept. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Whether no shared cache may keep the answer. */
  readonly isPrivate: boolean;
}

/** The request may pass. */
export interface Allowed {
  /** Tells the verdicts apart. */
  readonly decision: "allow";
  /** For whom, and what its answer has to say. */
  readonly grant: Grant;
}

/** The request is refused. */
export interface Denied {
  /** Tells the verdicts apart. */
  readonly decision: "deny";
  /** As in docs/errors.md. */
  readonly code: string;
  /** Of HTTP. */
  readonly status: number;
  /** Says why. */
  readonly response: Response;
}

/** The request could not be decided, which is no statement about its key. */
export interface Unavailable {
  /** Tells the verdicts apart. */
  readonly decision: "unavailable";
  /** As in docs/errors.md. */
  readonly code: string;
  /** 503. */
  readonly status: number;
  /** Says when to try again. */
  readonly response: Response;
}

/** A browser asked whether a page may send a request: it may. */
export interface Preflight {
  /** Tells the verdicts apart. */
  readonly decision: "preflight";
  /** 204. */
  readonly status: number;
  /** What the page may. */
  readonly response: Response;
}

/** What becomes of a request. */
export type Verdict = Allowed | Denied | Unavailable | Preflight;

/** Reads the lines that `src/js/gate/told.rs` writes. `names`: of the headers of limits. */
export function verdict(lines: string[], method: string, names: readonly string[]): Verdict {
  const word = lines[0];
  if (word === "allow") return { decision: "allow", grant: grant(lines, names) };
  const [, , status, code, ...rest] = lines as [string, string, string, string, ...string[]];
  const response = respond([status, ...rest], { method });
  if (word === "pages") return { decision: "preflight", status: response.status, response };
  return { decision: word === "deny" ? "deny" : "unavailable", code, status: response.status, response };
}

/** By index: this is what every admitted request costs. */
function grant(lines: string[], names: readonly string[]): Grant {
  const headers: [string, string][] = [["x-request-id", lines[2]!]];
  for (let at = 0; at < names.length; at++) {
    const value = lines[TOLD + at];
    if (value) headers.push([names[at]!, value]);
  }
  for (let at = TOLD + names.length; at + 1 < lines.length; at += 2) headers.push([lines[at]!, lines[at + 1]!]);
  return {
    requestId: lines[2]!,
    isPrivate: lines[3]!.includes("k"),
    key: lines[4] || null,
    workspace: lines[5] || null,
    type: (lines[6] || null) as Grant["type"],
    scopes: lines[7] ? lines[7].split(" ") : [],
    subject: lines[8] || null,
    headers,
  };
}

/** The answer to a request that could not be decided, without the core. */
export function unavailable(method: string): Verdict {
  const requestId = crypto.randomUUID().replaceAll("-", "");
  const error = {
    code: "AUTH_UNAVAILABLE",
    message: "The request cannot be authorised at present.",
    status: 503,
    request_id: requestId,
    retry_after: 1 + Math.floor(3 * Math.random()),
  };
  const headers = {
    "content-type": "application/json",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "x-request-id": requestId,
    "retry-after": String(error.retry_after),
  };
  const response = new Response(method === "HEAD" ? null : JSON.stringify({ error }), { status: 503, headers });
  return { decision: "unavailable", code: error.code, status: 503, response };
}

/** Puts what a grant says of the answer into its headers. */
export function tell(grant: Grant, headers: Headers): void {
  if (grant.isPrivate) {
    const control = headers.get("cache-control");
    const kept = control !== null && !/"|\b(public|s-maxage)\b/i.test(control) && /(^|,)\s*(private|no-store)\s*(,|$)/i.test(control);
    if (!kept) headers.set("cache-control", "private, no-store");
    for (const name of SHARED) headers.delete(name);
  }
  for (const [name, value] of grant.headers) {
    if (name === "vary") headers.append(name, value);
    else headers.set(name, value);
  }
}

// By these an origin would speak to shared caches alone (RFC 9213).
const SHARED = ["cdn-cache-control", "cloudflare-cdn-cache-control", "surrogate-control"];

// Where the values of the headers of limits begin.
const TOLD = 9;
