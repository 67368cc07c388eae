//! The built Workers: `index.js` and `index_bg.wasm` of each, made by worker-build, in some flavours.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, ensure};
use portcullis::policy::{Document, Fingerprint, source};
use sha2::{Digest, Sha256};

use crate::checkout::{Checkout, lock, output, run, say, sha256};
use crate::{tools, wasm, www};

/// For what to build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flavour {
    /// What is deployed: `policy.toml` as it is, dated by the commit. In `build/gate/` and
    /// `build/workspace/`.
    Production,
    /// The same for a root of this clone.
    Dev {
        /// The public fingerprint of that root.
        fingerprint: String,
    },
    /// For tests: another policy.
    Conformance {
        /// The policy's file.
        policy: PathBuf,
        /// The public fingerprint of the root it is to be served with.
        fingerprint: String,
    },
    /// For `prove`: a policy of the proofs, for a root of this clone.
    Proof {
        /// The name of its file in `tests/prove`, which is `policy` for most bars.
        policy: &'static str,
        /// The public fingerprint of that root.
        fingerprint: String,
    },
    /// For the bench: a policy that it has made, for a root of this clone.
    Bench {
        /// The policy's file.
        policy: PathBuf,
        /// What it is called.
        name: &'static str,
        /// The public fingerprint of that root.
        fingerprint: String,
    },
}

/// One of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worker {
    /// What every request meets.
    Gate,
    /// What holds the Workspaces.
    Workspace,
}

/// The built Workers.
#[derive(Debug, Clone)]
pub struct Built {
    /// The folder that holds [`MODULES`] and the dashboard.
    pub folder: PathBuf,
    /// Of each the bytes of its upload, each file compressed by gzip.
    pub gzip: [(Worker, u64); 2],
}

/// The files of both Workers, relative to the folder; each Worker's in the order they are uploaded.
pub const MODULES: [&str; 4] =
    ["gate/index.js", "gate/index_bg.wasm", "workspace/index.js", "workspace/index_bg.wasm"];

/// The modules of JavaScript that are ours, besides what the Rust names.
const OURS: [&str; 12] = [
    "facts.mjs",
    "gate.mjs",
    "lookup.mjs",
    "errands.mjs",
    "forward.mjs",
    "verify.mjs",
    "observe.mjs",
    "shim.js",
    "workspace.mjs",
    "management.mjs",
    "rows.mjs",
    "restart.mjs",
];
const INDEX: &str = "index.js";
const WASM: &str = "index_bg.wasm";
/// The Wasm before it was optimised.
const NAMED: &str = "named.wasm";
/// The policy and the date, made by this build.
const BUILT: &str = "built.mjs";

/// Builds both Workers. Their Wasm is the same in all flavours, and made anew only if what it is made of
/// has changed.
///
/// # Errors
/// If the policy is wrong: where, and why.
pub fn build(checkout: &Checkout, flavour: &Flavour) -> Result<Built> {
    // All flavours share cargo's target folder.
    let _lock = lock(&checkout.private("build.lock")?, "build")?;
    let policy = flavour.document(checkout)?;
    let built = flavour.built(checkout);
    let gate = build_one(checkout, Worker::Gate, flavour, &policy, &built)?;
    let workspace = build_one(checkout, Worker::Workspace, flavour, &policy, &built)?;
    www::copy(&www::build(checkout)?, &checkout.path(flavour.folder()).join(www::FOLDER))?;
    let gzip = [(Worker::Gate, gate), (Worker::Workspace, workspace)];
    Ok(Built { folder: checkout.path(flavour.folder()), gzip })
}

