// What `wasm-bindgen` makes of `src/js/ledger.rs`; `cargo xtask npm` puts it here in the package.

export class Ledger {
  constructor(policy: string, root: string);
  add(kid: string, value: string): void;
  call(text: string): string;
  is_due(): boolean;
}
export function initSync(options: { module: WebAssembly.Module }): unknown;
