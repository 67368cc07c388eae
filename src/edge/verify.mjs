// For other Workers, by a service binding to this entrypoint: what the gate makes of a request, which it does
// not send on. The body of a request goes with it: whoever needs it sends a clone.

import { WorkerEntrypoint } from "cloudflare:workers";
import { own, told } from "./forward.mjs";

// The class, by what decides.
export const verifying = (decided) =>
  class extends WorkerEntrypoint {
    // As the npm package's `gate.verify`.
    async verify(request) {
      const outcome = await decided(request, Object.create(this.env, NO_MANAGEMENT), this.ctx, granted);
      if (!(outcome instanceof Response)) return { decision: "allow", grant: outcome };
      const { status } = outcome;
      if (status < 400) return { decision: "preflight", status, response: outcome };
      const body = await outcome.clone().json().catch(() => ({}));
      const code = (body.error ?? body).code;
      return { decision: status < 500 ? "deny" : "unavailable", code, status, response: outcome };
    }
  };

// What a plan says of the caller and of the answer.
function granted(request, env, lines) {
  const said = Object.fromEntries(own.map((name, at) => [name.replace("x-portcullis-", ""), lines[4 + at] || null]));
  const headers = [["x-request-id", lines[4]]];
  told.forEach((name, at) => {
    const value = lines[4 + own.length + at];
    if (value !== "") headers.push([name, value]);
  });
  const { key, workspace, type, scopes, subject } = said;
  const isPrivate = lines[3].includes("k");
  return { requestId: lines[4], key, workspace, type, scopes: scopes?.split(" ") ?? [], subject, headers, isPrivate };
}

// Nothing is changed by a question.
const NO_MANAGEMENT = { MANAGEMENT: { value: undefined } };
