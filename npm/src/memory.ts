// A ledger of one process: what the Workspace does, in memory. It counts, lends and forgets with the process.

import { expect, without } from "./policy.js";
import type { Ledger, Row } from "./stores.js";
import { Ledger as Core, initSync } from "./wasm/ledger.js";

/** What a ledger is made of. */
export interface LedgerOptions {
  /** As the gate's. */
  policy: string | object;
  /** As the gate's. */
  root: string;
  /** The records of all keys, as `portcullis key mint` prints them. */
  rows: Iterable<Row>;
}

/** What an entry does once. */
export function start(module: WebAssembly.Module): void {
  initSync({ module });
}

/**
 * Makes a ledger. Throws a `TypeError` if policy and root do not fit together, or a record is not one. For one process
 * only: two would each admit all that a limit allows, and a signed request twice.
 */
export function memoryLedger({ policy, root, rows }: LedgerOptions): Ledger {
  expect("root", typeof root === "string", "a string");
  const document = without(policy, NOT_FOR_WORKSPACE);
  const workspaces = new Map<string, Core>();
  const open = (number: string): Core => {
    let workspace = workspaces.get(number);
    if (workspace === undefined) workspaces.set(number, (workspace = named(() => new Core(document, root))));
    return workspace;
  };
  for (const { key, value } of rows) {
    if (!key.startsWith("k1:")) continue;
    const kid = key.slice(3);
    named(() => open(kid.slice(1, 7)).add(kid, value));
  }
  return {
    idFromName: (workspace) => workspace,
    get: (id: string) => ({
      // Numbers that nobody has a key of are not kept.
      fetch: async (_, { body }) => new Response(workspaces.has(id) ? answer(open(id), body) : "unopened"),
    }),
  };
}

function answer(workspace: Core, text: string): string {
  const told = workspace.call(text);
  if (workspace.is_due()) settle(workspace);
  return told;
}

/** There is no KV to copy changes to: they count as copied. */
function settle(workspace: Core): void {
  const [word, ...lines] = workspace.call("due v=1").split("\n");
  if (word !== "due") return;
  const copies = lines.filter((_, at) => at % 2 === 0).map((line) => line.split(" "));
  workspace.call(["copied v=1", ...copies.map(([kid, version]) => `copy=${kid}:${version}`)].join(" "));
}

/** The Wasm throws texts. */
function named<T>(act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw typeof error === "string" ? new TypeError(`portcullis: ${error}`) : error;
  }
}

/** `Document::NOT_FOR_WORKSPACE`. */
const NOT_FOR_WORKSPACE = ["origins", "static_keys", "usage_path", "observe", "routes"];
