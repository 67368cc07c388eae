// Crockford base32, upper case, one spelling; and the checksum of keys.

const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** The first symbols of some bytes, five bits each. */
export function base32(bytes: Uint8Array, symbols: number): string {
  let text = "";
  for (let at = 0; at < symbols; at++) {
    let value = 0;
    for (let bit = at * 5; bit < at * 5 + 5; bit++) value = (value << 1) | ((bytes[bit >> 3]! >> (7 - (bit & 7))) & 1);
    text += ALPHABET[value];
  }
  return text;
}

/** The value of a symbol. */
export const valueOf = (symbol: string): number => ALPHABET.indexOf(symbol);

export const symbolOf = (value: number): string => ALPHABET[value]!;

/** CRC-32/ISO-HDLC in seven symbols. */
export function checksum(text: string): string {
  let crc = 0xffffffff;
  for (let at = 0; at < text.length; at++) {
    crc ^= text.charCodeAt(at);
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  crc = ~crc >>> 0;
  let symbols = "";
  for (let shift = 30; shift >= 0; shift -= 5) symbols += ALPHABET[(crc >>> shift) & 31];
  return symbols;
}
