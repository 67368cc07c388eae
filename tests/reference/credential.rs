//! Which credential a request has (DESIGN §6, docs/errors.md), and which key a text is (DESIGN §3).

use crate::request::Sent;
use crate::spell::{Root, SYMBOLS, with_checksum};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    Nothing,
    /// The text of a key, whatever it is worth.
    Key(String),
    Token(String),
    /// A key id and what may be a signature.
    Signed,
}

/// `Err`: more than one.
pub fn find(sent: &Sent) -> Result<Credential, ()> {
    let bearer = match sent.header("authorization") {
        Some(value) => bearer(&value)?,
        None => None,
    };
    let key = sent.header("x-api-key");
    let id = sent.header("x-key-id");
    let is_list = |value: &Option<String>| value.as_ref().is_some_and(|own| own.contains(','));
    let secrets = usize::from(bearer.is_some()) + usize::from(key.is_some());
    let named = id.is_some() || sent.header("signature-input").is_some();
    if is_list(&key) || is_list(&id) || secrets > 1 || secrets == 1 && id.is_some() {
        return Err(());
    }
    Ok(match (bearer, key) {
        (Some(text), _) if is_token(&text) => Credential::Token(text),
        (Some(text), _) | (None, Some(text)) => Credential::Key(text),
        (None, None) if named => Credential::Signed,
        (None, None) => Credential::Nothing,
    })
}

/// What stands behind the scheme; `None` if the scheme is another.
fn bearer(value: &str) -> Result<Option<String>, ()> {
    let is_bearer = |text: &str| {
        let (scheme, rest) = text.split_at_checked(6).unwrap_or(("", ""));
        scheme.eq_ignore_ascii_case("bearer") && (rest.is_empty() || rest.starts_with([' ', '\t']))
    };
    let mut parts = value.split(',').map(str::trim);
    match (parts.any(is_bearer), value.contains(',')) {
        (true, true) => Err(()),
        (true, false) => Ok(Some(value.get(7..).unwrap_or_default().to_owned())),
        (false, _) => Ok(None),
    }
}

/// Three parts of base64url with dots between.
pub fn is_token(text: &str) -> bool {
    let is_part =
        |part: &str| part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    text.split('.').count() == 3 && text.split('.').all(is_part)
}

/// A key in the native grammar.
#[derive(Debug)]
pub struct Native<'t> {
    pub prefix: &'t str,
    pub kid: &'t str,
    pub secret: &'t str,
}

/// Read from the right; the checksum is not looked at.
pub fn native(text: &str) -> Option<Native<'_>> {
    let (rest, secret) = text.rsplit_once('_')?;
    let (prefix, kid) = rest.rsplit_once('_')?;
    let are_symbols = |text: &str| text.bytes().all(|symbol| SYMBOLS.contains(&symbol));
    let base = prefix.strip_suffix("_live").or(prefix.strip_suffix("_test")).unwrap_or(prefix);
    let fits = (2..=12).contains(&base.len())
        && base.starts_with(|first: char| first.is_ascii_lowercase())
        && base.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let right = fits && kid.len() == 20 && secret.len() == 40;
    (right && are_symbols(kid) && are_symbols(secret)).then_some(Native { prefix, kid, secret })
}

impl Native<'_> {
    /// Whether it was minted under one of these roots, as far as tags and checksum tell.
    pub fn is_minted(&self, text: &str, roots: &[Root]) -> bool {
        let (body, _) = text.split_at(text.len() - 7);
        let (made, tag) = (&self.secret[..27], &self.secret[27..33]);
        with_checksum(body) == text
            && roots.iter().any(|root| root.tag(&self.kid[..14]) == self.kid[14..])
            && roots.iter().any(|root| root.tag(&format!("{}{made}", self.kid)) == tag)
    }

    pub fn generation(&self) -> u8 {
        let first = self.secret.as_bytes()[0];
        u8::try_from(SYMBOLS.iter().position(|symbol| *symbol == first).unwrap()).unwrap()
    }
}

/// Whether a native key stands in the target, as it is or decoded once.
pub fn in_url(target: &str) -> bool {
    let decoded = String::from_utf8_lossy(&crate::target::decode(target)).into_owned();
    [target, &decoded].into_iter().any(|text| {
        text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .any(|word| native(word).is_some())
    })
}
