// What a page is before it knows, when it cannot know, and when nobody is signed in any more.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, open, ready, signIn, signInAgain, visit } from "./browser.mjs";

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

test("a session that ends under a form loses nothing of it", async () => {
  const { page, context } = await open(browser);
  await signIn(page, "owner");
  await visit(page, "keys/new", "New key");
  await page.getByLabel("Name").fill("survivor");
  await page.getByRole("button", { name: "+ read" }).click();
  await context.clearCookies();
  await page.getByRole("button", { name: "Make the key" }).click();
  await signInAgain(page, "owner");
  await page.locator("dialog").waitFor({ state: "detached" });
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

/** Each page, and a path of the API that it asks first. */
const PAGES = [
  ["keys", "Keys", "**/api-keys?*"], ["keys/new", "New key", "**/policy"], ["keys/import", "Import keys", "**/policy"],
  ["usage", "Usage", "**/usage?*"], ["members", "Members", "**/members"], ["limits", "Limits", "**/workspaces/*"],
  ["policy", "Policy", "**/policy"], ["alerts", "Alerts", "**/webhooks"], ["explain", "Explain", "**/policy"],
  ["denials", "Denials", "**/denials"], ["denials/x", "Denials", "**/denials/*"], ["audit", "Audit log", "**/audit?*"],
];

test("every page says that it loads, what went wrong, and tries again", async () => {
  const { page, context, told } = await open(browser);
  await signIn(page, "owner");
  for (const [path, heading, url] of PAGES) {
    await visit(page, "nowhere", "Nothing here");
    let answer;
    const held = new Promise((resolve) => (answer = resolve));
    await page.route(url, async (route) => {
      await held;
      return route.fulfill({ status: 503, json: { error: { code: "AUTH_UNAVAILABLE", message: "Try again soon.", request_id: "a".repeat(32) } } });
    }, { times: 1 });
    await page.goto(`${ready.admin_url}/#/${path}`);
    await page.getByRole("heading", { name: heading, level: 1 }).waitFor();
    await page.getByRole("status").filter({ hasText: "Loading" }).first().waitFor();
    answer();
    const alert = page.getByRole("alert");
    await alert.waitFor();
    assert.match(await alert.innerText(), /Try again soon\.\s+AUTH_UNAVAILABLE · request a{32}/, path);
    if (path === "denials/x") continue;
    await alert.getByRole("button", { name: "Try again" }).click();
    await alert.waitFor({ state: "detached" });
  }
  assert.deepEqual(told.errors, []);
  await context.close();
});

test("every page without a network says so, and goes on when it is there again", async () => {
  const { page, context } = await open(browser);
  await signIn(page, "owner");
  for (const [path, heading] of PAGES.filter(([path]) => path !== "denials/x")) {
    await visit(page, "nowhere", "Nothing here");
    await context.setOffline(true);
    await page.goto(`${ready.admin_url}/#/${path}`);
    const alert = page.getByRole("alert");
    await alert.waitFor();
    assert.match(await alert.innerText(), /Portcullis cannot be reached/, path);
    await context.setOffline(false);
    await alert.getByRole("button", { name: "Try again" }).click();
    await alert.waitFor({ state: "detached" });
    await page.getByRole("heading", { name: heading, level: 1 }).waitFor();
  }
  await context.close();
});

test("a workspace without keys, use, changes and alerts says so", async () => {
  const { page, context } = await open(browser);
  await signIn(page, "owner");
  await page.route("**/api-keys?*", (route) => route.fulfill({ json: { keys: [], next: null } }));
  await page.route("**/usage?*", (route) => route.fulfill({ json: { hours: [], last_used: null, budgets: [] } }));
  const policy = await page.evaluate((space) => fetch(`/api/v1/workspaces/${space}/policy`).then((answer) => answer.json()), ready.workspace);
  await page.route("**/policy", (route) => route.fulfill({ json: { ...policy, imports: false, tiers: [], products: [] } }));
  await page.route("**/denials", (route) => route.fulfill({ json: { denials: [] } }));
  for (const [path, heading, text] of [
    ["denials", "Denials", "No request with a key of this workspace was refused within a day."],
    ["keys", "Keys", "There is no key yet."], ["usage", "Usage", "No requests in this time."],
    ["keys/import", "Import keys", "The policy takes no imported keys"], ["policy", "Policy", /^\d+ of \d+ routes$/],
  ]) {
    await visit(page, "nowhere", "Nothing here");
    await visit(page, path, heading);
    await page.getByText(text).waitFor();
  }
  assert.equal(await page.getByRole("region", { name: "Tiers" }).count(), 0);
  await context.close();
});
