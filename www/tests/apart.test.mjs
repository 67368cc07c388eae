// What is of one key, one role or one clock, and none of another.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, open, owner, ready, signIn, visit } from "./browser.mjs";

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

/** Asks the API as a page does, by its session. */
const api = (page, method, path, body) =>
  page.evaluate(
    async ([space, method, path, body]) => {
      const headers = body === undefined ? {} : { "content-type": "application/json" };
      const answer = await fetch(`/api/v1/workspaces/${space}${path}`, { method, headers, body: body && JSON.stringify(body) });
      const text = await answer.text();
      if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
      return text === "" ? null : JSON.parse(text);
    },
    [ready.workspace, method, path, body],
  );

/** Makes keys of these names; what is made of them ends with `act`. */
async function withKeys(page, names, act, more = {}) {
  const kids = [];
  try {
    for (const name of names) kids.push((await api(page, "POST", "/api-keys", { name, scopes: ["read"], ...more })).id);
    await act(...kids);
  } finally {
    for (const kid of kids) await api(page, "DELETE", `/api-keys/${kid}`);
  }
}

const turn = (page, path) => page.evaluate((path) => (location.hash = `#/${path}`), path);
const heading = (page, name) => page.getByRole("heading", { name, level: 1 }).waitFor();

test("a question about one key is none about the next", async () => {
  const { page, context } = await owner(browser);
  await withKeys(page, ["first of two", "second of two"], async (first, second) => {
    await page.route(`**/api-keys/${second}`, async (route) => {
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      await route.continue();
    });
    for (const question of ["Revoke", "Disable", "Rotate"]) {
      await visit(page, `keys/${first}`, "first of two");
      await page.getByRole("button", { name: question }).click();
      await page.getByRole("dialog").waitFor();
      await turn(page, `keys/${second}`);
      await page.locator("dialog").waitFor({ state: "detached", timeout: 900 });
      assert.equal(await page.getByText(first).count(), 0, "what was shown of the first");
      await heading(page, "second of two");
      assert.equal(await page.locator("dialog").count(), 0);
    }
    for (const kid of [first, second]) assert.equal((await api(page, "GET", `/api-keys/${kid}`)).status, "active");
  });
  await context.close();
});

