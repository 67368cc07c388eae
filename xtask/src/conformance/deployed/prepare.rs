//! What is deployed for the cases: the Workers, their configurations for wrangler, secrets and rows.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use portcullis::host::HostName;
use portcullis::record::Document;
use portcullis::root::Keyring;
use portcullis::workspace::call::Call;
use serde_json::{Value, json};

use super::super::{raw, signed};
use crate::checkout::{Checkout, private_dir, write_private};
use crate::vectors::{POLICY, WORKSPACE, World};
use crate::worker::{self, Flavour, MODULES};
use crate::{keys, www};

/// Writes all of it into a folder, for a gate on this host and the KV namespace of this id.
pub fn prepare(
    checkout: &Checkout,
    folder: &Path,
    host: &HostName,
    namespace: &str,
) -> Result<World> {
    let is_id = !namespace.is_empty() && namespace.bytes().all(|byte| byte.is_ascii_hexdigit());
    ensure!(is_id, "--namespace: the id that `kv namespace create` printed");
    let way_in = way_in(host.as_str())?;
    let world = World::read(checkout)?;
    let keyring = Keyring::parse(&world.root)?;
    let _ = fs::remove_dir_all(folder);
    private_dir(folder)?;

    let policy = fs::read_to_string(checkout.path(POLICY)).context(POLICY)?;
    let path = folder.join("policy.toml");
    fs::write(&path, policy.replace(raw::HOST, host.as_str()))?;
    let fingerprint = keyring.newest().fingerprint().to_owned();
    let built = worker::build(checkout, &Flavour::Conformance { policy: path, fingerprint })?;
    for module in MODULES {
        let copy = folder.join(module);
        copy.parent().map_or(Ok(()), private_dir)?;
        fs::copy(built.folder.join(module), copy)?;
    }
    www::copy(&built.folder.join(www::FOLDER), &folder.join(www::FOLDER))?;
    private_dir(&folder.join("origin"))?;
    let signed = signed(&world, &keyring, host)?;
    fs::write(folder.join(ORIGIN), calls(&signed)? + include_str!("../../../deployed/origin.mjs"))?;

    for (name, text) in CONFIGURATIONS {
        let text = text.replace("@WAY_IN@", &way_in).replace("@NAMESPACE@", namespace);
        fs::write(folder.join(name), text)?;
    }
    write_private(&folder.join("root"), world.root.as_bytes())?;
    write_private(&folder.join("static-keys"), world.static_keys.as_bytes())?;
    let rows = rows(&world, &keyring, &signed)?;
    write_private(&folder.join(ROWS), &serde_json::to_vec_pretty(&rows)?)?;
    Ok(world)
}

/// How requests come to the Worker.
fn way_in(host: &str) -> Result<String> {
    if !host.ends_with(".workers.dev") {
        let route = format!("routes = [{{ pattern = \"{host}\", custom_domain = true }}]");
        return Ok(format!("workers_dev = false\n{route}"));
    }
    ensure!(
        host.starts_with(NAME),
        "{host}: below workers.dev it has to be {NAME}YOURS.workers.dev"
    );
    Ok("workers_dev = true".to_owned())
}

/// The records of the keys whose requests are signed: for the cases' host, which is this one.
fn signed(world: &World, keyring: &Keyring, host: &HostName) -> Result<Vec<Document>> {
    let mut documents = signed::documents(world, keyring)?;
    let signings = documents.iter_mut().filter_map(|document| document.signing.as_mut());
    let hosts = signings.flat_map(|signing| &mut signing.hosts);
    hosts.filter(|own| own.as_str() == raw::HOST).for_each(|own| *own = host.clone());
    Ok(documents)
}

/// What makes these known to their Workspace, as the origin's module has it.
fn calls(signed: &[Document]) -> Result<String> {
    let open = Call::Open { workspace: WORKSPACE.to_owned() };
    let put = |document: &Document| Call::Put { document: Box::new(document.clone()), replaces: 0 };
    let calls = std::iter::once(open).chain(signed.iter().map(put)).map(|call| call.print());
    let calls = serde_json::to_string(&calls.collect::<Vec<_>>())?;
    Ok(format!("const CALLS = {calls};\n"))
}

/// The world's rows, as `wrangler kv bulk put` reads them.
fn rows(world: &World, keyring: &Keyring, signed: &[Document]) -> Result<Vec<Value>> {
    let mut rows = world.kv.clone();
    for document in signed {
        let (name, value) = keys::sealed(keyring.newest(), document)?;
        rows.insert(name, String::from_utf8(value)?);
    }
    Ok(rows.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect())
}

const CONFIGURATIONS: [(&str, &str); 3] = [
    ("gate.toml", include_str!("../../../deployed/gate.toml")),
    ("workspace.toml", include_str!("../../../deployed/workspace.toml")),
    ("origin.toml", include_str!("../../../deployed/origin.toml")),
];
/// The origin's module, in the folder.
pub const ORIGIN: &str = "origin/index.js";
/// The rows, in the folder.
pub const ROWS: &str = "rows.json";
/// How the gate's host begins below workers.dev: by the name in gate.toml.
const NAME: &str = "portcullis-conformance.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_deployed_for_the_cases_is_bound_as_the_product_is() {
        let checkout = Checkout::find().unwrap();
        for (product, ours) in
            [("wrangler.toml", "gate.toml"), ("workspace.toml", "workspace.toml")]
        {
            let product = fs::read_to_string(checkout.path(product)).unwrap();
            let ours = fs::read_to_string(checkout.path("xtask/deployed").join(ours)).unwrap();
            let counts = ["binding = ", "class_name = ", "compatibility_", "rules = "];
            for line in product.lines().filter(|line| counts.iter().any(|c| line.starts_with(c))) {
                assert!(ours.lines().any(|own| own == line), "{line}");
            }
        }
    }

    #[test]
    fn a_host_below_workers_dev_is_that_of_the_worker() {
        assert!(way_in("gate.example.com").unwrap().contains(r#"pattern = "gate.example.com""#));
        assert_eq!(way_in("portcullis-conformance.me.workers.dev").unwrap(), "workers_dev = true");
        assert!(way_in("api.me.workers.dev").is_err());
    }
}
