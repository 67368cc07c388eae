//! Signatures of both versions (DESIGN §7, docs/signatures.md).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use crate::request::Sent;
use crate::spell::{Root, hex, mac};
use crate::world::{Key, Policy};

/// What the request alone says: its key's id and the second in which it was signed.
#[derive(Debug)]
pub struct Claimed {
    pub kid: String,
    pub input: Option<Input>,
}

/// `Signature-Input`, read.
#[derive(Debug)]
pub struct Input {
    label: String,
    components: Vec<String>,
    created: u64,
    expires: u64,
    nonce: String,
    kid: String,
    /// The text that is signed as `@signature-params`.
    params: String,
}

/// Form and time.
///
/// # Errors
/// The code of the refusal.
pub fn claimed(sent: &Sent, now: u64) -> Result<Claimed, &'static str> {
    let id = sent.header("x-key-id");
    let v2 = sent.header("signature").is_some() || sent.header("signature-input").is_some();
    if v2 && sent.header("x-signature").is_some() {
        return Err("AMBIGUOUS_CREDENTIALS");
    }
    if !v2 {
        let digits = sent.header("x-signature").ok_or("SIGNATURE_REQUIRED")?;
        let is_hex = |digit: u8| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit);
        if digits.len() != 64 || !digits.bytes().all(is_hex) {
            return Err("INVALID_SIGNATURE");
        }
        in_window(timestamp(sent), now)?;
        return Ok(Claimed { kid: id.unwrap_or_default(), input: None });
    }
    let input = sent.header("signature-input").and_then(|text| Input::read(&text));
    let input = input.ok_or("INVALID_SIGNATURE")?;
    let form = input.components == covered(sent) && is_nonce(&input.nonce);
    if !form || input.signature(sent).is_none() {
        return Err("INVALID_SIGNATURE");
    }
    in_window(Some(input.created), now)?;
    if input.expires <= now {
        return Err("STALE_TIMESTAMP");
    }
    if id.is_some_and(|id| id != input.kid) {
        return Err("INVALID_SIGNATURE");
    }
    Ok(Claimed { kid: input.kid.clone(), input: Some(input) })
}

fn timestamp(sent: &Sent) -> Option<u64> {
    let text = sent.header("x-timestamp")?;
    let digits = text.len() == 10 && text.bytes().all(|digit| digit.is_ascii_digit());
    (digits && !text.starts_with('0')).then(|| text.parse().unwrap())
}

fn in_window(made: Option<u64>, now: u64) -> Result<(), &'static str> {
    made.filter(|made| (now - 300..=now + 60).contains(made)).map(drop).ok_or("STALE_TIMESTAMP")
}

/// The signature itself, by a key's record; what may be admitted only once, if anything.
///
/// # Errors
/// The code of the refusal.
pub fn check(
    sent: &Sent,
    claimed: &Claimed,
    key: &Key,
    roots: &[Root],
    policy: &Policy,
    now: u64,
) -> Result<Option<String>, &'static str> {
    const INVALID: &str = "INVALID_SIGNATURE";
    let signing = key.signing.as_ref().ok_or(INVALID)?;
    if signing.is_v2 != claimed.input.is_some() || claimed.kid != key.kid {
        return Err(INVALID);
    }
    let reads = matches!(sent.method.as_str(), "GET" | "HEAD");
    let body = sent.body.as_deref().unwrap_or_default();
    let live = signing.secrets.iter().filter(|(_, _, end)| end.is_none_or(|end| now < end));
    let secrets: Vec<String> = live
        .map(|(generation, root, _)| roots[*root].signing_secret(key.prefix, &key.kid, *generation))
        .collect();
    let holds = |message: &[u8], own: &[u8]| {
        secrets.iter().any(|secret| mac(secret.as_bytes(), &[message]) == own)
    };
    let declared = sent.header("content-length").and_then(|text| text.parse::<u64>().ok());
    let length = declared.unwrap_or(0).max(body.len() as u64);
    let too_long = sent.body.is_some() && length > policy.signed_bytes;
    let Some(input) = &claimed.input else {
        let nonce = if signing.nonce {
            let nonce = sent.header("x-nonce").filter(|nonce| is_nonce(nonce)).ok_or(INVALID)?;
            Some(nonce)
        } else {
            None
        };
        if !signing.hosts.contains(&sent.name().as_str()) {
            return Err(INVALID);
        }
        if too_long {
            return Err("BODY_TOO_LARGE");
        }
        let (method, target) = (&sent.method, &sent.target);
        let second = sent.header("x-timestamp").unwrap();
        let mut message = format!("{method}\n{target}\n{second}\n");
        message.extend(nonce.iter().map(|nonce| format!("{nonce}\n")));
        let message = [message.as_bytes(), body].concat();
        let signature = sent.header("x-signature").unwrap();
        let own: Vec<u8> = (0..32)
            .map(|at| u8::from_str_radix(&signature[at * 2..at * 2 + 2], 16).unwrap())
            .collect();
        if !holds(&message, &own) {
            return Err(INVALID);
        }
        if sent.body.is_some() && reads {
            return Err("BAD_REQUEST");
        }
        return Ok(match nonce {
            Some(nonce) => Some(format!("nonce {nonce}")),
            None => (!reads).then(|| format!("signature {signature}")),
        });
    };
    let base = base(sent, &covered(sent), &input.params).ok_or(INVALID)?;
    if !holds(base.as_bytes(), &input.signature(sent).ok_or(INVALID)?) {
        return Err(INVALID);
    }
    if too_long {
        return Err("BODY_TOO_LARGE");
    }
    if sent.body.is_some() && sent.header("content-digest") != Some(digest(body)) {
        return Err("DIGEST_MISMATCH");
    }
    if sent.body.is_some() && reads {
        return Err("BAD_REQUEST");
    }
    Ok(Some(format!("nonce {}", input.nonce)))
}

