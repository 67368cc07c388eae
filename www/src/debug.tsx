// Why a request was refused: check by check, by its id; and what of a signature differs.

import { useState } from "preact/hooks";
import { get } from "./api";
import { Ladder } from "./ladder";
import { Await, Field, Title, useLoad } from "./parts";
import { go } from "./route";
import { at } from "./state";
import { minute } from "./time";
import type { Denial } from "./types";
import { BudgetLine } from "./usage";

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
      {id && <Found key={id} id={id} />}
      <Ladder />
    </>
  );
}

function Found({ id }: { id: string }) {
  const loaded = useLoad(() => get<Denial>(at(`/denials/${encodeURIComponent(id)}`)), []);
  return (
    <section aria-live="polite">
      <Await of={loaded}>
        {(denial) => (
          <>
            <h2>{denial.method} {denial.path}: {denial.code}</h2>
            <p>
              {minute(denial.time)}, with the key <a href={`#/keys/${denial.kid}`}><code>{denial.kid}</code></a>
              {denial.address && `, from ${denial.address}`}.
            </p>
            {denial.key_version !== denial.key.version && <p class="effect">The key has been changed since: what it was is not told.</p>}
            {denial.limited_by && <p>By the limit of: {denial.limited_by}; again in {denial.retry_after} s.</p>}
            {denial.budget && <BudgetLine of={denial.budget} />}
            <Checks of={denial} />
          </>
        )}
      </Await>
    </section>
  );
}

/** All checks from the route on: what stands before has passed. */
function Checks({ of: denial }: { of: Denial }) {
  return (
    <div class="scroll" role="region" aria-label="Checks" tabIndex={0}>
      <table>
        <thead><tr>{["Check", "Verdict", "What it was about"].map((text) => <th key={text} scope="col">{text}</th>)}</tr></thead>
        <tbody>
          {denial.checks.map(({ check, verdict, detail }) => (
            <tr key={check}>
              <th scope="row">{check}</th>
              <td><span class={`badge ${verdict === "refused" ? "revoked" : verdict === "passed" ? "active" : ""}`}>{verdict}</span></td>
              <td>{detail}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
