// Every page without a mouse.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { escape, launch, makeKey, open, ready, signIn, until, use, visit } from "./browser.mjs";

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

/** Moves on with Tab until the focus is where it has to be. */
async function tabTo(page, role, name) {
  const target = page.getByRole(role, { name, exact: true });
  // Once around what there is by then, with what the browser puts between.
  const most = () => page.evaluate(() => document.querySelectorAll("a, button, input, select, textarea, [tabindex]").length + 10);
  for (let turn = 0; turn < (await most()); turn++) {
    await page.keyboard.press("Tab");
    const isThere = await target.evaluateAll((all) => all.includes(document.activeElement));
    if (!isThere) continue;
    const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
    assert.notEqual(outline, "none", `${name} shows that it has the focus`);
    return;
  }
  assert.fail(`no way to ${role} ${name} by Tab`);
}

/** Goes there and presses a key. */
async function press(page, role, name, key = "Enter") {
  await tabTo(page, role, name);
  await page.keyboard.press(key);
}

/** Goes there and types, in the place of what is there. */
async function type(page, role, name, text) {
  await tabTo(page, role, name);
  await page.keyboard.press("ControlOrMeta+a");
  await page.keyboard.type(text);
}

/** Says that a secret which is shown was stored. */
async function storeByKeys(page) {
  await page.getByRole("heading", { name: "Store the secret now" }).waitFor();
  await press(page, "checkbox", "I have stored it", "Space");
  await press(page, "button", "Done");
}

test("the whole way of a key by keyboard alone", async () => {
  const { page, context } = await open(browser);
  await page.goto(ready.admin_url);
  await page.getByRole("link", { name: "Sign in" }).waitFor();
  await press(page, "link", "Sign in");
  await page.getByRole("button", { name: "owner", exact: true }).waitFor();
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Keys", level: 1 }).waitFor();
  await press(page, "link", "New key");
  await page.getByRole("heading", { name: "New key" }).waitFor();
  await tabTo(page, "textbox", "Name");
  await page.keyboard.type("by-keyboard");
  await tabTo(page, "textbox", "Add a scope");
  await page.keyboard.type("agents:read");
  await page.keyboard.press("Enter");
  await tabTo(page, "textbox", "Networks");
  await page.keyboard.type("10.0.0.1/8");
  await page.getByText("10.0.0.1/8 has bits set behind its length").waitFor();
  await page.keyboard.press("ControlOrMeta+a");
  await page.keyboard.type("127.0.0.0/8");
  await press(page, "button", "Make the key");
  await storeByKeys(page);
  await page.getByRole("heading", { name: "by-keyboard", level: 1 }).waitFor();
  await press(page, "button", "Rotate");
  await press(page, "button", "Rotate");
  await storeByKeys(page);
  await page.getByRole("heading", { name: "by-keyboard", level: 1 }).waitFor();
  await press(page, "button", "Disable");
  await press(page, "button", "Disable");
  await page.getByText(/The key is disabled/).waitFor();
  await press(page, "button", "Enable");
  await page.getByText(/The key is enabled/).waitFor();
  await press(page, "button", "Revoke");
  await press(page, "button", "Revoke for good");
  await page.getByText(/The key is revoked/).waitFor();
  await press(page, "link", "Audit");
  await page.getByRole("heading", { name: "Audit log" }).waitFor();
  await press(page, "button", "Sign out");
  await page.getByRole("link", { name: "Sign in" }).waitFor();
  await context.close();
});

const KEY = `keyboard-${Date.now()}`;