/// The components that the request has to have signed.
fn covered(sent: &Sent) -> Vec<&'static str> {
    let mut names = vec!["@method", "@authority", "@path", "@query"];
    names.extend(sent.body.is_some().then_some("content-digest"));
    names.extend(sent.header("content-type").map(|_| "content-type"));
    names
}

/// The signature base (RFC 9421 §2.5); `None` if a component is not there.
pub fn base(sent: &Sent, components: &[&str], params: &str) -> Option<String> {
    let mut lines = String::new();
    for component in components {
        let value = match *component {
            "@method" => sent.method.clone(),
            "@authority" => authority(sent),
            "@path" => sent.path().to_owned(),
            "@query" => format!("?{}", sent.query().unwrap_or_default()),
            name => sent.header(name)?,
        };
        lines.push_str(&format!("\"{component}\": {value}\n"));
    }
    Some(format!("{lines}\"@signature-params\": {params}"))
}

pub fn digest(body: &[u8]) -> String {
    format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(body)))
}

/// A header of version 1.
pub fn sign_v1(message: &[u8], secret: &str) -> String {
    hex(&mac(secret.as_bytes(), &[message]))
}

/// Without the port that is the scheme's own.
fn authority(sent: &Sent) -> String {
    let port = if sent.secure { ":443" } else { ":80" };
    let host = sent.host.to_ascii_lowercase();
    host.strip_suffix(port).unwrap_or(&host).to_owned()
}

fn is_nonce(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~+/=".contains(&byte);
    (16..=64).contains(&text.len()) && text.bytes().all(fits)
}

impl Input {
    /// What is under the same label in `Signature`.
    fn signature(&self, sent: &Sent) -> Option<Vec<u8>> {
        let text = sent.header("signature")?;
        let rest = text.strip_prefix(&format!("{}=:", self.label))?;
        STANDARD.decode(rest.strip_suffix(':')?).ok().filter(|bytes| bytes.len() == 32)
    }

    /// In its canonical spelling, all five parameters and no other.
    fn read(text: &str) -> Option<Self> {
        let (label, params) = text.split_once('=')?;
        let mut letters = label.bytes();
        let first = letters.next()?;
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-.*".contains(&b);
        if !(first.is_ascii_lowercase() || first == b'*') || !letters.all(fits) {
            return None;
        }
        let (list, rest) = params.strip_prefix('(')?.split_once(')')?;
        let unquoted = |item: &str| Some(item.strip_prefix('"')?.strip_suffix('"')?.to_owned());
        let components = list.split(' ').map(unquoted).collect::<Option<Vec<_>>>()?;
        let pairs: Vec<(&str, &str)> = rest
            .strip_prefix(';')?
            .split(';')
            .map(|own| own.split_once('='))
            .collect::<Option<_>>()?;
        let value = |name: &str| {
            let mut own = pairs.iter().filter(|(own, _)| *own == name);
            own.next().filter(|_| own.next().is_none()).map(|(_, value)| *value)
        };
        let number = |name| {
            let text = value(name)?;
            let digits = text.bytes().all(|b| b.is_ascii_digit()) && text.len() <= 15;
            let canonical = text == "0" || !text.starts_with('0');
            text.parse().ok().filter(|_| digits && canonical)
        };
        let string = |name| unquoted(value(name)?);
        if pairs.len() != 5 || string("tag")? != "portcullis" {
            return None;
        }
        Some(Self {
            label: label.to_owned(),
            components,
            created: number("created")?,
            expires: number("expires")?,
            nonce: string("nonce")?,
            kid: string("keyid")?,
            params: params.to_owned(),
        })
    }
}
