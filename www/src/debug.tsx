// Why requests were refused: the last of them, one of them check by check, and what of a signature differs.

import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { get } from "./api";
import { Checks } from "./checks";
import { Choice } from "./keys/list";
import { Ladder } from "./ladder";
import { Await, Field, Title, useLoad } from "./parts";
import { go } from "./route";
import { at } from "./state";
import { minute } from "./time";
import type { Denial, ListedDenial } from "./types";
import { BudgetLine } from "./usage";

export function Debug({ id }: { id: string }) {
  return (
    <>
      <Title>Denials</Title>
      <Find key={id} id={id} />
      {id && <Found key={`found ${id}`} id={id} />}
      <Recent />
      <Ladder />
    </>
  );
}

function Find({ id }: { id: string }) {
  const [text, setText] = useState(id);
  return (
    <form class="form" onSubmit={(event) => {
      event.preventDefault();
      go(`denials/${encodeURIComponent(text.trim())}`);
    }}>
      <Field label="Request id" hint="request_id of the refusal, or its header X-Request-Id. The last 128 are kept, for a day.">
        {(own) => <input {...own} class="code" required value={text} spellcheck={false} autocomplete="off" onInput={(event) => setText(event.currentTarget.value)} />}
      </Field>
      <button class="primary">Find</button>
    </form>
  );
}

/** The list of those that can be asked for. */
function Recent() {
  const loaded = useLoad(async () => (await get<{ denials: ListedDenial[] }>(at("/denials"))).denials, []);
  const [filter, setFilter] = useState({ kid: "", code: "" });
  return (
    <section>
      <h2>The last denials</h2>
      <button type="button" onClick={loaded.reload}>Load again</button>
      <Await of={loaded}>
        {(denials) => {
          if (denials.length === 0) return <p class="empty">No request with a key of this workspace was refused within a day.</p>;
          const is = (one: ListedDenial) => (!filter.kid || one.kid === filter.kid) && (!filter.code || one.code === filter.code);
          const shown = denials.filter(is);
          return (
            <>
              <form class="filters" role="search" onSubmit={(event) => event.preventDefault()}>
                <Choice label="Key" chosen={filter.kid} values={denials.map(({ kid }) => kid)} set={(kid) => setFilter({ ...filter, kid })} />
                <Choice label="Code" chosen={filter.code} values={denials.map(({ code }) => code)} set={(code) => setFilter({ ...filter, code })} />
              </form>
              <p role="status" class="small">{shown.length} of {denials.length} denials; those of mode edge and of unproved keys are told to nobody.</p>
              {shown.length > 0 && <Table of={shown} />}
            </>
          );
        }}
      </Await>
    </section>
  );
}

function Table({ of: denials }: { of: ListedDenial[] }) {
  return (
    <div class="scroll" role="region" aria-label="The last denials" tabIndex={0}>
      <table>
        <thead><tr>{["Request", "Code", "About", "Time", "Key", "Address"].map((text) => <th key={text} scope="col">{text}</th>)}</tr></thead>
        <tbody>
          {denials.map((one) => (
            <tr key={one.request_id}>
              <th scope="row">
                <a href={`#/denials/${one.request_id}`}>{one.method} {one.path}</a>
                <code class="small">{one.request_id}</code>
              </th>
              <td>{one.code}</td>
              <td>{one.detail}</td>
              <td>{minute(one.time)}</td>
              <td><a href={`#/keys/${one.kid}`}><code>{one.kid}</code></a></td>
              <td>{one.address}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Found({ id }: { id: string }) {
  const loaded = useLoad(() => get<Denial>(at(`/denials/${encodeURIComponent(id)}`)), []);
  const heading = useRef<HTMLHeadingElement>(null);
  // It may have been chosen far down in the list.
  useLayoutEffect(() => heading.current?.focus(), [loaded.data]);
  return (
    <section aria-live="polite">
      <Await of={loaded}>
        {(denial) => (
          <>
            <h2 ref={heading} tabIndex={-1}>{denial.method} {denial.path}: {denial.code}</h2>
            <p>
              {minute(denial.time)}, with the key <a href={`#/keys/${denial.kid}`}><code>{denial.kid}</code></a>
              {denial.address && `, from ${denial.address}`}.
            </p>
            {denial.key_version !== denial.key.version && <p class="effect">The key has been changed since: what it was is not told.</p>}
            {denial.limited_by && <p>By the limit of: {denial.limited_by}; again in {denial.retry_after} s.</p>}
            {denial.budget && <BudgetLine of={denial.budget} />}
            {/* From the route on: what stands before has passed. */}
            <Checks of={denial.checks} />
          </>
        )}
      </Await>
    </section>
  );
}
