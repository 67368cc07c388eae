using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (services = [
  (name = "main", worker = (
    modules = [
      (name = "rpc.mjs", esModule = embed "rpc.mjs"),
      (name = "vectors.json", json = embed "vectors.json"),
    ],
    compatibilityDate = "2026-10-01",
    compatibilityFlags = ["nodejs_compat"],
    bindings = [(name = "GATE", service = (name = "gate", entrypoint = "Verify"))],
  )),
  (name = "gate", worker = (
    modules = [
      (name = "index.js", esModule = embed "gate/index.js"),
      (name = "index_bg.wasm", wasm = embed "gate/index_bg.wasm"),
    ],
    compatibilityDate = "2026-10-01",
    bindings = [
      (name = "KEYS", kvNamespace = "kv"),
      (name = "PORTCULLIS_ROOT", fromEnvironment = "PORTCULLIS_ROOT"),
      (name = "PORTCULLIS_STATIC_KEYS", fromEnvironment = "PORTCULLIS_STATIC_KEYS"),
    ],
  )),
  (name = "kv", worker = (
    modules = [(name = "rows.mjs", esModule = embed "rows.mjs")],
    compatibilityDate = "2026-10-01",
    bindings = [(name = "ROWS", json = embed "rows.json")],
  )),
]);
