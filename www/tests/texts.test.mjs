// What the pages make of texts, without a browser.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { buildSync } from "esbuild";

const { outputFiles } = buildSync({
  stdin: {
    contents: 'export * from "./csv"; export * from "./network"; export * from "./samples";',
    resolveDir: new URL("../src", import.meta.url).pathname,
    loader: "ts",
  },
  bundle: true,
  write: false,
  format: "esm",
  platform: "node",
  jsx: "automatic",
  jsxImportSource: "preact",
});
const { csv, curl, first, isWide, problem, python, script, signedCurl, signedPython, signedScript } = await import(
  `data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`
);

test("no cell is a formula, and every text comes back", () => {
  for (const text of ["=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", "=cmd|' /C calc'!A0"]) {
    const line = csv([[text]]);
    assert.match(line, /^"?'/, JSON.stringify(text));
  }
  assert.equal(csv([["a", 'say "x", y', "line\nfeed"], [-1, 0, 2]]), 'a,"say ""x"", y","line\nfeed"\r\n-1,0,2\r\n');
});

test("networks are judged as the gate judges them", () => {
  const { lists } = JSON.parse(readFileSync(new URL("../../tests/vectors/address.json", import.meta.url)));
  const single = lists.filter(({ input }) => input?.length === 1);
  assert.ok(single.length >= 10);
  for (const { id, input, expect } of single) assert.equal(problem(input[0]) === null, expect !== null, id);
  for (const text of ["0.0.0.0/0", "10.0.0.0/7", "2000::/15", "::/0"]) assert.ok(problem(text) === null && isWide(text), text);
  for (const text of ["10.0.0.0/8", "10.1.2.3", "2001::/16", "2001:db8::1"]) assert.ok(problem(text) === null && !isWide(text), text);
});

test("what is to be pasted sends what was typed and runs nothing else", () => {
  for (const url of ["https://api.test/a?b=c", "https://api.test/'; touch x; '", "-o/etc/x", "$(touch x)`touch y`", "a\"b\\c"]) {
    for (const body of ["", '{"a":"it\'s $HOME `id`"}']) {
      const request = { method: body ? "POST" : "GET", url, body };
      const told = 'curl() { cat; for part; do printf "%s\\n" "$part"; done; }\nPORTCULLIS_API_KEY=k\n' + curl(request);
      const parts = execFileSync("sh", ["-c", told], { encoding: "utf8" }).trimEnd().split("\n");
      assert.equal(parts.at(-1), url);
      assert.equal(parts.at(-2), "--");
      if (body) assert.equal(parts[parts.indexOf("--data-binary") + 1], body);
      assert.equal(parts[0], "Authorization: Bearer k");
      assert.ok(!parts.slice(1).some((part) => part.includes("Bearer")), "in no argument");
      const called = `import json, os, sys, urllib.request
class Answer:
    def read(self): return b""
def urlopen(request): print(json.dumps([request.full_url, request.get_method(), (request.data or b"").decode()])); return Answer()
urllib.request.Request = type("Request", (), {"__init__": lambda self, url, data=None, headers={}, method=None: self.__dict__.update(full_url=url, data=data, method=method), "get_method": lambda self: self.method})
urllib.request.urlopen = urlopen
os.environ["PORTCULLIS_API_KEY"] = "k"
`;
      const [sent] = execFileSync("python3", ["-c", called + python(request)], { encoding: "utf8" }).split("\n");
      assert.deepEqual(JSON.parse(sent), [url, request.method, body]);
      let fetched;
      const run = new Function("fetch", "console", "process", `return (async () => { ${script(request)} })()`);
      run((...args) => ((fetched = args), { text: () => "" }), { log() {} }, { env: { PORTCULLIS_API_KEY: "k" } });
      assert.deepEqual([fetched[0], fetched[1].method, fetched[1].body ?? ""], [url, request.method, body]);
    }
  }
});

/** Runs the function that a JavaScript sample is, with what it imports and calls. */
const ran = (text, values) => new Function(...Object.keys(values), `return (async () => { ${text} })()`)(...Object.values(values));

test("what is to be pasted for a key that signs is signed by the rules of the key", async () => {
  const env = { PORTCULLIS_API_KEY: "k", PORTCULLIS_SIGNING_SECRET: "s" };
  for (const url of ["https://api.test/a?b=c", "https://api.test/'; touch x; '", "$(touch x)`touch y`", "a\"b\\c"]) {
    for (const [mode, version, nonce] of [["only", "v2", false], ["only", "v1", true], ["required", "v1", false], ["required", "v2", false]]) {
      for (const body of ["", '@{"a":"it\'s $HOME `id`"}']) {
        const [request, signed] = [{ method: body ? "POST" : "GET", url, body }, { kid: "kid", mode, version, nonce }];
        const told = 'portcullis() { for part; do printf "%s\\n" "$part"; done; case "$*" in *@-*) cat;; esac; }\nsh() { cat; }\n' + signedCurl(request, signed);
        const parts = execFileSync("sh", ["-c", told], { encoding: "utf8" }).trimEnd().split("\n");
        if (body) assert.equal(parts.pop(), body);
        assert.deepEqual(parts, ["sign", "-X", request.method, "--signature", mode, "--signature-version", version, ...(nonce ? ["--signature-nonce"] : []), ...(body ? ["--data", "@-"] : []), "--curl", "--", url]);

        const [called] = [`import json, os, sys, types, urllib.request
class Answer:
    def read(self): return b""
def signer(*args, **rules): print(json.dumps([args[0], args[1], args[2].decode(), rules])); return {"Signature": "x"}
sys.modules["sign"] = types.SimpleNamespace(sign_v1=signer, sign_v2=signer, new_nonce=lambda: "n")
urllib.request.Request = lambda url, method, headers, data: [url, method, headers, (data or b"").decode()]
def urlopen(request): print(json.dumps(request)); return Answer()
urllib.request.urlopen = urlopen
os.environ.update(${JSON.stringify(env)})
`];
        const [signing, sent] = execFileSync("python3", ["-c", called + signedPython(request, signed)], { encoding: "utf8" }).split("\n").map((line) => line && JSON.parse(line));
        const rules = { secret: "s", ...(version === "v2" || mode === "only" ? { key_id: "kid" } : {}), ...(version === "v2" && body ? { content_type: "application/json" } : {}), ...(nonce ? { nonce: "n" } : {}) };
        assert.deepEqual(signing, [request.method, url, body, rules]);
        const headers = { Signature: "x", ...(body ? { "Content-Type": "application/json" } : {}), ...(mode === "required" ? { Authorization: "Bearer k" } : {}) };
        assert.deepEqual(sent, [url, request.method, headers, body]);

        let by, fetched;
        const createClient = ({ signer }) => ((by = signer), (...args) => ((fetched = args), { text: () => "" }));
        await ran(signedScript(request, signed).replace(/^import .*\n/, ""), { createClient, console: { log() {} }, process: { env } });
        assert.deepEqual(by, { version, secret: "s", keyId: "kid", ...(mode === "required" ? { apiKey: "k" } : {}), ...(nonce ? { nonce } : {}) });
        assert.deepEqual([fetched[0], fetched[1].method, fetched[1].body ?? ""], [url, request.method, body]);
      }
    }
  }
});

test("the request that is offered is the first that the key may make", () => {
  const route = (path, scope, more = {}) => ({ methods: ["GET"], path, hosts: ["api.test", "other.test"], credentials: ["key"], scope, signature: null, ...more });
  const routes = [route("/people", null, { credentials: ["session"] }), route("/a/{id}", "a:read"), route("/a", "a:read"), route("/b/{id}/{*rest}", "b:write", { methods: ["PUT"] }), route("/signed", "c:read", { signature: "required" })];
  const key = { scopes: [], bindings: null, signature: "none", signing: null };
  const offered = (change) => first({ hosts: ["api.test"], routes }, { ...key, ...change });
  for (const scope of ["a:read", "read", "*:*", "a:*", "*:read"]) assert.equal(offered({ scopes: [scope] }).url, "https://api.test/a", scope);
  assert.deepEqual(offered({ scopes: ["b:*"], bindings: { id: ["x y"] } }), { method: "PUT", url: "https://api.test/b/x%20y/rest", body: "" });
  assert.equal(offered({ scopes: ["a:write"] }), null);
  assert.equal(offered({ scopes: ["c:read"] }), null, "it has to be signed");
  assert.equal(offered({ scopes: ["c:read"], signature: "only", signing: { version: "v1", hosts: ["other.test"] } }).url, "https://other.test/signed");
});
