// Keys that were made elsewhere. Only their hashes leave the page.

import { useState } from "preact/hooks";
import { ask, Refused } from "../api";
import { sha256 } from "../ladder";
import { Await, Field, Title, Trouble, useChange, useLoad } from "../parts";
import { policy } from "../policy";
import { at } from "../state";
import type { Imported, Policy } from "../types";
import { Scopes } from "./scopes";

/** What is imported: a hash and a name each. */
interface Row {
  sha256: string;
  name: string;
}

export function ImportPage() {
  const loaded = useLoad(policy, []);
  return (
    <>
      <Title actions={<a class="button" href="#/keys">Back to the keys</a>}>Import keys</Title>
      <Await of={loaded}>
        {(policy) => (policy.imports ? <Form of={policy} /> : <p class="empty">The policy takes no imported keys: it has no [[imports]].</p>)}
      </Await>
    </>
  );
}

function Form({ of: policy }: { of: Policy }) {
  const [rows, setRows] = useState<Row[]>([]);
  const [key, setKey] = useState("");
  const [name, setName] = useState("");
  const [scopes, setScopes] = useState<string[]>(policy.default_scopes ?? []);
  const [wrong, setWrong] = useState<Record<string, string>>({});
  const { isBusy, error, change } = useChange();
  const [done, setDone] = useState<{ rows: Row[]; of: Imported } | null>(null);
  const add = async (event: Event) => {
    event.preventDefault();
    const text = key.trim();
    if (!text || !name.trim()) return setWrong(text ? { name: "say which it is" } : { key: "type or paste the key" });
    const hash = await sha256(text);
    if (rows.some((row) => row.sha256 === hash)) return setWrong({ key: "is in the list already" });
    setWrong({});
    setRows([...rows, { sha256: hash, name: name.trim() }]);
    setKey("");
    setName("");
  };
  const send = () => {
    if (scopes.length === 0) return setWrong({ scopes: "choose at least one" });
    setWrong({});
    const body = { keys: rows.map((row) => ({ ...row, scopes })) };
    void change(async () => {
      const answer = await ask<Imported>("POST", at("/api-keys/import"), { body });
      setDone({ rows, of: answer.body });
      setRows([]);
    });
  };
  const fields = error instanceof Refused ? error.fields.map(({ field, message }) => `${field} ${message}`).join("; ") : "";
  return (
    <>
      <p>The key is hashed in this page, and only its SHA-256 is sent. It works as soon as KV shows it.</p>
      <form class="form" onSubmit={add} noValidate>
        <Field label="Key" error={wrong.key}>
          {(own) => <input {...own} type="password" class="code" value={key} autocomplete="off" spellcheck={false} onInput={(event) => setKey(event.currentTarget.value)} />}
        </Field>
        <Field label="Name" error={wrong.name}>
          {(own) => <input {...own} value={name} maxLength={100} onInput={(event) => setName(event.currentTarget.value)} />}
        </Field>
        <button>Add to the list</button>
      </form>
      <div class="form">
        <h2>{rows.length === 1 ? "One key" : `${rows.length} keys`} to import</h2>
        {rows.length > 0 && (
          <ul aria-label="Keys to import">
            {rows.map((row) => (
              <li key={row.sha256}>
                {row.name} <code class="small">{row.sha256.slice(0, 16)}…</code>{" "}
                <button type="button" class="quiet" aria-label={`Take out ${row.name}`} onClick={() => setRows(rows.filter((own) => own !== row))}>×</button>
              </li>
            ))}
          </ul>
        )}
        <Scopes routes={policy.routes} chosen={scopes} error={wrong.scopes} set={setScopes} />
        {error && <Trouble error={error} />}
        {fields && <p class="error">{fields}</p>}
        <button type="button" class="primary" disabled={isBusy || rows.length === 0} onClick={send}>Import</button>
      </div>
      {done && <Results {...done} />}
    </>
  );
}

function Results({ rows, of: { rows: results } }: { rows: Row[]; of: Imported }) {
  return (
    <section role="status">
      <h2>What became of them</h2>
      <ul>
        {results.map(({ result, id, message }, place) => (
          <li key={place}>
            {rows[place]?.name}: {result}{message && `, ${message}`} {id && <a href={`#/keys/${id}`}>{id}</a>}
          </li>
        ))}
      </ul>
    </section>
  );
}
