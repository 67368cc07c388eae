// What single pages are for.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash, createHmac, randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { launch, makeKey, owner, ready, store, until, use, visit } from "./browser.mjs";

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

const cells = (page, region) => page.getByRole("region", { name: region }).getByRole("row").evaluateAll((rows) => rows.slice(1).map((row) => [...row.cells].map((cell) => cell.innerText)));

test("the policy is shown, and the form offers its scopes, tiers and hosts", async () => {
  const { page, context } = await owner(browser);
  await visit(page, "policy", "Policy");
  const routes = await cells(page, "Routes");
  assert.deepEqual(routes.find(([path, methods]) => path === "/v1/agents" && methods === "POST")?.slice(2, 4), ["key, session, oauth", "agents:write"]);
  assert.deepEqual(await cells(page, "Tiers"), [["free", "100 in 3,600 s, 10 at once"], ["pro", "1,000 in 3,600 s, 100 at once"]]);
  assert.doesNotMatch(await page.locator("main").innerText(), /ORIGIN|127\.0\.0\.1:8788|dev:owner/);

  await visit(page, "keys/new", "New key");
  const offered = await page.getByRole("list", { name: "Scopes to add" }).getByRole("button").allInnerTexts();
  // POST …/runs is for people alone, by a scope that keys use elsewhere.
  assert.deepEqual(offered, ["read", "write", "admin:read", "admin:write", "agents:read", "agents:write", "simulations:read", "simulations:write"].map((scope) => `+ ${scope}`));
  await page.getByLabel("Name").fill("of-a-tier");
  await page.getByRole("button", { name: "+ agents:read" }).click();
  await page.getByLabel("Tier").selectOption("free");
  await page.getByRole("button", { name: "Make the key" }).click();
  await store(page);
  await page.getByRole("heading", { name: "of-a-tier" }).waitFor();
  assert.match(await page.locator("main").innerText(), /Tier\s+free/);
  await page.getByRole("link", { name: "Edit" }).click();
  await page.getByLabel("Tier").selectOption("");
  await page.getByLabel("Requests").fill("50");
  await page.getByLabel("at once").fill("5");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("50 in 3,600 s, 5 at once").waitFor();
  await context.close();
});

test("a refused request is explained check by check", async () => {
  const { page, context } = await owner(browser);
  const { secret, kid } = await makeKey(page, "explained", "agents:read");
  const refused = await fetch(`${ready.url}/v1/simulations?token=x`, { headers: { authorization: `Bearer ${secret}` } });
  const { error } = await refused.json();
  await until("it is told", async () => {
    await visit(page, "denials", "Denials");
    await page.getByLabel("Request id").fill(error.request_id);
    await page.getByRole("button", { name: "Find" }).click();
    await page.getByRole("region", { name: "Checks" }).or(page.getByRole("alert")).waitFor();
    return (await page.getByRole("alert").count()) === 0;
  });
  await page.getByRole("heading", { name: "GET /v1/simulations: PERMISSION_DENIED" }).waitFor();
  const told = Object.fromEntries((await cells(page, "Checks")).map(([check, ...rest]) => [check, rest]));
  assert.deepEqual(told.scope, ["refused", "needs simulations:read; the key has agents:read"]);
  assert.equal(told.route[0], "passed");
  assert.equal(told.limits[0], "not reached");
  await page.getByRole("link", { name: kid }).click();
  await page.getByRole("heading", { name: "explained" }).waitFor();
  await context.close();
});

