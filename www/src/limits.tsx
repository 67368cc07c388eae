// The limits that all keys of the workspace share, and its name.

import { useState } from "preact/hooks";
import { ask, Refused, wrongWith } from "./api";
import { Await, Field, Title, Trouble, useChange, useLoad } from "./parts";
import { at, load, may } from "./state";
import { limit } from "./time";
import type { Workspace } from "./types";

export function Limits() {
  const loaded = useLoad(() => ask<Workspace>("GET", at("")), []);
  return (
    <>
      <Title>Limits</Title>
      <Await of={loaded}>
        {({ body, etag }) => (
          <>
            <dl>
              <div><dt>Workspace</dt><dd><code>{body.id}</code></dd></div>
              <div><dt>Active keys</dt><dd>{body.keys} of {body.max_active_keys}</dd></div>
              <div>
                <dt>Limit of all keys</dt>
                <dd>{limit(body.limits)}</dd>
              </div>
            </dl>
            {may("owner") && <Form key={body.version} of={body} etag={etag} done={loaded.reload} />}
          </>
        )}
      </Await>
    </>
  );
}

function Form({ of: space, etag, done }: { of: Workspace; etag: string | null; done: () => void }) {
  const [name, setName] = useState(space.name);
  const [requests, setRequests] = useState(String(space.limits?.requests ?? ""));
  const [seconds, setSeconds] = useState(String(space.limits?.window_seconds ?? 3600));
  const [burst, setBurst] = useState(String(space.limits?.burst ?? ""));
  const { isBusy, error, change } = useChange();
  const [said, setSaid] = useState("");
  const send = (event: Event) => {
    event.preventDefault();
    const limits = requests ? { requests: Number(requests), window_seconds: Number(seconds), burst: Number(burst) } : null;
    const before = JSON.stringify(space.limits);
    const body = { name, ...(JSON.stringify(limits) === before ? {} : { limits }) };
    setSaid("");
    void change(async () => {
      await ask("PATCH", at(""), { body, etag });
      setSaid("Saved.");
      await load();
      done();
    });
  };
  const count = (label: string, field: string, value: string, set: (value: string) => void) => (
    <Field label={label} error={wrongWith(error, (one) => one === `limits.${field}`)}>
      {(own) => <input {...own} inputMode="numeric" pattern="[0-9]*" value={value} onInput={(event) => set(event.currentTarget.value)} />}
    </Field>
  );
  return (
    <form class="form" onSubmit={send}>
      <h2>Change</h2>
      <Field label="Name" error={wrongWith(error, (one) => one === "name")}>
        {(own) => <input {...own} required maxLength={100} value={name} onInput={(event) => setName(event.currentTarget.value)} />}
      </Field>
      <p class="hint">Never above those of the policy. Without requests: as the policy says.</p>
      <div class="row">
        {count("Requests", "requests", requests, setRequests)}
        {count("in seconds", "window_seconds", seconds, setSeconds)}
        {count("at once", "burst", burst, setBurst)}
      </div>
      <p class="error">{wrongWith(error, (one) => one === "limits")}</p>
      {error && <Trouble error={error} />}
      {error instanceof Refused && error.status === 412 && <button type="button" onClick={done}>Load the limits anew</button>}
      <p role="status">{said}</p>
      <button class="primary" disabled={isBusy}>Save</button>
    </form>
  );
}
