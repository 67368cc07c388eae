// Who sees badly, or holds a phone.

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { askForKey, escape, launch, makeKey, open, ready, signIn, store, until, use, violations, visit } from "./browser.mjs";

let browser;
let kid;
let request;
before(async () => {
  browser = await launch();
  const { page, context } = await open(browser);
  await signIn(page, "owner");
  let secret;
  ({ secret, kid } = await makeKey(page, "ci-production"));
  for (const method of ["GET", "GET", "GET", "POST"]) await use(secret, method);
  const denied = await fetch(`${ready.url}/v1/simulations`, { headers: { authorization: `Bearer ${secret}` } });
  request = denied.headers.get("x-request-id");
  const told = `/api/v1/workspaces/${ready.workspace}/denials/${request}`;
  await until("the denial is told", () => page.evaluate((url) => fetch(url).then(({ ok }) => ok), told));
  await context.close();
});
after(() => browser.close());

const pages = () => [
  ["keys", "Keys"], ["keys/new", "New key"], [`keys/${kid}`, "ci-production"], [`keys/${kid}/edit`, "Edit key"], [`keys/${kid}/try`, "Try it"],
  ["keys/import", "Import keys"], ["usage", "Usage"], ["members", "Members"], ["limits", "Limits"], ["policy", "Policy"], ["explain", "Explain"], ["alerts", "Alerts"],
  [`denials/${request}`, "Denials"], ["audit", "Audit log"], ["nowhere", "Nothing here"],
];

/** Asks about a request that is refused, so that an answer is there to see. */
async function explained(page) {
  await page.getByLabel("URL").fill("https://api.test/v1/simulations");
  await page.getByLabel("Credential").selectOption(kid);
  await page.getByRole("button", { name: "Explain" }).click();
  await page.getByRole("region", { name: "Checks" }).waitFor();
}

const VIEWS = [
  ["light", { colorScheme: "light", viewport: { width: 1280, height: 900 } }],
  ["dark", { colorScheme: "dark", viewport: { width: 1280, height: 900 } }],
  ["phone", { colorScheme: "light", viewport: { width: 320, height: 640 } }],
];

for (const [name, options] of VIEWS) {
  test(`no page breaks a rule of axe-core, nor scrolls sideways: ${name}`, async () => {
    const { page, context } = await open(browser, { ...options, reducedMotion: "reduce" });
    await page.goto(ready.admin_url);
    await page.getByRole("link", { name: "Sign in" }).waitFor();
    assert.deepEqual(await violations(page), [], "signed out");
    await page.screenshot({ path: join(ready.screens, `sign-in-${name}.jpg`), type: "jpeg", quality: 60 });
    await signIn(page, "owner");
    for (const [path, heading] of pages()) {
      await visit(page, path, heading);
      await page.waitForLoadState("networkidle");
      if (path === "explain") await explained(page);
      assert.deepEqual(await violations(page), [], path);
      const [width, inner] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
      assert.ok(width <= inner, `${path} is ${width} wide in ${inner}`);
      if (path === "nowhere") continue;
      const file = path.replace(kid, "key").replace(`/${request}`, "").replaceAll("/", "-");
      await page.screenshot({ path: join(ready.screens, `${file}-${name}.jpg`), type: "jpeg", quality: 60 });
    }
    await askForKey(page, `shown-${name}`);
    assert.deepEqual(await violations(page), [], "a secret");
    await store(page);
    await page.getByRole("heading", { name: `shown-${name}`, level: 1 }).waitFor();
    await visit(page, "keys", "Keys");
    await page.getByRole("button", { name: "Revoke all keys" }).click();
    assert.deepEqual(await violations(page), [], "Revoke all keys");
    await escape(page);
    await visit(page, `keys/${kid}`, "ci-production");
    for (const question of ["Rotate", "Disable", "Revoke"]) {
      await page.getByRole("button", { name: question }).click();
      assert.deepEqual(await violations(page), [], question);
      await escape(page);
    }
    await context.clearCookies();
    await page.goto(`${ready.admin_url}/#/members`);
    await page.getByRole("dialog", { name: "Your session has ended" }).waitFor();
    assert.deepEqual(await violations(page), [], "the end of the session");
    await context.close();
  });
}

test("the texts of charts are legible on a phone", async () => {
  const { page, context } = await open(browser, VIEWS.at(-1)[1]);
  await signIn(page, "owner");
  await visit(page, "usage", "Usage");
  for (const [days, bars] of [["1", 24], ["7", 7], ["30", 30], ["90", 90]]) {
    await page.getByLabel("Show").selectOption(days);
    await page.waitForFunction((bars) => document.querySelectorAll(".chart g").length === bars, bars);
    const texts = await page.locator(".chart text").evaluateAll((all) =>
      all.map((own) => ({ size: parseFloat(getComputedStyle(own).fontSize) * own.getScreenCTM().a, ...own.getBoundingClientRect().toJSON() })).filter(({ width }) => width > 0),
    );
    assert.ok(texts.length >= 4, `${texts.length} texts`);
    for (const one of texts) {
      assert.ok(one.size >= 11 && one.left >= 0 && one.right <= 320, `${days} days: ${JSON.stringify(one)}`);
      const over = texts.filter((other) => other !== one && other.left < one.right && one.left < other.right && other.top < one.bottom && one.top < other.bottom);
      assert.deepEqual(over, [], `${days} days: a text lies over ${JSON.stringify(one)}`);
    }
  }
  await context.close();
});
