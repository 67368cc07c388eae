// Where we are: the part of the address after `#`.

import { signal } from "@preact/signals";

/** The parts of the address: `#/keys/new` is `["keys", "new"]`. */
export const route = signal(parse());

/** Whether a secret is shown: what would take it away asks first. */
export const isShown = signal(false);
/** A way out that waits for the answer. */
export const leaving = signal<(() => void) | null>(null);

export function go(path: string): void {
  location.hash = `#/${path}`;
}

/** Does what takes the page away, at once or when the secret on it may go. */
export function leave(act: () => void): void {
  if (isShown.value) leaving.value = act;
  else act();
}

/** After the answer: the address is that of the page again, if it is still the one. */
export function stay(): void {
  leaving.value = null;
  if (!isHere()) history.pushState(null, "", `${location.search}#/${route.value.map(encodeURIComponent).join("/")}`);
}

/** Remembers where we are, in this tab alone, while somebody signs in. */
export function keep(): void {
  sessionStorage.setItem(BACK, `/${location.search}${location.hash}`);
}

/** Goes back there. */
export function resume(): void {
  const back = sessionStorage.getItem(BACK);
  sessionStorage.removeItem(BACK);
  if (back && back !== "/" && location.hash === "") location.replace(back);
}

const isHere = () => parse().join("/") === route.value.join("/");

function parse(): string[] {
  const parts = location.hash.replace(/^#\/?/, "").split("/").filter(Boolean);
  return parts.map((part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  });
}

const BACK = "back";

addEventListener("hashchange", () => {
  if (isHere()) leaving.value = null;
  else leave(() => (route.value = parse()));
});
