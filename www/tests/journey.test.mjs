// The whole way of a key, through the dashboard and the gate.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { askForKey, launch, open, ready, signIn, store, until, use, visit } from "./browser.mjs";

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

test("sign in, make, copy, use, see its use, rotate, revoke, find all of it in the log, sign out", async () => {
  const { page, context, told } = await open(browser);
  await signIn(page, "owner");
  assert.equal(new URL(page.url()).origin, ready.admin_url);

  const secret = await askForKey(page, "journey");
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
  await store(page);
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
