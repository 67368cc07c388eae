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
  denied: Record<string, number>;
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
  budgets?: Budget[];
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
