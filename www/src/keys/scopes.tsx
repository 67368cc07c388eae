// What a key may do: words, added one by one.

import { useId, useState } from "preact/hooks";
import type { Route } from "../types";

interface Props {
  /** Of the policy: a key can be of use only for what they ask. */
  routes: Route[];
  chosen: string[];
  error: string | undefined;
  set: (scopes: string[]) => void;
}

export function Scopes({ routes, chosen, error, set }: Props) {
  const [text, setText] = useState("");
  const id = useId();
  const add = (scope: string) => {
    const own = scope.trim();
    if (own && !chosen.includes(own)) set([...chosen, own]);
    setText("");
  };
  const asked = routes.filter(({ credentials }) => credentials.includes("key")).flatMap(({ scope }) => scope ?? []);
  const left = [...new Set(["read", "write", ...asked.toSorted()])].filter((scope) => !chosen.includes(scope));
  return (
    <fieldset class="field">
      <legend>Scopes</legend>
      {chosen.length > 0 && (
        <ul class="chips" aria-label="Chosen scopes">
          {chosen.map((scope) => (
            <li key={scope}>
              <code>{scope}</code>
              <button type="button" class="quiet" aria-label={`Remove ${scope}`} onClick={() => set(chosen.filter((own) => own !== scope))}>×</button>
            </li>
          ))}
        </ul>
      )}
      <label for={id}>Add a scope</label>
      <div class="row">
        <input
          id={id}
          value={text}
          spellcheck={false}
          autocomplete="off"
          placeholder="agents:read"
          aria-invalid={!!error}
          aria-describedby={`${id}-hint ${id}-error`}
          onInput={(event) => setText(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key !== "Enter") return;
            event.preventDefault();
            add(text);
          }}
        />
        <button type="button" onClick={() => add(text)}>Add</button>
      </div>
      {left.length > 0 && (
        <ul class="chips" aria-label="Scopes to add">
          {left.map((scope) => (
            <li key={scope}><button type="button" class="quiet" title={opened(scope, routes)} onClick={() => add(scope)}>+ {scope}</button></li>
          ))}
        </ul>
      )}
      <p class="hint" id={`${id}-hint`}>Those of the policy's routes, or any: resource:action, with * for all; read and write stand for every resource.</p>
      <p class="error" id={`${id}-error`} aria-live="polite">{error}</p>
    </fieldset>
  );
}

/** The routes that ask for this very scope. */
function opened(scope: string, routes: Route[]): string {
  const own = routes.filter((route) => route.scope === scope);
  return own.map(({ methods, path }) => `${methods.join(", ")} ${path}`).join("\n");
}