/** Each page by its link in the navigation, and what it is for. */
const PAGES = {
  async Usage(page) {
    await tabTo(page, "combobox", "Show");
    await page.keyboard.press("ArrowDown");
    await page.getByRole("img", { name: /Requests of the workspace/ }).waitFor();
    assert.equal(await page.getByLabel("Show").inputValue(), "7");
    const file = page.waitForEvent("download");
    await press(page, "button", "Export as CSV");
    assert.equal((await file).suggestedFilename(), "usage-the-workspace.csv");
  },
  async Members(page) {
    await type(page, "textbox", "Member", "dev:by-keyboard");
    await press(page, "button", "Add");
    await page.getByRole("rowheader", { name: "dev:by-keyboard" }).waitFor();
    await tabTo(page, "combobox", "Role of dev:by-keyboard");
    await page.keyboard.press("ArrowDown");
    const row = page.getByRole("row", { name: /dev:by-keyboard/ });
    await row.getByRole("button", { name: "Remove" }).waitFor();
    await page.waitForFunction(() => document.querySelector('[aria-label="Role of dev:by-keyboard"]').value === "admin");
    // From the choice of the role it is the next.
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").waitFor();
    await press(page, "button", "Remove");
    await row.waitFor({ state: "detached" });
  },
  async Limits(page) {
    const name = await page.getByLabel("Name").inputValue();
    await type(page, "textbox", "Name", "By keyboard");
    await press(page, "button", "Save");
    await page.waitForFunction(() => document.querySelector("form .field input").value === "By keyboard");
    await type(page, "textbox", "Name", name);
    await press(page, "button", "Save");
  },
  async Policy(page) {
    await type(page, "searchbox", "Search", "simulations:write");
    await page.getByText(/^1 of \d+ routes$/).waitFor();
    await tabTo(page, "region", "Routes");
  },
  async Explain(page) {
    await tabTo(page, "combobox", "Method");
    await page.keyboard.type("P");
    await type(page, "textbox", "URL", "https://api.test/v1/agents");
    await tabTo(page, "combobox", "Credential");
    await page.keyboard.press("Home");
    await press(page, "button", "Explain");
    await page.getByRole("heading", { name: /^Refused: 401 MISSING_API_KEY/ }).waitFor();
    await tabTo(page, "region", "Checks");
  },
  async Alerts(page) {
    await type(page, "textbox", "URL", "https://hooks.example.com/by-keyboard");
    await press(page, "checkbox", "key.leaked", "Space");
    await press(page, "button", "Set the webhook");
    await storeByKeys(page);
    await press(page, "button", "Remove the webhook");
    await press(page, "button", "Remove");
    await page.getByRole("button", { name: "Set the webhook" }).waitFor();
  },
  async Denials(page) {
    await type(page, "textbox", "Request id", "0".repeat(32));
    await press(page, "button", "Find");
    await page.getByRole("alert").waitFor();
    await type(page, "textbox", "The refusal", JSON.stringify({ signed: [{ part: "method", sha256: "0".repeat(64) }] }));
    await type(page, "textbox", "method", "GET");
    await page.getByText("The first that differs: method.").waitFor();
    await tabTo(page, "combobox", "Code");
    await page.keyboard.type("PERM");
    await page.getByText(/^\d+ of \d+ denials/).waitFor();
    await press(page, "link", "GET /v1/simulations");
    await page.getByRole("heading", { name: "GET /v1/simulations: PERMISSION_DENIED" }).waitFor();
    await tabTo(page, "region", "Checks");
  },
  async Audit(page) {
    await press(page, "button", "Check the chain");
    await page.getByText(/The chain is whole/).waitFor();
    const file = page.waitForEvent("download");
    await press(page, "button", "Export as CSV");
    assert.equal((await file).suggestedFilename(), "audit.csv");
  },
  async Keys(page) {
    await press(page, "button", "Name");
    await type(page, "searchbox", "Search", KEY);
    await press(page, "link", KEY);
    await page.getByRole("heading", { name: KEY, level: 1 }).waitFor();
    await press(page, "link", "Edit");
    await page.getByRole("heading", { name: "Edit key" }).waitFor();
    await type(page, "textbox", "Description", "changed by keyboard");
    await press(page, "button", "Save");
    await page.getByText("changed by keyboard").waitFor();
    await press(page, "link", "Try it");
    await page.getByRole("heading", { name: "Try it" }).waitFor();
    await type(page, "textbox", "URL", "https://api.test/v1/agents");
    await press(page, "button", "Copy the curl");
    await page.getByText("Copied.").waitFor();
  },
};

