//! Authorization codes with PKCE (RFC 6749 §4.1, RFC 7636): for a minute, and once.

use std::collections::BTreeMap;

use anyhow::Result;
use sha2::{Digest, Sha256};

use super::key::encode;
use crate::seed;

/// The fields of a query or form.
pub type Fields = BTreeMap<String, String>;

/// What a code stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Who was chosen.
    pub subject: String,
    /// The client.
    pub client: String,
    /// `nonce` of the request, for the ID token.
    pub nonce: Option<String>,
    redirect: String,
    challenge: String,
}

/// The codes that are not redeemed.
#[derive(Debug, Default)]
pub struct Codes(BTreeMap<String, (Grant, u64)>);

impl Grant {
    /// Of a request that was checked.
    pub fn of(fields: &Fields, subject: &str) -> Self {
        let text = |name: &str| fields.get(name).cloned().unwrap_or_default();
        Self {
            subject: subject.to_owned(),
            client: text("client_id"),
            nonce: fields.get("nonce").cloned(),
            redirect: text("redirect_uri"),
            challenge: text("code_challenge"),
        }
    }
}

impl Codes {
    /// A new code; those that are over are forgotten.
    pub fn issue(&mut self, grant: Grant, now: u64) -> Result<String> {
        self.0.retain(|_, (_, until)| now < *until);
        let code = encode(seed::entropy::<32>()?);
        self.0.insert(code.clone(), (grant, now + SECONDS));
        Ok(code)
    }

    /// What a code stands for, which is then used up whatever comes of it. An error is a code of RFC 6749
    /// §5.2 and a sentence.
    pub fn redeem(
        &mut self,
        fields: &Fields,
        now: u64,
    ) -> Result<Grant, (&'static str, &'static str)> {
        let text = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
        if text("grant_type") != "authorization_code" {
            return Err(("unsupported_grant_type", "only authorization_code"));
        }
        let bad = |problem| ("invalid_grant", problem);
        let found = self.0.remove(text("code")).filter(|(_, until)| now < *until);
        let (grant, _) = found.ok_or(bad("no such code"))?;
        if text("redirect_uri") != grant.redirect || text("client_id") != grant.client {
            return Err(bad("redirect_uri or client_id is another"));
        }
        let verifier = text("code_verifier");
        let is_long = (43..=128).contains(&verifier.len());
        if !is_long || encode(Sha256::digest(verifier)) != grant.challenge {
            return Err(bad("code_verifier does not fit"));
        }
        Ok(grant)
    }
}

/// Where the answer to an authorization request goes, if it may be answered.
pub fn check(fields: &Fields) -> Result<&str, &'static str> {
    let text = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
    let redirect = text("redirect_uri");
    let authority = redirect
        .strip_prefix("http://")
        .and_then(|rest| rest.split(['/', '?']).next())
        .filter(|authority| is_local(authority));
    if authority.is_none()
        || redirect.contains('#')
        || !redirect.bytes().all(|b| b.is_ascii_graphic())
    {
        return Err(
            "redirect_uri is on this machine: http://127.0.0.1:… or http://portcullis.localhost:…",
        );
    }
    if text("client_id").is_empty() {
        return Err("client_id is missing");
    }
    if text("response_type") != "code" {
        return Err("response_type is code");
    }
    let is_challenge = |text: &str| {
        text.len() == 43 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
    };
    if text("code_challenge_method") != "S256" || !is_challenge(text("code_challenge")) {
        return Err("code_challenge with code_challenge_method=S256 is needed");
    }
    Ok(redirect)
}

/// The redirect with a code and the request's state.
pub fn with_code(redirect: &str, code: &str, state: Option<&String>) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("code", code);
    if let Some(state) = state {
        query.append_pair("state", state);
    }
    query.append_pair("iss", super::ISSUER);
    let mark = if redirect.contains('?') { '&' } else { '?' };
    format!("{redirect}{mark}{}", query.finish())
}

/// Whether a host, with or without a port, is this machine.
pub fn is_local(authority: &str) -> bool {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    };
    ["127.0.0.1", "[::1]", "localhost", "portcullis.localhost"].contains(&host)
}

const SECONDS: u64 = 60;

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7636, appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
    }

    fn request() -> Fields {
        fields(&[
            ("response_type", "code"),
            ("client_id", "dashboard"),
            ("redirect_uri", "http://portcullis.localhost:8787/callback"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ])
    }

    fn form(code: &str) -> Fields {
        fields(&[
            ("grant_type", "authorization_code"),
            ("client_id", "dashboard"),
            ("redirect_uri", "http://portcullis.localhost:8787/callback"),
            ("code", code),
            ("code_verifier", VERIFIER),
        ])
    }

    #[test]
    fn answers_stay_on_this_machine() {
        assert!(check(&request()).is_ok());
        for (name, value) in [
            ("redirect_uri", "https://evil.example/"),
            ("redirect_uri", "http://evil.example/"),
            ("redirect_uri", "http://localhost.evil.example/"),
            ("redirect_uri", "http://localhost@evil.example/"),
            ("redirect_uri", "http://localhost:1@evil.example/"),
            ("redirect_uri", "http://localhost\\.evil.example/"),
            ("redirect_uri", "http://localhost/#a"),
            ("redirect_uri", "http://localhost/\r\nx: y"),
            ("code_challenge_method", "plain"),
            ("code_challenge", ""),
            ("response_type", "token"),
            ("client_id", ""),
        ] {
            let mut request = request();
            request.insert(name.into(), value.into());
            assert!(check(&request).is_err(), "{name}={value}");
        }
    }

    #[test]
    fn a_code_is_good_once_for_a_minute_and_with_its_verifier() {
        let mut codes = Codes::default();
        let grant = Grant::of(&request(), "owner");
        let code = codes.issue(grant.clone(), 100).unwrap();
        assert_eq!(codes.redeem(&form(&code), 159), Ok(grant.clone()));
        assert!(codes.redeem(&form(&code), 159).is_err(), "twice");
        let code = codes.issue(grant.clone(), 100).unwrap();
        assert!(codes.redeem(&form(&code), 160).is_err(), "too late");
        for (name, value) in [
            ("code_verifier", CHALLENGE),
            ("code_verifier", ""),
            ("redirect_uri", "http://localhost/"),
            ("client_id", "another"),
            ("grant_type", "password"),
        ] {
            let code = codes.issue(grant.clone(), 100).unwrap();
            let mut form = form(&code);
            form.insert(name.into(), value.into());
            assert!(codes.redeem(&form, 100).is_err(), "{name}={value}");
        }
    }

    #[test]
    fn a_code_comes_with_the_state() {
        let url = with_code("http://localhost/a?b=c", "x", Some(&"a&b".to_owned()));
        assert_eq!(
            url,
            "http://localhost/a?b=c&code=x&state=a%26b&iss=http%3A%2F%2F127.0.0.1%3A8788"
        );
    }
}
