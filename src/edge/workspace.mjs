// The entry of the management API, and the classes of its objects: Workspaces, with copies in KV, notes to
// Directories, alerts and an alarm; Directories.

import { manage } from "./management.mjs";
import { Rows } from "./rows.mjs";

export default { fetch: manage };

export class Workspace extends Rows {
  #alarm = null;
  #failures = 0;
  // Alerts that are being sent.
  #sending = 0;

  constructor(ctx, env) {
    super(ctx, env, "workspace_needs", "workspace_answer");
    ctx.blockConcurrencyWhile(async () => {
      this.#alarm = await ctx.storage.getAlarm();
      // Whatever became of an earlier alarm: what is to be copied is found by its rows.
      if (this.#alarm === null && this.read(UNCOPIED).length > 0) this.wake(Date.now());
    });
  }

  // Reached by a binding alone, as gates have one. `?wait=1` answers a change only when it is in effect
  // everywhere.
  async fetch(request) {
    return new Response(await this.answer(await request.text(), request.url.endsWith("?wait=1")));
  }

  async answer(text, wait) {
    const answer = this.call(text);
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
      // No receiver keeps copies from being made, nor the other way round.
      await Promise.all([this.#copy(), this.#deliver()]);
      this.#failures = 0;
    } catch (error) {
      console.error("portcullis: no copies to KV, or no alerts", error);
      this.wake(Date.now() + Math.min(RETRY_MILLIS * 2 ** this.#failures++, MOST_RETRY_MILLIS));
    }
  }

  async #copy() {
    const [word, ...lines] = this.call("due v=1").split("\n");
    if (word !== "due") throw new Error(word);
    const puts = [];
    for (let at = 0; at < lines.length; at += 2) {
      const [kid, version, name] = lines[at].split(" ");
      puts.push(this.#put(name, lines[at + 1]).then(() => `copy=${kid}:${version}`));
    }
    const settled = await Promise.allSettled(puts);
    const done = settled.filter(({ status }) => status === "fulfilled").map(({ value }) => value);
    const failed = done.length < settled.length;
    if (failed) console.error("portcullis: copies to KV failed:", settled.length - done.length);
    this.call(["copied v=1", ...(failed ? ["failed=1"] : []), ...done].join(" "));
  }

  // What points to an imported key is written once; the core says whether this is the time. A member's
  // Directory is no row of KV.
  async #put(name, value) {
    const KEYS = this.env.KEYS;
    if (name.startsWith("d1:")) return this.#tell(name.slice("d1:".length), value);
    if (!name.startsWith("h1:")) return KEYS.put(name, value);
    const held = (await KEYS.get(name)) ?? "";
    switch (this.run("pointer_claim", this.deployed, name, held, value)) {
      case "put":
        return KEYS.put(name, value);
      case "taken":
        return console.error("portcullis: another key has", name);
      case "!":
        throw new Error("portcullis: not fit to decide");
    }
  }

  async #tell(member, text) {
    const { DIRECTORY } = this.env;
    const signal = AbortSignal.timeout(TELL_MILLIS);
    const stub = DIRECTORY.get(DIRECTORY.idFromName(member));
    const response = await stub.fetch("https://object/", { method: "POST", body: text, signal });
    const answer = await response.text();
    if (!answer.startsWith("named")) throw new Error(`a Directory: ${response.status}`);
  }

  async #deliver() {
    const [head, ...lines] = this.call(`alerts v=1 sending=${this.#sending}`).split("\n");
    if (!head.startsWith(ALERTS)) throw new Error(head);
    for (let at = 0; at < lines.length; at += 3) {
      const [name, id, timestamp] = lines[at].split(" ");
      const headers = {
        "content-type": "application/json",
        "user-agent": "Portcullis",
        "webhook-id": id,
        "webhook-timestamp": timestamp,
        "webhook-signature": lines[at + 1],
      };
      // Not waited for.
      this.ctx.waitUntil(this.#send(head.slice(ALERTS.length), name, headers, lines[at + 2]));
    }
  }

  // Sends an alert; what was answered is for the core to judge.
  async #send(url, name, headers, body) {
    this.#sending++;
    let status = 0;
    try {
      const signal = AbortSignal.timeout(SEND_MILLIS);
      const response = await fetch(url, { method: "POST", headers, body, signal, redirect: "manual", cache: "no-store" });
      status = response.status;
      await response.body?.cancel();
    } catch {
      // No answer.
    }
    this.#sending--;
    try {
      this.call(`sent v=1 answer=${name}:${status}`);
    } catch (error) {
      console.error("portcullis: the answer to an alert is lost", error);
    }
  }

  // At this millisecond or earlier.
  wake(at) {
    if (this.#alarm !== null && this.#alarm <= at) return;
    this.#alarm = at;
    this.ctx.storage.setAlarm(at);
  }
}

// Which workspaces somebody may be a member of.
export class Directory extends Rows {
  constructor(ctx, env) {
    super(ctx, env, "directory_needs", "directory_answer");
  }

  async fetch(request) {
    return new Response(this.call(await request.text()));
  }
}

const TELL_MILLIS = 10_000;
const ALERTS = "alerts url=";
// See `workspace::alert::delivery`.
const SEND_MILLIS = 10_000;
const RETRY_MILLIS = 5_000;
const MOST_RETRY_MILLIS = 300_000;
// Copies to be made, dates at which to make them again, alerts, a revocation of all that is under way.
const UNCOPIED =
  "SELECT 1 FROM rows WHERE name >= 'due/' AND name < 'due0' OR name >= 'outbox/' AND name < 'outbox0' " +
  "OR name >= 'alert/' AND name < 'alert0' " +
  "OR name = 'sweep' AND value LIKE '% from=%' LIMIT 1";
