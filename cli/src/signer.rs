//! Signs requests as their senders do: the headers that go with them.

use clap::ValueEnum;
use portcullis::crypto::MacKey;
use portcullis::key::Kid;
use portcullis::signature::{ContentDigest, v1, v2};
use ureq::http::Uri;

use crate::keys::SignatureVersion;
use crate::machine;
use crate::output::Failure;
use crate::secret::Secret;

/// What goes with a request besides its own headers.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// The key alone.
    None,
    /// The key and a signature.
    Required,
    /// The key's id and a signature.
    Only,
}

/// A request that is to be sent.
pub(crate) struct Sent<'a> {
    pub(crate) method: &'a str,
    pub(crate) uri: &'a Uri,
    pub(crate) content_type: Option<&'a str>,
    /// Empty if there is none.
    pub(crate) body: &'a [u8],
}

/// A signing secret and how it signs.
pub(crate) struct Signer {
    secret: Secret,
    kid: Kid,
    version: SignatureVersion,
    nonce: bool,
}

impl Signer {
    /// `nonce` is for version 1; version 2 always has one.
    pub(crate) fn new(
        secret: Secret,
        version: SignatureVersion,
        nonce: bool,
    ) -> Result<Self, Failure> {
        // `<prefix>_sign_<kid>_<generation>_<the rest>`
        let kid = secret.expose().rsplit('_').nth(2).and_then(Kid::parse);
        let kid = kid.filter(|_| secret.expose().contains("_sign_")).ok_or_else(|| {
            Failure::refused("the signing secret has another form than ak_sign_…; is it the key?")
        })?;
        Ok(Self { secret, kid, version, nonce })
    }

    /// The headers that sign a request.
    pub(crate) fn headers(
        &self,
        sent: &Sent<'_>,
        mode: Mode,
    ) -> Result<Vec<(&'static str, String)>, Failure> {
        let now = machine::now()?;
        let nonce = data_encoding::HEXLOWER.encode(&machine::entropy::<16>()?);
        let key = MacKey::new(self.secret.expose().as_bytes());
        Ok(match self.version {
            SignatureVersion::V1 => self.first(sent, mode, &key, now, nonce),
            SignatureVersion::V2 => self.second(sent, &key, now, &nonce),
        })
    }

    fn first(
        &self,
        sent: &Sent<'_>,
        mode: Mode,
        key: &MacKey,
        now: u64,
        nonce: String,
    ) -> Vec<(&'static str, String)> {
        let timestamp = now.to_string();
        let message = v1::Message {
            method: sent.method,
            target: sent.uri.path_and_query().map_or("/", |target| target.as_str()),
            timestamp: &timestamp,
            nonce: self.nonce.then_some(&nonce),
            body: sent.body,
        };
        let mut headers =
            vec![("X-Signature", message.sign(key)), ("X-Timestamp", timestamp.clone())];
        if self.nonce {
            headers.push(("X-Nonce", nonce.clone()));
        }
        if mode == Mode::Only {
            headers.push(("X-Key-Id", self.kid.to_string()));
        }
        headers
    }

    fn second(
        &self,
        sent: &Sent<'_>,
        key: &MacKey,
        now: u64,
        nonce: &str,
    ) -> Vec<(&'static str, String)> {
        let digest = (!sent.body.is_empty()).then(|| ContentDigest::of(sent.body).header());
        let covered = v2::Covered {
            method: sent.method,
            authority: sent.uri.authority().map_or("", |authority| authority.as_str()),
            secure: sent.uri.scheme_str() == Some("https"),
            path: sent.uri.path(),
            query: sent.uri.query(),
            content_digest: digest.as_deref(),
            content_type: sent.content_type,
        };
        let expires = now.saturating_add(LIFETIME);
        let (input, signature) = v2::sign(key, &covered, now, expires, nonce, self.kid.as_str());
        let digest = digest.map(|digest| ("Content-Digest", digest));
        digest.into_iter().chain([("Signature-Input", input), ("Signature", signature)]).collect()
    }
}

/// Seconds.
const LIFETIME: u64 = 60;
