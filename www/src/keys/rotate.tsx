// A new secret for a key, and how long the old one goes on.

import { useRef, useState } from "preact/hooks";
import { ask, type Once, once } from "../api";
import { Field, Modal, Trouble, useChange } from "../parts";
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
  const { isBusy, error, change } = useChange();
  const asked = useRef<Once | null>(null);
  const send = (event: Event) => {
    event.preventDefault();
    asked.current ??= once({ grace_seconds: grace, of: kind });
    const { current } = asked;
    void change(async () => {
      const { body } = await ask<NewSecret>("POST", at(`/api-keys/${key.id}/rotate`), current);
      close();
      made(body);
    });
  };
  const set = (act: () => void) => {
    asked.current = null;
    act();
  };
  return (
    <Modal of={dialog} title="Rotate this key" isHeld={isBusy} close={close}>
      <form onSubmit={send}>
        <p>The key gets a new secret. Its name, limits and usage stay.</p>
        {key.signature !== "none" && (
          <Field label="Which secret">
            {(own) => (
              <select {...own} value={kind} onChange={({ currentTarget }) => set(() => setKind(currentTarget.value))}>
                <option value="key">the key</option>
                <option value="signing">the signing secret</option>
              </select>
            )}
          </Field>
        )}
        <Field label="The old secret works for" hint="See its last use on the key's page before it ends.">
          {(own) => (
            <select {...own} value={grace} onChange={({ currentTarget }) => set(() => setGrace(Number(currentTarget.value)))}>
              {GRACES.map(({ value, label }) => <option key={value} value={value}>{label}</option>)}
            </select>
          )}
        </Field>
        {error && <Trouble error={error} />}
        <div class="actions">
          <button type="button" disabled={isBusy} onClick={() => dialog.current?.close()}>Cancel</button>
          <button class="primary" disabled={isBusy}>Rotate</button>
        </div>
      </form>
    </Modal>
  );
}
