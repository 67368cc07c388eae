// On Node.js, Deno and Bun: the package as it is installed beside this.
import { readFileSync } from "node:fs";
import * as portcullis from "portcullis";
import { suite } from "./suite.mjs";

const vectors = JSON.parse(readFileSync(new URL("vectors.json", import.meta.url), "utf8"));
console.log(await suite(portcullis, vectors));