test("what is typed, told or shown of one key is not taken to the next", async () => {
  const { page, context } = await owner(browser);
  const limits = { requests: 10, window_seconds: 60, burst: 5 };
  const names = ["one of three", "two of three", "three of three"];
  await withKeys(page, names, async (one, two, three) => {
    await visit(page, `keys/${one}`, "one of three");
    const thresholds = page.getByLabel("Tell at, in per cent of the limit");
    await thresholds.fill("11");
    await turn(page, `keys/${two}`);
    await heading(page, "two of three");
    assert.equal(await thresholds.inputValue(), "");
    await page.getByRole("button", { name: "Disable" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Disable" }).click();
    await page.getByText(/^The key is disabled/).waitFor();
    await turn(page, `keys/${three}`);
    await heading(page, "three of three");
    assert.equal(await page.getByText(/^The key is disabled/).count(), 0);
    await page.getByRole("button", { name: "Rotate" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Rotate" }).click();
    const secret = await page.getByLabel("API key").inputValue();
    await turn(page, `keys/${one}`);
    await page.getByRole("dialog").getByRole("button", { name: "Leave it" }).click();
    await heading(page, "one of three");
    assert.ok(!(await page.content()).includes(secret));
    assert.equal(await page.locator("input").evaluateAll((all, secret) => all.filter(({ value }) => value === secret).length, secret), 0);
  }, { limits });
  await context.close();
});

test("an address that is no key's asks for none", async () => {
  const { page, context, told } = await owner(browser);
  await turn(page, "keys/..%2Fmembers%2Fdev:owner");
  await heading(page, "Nothing here");
  assert.deepEqual(told.requests.filter((url) => url.includes("/members")), []);
  await context.close();
});

test("a role that has changed meanwhile shows what it may", async () => {
  const { page: first, context } = await owner(browser);
  const other = await open(browser);
  const { page } = other;
  await signIn(page, "admin");
  await page.getByText("dev:admin, admin").waitFor();
  // An owner's role is no admin's to change.
  await visit(page, "members", "Members");
  const ofOwner = page.getByRole("row").filter({ has: page.getByRole("rowheader", { name: "dev:owner", exact: true }) });
  assert.equal(await ofOwner.getByRole("combobox").or(ofOwner.getByRole("button")).count(), 0);
  try {
    // By oneself.
    await api(first, "PUT", "/members/dev:admin", { role: "owner" });
    await page.reload();
    await page.getByText("dev:admin, owner").waitFor();
    await page.getByLabel("Role of dev:admin").selectOption("admin");
    await page.getByText("dev:admin, admin").waitFor();
    // By somebody else: it is found out by what is refused.
    await visit(page, "keys/new", "New key");
    await api(first, "PUT", "/members/dev:admin", { role: "member" });
    await page.getByLabel("Name").fill("too late");
    await page.getByRole("button", { name: "+ agents:read" }).click();
    await page.getByRole("button", { name: "Make the key" }).click();
    await page.getByText("dev:admin, member").waitFor();
    assert.equal(await page.getByRole("link", { name: "Audit" }).count(), 0);
  } finally {
    await api(first, "PUT", "/members/dev:admin", { role: "admin" });
  }
  await other.context.close();
  await context.close();
});

test("an edit changes what was edited", async () => {
  const { page, context } = await owner(browser);
  const bindings = { agent_id: ["x,y", "a\\b", "c"] };
  await withKeys(page, ["bound"], async (kid) => {
    await visit(page, `keys/${kid}/edit`, "Edit key");
    const parameters = page.getByLabel("Parameters");
    await parameters.fill(`${await parameters.inputValue()}\nproject_id=p1`);
    await page.getByRole("button", { name: "Save" }).click();
    await heading(page, "bound");
    const now = await api(page, "GET", `/api-keys/${kid}`);
    assert.deepEqual(now.bindings, { ...bindings, project_id: ["p1"] });
  }, { bindings });
  await context.close();
});

test("a key that ends in 90 days ends then", async () => {
  const { page, context } = await owner(browser);
  await visit(page, "keys/new", "New key");
  await page.getByLabel("Name").fill("ends");
  await page.getByRole("button", { name: "+ agents:read" }).click();
  await page.getByLabel("Expires", { exact: true }).selectOption("90");
  await page.getByRole("button", { name: "Make the key" }).click();
  await heading(page, "Store the secret now");
  const { keys } = await api(page, "GET", "/api-keys?limit=100");
  const { id, expires } = keys.find(({ name }) => name === "ends");
  await api(page, "DELETE", `/api-keys/${id}`);
  const days = (Date.parse(expires) - Date.now()) / 86_400_000;
  assert.ok(Math.abs(days - 90) < 0.01, `${days} days`);
  await context.close();
});

test("when a revocation is in effect is told by the server's clock", async () => {
  const { page, context } = await owner(browser);
  await withKeys(page, ["clocked"], async (kid) => {
    await page.addInitScript(() => {
      const now = Date.now;
      Date.now = () => now() + 120_000;
    });
    await page.reload();
    await visit(page, `keys/${kid}`, "clocked");
    await page.getByRole("button", { name: "Disable" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Disable" }).click();
    await page.getByText(/in effect everywhere in \d s at the latest/).waitFor();
    await page.getByText(/^The key is disabled, everywhere/).waitFor();
  });
  await context.close();
});

test("an audit log that was changed is told so", async () => {
  const { page, context } = await owner(browser);
  const rows = `${ready.control_url}/workspace/${ready.workspace}/rows`;
  const all = await (await fetch(rows)).json();
  const entry = all.findLast(({ name, value }) => /^audit\/\d+$/.test(name) && value.includes("dev:owner"));
  const put = (value) => fetch(rows, { method: "PUT", body: JSON.stringify([{ ...entry, value }]) });
  await visit(page, "audit", "Audit log");
  const check = () => page.getByRole("button", { name: "Check the chain" }).click();
  await check();
  await page.getByText(/^The chain is whole/).waitFor();
  try {
    await put(entry.value.replace("dev:owner", "dev:other"));
    await check();
    await page.getByText(/the log was changed/).waitFor();
  } finally {
    await put(entry.value);
  }
  await context.close();
});
