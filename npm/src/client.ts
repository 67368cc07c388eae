// A `fetch` for those who call a gate: it sends the key, signs, sets its clock by the gate's, and waits as it is told.

import { type Signer, signRequest } from "./sign.js";

export { type Moment, type Outgoing, type Signer, sign, signRequest } from "./sign.js";

/** How to call. */
export interface ClientOptions {
  /** Sent as `Authorization: Bearer`; a `signer` brings its own. */
  apiKey?: string;
  /** Signs every request. */
  signer?: Signer;
  /** The most seconds to wait for one request in all, 60 by default; an answer that asks for more is handed over as it is. */
  maxWait?: number;
  /** What sends: the platform's `fetch` by default. */
  fetch?: (request: Request) => Promise<Response>;
}

/**
 * A `fetch` by these options. Waits before a request while the last answer said that nothing is left, and after a 429
 * for as long as it says, but a second at least, then sends the request again: whoever says 429 has not done it. On `STALE_TIMESTAMP` it takes
 * the gate's time for its own, once, and signs again.
 */
export function createClient(options: ClientOptions = {}): (input: Request | string | URL, init?: RequestInit) => Promise<Response> {
  const { apiKey, signer, maxWait = 60, fetch: send = (request) => fetch(request) } = options;
  // Milliseconds: what the gate's clock is ahead, and until when nothing is left, by origin.
  let ahead = 0;
  const empty = new Map<string, number>();
  const outgoing = (request: Request): Promise<Request> | Request => {
    if (signer !== undefined) return signRequest(request, signer, { now: Math.floor((Date.now() + ahead) / 1000) });
    if (apiKey !== undefined) request.headers.set("authorization", `Bearer ${apiKey}`);
    return request;
  };
  return async (input, init) => {
    const request = new Request(input, init);
    const { origin } = new URL(request.url);
    let patience = maxWait * 1000;
    let resynced = false;
    const wait = async (millis: number): Promise<boolean> => {
      if (millis > patience) return false;
      patience -= millis;
      await pause(millis, request.signal);
      return true;
    };
    const left = (empty.get(origin) ?? 0) - Date.now();
    if (left > 0) await wait(left);
    for (;;) {
      const response = await send(await outgoing(request.clone()));
      const until = exhausted(response.headers.get("ratelimit"));
      if (until === undefined) empty.delete(origin);
      else empty.set(origin, Date.now() + until);
      if (response.status === 401 && signer !== undefined && !resynced) {
        const time = await gateTime(response.clone());
        if (time === undefined) return response;
        resynced = true;
        ahead = time * 1000 - Date.now();
      } else if (response.status !== 429 || !(await wait(Math.max(until ?? retryAfter(response.headers), 1000)))) {
        return response;
      }
      await response.body?.cancel();
    }
  };
}

/** Milliseconds until something is left, if `RateLimit` says that nothing is. */
function exhausted(field: string | null): number | undefined {
  const waits = (field ?? "").split(",").map((item) => /;\s*r=0\s*(?:;|$)/.test(item) && /;\s*t=(\d+)/.exec(item));
  const millis = waits.map((found) => (found ? Number(found[1]) * 1000 : 0));
  const most = Math.max(...millis);
  return most > 0 ? most : undefined;
}

/** Milliseconds, of seconds or a date (RFC 9110 §10.2.3). */
function retryAfter(headers: Headers): number {
  const value = headers.get("retry-after") ?? "";
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? 0 : date - Date.now();
}

/** What time it is at the gate, in seconds, if it refused a signature for its time. */
async function gateTime(response: Response): Promise<number | undefined> {
  try {
    const answer = (await response.json()) as { code?: string; server_time?: number; error?: { code?: string; server_time?: number } };
    const { code, server_time } = answer.error ?? answer;
    return code === "STALE_TIMESTAMP" ? server_time : undefined;
  } catch {
    return undefined;
  }
}

function pause(millis: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const end = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", end);
      resolve();
    }, millis);
    signal.addEventListener("abort", end, { once: true });
  });
}
