// The policy: what a request has to be, and what holds in this workspace.

import type { ComponentChild } from "preact";
import { useState } from "preact/hooks";
import { get } from "./api";
import { Await, Title, useLoad } from "./parts";
import { at } from "./state";
import { limit, number } from "./time";
import type { BudgetRule, Policy, Route } from "./types";

export const policy = () => get<Policy>(at("/policy"));

export function PolicyPage() {
  const loaded = useLoad(policy, []);
  return (
    <>
      <Title>Policy</Title>
      <p>A request that no route takes is refused. The policy is part of the build: it changes with a deploy, and not here.</p>
      <Await of={loaded}>
        {(policy) => (
          <>
            <Rules of={policy} />
            <Routes of={policy.routes} />
            {policy.tiers.length > 0 && (
              <Table name="Tiers" head={["Tier", "Limit"]} rows={policy.tiers.map(({ name, limits }) => [name, limit(limits)])} />
            )}
            {policy.products.length > 0 && (
              <Table
                name="Products"
                head={["Product", "Hosts", "Limit of a workspace", "Budget of a workspace"]}
                rows={policy.products.map(({ name, hosts, limits, budget }) => [name, hosts.join(", "), limit(limits), coins(budget)])}
              />
            )}
          </>
        )}
      </Await>
    </>
  );
}

function Rules({ of: { workspace, ...policy } }: { of: Policy }) {
  const facts = [
    ["Who decides", MODES[workspace.mode]?.(policy.lease_seconds) ?? workspace.mode],
    ["Without the Workspace's word", workspace.on_workspace_down === "edge" ? "as in mode edge" : "503"],
    ["Most of all keys", limit(workspace.limits)],
    ["Budget", coins(workspace.budget)],
    ["Hosts", policy.hosts.join(", ")],
    ["New keys begin with", `${policy.key_prefix}_`],
    ["Temporary keys last", `${number(policy.temporary_max_days)} days at most`],
    ["Imported keys", policy.imports ? "taken" : "none"],
  ];
  return <dl>{facts.map(([name, value]) => <div key={name}><dt>{name}</dt><dd>{value}</dd></div>)}</dl>;
}

function Routes({ of: routes }: { of: Route[] }) {
  const [search, setSearch] = useState("");
  const word = search.trim().toLowerCase();
  const text = (route: Route) => [...route.methods, route.path, route.scope, route.product, ...route.hosts].join(" ").toLowerCase();
  const shown = routes.filter((route) => text(route).includes(word));
  return (
    <>
      <h2>Routes</h2>
      <form class="filters" role="search" onSubmit={(event) => event.preventDefault()}>
        <label>Search <input type="search" value={search} onInput={(event) => setSearch(event.currentTarget.value)} /></label>
      </form>
      <p role="status" class="small">{shown.length} of {routes.length} routes</p>
      <Table head={["Path", "Methods", "Takes", "Scope", "More"]} rows={shown.map((route) => [
        <code>{route.path}</code>, route.methods.join(", "), route.credentials.join(", "), route.scope ?? "none", more(route),
      ])} name="Routes" isTitled />
    </>
  );
}

/** What else a route asks. */
function more(route: Route): string {
  const parts = [
    route.product && `product ${route.product}, on ${route.hosts.join(", ")}`,
    route.mode && `mode ${route.mode}`,
    route.cost !== 1 && `costs ${number(route.cost)} coins`,
    route.signature && `signature ${route.signature}`,
    route.ips && `from ${route.ips.join(", ")}`,
    route.body_limit !== null && `body up to ${number(route.body_limit)} bytes`,
    route.subject && `{${route.subject}} is the caller`,
    route.bindings.length > 0 && `its origin enforces ${route.bindings.join(", ")}`,
    route.cors && `pages of ${route.cors.join(", ")}`,
    route.settle && `${route.settle} of the answer may say that it was less`,
    route.allow.length > 0 && `its path may have ${route.allow.join(", ")}`,
    route.upgrade && "may be upgraded",
    route.shadow?.scope && `on trial: scope ${route.shadow.scope}`,
    route.shadow?.ips && `on trial: from ${route.shadow.ips.join(", ")}`,
  ];
  return parts.filter(Boolean).join("; ");
}

function Table({ name, head, rows, isTitled = false }: { name: string; head: string[]; rows: ComponentChild[][]; isTitled?: boolean }) {
  return (
    <>
      {!isTitled && <h2>{name}</h2>}
      <div class="scroll" role="region" aria-label={name} tabIndex={0}>
        <table>
          <thead><tr>{head.map((text) => <th key={text} scope="col">{text}</th>)}</tr></thead>
          <tbody>
            {rows.map(([first, ...rest], place) => (
              <tr key={place}>
                <th scope="row">{first}</th>
                {rest.map((cell, column) => <td key={column}>{cell}</td>)}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

const coins = (budget: BudgetRule | null) => (budget ? `${number(budget.coins)} coins a ${budget.period}` : "none");

const MODES: Record<string, (seconds: number) => string> = {
  strict: () => "strict: the Workspace, for every request; a revocation is in effect at once",
  lease: (seconds) => `lease: the Workspace, in advance; a revocation is in effect within ${seconds} s`,
  edge: () => "edge: KV alone; a revocation takes a minute or two, without a guarantee",
};
