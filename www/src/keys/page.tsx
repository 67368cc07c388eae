// One key: what it is, and what can be done about it.

import { useCallback, useState } from "preact/hooks";
import { ask } from "../api";
import { Await, Badge, Confirm, Title, Trouble, useChange, useLoad } from "../parts";
import { Secret, secretsOf } from "../secret";
import { at, may, me } from "../state";
import { ago, limit, minute } from "../time";
import type { Key, NewSecret } from "../types";
import { UsageOf } from "../usage";
import { Effect } from "./effect";
import { Rotate } from "./rotate";
import { standing } from "./standing";
import { Thresholds } from "./thresholds";

type Question = "rotate" | "disable" | "revoke" | null;

export function KeyPage({ kid }: { kid: string }) {
  const loaded = useLoad(() => ask<Key>("GET", at(`/api-keys/${kid}`)), [kid]);
  const [question, setQuestion] = useState<Question>(null);
  const [effect, setEffect] = useState<{ by: string; what: string } | null>(null);
  const [made, setMade] = useState<NewSecret | null>(null);
  const enabling = useChange();
  // The answer to a request that was sent twice has no secret: the one that is shown stays.
  const show = useCallback((key: NewSecret) => setMade((last) => (last && secretsOf(key).length === 0 ? last : key)), []);
  const close = useCallback(() => setQuestion(null), []);
  const forget = useCallback(() => {
    setMade(null);
    loaded.reload();
  }, [loaded.reload]);
  if (made) return <Secret of={secretsOf(made)} to={`keys/${made.id}`} done={forget} />;
  const change = async (what: string, method: string, path: string) => {
    const { body } = await ask<{ effective_by?: string }>(method, at(`/api-keys/${kid}${path}`));
    if (body.effective_by) setEffect({ by: body.effective_by, what: `The key is ${what}` });
    loaded.reload();
  };
  return (
    <Await of={loaded}>
      {({ body: key, etag }) => (
        <>
          <Title actions={<Actions of={key} ask={setQuestion} enable={() => void enabling.change(() => change("enabled", "POST", "/enable"))} />}>
            {key.name || key.id}
          </Title>
          {enabling.error && <Trouble error={enabling.error} />}
          {effect && <Effect {...effect} />}
          <Facts of={key} />
          <Secrets of={key} />
          {may("admin") && key.limits && key.status !== "revoked" && <Thresholds key={key.version} of={key} etag={etag} done={loaded.reload} />}
          <h2>Usage</h2>
          <UsageOf path={`/api-keys/${kid}/usage`} name={key.name || key.id} />
          {question === "rotate" && <Rotate of={key} made={show} close={close} />}
          {question === "disable" && (
            <Confirm title="Disable this key?" action="Disable" close={close} act={() => change("disabled", "POST", "/disable")}>
              <p>Its requests are refused until it is enabled again.</p>
            </Confirm>
          )}
          {question === "revoke" && (
            <Confirm title="Revoke this key?" action="Revoke for good" close={close} act={() => change("revoked", "DELETE", "")}>
              <p>This cannot be undone. Every request with <code>{key.id}</code> will be refused.</p>
            </Confirm>
          )}
        </>
      )}
    </Await>
  );
}

function Actions({ of: key, ask, enable }: { of: Key; ask: (question: Question) => void; enable: () => void }) {
  const isOwn = key.type !== "personal" || key.subject === me.value?.subject;
  const isHeld = key.status === "disabled" || key.status === "quarantined";
  return (
    <>
      <a class="button" href={`#/keys/${key.id}/try`}>Try it</a>
      {may("admin") && key.status !== "revoked" && (
        <>
          {isOwn && <a class="button" href={`#/keys/${key.id}/edit`}>Edit</a>}
          {isOwn && <button type="button" onClick={() => ask("rotate")}>Rotate</button>}
          {isHeld && isOwn && <button type="button" onClick={enable}>Enable</button>}
          {!isHeld && <button type="button" onClick={() => ask("disable")}>Disable</button>}
          <button type="button" class="danger" onClick={() => ask("revoke")}>Revoke</button>
        </>
      )}
    </>
  );
}

function Facts({ of: key }: { of: Key }) {
  const { limits } = key;
  const facts: [string, string | null][] = [
    ["Type", key.type + (key.subject ? ` of ${key.subject}` : "") + (key.project_id ? ` ${key.project_id}` : "")],
    ["Scopes", key.scopes.join(", ")],
    ["Description", key.description],
    ["Created", `${minute(key.created)}${key.created_by ? ` by ${key.created_by}` : ""}`],
    ["Last used", key.last_used ? `${ago(key.last_used)} (${minute(key.last_used)})` : "never"],
    ["Works from", key.not_before && minute(key.not_before)],
    ["Expires", key.expires ? `${ago(key.expires)} (${minute(key.expires)})` : "never"],
    ["Networks", key.ips ? key.ips.join(", ") : "any"],
    ["Parameters", key.bindings && Object.entries(key.bindings).map(([name, values]) => `${name}: ${values.join(", ")}`).join("; ")],
    ["Tier", key.tier],
    ["Limit", limits && limit(limits)],
    ["Signed requests", key.signature === "none" ? null : signing(key)],
  ];
  return (
    <dl>
      <div><dt>Key id</dt><dd><code>{key.id}</code></dd></div>
      <div><dt>Status</dt><dd><Badge status={standing(key)} /></dd></div>
      {facts.filter(([, value]) => value).map(([name, value]) => <div key={name}><dt>{name}</dt><dd>{value}</dd></div>)}
    </dl>
  );
}

/** How its requests are signed. */
function signing({ signature, signing }: Key): string {
  const { version = "v2", hosts = [], nonce, debug_until } = signing ?? {};
  const isTold = debug_until && Date.parse(debug_until) > Date.now();
  const parts = [signature, version, hosts.length > 0 && `on ${hosts.join(", ")}`, nonce && "with X-Nonce"];
  return [...parts, isTold && `explained until ${minute(debug_until)}`].filter(Boolean).join(", ");
}

/** Secrets that a rotation is replacing. */
function Secrets({ of: { secrets } }: { of: Key }) {
  if (secrets.length < 2) return null;
  return (
    <>
      <h2>Secrets</h2>
      <div class="scroll" role="region" aria-label="Secrets" tabIndex={0}>
        <table>
          <thead><tr><th scope="col">Secret</th><th scope="col">Works until</th><th scope="col">Last used</th></tr></thead>
          <tbody>
            {secrets.map(({ generation, expires, last_used }) => (
              <tr key={generation}>
                <th scope="row">{expires ? `old (${generation})` : `new (${generation})`}</th>
                <td>{expires ? `${minute(expires)} (${ago(expires)})` : "the key's end"}</td>
                <td>{last_used ? ago(last_used) : expires ? "not since the rotation" : "–"}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}
