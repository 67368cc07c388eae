// Signs requests for a Portcullis gate: docs/signatures.md. WebCrypto alone, so Workers, Node.js and browsers.
// A signing secret in a browser is everybody's who opens the page: sign there with a secret of the person's own.

/** How requests are signed, as the key's record says. */
export interface Signer {
  /** v2 is RFC 9421. */
  version: "v1" | "v2";
  /** The signing secret, `ak_sign_…`. */
  secret: string;
  /** The key's public name. Version 1 with an `apiKey` needs none. */
  keyId?: string;
  /** The key itself, for the signature modes `optional` and `required`; never for `only`. */
  apiKey?: string;
  /** Version 1: whether the key's signatures cover `X-Nonce`. */
  nonce?: boolean;
  /** Version 2: seconds after which the signature is void; at most 300 count. */
  lifetime?: number;
}

/** What is to be sent. */
export interface Outgoing {
  /** Of HTTP. */
  method: string;
  /** As `fetch` will be given it. */
  url: string | URL;
  /** None if absent or empty. */
  body?: string | Uint8Array | ArrayBuffer | null;
  /** Version 2: the `Content-Type` that will be sent; `fetch` adds one to some bodies. */
  contentType?: string | null;
}

/** Not the clock's and not random: by the clock of the gate, or held still by a test. */
export interface Moment {
  /** Unix seconds. */
  now?: number;
  /** Unlike all that the key has signed with. */
  nonce?: string;
}

/** The headers to be sent besides those that the request has. */
export async function sign(request: Outgoing, signer: Signer, moment: Moment = {}): Promise<Record<string, string>> {
  const url = new URL(request.url);
  // As `fetch` spells it.
  const method = /^(delete|get|head|options|post|put)$/i.test(request.method) ? request.method.toUpperCase() : request.method;
  const body = bytes(request.body);
  const now = moment.now ?? Math.floor(Date.now() / 1000);
  const nonce = moment.nonce ?? random();
  const headers: Record<string, string> = {};
  if (signer.apiKey !== undefined) headers["Authorization"] = `Bearer ${signer.apiKey}`;
  if (signer.version === "v1") {
    if (signer.apiKey === undefined) headers["X-Key-Id"] = keyId(signer);
    let message = `${method}\n${url.pathname}${url.search}\n${now}\n`;
    headers["X-Timestamp"] = String(now);
    if (signer.nonce) {
      message += `${nonce}\n`;
      headers["X-Nonce"] = nonce;
    }
    headers["X-Signature"] = hex(await hmac(signer.secret, joined(utf8(message), body)));
    return headers;
  }
  const lines = [
    ["@method", method],
    ["@authority", url.host],
    ["@path", url.pathname],
    ["@query", url.search === "" ? "?" : url.search],
  ];
  if (body.length > 0) {
    const digest = await crypto.subtle.digest("SHA-256", body);
    headers["Content-Digest"] = `sha-256=:${base64(new Uint8Array(digest))}:`;
    lines.push(["content-digest", headers["Content-Digest"]]);
  }
  if (request.contentType) lines.push(["content-type", request.contentType]);
  const names = lines.map(([name]) => `"${name}"`).join(" ");
  const params =
    `(${names});created=${now};expires=${now + (signer.lifetime ?? 60)};` +
    `nonce="${nonce}";keyid="${keyId(signer)}";tag="portcullis"`;
  const base = [...lines, ["@signature-params", params]].map(([name, value]) => `"${name}": ${value}`).join("\n");
  headers["Signature-Input"] = `sig=${params}`;
  headers["Signature"] = `sig=:${base64(await hmac(signer.secret, utf8(base)))}:`;
  return headers;
}

/** The same request, signed. Its body is read whole. */
export async function signRequest(request: Request, signer: Signer, moment: Moment = {}): Promise<Request> {
  const body = request.body === null ? null : await request.clone().arrayBuffer();
  const { method, url } = request;
  const headers = new Headers(request.headers);
  const own = await sign({ method, url, body, contentType: headers.get("content-type") }, signer, moment);
  for (const name in own) headers.set(name, own[name]!);
  return new Request(request, { headers, body });
}

function keyId(signer: Signer): string {
  const id = signer.keyId ?? signer.apiKey?.split("_").at(-2);
  if (id === undefined) throw new TypeError("a signer needs the key's id");
  return id;
}

async function hmac(secret: string, message: Bytes): Promise<Bytes> {
  const key = await crypto.subtle.importKey("raw", utf8(secret), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", key, message));
}

function random(): string {
  return base64(crypto.getRandomValues(new Uint8Array(16)))
    .replace(/=+$/, "")
    .replace(/\+/g, "-")
    .replace(/\//g, "_");
}

function bytes(body: Outgoing["body"]): Bytes {
  if (body === null || body === undefined) return new Uint8Array();
  return typeof body === "string" ? utf8(body) : new Uint8Array(body);
}

function utf8(text: string): Bytes {
  return new TextEncoder().encode(text);
}

function joined(head: Bytes, tail: Bytes): Bytes {
  const all = new Uint8Array(head.length + tail.length);
  all.set(head);
  all.set(tail, head.length);
  return all;
}

function hex(own: Bytes): string {
  return Array.from(own, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function base64(own: Bytes): string {
  return btoa(String.fromCharCode(...own));
}

type Bytes = Uint8Array<ArrayBuffer>;
