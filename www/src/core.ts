// The gate's own decision, in the page. It is fetched when it is first asked, and asks nobody.

import start, { explain as decide } from "explain";
import { Offline } from "./api";
import type { Key, Policy, Step } from "./types";

/** A request, and whose it is. */
export interface Question {
  method: string;
  url: string;
  headers: [string, string][];
  of: "nobody" | { key: Key } | { person: { member: string; scopes: string[]; workspace: string | null } };
}

/** What becomes of a request. */
export interface Explanation {
  checks: Step[];
  verdict: "allowed" | "refused" | "open";
  status: number | null;
  code: string | null;
  message: string | null;
  missing: string | null;
  would_deny: string[];
}

let started: Promise<unknown> | null = null;

export async function explain(policy: Policy, question: Question): Promise<Explanation> {
  started ??= start({ module_or_path: load() });
  try {
    await started;
  } catch (error) {
    started = null;
    throw error;
  }
  try {
    return JSON.parse(decide(JSON.stringify(policy), JSON.stringify(question)));
  } catch (error) {
    // What is wrong with the question comes as a text; else the core itself has failed, and is not asked again.
    throw new Error(typeof error === "string" ? error : "The explanation has failed. Load the page again.");
  }
}

async function load(): Promise<Response> {
  const response = await fetch(EXPLAIN_WASM, { credentials: "omit", redirect: "error" }).catch(() => null);
  if (!response?.ok) throw new Offline();
  return response;
}
