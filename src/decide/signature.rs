//! Whether a request is signed as its key's record demands.

use super::{Check, Stop};
use crate::crypto::{self, MacKey};
use crate::denial::Denial;
use crate::key::Kid;
use crate::need::Need;
use crate::record::{Record, SignatureMode};
use crate::request::Fields;
use crate::signature::{ContentDigest, Signing, Version, v1, v2, window};
use crate::ticket::Body;
use crate::workspace::call::Once;

impl Check<'_, '_, '_, '_> {
    /// Checks the signature beside a secret.
    pub(super) fn check_signed(
        &mut self,
        record: &Record,
        kid: Option<Kid>,
    ) -> Result<Option<Once>, Stop> {
        // Its secret is not to travel.
        if record.signature == SignatureMode::Only {
            return Err(Denial::SignatureRequired.into());
        }
        self.check_signature(record, kid)
    }

    /// The key that a request without a secret claims to be signed for.
    pub(super) fn signer(&self) -> Option<Kid> {
        let fields = &self.request.fields;
        if !fields.key_id.is_empty() {
            return Kid::parse(fields.key_id);
        }
        let presented =
            v2::Presented::parse(fields.signature_input, fields.message_signature).ok()?;
        Kid::parse(&presented.keyid)
    }

    /// Checks the signature; what tells the request from any other, if it may be forwarded once only.
    pub(super) fn check_signature(
        &mut self,
        record: &Record,
        kid: Option<Kid>,
    ) -> Result<Option<Once>, Stop> {
        let fields = &self.request.fields;
        let is_signed = is_signed(fields);
        match (record.signature, is_signed) {
            (SignatureMode::None, _) | (SignatureMode::Optional, false) => return Ok(None),
            (SignatureMode::Required | SignatureMode::Only, false) => {
                return Err(Denial::SignatureRequired.into());
            }
            (SignatureMode::Optional | SignatureMode::Required | SignatureMode::Only, true) => {}
        }
        let (signing, kid) = record.signing.as_ref().zip(kid).ok_or(Denial::Signature)?;
        let now = self.now.seconds();
        let keys = signing.keys(&self.gate.keyring, &record.prefix, kid, now);
        match signing.version {
            Version::V1 => self.check_v1(signing, &keys, kid),
            Version::V2 => self.check_v2(&keys, kid).map(Some),
        }
    }

    fn check_v1(
        &mut self,
        signing: &Signing,
        keys: &[MacKey],
        kid: Kid,
    ) -> Result<Option<Once>, Stop> {
        let request = self.request;
        let fields = &request.fields;
        let mac = v1::parse_mac(fields.signature).ok_or(Denial::Signature)?;
        let made = window::parse(fields.timestamp).ok_or(Denial::Signature)?;
        let nonce = signing.nonce.then_some(fields.nonce);
        if nonce.is_some_and(|nonce| !v1::is_nonce(nonce)) {
            return Err(Denial::Signature.into());
        }
        if !signing.hosts.iter().any(|host| host.matches(request.authority)) {
            return Err(Denial::Signature.into());
        }
        if !window::is_open(made, self.now.seconds()) {
            return Err(Denial::StaleTimestamp.into());
        }
        let body = self.body()?;
        let own = keys
            .iter()
            .map(|key| v1::mac(key, request.method, request.target, fields.timestamp, nonce, body));
        let own: Vec<_> = own.collect();
        if mac.position(own.iter()).is_none() {
            return Err(Denial::Signature.into());
        }
        // To read again changes nothing.
        if matches!(request.method, "GET" | "HEAD") && nonce.is_none() {
            return Ok(None);
        }
        let unique = nonce.unwrap_or(fields.signature);
        Ok(Some(once(kid, made, unique)))
    }

    fn check_v2(&mut self, keys: &[MacKey], kid: Kid) -> Result<Once, Stop> {
        let request = self.request;
        let fields = &request.fields;
        let presented = v2::Presented::parse(fields.signature_input, fields.message_signature)
            .map_err(|_| Denial::Signature)?;
        let now = self.now.seconds();
        let (path, query) = match request.target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (request.target, None),
        };
        let present = |text: &'_ str| (!text.is_empty()).then_some(());
        if presented.keyid != kid.as_str()
            || presented.covers_digest != request.has_body
            || presented.covers_type != present(fields.content_type).is_some()
        {
            return Err(Denial::Signature.into());
        }
        if !window::is_open(presented.created, now) || presented.expires <= now {
            return Err(Denial::StaleTimestamp.into());
        }
        let covered = v2::Covered {
            method: request.method,
            authority: request.authority,
            secure: request.secure,
            path,
            query,
            content_digest: presented.covers_digest.then_some(fields.content_digest),
            content_type: presented.covers_type.then_some(fields.content_type),
        };
        // All of them, whichever holds.
        let held = keys.iter().filter(|key| presented.is_by(key, &covered)).count();
        if held == 0 {
            return Err(Denial::Signature.into());
        }
        if presented.covers_digest {
            let stated = ContentDigest::parse(fields.content_digest).ok_or(Denial::Digest)?;
            if ContentDigest::of(self.body()?) != stated {
                return Err(Denial::Digest.into());
            }
        }
        Ok(once(kid, presented.created, &presented.nonce))
    }

    /// The body; empty if there is none.
    fn body(&self) -> Result<&[u8], Stop> {
        match &self.ticket.body {
            _ if !self.request.has_body => Ok(&[]),
            None => Err(Stop::Need(Need::Body(MAX_BODY))),
            Some(Body::Read(bytes)) => Ok(bytes),
            Some(Body::TooLong(limit)) => Err(Denial::BodyTooLarge(*limit).into()),
            Some(Body::Failed(fault)) => Err(Stop::Fault(*fault)),
        }
    }
}

/// Whether there is a signature of any version, or a part of one.
pub(super) fn is_signed(fields: &Fields<'_>) -> bool {
    [fields.signature, fields.signature_input, fields.message_signature]
        .iter()
        .any(|text| !text.is_empty())
}

fn once(kid: Kid, made: u64, unique: &str) -> Once {
    let hash = crypto::sha256(format!("{kid} {made} {unique}").as_bytes());
    let mark = hash.first_chunk().copied().unwrap_or_default();
    Once { mark, until: window::remembered_until(made) }
}

/// Bytes, unless the policy says otherwise.
const MAX_BODY: u32 = 1024 * 1024;
