// The texts of keys: their grammar, and what is made with the root secret. WebCrypto alone.

import { base32, checksum, symbolOf, valueOf } from "./base32.js";
import { type Bytes, hex, hmac, unbase64, utf8 } from "./bytes.js";

/** What a key says of itself. None of it is proved by the text. */
export interface ParsedKey {
  /** What it begins with: `ak`, `ak_live`. */
  prefix: string;
  /** Its public name. */
  kid: string;
  /** The workspace's number. */
  workspace: string;
  /** 0–31; rises with each rotation. */
  generation: number;
}

/** What is stored of a key's text. */
export interface KeyDigest {
  /** The version of the root by which it is made. */
  root: number;
  /** In lower-case hex. */
  digest: string;
}

/** A new key. */
export interface GeneratedKey extends ParsedKey {
  /** The secret text, for its owner alone. */
  key: string;
  /** What is stored of it: the member of the record's `secrets`. */
  secret: KeyDigest & {
    /** That of the text. */
    generation: number;
  };
}

/** What the text says, or `null` if it is not a key: another shape, another spelling, a typing error. */
export function parseKey(text: string): ParsedKey | null {
  const [, prefix, kid, secret] = KEY.exec(text) ?? [];
  if (prefix === undefined || kid === undefined || secret === undefined) return null;
  if (checksum(text.slice(0, -CHECKSUM)) !== text.slice(-CHECKSUM)) return null;
  return { prefix, kid, workspace: kid.slice(1, 7), generation: valueOf(secret[0]!) };
}

/** Whether the text is a key's by its form and checksum: nothing is asked, and nothing is proved. */
export const isWellFormed = (text: string): boolean => parseKey(text) !== null;

/** The digest under which a native key is stored: HMAC-SHA-256 of its text by the root's `k_tag`, in lower-case hex. */
export async function hashKey(text: string, root: string): Promise<KeyDigest> {
  const { version, secret } = newest(root);
  return { root: version, digest: hex(await hmac(await derived(secret, "k_tag"), utf8(text))) };
}

/**
 * A new key of a workspace under the newest version of the root. It works once a record with its `secret` is stored:
 * `portcullis key mint` and the management API do both.
 */
export async function generateKey(options: {
  /** Root secret: `[vN:]base64`, several newest first. */
  root: string;
  /** Six symbols. */
  workspace: string;
  /** By default `ak`. */
  prefix?: string;
}): Promise<GeneratedKey> {
  const { root, workspace, prefix = "ak" } = options;
  if (!PREFIX.test(prefix)) throw new TypeError("prefix: not one of a key");
  if (!WORKSPACE.test(workspace)) throw new TypeError("workspace: not six symbols of base32");
  const { version, secret } = newest(root);
  const id = await derived(secret, "k_id");
  const tag = async (text: string) => base32(await hmac(id, utf8(text)), TAG);
  const head = `0${workspace}${base32(random(5), 7)}`;
  const kid = head + (await tag(head));
  const generation = 0;
  const body = symbolOf(generation) + base32(random(17), 26);
  const covered = `${prefix}_${kid}_${body}${await tag(kid + body)}`;
  const key = covered + checksum(covered);
  const { digest } = await hashKey(key, root);
  return { key, prefix, kid, workspace, generation, secret: { generation, root: version, digest } };
}

/** `[vN:]base64` of 32 bytes or more, several newest first. */
function newest(root: string): { version: number; secret: Bytes } {
  const [, number = "1", text] = /^\s*(?:v([1-9]\d{0,4}):)?([A-Za-z0-9+/]+={0,2})\s*(?:,|$)/.exec(root) ?? [];
  const secret = text === undefined || text.length % 4 !== 0 ? new Uint8Array() : unbase64(text);
  if (secret.length < 32) throw new TypeError("root: not base64 of 32 bytes or more");
  return { version: Number(number), secret };
}

async function derived(secret: Bytes, info: string): Promise<Bytes> {
  const key = await crypto.subtle.importKey("raw", secret, "HKDF", false, ["deriveBits"]);
  const how = { name: "HKDF", hash: "SHA-256", salt: utf8("portcullis/1"), info: utf8(info) };
  return new Uint8Array(await crypto.subtle.deriveBits(how, key, 256));
}

const random = (length: number): Bytes => crypto.getRandomValues(new Uint8Array(length));

const KEY = /^([a-z][a-z0-9]{1,11}(?:_live|_test)?)_([0-9A-HJKMNP-TV-Z]{20})_([0-9A-HJKMNP-TV-Z]{40})$/;
const PREFIX = /^[a-z][a-z0-9]{1,11}(?:_live|_test)?$/;
const WORKSPACE = /^[0-9A-HJKMNP-TV-Z]{6}$/;
const TAG = 6;
const CHECKSUM = 7;
