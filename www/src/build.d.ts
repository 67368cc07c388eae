// The core as Wasm (src/js/explain.rs), and where it lies; both put in by the build.

declare module "explain" {
  /** Starts it. */
  export default function start(options: { module_or_path: Promise<Response> }): Promise<unknown>;
  /** Policy and question in, an explanation out, all of them JSON; throws what is wrong with them. */
  export function explain(policy: string, question: string): string;
}

declare const EXPLAIN_WASM: string;
