//! Whether a key may be used at all: its secret, its status and dates, the client's address.

use crate::address::ClientAddress;
use crate::clock::Now;
use crate::denial::{Denial, Invalid};
use crate::record::{Record, Status};
use crate::root::Keyring;

impl Record {
    /// Whether one of its secrets has the digest of `secret`, and goes on working; if that secret is
    /// being replaced, which generation it is.
    pub(crate) fn check_secret(
        &self,
        keyring: &Keyring,
        secret: &[u8],
        now: Now,
    ) -> Result<Option<u8>, Denial> {
        let mut expired = false;
        for stored in &self.secrets {
            let Some(root) = keyring.version(stored.root) else { continue };
            if root.digest(secret).matches(&stored.digest) {
                match stored.expires {
                    None => return Ok(None),
                    Some(end) if now.seconds() < end => return Ok(Some(stored.generation)),
                    Some(_) => expired = true,
                }
            }
        }
        Err(if expired { Denial::Expired } else { Denial::Invalid(Invalid::Secret) })
    }

    /// The first second in which it works no more by a secret; `replaced`: its generation if it is being
    /// replaced.
    pub(crate) fn end(&self, replaced: Option<u8>) -> Option<u64> {
        let secret = replaced.and_then(|generation| {
            self.secrets.iter().find(|secret| secret.generation == generation)?.expires
        });
        self.expires.into_iter().chain(secret).min()
    }

    /// Whether it knows nothing yet of a secret of this generation.
    pub(crate) fn is_older_than(&self, generation: u8) -> bool {
        self.secrets.iter().all(|secret| secret.generation < generation)
    }

    /// Whether its status and dates let it be used.
    pub(crate) fn check_standing(&self, now: Now) -> Result<(), Denial> {
        match self.status {
            Status::Active => {}
            Status::Revoked => return Err(Denial::Revoked),
            Status::Disabled => return Err(Denial::Disabled),
            Status::Quarantined => return Err(Denial::Quarantined),
        }
        if self.expires.is_some_and(|end| now.seconds() >= end) {
            return Err(Denial::Expired);
        }
        if self.not_before.is_some_and(|start| now.seconds() < start) {
            return Err(Denial::NotYetValid);
        }
        Ok(())
    }

    /// Whether the client may use it from where it is.
    pub(crate) fn check_address(&self, client_address: &str) -> Result<(), Denial> {
        let Some(allowed) = &self.ips else { return Ok(()) };
        let client = ClientAddress::parse(client_address);
        if client.is_some_and(|client| allowed.contains(client)) {
            Ok(())
        } else {
            Err(Denial::Address)
        }
    }
}
