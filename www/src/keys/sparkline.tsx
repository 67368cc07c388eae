// The use of a key in the last day, as a line.

import { useEffect, useState } from "preact/hooks";
import { get } from "../api";
import { at } from "../state";
import { number } from "../time";
import type { Usage } from "../types";

export function Sparkline({ kid }: { kid: string }) {
  const [hours, setHours] = useState<number[] | null>(null);
  useEffect(() => {
    let isOver = false;
    const show = (usage: Usage) => isOver || setHours(byHour(usage));
    const task = () => get<Usage>(at(`/api-keys/${kid}/usage`)).then(show, () => undefined);
    queue(task);
    return () => {
      isOver = true;
      forget(task);
    };
  }, [kid]);
  if (hours === null) return <span class="small">…</span>;
  const all = hours.reduce((sum, value) => sum + value, 0);
  if (all === 0) return <span class="small">no use</span>;
  const most = Math.max(...hours);
  const points = hours.map((value, hour) => `${hour * 4},${22 - (20 * value) / most}`).join(" ");
  return (
    <span class="spark">
      <svg viewBox="0 0 92 24" width="92" height="24" aria-hidden="true"><polyline points={points} /></svg>
      <span class="small">{number(all)}</span>
    </span>
  );
}

function byHour({ hours }: Usage): number[] {
  const now = Math.floor(Date.now() / 3_600_000);
  const by = new Map(hours.map(({ hour, exact }) => [now - Math.floor(Date.parse(hour) / 3_600_000), exact]));
  return Array.from({ length: 24 }, (_, place) => by.get(23 - place) ?? 0);
}

// A few at a time: the page is for reading first.
const waiting: (() => Promise<unknown>)[] = [];
let running = 0;

function queue(task: () => Promise<unknown>): void {
  waiting.push(task);
  next();
}

/** Nobody looks any more. */
function forget(task: () => Promise<unknown>): void {
  const place = waiting.indexOf(task);
  if (place >= 0) waiting.splice(place, 1);
}

function next(): void {
  const task = running < 4 ? waiting.shift() : undefined;
  if (!task) return;
  running++;
  task().finally(() => {
    running--;
    next();
  });
}
