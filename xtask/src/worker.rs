//! The built Workers: `index.js` and `index_bg.wasm` of each, made by worker-build, in some flavours.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use flate2::{Compression, write::GzEncoder};
use sha2::{Digest, Sha256};

use crate::checkout::{Checkout, lock, output, run, say, sha256};
use crate::tools;

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
    /// The folder that holds [`MODULES`].
    pub folder: PathBuf,
    /// Of each the bytes of its upload, each file compressed by gzip.
    pub gzip: [(Worker, u64); 2],
}

/// The files of both Workers, relative to the folder; each Worker's in the order they are uploaded.
pub const MODULES: [&str; 4] =
    ["gate/index.js", "gate/index_bg.wasm", "workspace/index.js", "workspace/index_bg.wasm"];

/// The modules of JavaScript that are ours, besides what the Rust names.
const OURS: [&str; 8] = [
    "gate.mjs",
    "lookup.mjs",
    "errands.mjs",
    "forward.mjs",
    "shim.js",
    "workspace.mjs",
    "rows.mjs",
    "restart.mjs",
];
const INDEX: &str = "index.js";
const WASM: &str = "index_bg.wasm";

/// Builds both Workers, unless what is there was built from the same.
pub fn build(checkout: &Checkout, flavour: &Flavour) -> Result<Built> {
    // All flavours share cargo's target folder.
    let _lock = lock(&checkout.private("build.lock")?, "build")?;
    let environment = flavour.environment(checkout)?;
    let gate = build_one(checkout, Worker::Gate, flavour, &environment)?;
    let workspace = build_one(checkout, Worker::Workspace, flavour, &environment)?;
    let gzip = [(Worker::Gate, gate), (Worker::Workspace, workspace)];
    Ok(Built { folder: checkout.path(flavour.folder()), gzip })
}

/// Builds one; the bytes of its upload.
fn build_one(
    checkout: &Checkout,
    worker: Worker,
    flavour: &Flavour,
    environment: &[(&'static str, String)],
) -> Result<u64> {
    let name = format!("{}, {}", worker.name(), flavour.name());
    let folder = checkout.path(worker.folder(flavour));
    let stamp = stamp(checkout, worker, flavour, environment)?;
    let stamp_path = checkout.private(format!("{}-{}.stamp", flavour.name(), worker.name()))?;
    let fresh = fs::read_to_string(&stamp_path).is_ok_and(|last| last == stamp)
        && [INDEX, WASM].iter().all(|module| folder.join(module).is_file());
    if !fresh {
        say(format!("building the Worker ({name}) …"));
        let _ = fs::remove_file(&stamp_path);
        run("worker-build", &mut worker_build(checkout, worker, flavour, environment))?;
        run("wasm-opt", &mut wasm_opt(checkout, &folder.join(WASM)))?;
        run("esbuild", &mut bundle_entry(checkout, worker, &folder)?)?;
        fs::write(&stamp_path, stamp)?;
    }
    let gzip = gzip_size(&folder)?;
    let kilobytes = gzip as f64 / 1000.0;
    let up_to_date = if fresh { ", up to date" } else { "" };
    say(format!("Worker ({name}): {kilobytes:.1} KB gzip{up_to_date}"));
    Ok(gzip)
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
    const fn opt_level(self) -> &'static str {
        match self {
            Self::Gate => "3",
            Self::Workspace => "z",
        }
    }

    /// Where it goes; worker-build takes it relative to the crate.
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
        }
    }

    /// Where the Workers go, relative to the checkout.
    fn folder(&self) -> String {
        match self {
            Self::Production => "build".to_owned(),
            Self::Dev { .. } | Self::Conformance { .. } | Self::Proof { .. } => {
                format!(".portcullis/build-{}", self.name())
            }
        }
    }

    fn policy(&self, checkout: &Checkout) -> PathBuf {
        match self {
            Self::Production | Self::Dev { .. } => checkout.path("policy.toml"),
            Self::Conformance { policy, .. } => policy.clone(),
            Self::Proof { policy, .. } => checkout.path(proof_policy(policy)),
        }
    }

    /// What `build.rs` is told. A deployed Worker is dated by its commit; others are not, so that
    /// a commit alone rebuilds nothing.
    fn environment(&self, checkout: &Checkout) -> Result<Vec<(&'static str, String)>> {
        Ok(match self {
            Self::Production => vec![(SOURCE_DATE_EPOCH, commit_date(checkout))],
            Self::Dev { fingerprint } => vec![(FINGERPRINT, fingerprint.clone())],
            Self::Conformance { policy, fingerprint } => {
                let policy = policy
                    .canonicalize()
                    .with_context(|| format!("no policy at {}", policy.display()))?;
                let policy = policy.to_str().context("the policy's path is not UTF-8")?;
                vec![(POLICY, policy.to_owned()), (FINGERPRINT, fingerprint.clone())]
            }
            Self::Proof { policy, fingerprint } => {
                vec![(POLICY, proof_policy(policy)), (FINGERPRINT, fingerprint.clone())]
            }
        })
    }
}

