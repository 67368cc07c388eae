export { type Circumstances, type Gate, type GateOptions, type Incoming, createGate } from "./gate.js";
export { type Ledger, type LedgerObject, type MemoryStore, type Row, type Store, memoryStore } from "./stores.js";
export { type Allowed, type Denied, type Grant, type Preflight, type Unavailable, type Verdict, tell } from "./verdict.js";
