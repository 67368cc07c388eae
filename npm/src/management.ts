// The management API, typed by its OpenAPI document: docs/openapi.json.

import type { paths } from "./openapi.js";

type Method = "get" | "put" | "post" | "delete" | "patch";
type Operation<P extends keyof paths, M extends Method> = NonNullable<paths[P][M]>;
type MethodOf<P extends keyof paths> = { [M in Method]: [Operation<P, M>] extends [never] ? never : M }[Method];
type Parameters<O, In extends string> = O extends { parameters: { [K in In]?: infer T } } ? NonNullable<T> : never;
type Part<Name extends string, T> = [T] extends [never] ? unknown : Partial<T> extends T ? { [N in Name]?: T } : { [N in Name]: T };
type Body<O> = O extends { requestBody?: infer B } ? (NonNullable<B> extends { content: { "application/json": infer T } } ? T : never) : never;
type Good = 200 | 201 | 202 | 204;
type Data<O> = O extends { responses: infer R }
  ? { [S in keyof R & Good]: R[S] extends { content: { "application/json": infer T } } ? T : undefined }[keyof R & Good]
  : never;

/** What a request has, by its path and method. */
export type Arguments<O> = Part<"path", Parameters<O, "path">> &
  Part<"query", Parameters<O, "query">> &
  Part<"header", Parameters<O, "header">> &
  Part<"body", Body<O>>;

/** What came back. */
export interface Answer<T> {
  /** Of HTTP: 200 to 204. */
  status: number;
  /** The body; `undefined` if there is none. */
  data: T;
  /** `ETag`, `Location`, `X-Request-Id` and others. */
  headers: Headers;
}

/** The API refused, or could not answer. */
export class ManagementError extends Error {
  /** Tells it from other errors where classes are twice. */
  override readonly name = "ManagementError";
  /** Of HTTP. */
  readonly status: number;
  /** As in docs/errors.md; empty if the answer was not the API's. */
  readonly code: string;
  /** `X-Request-Id`, for a report. */
  readonly requestId: string | null;
  /** Of `VALIDATION_FAILED`: what is wrong where. */
  readonly errors: readonly unknown[];

  constructor(status: number, error: { code?: string; message?: string; errors?: unknown[] }, requestId: string | null) {
    super(error.message ?? `status ${status}`);
    this.status = status;
    this.code = error.code ?? "";
    this.requestId = requestId;
    this.errors = error.errors ?? [];
  }
}

/** How to reach the API. */
export interface ManagementOptions {
  /** Where the admin host is. */
  url: string;
  /** An access token, or what gets one. */
  token: string | (() => string | Promise<string>);
  /** In place of the global `fetch`. */
  fetch?: (request: Request) => Promise<Response>;
}

/** Calls the API: `await call("/api/v1/workspaces/{workspace}/api-keys", "post", { path, body })`. */
export interface Management {
  <P extends keyof paths, M extends MethodOf<P>>(
    path: P,
    method: M,
    ...given: Partial<Arguments<Operation<P, M>>> extends Arguments<Operation<P, M>> ? [Arguments<Operation<P, M>>?] : [Arguments<Operation<P, M>>]
  ): Promise<Answer<Data<Operation<P, M>>>>;
}

interface Given {
  path?: Record<string, string>;
  query?: Record<string, unknown>;
  header?: Record<string, unknown>;
  body?: unknown;
}

/** Makes a client. A call that is refused rejects with a {@link ManagementError}. */
export function createManagement({ url, token, fetch: send = (request) => fetch(request) }: ManagementOptions): Management {
  const call = async (path: string, method: string, given: Given = {}): Promise<Answer<unknown>> => {
    const target = new URL(path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(given.path?.[name] ?? "")), url);
    for (const [name, value] of Object.entries(given.query ?? {})) {
      if (value !== undefined) target.searchParams.set(name, String(value));
    }
    const headers = new Headers({ accept: "application/json" });
    for (const [name, value] of Object.entries(given.header ?? {})) if (value !== undefined) headers.set(name, String(value));
    headers.set("authorization", `Bearer ${typeof token === "string" ? token : await token()}`);
    const init: RequestInit = { method: method.toUpperCase(), headers };
    if (given.body !== undefined) {
      headers.set("content-type", "application/json");
      init.body = JSON.stringify(given.body);
    }
    const response = await send(new Request(target, init));
    const text = await response.text();
    const data = /json/.test(response.headers.get("content-type") ?? "") ? (JSON.parse(text) as unknown) : undefined;
    if (!response.ok) {
      const { error = {} } = (data ?? {}) as { error?: { code?: string } };
      throw new ManagementError(response.status, error, response.headers.get("x-request-id"));
    }
    return { status: response.status, data, headers: response.headers };
  };
  return call as Management;
}
