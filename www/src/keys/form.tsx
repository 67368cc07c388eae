// A new key, or changes of one.

import { useCallback, useRef, useState } from "preact/hooks";
import { ask, type Once, once, Refused, wrongWith } from "../api";
import { Await, Field, Title, Trouble, useChange, useLoad } from "../parts";
import { policy } from "../policy";
import { go } from "../route";
import { at, me } from "../state";
import type { Key, NewSecret, Policy } from "../types";
import { body, EXPIRIES, isWideEnough, problems, type Draft, draftOf, NEW, rebased } from "./draft";
import { KeyLimits } from "./limits";
import { Scopes } from "./scopes";
import { SigningRules } from "./signing";
import { Secret, secretsOf } from "../secret";

export function KeyForm({ kid }: { kid?: string }) {
  const [made, setMade] = useState<NewSecret | null>(null);
  const loaded = useLoad(async () => {
    const [own, found] = await Promise.all([policy(), kid === undefined ? null : ask<Key>("GET", at(`/api-keys/${kid}`))]);
    return { policy: own, key: found?.body ?? null, etag: found?.etag ?? null };
  }, [kid]);
  const forget = useCallback(() => setMade(null), []);
  const changed = useCallback((key: NewSecret) => (key.signing_secret === undefined ? go(`keys/${key.id}`) : setMade(key)), []);
  if (made) return <Secret of={secretsOf(made)} to={`keys/${made.id}`} done={forget} />;
  return (
    <>
      <Title>{kid === undefined ? "New key" : "Edit key"}</Title>
      <Await of={loaded}>
        {({ policy, key, etag }) =>
          key?.type === "personal" && key.subject !== me.value?.subject
            ? <p class="empty">This key is {key.subject}'s own: nobody else changes it.</p>
            : <Form policy={policy} of={{ key, etag }} made={key ? changed : setMade} />
        }
      </Await>
    </>
  );
}

/** The key that is changed, as it was read; null: a new one. */
interface Base {
  key: Key | null;
  etag: string | null;
}

interface FormProps {
  policy: Policy;
  of: Base;
  made: (key: NewSecret) => void;
}

function Form({ policy, of, made }: FormProps) {
  const [{ key, etag }, setBase] = useState(of);
  const first = key ? draftOf(key) : { ...NEW, scopes: policy.default_scopes ?? [] };
  const [draft, setDraft] = useState(first);
  const { isBusy, error, change } = useChange();
  const [isTried, setTried] = useState(false);
  const asked = useRef<Once | null>(null);
  const isNew = key === null;
  const wrong = problems(draft, isNew);
  const show = (field: string) =>
    (isTried || field === "ips" ? wrong[field] : undefined) ?? wrongWith(error, (one) => one.split(/[.[]/)[0] === field);
  const set = (change: Partial<Draft>) => {
    asked.current = null;
    setDraft({ ...draft, ...change });
  };
  const send = (event: Event) => {
    event.preventDefault();
    setTried(true);
    if (Object.keys(wrong).length > 0) {
      requestAnimationFrame(() => document.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus());
      return;
    }
    asked.current ??= once(body(draft, isNew ? null : first));
    const { current } = asked;
    void change(async () => {
      const answer = isNew
        ? ask<NewSecret>("POST", at("/api-keys"), current)
        : ask<NewSecret>("PATCH", at(`/api-keys/${key.id}`), { body: current.body, etag });
      made((await answer).body);
    });
  };
  const loadAnew = () =>
    change(async () => {
      const { body: now, etag } = await ask<Key>("GET", at(`/api-keys/${key?.id}`));
      asked.current = null;
      setDraft((last) => rebased(last, first, draftOf(now)));
      setBase({ key: now, etag });
    });
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
        <Field label="Environment" hint={`Becomes part of the key: ${policy.key_prefix}_live_…`} error={show("environment")}>
          {(own) => (
            <select {...own} value={draft.environment} onChange={(event) => set({ environment: event.currentTarget.value })}>
              <option value="">none</option>
              <option>live</option>
              <option>test</option>
            </select>
          )}
        </Field>
      )}
      <Scopes routes={policy.routes} chosen={draft.scopes} error={show("scopes")} set={(scopes) => set({ scopes })} />
      <Field label="Works from" hint="In UTC. Empty: at once." error={show("not_before")}>
        {(own) => <input {...own} type="datetime-local" value={draft.starts} onInput={(event) => set({ starts: event.currentTarget.value })} />}
      </Field>
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
      <Field label="Parameters" hint="The only values that the key may use of a route's parameter: agent_id=agent-123,agent-456 (a comma in a value: \,)" error={show("bindings")}>
        {(own) => <textarea {...own} rows={2} value={draft.bindings} spellcheck={false} onInput={(event) => set({ bindings: event.currentTarget.value })} />}
      </Field>
      <KeyLimits draft={draft} set={set} tiers={policy.tiers} error={show("limits") ?? show("tier")} />
      <SigningRules draft={draft} set={set} hosts={policy.hosts} error={show("signing") ?? show("signature")} of={key} />
      {error && <Trouble error={error} />}
      {error instanceof Refused && error.status === 412 && (
        <div class="effect">
          <p>The key was changed elsewhere since you opened it. What you changed here stays: load the rest anew, look at it, and save.</p>
          <button type="button" disabled={isBusy} onClick={loadAnew}>Load the key anew</button>
        </div>
      )}
      <div class="actions">
        <a class="button" href={isNew ? "#/keys" : `#/keys/${key.id}`}>Cancel</a>
        <button class="primary" disabled={isBusy}>{isNew ? "Make the key" : "Save"}</button>
      </div>
    </form>
  );
}
