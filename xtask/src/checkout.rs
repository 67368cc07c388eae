//! The clone of the repository that is worked on: its paths, its locks, its commands.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

/// A clone of the repository.
#[derive(Debug, Clone)]
pub struct Checkout {
    root: PathBuf,
}

impl Checkout {
    /// The clone that holds the working directory, or else the one `cargo run` builds.
    pub fn find() -> Result<Self> {
        let here = std::env::current_dir().context("no working directory")?;
        let manifest = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        [Some(here.clone()), manifest]
            .into_iter()
            .flatten()
            .flat_map(|start| start.ancestors().map(Path::to_owned).collect::<Vec<_>>())
            .find(|path| path.join("xtask/workerd").is_dir() && path.join("Cargo.lock").is_file())
            .map(|root| Self { root })
            .with_context(|| format!("{} is in no clone of Portcullis", here.display()))
    }

    /// A path in the clone.
    pub fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.root.join(relative)
    }

    /// A path in the clone's own state, which is in no commit and for its owner only.
    pub fn private(&self, relative: impl AsRef<Path>) -> Result<PathBuf> {
        let state = self.path(".portcullis");
        private_dir(&state)?;
        Ok(state.join(relative))
    }

    /// A command to be run in the clone. Its standard output goes to our standard error.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root).stdout(std::io::stderr());
        // What `cargo run` says of this package: build scripts that look at it would run anew.
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| OF_PACKAGE.iter().any(|own| name.starts_with(own)))
            {
                command.env_remove(name);
            }
        }
        command
    }

    /// The version of a package in `Cargo.lock`.
    pub fn locked_version(&self, package: &str) -> Result<String> {
        let lock = fs::read_to_string(self.path("Cargo.lock")).context("cannot read Cargo.lock")?;
        locked_version(&lock, package)
            .map(str::to_owned)
            .with_context(|| format!("Cargo.lock has no package {package}"))
    }
}

/// Says what goes on, on standard error.
pub fn say(line: impl std::fmt::Display) {
    eprintln!("{line}");
}

/// Runs a command to its end; an error names `what` failed.
pub fn run(what: &str, command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("cannot run {program}"))?;
    if !status.success() {
        bail!("{what} failed ({status})");
    }
    Ok(())
}

/// What a command prints, trimmed; `None` if it cannot be run or fails.
pub fn output(command: &mut Command) -> Option<String> {
    let output =
        command.stdout(Stdio::piped()).output().ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok().map(|text| text.trim().to_owned())
}

/// Waits for, and then holds, the exclusive lock of a file; others wait until it is dropped.
pub fn lock(path: &Path, what: &str) -> Result<File> {
    let file = open_lock(path)?;
    if file.try_lock().is_err() {
        say(format!("{what}: waiting for another run"));
        file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
    }
    Ok(file)
}

/// Holds the exclusive lock of a file, or fails if another process does.
pub fn lock_now(path: &Path) -> Result<File> {
    let file = open_lock(path)?;
    file.try_lock().with_context(|| format!("{} is in use by another run", path.display()))?;
    Ok(file)
}

/// Makes a folder (and those above it) for its owner only.
pub fn private_dir(path: &Path) -> Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| format!("cannot create {}", path.display()))
}

/// Writes a file that its owner alone can read, whole or not at all.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<()> {
    let part = path.with_extension("part");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options
        .open(&part)
        .and_then(|mut file| file.write_all(bytes))
        .and_then(|()| fs::rename(&part, path))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// The running program, even when a step has built it anew and its file is another by now.
pub fn this_program() -> std::io::Result<PathBuf> {
    let running = PathBuf::from("/proc/self/exe");
    if running.exists() { Ok(running) } else { std::env::current_exe() }
}

/// SHA-256 in lower-case hex.
pub fn sha256(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(bytes))
}

fn open_lock(path: &Path) -> Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
    }
    OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(false)
        .open(path)
        .with_context(|| format!("cannot open {}", path.display()))
}

fn locked_version<'a>(lock: &'a str, package: &str) -> Option<&'a str> {
    let mut lines = lock.lines();
    lines.find(|line| *line == format!("name = \"{package}\""))?;
    lines.next()?.strip_prefix("version = \"")?.strip_suffix('"')
}

/// How the variables begin that `cargo run` sets.
const OF_PACKAGE: [&str; 2] = ["CARGO_PKG_", "CARGO_MANIFEST_"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_from_the_lock_file() {
        let lock = "[[package]]\nname = \"a-b\"\nversion = \"1.0.0\"\n\n[[package]]\nname = \"a\"\nversion = \"2.3.4\"\nsource = \"s\"\n";
        assert_eq!(locked_version(lock, "a"), Some("2.3.4"));
        assert_eq!(locked_version(lock, "b"), None);
    }
}
