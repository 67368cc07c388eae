// Times and numbers, for people.

import type { Limits } from "./types";

const DAY = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeZone: "UTC" });
const DATE = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
const MINUTE = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short", timeZone: "UTC" });
const NUMBER = new Intl.NumberFormat("en-GB");
const AGO = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

export const day = (text: string) => DAY.format(new Date(text));
/** A day, where the year is plain. */
export const date = (text: string) => DATE.format(new Date(text));
export const minute = (text: string) => `${MINUTE.format(new Date(text))} UTC`;
export const number = (value: number) => NUMBER.format(value);

/** A limit, in words. */
export const limit = (limits: Limits | null) =>
  limits ? `${number(limits.requests)} in ${number(limits.window_seconds)} s, ${number(limits.burst)} at once` : "none";

/** How long ago, or in how long. */
export function ago(text: string, now = Date.now()): string {
  const seconds = Math.round((Date.parse(text) - now) / 1000);
  for (const [unit, size] of UNITS) {
    if (Math.abs(seconds) >= size) return AGO.format(Math.round(seconds / size), unit);
  }
  return AGO.format(seconds, "second");
}

/** In the spelling of the API, to the second. */
export const stamp = (millis: number) => `${new Date(millis).toISOString().slice(0, 19)}Z`;

const UNITS: [Intl.RelativeTimeFormatUnit, number][] = [
  ["year", 31_536_000],
  ["month", 2_592_000],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];
