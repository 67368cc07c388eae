// `src/edge/errands.mjs`, which `cargo xtask npm` puts here in the package.

import type { Ledger, Store } from "./stores.js";

interface Bindings {
  KEYS: Store;
  WORKSPACE: Ledger | undefined;
}

interface Held {
  bytes: Uint8Array | undefined;
  instead: string;
  release(): void;
}

export function read(env: Bindings, name: string, millis: number): Promise<string | null | undefined>;
export function ask(env: Bindings, workspace: string, text: string, millis: number): Promise<string | undefined>;
export function download(url: string, millis: number, limit: number): Promise<string | undefined>;
export function verify(algorithm: string, jwk: string, signature: string, signed: string): Promise<string | undefined>;
export function body(request: { body: ReadableStream<Uint8Array> | null }, millis: number, limit: number, most: number): Promise<Held>;
export function respond(lines: string[], request: { method: string }): Response;
export function sleep(millis: number): Promise<undefined>;
