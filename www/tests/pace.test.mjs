// How soon a page answers, with much to show.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, open, ready, signIn, visit } from "./browser.mjs";

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

/** As many keys as a workspace has room for: their ids. */
const makeKeys = (page) =>
  page.evaluate(async (space) => {
    const kids = [];
    for (let at = 0; at < 20; at++) {
      const body = JSON.stringify({ name: `key ${at}`, scopes: ["read"] });
      const answer = await fetch(`/api/v1/workspaces/${space}/api-keys`, { method: "POST", headers: { "content-type": "application/json" }, body });
      kids.push((await answer.json()).id);
    }
    return kids;
  }, ready.workspace);

/** Gives each key 90 days of use, as the Workspace keeps it: a row for each hour, the last one in the key's account. */
async function withUse(kids) {
  const now = Math.floor(Date.now() / 3_600_000);
  const use = (hour) =>
    `hour=${hour} admitted=${hour % 977} coins=${hour % 977} product=search:${hour % 97}:${hour % 97} denied=RATE_LIMITED:${hour % 7} denied=PERMISSION_DENIED:3 last=${hour * 3600}`;
  for (const kid of kids) {
    const hours = Array.from({ length: 90 * 24 - 1 }, (_, ago) => now - 1 - ago);
    const rows = hours.map((hour) => ({ name: `usage/${kid}/${String(hour).padStart(8, "0")}`, value: `use ${use(hour)}` }));
    rows.push({ name: `account/${kid}`, value: `account ${use(now)}` });
    const stored = await fetch(`${ready.control_url}/workspace/${ready.workspace}/rows`, { method: "PUT", body: JSON.stringify(rows) });
    assert.equal(stored.status, 200);
  }
}

/** Goes through what is slowest to draw: interaction to next paint in ms, which of fewer than 50 interactions is the worst. */
async function paint(page) {
  await browser.startTracing(page, { categories: ["devtools.timeline"] });
  await visit(page, "limits", "Limits");
  await page.evaluate(() => (location.hash = "#/keys"));
  await page.getByRole("link", { name: "key 19" }).waitFor();
  for (const column of ["Name", "Type", "Created", "Expires"]) await page.getByRole("button", { name: column, exact: true }).click();
  await page.getByRole("searchbox").pressSequentially("key 1");
  await page.evaluate(() => (location.hash = "#/usage"));
  const span = page.getByLabel("Show");
  const theme = page.getByRole("button", { name: /^Theme/ });
  for (const [days, key] of [[7, "ArrowDown"], [30, "ArrowDown"], [90, "ArrowDown"], [30, "ArrowUp"], [90, "ArrowDown"]]) {
    await span.press(key);
    // While it is drawn.
    await theme.click();
    await page.waitForFunction((days) => document.querySelectorAll(".chart g").length === days, days);
    await page.waitForFunction((days) => document.querySelectorAll(".numbers tbody tr").length >= days, days);
    await theme.click();
  }
  // What was painted last is in the trace only when it is over.
  await page.waitForTimeout(300);
  const { traceEvents } = JSON.parse(await browser.stopTracing());
  const timings = traceEvents.filter(({ name, args }) => name === "EventTiming" && args.data?.interactionId > 0);
  const interactions = new Set(timings.map(({ args }) => args.data.interactionId));
  assert.ok(interactions.size >= 15, `${interactions.size} interactions in the trace`);
  const worst = Math.max(...timings.map(({ args }) => args.data.duration));
  console.log(`interaction to next paint, by the trace: ${worst} ms, the worst of ${interactions.size}`);
  return worst;
}

test("interactions are painted soon with 20 keys and 90 days of use", async () => {
  const { page, context } = await open(browser);
  await signIn(page, "owner");
  await withUse(await makeKeys(page));
  const rounds = [];
  for (let round = 0; round < 3; round++) rounds.push(await paint(page));
  const median = rounds.sort((a, b) => a - b)[1];
  assert.ok(median <= 100, `${median} ms, the median of three rounds`);
  await context.close();
});
