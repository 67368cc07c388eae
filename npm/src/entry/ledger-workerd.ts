import { start } from "../memory.js";
import wasm from "../wasm/ledger.wasm";

start(wasm);

export { type LedgerOptions, memoryLedger } from "../memory.js";
