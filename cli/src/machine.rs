//! What only the machine knows: the time, entropy, the environment, standard input.

use std::env;
use std::fs;
use std::io::{self, IsTerminal, Read};
use std::path::Path;
use std::sync::OnceLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use portcullis::root::Keyring;

use crate::output::{Failure, note};

/// Seconds since 1970.
#[expect(clippy::disallowed_methods, reason = "the one place that asks the clock")]
pub(crate) fn now() -> Result<u64, Failure> {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map(|since| since.as_secs())
        .map_err(|_| Failure::refused("the clock is before 1970"))
}

/// Seconds of a clock that nobody sets, from some instant on.
#[expect(clippy::disallowed_methods, reason = "the one place that asks the clock")]
pub(crate) fn uptime() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_secs()
}

/// Random bytes of the operating system.
pub(crate) fn entropy<const N: usize>() -> Result<[u8; N], Failure> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| Failure::io("no random bytes", &error))?;
    Ok(bytes)
}

/// The root secret, from the environment or else from standard input.
pub(crate) fn root() -> Result<Keyring, Failure> {
    let text = match root_variable()? {
        Some(text) => text,
        None if io::stdin().is_terminal() => return Err(Failure::refused(NO_ROOT)),
        None => stdin_text("the root secret")?,
    };
    Keyring::parse(&text).map_err(Failure::refused)
}

/// The root secret, where standard input is for something else.
pub(crate) fn root_of_environment() -> Result<Keyring, Failure> {
    optional_root()?.ok_or_else(|| Failure::refused(NO_ROOT))
}

/// The same; `None` if the environment has none.
pub(crate) fn optional_root() -> Result<Option<Keyring>, Failure> {
    let keyring = root_variable()?.map(|text| Keyring::parse(&text));
    keyring.transpose().map_err(Failure::refused)
}

/// The text of the root secret in the environment.
pub(crate) fn root_text() -> Result<String, Failure> {
    root_variable()?.ok_or_else(|| Failure::refused(NO_ROOT))
}

/// The environment keys; empty if there are none.
pub(crate) fn static_keys() -> Result<String, Failure> {
    match env::var(STATIC_KEYS) {
        Ok(text) => Ok(text),
        Err(env::VarError::NotPresent) => Ok(String::new()),
        Err(env::VarError::NotUnicode(_)) => {
            Err(Failure::refused("PORTCULLIS_STATIC_KEYS: not Unicode"))
        }
    }
}

/// One text from standard input, less the line feed at its end.
pub(crate) fn stdin_text(what: &str) -> Result<String, Failure> {
    let bytes = stdin_bytes()?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Failure::refused(format!("{what} on standard input is not UTF-8")))?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err(Failure::refused(format!("{what} is expected on standard input")));
    }
    Ok(text.to_owned())
}

/// A secret from standard input: asked for on a terminal, which does not show it.
pub(crate) fn unseen_text(what: &str) -> Result<String, Failure> {
    if !io::stdin().is_terminal() {
        return stdin_text(what);
    }
    note(&format!("{what}:"));
    rpassword::read_password().map_err(|error| Failure::io("the terminal", &error))
}

/// Everything from standard input.
pub(crate) fn stdin_bytes() -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = io::stdin().lock().take(MAX_STDIN.saturating_add(1)).read_to_end(&mut bytes);
    let read = read.map_err(|error| Failure::io("standard input", &error))?;
    if u64::try_from(read).is_ok_and(|read| read > MAX_STDIN) {
        return Err(Failure::refused(
            "standard input is longer than 64 MiB; give a file, or parts",
        ));
    }
    Ok(bytes)
}

/// A file; `-` is standard input.
pub(crate) fn file_bytes(path: &Path) -> Result<Vec<u8>, Failure> {
    if path == Path::new("-") {
        return stdin_bytes();
    }
    fs::read(path).map_err(|error| Failure::io(path.display(), &error))
}

fn root_variable() -> Result<Option<String>, Failure> {
    match env::var(ROOT) {
        Ok(text) if text.is_empty() => Ok(None),
        Ok(text) => Ok(Some(text)),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => Err(Failure::refused("PORTCULLIS_ROOT: not Unicode")),
    }
}

const ROOT: &str = "PORTCULLIS_ROOT";
const STATIC_KEYS: &str = "PORTCULLIS_STATIC_KEYS";
const NO_ROOT: &str = "PORTCULLIS_ROOT is not set; put the root secret in the environment";
/// Bytes.
const MAX_STDIN: u64 = 64 * 1024 * 1024;
