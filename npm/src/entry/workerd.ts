import { start } from "../core.js";
import wasm from "../wasm/portcullis.wasm";

start(wasm, { setsAddress: true });

export * from "../index.js";