/// Builds one; the bytes of its upload.
fn build_one(
    checkout: &Checkout,
    worker: Worker,
    flavour: &Flavour,
    policy: &Document,
    built: &str,
) -> Result<u64> {
    let name = format!("{}, {}", worker.name(), flavour.name());
    let compiled = compile(checkout, worker)?;
    let folder = checkout.path(worker.folder(flavour));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;
    for module in [INDEX, WASM] {
        fs::copy(compiled.join(module), folder.join(module))?;
    }
    for module in OURS {
        fs::copy(checkout.path("src/edge").join(module), folder.join(module))?;
    }
    let policy = serde_json::to_string(&policy.to_json_without(worker.lacks())?)?;
    let text = format!("export const POLICY = {policy};\nexport const BUILT = \"{built}\";\n");
    fs::write(folder.join(BUILT), text)?;
    run("esbuild", &mut bundle_entry(checkout, worker, &folder))?;
    for module in OURS.into_iter().chain([BUILT]) {
        fs::remove_file(folder.join(module))?;
    }
    let gzip = gzip_size(&folder)?;
    say(format!("Worker ({name}): {:.1} KB gzip", gzip as f64 / 1000.0));
    Ok(gzip)
}

/// Compiles the Wasm of one and its bindings, unless they are there; into this folder.
fn compile(checkout: &Checkout, worker: Worker) -> Result<PathBuf> {
    let folder = checkout.private("wasm")?.join(worker.name());
    let stamp = stamp(checkout, worker)?;
    let stamp_path = checkout.private(format!("wasm-{}.stamp", worker.name()))?;
    let fresh = fs::read_to_string(&stamp_path).is_ok_and(|last| last == stamp)
        && [INDEX, WASM, NAMED].iter().all(|module| folder.join(module).is_file());
    if !fresh {
        say(format!("compiling the Worker ({}) …", worker.name()));
        let _ = fs::remove_file(&stamp_path);
        run("worker-build", &mut worker_build(checkout, worker, &folder))?;
        fs::copy(folder.join(WASM), folder.join(NAMED))?;
        run("wasm-opt", &mut wasm_opt(checkout, &folder.join(WASM)))?;
        fs::write(&stamp_path, stamp)?;
    }
    Ok(folder)
}

/// The gate's Wasm as it was compiled, with the names of its functions.
pub(crate) fn named_gate(checkout: &Checkout) -> Result<PathBuf> {
    let _lock = lock(&checkout.private("build.lock")?, "build")?;
    Ok(compile(checkout, Worker::Gate)?.join(NAMED))
}

impl Worker {
    /// Its name, which is that of its feature, its folder and its entry.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gate => "gate",
            Self::Workspace => "workspace",
        }
    }

    /// The gate is built to be fast, as it is all that most requests meet; a Workspace's calls are few
    /// and wait for its storage, and it has more to hold.
    pub(crate) const fn opt_level(self) -> &'static str {
        match self {
            Self::Gate => "s",
            Self::Workspace => "z",
        }
    }

    /// What of the policy it does not get.
    const fn lacks(self) -> &'static [&'static str] {
        match self {
            Self::Gate => Document::NOT_FOR_GATE,
            Self::Workspace => Document::NOT_FOR_WORKSPACE,
        }
    }

    /// Where it goes, relative to the checkout.
    fn folder(self, flavour: &Flavour) -> String {
        format!("{}/{}", flavour.folder(), self.name())
    }
}

impl Flavour {
    fn name(&self) -> String {
        match self {
            Self::Production => "production".to_owned(),
            Self::Dev { .. } => "dev".to_owned(),
            Self::Conformance { .. } => "conformance".to_owned(),
            Self::Proof { policy: "policy", .. } => "proof".to_owned(),
            Self::Proof { policy, .. } => format!("proof-{policy}"),
            Self::Bench { name, .. } => format!("bench-{name}"),
        }
    }

    /// Where the Workers go, relative to the checkout.
    fn folder(&self) -> String {
        match self {
            Self::Production => "build".to_owned(),
            Self::Dev { .. }
            | Self::Conformance { .. }
            | Self::Proof { .. }
            | Self::Bench { .. } => {
                format!(".portcullis/build-{}", self.name())
            }
        }
    }

