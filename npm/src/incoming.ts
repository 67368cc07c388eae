// Requests of `node:http`, for the servers that are built on it.

import type { IncomingMessage, ServerResponse } from "node:http";

import type { Circumstances, Incoming } from "./gate.js";
import { type Grant, tell } from "./verdict.js";

/** What a gate is told of a request, whose body can be read by others afterwards. */
export function incoming(message: IncomingMessage, scheme: string, target: string): Incoming {
  const headers = new Map<string, string>();
  // Of HTTP/1 `headers` has one value where several were sent.
  for (const [name, values] of Object.entries(message.headersDistinct ?? message.headers)) {
    if (values !== undefined) headers.set(name, typeof values === "string" ? values : values.join(", "));
  }
  const host = headers.get("host") ?? headers.get(":authority") ?? "";
  for (const name of headers.keys()) if (name.startsWith(":")) headers.delete(name);
  const hasBody = headers.has("transfer-encoding") || Number(message.headers["content-length"] ?? 0) > 0;
  return {
    method: message.method ?? "",
    // What is no path, as a proxy is sent, is none of ours.
    url: target.startsWith("/") ? `${scheme}://${host}${target}` : "",
    headers,
    body: hasBody ? () => copied(message) : null,
  };
}

/** The address as networks in policies are written. */
export function circumstances(address: string | undefined): Circumstances {
  if (address === undefined) return {};
  return { address: /^::ffff:\d+\.\d+\.\d+\.\d+$/i.test(address) ? address.slice(7) : address };
}

/** Writes an answer that the gate made. */
export async function send(response: Response, out: ServerResponse): Promise<void> {
  out.statusCode = response.status;
  for (const [name, value] of response.headers) out.appendHeader(name, value);
  out.end(await response.text());
}

/** Puts what a grant says of the answer into its headers, before the handler adds its own. */
export function announce(grant: Grant, out: { setHeader(name: string, value: string): unknown }): void {
  const headers = new Headers();
  tell(grant, headers);
  headers.forEach((value, name) => out.setHeader(name, value));
}

/** A copy of what arrives; all of it is put back before anybody is told of the end. */
function copied(message: IncomingMessage): ReadableStream<Uint8Array> {
  const chunks: Buffer[] = [];
  let readable: () => void;
  let failed: (error?: Error) => void;
  const leave = () => message.off("readable", readable).off("error", failed).off("aborted", failed);
  return new ReadableStream<Uint8Array>({
    start(out) {
      readable = () => {
        for (let chunk: Buffer | null; (chunk = message.read()) !== null; ) {
          chunks.push(chunk);
          out.enqueue(new Uint8Array(chunk));
        }
        if (!message.complete) return;
        leave();
        if (chunks.length > 0) message.unshift(Buffer.concat(chunks));
        out.close();
      };
      failed = (error) => {
        leave();
        out.error(error ?? new Error("aborted"));
      };
      message.on("readable", readable).on("error", failed).on("aborted", failed);
    },
    cancel: () => void leave(),
  });
}
