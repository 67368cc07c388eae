// The management API. The session's cookie speaks for us: no script sees a token.

import { signal } from "@preact/signals";

/** What is wrong with one field of a body. */
export interface FieldError {
  field: string;
  message: string;
}

/** Whether the session is over. */
export const signedOut = signal(false);

/** Rises with each sign-in: what was sent before one says nothing of the session after it. */
export const era = signal(0);

/** Rises whenever something is refused for want of a role: what we know of ours may be over. */
export const refusals = signal(0);

/** Somebody has signed in again. */
export function signedIn(): void {
  era.value++;
  signedOut.value = false;
}

/** The API has refused, or could not tell. */
export class Refused extends Error {
  private readonly era = era.value;

  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly requestId: string,
    readonly fields: FieldError[] = [],
  ) {
    super(message);
  }

  /** Whether it was for want of a session that there is by now. */
  get isOver(): boolean {
    return this.status === 401 && this.era !== era.value;
  }
}

/** What is wrong with some fields, by the API. */
export function wrongWith(error: Error | null, isOne: (field: string) => boolean): string | undefined {
  const told = error instanceof Refused ? error.fields.filter(({ field }) => isOne(field)) : [];
  return told.map(({ field, message }) => `${field} ${message}`).join("; ") || undefined;
}

/** Nothing has answered. */
export class Offline extends Error {
  constructor() {
    super("Portcullis cannot be reached. Nothing is known to have changed.");
  }
}

export interface Answer<T> {
  body: T;
  /** The version, for `If-Match`. */
  etag: string | null;
  /** Whether it is the answer to the same request of before, which has no secret. */
  replayed: boolean;
}

export interface Options {
  body?: unknown;
  etag?: string | null;
  /** The same for the same change: it is made once. */
  once?: string;
}

let ahead = 0;

/** The server's clock, in milliseconds: that of this machine may be wrong. */
export const now = (): number => Date.now() + ahead;

/** Asks; the path is what follows `/api/v1`. */
export async function ask<T>(method: string, path: string, options: Options = {}): Promise<Answer<T>> {
  const headers: Record<string, string> = { accept: "application/json" };
  if (options.body !== undefined) headers["content-type"] = "application/json";
  if (options.etag) headers["if-match"] = options.etag;
  if (options.once) headers["idempotency-key"] = options.once;
  const sent = era.value;
  const response = await send(`/api/v1${path}`, {
    method,
    headers,
    ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
  });
  const body = await response.json().catch(() => ({}));
  const told = Date.parse(response.headers.get("date") ?? "");
  if (told) ahead = told - Date.now();
  if (!response.ok) {
    if (response.status === 401 && sent === era.value) signedOut.value = true;
    if (response.status === 403 && path.startsWith("/workspaces/")) refusals.value++;
    const { code = "INTERNAL", message = "The answer cannot be read.", request_id = "", errors = [] } = body.error ?? {};
    throw new Refused(response.status, code, message, request_id, errors);
  }
  const replayed = response.headers.get("idempotent-replayed") === "true";
  return { body: body as T, etag: response.headers.get("etag"), replayed };
}

/** A body, and the key by which what it asks for is done once. */
export type Once = Required<Pick<Options, "body" | "once">>;

/** To be made when it is first sent and kept until a field is changed: a body that is sent again is the same. */
export const once = (body: unknown): Once => ({ body, once: crypto.randomUUID() });

export async function get<T>(path: string): Promise<T> {
  return (await ask<T>("GET", path)).body;
}

/** Ends the session at the server. */
export async function signOut(): Promise<void> {
  const response = await send("/logout", { method: "POST" });
  if (!response.ok) throw new Refused(response.status, "AUTH_UNAVAILABLE", "The session could not be ended. Try again.", "");
}

async function send(url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, { ...init, credentials: "same-origin", cache: "no-store", redirect: "error" });
  } catch {
    throw new Offline();
  }
}
