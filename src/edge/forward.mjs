// Forwards a request by the core's plan.

import { answer, observe } from "./observe.mjs";
import { core } from "./restart.mjs";

export const [own, told] = core.names().split("\n\n").map((names) => names.split("\n"));

// Where the names of the headers to drop begin in a plan.
const DROPPED = 4 + own.length + told.length;

// `lines`: the plan, see `forward::plan`. A response or the promise of one; needs the Wasm only if the origin
// fails. `body`: the request's, if it was read. `answered` gets the headers of the origin's answer, if that is
// the one that the client gets.
export function forward(request, env, lines, body, answered) {
  const observation = lines[3].includes("w") ? lines[lines.length - 1] : "";
  const sent = observation === "" ? 0 : performance.now();
  const fault = (made, late) => {
    const step = core.origin_fault(made, late, lines[4], lines[3].includes("p"), observation);
    const response = answer(step.split("\n").slice(2), request, env, sent);
    if (lines[3].includes("o")) tellPages(response.headers, lines);
    return response;
  };
  let out;
  try {
    out = outbound(request, lines, body);
  } catch {
    console.error("portcullis: no request could be made for the origin");
    return fault(false, false);
  }
  return new Promise((resolve, reject) => {
    // Until the head only: a body may stream for as long as it likes. What is
    // left unanswered ends with this request's context.
    const fail = (late) => {
      answered = undefined;
      try {
        resolve(fault(true, late));
      } catch (error) {
        reject(error);
        reportError(error);
      }
    };
    const timer = setTimeout(() => fail(true), Number(lines[2]));
    const binding = lines[0];
    (binding === "" ? fetch(out) : env[binding].fetch(out)).then(
      (response) => {
        clearTimeout(timer);
        const out = finish(response, lines);
        if (observation !== "") observe(env, observation, out, sent);
        resolve(out);
        answered?.(response.headers);
      },
      () => {
        clearTimeout(timer);
        fail(false);
      },
    );
  });
}

function outbound(request, lines, body) {
  const url = lines[1];
  const init = body === undefined ? ONWARD : { ...ONWARD, body };
  const out = new Request(url === "" ? request : elsewhere(url, request, body), init);
  const headers = out.headers;
  for (let at = DROPPED; at < lines.length && lines[at] !== ""; at++) headers.delete(lines[at]);
  for (let at = 0; at < own.length; at++) {
    const value = lines[4 + at];
    if (value !== "") headers.set(own[at], value);
  }
  return out;
}

// A body that was read is not there any more.
function elsewhere(url, request, body) {
  if (body === undefined) return new Request(url, request);
  return new Request(url, { method: request.method, headers: request.headers });
}

const ONWARD = { redirect: "manual", cache: "no-store" };

function finish(response, lines) {
  if (response.webSocket) return response;
  const out = new Response(response.body, response);
  const headers = out.headers;
  headers.set("x-request-id", lines[4]);
  for (let at = 0; at < told.length; at++) {
    const value = lines[4 + own.length + at];
    if (value !== "") headers.set(told[at], value);
  }
  if (lines[3].includes("o")) tellPages(headers, lines);
  if (lines[3].includes("k")) {
    if (!isPrivate(headers.get("cache-control"))) headers.set("cache-control", "private, no-store");
    for (const name of SHARED) headers.delete(name);
  }
  return out;
}

// What stands behind the names of dropped headers is the gate's word on pages, in the place of the origin's.
function tellPages(headers, lines) {
  headers.delete("access-control-allow-origin");
  headers.delete("access-control-allow-credentials");
  const from = lines.indexOf("", DROPPED) + 1;
  for (let at = from; at + 1 < lines.length; at += 2) headers.append(lines[at], lines[at + 1]);
}

// Whether no shared cache may keep an answer (RFC 9111 §5.2.2); what is quoted is not trusted.
function isPrivate(control) {
  if (control === null || /"|\b(public|s-maxage)\b/i.test(control)) return false;
  return control.split(",").some((directive) => /^\s*(private|no-store)\s*$/i.test(directive));
}

// By these an origin would speak to shared caches alone (RFC 9213).
const SHARED = ["cdn-cache-control", "cloudflare-cdn-cache-control", "surrogate-control"];
