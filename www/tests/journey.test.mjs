// The whole way of a key, through the dashboard and the gate.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, makeKey, open, ready, signIn, until, use, visit } from "./browser.mjs";

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

test("sign in, make, copy, use, see its use, rotate, revoke, find all of it in the log, sign out", async () => {
  const { page, context, told } = await open(browser);
  await signIn(page, "owner");
  assert.equal(new URL(page.url()).origin, ready.admin_url);

  const secret = await makeKey(page, "journey");
  await page.getByRole("button", { name: "Copy" }).click();
  await page.getByText("Copied.").waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), secret);
  const done = page.getByRole("button", { name: "Done" });
  assert.ok(await done.isDisabled(), "not before it is stored");
  await page.getByLabel("I have stored it").check();
  await done.click();
  await page.getByRole("heading", { name: "journey", level: 1 }).waitFor();
  const kid = page.url().split("/").at(-1);
  assert.ok(secret.includes(kid));
  assert.ok(!(await page.content()).includes(secret), "it is shown once");

  assert.equal((await use(secret)).status, 200);
  assert.equal((await use(secret, "POST")).code, "PERMISSION_DENIED");
  await until("the key's last use and its usage are shown", async () => {
    await page.reload();
    await page.getByRole("heading", { name: "journey", level: 1 }).waitFor();
    const text = await page.locator("main").innerText();
    return /Last used\s+(now|\d+ seconds? ago)/.test(text) && text.includes("1 allowed, 1 denied");
  });

  await page.getByRole("button", { name: "Rotate" }).click();
  await page.getByLabel("The old secret works for").selectOption("3600");
  await page.getByRole("dialog").getByRole("button", { name: "Rotate" }).click();
  await page.getByRole("heading", { name: "Store the secret now" }).waitFor();
  const next = await page.getByLabel("API key").inputValue();
  await page.getByLabel("I have stored it").check();
  await page.getByRole("button", { name: "Done" }).click();
  assert.deepEqual([(await use(next)).status, (await use(secret)).status], [200, 200], "both work");
  await until("the old secret's last use is shown", async () => {
    await page.reload();
    await page.getByRole("region", { name: "Secrets" }).waitFor();
    return /old \(0\).*ago|old \(0\).*now/s.test(await page.getByRole("region", { name: "Secrets" }).innerText());
  });

  await page.getByRole("button", { name: "Revoke" }).click();
  await page.getByRole("button", { name: "Revoke for good" }).click();
  await page.getByText(/The key is revoked\. It is in effect everywhere in \d s/).waitFor();
  await page.getByText(/The key is revoked, everywhere/).waitFor();
  assert.deepEqual(await use(next), { status: 401, code: "REVOKED_API_KEY" });
  assert.equal(await page.getByRole("button", { name: "Rotate" }).count(), 0);

  await visit(page, "audit", "Audit log");
  const log = await page.getByRole("region", { name: "Changes" }).innerText();
  for (const action of ["key.create", "key.rotate", "key.revoke"]) {
    assert.match(log, new RegExp(`dev:owner[^\\n]*\\s+${action}\\s+${kid}`), action);
  }
  await page.getByRole("button", { name: "Check the chain" }).click();
  await page.getByText(/The chain is whole: \d+ entries/).waitFor();

  const cookies = await context.cookies();
  const session = cookies.find(({ name }) => name === "__Host-portcullis");
  assert.deepEqual([session.httpOnly, session.secure, session.sameSite, session.path], [true, true, "Strict", "/"]);
  assert.ok(!cookies.some(({ value }) => value.includes("eyJ")), "no token is in a cookie");
  assert.equal(await page.evaluate(() => document.cookie), "");
  assert.deepEqual(await page.evaluate(() => [Object.keys(localStorage), Object.keys(sessionStorage)]), [[], []]);

  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("link", { name: "Sign in" }).waitFor();
  await context.addCookies([session]);
  const again = await page.evaluate(() => fetch("/api/v1/me").then(({ status }) => status));
  assert.equal(again, 401, "a copy of the cookie is ended too");

  const own = [ready.admin_url, new URL(ready.issuer_url).origin];
  assert.deepEqual(told.requests.filter((url) => !own.includes(new URL(url).origin)), [], "nothing else is loaded");
  assert.deepEqual([told.violations, told.errors, told.dialogs], [[], [], []]);
  await context.close();
});