    fn policy(&self, checkout: &Checkout) -> PathBuf {
        match self {
            Self::Production | Self::Dev { .. } => checkout.path("policy.toml"),
            Self::Conformance { policy, .. } | Self::Bench { policy, .. } => policy.clone(),
            Self::Proof { policy, .. } => checkout.path(proof_policy(policy)),
        }
    }

    /// The policy, checked and compiled, for the roots of these fingerprints too.
    fn document(&self, checkout: &Checkout) -> Result<Document> {
        let path = self.policy(checkout);
        let name = path.file_name().unwrap_or(path.as_os_str()).display();
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let mut document = source::compile(&text).map_err(|error| anyhow!("{name}:{error}"))?;
        let list = match self {
            Self::Production => env::var(FINGERPRINTS).unwrap_or_default(),
            Self::Dev { fingerprint }
            | Self::Conformance { fingerprint, .. }
            | Self::Proof { fingerprint, .. }
            | Self::Bench { fingerprint, .. } => fingerprint.clone(),
        };
        for text in list.split(',').filter(|text| !text.is_empty()) {
            let fingerprint = Fingerprint::parse(text);
            let fingerprint = fingerprint.map_err(|error| anyhow!("{FINGERPRINTS}: {error}"))?;
            document.root_fingerprints.push(fingerprint);
        }
        document.told = document.tell();
        Ok(document)
    }

    /// The second before which no clock can be right. A deployed Worker is dated by its commit; others
    /// are not.
    fn built(&self, checkout: &Checkout) -> String {
        match self {
            Self::Production => commit_date(checkout),
            Self::Dev { .. }
            | Self::Conformance { .. }
            | Self::Proof { .. }
            | Self::Bench { .. } => "0".to_owned(),
        }
    }
}

fn worker_build(checkout: &Checkout, worker: Worker, folder: &Path) -> Command {
    let mut command = checkout.command(tools::cargo_bin(checkout, "worker-build"));
    command
        .arg("--release")
        .arg("--out-dir")
        .arg(folder)
        // What worker-build does not know it hands to `cargo build`.
        .args(["--features", worker.name(), "--locked"])
        .env("WASM_BINDGEN_BIN", tools::cargo_bin(checkout, "wasm-bindgen"))
        .env("ESBUILD_BIN", tools::npm_bin(checkout, "esbuild"))
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", worker.opt_level())
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", rustflags());
    command
}

/// What rustc is told for Wasm. Where crates lie on this machine is in no build, so that all machines make
/// the same.
pub(crate) fn rustflags() -> String {
    let mut flags = RUSTFLAGS.to_owned();
    for registry in registries() {
        flags += &format!(" --remap-path-prefix={}=crates", registry.display());
    }
    flags
}

/// Where cargo keeps the sources of crates.
pub(crate) fn registries() -> Vec<PathBuf> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| env::home_dir().map(|home| home.join(".cargo")));
    let folders = home.and_then(|home| fs::read_dir(home.join("registry/src")).ok());
    folders.into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

/// Optimises in place and drops the names of functions, a tenth of the upload.
fn wasm_opt(checkout: &Checkout, wasm: &Path) -> Command {
    let mut command = optimise(checkout);
    command.arg(wasm).arg("-o").arg(wasm);
    command
}

/// `wasm-opt`, files aside.
pub(crate) fn optimise(checkout: &Checkout) -> Command {
    let mut command = checkout.command(tools::npm_bin(checkout, "wasm-opt"));
    // What rustc emits for wasm32-unknown-unknown by `RUSTFLAGS`, and what wasm-bindgen adds.
    let features = [
        "--enable-mutable-globals",
        "--enable-sign-ext",
        "--enable-nontrapping-float-to-int",
        "--enable-bulk-memory",
        "--enable-multivalue",
        "--enable-reference-types",
        "--enable-exception-handling",
        "--enable-simd",
    ];
    command.args(features).args(WASM_OPT);
    command
}

