// Where we are: the part of the address after `#`.

import { signal } from "@preact/signals";

/** The parts of the address: `#/keys/new` is `["keys", "new"]`. */
export const route = signal(parse());

export function go(path: string): void {
  location.hash = `#/${path}`;
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

addEventListener("hashchange", () => (route.value = parse()));
