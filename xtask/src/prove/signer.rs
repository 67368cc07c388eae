//! Keys whose requests are signed, and what they send.

use anyhow::{Context, Result};
use portcullis::crypto::MacKey;
use portcullis::host::HostName;
use portcullis::record::{Document, SignatureMode};
use portcullis::root::RootKeys;
use portcullis::signature::{ContentDigest, Generation, Signing, Version, v1, v2};

use super::random::Random;
use crate::keys;

/// Signs in the place of a secret.
pub(super) struct Signer {
    kid: String,
    key: MacKey,
    signing: Signing,
}

/// What is signed.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) method: &'static str,
    pub(super) target: String,
    pub(super) body: String,
    /// Epoch seconds.
    pub(super) made: u64,
    pub(super) nonce: String,
}

impl Message {
    /// A change of this target, of a nonce of its own.
    pub(super) fn post(target: String, made: u64, random: &mut Random) -> Self {
        let nonce = data_encoding::BASE64URL_NOPAD.encode(&random.bytes::<16>());
        Self { method: "POST", body: format!(r#"{{"target":"{target}"}}"#), target, made, nonce }
    }
}

impl Signer {
    /// Lets the requests of a key be signed, and nothing else, on [`HOST`]. `nonce`: version 1 with one.
    pub(super) fn of(
        root: &RootKeys,
        document: &mut Document,
        version: Version,
        nonce: bool,
    ) -> Result<Self> {
        let hosts = match version {
            Version::V1 => HostName::parse(HOST).into_iter().collect(),
            Version::V2 => Vec::new(),
        };
        let secrets = vec![Generation { generation: 0, root: root.version(), expires: None }];
        let signing = Signing { version, hosts, nonce, debug_until: None, secrets };
        document.signature = SignatureMode::Only;
        document.signing = Some(signing.clone());
        let key = keys::signing(root, document).context("a signing secret")?.mac_key();
        Ok(Self { kid: document.kid.clone(), key, signing })
    }

    /// The request, signed.
    pub(super) fn sign(&self, message: &Message) -> Vec<u8> {
        let Message { method, target, body, made, nonce } = message;
        let mut head = format!("{method} {target} HTTP/1.1\r\nHost: {HOST}\r\n");
        let mut line = |name: &str, value: &str| {
            head.extend([name, ": ", value, "\r\n"]);
        };
        match self.signing.version {
            Version::V1 => {
                let (made, own) = (made.to_string(), self.signing.nonce.then_some(nonce.as_str()));
                let body = body.as_bytes();
                let message = v1::Message { method, target, timestamp: &made, nonce: own, body };
                let mac = message.sign(&self.key);
                line("X-Key-Id", &self.kid);
                line("X-Timestamp", &made);
                if let Some(nonce) = own {
                    line("X-Nonce", nonce);
                }
                line("X-Signature", &mac);
            }
            Version::V2 => {
                let digest = ContentDigest::of(body.as_bytes()).header();
                let (path, query) = match target.split_once('?') {
                    Some((path, query)) => (path, Some(query)),
                    None => (target.as_str(), None),
                };
                let covered = v2::Covered {
                    method,
                    authority: HOST,
                    secure: false,
                    path,
                    query,
                    content_digest: Some(&digest),
                    content_type: None,
                };
                let (input, signature) =
                    v2::sign(&self.key, &covered, *made, made + LASTS, nonce, &self.kid);
                line("Content-Digest", &digest);
                line("Signature-Input", &input);
                line("Signature", &signature);
            }
        }
        line("Content-Length", &body.len().to_string());
        format!("{head}\r\n{body}").into_bytes()
    }
}

/// One that the policy of the proofs serves, and that is spelt with letters.
pub(super) const HOST: &str = "localhost";
/// Seconds, longer than a signature is accepted anyway.
const LASTS: u64 = 400;
