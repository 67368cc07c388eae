// Chromium at the running dashboard. What is served stands in PORTCULLIS_READY (xtask/src/dashboard.rs).

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { request } from "node:http";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

export const ready = JSON.parse(process.env.PORTCULLIS_READY);

const ARGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];

/** A browser. The keys that other files have made are revoked: a workspace has room for 20. */
export async function launch() {
  await revokeAll();
  return chromium.launch({ executablePath: ready.chromium, args: ARGS });
}

/** By the API, at the gate's own address: the admin host's name is known to browsers alone. */
function revokeAll() {
  const host = new URL(ready.admin_url).host;
  const path = `/api/v1/workspaces/${ready.workspace}/api-keys/revoke-all`;
  const headers = { host, authorization: `Bearer ${ready.tokens.owner}` };
  return new Promise((resolve, reject) => {
    const sent = request(ready.url + path, { method: "POST", headers }, (answer) => {
      answer.resume();
      answer.statusCode === 200 ? resolve() : reject(new Error(`revoke-all: ${answer.statusCode}`));
    });
    sent.on("error", reject).end();
  });
}

/** A page of a browser of its own, which tells what its policy of content has refused and what dialogs came. */
export async function open(browser, options = {}) {
  const context = await browser.newContext({ permissions: ["clipboard-read", "clipboard-write"], ...options });
  const told = { violations: [], dialogs: [], leaving: 0, errors: [], requests: [] };
  await context.exposeBinding("toldOfViolation", (_, text) => void told.violations.push(text));
  await context.addInitScript(() =>
    document.addEventListener("securitypolicyviolation", (event) =>
      window.toldOfViolation(`${event.effectiveDirective} ${event.blockedURI}`),
    ),
  );
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  page.on("dialog", (dialog) => {
    if (dialog.type() === "beforeunload") return (told.leaving++, dialog.accept());
    told.dialogs.push(dialog.message());
    // It may be gone with its page by then.
    dialog.dismiss().catch(() => {});
  });
  page.on("pageerror", (error) => told.errors.push(String(error)));
  page.on("request", (request) => told.requests.push(request.url()));
  return { page, context, told };
}

/** Signs in as one of the development issuer's subjects. */
export async function signIn(page, who) {
  await page.goto(ready.admin_url);
  await page.getByRole("link", { name: "Sign in" }).click();
  await page.getByRole("link", { name: who, exact: true }).or(page.getByRole("button", { name: who, exact: true })).click();
  await page.getByRole("heading", { name: "Keys", level: 1 }).waitFor();
}

/** Who owns the demo workspace, at a page. */
export async function owner(browser) {
  const opened = await open(browser);
  await signIn(opened.page, "owner");
  return opened;
}

/** Signs in again in another tab, as the dialog over a page offers whose session has ended. */
export async function signInAgain(page, who) {
  const dialog = page.getByRole("dialog", { name: "Your session has ended" });
  await dialog.waitFor();
  const [tab] = await Promise.all([page.context().waitForEvent("page"), dialog.getByRole("link", { name: "Sign in" }).click()]);
  await tab.getByText(who, { exact: true }).click();
}

export async function visit(page, path, heading) {
  await page.goto(`${ready.admin_url}/#/${path}`);
  await page.getByRole("heading", { name: heading, level: 1 }).waitFor();
  await page.waitForFunction(() => !document.querySelector(".loading"));
}

/** Leaves the dialog over a page by its key. */
export async function escape(page) {
  await page.keyboard.press("Escape");
  await page.locator("dialog").waitFor({ state: "detached" });
}

/** A request through the gate. */
export async function use(secret, method = "GET", path = "/v1/agents") {
  const response = await fetch(`${ready.url}${path}`, { method, headers: { authorization: `Bearer ${secret}` } });
  const body = await response.json();
  return { status: response.status, code: body.error?.code };
}

/** Asks until it is so. */
export async function until(what, test, millis = 10_000) {
  const end = Date.now() + millis;
  while (!(await test())) {
    assert.ok(Date.now() < end, `not in ${millis} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** What axe-core finds against WCAG 2.2 A and AA. */
export async function violations(page) {
  await page.evaluate(axe);
  const found = await page.evaluate(() =>
    window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }),
  );
  return found.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(" | ")}`);
}

/** Makes a key in the form and stores its secret: the secret and the key's id. */
export async function makeKey(page, name, scope = "agents:read") {
  const secret = await askForKey(page, name, scope);
  await store(page);
  await page.getByRole("heading", { name, level: 1 }).waitFor();
  return { secret, kid: page.url().split("/").at(-1) };
}

/** Makes a key in the form, whose secret is shown from then on; the secret. */
export async function askForKey(page, name, scope = "agents:read") {
  await visit(page, "keys/new", "New key");
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("Add a scope").fill(scope);
  await page.getByRole("button", { name: "Add", exact: true }).click();
  await page.getByRole("button", { name: "Make the key" }).click();
  await page.getByRole("heading", { name: "Store the secret now" }).waitFor();
  return page.getByLabel("API key").inputValue();
}

/** Says that a secret which is shown was stored. */
export async function store(page) {
  await page.getByLabel("I have stored it").check();
  await page.getByRole("button", { name: "Done" }).click();
}
