// Why a request was refused: check by check, by its id; and what of a signature differs.

import { useState } from "preact/hooks";
import { get } from "./api";
import { Ladder } from "./ladder";
import { Await, Field, Title, useLoad } from "./parts";
import { go } from "./route";
import { at } from "./state";
import { minute } from "./time";
import type { Denial } from "./types";

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
            {denial.key_version !== denial.key.version && <p class="effect">The key has been changed since: below is how it is now.</p>}
            <Checks of={denial} />
          </>
        )}
      </Await>
    </section>
  );
}

/** All checks, up to the one that refused. */
function Checks({ of: denial }: { of: Denial }) {
  return (
    <div class="scroll" role="region" aria-label="Checks" tabIndex={0}>
      <table>
        <thead><tr>{["Check", "Verdict", "What it was about"].map((text) => <th key={text} scope="col">{text}</th>)}</tr></thead>
        <tbody>
          {denial.checks.map(({ check, verdict }) => (
            <tr key={check}>
              <th scope="row">{check}</th>
              <td><span class={`badge ${verdict === "refused" ? "revoked" : verdict === "passed" ? "active" : ""}`}>{verdict}</span></td>
              <td>{verdict !== "not reached" && about(check, denial)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** What a check looks at. */
function about(check: string, { key, ...denial }: Denial): string {
  const bound = Object.entries(key.bindings).map(([name, values]) => `${name} is one of ${values.join(", ")}`);
  switch (check) {
    case "method":
      return denial.method;
    case "route":
      return denial.path;
    case "key":
      return `version ${denial.key_version}`;
    case "status and dates":
      return key.status + (key.expires ? `, until ${minute(key.expires)}` : "");
    case "key's networks":
      return `${key.ips?.join(", ") ?? "any"}; the client was ${denial.address || "unknown"}`;
    case "scope":
      return `${denial.scope ? `needs ${denial.scope}; ` : ""}the key has ${key.scopes.join(", ") || "none"}`;
    case "resource":
      return (denial.parameter ? `{${denial.parameter}} named something else; ` : "") + (bound.join("; ") || "any");
    case "limits":
      return denial.limited_by ? `of the ${denial.limited_by}; again in ${denial.retry_after} s` : "";
    default:
      return "";
  }
}
