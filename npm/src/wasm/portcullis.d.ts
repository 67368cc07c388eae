// What `wasm-bindgen` makes of `src/js`; `cargo xtask npm` puts it here in the package.

export class Gate {
  constructor(policy: string, root: string, staticKeys: string);
  decide(facts: string): string;
  resume(number: number, facts: string, came: boolean, text?: string): string | undefined;
  resume_with_body(number: number, facts: string, bytes: Uint8Array | undefined, instead: string): string | undefined;
}
export function told_names(): string;
export function initSync(options: { module: WebAssembly.Module }): unknown;
export function __wbg_reset_state(): void;
