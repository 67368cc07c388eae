// The Workspace object of the gate under test: the product's, whose calls and answers are kept.
import { Workspace as Product } from "./index.js";

export { default } from "./index.js";

// The runtime drops an object that has had nothing to do for some seconds, but not its module.
const calls = [];

export class Workspace extends Product {
  async answer(text, wait) {
    let answer = "";
    try {
      return (answer = await super.answer(text, wait));
    } finally {
      calls.push([text, answer]);
    }
  }

  // Called by control.mjs.
  calls() {
    return calls;
  }
}
