// Where we are: the part of the address after `#`.

import { signal } from "@preact/signals";

/** The parts of the address: `#/keys/new` is `["keys", "new"]`. */
export const route = signal(parse());

export function go(path: string): void {
  location.hash = `#/${path}`;
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

addEventListener("hashchange", () => (route.value = parse()));
