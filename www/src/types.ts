// What the management API tells (docs/openapi.json).

export type Role = "member" | "admin" | "owner";

export interface Me {
  subject: string;
  scopes: string[];
  credential: "oauth" | "session";
  expires: string;
}

export interface Limits {
  requests: number;
  window_seconds: number;
  burst: number;
}

export interface Workspace {
  id: string;
  name: string;
  role: Role;
  keys: number;
  max_active_keys: number;
  limits: Limits | null;
  created: string | null;
  version: number;
}

/** By which rules requests with a key are signed. */
export interface Signing {
  version: "v1" | "v2";
  hosts: string[];
  nonce: boolean;
  debug_until: string | null;
}

export interface SecretState {
  generation: number;
  expires: string | null;
  last_used: string | null;
}

export interface Key {
  id: string;
  name: string;
  description: string;
  type: "personal" | "service" | "project" | "temporary";
  prefix: string;
  status: "active" | "disabled" | "quarantined" | "revoked";
  subject: string | null;
  project_id?: string | null;
  scopes: string[];
  bindings: Record<string, string[]> | null;
  ips: string[] | null;
  tier: string | null;
  limits: Limits | null;
  alerts: number[];
  signature: "none" | "optional" | "required" | "only";
  signing: Signing | null;
  created: string;
  created_by: string | null;
  not_before: string | null;
  expires: string | null;
  last_used: string | null;
  secrets: SecretState[];
  version: number;
}

export interface NewSecret extends Key {
  secret?: string;
  signing_secret?: string;
}

export interface Hour {
  hour: string;
  exact: number;
  at_most: number;
  coins: number;
  products?: Record<string, { requests: number; coins: number }>;
  denied: Record<string, number>;
  would_deny?: Record<string, number>;
}

export interface Budget {
  product: string | null;
  coins: number;
  used: number;
  left: number;
  forecast: number | null;
  period: string;
  reset: string;
}

export interface Usage {
  hours: Hour[];
  last_used: string | null;
  keys_left_out?: number;
  budgets?: Budget[];
}

export interface BudgetRule {
  coins: number;
  period: string;
}

export interface Route {
  methods: string[];
  path: string;
  hosts: string[];
  product: string | null;
  credentials: string[];
  scope: string | null;
  bindings: string[];
  subject: string | null;
  signature: string | null;
  ips: string[] | null;
  cors: string[] | null;
  mode: string | null;
  cost: number;
  settle: string | null;
  body_limit: number | null;
  allow: string[];
  upgrade: boolean;
  plain_query: boolean;
  shadow: { scope: string | null; ips: string[] | null } | null;
}

/** What the policy says to members. */
export interface Policy {
  hosts: string[];
  lease_seconds: number;
  key_prefix: string;
  temporary_max_days: number;
  default_scopes: string[] | null;
  imports: boolean;
  people: { name: string; credential: string }[];
  tiers: { name: string; limits: Limits }[];
  products: { name: string; hosts: string[]; limits: Limits | null; budget: BudgetRule | null }[];
  routes: Route[];
  workspace: { mode: string; limits: Limits | null; budget: BudgetRule | null; on_workspace_down: string };
}

/** A request that was refused. */
export interface RefusedRequest {
  request_id: string;
  time: string;
  kid: string;
  method: string;
  path: string;
  code: string;
  address: string;
}

/** One of the list of them. */
export interface ListedDenial extends RefusedRequest {
  detail: string;
}

/** One check and what came of it. */
export interface Step {
  check: string;
  verdict: "passed" | "refused" | "open" | "not reached";
  detail: string | null;
}

/** Why a request was refused. */
export interface Denial extends RefusedRequest {
  check: string;
  checks: Step[];
  limited_by: string | null;
  retry_after: number | null;
  budget: Budget | null;
  key_version: number;
  key: { version: number };
}

export interface Imported {
  rows: { result: "created" | "exists" | "refused"; id?: string; message?: string }[];
}

export interface Delivery {
  id: string;
  type: string;
  time: string;
  attempt: number;
  status: number | null;
  next: string | null;
}

export interface Webhook {
  url: string;
  events: string[];
  disabled: string | null;
  secrets: { generation: number; expires: string | null }[];
  deliveries?: Delivery[];
  waiting?: number;
  secret?: string;
}

export interface Member {
  member: string;
  role: Role;
  added: string;
  added_by: string;
}

export interface Entry {
  sequence: number;
  time: string;
  actor: string;
  address: string;
  action: string;
  target: string;
  request_id: string;
  changes: Record<string, unknown>;
  hash: string;
}

export interface Chain {
  intact: boolean;
  entries: number;
  broken_at: number | null;
  next: number | null;
}
