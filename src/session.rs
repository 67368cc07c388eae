//! A session of somebody at the dashboard, as its cookie tells it.
//!
//! The access token is verified at the sign-in and forgotten: no browser holds it. What it said stands
//! in the cookie under a MAC of the root's `k_session`, until the session's end. Nothing of it is a secret
//! from its owner. That a session was ended earlier is for the subject's Directory to say.

use crate::clock::Now;
use crate::fields::{BadField, Fields, Line};
use crate::gate::Gate;
use crate::policy::TokenKind;
use crate::root::{Keyring, RootKeys};
use crate::token::{Authenticated, Subject};
use crate::{encoding, seal};

/// A session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// By which it is ended.
    pub id: String,
    /// Whose it is, and what it may do; until its end.
    pub caller: Authenticated,
}

/// A sign-in under way, as its cookie tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// Fresh, and `state` of the request (RFC 6749 §10.12).
    pub id: String,
    /// The second in which it is over.
    pub until: u64,
}

impl Session {
    /// The value of its cookie.
    #[must_use]
    pub fn print(&self, keyring: &Keyring, issuer: &str) -> String {
        let Authenticated { subject, credential, .. } = &self.caller;
        let line = Line::default().with("id", &self.id).with("issuer", issuer);
        let line = line.with("sub", &subject.id).with("as", credential.as_str());
        let line = line.number("until", subject.until).all("scope", &subject.scopes);
        seal(keyring, SESSION, &line.finish())
    }

    /// Reads a cookie's value; `None` if it is none of ours, or over, or of an issuer at which nobody signs
    /// in any more.
    #[must_use]
    pub fn parse(value: &str, gate: &Gate, now: Now) -> Option<Self> {
        let text = open(gate.keyring(), SESSION, value)?;
        let read = || {
            let fields = Fields::of(&text);
            let (name, id) = (fields.text("issuer")?, fields.text("sub")?.to_owned());
            let credential = match fields.text("as")? {
                "oauth" => TokenKind::Oauth,
                "session" => TokenKind::Session,
                _ => return Err(BadField),
            };
            let rules = gate.policy().management.sign_in.as_ref().ok_or(BadField)?;
            let mut issuers = gate.policy().issuers.iter();
            let issuer = issuers.position(|issuer| issuer.name.as_str() == name).ok_or(BadField)?;
            let until = fields.number("until")?;
            if rules.issuer.as_str() != name || now.seconds() >= until {
                return Err(BadField);
            }
            let scopes = fields.all("scope").map(str::to_owned).collect();
            let member = format!("{name}:{id}");
            let subject = Subject { id, scopes, email: None, workspace: None, until };
            let caller = Authenticated { issuer, member, subject, credential };
            Ok(Self { id: fields.text("id")?.to_owned(), caller })
        };
        read().ok()
    }
}

impl Transaction {
    /// The value of its cookie.
    #[must_use]
    pub fn print(&self, keyring: &Keyring) -> String {
        let line = Line::default().with("id", &self.id).number("until", self.until);
        seal(keyring, SIGN_IN, &line.finish())
    }

    /// Reads a cookie's value; `None` if it is none of ours, or over.
    #[must_use]
    pub fn parse(value: &str, keyring: &Keyring, now: Now) -> Option<Self> {
        let text = open(keyring, SIGN_IN, value)?;
        let fields = Fields::of(&text);
        let (id, until) = (fields.get("id")?.to_owned(), fields.number("until").ok()?);
        (now.seconds() < until).then_some(Self { id, until })
    }

    /// `code_verifier` (RFC 7636 §4.1). It is made of the id by a key that only we have, so that it
    /// stands in no cookie.
    #[must_use]
    pub fn verifier(&self, keyring: &Keyring) -> String {
        let mac = keyring.newest().session.mac(&[b"verifier:", self.id.as_bytes()]);
        encoding::base64url(mac.as_bytes())
    }
}

fn seal(keyring: &Keyring, name: &str, text: &str) -> String {
    let text = encoding::base64url(text.as_bytes());
    seal::seal_by(key, keyring.newest(), name, &text)
}

fn open(keyring: &Keyring, name: &str, value: &str) -> Option<String> {
    let text = seal::open_by(key, keyring, name, value.as_bytes()).ok()?;
    String::from_utf8(encoding::from_base64url(text)?).ok()
}

fn key(root: &RootKeys) -> &crate::crypto::MacKey {
    &root.session
}

const SESSION: &str = "session";
const SIGN_IN: &str = "sign-in";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_in_is_over_at_its_end() {
        let keyring = Keyring::parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap();
        let own = Transaction { id: "one".to_owned(), until: 1000 };
        let read =
            |millis| Transaction::parse(&own.print(&keyring), &keyring, Now::from_millis(millis));
        assert_eq!(read(999_999), Some(own.clone()));
        assert_eq!(read(1_000_000), None);
        let other = Transaction { id: "two".to_owned(), until: 1000 };
        assert_ne!(own.verifier(&keyring), other.verifier(&keyring));
    }
}
