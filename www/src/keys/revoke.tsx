// The end of every key there is, for an incident.

import { useState } from "preact/hooks";
import { ask } from "../api";
import { Confirm, Field } from "../parts";
import { at, load, space } from "../state";
import { Effect } from "./effect";

export function RevokeAll({ isAny, done }: { isAny: boolean; done: () => void }) {
  const [isAsked, setAsked] = useState(false);
  const [typed, setTyped] = useState("");
  const [by, setBy] = useState<string | null>(null);
  const id = space.value?.id ?? "";
  const revoke = async () => {
    const { body } = await ask<{ effective_by: string }>("POST", at("/api-keys/revoke-all"));
    setBy(body.effective_by);
    setTyped("");
    done();
    await load();
  };
  return (
    <>
      {by && <Effect by={by} what="Every key is revoked" />}
      {isAny && (
        <div class="actions">
          <button type="button" class="danger" onClick={() => setAsked(true)}>Revoke all keys</button>
        </div>
      )}
      {isAsked && (
        <Confirm title="Revoke every key?" action="Revoke them all" isReady={typed.trim() === id} close={() => setAsked(false)} act={revoke}>
          <p>This cannot be undone. Every request with a key of this workspace will be refused.</p>
          <Field label={`Type ${id} to go on`}>
            {(own) => <input {...own} class="code" value={typed} autocomplete="off" spellcheck={false} onInput={(event) => setTyped(event.currentTarget.value)} />}
          </Field>
        </Confirm>
      )}
    </>
  );
}