test("every page by keyboard alone, from its link on", async () => {
  const { page, context } = await open(browser);
  await signIn(page, "owner");
  const { secret, kid } = await makeKey(page, KEY);
  await use(secret);
  await use(secret, "GET", "/v1/simulations");
  const denied = ([space, kid]) => fetch(`/api/v1/workspaces/${space}/denials`).then((answer) => answer.json()).then(({ denials }) => denials.some((one) => one.kid === kid));
  await until("its denial is told", () => page.evaluate(denied, [ready.workspace, kid]));
  const hours = (space) => fetch(`/api/v1/workspaces/${space}/usage`).then((answer) => answer.json());
  await until("its use is told", async () => (await page.evaluate(hours, ready.workspace)).hours.length > 0);
  const links = await page.getByRole("navigation").getByRole("link").allInnerTexts();
  assert.deepEqual(links.toSorted(), Object.keys(PAGES).toSorted(), "a page without a journey");
  for (const [name, journey] of Object.entries(PAGES)) {
    await press(page, "link", name);
    await page.getByRole("heading", { level: 1, name }).waitFor();
    await page.waitForFunction(() => document.activeElement.tagName === "H1");
    await page.waitForFunction(() => !document.querySelector(".loading"));
    await journey(page);
  }
  await context.close();
});

test("keys are imported, and questions are left, by keyboard alone", async () => {
  const { page, context } = await open(browser);
  await signIn(page, "owner");
  await press(page, "link", "Import");
  await page.getByRole("heading", { name: "Import keys" }).waitFor();
  const key = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64");
  await tabTo(page, "textbox", "Name");
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.type(key);
  await type(page, "textbox", "Name", "imported-by-keyboard");
  await page.keyboard.press("Enter");
  await type(page, "textbox", "Add a scope", "agents:read");
  await page.keyboard.press("Enter");
  await press(page, "button", "Import");
  await page.getByText("imported-by-keyboard: created").waitFor();
  await visit(page, "keys", "Keys");
  await press(page, "button", "Revoke all keys");
  await page.getByRole("dialog").waitFor();
  await escape(page);
  const focused = await page.evaluate(() => document.activeElement.textContent);
  assert.equal(focused, "Revoke all keys", "a question that is left gives the focus back");
  await page.goto(ready.admin_url);
  await page.getByRole("heading", { name: "Keys", level: 1 }).waitFor();
  await page.evaluate(() => document.activeElement.blur());
  await press(page, "link", "Skip to content");
  assert.equal(await page.evaluate(() => document.activeElement.id), "main");
  await context.close();
});

test("a dialog has the keys, and a page gives up the focus, before they are painted", async () => {
  const { page, context } = await open(browser);
  await signIn(page, "owner");
  await makeKey(page, "pressed-early");
  // As soon as it is in the document.
  await page.evaluate(() => {
    new MutationObserver((_, own) => {
      const dialog = document.querySelector("dialog");
      if (!dialog) return;
      own.disconnect();
      window.isModal = dialog.matches(":modal");
    }).observe(document.body, { childList: true, subtree: true });
  });
  await page.getByRole("button", { name: "Disable" }).click();
  await escape(page);
  assert.ok(await page.evaluate(() => window.isModal));

  await visit(page, "limits", "Limits");
  await page.evaluate(() => {
    new MutationObserver((_, own) => {
      const choice = document.querySelector("main select");
      if (!choice) return;
      own.disconnect();
      choice.focus();
    }).observe(document.body, { childList: true, subtree: true });
    location.hash = "#/usage";
  });
  await page.getByLabel("Show").waitFor();
  // Longer than an effect waits for a frame.
  await page.waitForTimeout(300);
  assert.equal(await page.evaluate(() => document.activeElement.tagName), "SELECT");
  await context.close();
});