test("a session that ends under a form loses nothing of it", async () => {
  const { page, context } = await open(browser);
  await signIn(page, "owner");
  await visit(page, "keys/new", "New key");
  await page.getByLabel("Name").fill("survivor");
  await page.getByRole("button", { name: "+ read" }).click();
  await context.clearCookies();
  await page.getByRole("button", { name: "Make the key" }).click();
  const dialog = page.getByRole("dialog", { name: "Your session has ended" });
  await dialog.waitFor();
  const [tab] = await Promise.all([context.waitForEvent("page"), dialog.getByRole("link", { name: "Sign in" }).click()]);
  await tab.getByText("owner", { exact: true }).click();
  await tab.getByRole("heading", { name: "Keys", level: 1 }).waitFor();
  await dialog.waitFor({ state: "hidden" });
  assert.equal(await page.getByLabel("Name").inputValue(), "survivor");
  await page.getByRole("button", { name: "Make the key" }).click();
  await page.getByRole("heading", { name: "Store the secret now" }).waitFor();
  await context.close();
});

test("without a network nothing is lost and the page says so", async () => {
  const { page, context } = await open(browser);
  await signIn(page, "owner");
  await visit(page, "keys/new", "New key");
  await page.getByLabel("Name").fill("offline");
  await page.getByRole("button", { name: "+ read" }).click();
  await context.setOffline(true);
  await page.getByRole("button", { name: "Make the key" }).click();
  await page.getByText("Portcullis cannot be reached").waitFor();
  await context.setOffline(false);
  await page.getByRole("button", { name: "Make the key" }).click();
  await page.getByRole("heading", { name: "Store the secret now" }).waitFor();
  await context.close();
});

test("a member sees no control that would fail, and the server refuses them anyway", async () => {
  const { page, context } = await open(browser);
  await signIn(page, "owner");
  await makeKey(page, "for-members");
  await page.getByLabel("I have stored it").check();
  await page.getByRole("button", { name: "Done" }).click();
  await page.getByRole("heading", { name: "for-members", level: 1 }).waitFor();
  const kid = page.url().split("/").at(-1);
  await context.close();

  const member = await open(browser);
  await signIn(member.page, "member");
  const names = async () => (await member.page.getByRole("button").or(member.page.getByRole("link")).allInnerTexts()).join("|");
  assert.doesNotMatch(await names(), /New key|Audit|Denials/);
  await visit(member.page, `keys/${kid}`, "for-members");
  assert.doesNotMatch(await names(), /Edit|Rotate|Revoke|Disable|Enable/);
  await visit(member.page, "members", "Members");
  assert.doesNotMatch(await names(), /Remove|Add/);
  await visit(member.page, "limits", "Limits");
  assert.doesNotMatch(await names(), /Save/);
  for (const path of ["keys/new", "audit", "denials"]) await visit(member.page, path, "Nothing here");
  const statuses = await member.page.evaluate(async ([workspace, kid]) => {
    const base = `/api/v1/workspaces/${workspace}`;
    const send = (method, path, body) =>
      fetch(base + path, { method, headers: { "content-type": "application/json" }, body }).then(({ status }) => status);
    return Promise.all([
      send("POST", "/api-keys", '{"scopes":["read"]}'), send("DELETE", `/api-keys/${kid}`), send("PATCH", `/api-keys/${kid}`, '{"name":"x"}'),
      send("POST", `/api-keys/${kid}/rotate`, '{"grace_seconds":0}'), send("POST", `/api-keys/${kid}/disable`),
      send("PUT", "/members/dev:x", '{"role":"member"}'), send("PATCH", "", '{"name":"x"}'), send("GET", "/audit"),
    ]);
  }, [ready.workspace, kid]);
  assert.deepEqual(statuses, Array(8).fill(403));
  await member.context.close();
});
