//! Finding the record behind a credential, and proving its secret.

use std::rc::Rc;

use super::signature::Presented;
use super::{Check, Stop};
use crate::credential::{Credential, Opaque};
use crate::crypto;
use crate::denial::{Denial, Invalid};
use crate::imported::PointerId;
use crate::key::{KeyText, Kid};
use crate::memory::Known;
use crate::need::{Ask, KvRow, Need};
use crate::policy::{Credential as Kind, Mode, Route};
use crate::record::{Record, SignatureMode};
use crate::workspace::call::Once;

/// A key whose record is at hand and whose secret is proved.
pub(super) struct Proved {
    pub(super) record: Rc<Record>,
    pub(super) kid: Option<Kid>,
    /// The generation of the secret, if it is being replaced.
    pub(super) replaced: Option<u8>,
    /// If it was proved by a signature: what tells the request from any other.
    pub(super) signed: Option<Option<Once>>,
}

impl<'a> Check<'_, 'a, '_, '_> {
    /// Finds the key behind the credential and proves its secret.
    pub(super) fn prove(
        &mut self,
        credential: Credential<'a>,
        route: &Route,
    ) -> Result<Proved, Stop> {
        match credential {
            Credential::Missing => Err(Denial::Missing.into()),
            Credential::Token(_) => Err(Denial::Token.into()),
            Credential::Malformed => Err(Denial::Invalid(Invalid::Malformed).into()),
            Credential::Signature => self.prove_signed(route),
            Credential::Native(text) => self.prove_native(&text, route),
            Credential::Other(text) => self.prove_other(text, route),
        }
    }

    /// A key id in the place of a secret. Nothing is told of the key, nor whether there is one, before
    /// the signature holds.
    fn prove_signed(&mut self, route: &Route) -> Result<Proved, Stop> {
        let presented = self.presented()?;
        let minted = |kid: &Kid| kid.is_ours(&self.gate.keyring);
        let kid = self.signer(&presented).filter(minted).ok_or(Denial::Signature)?;
        self.check_length(route)?;
        if self.request.has_body {
            self.check_declared(self.gate.policy.signed_body_bytes.get().into())?;
        }
        let mode = self.mode(Some(kid), route);
        let known = self.memory.record(&kid, self.now);
        let record = self.record(known, kid, mode).map_err(|stop| match stop {
            Stop::Deny(_) => Denial::Signature.into(),
            stop @ (Stop::Need(_)
            | Stop::Fault(_)
            | Stop::Admin
            | Stop::Usage(_)
            | Stop::Preflight(_)) => stop,
        })?;
        let proof = if record.signature == SignatureMode::Only {
            self.verify(&presented, &record, kid)
        } else {
            Err(Denial::Signature.into())
        };
        match proof {
            Ok(once) => Ok(Proved { record, kid: Some(kid), replaced: None, signed: Some(once) }),
            Err(Stop::Deny(denial)) => {
                if mode != Mode::Edge {
                    self.confirm(kid)?;
                }
                Err(denial.into())
            }
            Err(stop) => Err(stop),
        }
    }

    /// The key that a request without a secret claims to be signed for.
    fn signer(&self, presented: &Presented) -> Option<Kid> {
        match (self.request.fields.key_id, presented) {
            ("", Presented::V1 { .. }) => None,
            ("", Presented::V2(v2)) => Kid::parse(&v2.keyid),
            (key_id, Presented::V2(v2)) if v2.keyid != key_id => None,
            (key_id, _) => Kid::parse(key_id),
        }
    }

    fn prove_native(&mut self, text: &KeyText<'_>, route: &Route) -> Result<Proved, Stop> {
        let kid = text.kid();
        let mode = self.mode(Some(kid), route);
        let known = self.memory.record(&kid, self.now);
        if !matches!(known, Known::Is(_)) && !text.is_ours(&self.gate.keyring) {
            return Err(Denial::Invalid(Invalid::Forged).into());
        }
        let record = self.record(known, kid, mode)?;
        let proof =
            record.check_secret(&self.gate.keyring, text.secret(), self.now).and_then(|replaced| {
                if record.prefix == text.prefix() {
                    Ok(replaced)
                } else {
                    Err(Denial::Invalid(Invalid::Prefix))
                }
            });
        match proof {
            Ok(replaced) => Ok(Proved { record, kid: Some(kid), replaced, signed: None }),
            // A secret that was minted here may be newer than the record at hand.
            Err(denial) if mode != Mode::Edge && text.is_ours(&self.gate.keyring) => {
                if record.is_older_than(text.generation()) {
                    self.confirm_anew(kid)?;
                } else {
                    self.confirm(kid)?;
                }
                Err(denial.into())
            }
            Err(denial) => Err(denial.into()),
        }
    }

    /// The record of a key: from memory, else KV, else the Workspace.
    fn record(&self, known: Known<Rc<Record>>, kid: Kid, mode: Mode) -> Result<Rc<Record>, Stop> {
        match (known, mode, self.ticket.kv) {
            (Known::Is(record), ..) => Ok(record),
            (Known::Absent, Mode::Edge, _) => Err(Denial::Invalid(Invalid::Unknown).into()),
            (Known::Unknown, Mode::Edge, Some(fault)) => Err(Stop::Fault(fault)),
            (Known::Unknown, _, None) => Err(Stop::Need(Need::Kv(KvRow::Record(kid)))),
            (Known::Absent, Mode::Lease | Mode::Strict, _) => {
                self.confirm_within(kid, ABSENT_CONFIRMED_MILLIS)?;
                Err(Denial::Invalid(Invalid::Unknown).into())
            }
            (Known::Unknown, Mode::Lease | Mode::Strict, Some(_)) => Err(self.ask_record(kid)),
        }
    }

    fn prove_other(&mut self, Opaque(text): Opaque<'_>, route: &Route) -> Result<Proved, Stop> {
        let gate = self.gate;
        let imports = gate.policy.imports.iter().any(|shape| shape.matches(text));
        if !imports && gate.environment.is_empty() {
            return Err(Denial::Invalid(Invalid::Malformed).into());
        }
        let sha256 = crypto::sha256(text.as_bytes());
        let digest = gate.keyring.newest().digest(&sha256);
        if let Some(record) = gate.environment.find(&digest) {
            return Ok(Proved {
                record: Rc::clone(record),
                kid: None,
                replaced: None,
                signed: None,
            });
        }
        if !imports {
            return Err(Denial::Invalid(Invalid::Unknown).into());
        }
        for root in gate.keyring.versions() {
            let id = PointerId::of_sha256(root, &sha256);
            let kid = match (self.memory.pointer(&id, self.now), self.ticket.kv) {
                (Known::Is(kid), _) => kid,
                (Known::Absent, _) => continue,
                (Known::Unknown, None) => {
                    return Err(Stop::Need(Need::Kv(KvRow::Pointer(id))));
                }
                (Known::Unknown, Some(fault)) => return Err(Stop::Fault(fault)),
            };
            let mode = self.mode(Some(kid), route);
            let record = match (self.memory.record(&kid, self.now), mode) {
                (Known::Absent, Mode::Edge) => continue,
                (known, mode) => self.record(known, kid, mode)?,
            };
            return match record.check_secret(&gate.keyring, &sha256, self.now) {
                Ok(replaced) => Ok(Proved { record, kid: Some(kid), replaced, signed: None }),
                Err(denial) => {
                    if mode != Mode::Edge {
                        self.confirm(kid)?;
                    }
                    Err(denial.into())
                }
            };
        }
        Err(Denial::Invalid(Invalid::Unknown).into())
    }

    /// Sees to it that the Workspace was asked about `kid` no longer ago than a lease lasts.
    pub(super) fn confirm(&self, kid: Kid) -> Result<(), Stop> {
        self.confirm_within(kid, self.gate.policy.lease_seconds.millis())
    }

    /// Sees to it that the Workspace has answered a question about `kid` that was put since this
    /// request came.
    fn confirm_anew(&mut self, kid: Kid) -> Result<(), Stop> {
        let asked = *self.ticket.newer.get_or_insert(self.memory.asked());
        if self.memory.answered(&kid) > asked {
            return Ok(());
        }
        Err(self.ask_record(kid))
    }

    fn confirm_within(&self, kid: Kid, millis: u64) -> Result<(), Stop> {
        if self.memory.is_confirmed(&kid, millis, self.now) {
            return Ok(());
        }
        Err(self.ask_record(kid))
    }

    fn ask_record(&self, kid: Kid) -> Stop {
        match self.ticket.workspace {
            None => Stop::Need(Need::Workspace(Ask::Record(kid))),
            Some(fault) => Stop::Fault(fault),
        }
    }
}

/// Whether the route takes keys, if there is one.
pub(super) fn check_kind(credential: &Credential<'_>, route: &Route) -> Result<(), Denial> {
    match credential {
        Credential::Missing | Credential::Token(_) => Ok(()),
        Credential::Malformed
        | Credential::Signature
        | Credential::Native(_)
        | Credential::Other(_) => {
            if route.credentials.contains(Kind::Key) {
                Ok(())
            } else {
                Err(Denial::KeyNotAllowed)
            }
        }
    }
}

/// A key that was minted here and that nobody knows is most likely just being created.
const ABSENT_CONFIRMED_MILLIS: u64 = 500;
