// What was typed, and what is shown once, is not lost: whoever is too fast, too late, or not answered.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { askForKey, escape, launch, makeKey, owner, ready, signInAgain, store, until, use, visit } from "./browser.mjs";

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

/** By the session of a page. */
const api = (page, method, path, body) =>
  page.evaluate(async ([url, method, body]) => {
    const headers = body ? { "content-type": "application/json" } : {};
    const answer = await fetch(url, { method, headers, body: body && JSON.stringify(body) });
    return { status: answer.status, body: await answer.json().catch(() => null) };
  }, [`/api/v1/workspaces/${ready.workspace}${path}`, method, body]);

/** What is sent to a path from now on, each held for a while. */
async function slowly(page, path) {
  const sent = [];
  await page.route(path, async (route) => {
    sent.push({ once: route.request().headers()["idempotency-key"], body: route.request().postDataJSON() });
    await new Promise((resolve) => setTimeout(resolve, 300));
    await route.continue();
  });
  return sent;
}

test("a key is rotated once, however often it is asked, and its secret stays", async () => {
  const { page, context } = await owner(browser);
  await makeKey(page, "twice");
  const sent = await slowly(page, "**/rotate");
  await page.getByRole("button", { name: "Rotate" }).click();
  const rotate = page.getByRole("dialog").getByRole("button", { name: "Rotate" });
  await rotate.evaluate((own) => {
    own.form.requestSubmit();
    own.form.requestSubmit();
  });
  await page.getByRole("heading", { name: "Store the secret now" }).waitFor();
  await page.waitForTimeout(600);
  assert.equal((await use(await page.getByLabel("API key").inputValue())).status, 200);
  assert.equal(sent.length, 1);
  await context.close();
});

test("a rotation that was not answered is asked for again as it was; another is another", async () => {
  const { page, context } = await owner(browser);
  await makeKey(page, "unanswered");
  const sent = [];
  await page.route("**/rotate", (route) => {
    sent.push([route.request().headers()["idempotency-key"], route.request().postData()]);
    return route.abort();
  });
  await page.getByRole("button", { name: "Rotate" }).click();
  const dialog = page.getByRole("dialog");
  const press = async (times) => {
    await dialog.getByRole("button", { name: "Rotate" }).click();
    await until("it is sent", () => sent.length === times);
    await dialog.getByRole("alert").waitFor();
  };
  await press(1);
  await press(2);
  await dialog.getByLabel("The old secret works for").selectOption("0");
  await press(3);
  assert.deepEqual(sent[1], sent[0]);
  assert.ok(sent[2][0] !== sent[0][0] && sent[2][1] !== sent[0][1]);
  await context.close();
});

test("a key whose answer was lost is not made twice", async () => {
  const { page, context } = await owner(browser);
  await visit(page, "keys/new", "New key");
  await page.getByLabel("Name").fill("answer-lost");
  await page.getByRole("button", { name: "+ agents:read" }).click();
  const sent = [];
  page.on("request", (request) => request.method() === "POST" && sent.push([request.headers()["idempotency-key"], request.postData()]));
  await page.evaluate(() => {
    const { fetch } = window;
    window.fetch = async (...asked) => {
      window.fetch = fetch;
      await fetch(...asked);
      throw new TypeError("the network is gone");
    };
  });
  const make = page.getByRole("button", { name: "Make the key" });
  await make.click();
  await page.getByText("Portcullis cannot be reached").waitFor();
  // Its end is counted from now, in seconds.
  await page.waitForTimeout(1_500);
  await make.click();
  await page.getByRole("heading", { name: "Made before" }).waitFor();
  assert.deepEqual(sent[1], sent[0]);
  await page.getByRole("link", { name: "Go on" }).click();
  await page.getByRole("heading", { name: "answer-lost", level: 1 }).waitFor();
  const { body } = await api(page, "GET", "/api-keys?limit=100");
  assert.equal(body.keys.filter(({ name, status }) => name === "answer-lost" && status === "active").length, 1);
  await context.close();
});

test("a member whom nobody could add stays in the form, with what is wrong", async () => {
  const { page, context } = await owner(browser);
  await visit(page, "members", "Members");
  const member = page.getByLabel("Member", { exact: true });
  await member.fill("dev:typed-once");
  const refusal = { code: "VALIDATION_FAILED", message: "Some fields are wrong.", request_id: "a".repeat(32), errors: [{ field: "member", message: "is of no issuer" }] };
  await page.route("**/members/*", (route) => route.fulfill({ status: 422, json: { error: refusal } }), { times: 1 });
  const add = page.getByRole("button", { name: "Add", exact: true });
  await add.click();
  await page.getByText("member is of no issuer").waitFor();
  assert.equal(await member.inputValue(), "dev:typed-once");

  await context.clearCookies();
  await add.click();
  await signInAgain(page, "owner");
  await page.locator("dialog").waitFor({ state: "detached" });
  assert.equal(await member.inputValue(), "dev:typed-once");
  assert.equal(await page.getByRole("alert").count(), 0, "what was for want of a session is over");
  await add.click();
  await page.getByRole("rowheader", { name: "dev:typed-once" }).waitFor();
  assert.equal(await member.inputValue(), "");
  assert.equal((await api(page, "DELETE", "/members/dev:typed-once")).status, 200);
  await context.close();
});

