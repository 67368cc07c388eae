// The record of changes, and whether it is whole.

import { useState } from "preact/hooks";
import { get } from "./api";
import { save } from "./csv";
import { Await, Title, Trouble, useLoad } from "./parts";
import { at } from "./state";
import { minute, number } from "./time";
import type { Chain, Entry } from "./types";

interface Log {
  entries: Entry[];
  next: string | null;
}

export function Audit() {
  const loaded = useLoad(() => get<Log>(at("/audit?limit=100")), []);
  const [more, setMore] = useState<Log | null>(null);
  const [error, setError] = useState<Error | null>(null);
  return (
    <>
      <Title actions={<Check />}>Audit log</Title>
      <Await of={loaded}>
        {(first) => {
          const entries = [...first.entries, ...(more?.entries ?? [])];
          const next = more ? more.next : first.next;
          const older = () =>
            get<Log>(at(`/audit?limit=100&cursor=${encodeURIComponent(next ?? "")}`)).then(
              (log) => setMore({ ...log, entries: [...(more?.entries ?? []), ...log.entries] }),
              setError,
            );
          return (
            <>
              <Entries of={entries} />
              {error && <Trouble error={error} />}
              <div class="actions">
                {next && <button type="button" onClick={older}>Older entries</button>}
                <button type="button" onClick={() => save("audit.csv", table(entries))}>Export as CSV</button>
              </div>
            </>
          );
        }}
      </Await>
    </>
  );
}

function Entries({ of: entries }: { of: Entry[] }) {
  return (
    <div class="scroll" role="region" aria-label="Changes" tabIndex={0}>
      <table>
        <thead>
          <tr>{["", "Time", "Who", "From", "Action", "Target", "Changes"].map((text) => <th key={text} scope="col">{text || "No."}</th>)}</tr>
        </thead>
        <tbody>
          {entries.map((entry) => (
            <tr key={entry.sequence}>
              <td class="number">{entry.sequence}</td>
              <td>{minute(entry.time)}</td>
              <td>{entry.actor}</td>
              <td>{entry.address}</td>
              <th scope="row">{entry.action}</th>
              <td><code>{entry.target}</code></td>
              <td><Changes of={entry.changes} /></td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** What fields were and are. */
function Changes({ of: changes }: { of: Record<string, unknown> }) {
  const text = (value: unknown) => (typeof value === "string" ? value : JSON.stringify(value));
  const isNothing = (value: unknown) => value === null || value === "" || (Array.isArray(value) && value.length === 0);
  const told = Object.entries(changes).flatMap(([name, change]) => {
    if (!Array.isArray(change) || change.length !== 2) return [`${name}: ${text(change)}`];
    const [before, after] = change;
    if (isNothing(before)) return isNothing(after) ? [] : [`${name}: ${text(after)}`];
    return [`${name}: ${text(before)} → ${isNothing(after) ? "nothing" : text(after)}`];
  });
  return <ul class="changes small">{told.map((line) => <li key={line}>{line}</li>)}</ul>;
}

function Check() {
  const [said, setSaid] = useState<string | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const check = async () => {
    setSaid("Checking …");
    setError(null);
    let [from, count] = [1, 0];
    try {
      for (;;) {
        const chain = await get<Chain>(at(`/audit/verify?from=${from}`));
        count += chain.entries;
        if (!chain.intact) return setSaid(`Entry ${chain.broken_at} does not follow from those before it: the log was changed.`);
        if (chain.next === null) return setSaid(`The chain is whole: ${number(count)} entries follow from each other.`);
        from = chain.next;
      }
    } catch (failed) {
      setSaid(null);
      setError(failed as Error);
    }
  };
  return (
    <>
      <button type="button" onClick={() => void check()}>Check the chain</button>
      <span role="status">{said}</span>
      {error && <Trouble error={error} />}
    </>
  );
}

function table(entries: Entry[]): (string | number)[][] {
  const head = ["sequence", "time", "actor", "address", "action", "target", "request_id", "changes", "hash"];
  const row = (entry: Entry) => [
    entry.sequence, entry.time, entry.actor, entry.address, entry.action, entry.target, entry.request_id,
    JSON.stringify(entry.changes), entry.hash,
  ];
  return [head, ...entries.map(row)];
}
