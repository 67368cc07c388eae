using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "pass", worker = (modules = [
      (name = "pass.mjs", esModule = embed "pass.mjs"),
    ], compatibilityDate = .date, bindings = [.origin])),
    (name = "baseline", worker = (modules = [
      (name = "baseline.mjs", esModule = embed "baseline.mjs"), .forward, .grant,
    ], compatibilityDate = .date, bindings = [.origin])),
    (name = "gate", worker = (modules = [
      (name = "gate.mjs", esModule = embed "gate.mjs"), .rules, .forward,
    ], compatibilityDate = .date, bindings = .gateBindings)),
    (name = "gate-webcrypto", worker = (modules = [
      (name = "gate-webcrypto.mjs", esModule = embed "gate-webcrypto.mjs"), .rules, .forward,
    ], compatibilityDate = .date, bindings = .gateBindings)),
    (name = "hono", worker = (modules = [
      (name = "hono.mjs", esModule = embed "dist/hono.mjs"),
    ], compatibilityDate = .date, bindings = [.origin, .token])),
    (name = "hono-proxy", worker = (modules = [
      (name = "hono-proxy.mjs", esModule = embed "dist/hono-proxy.mjs"),
    ], compatibilityDate = .date, bindings = [.origin, .token])),
    (name = "hono-forward", worker = (modules = [
      (name = "hono-forward.mjs", esModule = embed "dist/hono-forward.mjs"),
    ], compatibilityDate = .date, bindings = [.origin, .token])),
    (name = "portcullis", worker = (
      modules = .portcullis, compatibilityDate = .date, bindings = [.origin, .workspace, .keys, .root],
    )),
    (name = "one-route", worker = (modules = [
      (name = "index.js", esModule = embed "workers/one-route/index.js"), .wasm,
    ], compatibilityDate = .date, bindings = .routeBindings)),
    (name = "many-routes", worker = (modules = [
      (name = "index.js", esModule = embed "workers/many-routes/index.js"), .wasm,
    ], compatibilityDate = .date, bindings = .routeBindings)),
    (name = "workspace", worker = (
      modules = .workspaceModules, compatibilityDate = .date, bindings = [.keys, .root],
      durableObjectNamespaces = [(className = "Workspace", uniqueKey = "bench", enableSql = true)],
      durableObjectStorage = (localDisk = "objects"),
    )),
    (name = "objects", disk = (path = "objects", writable = true)),
    (name = "control", worker = (modules = [
      (name = "control.mjs", esModule = embed "control.mjs"),
    ], compatibilityDate = .date, bindings = [.workspace])),
    (name = "rows", worker = (modules = [
      (name = "rows.mjs", esModule = embed "rows.mjs"),
    ], compatibilityDate = .date, bindings = [(name = "ROWS", fromEnvironment = "PORTCULLIS_ROWS")])),
    (name = "origin", worker = .originWorker),
    (name = "kv", worker = (modules = [
      (name = "kv.mjs", esModule = embed "kv.mjs"),
    ], compatibilityDate = .date, bindings = [
      .tagSecret, (name = "KEY", text = .key), (name = "SIGNING_SECRET", text = .signingSecret),
    ])),
  ],
  sockets = [
    (name = "portcullis", address = "127.0.0.1:8717", http = (), service = "portcullis"),
    (name = "control", address = "127.0.0.1:8718", http = (), service = "control"),
    (name = "one-route", address = "127.0.0.1:8719", http = (), service = "one-route"),
    (name = "many-routes", address = "127.0.0.1:8720", http = (), service = "many-routes"),
    (name = "pass", address = "127.0.0.1:8710", http = (), service = "pass"),
    (name = "baseline", address = "127.0.0.1:8711", http = (), service = "baseline"),
    (name = "gate", address = "127.0.0.1:8712", http = (), service = "gate"),
    (name = "gate-webcrypto", address = "127.0.0.1:8713", http = (), service = "gate-webcrypto"),
    (name = "hono", address = "127.0.0.1:8714", http = (), service = "hono"),
    (name = "hono-proxy", address = "127.0.0.1:8715", http = (), service = "hono-proxy"),
    (name = "hono-forward", address = "127.0.0.1:8716", http = (), service = "hono-forward"),
  ],
);

const date :Text = "2026-10-01";
const key :Text = "ak_0ABCDEF1234567TAGTAG_GABCDEFGHJKMNPQRSTVWXYZ0123TAGTAGCRC1234";
const signingSecret :Text = "ak_sign_0ABCDEF1234567TAGTAG_G_0123456789ABCDEFGHJKMNPQRSTVWXYZ0123456789ABCDEFGHJKCRC1234";

const forward :Workerd.Worker.Module = (name = "forward.mjs", esModule = embed "forward.mjs");
const grant :Workerd.Worker.Module = (name = "grant.mjs", esModule = embed "grant.mjs");
const rules :Workerd.Worker.Module = (name = "rules.mjs", esModule = embed "rules.mjs");

const wasm :Workerd.Worker.Module = (name = "index_bg.wasm", wasm = embed "workers/gate/index_bg.wasm");
const portcullis :List(Workerd.Worker.Module) = [
  (name = "index.js", esModule = embed "workers/gate/index.js"), .wasm,
];
const workspaceModules :List(Workerd.Worker.Module) = [
  (name = "object.mjs", esModule = embed "object.mjs"),
  (name = "index.js", esModule = embed "workers/workspace/index.js"),
  (name = "index_bg.wasm", wasm = embed "workers/workspace/index_bg.wasm"),
];
const workspace :Workerd.Worker.Binding = (
  name = "WORKSPACE", durableObjectNamespace = (className = "Workspace", serviceName = "workspace"),
);
const keys :Workerd.Worker.Binding = (name = "KEYS", kvNamespace = "rows");
const root :Workerd.Worker.Binding = (name = "PORTCULLIS_ROOT", fromEnvironment = "PORTCULLIS_ROOT");

const originWorker :Workerd.Worker = (
  modules = [(name = "origin.mjs", esModule = embed "origin.mjs")], compatibilityDate = .date,
);
const origin :Workerd.Worker.Binding = (name = "ORIGIN", service = "origin");
# Five origins to the gate, and one service: what five services cost one process is not the gate's.
const routeBindings :List(Workerd.Worker.Binding) = [
  (name = "ORIGIN_0", service = "origin"),
  (name = "ORIGIN_1", service = "origin"),
  (name = "ORIGIN_2", service = "origin"),
  (name = "ORIGIN_3", service = "origin"),
  (name = "ORIGIN_4", service = "origin"),
  .workspace, .keys, .root,
];
const token :Workerd.Worker.Binding = (name = "TOKEN", text = .key);
const tagSecret :Workerd.Worker.Binding = (name = "TAG_SECRET", text = "bench-tag-secret-bench-tag-secret");
const gateBindings :List(Workerd.Worker.Binding) = [
  .origin,
  .tagSecret,
  (name = "ASSERTION_SECRET", text = "bench-assertion-secret-bench-asse"),
  (name = "KEYS", kvNamespace = "kv"),
];
