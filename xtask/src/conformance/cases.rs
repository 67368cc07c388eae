//! The cases of `tests/conformance/*.json`: bytes in; status, code, headers and what the origin saw out.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::signed::Sign;
use crate::checkout::Checkout;

/// A file of cases: its name and what it holds.
pub type File = (String, Vec<Case>);

/// All files, in the order of their names.
pub fn read(checkout: &Checkout) -> Result<Vec<File>> {
    let mut files: Vec<_> = fs::read_dir(checkout.path("tests/conformance"))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    let read = |path: PathBuf| {
        let name = path.file_stem().unwrap_or_default().display().to_string();
        let cases = serde_json::from_slice(&fs::read(&path)?).with_context(|| name.clone())?;
        Ok((name, cases))
    };
    files.into_iter().map(read).collect()
}

/// One case. In its texts `{key NAME}` and `{kid NAME}` stand for those of `world.json`, `{*N C}`
/// for N times the character C, and U+0080 to U+00FF for the bytes 0x80 to 0xFF. With `{via}` a
/// case runs twice: by service binding (`near`) and by URL (`far`).
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    pub id: String,
    /// What a reader would not see at once.
    #[serde(rename = "note")]
    _note: Option<String>,
    /// Why a gate on Cloudflare's network is not asked it.
    pub local: Option<String>,
    /// Signatures by their names in the texts; see [`Sign`].
    #[serde(default)]
    pub sign: BTreeMap<String, Sign>,
    pub send: Send,
    pub expect: Expect,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub enum Send {
    Whole(String),
    Parts(Vec<Part>),
}

#[derive(Deserialize)]
#[serde(untagged)]
pub enum Part {
    Text(String),
    /// Milliseconds.
    Pause(u64),
    /// `null`: what comes next is sent when the next answer is there.
    Answer(()),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// Absent if the connection ends without an answer.
    pub status: Option<u16>,
    /// A code: then the answer is the gate's own, and the origin sees nothing unless said.
    pub code: Option<String>,
    /// Parts of header values.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Whole header values.
    #[serde(default)]
    pub header_is: BTreeMap<String, String>,
    #[serde(default)]
    pub header_absent: Vec<String>,
    /// A part of the body.
    pub body: Option<String>,
    /// The head arrives and the body breaks off.
    #[serde(default)]
    pub broken: bool,
    /// What the origin sees, in order, by the time of this answer.
    pub origin: Option<Vec<Expected>>,
    /// Which rows KV is asked for at most.
    pub kv: Option<Vec<String>>,
    /// The next answer on the same connection.
    pub then: Option<Box<Expect>>,
    /// Whether no further answer may follow.
    #[serde(default)]
    pub last: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    pub method: String,
    pub target: String,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    #[serde(default)]
    pub absent: Vec<String>,
    #[serde(default)]
    pub body: String,
    /// Whether the client broke off inside the body.
    #[serde(default)]
    pub broken: bool,
}

impl Send {
    /// What is sent, without pauses.
    pub fn parts(&self) -> Vec<&str> {
        match self {
            Self::Whole(text) => vec![text],
            Self::Parts(parts) => parts.iter().filter_map(Part::text).collect(),
        }
    }
}

impl Part {
    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Pause(_) | Self::Answer(()) => None,
        }
    }
}

/// Writes `{*N C}` out.
pub fn expand(text: &str) -> Result<String> {
    let mut text = text.to_owned();
    while let Some((before, rest)) = text.split_once("{*") {
        let (inside, after) = rest.split_once('}').context("{*N C}")?;
        let (count, what) = inside.split_once(' ').context("{*N C}")?;
        text = format!("{before}{}{after}", what.repeat(count.parse()?));
    }
    Ok(text)
}

/// U+0000 to U+00FF as the bytes they stand for.
pub fn bytes(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect()
}

/// Bytes as [`bytes`] has them.
pub fn latin(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}
