/** Where sealed records of keys are read: a Workers KV namespace is one as it is. */
export interface Store {
  /** The text under a name, `null` if there is none. A store that cannot tell throws. */
  get(name: string, options: { type: "text"; cacheTtl: number }): Promise<string | null>;
}

/** Who counts the requests of all processes: the namespace of the Durable Object class `Workspace` is one as it is. */
export interface Ledger {
  idFromName(workspace: string): unknown;
  // biome-ignore: the id is the namespace's own.
  get(id: any): { fetch(url: string, init: { method: "POST"; body: string }): Promise<Response> };
}

/** A store of one process: rows as `portcullis key mint` prints them. */
export function memoryStore(rows: Iterable<{ key: string; value: string }> = []): Store & { put(name: string, value: string): void } {
  const kept = new Map<string, string>();
  for (const { key, value } of rows) kept.set(key, value);
  return {
    get: (name) => Promise.resolve(kept.get(name) ?? null),
    put: (name, value) => void kept.set(name, value),
  };
}
