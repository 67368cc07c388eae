// What would become of a request that nobody has sent. Nothing of it leaves the page.

import { useRef, useState } from "preact/hooks";
import { get } from "./api";
import { Checks } from "./checks";
import { explain, type Explanation, type Question } from "./core";
import { allKeys } from "./keys/list";
import { standing } from "./keys/standing";
import { Await, Field, Title, Trouble, useLoad } from "./parts";
import { policy as loadPolicy } from "./policy";
import { at, me, space } from "./state";
import type { Key, Policy, Workspace } from "./types";

interface Known {
  policy: Policy;
  keys: Key[];
}

interface Draft {
  method: string;
  url: string;
  /** `NOBODY`, `PERSON` or a key's id. */
  of: string;
  member: string;
  scopes: string;
  workspace: string;
  address: string;
  headers: string;
}

type Answer = { of: Explanation; error?: never } | { error: Error; of?: never };

/** What is asked about, as it is now; the limits that the workspace shares are its own if it has set some. */
async function load(): Promise<Known> {
  const [policy, keys, { limits }] = await Promise.all([loadPolicy(), allKeys(), get<Workspace>(at(""))]);
  return { policy: { ...policy, workspace: { ...policy.workspace, limits: limits ?? policy.workspace.limits } }, keys };
}

export function Explain() {
  const loaded = useLoad(load, []);
  return (
    <>
      <Title>Explain</Title>
      <p>What the gate would make of a request, by its own decision. Nothing is sent, and what is typed here stays in the page.</p>
      <Await of={loaded}>{(known) => <Form of={known} />}</Await>
    </>
  );
}

function Form({ of: { policy, keys } }: { of: Known }) {
  const [draft, setDraft] = useState<Draft>({
    method: "GET",
    url: `https://${policy.hosts[0] ?? ""}/`,
    of: keys[0]?.id ?? NOBODY,
    member: me.value?.subject ?? "",
    scopes: me.value?.scopes.join(" ") ?? "",
    workspace: space.value?.id ?? "",
    address: "",
    headers: "",
  });
  const [told, setTold] = useState<Answer | null>(null);
  // An answer to what was asked before it was changed is none.
  const turn = useRef(0);
  const set = (change: Partial<Draft>) => {
    turn.current++;
    setTold(null);
    setDraft({ ...draft, ...change });
  };
  const ask = async () => {
    const own = ++turn.current;
    const settle = (answer: Answer) => own === turn.current && setTold(answer);
    // By what holds now, not when the page was opened.
    const answer = load().then((known) => explain(known.policy, question(draft, known.keys)));
    await answer.then((of) => settle({ of }), (error: Error) => settle({ error }));
  };
  const signature = keys.find(({ id }) => id === draft.of)?.signature ?? "none";
  const text = (name: keyof Draft, label: string, hint: string) => (
    <Field label={label} hint={hint}>
      {(own) => <input {...own} class="code" value={draft[name]} spellcheck={false} autocomplete="off" onInput={(event) => set({ [name]: event.currentTarget.value })} />}
    </Field>
  );
  return (
    <>
      <form class="form" onSubmit={(event) => {
        event.preventDefault();
        void ask();
      }}>
        <Field label="Method">
          {(own) => (
            <select {...own} value={draft.method} onChange={(event) => set({ method: event.currentTarget.value })}>
              {METHODS.map((method) => <option key={method}>{method}</option>)}
            </select>
          )}
        </Field>
        {text("url", "URL", `Of one of the hosts ${policy.hosts.join(", ")}`)}
        <Field label="Credential" hint="A key's secret and a token are taken to be right; a signature is not looked at.">
          {(own) => (
            <select {...own} value={draft.of} onChange={(event) => set({ of: event.currentTarget.value })}>
              <option value={NOBODY}>none</option>
              {policy.people.length > 0 && <option value={PERSON}>a token</option>}
              {keys.map((key) => (
                <option key={key.id} value={key.id}>{key.name || "(no name)"} · {key.id} · {standing(key)}</option>
              ))}
            </select>
          )}
        </Field>
        {draft.of === PERSON && (
          <>
            {text("member", "Whose", `As ${policy.people.map(({ name, credential }) => `${name}:… (${credential})`).join(", ")}`)}
            {text("scopes", "Scopes of the token", "Separated by spaces; a session is not held to them")}
            {text("workspace", "Workspace of the token", "Where its issuer says one")}
          </>
        )}
        {text("address", "Client address", "As 203.0.113.9; empty: unknown")}
        <Field label="More headers" hint="A name, a colon and a value in each line">
          {(own) => <textarea {...own} class="code" rows={2} value={draft.headers} spellcheck={false} onInput={(event) => set({ headers: event.currentTarget.value })} />}
        </Field>
        <button class="primary">Explain</button>
      </form>
      <section aria-live="polite">
        {told?.error && <Trouble error={told.error} />}
        {told?.of && <Told of={told.of} />}
        {told?.of && signature !== "none" && <p class="effect">Requests with this key are signed ({signature}); no signature was looked at.</p>}
      </section>
    </>
  );
}

function Told({ of }: { of: Explanation }) {
  return (
    <>
      <h2>{verdict(of)}</h2>
      {of.would_deny.length > 0 && <p class="effect">On trial, and not refused yet: {of.would_deny.join(", ")}.</p>}
      <Checks of={of.checks} />
    </>
  );
}

function verdict(of: Explanation): string {
  if (of.verdict === "refused") return `Refused: ${of.status} ${of.code}. ${of.message}`;
  return of.verdict === "open" ? `Open: ${of.missing}` : "Allowed";
}

function question(draft: Draft, keys: Key[]): Question {
  const lines = draft.headers.split("\n").filter((line) => line.trim());
  const headers = lines.map((line): [string, string] => {
    const [name = "", ...value] = line.split(":");
    return [name.trim(), value.join(":").trim()];
  });
  if (draft.address.trim()) headers.unshift(["cf-connecting-ip", draft.address.trim()]);
  return { method: draft.method, url: draft.url.trim(), headers, of: whose(draft, keys) };
}

function whose({ of, member, scopes, workspace }: Draft, keys: Key[]): Question["of"] {
  if (of === NOBODY) return NOBODY;
  if (of === PERSON) {
    return { person: { member: member.trim(), scopes: scopes.split(/\s+/).filter(Boolean), workspace: workspace.trim() || null } };
  }
  const key = keys.find(({ id }) => id === of);
  if (!key) throw new Error("There is no such key any more.");
  return { key };
}

const NOBODY = "nobody";
const PERSON = "person";
const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
