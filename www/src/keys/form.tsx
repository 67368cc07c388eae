// A new key, or changes of one.

import { useCallback, useRef, useState } from "preact/hooks";
import { ask, Refused } from "../api";
import { Await, Field, Title, Trouble, useLoad } from "../parts";
import { go } from "../route";
import { at } from "../state";
import type { Key, NewSecret } from "../types";
import { body, EXPIRIES, isWideEnough, problems, type Draft, draftOf, NEW } from "./draft";
import { allKeys } from "./list";
import { Scopes } from "./scopes";
import { Secret, secretsOf } from "../secret";

export function KeyForm({ kid }: { kid?: string }) {
  const [made, setMade] = useState<NewSecret | null>(null);
  const loaded = useLoad(async () => {
    const known = [...new Set((await allKeys()).flatMap((key) => key.scopes))].toSorted();
    const found = kid === undefined ? null : await ask<Key>("GET", at(`/api-keys/${kid}`));
    return { known, key: found?.body ?? null, etag: found?.etag ?? null };
  }, [kid]);
  const forget = useCallback(() => setMade(null), []);
  if (made) return <Secret of={secretsOf(made)} to={`keys/${made.id}`} done={forget} />;
  return (
    <>
      <Title>{kid === undefined ? "New key" : "Edit key"}</Title>
      <Await of={loaded}>
        {({ known, key, etag }) => (
          <Form known={known} first={key ? draftOf(key) : NEW} {...(kid === undefined ? {} : { kid })} etag={etag} made={setMade} />
        )}
      </Await>
    </>
  );
}

interface FormProps {
  known: string[];
  first: Draft;
  kid?: string;
  etag: string | null;
  made: (key: NewSecret) => void;
}

