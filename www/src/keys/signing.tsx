// How requests with a key are signed (docs/signatures.md).

import { Field } from "../parts";
import { minute } from "../time";
import type { Key } from "../types";
import type { Draft } from "./draft";

interface Props {
  draft: Draft;
  set: (change: Partial<Draft>) => void;
  /** The hosts of the policy. */
  hosts: string[];
  error: string | undefined;
  /** The key, if there is one already. */
  of: Key | null;
}

const MODES = [
  { value: "none", label: "no" },
  { value: "optional", label: "if a signature is there, it has to hold" },
  { value: "required", label: "required, beside the key" },
  { value: "only", label: "in the place of the key, which is never sent" },
];

export function SigningRules({ draft, set, hosts, error, of: key }: Props) {
  const turn = (host: string, isOn: boolean) => set({ hosts: isOn ? [...draft.hosts, host] : draft.hosts.filter((own) => own !== host) });
  const until = key?.signing?.debug_until;
  return (
    <fieldset class="field">
      <legend>Signed requests</legend>
      <Field label="Signatures" hint="A change of version or nonce gives the key a new signing secret." error={error}>
        {(own) => (
          <select {...own} value={draft.signature} onChange={(event) => set({ signature: event.currentTarget.value as Key["signature"] })}>
            {MODES.map(({ value, label }) => <option key={value} value={value}>{label}</option>)}
          </select>
        )}
      </Field>
      {draft.signature !== "none" && (
        <Field label="Version">
          {(own) => (
            <select {...own} value={draft.version} onChange={(event) => set({ version: event.currentTarget.value as Draft["version"] })}>
              <option value="v2">2: RFC 9421</option>
              <option value="v1">1: method, target, timestamp, body</option>
            </select>
          )}
        </Field>
      )}
      {draft.signature !== "none" && draft.version === "v1" && (
        <>
          <p>Hosts on which signatures are accepted:</p>
          {hosts.map((host) => (
            <p class="check" key={host}>
              <label><input type="checkbox" checked={draft.hosts.includes(host)} onChange={(event) => turn(host, event.currentTarget.checked)} /> {host}</label>
            </p>
          ))}
          <p class="check">
            <label><input type="checkbox" checked={draft.nonce} onChange={(event) => set({ nonce: event.currentTarget.checked })} /> X-Nonce is signed, and required</label>
          </p>
        </>
      )}
      {draft.signature !== "none" && key && (
        <Field
          label="Explain signatures that do not hold"
          hint={`The refusal then has hashes of what the gate saw, for the page Denials to compare.${until ? ` Until now: up to ${minute(until)}.` : ""}`}
        >
          {(own) => (
            <select {...own} value={draft.explain} onChange={(event) => set({ explain: event.currentTarget.value })}>
              <option value="">as it is</option>
              <option value="0">no</option>
              <option value="3600">for an hour</option>
              <option value="86000">for a day</option>
            </select>
          )}
        </Field>
      )}
    </fieldset>
  );
}
