/** A policy as text, less some of its members: the core refuses to read those that it has no use for. */
export function without(policy: string | object, names: readonly string[]): string {
  const document: Record<string, unknown> = { ...(typeof policy === "string" ? JSON.parse(policy) : policy) };
  for (const name of names) delete document[name];
  return JSON.stringify(document);
}
