// npm/src/sign.ts on the vectors: the same headers, byte for byte.
import { readFileSync } from "node:fs";
import { sign } from "../../npm/src/sign.ts";

let count = 0;
for (const path of process.argv.slice(2)) {
  const { version, keys, cases } = JSON.parse(readFileSync(path, "utf8"));
  for (const { id, key, request, signed } of cases) {
    if (!signed?.reproducible) continue;
    const { scheme, host, target, method, headers } = request;
    const body = request.body === undefined ? null : Buffer.from(request.body, "base64");
    const header = (name) => headers.find(([own]) => own.toLowerCase() === name)?.[1];
    const signer = { version, secret: signed.secret, keyId: keys[key].kid, nonce: signed.nonce !== undefined };
    const bearer = header("authorization") ?? header("x-api-key");
    if (bearer !== undefined) signer.apiKey = keys[key].key;
    if (signed.expires !== undefined) signer.lifetime = signed.expires - signed.created;
    const outgoing = { method, url: `${scheme}://${host}${target}`, body, contentType: header("content-type") ?? null };
    const { Authorization, "X-Key-Id": keyId, ...own } = await sign(outgoing, signer, {
      now: signed.created,
      ...(signed.nonce === undefined ? {} : { nonce: signed.nonce }),
    });
    if (JSON.stringify(Object.entries(own)) !== JSON.stringify(signed.headers))
      throw new Error(`${version} ${id}: ${JSON.stringify(own)}, not ${JSON.stringify(signed.headers)}`);
    const credential = version === "v2" ? keyId : (keyId ?? Authorization);
    const expected = version === "v2" ? undefined : bearer === undefined ? keys[key].kid : `Bearer ${keys[key].key}`;
    if (credential !== expected) throw new Error(`${version} ${id}: the credential ${credential}`);
    count++;
  }
}
console.log(count);
