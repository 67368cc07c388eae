// At which parts of its limit a key is told of.

import { useState } from "preact/hooks";
import { ask } from "../api";
import { Field, Trouble, useChange } from "../parts";
import { at } from "../state";
import type { Key } from "../types";

export function Thresholds({ of: key, etag, done }: { of: Key; etag: string | null; done: () => void }) {
  const [text, setText] = useState(key.alerts.join(", "));
  const [wrong, setWrong] = useState<string | undefined>();
  const { isBusy, error, change } = useChange();
  const send = (event: Event) => {
    event.preventDefault();
    const parts = text.split(/[\s,]+/).filter(Boolean);
    const isRight = parts.length <= 10 && parts.every((part) => /^[1-9]\d?$|^100$/.test(part));
    setWrong(isRight ? undefined : "at most ten whole numbers from 1 to 100");
    if (!isRight) return;
    const thresholds = parts.length > 0 ? parts.map(Number) : null;
    void change(async () => {
      await ask("PUT", at(`/api-keys/${key.id}/alerts`), { body: { thresholds }, etag });
      done();
    });
  };
  return (
    <form class="form" onSubmit={send} noValidate>
      <h2>Alerts</h2>
      <Field label="Tell at, in per cent of the limit" hint="For example 80, 100. None: never." error={wrong}>
        {(own) => <input {...own} value={text} onInput={(event) => setText(event.currentTarget.value)} />}
      </Field>
      {error && <Trouble error={error} />}
      <button disabled={isBusy}>Save the alerts</button>
    </form>
  );
}