function Form({ known, first, kid, etag, made }: FormProps) {
  const [draft, setDraft] = useState(first);
  const [error, setError] = useState<Error | null>(null);
  const [isBusy, setBusy] = useState(false);
  const [isTried, setTried] = useState(false);
  // The same while the form is open: a request that was sent twice makes one key.
  const once = useRef(crypto.randomUUID());
  const isNew = kid === undefined;
  const wrong = problems(draft, isNew);
  const told = error instanceof Refused ? error.fields : [];
  const show = (field: string) => {
    const server = told.filter((one) => one.field.split(/[.[]/)[0] === field).map((one) => `${one.field} ${one.message}`);
    return (isTried || field === "ips" ? wrong[field] : undefined) ?? (server.join("; ") || undefined);
  };
  const set = (change: Partial<Draft>) => {
    once.current = crypto.randomUUID();
    setDraft({ ...draft, ...change });
  };
  const send = async (event: Event) => {
    event.preventDefault();
    setTried(true);
    if (Object.keys(wrong).length > 0) {
      requestAnimationFrame(() => document.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus());
      return;
    }
    setBusy(true);
    setError(null);
    try {
      if (isNew) made((await ask<NewSecret>("POST", at("/api-keys"), { body: body(draft, null), once: once.current })).body);
      else {
        await ask("PATCH", at(`/api-keys/${kid}`), { body: body(draft, first), etag });
        go(`keys/${kid}`);
      }
    } catch (failed) {
      setError(failed as Error);
    }
    setBusy(false);
  };
  return (
    <form class="form" onSubmit={send} noValidate>
      <Field label="Name" error={show("name")}>
        {(own) => <input {...own} value={draft.name} maxLength={100} onInput={(event) => set({ name: event.currentTarget.value })} />}
      </Field>
      <Field label="Description" hint="For people; never a secret." error={show("description")}>
        {(own) => <input {...own} value={draft.description} maxLength={500} onInput={(event) => set({ description: event.currentTarget.value })} />}
      </Field>
      {isNew && (
        <Field label="Type" hint="Personal keys end with your membership." error={show("type")}>
          {(own) => (
            <select {...own} value={draft.type} onChange={(event) => set({ type: event.currentTarget.value as Draft["type"] })}>
              {["service", "personal", "project", "temporary"].map((type) => <option key={type}>{type}</option>)}
            </select>
          )}
        </Field>
      )}
      {isNew && draft.type === "project" && (
        <Field label="Project" error={show("project_id")}>
          {(own) => <input {...own} value={draft.project} onInput={(event) => set({ project: event.currentTarget.value })} />}
        </Field>
      )}
      {isNew && (
        <Field label="Environment" hint="Becomes part of the key: ak_live_…" error={show("environment")}>
          {(own) => (
            <select {...own} value={draft.environment} onChange={(event) => set({ environment: event.currentTarget.value })}>
              <option value="">none</option>
              <option>live</option>
              <option>test</option>
            </select>
          )}
        </Field>
      )}
      <Scopes known={known} chosen={draft.scopes} error={show("scopes")} set={(scopes) => set({ scopes })} />
      <Field label="Expires" error={show("expires")}>
        {(own) => (
          <div class="row">
            <select {...own} value={draft.expiry} onChange={(event) => set({ expiry: event.currentTarget.value })}>
              {EXPIRIES.map(({ value, label }) => <option key={value} value={value}>{label}</option>)}
            </select>
            {draft.expiry === "at" && (
              <input type="datetime-local" aria-label="Expires at (UTC)" value={draft.expires} onInput={(event) => set({ expires: event.currentTarget.value })} />
            )}
          </div>
        )}
      </Field>
      <Field label="Networks" hint="One on each line, for example 203.0.113.0/24. None: from anywhere." error={show("ips")}>
        {(own) => <textarea {...own} rows={3} value={draft.ips} spellcheck={false} onInput={(event) => set({ ips: event.currentTarget.value })} />}
      </Field>
      {!isWideEnough(draft) && (
        <p class="check">
          <label>
            <input type="checkbox" checked={draft.allowWide} onChange={(event) => set({ allowWide: event.currentTarget.checked })} />{" "}
            Allow a network wider than /8 (IPv6: /16)
          </label>
        </p>
      )}
      <Field label="Parameters" hint="The only values that the key may use of a route's parameter: agent_id=agent-123,agent-456" error={show("bindings")}>
        {(own) => <textarea {...own} rows={2} value={draft.bindings} spellcheck={false} onInput={(event) => set({ bindings: event.currentTarget.value })} />}
      </Field>
      <fieldset>
        <legend>Own limits</legend>
        <p class="hint">Empty: those of the workspace alone.</p>
        <div class="row">
          <Field label="Requests" error={show("limits")}>
            {(own) => <input {...own} inputMode="numeric" value={draft.requests} onInput={(event) => set({ requests: event.currentTarget.value })} />}
          </Field>
          <Field label="in seconds">
            {(own) => <input {...own} inputMode="numeric" value={draft.window} onInput={(event) => set({ window: event.currentTarget.value })} />}
          </Field>
          <Field label="at once">
            {(own) => <input {...own} inputMode="numeric" value={draft.burst} onInput={(event) => set({ burst: event.currentTarget.value })} />}
          </Field>
        </div>
      </fieldset>
      {isNew && (
        <Field label="Signed requests" hint="How they are signed: docs/signatures.md." error={show("signature")}>
          {(own) => (
            <select {...own} value={draft.signature} onChange={(event) => set({ signature: event.currentTarget.value as Draft["signature"] })}>
              {["none", "optional", "required", "only"].map((mode) => <option key={mode}>{mode}</option>)}
            </select>
          )}
        </Field>
      )}
      {error && <Trouble error={error} />}
      <div class="actions">
        <a class="button" href={isNew ? "#/keys" : `#/keys/${kid}`}>Cancel</a>
        <button class="primary" disabled={isBusy}>{isNew ? "Make the key" : "Save"}</button>
      </div>
    </form>
  );
}