test("the last denials are listed, filtered, and each leads to its checks", async () => {
  const { page, context } = await owner(browser);
  const keys = [await makeKey(page, "denied-1", "agents:read"), await makeKey(page, "denied-2", "agents:read")];
  const send = (secret, path, method = "GET") => fetch(ready.url + path, { method, headers: { authorization: `Bearer ${secret}` } });
  await send(keys[0].secret, "/v1/simulations");
  await send(keys[0].secret, "/v1/agents", "POST");
  await send(keys[1].secret, "/v1/agents/a1/runs", "POST");
  const region = "The last denials";
  await visit(page, "keys", "Keys");
  await visit(page, "denials", "Denials");
  await until("all are told", async () => {
    const again = page.getByRole("button", { name: "Load again" });
    if ((await again.count()) > 0) await again.click();
    const rows = (await page.getByRole("region", { name: region }).count()) === 0 ? [] : await cells(page, region);
    return rows.filter((row) => keys.some(({ kid }) => row.includes(kid))).length === 3;
  });
  await page.getByRole("combobox", { name: "Key", exact: true }).selectOption(keys[0].kid);
  assert.deepEqual((await cells(page, region)).map(([request, code]) => [request.split("\n")[0], code]).toSorted(), [
    ["GET /v1/simulations", "PERMISSION_DENIED"], ["POST /v1/agents", "PERMISSION_DENIED"],
  ]);
  await page.getByRole("combobox", { name: "Key", exact: true }).selectOption("");
  await page.getByRole("combobox", { name: "Code", exact: true }).selectOption("API_KEY_NOT_ALLOWED");
  const [row, ...more] = await cells(page, region);
  assert.ok(more.every(([, code]) => code === "API_KEY_NOT_ALLOWED"));
  assert.deepEqual([row[0].split("\n")[0], row[1], row[4]], ["POST /v1/agents/{agent_id}/runs", "API_KEY_NOT_ALLOWED", keys[1].kid]);
  await page.getByRole("link", { name: "POST /v1/agents/{agent_id}/runs" }).first().click();
  const heading = page.getByRole("heading", { name: "POST /v1/agents/{agent_id}/runs: API_KEY_NOT_ALLOWED" });
  await heading.waitFor();
  assert.ok(await heading.evaluate((own) => own === document.activeElement), "what was chosen is in view");
  assert.equal(await page.getByLabel("Request id").inputValue(), row[0].split("\n")[1]);
  assert.equal(await page.getByRole("combobox", { name: "Code", exact: true }).inputValue(), "API_KEY_NOT_ALLOWED", "the list is as it was");
  await context.close();
});

