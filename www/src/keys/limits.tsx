// What a key may take: a tier of the policy, or limits of its own.

import { Field } from "../parts";
import { limit } from "../time";
import type { Policy } from "../types";
import type { Draft } from "./draft";

interface Props {
  draft: Draft;
  set: (change: Partial<Draft>) => void;
  tiers: Policy["tiers"];
  error: string | undefined;
}

export function KeyLimits({ draft, set, tiers, error }: Props) {
  const count = (label: string, name: "requests" | "window" | "burst", wrong?: string) => (
    <Field label={label} error={wrong}>
      {(own) => <input {...own} inputMode="numeric" value={draft[name]} onInput={(event) => set({ [name]: event.currentTarget.value })} />}
    </Field>
  );
  return (
    <fieldset>
      <legend>Limits of the key</legend>
      {tiers.length > 0 && (
        <Field label="Tier">
          {(own) => (
            <select {...own} value={draft.tier} onChange={(event) => set({ tier: event.currentTarget.value })}>
              <option value="">none: as below</option>
              {tiers.map(({ name, limits }) => <option key={name} value={name}>{name}: {limit(limits)}</option>)}
            </select>
          )}
        </Field>
      )}
      {!draft.tier && (
        <>
          <p class="hint">Empty: those of the workspace alone.</p>
          <div class="row">
            {count("Requests", "requests", error)}
            {count("in seconds", "window")}
            {count("at once", "burst")}
          </div>
        </>
      )}
    </fieldset>
  );
}
