// What every page knows: who is signed in, and in which workspace.

import { computed, signal } from "@preact/signals";
import { get } from "./api";
import type { Me, Role, Workspace } from "./types";

export const me = signal<Me | null>(null);
/** Who has signed in in the place of who is shown here. */
export const other = signal<string | null>(null);
export const spaces = signal<Workspace[]>([]);
// In the address, so that it is the same when the page is loaded again.
const chosen = signal(new URLSearchParams(location.search).get("workspace"));

/** The workspace at hand. */
export const space = computed<Workspace | null>(() => {
  const all = spaces.value;
  return all.find(({ id }) => id === chosen.value) ?? all[0] ?? null;
});

export function choose(id: string): void {
  history.replaceState(null, "", `/?${new URLSearchParams({ workspace: id })}${location.hash}`);
  chosen.value = id;
}

/** Whether somebody may do what takes a role. The server decides: this only hides what it would refuse. */
export function may(role: Role): boolean {
  const own = space.value?.role;
  return own !== undefined && RANK[own] >= RANK[role];
}

/** The path of something in the workspace at hand. */
export function at(path: string): string {
  return `/workspaces/${space.value?.id ?? "current"}${path}`;
}

/** Finds out who is signed in, and tells other tabs, in which somebody may wait for it. */
export async function load(): Promise<void> {
  const own = await get<Me>("/me");
  if (me.value !== null && me.value.subject !== own.subject) {
    other.value = own.subject;
    return;
  }
  spaces.value = (await get<{ workspaces: Workspace[] }>("/workspaces")).workspaces;
  me.value = own;
  channel.postMessage(own.subject);
}

/** Calls back when somebody has signed in in another tab, with who it is. */
export function onSignedIn(act: (subject: string) => void): () => void {
  const listen = ({ data }: MessageEvent) => act(data);
  channel.addEventListener("message", listen);
  return () => channel.removeEventListener("message", listen);
}

const channel = new BroadcastChannel("portcullis");
const RANK: Record<Role, number> = { member: 0, admin: 1, owner: 2 };
