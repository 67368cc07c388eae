import { readFileSync } from "node:fs";

import { start } from "../memory.js";

start(new WebAssembly.Module(readFileSync(new URL("../wasm/ledger.wasm", import.meta.url))));

export { type LedgerOptions, memoryLedger } from "../memory.js";
