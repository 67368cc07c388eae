/** Where sealed records of keys are read: a Workers KV namespace is one as it is. */
export interface Store {
  /** The text under a name, `null` if there is none. A store that cannot tell throws. */
  get(name: string, options: { type: "text"; cacheTtl: number }): Promise<string | null>;
}

/** Who counts the requests of all processes: the namespace of the Durable Object class `Workspace` is one as it is. */
export interface Ledger {
  /** The id of a workspace's object. */
  idFromName(workspace: string): unknown;
  /** The object of that id. */
  // biome-ignore: the id is the namespace's own.
  get(id: any): LedgerObject;
}

/** The object of one workspace. */
export interface LedgerObject {
  /** Calls it. */
  fetch(url: string, init: { method: "POST"; body: string }): Promise<Response>;
}

/** A row of a store, as `portcullis key mint` prints it. */
export interface Row {
  /** The name under which it is stored. */
  key: string;
  /** The sealed record. */
  value: string;
}

/** A store that one can write to. */
export interface MemoryStore extends Store {
  /** Stores a text under a name. */
  put(name: string, value: string): void;
}

/** A store of one process: rows as `portcullis key mint` prints them. */
export function memoryStore(rows: Iterable<Row> = []): MemoryStore {
  const kept = new Map<string, string>();
  for (const { key, value } of rows) kept.set(key, value);
  return {
    get: (name) => Promise.resolve(kept.get(name) ?? null),
    put: (name, value) => void kept.set(name, value),
  };
}
