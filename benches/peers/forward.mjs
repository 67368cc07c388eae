// The work no gate can leave out, shared by the baseline and the hand-written gates so that they
// differ only in what they decide. Written in the fastest form found: see README.md.

const HEAD_TIMEOUT_MS = 10_000;

const OUTBOUND = { redirect: "manual", cache: "no-store" };

// Origins behind CGI-like servers read `_` and `-` as one, so a client's `x_portcullis_key` counts as ours.
const STRIPPED = new RegExp(
  "^(?:authorization|cookie|connection|keep-alive|te|trailer|transfer-encoding|upgrade|forwarded" +
    "|proxy-(?:authorization|authenticate|connection)|signature(?:-input)?" +
    "|x[-_](?:api[-_]key|key[-_]id|signature|timestamp|nonce|real[-_]ip" +
    "|(?:forwarded|http[-_]method|original|rewrite|portcullis)(?:[-_].*)?))$",
);

/** @returns a promise of the origin's answer, marked with the request's id and kept from shared caches. */
export function forward(req, origin, grant) {
  const out = outbound(req, grant);
  // A timer and one promise: cheaper than an AbortController, and enough, since the abandoned
  // subrequest ends with the request's context as soon as the 504 is sent.
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(new Response("origin timed out", { status: 504 })), HEAD_TIMEOUT_MS);
    origin.fetch(out).then(
      (answer) => {
        clearTimeout(timer);
        resolve(finish(answer, grant));
      },
      () => {
        clearTimeout(timer);
        resolve(new Response("origin unreachable", { status: 502 }));
      },
    );
  });
}

// Mutating a copied Request is half the price of handing it a header object or pairs.
function outbound(req, grant) {
  const out = new Request(req, OUTBOUND);
  const headers = out.headers;
  const connection = req.headers.get("connection");
  for (const name of req.headers.keys()) if (STRIPPED.test(name)) headers.delete(name);
  if (connection !== null) dropListed(headers, connection);
  headers.set("X-Forwarded-Host", grant.host);
  headers.set("X-Forwarded-Proto", "https");
  headers.set("X-Forwarded-For", grant.ip);
  headers.set("X-Request-Id", grant.requestId);
  headers.set("X-Portcullis-Key", grant.kid);
  headers.set("X-Portcullis-Workspace", grant.workspace);
  headers.set("X-Portcullis-Type", grant.type);
  headers.set("X-Portcullis-Scopes", grant.scopes);
  headers.set("X-Portcullis-Subject", grant.subject);
  headers.set("X-Portcullis-Assertion", grant.assertion);
  return out;
}

function dropListed(headers, connection) {
  for (const listed of connection.split(",")) {
    const name = listed.trim();
    // A length named here would let a client unframe its own body.
    if (/^[!#$%&'*+.^_`|~\w-]+$/.test(name) && !/^(?:host|content-length)$/i.test(name)) headers.delete(name);
  }
}

function finish(answer, grant) {
  const out = new Response(answer.body, answer);
  const headers = out.headers;
  headers.set("X-Request-Id", grant.requestId);
  const { limit, remaining, reset, policy, state } = grant.rate;
  headers.set("X-RateLimit-Limit", limit);
  headers.set("X-RateLimit-Remaining", remaining);
  headers.set("X-RateLimit-Reset", reset);
  headers.set("RateLimit-Policy", policy);
  headers.set("RateLimit", state);
  if (!isPrivate(headers.get("cache-control"))) headers.set("Cache-Control", "private, no-store");
  for (const name of SHARED) headers.delete(name);
  return out;
}

function isPrivate(control) {
  if (control === null || /"|\b(?:public|s-maxage)\b/i.test(control)) return false;
  return control.split(",").some((directive) => /^\s*(?:private|no-store)\s*$/i.test(directive));
}

const SHARED = ["cdn-cache-control", "cloudflare-cdn-cache-control", "surrogate-control"];
