//! Which credential a request carries: none, or exactly one.

use crate::key::{BadChecksum, KeyText};
use crate::request::Fields;

/// The one credential of a request. Not proved yet, whatever it is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Credential<'a> {
    /// No credential of ours.
    Missing,
    /// A text in the grammar of native keys.
    Native(KeyText<'a>),
    /// Any other text, in a place for keys.
    Other(Opaque<'a>),
    /// Three parts with dots between, or what begins as those do: a session or OAuth token.
    Token(Opaque<'a>),
    /// A key id with a signature in place of a secret.
    Signature,
    /// A text that can be no credential.
    Malformed,
}

/// A presented text that may be an imported or environment key.
#[derive(Clone, Copy)]
pub(crate) struct Opaque<'a>(pub(crate) &'a str);

impl core::fmt::Debug for Opaque<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Opaque(..)")
    }
}

/// More than one credential, or a list of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ambiguous;

/// Finds the credential: `Authorization: Bearer`, `X-API-Key`, or a signature
/// with a key id.
pub(crate) fn find<'a>(fields: &Fields<'a>) -> Result<Credential<'a>, Ambiguous> {
    let bearer = bearer(fields.authorization)?;
    let api_key = Some(fields.api_key).filter(|text| !text.is_empty());
    let signed = !fields.key_id.is_empty();
    if api_key.is_some_and(|text| text.contains(',')) || fields.key_id.contains(',') {
        return Err(Ambiguous);
    }
    match (bearer, api_key, signed) {
        (None, None, true) => Ok(Credential::Signature),
        (None, None, false) if fields.signature_input.is_empty() => Ok(Credential::Missing),
        (None, None, false) => Ok(Credential::Signature),
        (Some(text), None, false) => Ok(bearer_text(text)),
        (None, Some(text), false) => Ok(key_text(text)),
        _ => Err(Ambiguous),
    }
}

/// The text after `Bearer `; `None` if the header is absent, empty or of another
/// scheme.
fn bearer(value: &str) -> Result<Option<&str>, Ambiguous> {
    if value.contains(',') && value.split(',').any(|part| after_scheme(part.trim()).is_some()) {
        return Err(Ambiguous);
    }
    Ok(after_scheme(value))
}

/// What follows the scheme `Bearer` and one space, the scheme in any case
/// (RFC 9110 §11.1). Any other separator is left in, so that it spoils the text.
fn after_scheme(value: &str) -> Option<&str> {
    let (scheme, rest) = value.split_at_checked(BEARER.len())?;
    if !scheme.eq_ignore_ascii_case(BEARER) {
        return None;
    }
    match rest.as_bytes().first() {
        None => Some(""),
        Some(b' ') => rest.get(1..),
        Some(b'\t') => Some(rest),
        Some(_) => None,
    }
}

fn bearer_text(text: &str) -> Credential<'_> {
    let dots = text.bytes().filter(|&byte| byte == b'.').count();
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    // Even if it is spoilt, such a text is no key.
    let is_like_one = dots >= 2 && text.starts_with(JSON_OBJECT);
    if is_like_one || (dots == 2 && text.bytes().all(is_token)) {
        Credential::Token(Opaque(text))
    } else {
        key_text(text)
    }
}

fn key_text(text: &str) -> Credential<'_> {
    if text.len() > MAX_KEY || !text.bytes().all(|byte| byte.is_ascii_graphic()) || text.is_empty()
    {
        return Credential::Malformed;
    }
    match KeyText::recognise(text) {
        Some(Ok(key)) => Credential::Native(key),
        Some(Err(BadChecksum)) => Credential::Malformed,
        None => Credential::Other(Opaque(text)),
    }
}

const BEARER: &str = "Bearer";

/// `{"` in base64url, as the header of a token begins.
const JSON_OBJECT: &str = "eyJ";

/// Longer than any key that can be imported.
const MAX_KEY: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn of(authorization: &str, api_key: &str, key_id: &str) -> String {
        match find(&Fields { authorization, api_key, key_id, ..Fields::default() }) {
            Err(Ambiguous) => "ambiguous".into(),
            Ok(Credential::Other(Opaque(text))) => format!("other {text}"),
            Ok(Credential::Token(_)) => "token".into(),
            Ok(credential) => format!("{credential:?}").to_lowercase(),
        }
    }

    #[test]
    fn one_credential_or_none() {
        let cases = [
            ("", "", "", "missing"),
            ("Basic dTpw", "", "", "missing"),
            ("Digest a=\"b\", c=\"d\"", "", "", "missing"),
            ("Bearerx k", "", "", "missing"),
            ("bearer k", "", "", "other k"),
            ("BEARER k", "", "", "other k"),
            ("", "k", "", "other k"),
            ("Basic dTpw", "k", "", "other k"),
            ("Bearer", "", "", "malformed"),
            ("Bearer  k", "", "", "malformed"),
            ("Bearer\tk", "", "", "malformed"),
            ("Bearer k k", "", "", "malformed"),
            ("Bearer é", "", "", "malformed"),
            ("Bearer a.b.c", "", "", "token"),
            ("Bearer a..", "", "", "token"),
            ("Bearer a.b.c.", "", "", "other a.b.c."),
            ("Bearer eyJ.b.c.", "", "", "token"),
            ("Bearer eyJ.b.c.d.e", "", "", "token"),
            ("Bearer eyJ.b.c=", "", "", "token"),
            ("Bearer eyJ.b", "", "", "other eyJ.b"),
            ("", "a.b.c", "", "other a.b.c"),
            ("", "", "kid", "signature"),
            ("Bearer k, Bearer l", "", "", "ambiguous"),
            ("Basic dTpw, bearer l", "", "", "ambiguous"),
            ("Bearer k,", "", "", "ambiguous"),
            ("Bearer k", "l", "", "ambiguous"),
            ("Bearer k", "", "kid", "ambiguous"),
            ("", "k", "kid", "ambiguous"),
            ("", "k, l", "", "ambiguous"),
            ("", "", "a, b", "ambiguous"),
        ];
        for (authorization, api_key, key_id, expected) in cases {
            assert_eq!(
                of(authorization, api_key, key_id),
                expected,
                "{authorization:?} {api_key:?}"
            );
        }
    }
}