/// Puts our entry in front of worker-build's.
fn bundle_entry(checkout: &Checkout, worker: Worker, folder: &Path) -> Command {
    let entry = folder.join(format!("{}.mjs", worker.name()));
    let index = folder.join(INDEX);
    let mut command = checkout.command(tools::npm_bin(checkout, "esbuild"));
    command
        .arg(entry)
        .args(["--bundle", "--minify", "--format=esm", "--allow-overwrite", "--log-level=warning"])
        .args(["--external:./*.wasm", "--external:cloudflare:workers"])
        .arg(format!("--outfile={}", index.display()));
    command
}

/// A digest over all that decides what is compiled of a Worker.
fn stamp(checkout: &Checkout, worker: Worker) -> Result<String> {
    let no_minify = env::var_os("NO_MINIFY");
    let own = format!("{} {} {no_minify:?}", worker.name(), worker.opt_level());
    Ok(sha256(format!("{own}\n{}", sources(checkout)?).as_bytes()))
}

/// A digest over what decides of any Wasm what is compiled.
pub(crate) fn sources(checkout: &Checkout) -> Result<String> {
    let mut files: Vec<_> =
        ["Cargo.toml", "Cargo.lock", ".cargo/config.toml"].map(|f| checkout.path(f)).into();
    collect(&checkout.path("src"), &mut files)?;
    // They are bundled later.
    files.retain(|file| file.extension().is_none_or(|extension| extension != "mjs"));
    let mut digest = Sha256::new();
    for file in files {
        let bytes = fs::read(&file).unwrap_or_default();
        digest.update(format!("{}\0{}\n", file.display(), sha256(&bytes)));
    }
    digest.update(rustflags());
    digest.update(WASM_OPT.join(" "));
    for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS"] {
        digest.update(format!("{name}={:?}\n", env::var_os(name)));
    }
    digest.update(tools::versions(checkout)?);
    Ok(data_encoding::HEXLOWER.encode(&digest.finalize()))
}

/// The files below a folder, sorted. Links are not followed.
pub fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let mut entries = fs::read_dir(folder)
        .with_context(|| format!("cannot read {}", folder.display()))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()?;
    entries.sort();
    for entry in entries {
        let kind = entry.symlink_metadata()?.file_type();
        if kind.is_dir() {
            collect(&entry, files)?;
        } else if kind.is_file() {
            files.push(entry);
        }
    }
    Ok(())
}

fn gzip_size(folder: &Path) -> Result<u64> {
    let mut size = 0;
    for module in [INDEX, WASM] {
        let path = folder.join(module);
        ensure!(path.metadata()?.len() > 0, "{module} is empty");
        size += wasm::gzip_size(&path)?;
    }
    Ok(size)
}

/// The commit's date in epoch seconds, 0 outside a repository.
fn commit_date(checkout: &Checkout) -> String {
    let mut log = Command::new("git");
    log.current_dir(checkout.path("")).args(["log", "-1", "--format=%ct"]);
    output(&mut log).filter(|date| !date.is_empty()).unwrap_or_else(|| "0".to_owned())
}

fn proof_policy(name: &str) -> String {
    format!("tests/prove/{name}.toml")
}
/// SHA-256 takes a sixth less time by vectors, and the upload is smaller.
const RUSTFLAGS: &str = "-C target-feature=+simd128";
/// Nothing lies in the lowest kilobyte, which is the far end of the stack: so offsets of a field need no
/// instruction of their own.
/// What is stripped is for tools that would come after.
const WASM_OPT: [&str; 5] =
    ["-O3", "--low-memory-unused", "--strip-debug", "--strip-producers", "--strip-target-features"];
/// A comma list.
const FINGERPRINTS: &str = "PORTCULLIS_ROOT_FINGERPRINT";
