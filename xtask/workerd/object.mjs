// The Workspace object as it is served here: the product's, counted, and faulty when told to be by
// control.mjs. A fault is
//
//   {kind, ops?, count?, delay_ms?, statement?}
//
//   kind       error | hang | delay | overloaded | retryable (errors that workerd marks so) |
//              lost (does the call, then fails) | throw (in SQL statement number `statement`, from 0 on) |
//              trap (as a panic ends in, where the Wasm reads the root: in its first call)
//   ops        the words of calls: "admit", "record", "report", …; default ["admit", "record"]
//   count      the next so many calls; default all
//   delay_ms   waits first, whatever the kind

import { Workspace as Product } from "./index.js";
import { FaultList, pause } from "./faults.mjs";
import module from "./trap.wasm";

export { default, Directory } from "./index.js";

const { trap } = new WebAssembly.Instance(module).exports;
let trapping = false;

export class Workspace extends Product {
  #faults = new FaultList();
  #throwAt = null;

  constructor(ctx, env) {
    super(ctx, new Proxy(env, { get: (env, name) => (trapping && name === "PORTCULLIS_ROOT" ? trap() : env[name]) }));
    this.resetCounts();
    const { sql } = this;
    this.sql = {
      exec: (...args) => {
        if (this.#throwAt !== null && this.#throwAt-- <= 0) throw new Error("injected");
        this.counts.statements++;
        const cursor = sql.exec(...args);
        this.#cursors.push(cursor);
        return cursor;
      },
    };
  }

  #cursors = [];

  async answer(text, wait) {
    const word = text.slice(0, text.search(/[ \n]|$/));
    this.counts.calls++;
    this.counts.words[word] = (this.counts.words[word] ?? 0) + 1;
    const id = /^admit .*\bid=(\w+)/.exec(text)?.[1];
    if (id && this.counts.ids.length < COUNTED_IDS) this.counts.ids.push(id);
    const fault = this.#faults.take(word, "");
    if (fault) await pause(fault);
    switch (fault?.kind) {
      case "error":
        throw new Error("injected");
      case "overloaded":
        throw Object.assign(new Error("injected"), { overloaded: true });
      case "retryable":
        throw Object.assign(new Error("injected"), { retryable: true });
      case "throw":
        this.#throwAt = fault.statement ?? 0;
        break;
      case "trap":
        trapping = true;
    }
    try {
      const answer = await super.answer(text, wait);
      if (fault?.kind === "lost") throw new Error("injected");
      return answer;
    } finally {
      this.#throwAt = null;
      trapping = false;
      for (const cursor of this.#cursors.splice(0)) this.counts.rowsWritten += cursor.rowsWritten;
    }
  }

  // What follows is called by control.mjs.

  readCounts() {
    return this.counts;
  }

  resetCounts() {
    this.counts = { calls: 0, words: {}, ids: [], statements: 0, rowsWritten: 0 };
  }

  setFaults(faults) {
    const list = Array.isArray(faults) ? faults : [faults];
    this.#faults.set(list.map((fault) => ({ ops: ["admit", "record"], ...fault })));
  }

  forgetAlarm() {
    return this.ctx.storage.deleteAlarm();
  }

  // How many tables there are: none where nobody has written.
  tables() {
    return this.ctx.storage.sql.exec("SELECT name FROM sqlite_master WHERE name = 'rows'").toArray().length;
  }

  rows() {
    if (this.tables() === 0) return [];
    return this.ctx.storage.sql.exec("SELECT name, value FROM rows ORDER BY name").toArray();
  }

  putRows(rows) {
    const { sql } = this.ctx.storage;
    for (const { name, value } of rows) sql.exec("INSERT OR REPLACE INTO rows (name, value) VALUES (?, ?)", name, value);
  }
}

const COUNTED_IDS = 100;