test("a request that nobody has sent is explained in the page, by the gate's own decision", async () => {
  const { page, context, told } = await owner(browser);
  const { kid } = await makeKey(page, "unsent", "agents:read");
  await visit(page, "explain", "Explain");
  assert.ok(!told.requests.some((url) => url.endsWith(".wasm")), "nothing is fetched unasked");
  const explain = async (fields, heading) => {
    for (const [label, value] of Object.entries(fields)) {
      const field = page.getByLabel(label, { exact: true });
      (await field.evaluate((own) => own.tagName)) === "SELECT" ? await field.selectOption(value) : await field.fill(value);
    }
    await page.getByRole("button", { name: "Explain" }).click();
    await page.getByRole("heading", { name: heading }).waitFor();
    return Object.fromEntries((await cells(page, "Checks")).map(([check, ...rest]) => [check, rest]));
  };
  const sent = [];
  page.on("request", (request) => sent.push([request.method(), new URL(request.url()).pathname, request.postData()]));
  const missing = await explain({ URL: "https://api.test/v1/simulations?secret=1", Credential: "nobody" }, /^Refused: 401 MISSING_API_KEY/);
  assert.deepEqual(missing.credential, ["refused", "takes key, session, oauth"]);
  const refused = await explain({ Credential: kid }, /^Refused: 403 PERMISSION_DENIED/);
  assert.deepEqual(refused.route, ["passed", "GET, HEAD /v1/simulations"]);
  assert.deepEqual(refused.scope, ["refused", "needs simulations:read; the key has agents:read"]);
  assert.equal(refused.limits[0], "not reached");
  const open = await explain({ URL: "https://api.test/v1/agents" }, "Open: its Workspace knows what is left");
  assert.equal(open.limits[0], "open");
  const person = await explain({ Credential: "person", "Scopes of the token": "agents:read" }, "Allowed");
  assert.deepEqual(person.scope, ["passed", "needs agents:read; the token has agents:read"]);
  assert.equal(person.secret, undefined);
  await explain({ Method: "POST", Whose: "nobody:x" }, "Explain");
  await page.getByRole("alert").getByText("the policy names no such issuer").waitFor();
  await explain({ Method: "GET", URL: "https://elsewhere.test/", Credential: kid }, /^Refused: 421 UNKNOWN_HOST/);
  assert.equal(sent.filter(([, path]) => path.endsWith(".wasm")).length, 1, "it is fetched once");
  assert.ok(sent.every(([method, path, body]) => method === "GET" && body === null && /^\/(api\/v1\/workspaces\/\w+(\/policy|\/api-keys)?|assets\/explain-[0-9a-f]{8}\.wasm)$/.test(path)), JSON.stringify(sent));
  assert.ok(!page.url().includes("secret=1"));

  // By what the key is now.
  const before = await explain({ URL: "https://api.test/v1/agents" }, /^Open/);
  assert.match(before["status and dates"][1], /^active, until 20\d\d-\d\d-\d\dT/);
  await page.evaluate(([space, kid]) => fetch(`/api/v1/workspaces/${space}/api-keys/${kid}/disable`, { method: "POST" }), [ready.workspace, kid]);
  const disabled = await explain({}, /^Refused: 401 DISABLED_API_KEY/);
  assert.equal(disabled["status and dates"][0], "refused");
  assert.match(disabled["status and dates"][1], /^disabled\b/);

  await page.route("**/*.wasm", (route) => route.abort());
  await page.reload();
  await page.getByRole("heading", { name: "Explain" }).waitFor();
  await page.getByRole("button", { name: "Explain" }).click();
  await page.getByRole("alert").getByText(/cannot be reached/).waitFor();
  await page.unroute("**/*.wasm");
  await page.getByRole("button", { name: "Explain" }).click();
  await page.getByRole("region", { name: "Checks" }).waitFor();
  assert.deepEqual([told.violations, told.errors], [[], []]);
  await context.close();
});

test("a signature that does not hold is compared with what was signed", async () => {
  const { page, context } = await owner(browser);
  await visit(page, "keys/new", "New key");
  await page.getByLabel("Name").fill("signs");
  await page.getByRole("button", { name: "+ agents:read" }).click();
  await page.getByLabel("Signatures").selectOption("required");
  await page.getByLabel("Version").selectOption("v1");
  await page.getByRole("button", { name: "Make the key" }).click();
  await page.getByText("choose the hosts").waitFor();
  await page.getByRole("checkbox", { name: "127.0.0.1" }).check();
  await page.getByRole("button", { name: "Make the key" }).click();
  await page.getByRole("heading", { name: "Store the secret now" }).waitFor();
  const [key, signing] = [await page.getByLabel("API key").inputValue(), await page.getByLabel("Signing secret").inputValue()];
  await store(page);
  await page.getByRole("heading", { name: "signs", level: 1 }).waitFor();
  const kid = page.url().split("/").at(-1);
  const send = async (signed, sent) => {
    const time = String(Math.floor(Date.now() / 1000));
    const signature = createHmac("sha256", signing).update(`GET\n${signed}\n${time}\n`).digest("hex");
    const headers = { authorization: `Bearer ${key}`, "x-signature": signature, "x-timestamp": time };
    const answer = await fetch(ready.url + sent, { headers });
    return { status: answer.status, text: await answer.text(), time };
  };
  assert.equal((await send("/v1/agents?a=1", "/v1/agents?a=1")).status, 200);
  assert.doesNotMatch((await send("/v1/agents", "/v1/agents?a=1")).text, /sha256/, "nothing is explained unasked");

  await page.getByRole("link", { name: "Edit" }).click();
  await page.getByLabel("Explain signatures").selectOption("3600");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText(/required, v1, on 127\.0\.0\.1, explained until/).waitFor();
  let refused;
  await until("the gate knows", async () => {
    refused = await send("/v1/agents", "/v1/agents?a=1");
    return refused.text.includes("sha256");
  });
  await visit(page, "denials", "Denials");
  const asked = [];
  page.on("request", (request) => asked.push(request.url()));
  await page.getByLabel("The refusal").fill(refused.text);
  for (const [part, text] of [["method", "GET"], ["target", "/v1/agents"], ["timestamp", refused.time]]) await page.getByLabel(part, { exact: true }).fill(text);
  await page.getByText("The first that differs: target.").waitFor();
  await page.getByLabel("target", { exact: true }).fill("/v1/agents?a=1");
  await page.getByText("All parts are the same").waitFor();
  assert.deepEqual(asked, [], "nothing of it is sent");

  await visit(page, `keys/${kid}/edit`, "Edit key");
  await page.getByLabel("Version").selectOption("v2");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("heading", { name: "Store the secret now" }).waitFor();
  assert.notEqual(await page.getByLabel("Signing secret").inputValue(), signing, "other rules, another secret");
  await context.close();
});

