//! Whether a request is signed as its key's record demands.

use super::{Check, Stop};
use crate::crypto::{self, Digest, MacKey};
use crate::denial::Denial;
use crate::key::Kid;
use crate::need::Need;
use crate::policy::Route;
use crate::record::{Record, SignatureMode};
use crate::request::Fields;
use crate::signature::{ContentDigest, Part, Signing, Version, v1, v2, window};
use crate::ticket::{Body, Verified};
use crate::workspace::call::Once;

/// A signature by its form. Nothing of it is proved.
pub(super) enum Presented {
    V1 { made: u64, mac: Digest },
    V2(v2::Presented),
}

impl Check<'_, '_, '_, '_> {
    /// Checks the signature beside a secret; what tells the request from any other, if it may be
    /// forwarded once only.
    pub(super) fn check_signature(
        &mut self,
        record: &Record,
        kid: Option<Kid>,
        route: &Route,
    ) -> Result<Option<Once>, Stop> {
        let is_signed = Signed::of(&self.request.fields) != Signed::No;
        match record.signature {
            SignatureMode::Required => {}
            SignatureMode::Optional if is_signed => {}
            SignatureMode::None | SignatureMode::Optional if !route.signed => return Ok(None),
            // No signature of it is looked at, there is none, or its secret is not to travel.
            SignatureMode::None | SignatureMode::Optional | SignatureMode::Only => {
                return Err(Denial::SignatureRequired.into());
            }
        }
        let presented = self.presented()?;
        let kid = kid.ok_or(Denial::Signature)?;
        self.verify(&presented, record, kid)
    }

    /// The signature, as far as the request alone can tell.
    pub(super) fn presented(&self) -> Result<Presented, Denial> {
        let (fields, now) = (&self.request.fields, self.now.seconds());
        let stale = Denial::StaleTimestamp { now };
        let presented = match Signed::of(fields) {
            Signed::No => return Err(Denial::SignatureRequired),
            Signed::Twice => return Err(Denial::Ambiguous),
            Signed::V1 => {
                let mac = v1::parse_mac(fields.signature).ok_or(Denial::Signature)?;
                let made = window::parse(fields.timestamp).ok_or(stale)?;
                Presented::V1 { made, mac }
            }
            Signed::V2 => v2::Presented::parse(fields.signature_input, fields.message_signature)
                .map(Presented::V2)
                .map_err(|_| Denial::Signature)?,
        };
        let is_open = match &presented {
            Presented::V1 { made, .. } => window::is_open(*made, now),
            Presented::V2(v2) => window::is_open(v2.created, now) && now < v2.expires,
        };
        // What held when it came does not become stale while it waits.
        if is_open || self.ticket.verified.is_some() {
            Ok(presented)
        } else {
            Err(Denial::StaleTimestamp { now })
        }
    }

    /// Checks it by the key's record.
    pub(super) fn verify(
        &mut self,
        presented: &Presented,
        record: &Record,
        kid: Kid,
    ) -> Result<Option<Once>, Stop> {
        let signing = record.signing.as_ref().ok_or(Denial::Signature)?;
        let known = self.ticket.verified;
        if let Some(known) = known.filter(|own| (own.kid, own.version) == (kid, record.version)) {
            return Ok(known.once);
        }
        let now = self.now.seconds();
        let keys = record.signing_keys(&self.gate.keyring, kid);
        let mut keys = keys.iter().filter(|(end, _)| end.is_none_or(|end| now < end));
        let keys = keys.by_ref().map(|(_, key)| key);
        let once = match (signing.version, presented) {
            (Version::V1, Presented::V1 { made, mac }) => {
                self.verify_v1(*made, mac, signing, keys, kid)
            }
            (Version::V2, Presented::V2(v2)) => self.verify_v2(v2, signing, keys, kid).map(Some),
            (Version::V1 | Version::V2, _) => Err(Denial::Signature.into()),
        }?;
        self.ticket.verified = Some(Verified { kid, version: record.version, once });
        Ok(once)
    }

