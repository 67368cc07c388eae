// Who comes, who comes in another's place, and who goes.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, open, ready, signIn, signInAgain, visit } from "./browser.mjs";

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

test("a link into the dashboard is gone to after signing in", async () => {
  const { page, context } = await open(browser);
  await page.goto(`${ready.admin_url}/#/policy`);
  await page.getByRole("link", { name: "Sign in" }).click();
  await page.getByText("owner", { exact: true }).click();
  await page.getByRole("heading", { name: "Policy", level: 1 }).waitFor();
  assert.equal(await page.evaluate(() => sessionStorage.length + localStorage.length), 0);
  await context.close();
});

test("a page is not gone on with as somebody else", async () => {
  const { page, context } = await open(browser);
  await signIn(page, "owner");
  await visit(page, "keys/new", "New key");
  await page.getByLabel("Name").fill("of the owner");
  await page.getByRole("button", { name: "+ agents:read" }).click();
  await context.clearCookies();
  await page.getByRole("button", { name: "Make the key" }).click();
  await signInAgain(page, "member");
  const dialog = page.getByRole("dialog", { name: "Somebody else has signed in" });
  await dialog.waitFor();
  await page.keyboard.press("Escape");
  await page.keyboard.press("Escape");
  await dialog.getByText("This page is of dev:owner.").waitFor();
  await dialog.getByRole("button", { name: "Go on as dev:member" }).click();
  await page.getByText("dev:member, member").waitFor();
  assert.equal(await page.getByRole("dialog").count(), 0);
  await context.close();
});

test("who leaves the last workspace is told so", async () => {
  const { page, context } = await open(browser);
  await signIn(page, "member");
  await visit(page, "members", "Members");
  await page.getByRole("button", { name: "Leave" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
  try {
    await page.getByText("You are a member of no workspace").waitFor();
  } finally {
    const owner = await open(browser);
    await signIn(owner.page, "owner");
    await visit(owner.page, "members", "Members");
    await owner.page.getByLabel("Member", { exact: true }).fill("dev:member");
    await owner.page.getByRole("button", { name: "Add", exact: true }).click();
    await owner.page.getByRole("rowheader", { name: "dev:member" }).waitFor();
    await owner.context.close();
  }
  await context.close();
});
