// An object of rows in SQLite. It fetches the rows that the core asks for and writes what the core says,
// all in one transaction, and decides nothing.

import { DurableObject } from "cloudflare:workers";
import { core, keep, panicked } from "./restart.mjs";

export class Rows extends DurableObject {
  // `needs` and `answers`: the core's functions for this kind of object.
  constructor(ctx, env, needs, answers) {
    super(ctx, env);
    this.needs = needs;
    this.answers = answers;
    this.sql = ctx.storage.sql;
    this.sql.exec("CREATE TABLE IF NOT EXISTS rows (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID");
  }

  // Makes a call.
  call(text) {
    const { storage } = this.ctx;
    const now = Date.now();
    return storage.transactionSync(() => {
      let missing = this.run(this.needs, text, now);
      let rows = this.#read(missing);
      for (;;) {
        const known = new Set(missing.split("\n"));
        const lines = this.run(this.answers, this.env, text, missing, rows, now).split("\n");
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
  run(name, ...args) {
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
    if (alarm !== "") this.wake(Number(alarm));
    return answer;
  }
}

// A statement takes no more parameters.
const PARAMETERS = 100;

function* chunks(list) {
  for (let at = 0; at < list.length; at += PARAMETERS) yield list.slice(at, at + PARAMETERS);
}

const RANGE = "SELECT name, value FROM rows WHERE name >= ? AND name < ? ORDER BY name LIMIT ?";
