// The keys of the workspace.

import { useState } from "preact/hooks";
import { get } from "../api";
import { Await, Badge, Title, useLoad } from "../parts";
import { at, may, space } from "../state";
import { ago, day } from "../time";
import type { Key } from "../types";
import { RevokeAll } from "./revoke";
import { Sparkline } from "./sparkline";
import { standing } from "./standing";

type Column = "name" | "type" | "status" | "created" | "last_used" | "expires";

const COLUMNS: { id: Column; label: string }[] = [
  { id: "name", label: "Name" },
  { id: "type", label: "Type" },
  { id: "status", label: "Status" },
  { id: "created", label: "Created" },
  { id: "last_used", label: "Last used" },
  { id: "expires", label: "Expires" },
];

/** All pages of the list. */
export async function allKeys(): Promise<Key[]> {
  const keys: Key[] = [];
  let cursor = "";
  do {
    const page = await get<{ keys: Key[]; next: string | null }>(at(`/api-keys?limit=100${cursor}`));
    keys.push(...page.keys);
    cursor = page.next === null ? "" : `&cursor=${encodeURIComponent(page.next)}`;
  } while (cursor);
  return keys;
}

export function KeyList() {
  const loaded = useLoad(allKeys, []);
  const make = may("admin") && (
    <>
      <a class="button" href="#/keys/import">Import</a>
      <a class="button primary" href="#/keys/new">New key</a>
    </>
  );
  return (
    <>
      <Title actions={make}>Keys</Title>
      <Await of={loaded}>
        {(keys) => (
          <>
            {keys.length === 0 ? <Empty /> : <Table keys={keys} />}
            {may("admin") && <RevokeAll isAny={keys.some(({ status }) => status !== "revoked")} done={loaded.reload} />}
          </>
        )}
      </Await>
    </>
  );
}

function Empty() {
  return (
    <p class="empty">
      There is no key yet. {may("admin") ? "Make the first one: its secret is shown once." : "An owner or admin can make one."}
    </p>
  );
}

function Table({ keys }: { keys: Key[] }) {
  const [search, setSearch] = useState("");
  const [filter, setFilter] = useState({ type: "", status: "", scope: "" });
  const [order, setOrder] = useState<{ by: Column; down: boolean }>({ by: "created", down: true });
  const word = search.trim().toLowerCase();
  const shown = keys
    .filter((key) => `${key.name} ${key.description} ${key.id}`.toLowerCase().includes(word))
    .filter((key) => !filter.type || key.type === filter.type)
    .filter((key) => !filter.status || standing(key) === filter.status)
    .filter((key) => !filter.scope || key.scopes.includes(filter.scope))
    .toSorted((one, other) => compare(one, other, order.by) * (order.down ? -1 : 1));
  const turn = (by: Column) => setOrder((last) => ({ by, down: last.by === by ? !last.down : false }));
  return (
    <>
      <form class="filters" role="search" onSubmit={(event) => event.preventDefault()}>
        <label>Search <input type="search" value={search} onInput={(event) => setSearch(event.currentTarget.value)} /></label>
        <Choice label="Type" chosen={filter.type} values={keys.map((key) => key.type)} set={(type) => setFilter({ ...filter, type })} />
        <Choice label="Status" chosen={filter.status} values={keys.map(standing)} set={(status) => setFilter({ ...filter, status })} />
        <Choice label="Scope" chosen={filter.scope} values={keys.flatMap((key) => key.scopes)} set={(scope) => setFilter({ ...filter, scope })} />
      </form>
      <p role="status" class="small">
        {shown.length} of {keys.length} keys; {space.value?.keys} of {space.value?.max_active_keys} are active.
      </p>
      <div class="scroll" role="region" aria-label="Keys" tabIndex={0}>
        <table>
          <thead>
            <tr>
              {COLUMNS.map(({ id, label }) => (
                <th key={id} scope="col" aria-sort={order.by === id ? (order.down ? "descending" : "ascending") : undefined}>
                  <button type="button" class="sort" onClick={() => turn(id)}>{label}</button>
                </th>
              ))}
              <th scope="col">Last 24 hours</th>
            </tr>
          </thead>
          <tbody>{shown.map((key) => <Row key={key.id} of={key} />)}</tbody>
        </table>
      </div>
    </>
  );
}

function Row({ of: key }: { of: Key }) {
  return (
    <tr>
      <th scope="row">
        <a href={`#/keys/${key.id}`}>{key.name || "(no name)"}</a>
        <code class="small">{key.id}</code>
      </th>
      <td>{key.type}</td>
      <td><Badge status={standing(key)} /></td>
      <td>{day(key.created)}</td>
      <td>{key.last_used ? ago(key.last_used) : "never"}</td>
      <td>{key.expires ? ago(key.expires) : "never"}</td>
      <td><Sparkline kid={key.id} /></td>
    </tr>
  );
}

/** A filter by one of the values that there are. */
export function Choice({ label, chosen, values, set }: { label: string; chosen: string; values: string[]; set: (value: string) => void }) {
  // What is chosen may be none's any more.
  const all = chosen === "" ? values : [...values, chosen];
  return (
    <label>
      {label}{" "}
      <select value={chosen} onChange={(event) => set(event.currentTarget.value)}>
        <option value="">all</option>
        {[...new Set(all)].toSorted().map((value) => <option key={value}>{value}</option>)}
      </select>
    </label>
  );
}

function compare(one: Key, other: Key, by: Column): number {
  const value = (key: Key) => (by === "status" ? standing(key) : (key[by] ?? ""));
  return value(one).localeCompare(value(other));
}
