// An object of rows in SQLite. It fetches the rows that the core asks for and writes what the core says,
// all in one transaction, and decides nothing.

import { DurableObject } from "cloudflare:workers";
import { core, deployed, keep, panicked } from "./restart.mjs";

export class Rows extends DurableObject {
  // Whether there is a table: an object that nobody has written to stores nothing, whoever reads it.
  #made;

  // `needs` and `answers`: the core's functions for this kind of object.
  constructor(ctx, env, needs, answers) {
    super(ctx, env);
    this.needs = needs;
    this.answers = answers;
    this.deployed = deployed(env);
    this.sql = ctx.storage.sql;
    this.#made = this.sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'rows'").toArray().length > 0;
  }

  // What a query of the rows finds.
  read(query, ...args) {
    return this.#made ? [...this.sql.exec(query, ...args).raw()] : [];
  }

  // Makes a call.
  call(text) {
    const now = Date.now();
    const made = this.#made;
    try {
      return this.ctx.storage.transactionSync(() => this.#transact(text, now));
    } catch (error) {
      this.#made = made;
      throw error;
    }
  }

  #transact(text, now) {
    let missing = this.run(this.needs, text, now);
    let rows = this.#read(missing);
    for (;;) {
      const known = new Set(missing.split("\n"));
      const lines = this.run(this.answers, this.deployed, text, missing, rows, now).split("\n");
      if (lines[0] === "!") throw new Error("portcullis: not fit to decide");
      if (lines[0] !== "?") return this.#write(lines);
      if (lines.slice(1).every((line) => known.has(line))) throw new Error("portcullis: asked twice for a row");
      const more = lines.slice(1).join("\n");
      missing += "\n" + more;
      rows += "\n" + this.#read(more);
    }
  }

  // A function of the core. What it throws undoes the transaction.
  run(name, ...args) {
    keep(this.env, this.ctx);
    try {
      return core[name].call({ env: this.deployed, ctx: this.ctx }, ...args);
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
      else found.push(...this.read(RANGE, from, to, Number(limit)));
    }
    for (const some of chunks(names)) {
      const marks = some.map(() => "?").join();
      found.push(...this.read(`SELECT name, value FROM rows WHERE name IN (${marks})`, ...some));
    }
    return found.map((row) => row.join("\n")).join("\n");
  }

  // See `edge::workspace::workspace_answer`.
  #write([, count, ...lines]) {
    const answer = lines.splice(0, Number(count)).join("\n");
    const [alarm, ...changes] = lines;
    const put = [];
    for (let at = 0; at < changes.length; at += 2) {
      if (changes[at + 1] !== "") put.push(changes[at], changes[at + 1]);
      else if (this.#made) this.sql.exec("DELETE FROM rows WHERE name = ?", changes[at]);
    }
    if (put.length > 0 && !this.#made) {
      this.sql.exec(TABLE);
      this.#made = true;
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

const TABLE = "CREATE TABLE rows (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID";
const RANGE = "SELECT name, value FROM rows WHERE name >= ? AND name < ? ORDER BY name LIMIT ?";
