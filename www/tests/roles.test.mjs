// What a role may do, and what it sees.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, makeKey, open, ready, signIn, visit } from "./browser.mjs";

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

test("a member sees no control that would fail, and the server refuses them anyway", async () => {
  const { page, context } = await open(browser);
  await signIn(page, "owner");
  const { kid } = await makeKey(page, "for-members");
  await context.close();

  const member = await open(browser);
  await signIn(member.page, "member");
  const names = async () => (await member.page.getByRole("button").or(member.page.getByRole("link")).allInnerTexts()).join("|");
  assert.match(await names(), /Keys\|Usage\|Members\|Limits\|Policy\|Explain/);
  assert.doesNotMatch(await names(), /New key|Import|Revoke|Audit|Denials|Alerts/);
  await visit(member.page, `keys/${kid}`, "for-members");
  assert.doesNotMatch(await names(), /Edit|Rotate|Revoke|Disable|Enable|Save/);
  await visit(member.page, "members", "Members");
  assert.doesNotMatch(await names(), /Remove|Add/);
  await visit(member.page, "limits", "Limits");
  assert.doesNotMatch(await names(), /Save/);
  await visit(member.page, "explain", "Explain");
  await member.page.getByLabel("URL").fill("https://api.test/v1/agents");
  await member.page.getByLabel("Credential").selectOption(kid);
  await member.page.getByRole("button", { name: "Explain" }).click();
  await member.page.getByRole("heading", { name: /^Open: / }).waitFor();
  for (const path of ["keys/new", "keys/import", "audit", "denials", "alerts"]) await visit(member.page, path, "Nothing here");
  const statuses = await member.page.evaluate(async ([workspace, kid]) => {
    const { paths } = await fetch("/api/v1/openapi.json").then((answer) => answer.json());
    const bodies = {
      createKey: { scopes: ["read"] }, importKeys: { keys: [{ sha256: "0".repeat(64), scopes: ["read"] }] }, rotateKey: { grace_seconds: 0 },
      putMember: { role: "member" }, updateWorkspace: { name: "x" }, updateKey: { name: "x" }, putKeyAlerts: { thresholds: null },
      putWebhook: { url: "https://hooks.example.com/" }, rotateWebhook: { grace_seconds: 0 },
    };
    const named = { workspace, kid, member: "dev:owner", request_id: "0".repeat(32) };
    const told = {};
    for (const [path, operations] of Object.entries(paths).filter(([path]) => path.includes("{workspace}"))) {
      for (const [method, { operationId }] of Object.entries(operations).filter(([method]) => ["get", "post", "put", "patch", "delete"].includes(method))) {
        const url = path.replace(/\{(\w+)\}/g, (_, name) => named[name]);
        const body = bodies[operationId] && JSON.stringify(bodies[operationId]);
        const headers = body ? { "content-type": "application/json" } : {};
        told[operationId] = (await fetch(url, { method: method.toUpperCase(), headers, body })).status;
      }
    }
    return told;
  }, [ready.workspace, kid]);
  const reads = ["getWorkspace", "listKeys", "getKey", "getKeyUsage", "listMembers", "getMember", "getWorkspaceUsage", "getPolicy"];
  const allowed = Object.entries(statuses).filter(([, status]) => status !== 403);
  assert.deepEqual(allowed.toSorted(), reads.map((name) => [name, 200]).toSorted());
  assert.ok(Object.keys(statuses).length >= 25, Object.keys(statuses).join(", "));
  await member.context.close();
});
