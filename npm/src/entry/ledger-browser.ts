import { start } from "../memory.js";

const answer = await fetch(new URL("../wasm/ledger.wasm", import.meta.url));
start(await WebAssembly.compile(await answer.arrayBuffer()));

export { type LedgerOptions, memoryLedger } from "../memory.js";
