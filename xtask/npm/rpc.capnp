using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (services = [
  (name = "main", worker = (
    modules = [
      (name = "rpc.js", esModule = embed "out/rpc.js"),
      (name = "portcullis.wasm", wasm = embed "out/portcullis.wasm"),
    ],
    compatibilityDate = "2026-10-01",
    bindings = [
      (name = "FRONT", service = "gate"),
      (name = "GATE", service = (name = "gate", entrypoint = "Verify")),
      (name = "KEYS", kvNamespace = "kv"),
      (name = "WORKSPACE", durableObjectNamespace = (className = "Workspace", serviceName = "workspace")),
    ],
  )),
  (name = "gate", worker = (
    modules = [
      (name = "index.js", esModule = embed "gate/index.js"),
      (name = "index_bg.wasm", wasm = embed "gate/index_bg.wasm"),
    ],
    compatibilityDate = "2026-10-01",
    bindings = [
      (name = "KEYS", kvNamespace = "kv"),
      (name = "WORKSPACE", durableObjectNamespace = (className = "Workspace", serviceName = "workspace")),
      (name = "PORTCULLIS_ROOT", fromEnvironment = "PORTCULLIS_ROOT"),
      (name = "ORIGIN", service = (name = "main", entrypoint = "origin")),
      (name = "PORTCULLIS_STATIC_KEYS", fromEnvironment = "PORTCULLIS_STATIC_KEYS"),
    ],
  )),
  (name = "workspace", worker = (
    modules = [
      (name = "index.js", esModule = embed "workspace/index.js"),
      (name = "index_bg.wasm", wasm = embed "workspace/index_bg.wasm"),
    ],
    compatibilityDate = "2026-10-01",
    durableObjectNamespaces = [
      (className = "Workspace", uniqueKey = "workspace", enableSql = true),
      (className = "Directory", uniqueKey = "directory", enableSql = true),
    ],
    durableObjectStorage = (localDisk = "disk"),
    bindings = [
      (name = "KEYS", kvNamespace = "kv"),
      (name = "DIRECTORY", durableObjectNamespace = "Directory"),
      (name = "PORTCULLIS_ROOT", fromEnvironment = "PORTCULLIS_ROOT"),
    ],
  )),
  (name = "disk", disk = (path = "out/objects", writable = true)),
  (name = "kv", worker = (
    modules = [(name = "rows.mjs", esModule = embed "rows.mjs")],
    compatibilityDate = "2026-10-01",
    bindings = [(name = "ROWS", json = embed "rows.json")],
  )),
]);
