// The shared vectors by the package, whatever runs this. `portcullis`: its exports; `vectors`: the files of
// tests/vectors by name. Resolves to the number of cases; rejects with all that is wrong.

export async function suite(portcullis, vectors) {
  const wrong = [];
  const clock = Date.now;
  let count = 0;
  try {
    for (const cases of [decisions, signatures]) {
      for await (const { id, expected, actual } of cases(portcullis, vectors)) {
        count++;
        if (expected !== actual) wrong.push(`${id}: ${actual}, not ${expected}`);
      }
    }
  } finally {
    Date.now = clock;
  }
  if (wrong.length > 0) throw new Error(`${wrong.length} of ${count} wrong:\n${wrong.join("\n")}`);
  return count;
}

async function* decisions({ createGate, memoryStore }, { world, decisions }) {
  const { policy, root, static_keys: staticKeys, keys, kv } = world;
  for (const { id, now, before = [], repeat = 0, facts, request, expect } of decisions) {
    Date.now = () => (now ?? world.now) * 1000;
    const gate = createGate({ policy, root, staticKeys, store: memoryStore(rows(kv)) });
    const verify = (own) => gate.verify(...incoming(own, (text) => filled(text, keys)));
    for (const earlier of before) await verify(earlier);
    for (let at = 0; at < repeat; at++) await verify(request);
    const verdict = await (facts === undefined ? verify(request) : gate.verify(...told(facts)));
    // The admin host is a Worker's.
    const expected = expect.admin ? "404 NOT_FOUND" : `${expect.status} ${expect.code ?? ""}`;
    yield { id, expected, actual: `${verdict.status ?? 200} ${verdict.code ?? ""}` };
    if (verdict.decision === "allow") {
      const { grant } = verdict;
      const { set = {} } = expect.forward ?? {};
      const told = { key: grant.key, workspace: grant.workspace, type: grant.type, subject: grant.subject };
      for (const [name, value] of Object.entries(told)) {
        const expected = set[`x-portcullis-${name}`];
        if (expected !== undefined) yield { id: `${id} ${name}`, expected: filled(expected, keys), actual: value };
      }
    }
    const headers = verdict.decision === "allow" ? new Headers(verdict.grant.headers) : verdict.response.headers;
    for (const [name, part] of Object.entries(expect.headers ?? {})) {
      const actual = headers.get(name) ?? "";
      yield { id: `${id} ${name}`, expected: actual.includes(part) ? actual : part, actual };
    }
  }
}

async function* signatures({ createGate, memoryStore }, { world, v1, v2 }) {
  const ledger = { idFromName: String, get: () => ({ fetch: async () => new Response("granted tokens=1 millis=1000") }) };
  for (const { version, now, root, kv, cases } of [v1, v2]) {
    Date.now = () => now * 1000;
    for (const { id, request, expect } of cases) {
      const gate = createGate({ policy: world.policy, root, staticKeys: world.static_keys, store: memoryStore(rows(kv)), ledger });
      const verdict = await gate.verify(...incoming(request, String));
      yield { id: `${version} ${id}`, expected: expect, actual: verdict.code ?? verdict.decision };
    }
  }
}

const rows = (kv) => Object.entries(kv).map(([key, value]) => ({ key, value }));

// Keys and kids in the place of `{key name}` and `{kid name}`.
const filled = (text, keys) =>
  text.replace(/\{(key|kid) (\w+)\}/g, (_, what, name) => (what === "key" ? keys[name] : keys[name].split("_").at(-2)));

function incoming({ method, scheme = "http", host, target, headers, body }, fill) {
  const all = new Map([["host", host]]);
  for (const [own, value] of headers) {
    const name = own.toLowerCase();
    const trimmed = fill(value).replace(/^[ \t]+|[ \t]+$/g, "");
    all.set(name, all.has(name) ? `${all.get(name)}, ${trimmed}` : trimmed);
  }
  return called(method, `${scheme}://${host}${fill(target)}`, all, body === undefined ? null : () => opened(body));
}

// The facts of a case that are no request's.
function told(facts) {
  const [head, url = "", ...lines] = facts.split("\n");
  const [method, body] = head.split(" ");
  const headers = new Map();
  for (let at = 0; at < lines.length; at += 2) headers.set(lines[at], lines[at + 1]);
  return called(method, url, headers, body === undefined ? null : () => opened(""));
}

function called(method, url, headers, body) {
  const address = headers.get("cf-connecting-ip");
  return [{ method, url, headers, body }, address === undefined ? {} : { address }];
}

function opened(base64) {
  const bytes = Uint8Array.from(atob(base64), (symbol) => symbol.charCodeAt(0));
  return new ReadableStream({
    start(out) {
      if (bytes.length > 0) out.enqueue(bytes);
      out.close();
    },
  });
}
