import { start } from "../core.js";

const answer = await fetch(new URL("../wasm/portcullis.wasm", import.meta.url));
start(await WebAssembly.compile(await answer.arrayBuffer()), { setsAddress: false });

export * from "../index.js";
