/** A policy as text, less some of its members: the core refuses to read those that it has no use for. */
export function without(policy: string | object, names: readonly string[]): string {
  const document: Record<string, unknown> = { ...read(policy) };
  for (const name of names) delete document[name];
  return JSON.stringify(document);
}

function read(policy: string | object): object {
  try {
    const document: unknown = typeof policy === "string" ? JSON.parse(policy) : policy;
    if (typeof document === "object" && document !== null) return document;
  } catch {
    // Said below: of JSON or not, it is no policy.
  }
  throw new TypeError("portcullis: policy: an object, or its JSON, as `portcullis policy compile` writes it");
}

/** Throws unless an option is what its type says: callers may have no types. */
export function expect(name: string, holds: boolean, what: string): void {
  if (!holds) throw new TypeError(`portcullis: ${name}: ${what}`);
}