fn worker_build(
    checkout: &Checkout,
    worker: Worker,
    flavour: &Flavour,
    environment: &[(&'static str, String)],
) -> Command {
    let mut command = checkout.command(tools::cargo_bin(checkout, "worker-build"));
    command
        .args(["--release", "--out-dir", &worker.folder(flavour)])
        // What worker-build does not know it hands to `cargo build`.
        .args(["--features", worker.name(), "--locked"])
        .env("WASM_BINDGEN_BIN", tools::cargo_bin(checkout, "wasm-bindgen"))
        .env("ESBUILD_BIN", tools::npm_bin(checkout, "esbuild"))
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", worker.opt_level())
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", RUSTFLAGS)
        // An error of the policy is all there is to read.
        .env("RUST_BACKTRACE", "0");
    for name in [SOURCE_DATE_EPOCH, POLICY, FINGERPRINT] {
        command.env_remove(name);
    }
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    command
}

/// Optimises in place and drops the names of functions, a tenth of the upload.
fn wasm_opt(checkout: &Checkout, wasm: &Path) -> Command {
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
    command.arg(wasm).arg("-o").arg(wasm);
    command
}

/// Puts our entry in front of worker-build's.
fn bundle_entry(checkout: &Checkout, worker: Worker, folder: &Path) -> Result<Command> {
    for module in OURS {
        fs::copy(checkout.path("src/edge").join(module), folder.join(module))?;
    }
    let entry = folder.join(format!("{}.mjs", worker.name()));
    let index = folder.join(INDEX);
    let mut command = checkout.command(tools::npm_bin(checkout, "esbuild"));
    command
        .arg(entry)
        .args(["--bundle", "--minify", "--format=esm", "--allow-overwrite", "--log-level=warning"])
        .args(["--external:./*.wasm", "--external:cloudflare:workers"])
        .arg(format!("--outfile={}", index.display()));
    Ok(command)
}

/// A digest over all that decides what is built.
fn stamp(
    checkout: &Checkout,
    worker: Worker,
    flavour: &Flavour,
    environment: &[(&'static str, String)],
) -> Result<String> {
    let mut files = vec![flavour.policy(checkout)];
    files.extend(
        ["build.rs", "Cargo.toml", "Cargo.lock", ".cargo/config.toml"].map(|f| checkout.path(f)),
    );
    collect(&checkout.path("src"), &mut files)?;
    let mut digest = Sha256::new();
    for file in files {
        let bytes = fs::read(&file).unwrap_or_default();
        digest.update(format!("{}\0{}\n", file.display(), sha256(&bytes)));
    }
    for (name, value) in environment {
        digest.update(format!("{name}={value}\n"));
    }
    digest.update(format!("{} {} {RUSTFLAGS}\n", worker.name(), worker.opt_level()));
    digest.update(WASM_OPT.join(" "));
    for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "NO_MINIFY"] {
        digest.update(format!("{name}={:?}\n", std::env::var_os(name)));
    }
    digest.update(tools::versions(checkout)?);
    Ok(data_encoding::HEXLOWER.encode(&digest.finalize()))
}

/// The files below a folder, sorted.
pub fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let mut entries = fs::read_dir(folder)
        .with_context(|| format!("cannot read {}", folder.display()))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()?;
    entries.sort();
    for entry in entries {
        if entry.is_dir() {
            collect(&entry, files)?;
        } else {
            files.push(entry);
        }
    }
    Ok(())
}

fn gzip_size(folder: &Path) -> Result<u64> {
    let mut size = 0;
    for module in [INDEX, WASM] {
        let bytes = fs::read(folder.join(module))?;
        ensure!(!bytes.is_empty(), "{module} is empty");
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&bytes)?;
        size += encoder.finish()?.len() as u64;
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
const WASM_OPT: [&str; 4] = ["-O3", "--low-memory-unused", "--strip-debug", "--strip-producers"];
const SOURCE_DATE_EPOCH: &str = "SOURCE_DATE_EPOCH";
const POLICY: &str = "PORTCULLIS_POLICY";
const FINGERPRINT: &str = "PORTCULLIS_ROOT_FINGERPRINT";
