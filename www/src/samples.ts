// Requests with a key, to paste. The secrets are not here: they are read from the environment.

import type { Key, Policy, Route } from "./types";

export interface Request {
  method: string;
  url: string;
  body: string;
}

/** How a request is signed. */
export interface Signed {
  kid: string;
  mode: "required" | "only";
  version: "v1" | "v2";
  nonce: boolean;
}

/** How requests with a key have to be signed; null: they need not be. */
export function signedBy({ id, signature, signing }: Key): Signed | null {
  if (signature !== "required" && signature !== "only") return null;
  return { kid: id, mode: signature, version: signing?.version ?? "v2", nonce: signing?.version === "v1" && signing.nonce };
}

/** The first request of the policy that a key may make, rather one without parameters; null: there is none. */
export function first(policy: Policy, key: Key): Request | null {
  const signed = signedBy(key);
  const hosts = (route: Route) =>
    (route.hosts.length > 0 ? route.hosts : policy.hosts).filter((host) => signed?.version !== "v1" || key.signing?.hosts.includes(host));
  const open = policy.routes.filter((route) =>
    route.credentials.includes("key") && allows(key.scopes, route.scope) && hosts(route).length > 0 && (route.signature !== "required" || signed));
  const route = open.find(({ path }) => !path.includes("{")) ?? open[0];
  if (!route) return null;
  const path = route.path.replace(/\{\*?(\w+)\}/g, (_, name) => encodeURIComponent(key.bindings?.[name]?.[0] ?? name));
  return { method: route.methods[0] ?? "GET", url: `https://${hosts(route)[0]}${path}`, body: "" };
}

/** Whether one of the scopes of a key covers what a route asks. */
function allows(scopes: string[], asked: string | null): boolean {
  const [resource, action] = asked?.split(":") ?? [];
  return asked === null || scopes.some((scope) => {
    const [own, does] = scope.includes(":") ? scope.split(":") : ["*", scope];
    return (own === "*" || own === resource) && (does === "*" || does === action);
  });
}

const hasBody = ({ method, body }: Request) => method !== "GET" && body !== "";
const shell = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

/** For a POSIX shell, whose own `printf` hands the key over: everybody can read the arguments of other programs. */
export function curl(request: Request): string {
  const body = hasBody(request) ? ` \\\n  -H 'Content-Type: application/json' --data-binary ${shell(request.body)}` : "";
  return `printf 'Authorization: Bearer %s\\n' "$PORTCULLIS_API_KEY" |\n  curl -i -X ${request.method} -H @-${body} \\\n  -- ${shell(request.url)}`;
}

/** The same, signed by the command line. */
export function signedCurl(request: Request, { mode, version, nonce }: Signed): string {
  // From standard input, where no first letter has a meaning.
  const [from, data] = hasBody(request) ? [`printf %s ${shell(request.body)} |\n  `, " --data @-"] : ["", ""];
  const rules = `--signature ${mode} --signature-version ${version}${nonce ? " --signature-nonce" : ""}`;
  return `${from}portcullis sign -X ${request.method} ${rules}${data} --curl \\\n  -- ${shell(request.url)} | sh`;
}

export function python(request: Request): string {
  const body = hasBody(request) ? `,\n    data=${JSON.stringify(request.body)}.encode()` : "";
  const media = hasBody(request) ? `, "Content-Type": "application/json"` : "";
  return `import os, urllib.request

request = urllib.request.Request(
    ${JSON.stringify(request.url)}, method="${request.method}",
    headers={"Authorization": "Bearer " + os.environ["PORTCULLIS_API_KEY"]${media}}${body})
print(urllib.request.urlopen(request).read().decode())`;
}

/** By the module of docs/signatures.md. */
export function signedPython(request: Request, { kid, mode, version, nonce }: Signed): string {
  const media = hasBody(request) ? `headers["Content-Type"] = "application/json"\n` : "";
  const key = mode === "required" ? `headers["Authorization"] = "Bearer " + os.environ["PORTCULLIS_API_KEY"]\n` : "";
  const options = [
    `secret=os.environ["PORTCULLIS_SIGNING_SECRET"]`,
    (version === "v2" || mode === "only") && `key_id=${JSON.stringify(kid)}`,
    version === "v2" && hasBody(request) && `content_type="application/json"`,
    nonce && "nonce=new_nonce()",
  ];
  return `import os, urllib.request
from sign import new_nonce, sign_${version}

url = ${JSON.stringify(request.url)}
body = ${hasBody(request) ? `${JSON.stringify(request.body)}.encode()` : `b""`}
headers = sign_${version}(
    "${request.method}", url, body,
    ${options.filter(Boolean).join(", ")})
${media}${key}request = urllib.request.Request(url, method="${request.method}", headers=headers, data=body or None)
print(urllib.request.urlopen(request).read().decode())`;
}

export function script(request: Request): string {
  const body = hasBody(request) ? `\n  body: ${JSON.stringify(request.body)},` : "";
  const media = hasBody(request) ? `, "content-type": "application/json"` : "";
  return `const response = await fetch(${JSON.stringify(request.url)}, {
  method: "${request.method}",
  headers: { authorization: \`Bearer \${process.env.PORTCULLIS_API_KEY}\`${media} },${body}
});
console.log(response.status, await response.text());`;
}

/** By the npm package. */
export function signedScript(request: Request, { kid, mode, version, nonce }: Signed): string {
  const key = mode === "required" ? "\n  apiKey: process.env.PORTCULLIS_API_KEY," : "";
  const body = hasBody(request) ? `\n  headers: { "content-type": "application/json" },\n  body: ${JSON.stringify(request.body)},` : "";
  return `import { createClient } from "portcullis/client";

const call = createClient({ signer: {
  version: "${version}",
  secret: process.env.PORTCULLIS_SIGNING_SECRET,
  keyId: ${JSON.stringify(kid)},${key}${nonce ? "\n  nonce: true," : ""}
} });
const response = await call(${JSON.stringify(request.url)}, {
  method: "${request.method}",${body}
});
console.log(response.status, await response.text());`;
}
