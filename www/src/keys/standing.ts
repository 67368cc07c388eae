import type { Key } from "../types";

/** How a key stands now: its status, or that its time is over or has not come. */
export function standing(key: Key, now = Date.now()): string {
  if (key.status !== "active") return key.status;
  if (key.expires && Date.parse(key.expires) <= now) return "expired";
  return key.not_before && Date.parse(key.not_before) > now ? "waiting" : "active";
}