test("a page that could not be loaded for want of a session is, once somebody has signed in", async () => {
  const { page, context } = await owner(browser);
  await context.clearCookies();
  await page.goto(`${ready.admin_url}/#/policy`);
  await signInAgain(page, "owner");
  await page.getByRole("region", { name: "Routes" }).waitFor();
  assert.equal(await page.getByRole("alert").count(), 0);
  await context.close();
});

test("a key works from the time that its form says", async () => {
  const { page, context } = await owner(browser);
  const inUtc = (millis) => new Date(Date.now() + millis).toISOString().slice(0, 16);
  await visit(page, "keys/new", "New key");
  await page.getByLabel("Name").fill("later");
  await page.getByRole("button", { name: "+ agents:read" }).click();
  await page.getByLabel("Works from").fill(inUtc(86_400_000));
  await page.getByLabel("Expires").first().selectOption("at");
  await page.getByLabel("Expires at (UTC)").fill(inUtc(3_600_000));
  await page.getByRole("button", { name: "Make the key" }).click();
  await page.getByText("has to be before the end").waitFor();
  await page.getByLabel("Expires at (UTC)").fill(inUtc(172_800_000));
  await page.getByRole("button", { name: "Make the key" }).click();
  await page.getByRole("heading", { name: "Store the secret now" }).waitFor();
  const secret = await page.getByLabel("API key").inputValue();
  await store(page);
  await page.getByRole("heading", { name: "later", level: 1 }).waitFor();
  const main = page.locator("main");
  assert.match(await main.innerText(), /Status\s+waiting[\s\S]*Works from/);
  assert.equal((await use(secret)).status, 401);
  await page.getByRole("link", { name: "Edit" }).click();
  assert.notEqual(await page.getByLabel("Works from").inputValue(), "");
  await page.getByLabel("Works from").fill("");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("heading", { name: "later", level: 1 }).waitFor();
  assert.match(await main.innerText(), /Status\s+active/);
  assert.doesNotMatch(await main.innerText(), /Works from/);
  await until("the gate knows", async () => (await use(secret)).status === 200);
  await context.close();
});

test("a key that cannot be enabled says why", async () => {
  const { page, context } = await owner(browser);
  const { kid } = await makeKey(page, "held");
  await api(page, "POST", `/api-keys/${kid}/disable`);
  await page.reload();
  await page.route("**/enable", (route) => route.fulfill({ status: 503, json: { error: { code: "AUTH_UNAVAILABLE", message: "Try again soon.", request_id: "a".repeat(32) } } }), { times: 1 });
  const enable = page.getByRole("button", { name: "Enable" });
  await enable.click();
  await page.getByRole("alert").getByText("Try again soon.").waitFor();
  await enable.click();
  await page.getByText(/The key is enabled/).waitFor();
  assert.equal(await page.getByRole("alert").count(), 0);
  await context.close();
});

test("a key that was changed elsewhere is loaded anew under what was typed", async () => {
  const { page, context } = await owner(browser);
  const { kid } = await makeKey(page, "of-two");
  await visit(page, `keys/${kid}/edit`, "Edit key");
  await page.getByLabel("Description").fill("mine");
  assert.equal((await api(page, "PATCH", `/api-keys/${kid}`, { name: "theirs" })).status, 200);
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("The key was changed elsewhere").waitFor();
  assert.equal(await page.getByLabel("Description").inputValue(), "mine");
  await page.getByRole("button", { name: "Load the key anew" }).click();
  await until("it is loaded", async () => (await page.getByLabel("Name").inputValue()) === "theirs");
  assert.equal(await page.getByText("The key was changed elsewhere").count(), 0);
  assert.equal(await page.getByLabel("Description").inputValue(), "mine");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("heading", { name: "theirs", level: 1 }).waitFor();
  assert.match(await page.locator("main").innerText(), /Description\s+mine/);
  await context.close();
});

test("the webhook's secret is rotated once, if one means it", async () => {
  const { page, context } = await owner(browser);
  await api(page, "DELETE", "/webhooks");
  await visit(page, "alerts", "Alerts");
  await page.getByLabel("URL").fill("https://hooks.example.com/rotated");
  await page.getByRole("button", { name: "Set the webhook" }).click();
  await page.getByRole("heading", { name: "Store the secret now" }).waitFor();
  const before = await page.getByLabel("Secret of the webhook").inputValue();
  await store(page);
  const sent = await slowly(page, "**/webhooks/rotate");
  const dialog = page.getByRole("dialog", { name: "Rotate the secret?" });
  await page.getByRole("button", { name: "Rotate the secret" }).click();
  await dialog.getByRole("button", { name: "Cancel" }).click();
  await page.locator("dialog").waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Rotate the secret" }).click();
  await dialog.getByRole("button", { name: "Rotate" }).dblclick();
  await page.getByRole("heading", { name: "Store the secret now" }).waitFor();
  await page.waitForTimeout(600);
  assert.equal(sent.length, 1);
  assert.notEqual(await page.getByLabel("Secret of the webhook").inputValue(), before);
  assert.equal((await api(page, "DELETE", "/webhooks")).status, 200);
  await context.close();
});

