// The Workspaces' entry, which serves the management API, and their class: rows in SQLite, copies in KV, an alarm. It fetches the rows
// that the core asks for, writes what the core says, all in one transaction, and decides nothing.

import { DurableObject } from "cloudflare:workers";
import { core, keep, kept, panicked, undecided } from "./restart.mjs";

export default {
  fetch(request, env, ctx) {
    keep(env, ctx);
    try {
      return kept(core.fetch.call({ env, ctx }, request)[0], request);
    } catch (error) {
      panicked(error);
      return undecided(request);
    }
  },
};

export class Workspace extends DurableObject {
  #alarm = null;
  #failures = 0;

  constructor(ctx, env) {
    super(ctx, env);
    this.sql = ctx.storage.sql;
    this.sql.exec("CREATE TABLE IF NOT EXISTS rows (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID");
    ctx.blockConcurrencyWhile(async () => {
      this.#alarm = await ctx.storage.getAlarm();
      // Whatever became of an earlier alarm: what is to be copied is found by its rows.
      if (this.#alarm === null && this.sql.exec(UNCOPIED).raw().next().done === false) this.#wake(Date.now());
    });
  }

  // Reached by a binding alone, as gates have one. `?wait=1` answers a change only when it is in effect
  // everywhere.
  async fetch(request) {
    return new Response(await this.answer(await request.text(), request.url.endsWith("?wait=1")));
  }

  async answer(text, wait) {
    const answer = this.#call(text);
    if (wait) {
      const rest = Number(/^written .*\beffective_by=(\d+)/.exec(answer)?.[1] ?? 0) - Date.now();
      if (rest > 0) await scheduler.wait(rest);
    }
    return answer;
  }

  // It does not throw: the runtime would try again a few times and then no more.
  async alarm() {
    this.#alarm = null;
    try {
      await this.#copy();
      this.#failures = 0;
    } catch (error) {
      console.error("portcullis: no copies to KV", error);
      this.#wake(Date.now() + Math.min(RETRY_MILLIS * 2 ** this.#failures++, MOST_RETRY_MILLIS));
    }
  }

  async #copy() {
    const [word, ...lines] = this.#call("due v=1").split("\n");
    if (word !== "due") throw new Error(word);
    const puts = [];
    for (let at = 0; at < lines.length; at += 2) {
      const [kid, version, name] = lines[at].split(" ");
      puts.push(this.env.KEYS.put(name, lines[at + 1]).then(() => `copy=${kid}:${version}`));
    }
    const settled = await Promise.allSettled(puts);
    const done = settled.filter(({ status }) => status === "fulfilled").map(({ value }) => value);
    const failed = done.length < settled.length;
    if (failed) console.error("portcullis: copies to KV failed:", settled.length - done.length);
    this.#call(["copied v=1", ...(failed ? ["failed=1"] : []), ...done].join(" "));
  }

  #call(text) {
    const { storage } = this.ctx;
    const now = Date.now();
    return storage.transactionSync(() => {
      let missing = this.#run("workspace_needs", text, now);
      let rows = this.#read(missing);
      for (;;) {
        const known = new Set(missing.split("\n"));
        const lines = this.#run("workspace_answer", this.env, text, missing, rows, now).split("\n");
        if (lines[0] === "!") throw new Error("portcullis: not fit to decide");
        if (lines[0] !== "?") return this.#write(lines);
        if (lines.slice(1).every((line) => known.has(line))) throw new Error("portcullis: asked twice for a row");
        const more = lines.slice(1).join("\n");
        missing += "\n" + more;
        rows += "\n" + this.#read(more);
      }
    });
  }

  // A function of the core. What it throws undoes the transaction.
  #run(name, ...args) {
    keep(this.env, this.ctx);
    try {
      return core[name].call({ env: this.env, ctx: this.ctx }, ...args);
    } catch (error) {
      panicked(error);
      throw error;
    }
  }

  // Names and values in turn, a line each, of what `missing` names.
  #read(missing) {
    const names = [];
    const found = [];
    for (const line of missing.split("\n")) {
      const [from, to, limit] = line.split("\t");
      if (to === undefined) names.push(from);
      else found.push(...this.sql.exec(RANGE, from, to, Number(limit)).raw());
    }
    for (const some of chunks(names)) {
      const marks = some.map(() => "?").join();
      found.push(...this.sql.exec(`SELECT name, value FROM rows WHERE name IN (${marks})`, ...some).raw());
    }
    return found.map((row) => row.join("\n")).join("\n");
  }

  // See `edge::workspace::workspace_answer`.
  #write([, count, ...lines]) {
    const answer = lines.splice(0, Number(count)).join("\n");
    const [alarm, ...changes] = lines;
    const put = [];
    for (let at = 0; at < changes.length; at += 2) {
      if (changes[at + 1] === "") this.sql.exec("DELETE FROM rows WHERE name = ?", changes[at]);
      else put.push(changes[at], changes[at + 1]);
    }
    for (const some of chunks(put)) {
      const marks = some.map((_, at) => (at % 2 ? "?)" : "(?")).join();
      this.sql.exec(
        `INSERT INTO rows VALUES ${marks} ON CONFLICT(name) DO UPDATE SET value = excluded.value`,
        ...some,
      );
    }
    if (alarm !== "") this.#wake(Number(alarm));
    return answer;
  }

  // At this millisecond or earlier.
  #wake(at) {
    if (this.#alarm !== null && this.#alarm <= at) return;
    this.#alarm = at;
    this.ctx.storage.setAlarm(at);
  }
}

// Which workspaces a subject is a member of.
export class Directory extends DurableObject {}

// A statement takes no more parameters.
const PARAMETERS = 100;

function* chunks(list) {
  for (let at = 0; at < list.length; at += PARAMETERS) yield list.slice(at, at + PARAMETERS);
}

const RETRY_MILLIS = 5_000;
const MOST_RETRY_MILLIS = 300_000;
// Copies to be made, dates at which to make them again, a revocation of all that is under way.
const UNCOPIED =
  "SELECT 1 FROM rows WHERE name >= 'due/' AND name < 'due0' OR name >= 'outbox/' AND name < 'outbox0' " +
  "OR name = 'sweep' AND value LIKE '% from=%' LIMIT 1";

const RANGE = "SELECT name, value FROM rows WHERE name >= ? AND name < ? ORDER BY name LIMIT ?";
