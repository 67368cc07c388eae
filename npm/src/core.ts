// The Wasm: one instance for all gates of a process, started again when it fails.

import { Gate as Core, __wbg_reset_state, initSync, told_names } from "./wasm/portcullis.js";

let starts = 0;
let names: readonly string[] | undefined;
let trusted = false;

/** What an entry does once: the compiled Wasm, and whether the platform itself sets `CF-Connecting-IP`. */
export function start(module: WebAssembly.Module, platform: { setsAddress: boolean }): void {
  initSync({ module });
  trusted = platform.setsAddress;
}

/** Whether the request's own `CF-Connecting-IP` is the platform's word. */
export const setsAddress = (): boolean => trusted;

/** How often the Wasm was started again: one that has been knows nothing of what waited before. */
export const generation = (): number => starts;

export const toldNames = (): readonly string[] => (names ??= told_names().split("\n"));

/** One gate in the Wasm, made anew whenever that is started again. */
export class Kept {
  #core: Core;
  #start = starts;
  readonly #made: [policy: string, root: string, staticKeys: string];

  /** Throws a `TypeError` that says why the deployment must not decide. */
  constructor(...made: [policy: string, root: string, staticKeys: string]) {
    this.#made = made;
    try {
      this.#core = new Core(...made);
    } catch (error) {
      throw typeof error === "string" ? new TypeError(`portcullis: ${error}`) : error;
    }
  }

  /** Calls the core. After a trap nothing but a new start may enter the Wasm. */
  enter<T>(call: (core: Core) => T): T {
    try {
      if (this.#start !== starts) {
        this.#core = new Core(...this.#made);
        this.#start = starts;
      }
      return call(this.#core);
    } catch (error) {
      console.error("portcullis: panicked", error);
      starts++;
      __wbg_reset_state();
      throw error;
    }
  }
}
