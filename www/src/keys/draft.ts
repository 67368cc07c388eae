// What a form of a key holds, and the body that is made of it.

import { isWide, problem } from "../network";
import { stamp } from "../time";
import type { Key, Limits, Signing } from "../types";

export interface Draft {
  name: string;
  description: string;
  type: Key["type"];
  project: string;
  environment: string;
  scopes: string[];
  /** As an input of dates has it, in UTC; empty: at once. */
  starts: string;
  /** One of [`EXPIRIES`]. */
  expiry: string;
  /** As an input of dates has it, in UTC. */
  expires: string;
  ips: string;
  allowWide: boolean;
  bindings: string;
  requests: string;
  window: string;
  burst: string;
  /** A tier of the policy, in the place of own limits. */
  tier: string;
  signature: Key["signature"];
  version: Signing["version"];
  hosts: string[];
  nonce: boolean;
  /** For how many seconds signatures that do not hold are explained; empty: as it is. */
  explain: string;
}

export const EXPIRIES = [
  { value: "", label: "never" },
  { value: "1", label: "in a day" },
  { value: "7", label: "in a week" },
  { value: "30", label: "in 30 days" },
  { value: "90", label: "in 90 days" },
  { value: "at", label: "at a time (UTC) …" },
];

export const NEW: Draft = {
  name: "",
  description: "",
  type: "service",
  project: "",
  environment: "",
  scopes: [],
  starts: "",
  expiry: "90",
  expires: "",
  ips: "",
  allowWide: false,
  bindings: "",
  requests: "",
  window: "3600",
  burst: "",
  tier: "",
  signature: "none",
  version: "v2",
  hosts: [],
  nonce: false,
  explain: "",
};

export function draftOf(key: Key): Draft {
  const { name, description, type, scopes, signature, limits } = key;
  const bound = Object.entries(key.bindings ?? {}).map(([param, values]) => `${param}=${values.map(escaped).join(",")}`);
  return {
    ...NEW,
    name,
    description,
    type,
    scopes,
    signature,
    tier: key.tier ?? "",
    version: key.signing?.version ?? "v2",
    hosts: key.signing?.hosts ?? [],
    nonce: key.signing?.nonce ?? false,
    starts: key.not_before?.slice(0, 16) ?? "",
    expiry: key.expires ? "at" : "",
    expires: key.expires?.slice(0, 16) ?? "",
    ips: (key.ips ?? []).join("\n"),
    allowWide: (key.ips ?? []).some(isWide),
    bindings: bound.join("\n"),
    requests: key.tier || !limits ? "" : String(limits.requests),
    window: key.tier || !limits ? "3600" : String(limits.window_seconds),
    burst: key.tier || !limits ? "" : String(limits.burst),
  };
}

// A comma in a value is none between two.
const escaped = (value: string) => value.replace(/[\\,]/g, "\\$&");
const values = (text: string) => (text.match(/(?:\\[\\,]|[^,])+/g) ?? []).map((value) => value.trim().replace(/\\([\\,])/g, "$1"));
const lines = (text: string) => text.split("\n").map((line) => line.trim()).filter(Boolean);
const isCount = (text: string) => /^[1-9]\d{0,9}$/.test(text);

export function isWideEnough(draft: Draft): boolean {
  return !lines(draft.ips).some((line) => problem(line) === null && isWide(line));
}

/** What is wrong, by field. */
export function problems(draft: Draft, isNew: boolean): Record<string, string> {
  const wrong: Record<string, string> = {};
  const networks = lines(draft.ips).flatMap((line) => {
    const what = problem(line);
    return what ? [`${line} ${what}`] : [];
  });
  if (networks.length > 0) wrong.ips = networks.join("; ");
  else if (!isWideEnough(draft) && !draft.allowWide) wrong.ips = "confirm the wide network below";
  if (draft.scopes.length === 0) wrong.scopes = "choose at least one";
  if (draft.expiry === "at" && !draft.expires) wrong.expires = "say when";
  if (draft.expiry === "at" && draft.expires && draft.starts >= draft.expires) wrong.not_before = "has to be before the end";
  if (isNew && draft.type === "temporary" && draft.expiry === "") wrong.expires = "a temporary key has to expire";
  if (isNew && draft.type === "project" && !draft.project.trim()) wrong.project_id = "name the project";
  const bad = lines(draft.bindings).filter((line) => !/^[a-z][a-z0-9_]*=./.test(line));
  if (bad.length > 0) wrong.bindings = `${bad.join("; ")}: write parameter=value,value`;
  const limits = [draft.requests, draft.burst];
  if (draft.signature !== "none" && draft.version === "v1" && draft.hosts.length === 0) wrong.signing = "choose the hosts: version 1 does not sign them";
  if (!draft.tier && limits.some(Boolean) && ![...limits, draft.window].every(isCount)) wrong.limits = "three whole numbers above 0, or none";
  return wrong;
}

/** By which rules requests are signed. */
function signing({ version, hosts, nonce, explain }: Draft): Record<string, unknown> {
  const until = explain === "0" ? null : stamp(Date.now() + Number(explain) * 1000);
  return { version, ...(version === "v1" ? { hosts, nonce } : {}), ...(explain === "" ? {} : { debug_until: until }) };
}

/** The body of a new key, or that of the changes to one. */
export function body(draft: Draft, first: Draft | null): Record<string, unknown> {
  const expires = { "": null, at: `${draft.expires}:00Z` }[draft.expiry];
  const bindings = Object.fromEntries(
    lines(draft.bindings).map((line) => {
      const at = line.indexOf("=");
      return [line.slice(0, at), values(line.slice(at + 1))];
    }),
  );
  const limits: Limits | null = draft.requests && !draft.tier
    ? { requests: Number(draft.requests), window_seconds: Number(draft.window), burst: Number(draft.burst) }
    : null;
  const all: Record<string, unknown> = {
    name: draft.name,
    description: draft.description,
    scopes: draft.scopes,
    not_before: draft.starts ? `${draft.starts}:00Z` : null,
    expires: expires === undefined ? stamp(Date.now() + Number(draft.expiry) * 86_400_000) : expires,
    ips: lines(draft.ips).length > 0 ? lines(draft.ips) : null,
    bindings: Object.keys(bindings).length > 0 ? bindings : null,
    limits,
    tier: draft.tier || null,
    signature: draft.signature,
    signing: draft.signature === "none" ? null : signing(draft),
  };
  if (draft.allowWide && !isWideEnough(draft)) all.allow_any_network = true;
  if (first) {
    const before = body(first, null);
    return Object.fromEntries(Object.entries(all).filter(([name, value]) => name === "allow_any_network" || (name !== "signing" || value !== null) && JSON.stringify(value) !== JSON.stringify(before[name])));
  }
  all.type = draft.type;
  if (draft.environment) all.environment = draft.environment;
  if (draft.type === "project") all.project_id = draft.project.trim();
  // What a new key does not have is not named.
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== null && value !== ""));
}

/** What was typed, on top of what the key has become since. */
export function rebased(draft: Draft, first: Draft, now: Draft): Draft {
  const own = Object.entries(draft).filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(first[name as keyof Draft]));
  return { ...now, ...Object.fromEntries(own) };
}
