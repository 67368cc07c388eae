export { type Circumstances, type Gate, type GateOptions, type Incoming, createGate } from "./gate.js";
export { type Ledger, type Store, memoryStore } from "./stores.js";
export { type Grant, type Verdict, tell } from "./verdict.js";