test("limits are saved once, however often it is asked", async () => {
  const { page, context } = await owner(browser);
  await visit(page, "limits", "Limits");
  const sent = await slowly(page, "**/api/v1/workspaces/*");
  await page.getByRole("button", { name: "Save" }).dblclick();
  await page.waitForTimeout(1200);
  assert.equal(sent.filter(({ body }) => body).length, 1);
  await context.close();
});

/** Lets the list of workspaces have another, which is the same by another name. */
async function withAnother(page) {
  const { workspaces } = await page.evaluate(() => fetch("/api/v1/workspaces").then((answer) => answer.json()));
  const json = { workspaces: [...workspaces, { ...workspaces[0], id: "0THERS", name: "Others" }] };
  await page.route("**/api/v1/workspaces", (route) => route.fulfill({ json }));
  await page.route("**/workspaces/0THERS/**", (route) => route.continue({ url: route.request().url().replace("0THERS", ready.workspace) }));
  await page.reload();
  return page.getByRole("combobox", { name: "Workspace" });
}

test("the workspace stays when the page is loaded again, and a secret is not left by a slip", async () => {
  const { page, context } = await owner(browser);
  const choice = await withAnother(page);
  await choice.selectOption("0THERS");
  await page.reload();
  await choice.waitFor();
  assert.equal(await choice.inputValue(), "0THERS");
  await page.getByRole("link", { name: "Usage" }).click();
  await page.getByRole("heading", { name: "Usage", level: 1 }).waitFor();
  await page.reload();
  await page.getByRole("heading", { name: "Usage", level: 1 }).waitFor();
  assert.equal(await choice.inputValue(), "0THERS");
  await choice.selectOption(ready.workspace);

  const secret = await askForKey(page, "not-left");
  await choice.selectOption("0THERS");
  const dialog = page.getByRole("dialog", { name: "Leave the secret?" });
  await dialog.getByRole("button", { name: "Cancel" }).click();
  await page.locator("dialog").waitFor({ state: "detached" });
  assert.equal(await choice.inputValue(), ready.workspace);
  assert.equal(await page.getByLabel("API key").inputValue(), secret);
  await choice.selectOption("0THERS");
  await dialog.getByRole("button", { name: "Leave it" }).click();
  await page.getByLabel("API key").waitFor({ state: "detached" });
  assert.equal(await choice.inputValue(), "0THERS");
  await context.close();
});

test("every way out of a secret that is shown asks first", async () => {
  const { page, context, told } = await owner(browser);
  await visit(page, "usage", "Usage");
  const secret = await askForKey(page, "asked-first");
  const dialog = page.getByRole("dialog", { name: "Leave the secret?" });
  const signOut = page.getByRole("button", { name: "Sign out" });
  const ways = {
    link: () => page.getByRole("link", { name: "Policy" }).click(),
    back: () => page.goBack(),
    address: () => page.evaluate(() => (location.hash = "#/members")),
    "sign out": () => signOut.click(),
  };
  for (const [way, go] of Object.entries(ways)) {
    await go();
    await dialog.waitFor();
    await escape(page);
    assert.equal(await page.getByLabel("API key").inputValue(), secret, way);
    assert.equal(new URL(page.url()).hash, "#/keys/new", way);
  }
  await ways.link();
  await page.goBack();
  await page.locator("dialog").waitFor({ state: "detached" });
  await ways.link();
  await dialog.getByRole("button", { name: "Leave it" }).click();
  await page.getByRole("heading", { name: "Policy", level: 1 }).waitFor();
  assert.equal(new URL(page.url()).hash, "#/policy");
  assert.ok(!(await page.content()).includes(secret));

  await askForKey(page, "left-and-gone-on");
  await ways.link();
  await page.evaluate(() => addEventListener("close", () => (location.hash = "#/keys/new"), { capture: true, once: true }));
  await dialog.getByRole("button", { name: "Leave it" }).click();
  await page.getByRole("heading", { name: "New key", level: 1 }).waitFor();

  await askForKey(page, "asked-by-the-browser");
  assert.equal(told.leaving, 0);
  await page.reload();
  assert.equal(told.leaving, 1);
  await page.getByRole("heading", { name: "New key" }).waitFor();
  await page.reload();

  await askForKey(page, "signed-out");
  await signOut.click();
  await dialog.getByRole("button", { name: "Leave it" }).click();
  await page.getByRole("link", { name: "Sign in" }).waitFor();
  assert.equal(told.leaving, 1);
  await context.close();
});
