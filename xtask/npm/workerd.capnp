using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (services = [(name = "main", worker = (
  modules = [
    (name = "worker.js", esModule = embed "out/workerd.js"),
    (name = "portcullis.wasm", wasm = embed "out/portcullis.wasm"),
  ],
  compatibilityDate = "2026-10-01",
))]);
