// A new secret for a key, and how long the old one goes on.

import { useEffect, useId, useRef, useState } from "preact/hooks";
import { ask } from "../api";
import { Field, Trouble } from "../parts";
import { at } from "../state";
import type { Key, NewSecret } from "../types";

const GRACES = [
  { value: 0, label: "none: it stops at once" },
  { value: 3600, label: "an hour" },
  { value: 86_400, label: "a day" },
  { value: 604_800, label: "a week" },
  { value: 2_592_000, label: "30 days" },
];

export function Rotate({ of: key, made, close }: { of: Key; made: (key: NewSecret) => void; close: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [grace, setGrace] = useState(86_400);
  const [kind, setKind] = useState("key");
  const [error, setError] = useState<Error | null>(null);
  const once = useRef(crypto.randomUUID());
  const id = useId();
  useEffect(() => dialog.current?.showModal(), []);
  const send = async (event: Event) => {
    event.preventDefault();
    const body = { grace_seconds: grace, of: kind };
    await ask<NewSecret>("POST", at(`/api-keys/${key.id}/rotate`), { body, once: once.current }).then((answer) => {
      close();
      made(answer.body);
    }, setError);
  };
  return (
    <dialog ref={dialog} aria-labelledby={id} onClose={close}>
      <form onSubmit={send}>
        <h2 id={id}>Rotate this key</h2>
        <p>The key gets a new secret. Its name, limits and usage stay.</p>
        {key.signature !== "none" && (
          <Field label="Which secret">
            {(own) => (
              <select {...own} value={kind} onChange={(event) => setKind(event.currentTarget.value)}>
                <option value="key">the key</option>
                <option value="signing">the signing secret</option>
              </select>
            )}
          </Field>
        )}
        <Field label="The old secret works for" hint="See its last use on the key's page before it ends.">
          {(own) => (
            <select {...own} value={grace} onChange={(event) => setGrace(Number(event.currentTarget.value))}>
              {GRACES.map(({ value, label }) => <option key={value} value={value}>{label}</option>)}
            </select>
          )}
        </Field>
        {error && <Trouble error={error} />}
        <div class="actions">
          <button type="button" onClick={() => dialog.current?.close()}>Cancel</button>
          <button class="primary">Rotate</button>
        </div>
      </form>
    </dialog>
  );
}
