// On workerd: bundled by esbuild, as wrangler does.
import * as portcullis from "portcullis";
import { suite } from "./suite.mjs";
import vectors from "./vectors.json";

export default {
  async test() {
    console.log(await suite(portcullis, vectors));
  },
};
