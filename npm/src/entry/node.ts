import { readFileSync } from "node:fs";

import { start } from "../core.js";

start(new WebAssembly.Module(readFileSync(new URL("../wasm/portcullis.wasm", import.meta.url))), { setsAddress: false });

export * from "../index.js";
