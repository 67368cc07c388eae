// Requests of `node:http` and `node:http2`, for the servers that are built on them.

import type { IncomingMessage, ServerResponse } from "node:http";
import type { ServerHttp2Stream } from "node:http2";

import type { Circumstances, Incoming } from "./gate.js";
import { type Grant, tell } from "./verdict.js";

/** What a gate is told of a request, whose body can be read by others afterwards. */
export function incoming(message: IncomingMessage, scheme: string, target: string): Incoming {
  const headers = new Map<string, string>();
  // `headers` has one value where several were sent.
  for (let at = 0; at + 1 < message.rawHeaders.length; at += 2) {
    const [name, value] = [message.rawHeaders[at]!.toLowerCase(), message.rawHeaders[at + 1]!];
    const before = headers.get(name);
    // HTTP/2 takes a cookie apart (RFC 9113 §8.2.3).
    headers.set(name, before === undefined ? value : before + (name === "cookie" ? "; " : ", ") + value);
  }
  const authority = headers.get(":authority");
  const host = headers.get("host") ?? authority ?? "";
  for (const name of headers.keys()) if (name.startsWith(":")) headers.delete(name);
  const isPath = target.startsWith("/") && (authority ?? host) === host;
  return {
    method: message.method ?? "",
    // What is no path, as a proxy is sent, or is for two hosts, is none of ours.
    url: isPath ? `${scheme}://${host}${target}` : "",
    headers,
    body: hasBody(message) ? () => copied(message) : null,
  };
}

/** Of HTTP/2 a body need not be announced: what follows the headers is one. */
function hasBody(message: IncomingMessage): boolean {
  const { "content-length": length, "transfer-encoding": coding } = message.headers;
  const stream = streamOf(message);
  if (stream !== undefined) return !stream.endAfterHeaders && length !== "0";
  return coding !== undefined || Number(length ?? 0) > 0;
}

const streamOf = (message: IncomingMessage) => (message as { stream?: ServerHttp2Stream }).stream;

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
  const stream = streamOf(message);
  // Only so long as the end was not told can anything be put back.
  const isOver = () => (stream === undefined ? message.complete : stream.readableEnded);
  let isLeft = false;
  let readable: () => void;
  let failed: (error?: Error) => void;
  const leave = () => message.off("readable", readable).off("error", failed).off("aborted", failed);
  return new ReadableStream<Uint8Array>({
    async start(out) {
      readable = () => {
        // To read on at the end would tell of it.
        for (let chunk: Buffer | null; message.readableLength > 0 && (chunk = message.read()) !== null; ) {
          chunks.push(chunk);
          out.enqueue(new Uint8Array(chunk));
        }
        if (!isOver()) return;
        leave();
        if (chunks.length > 0) message.unshift(Buffer.concat(chunks));
        out.close();
      };
      failed = (error) => {
        leave();
        out.error(error ?? new Error("aborted"));
      };
      // What came in with the headers is taken in first: to listen for it would tell of the end.
      await new Promise(setImmediate);
      if (isLeft) return;
      if (message.destroyed) failed();
      else if (isOver() && message.readableLength === 0) out.close();
      else message.on("readable", readable).on("error", failed).on("aborted", failed);
    },
    cancel: () => {
      isLeft = true;
      leave();
    },
  });
}
