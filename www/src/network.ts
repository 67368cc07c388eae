// Networks (CIDR), judged while they are typed. The server judges them again.

/** What is wrong with a network; null if nothing is. */
export function problem(text: string): string | null {
  const [address = "", length, more] = text.split("/");
  if (more !== undefined) return "has more than one /";
  const bits = address.includes(":") ? bits6(address) : bits4(address);
  if (bits === null) return "is no IPv4 or IPv6 address";
  if (length === undefined) return null;
  if (!/^(0|[1-9]\d{0,2})$/.test(length) || Number(length) > bits.length) return `has a length above ${bits.length}`;
  return bits.slice(Number(length)).includes("1") ? "has bits set behind its length" : null;
}

/** Whether a network is so wide that it has to be confirmed. */
export function isWide(text: string): boolean {
  const [address = "", length] = text.split("/");
  return length !== undefined && Number(length) < (address.includes(":") ? 16 : 8);
}

function bits4(text: string): string | null {
  const parts = text.split(".");
  const isByte = (part: string) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256;
  return parts.length === 4 && parts.every(isByte) ? parts.map((part) => binary(Number(part), 8)).join("") : null;
}

function bits6(text: string): string | null {
  const halves = text.split("::");
  if (halves.length > 2) return null;
  const [head, tail] = halves.map((half) => (half === "" ? [] : half.split(":")));
  const missing = 8 - (head?.length ?? 0) - (tail?.length ?? 0);
  if (tail ? missing < 1 : missing !== 0) return null;
  const groups = [...(head ?? []), ...(tail ? Array<string>(missing).fill("0") : []), ...(tail ?? [])];
  const isGroup = (group: string) => /^[0-9A-Fa-f]{1,4}$/.test(group);
  return groups.every(isGroup) ? groups.map((group) => binary(Number.parseInt(group, 16), 16)).join("") : null;
}

const binary = (value: number, width: number) => value.toString(2).padStart(width, "0");