    fn verify_v1<'k>(
        &self,
        made: u64,
        mac: &Digest,
        signing: &Signing,
        keys: impl Iterator<Item = &'k MacKey>,
        kid: Kid,
    ) -> Result<Option<Once>, Stop> {
        let request = self.request;
        let fields = &request.fields;
        let nonce = signing.nonce.then_some(fields.nonce);
        let is_served = signing.hosts.iter().any(|host| host.matches(request.authority));
        if !is_served || nonce.is_some_and(|nonce| !v1::is_nonce(nonce)) {
            return Err(Denial::Signature.into());
        }
        let body = self.body()?;
        let message = v1::Message {
            method: request.method,
            target: request.target,
            timestamp: fields.timestamp,
            nonce,
            body,
        };
        // All of them, whichever holds.
        let held = keys.filter(|key| message.mac(key).matches(mac)).count();
        if held == 0 {
            return Err(self.differs(signing, || message.parts()));
        }
        self.check_forwardable()?;
        // To read again changes nothing.
        if matches!(request.method, "GET" | "HEAD") && nonce.is_none() {
            return Ok(None);
        }
        Ok(Some(once(kid, made, nonce.unwrap_or(fields.signature))))
    }

    fn verify_v2<'k>(
        &self,
        presented: &v2::Presented,
        signing: &Signing,
        keys: impl Iterator<Item = &'k MacKey>,
        kid: Kid,
    ) -> Result<Once, Stop> {
        let request = self.request;
        let fields = &request.fields;
        let (path, query) = match request.target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (request.target, None),
        };
        if presented.keyid != kid.as_str()
            || presented.covers_digest != request.has_body
            || presented.covers_type == fields.content_type.is_empty()
        {
            return Err(Denial::Signature.into());
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
        let held = keys.filter(|key| presented.is_by(key, &covered)).count();
        if held == 0 {
            return Err(self.differs(signing, || presented.parts(&covered)));
        }
        if presented.covers_digest {
            let stated = ContentDigest::parse(fields.content_digest).ok_or(Denial::Digest)?;
            if ContentDigest::of(self.body()?) != stated {
                return Err(Denial::Digest.into());
            }
        }
        self.check_forwardable()?;
        Ok(once(kid, presented.created, &presented.nonce))
    }

    /// A body that was read cannot be sent on with a method that usually has none.
    fn check_forwardable(&self) -> Result<(), Denial> {
        let has_none = matches!(self.request.method, "GET" | "HEAD");
        if has_none && self.request.has_body { Err(Denial::SignedBody) } else { Ok(()) }
    }

    /// The refusal of a MAC that does not hold; while the key's owner wants it, with what was seen.
    fn differs(&self, signing: &Signing, parts: impl Fn() -> Vec<Part>) -> Stop {
        let debugs = signing.debug_until.is_some_and(|end| self.now.seconds() < end);
        if debugs { Denial::Differs(parts()).into() } else { Denial::Signature.into() }
    }

    /// The body; empty if there is none.
    fn body(&self) -> Result<&[u8], Stop> {
        let limit = self.gate.policy.signed_body_bytes.get();
        match &self.ticket.body {
            _ if !self.request.has_body => Ok(&[]),
            None => {
                self.check_declared(limit.into())?;
                Err(Stop::Need(Need::Body(limit)))
            }
            Some(Body::Read(bytes)) => Ok(bytes),
            Some(Body::TooLong) => Err(Denial::BodyTooLarge(limit.into()).into()),
            Some(Body::Late) => Err(Denial::BodyLate.into()),
            Some(Body::Failed(fault)) => Err(Stop::Fault(*fault)),
        }
    }
}

/// Which signature a request carries, or a part of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Signed {
    No,
    V1,
    V2,
    Twice,
}

impl Signed {
    fn of(fields: &Fields<'_>) -> Self {
        let v2 = !fields.signature_input.is_empty() || !fields.message_signature.is_empty();
        match (!fields.signature.is_empty(), v2) {
            (false, false) => Self::No,
            (true, false) => Self::V1,
            (false, true) => Self::V2,
            (true, true) => Self::Twice,
        }
    }
}

fn once(kid: Kid, made: u64, unique: &str) -> Once {
    let hash = crypto::sha256(format!("{kid} {unique}").as_bytes());
    let mark = hash.first_chunk().copied().unwrap_or_default();
    Once { mark, until: window::remembered_until(made) }
}
