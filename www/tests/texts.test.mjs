// What the pages make of texts, without a browser.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { buildSync } from "esbuild";

const { outputFiles } = buildSync({
  stdin: {
    contents: 'export * from "./csv"; export * from "./network"; export { curl, python, script } from "./try";',
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
const { csv, curl, isWide, problem, python, script } = await import(
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
      const told = 'curl() { for part; do printf "%s\\n" "$part"; done; }\nPORTCULLIS_KEY=k\n' + curl(request);
      const parts = execFileSync("sh", ["-c", told], { encoding: "utf8" }).trimEnd().split("\n");
      assert.equal(parts.at(-1), url);
      assert.equal(parts.at(-2), "--");
      if (body) assert.equal(parts[parts.indexOf("--data-binary") + 1], body);
      assert.ok(parts.includes("Authorization: Bearer k"));
      const called = `import json, os, sys, urllib.request
class Answer:
    def read(self): return b""
def urlopen(request): print(json.dumps([request.full_url, request.get_method(), (request.data or b"").decode()])); return Answer()
urllib.request.Request = type("Request", (), {"__init__": lambda self, url, data=None, headers={}, method=None: self.__dict__.update(full_url=url, data=data, method=method), "get_method": lambda self: self.method})
urllib.request.urlopen = urlopen
os.environ["PORTCULLIS_KEY"] = "k"
`;
      const [sent] = execFileSync("python3", ["-c", called + python(request)], { encoding: "utf8" }).split("\n");
      assert.deepEqual(JSON.parse(sent), [url, request.method, body]);
      let fetched;
      const run = new Function("fetch", "console", "process", `return (async () => { ${script(request)} })()`);
      run((...args) => ((fetched = args), { text: () => "" }), { log() {} }, { env: { PORTCULLIS_KEY: "k" } });
      assert.deepEqual([fetched[0], fetched[1].method, fetched[1].body ?? ""], [url, request.method, body]);
    }
  }
});
