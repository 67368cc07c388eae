// What keys were used for.

import { useState } from "preact/hooks";
import { get } from "./api";
import { Chart, type Bar } from "./chart";
import { save } from "./csv";
import { Await, Title, useLoad } from "./parts";
import { at } from "./state";
import { date, day, minute, number, stamp } from "./time";
import type { Budget, Hour, Usage } from "./types";

const HOUR = 3_600_000;
/** Hours that the API tells of in one answer. */
const MOST = 800;
const SPANS = [
  { days: 1, label: "a day, by hour" },
  { days: 7, label: "a week, by day" },
  { days: 30, label: "30 days" },
  { days: 90, label: "90 days" },
];

export function UsagePage() {
  return (
    <>
      <Title>Usage</Title>
      <UsageOf path="/usage" name="the workspace" />
    </>
  );
}

/** The usage at a path of the API, of as many answers as it takes. */
async function load(path: string, days: number): Promise<Usage> {
  const end = (Math.floor(Date.now() / HOUR) + 1) * HOUR;
  const begin = end - days * 24 * HOUR;
  const spans = [];
  for (let from = begin; from < end; from += MOST * HOUR) {
    const to = Math.min(end, from + MOST * HOUR);
    spans.push(get<Usage>(at(`${path}?from=${stamp(from)}&to=${stamp(to)}`)));
  }
  const told = await Promise.all(spans);
  const last = told.at(-1);
  const left = Math.max(0, ...told.map(({ keys_left_out = 0 }) => keys_left_out));
  return { ...(last ?? { last_used: null }), keys_left_out: left, hours: told.flatMap(({ hours }) => hours) };
}

export function UsageOf({ path, name }: { path: string; name: string }) {
  const [days, setDays] = useState(1);
  const loaded = useLoad(() => load(path, days), [path, days]);
  return (
    <>
      <label>
        Show{" "}
        <select value={days} onChange={(event) => setDays(Number(event.currentTarget.value))}>
          {SPANS.map((span) => <option key={span.days} value={span.days}>{span.label}</option>)}
        </select>
      </label>
      <Await of={loaded}>{(usage) => <Shown usage={usage} days={days} name={name} />}</Await>
    </>
  );
}

function Shown({ usage, days, name }: { usage: Usage; days: number; name: string }) {
  const rows = sums(usage.hours, days === 1 ? "hour" : "day");
  const bars = fill(rows, days);
  const allowed = sum(rows, (row) => row.allowed);
  const denied = sum(rows, (row) => row.deniedSum);
  const names = (of: (row: Row) => Record<string, number>) => [...new Set(rows.flatMap((row) => Object.keys(of(row))))].toSorted();
  const codes = names((row) => row.denied);
  const more = names((row) => row.more);
  const head = ["Time", "Allowed", "Allowed at most", "Coins", "Denied", ...codes, ...more];
  const table = rows.map((row) => [
    row.time, row.allowed, row.atMost, row.coins, row.deniedSum,
    ...codes.map((code) => row.denied[code] ?? 0), ...more.map((name) => row.more[name] ?? 0),
  ]);
  const budgets = usage.budgets?.map((budget) => <BudgetLine key={budget.product ?? ""} of={budget} />);
  if (rows.length === 0) return <>{budgets}<p class="empty">No requests in this time.</p></>;
  const left = usage.keys_left_out ?? 0;
  return (
    <>
      <Chart bars={bars} label={`Requests of ${name}: ${number(allowed)} allowed, ${number(denied)} denied`} />
      <p class="small">
        {number(allowed)} allowed, {number(denied)} denied. Keys that spend leases are counted when those end, seconds later.
      </p>
      {left > 0 && <p class="small">The use of {number(left)} keys is not among it: choose a shorter time.</p>}
      {budgets}
      <div class="scroll" role="region" aria-label="Usage as a table" tabIndex={0}>
        <table class="numbers">
          <thead><tr>{head.map((text) => <th key={text} scope="col">{text}</th>)}</tr></thead>
          <tbody>
            {table.map(([time, ...values]) => (
              <tr key={time}>
                <th scope="row">{days === 1 ? minute(String(time)) : day(String(time))}</th>
                {values.map((value, place) => <td key={place} class="number">{number(Number(value))}</td>)}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <button type="button" onClick={() => save(`usage-${name.replace(/\W+/g, "-")}.csv`, [head, ...table])}>Export as CSV</button>
    </>
  );
}

export function BudgetLine({ of: budget }: { of: Budget }) {
  const part = Math.round((100 * budget.used) / budget.coins);
  const forecast = budget.forecast === null ? "" : ` At this rate ${number(budget.forecast)} by its end.`;
  return (
    <p class="budget">
      <meter min={0} max={budget.coins} high={budget.coins * 0.8} value={budget.used} aria-label={`Budget of ${budget.product ?? "the workspace"}`} />{" "}
      {budget.product ?? "Workspace"}: {number(budget.used)} of {number(budget.coins)} coins ({part} %), until {minute(budget.reset)}.{forecast}
    </p>
  );
}

interface Row {
  time: string;
  allowed: number;
  atMost: number;
  coins: number;
  deniedSum: number;
  denied: Record<string, number>;
  /** By product, and what rules on trial would have denied. */
  more: Record<string, number>;
}

function sums(hours: Hour[], by: "hour" | "day"): Row[] {
  const rows = new Map<string, Row>();
  const add = (counts: Record<string, number>, name: string, count: number) => (counts[name] = (counts[name] ?? 0) + count);
  for (const { hour, exact, at_most, coins, denied, products = {}, would_deny = {} } of hours) {
    const time = by === "hour" ? hour : `${hour.slice(0, 10)}T00:00:00Z`;
    const row = rows.get(time) ?? { time, allowed: 0, atMost: 0, coins: 0, deniedSum: 0, denied: {}, more: {} };
    row.allowed += exact;
    row.atMost += at_most;
    row.coins += coins;
    for (const [code, count] of Object.entries(denied)) {
      add(row.denied, code, count);
      row.deniedSum += count;
    }
    for (const [product, own] of Object.entries(products)) {
      add(row.more, `${product}: requests`, own.requests);
      add(row.more, `${product}: coins`, own.coins);
    }
    for (const [code, count] of Object.entries(would_deny)) add(row.more, `on trial: ${code}`, count);
    rows.set(time, row);
  }
  return [...rows.values()].toSorted((one, other) => one.time.localeCompare(other.time));
}

/** A bar for each hour or day, used or not. */
function fill(rows: Row[], days: number): Bar[] {
  const by = new Map(rows.map((row) => [Date.parse(row.time), row]));
  const step = days === 1 ? HOUR : 24 * HOUR;
  const end = Math.floor(Date.now() / step) * step;
  const count = days === 1 ? 24 : days;
  return Array.from({ length: count }, (_, place) => {
    const time = end - (count - 1 - place) * step;
    const row = by.get(time);
    const label = days === 1 ? stamp(time).slice(11, 16) : date(stamp(time));
    return { label, allowed: row?.allowed ?? 0, denied: row?.deniedSum ?? 0 };
  });
}

const sum = (rows: Row[], of: (row: Row) => number) => rows.reduce((all, row) => all + of(row), 0);