test("what is offered to try a key is what the key may ask, signed as it has to be", async () => {
  const { page, context } = await owner(browser);
  const { kid } = await makeKey(page, "tried", "simulations:read");
  await visit(page, `keys/${kid}/try`, "Try it");
  assert.equal(await page.getByRole("textbox", { name: "URL" }).inputValue(), "https://127.0.0.1/v1/simulations");
  assert.match(await page.getByLabel("Request by curl").innerText(), /"\$PORTCULLIS_API_KEY" \|/);

  const folder = mkdtempSync(join(tmpdir(), "portcullis-"));
  const [, module] = readFileSync(new URL("../../docs/signatures.md", import.meta.url), "utf8").match(/```python file=sign\.py\n([^]*?)```/);
  writeFileSync(join(folder, "sign.py"), module);
  for (const [mode, version] of [["only", "v2"], ["required", "v1"]]) {
    await visit(page, "keys/new", "New key");
    await page.getByLabel("Name").fill(`tried-${mode}`);
    await page.getByRole("button", { name: "+ agents:write" }).click();
    await page.getByLabel("Signatures").selectOption(mode);
    await page.getByLabel("Version").selectOption(version);
    if (version === "v1") {
      await page.getByRole("checkbox", { name: "127.0.0.1" }).check();
      await page.getByRole("checkbox", { name: "X-Nonce" }).check();
    }
    await page.getByRole("button", { name: "Make the key" }).click();
    await page.getByRole("heading", { name: "Store the secret now" }).waitFor();
    const secrets = { PORTCULLIS_API_KEY: await page.getByLabel("API key").inputValue(), PORTCULLIS_SIGNING_SECRET: await page.getByLabel("Signing secret").inputValue() };
    if (mode === "only") delete secrets.PORTCULLIS_API_KEY;
    await store(page);
    await page.getByRole("heading", { name: `tried-${mode}`, level: 1 }).waitFor();
    await page.getByRole("link", { name: "Try it" }).click();
    await page.getByRole("heading", { name: "Try it", level: 1 }).waitFor();
    await page.getByRole("textbox", { name: "URL" }).fill(`${ready.url}/v1/agents`);
    assert.equal(await page.getByLabel("Method").inputValue(), "POST");
    await page.getByLabel("Body (JSON)").fill('{"name":"tried"}');
    const text = await page.locator("main").innerText();
    assert.match(await page.getByLabel("Request by curl").innerText(), new RegExp(`portcullis sign -X POST --signature ${mode} --signature-version ${version}`));
    assert.match(await page.getByLabel("Request by JavaScript").innerText(), /createClient\(\{ signer:/);
    assert.equal(/Bearer|PORTCULLIS_API_KEY/.test(text), mode === "required");
    const code = await page.getByLabel("Request by Python").innerText();
    const answer = execFileSync("python3", ["-c", code], { cwd: folder, env: { PATH: process.env.PATH, ...secrets }, encoding: "utf8" });
    assert.match(answer, /POST/, "it is forwarded");
  }
  await context.close();
});

test("a key of elsewhere is imported by its hash alone, and works", async () => {
  const { page, context } = await owner(browser);
  const key = randomBytes(32).toString("base64");
  const sent = [];
  page.on("request", (request) => sent.push(request.postData() ?? ""));
  await visit(page, "keys/import", "Import keys");
  await page.getByLabel("Key", { exact: true }).fill(key);
  await page.getByLabel("Name").fill("from-elsewhere");
  await page.getByRole("button", { name: "Add to the list" }).click();
  assert.equal(await page.getByLabel("Key", { exact: true }).inputValue(), "");
  await page.getByRole("button", { name: "+ agents:read" }).click();
  await page.getByRole("button", { name: "Import", exact: true }).click();
  await page.getByText("from-elsewhere: created").waitFor();
  assert.ok(sent.some((body) => body.includes(createHash("sha256").update(key).digest("hex"))));
  assert.ok(!sent.some((body) => body.includes(key)), "the key stays here");
  await until("KV shows it", async () => (await use(key)).status === 200, 20_000);
  await context.close();
});

test("use is told by product and by what is on trial, and no cell of a file is a formula", async () => {
  const { page, context } = await owner(browser);
  await makeKey(page, "=HYPERLINK(A1)");
  const hour = `${new Date().toISOString().slice(0, 13)}:00:00Z`;
  const product = { "=evil": { requests: 2, coins: 6 } };
  const hours = [{ hour, exact: 3, at_most: 4, coins: 7, products: product, denied: { RATE_LIMITED: 1 }, would_deny: { PERMISSION_DENIED: 2 } }];
  await page.route("**/usage?*", (route) => route.fulfill({ json: { hours, last_used: hour, budgets: [] } }));
  await visit(page, "usage", "Usage");
  const [row] = await cells(page, "Usage as a table");
  assert.deepEqual(row.slice(1), ["3", "4", "7", "1", "1", "6", "2", "2"]);
  const saved = async () => {
    const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Export as CSV" }).click()]);
    return readFileSync(await file.path(), "utf8");
  };
  assert.match(await saved(), /^Time,Allowed,Allowed at most,Coins,Denied,RATE_LIMITED,'=evil: coins,'=evil: requests,on trial: PERMISSION_DENIED\r\n/);
  await visit(page, "audit", "Audit log");
  const audit = await saved();
  assert.match(audit, /HYPERLINK/);
  assert.doesNotMatch(audit, /(^|,)"?[=+@-]/m);
  await context.close();
});

test("every key is revoked at once, if one means it", async () => {
  const { page, context } = await owner(browser);
  const { secret } = await makeKey(page, "one-of-all");
  assert.equal((await use(secret)).status, 200);
  await visit(page, "keys", "Keys");
  await page.getByRole("button", { name: "Revoke all keys" }).click();
  const dialog = page.getByRole("dialog", { name: "Revoke every key?" });
  const revoke = dialog.getByRole("button", { name: "Revoke them all" });
  await dialog.getByRole("textbox").fill("yes");
  assert.ok(await revoke.isDisabled(), "not by a slip");
  await dialog.getByRole("textbox").fill(ready.workspace);
  await revoke.click();
  await page.getByText("Every key is revoked, everywhere").waitFor();
  assert.deepEqual(await use(secret), { status: 401, code: "REVOKED_API_KEY" });
  await page.getByRole("button", { name: "Revoke all keys" }).waitFor({ state: "detached" });
  await context.close();
});
