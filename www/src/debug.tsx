// Why a request was refused.

import { useState } from "preact/hooks";
import { get } from "./api";
import { Await, Field, Title, useLoad } from "./parts";
import { go } from "./route";
import { at } from "./state";

export function Debug({ id }: { id: string }) {
  const [text, setText] = useState(id);
  return (
    <>
      <Title>Denials</Title>
      <form class="form" onSubmit={(event) => {
        event.preventDefault();
        go(`denials/${encodeURIComponent(text.trim())}`);
      }}>
        <Field label="Request id" hint="request_id of the refusal, or its header X-Request-Id. The last 128 are kept, for a day.">
          {(own) => <input {...own} class="code" required value={text} spellcheck={false} autocomplete="off" onInput={(event) => setText(event.currentTarget.value)} />}
        </Field>
        <button class="primary">Find</button>
      </form>
      {id && <Denial key={id} id={id} />}
    </>
  );
}

function Denial({ id }: { id: string }) {
  const loaded = useLoad(() => get<Record<string, unknown>>(at(`/denials/${encodeURIComponent(id)}`)), []);
  return (
    <section aria-live="polite">
      <Await of={loaded}>{(denial) => <Members of={denial} />}</Await>
    </section>
  );
}

function Members({ of }: { of: Record<string, unknown> }) {
  const told = Object.entries(of).filter(([, value]) => value !== null);
  return (
    <dl>
      {told.map(([name, value]) => (
        <div key={name}>
          <dt>{name.replaceAll("_", " ")}</dt>
          <dd>{typeof value === "object" && !Array.isArray(value) ? <Members of={value as Record<string, unknown>} /> : Array.isArray(value) && value.every((one) => typeof one !== "object") ? value.join(", ") : typeof value === "object" ? JSON.stringify(value) : String(value)}</dd>
        </div>
      ))}
    </dl>
  );
}
