//! Secrets that are replaced: those so far go on working for a grace.

use serde_json::Value as Json;

use super::super::keys::Written;
use super::super::{Meta, Object};
use super::about::difference;
use super::create::{defect, draw, too_large};
use super::keys::check_reach;
use super::{Change, Done, Outcome, Request};
use crate::key::Kid;
use crate::management::problem::Problem;
use crate::mint;
use crate::record::{Document, SecretDocument};

impl Object<'_> {
    pub(super) fn rotate_key(&mut self, meta: &Meta, request: &Request<'_>) -> Outcome<Done> {
        let before = self.changeable(meta, request)?;
        check_reach(&before, request)?;
        let mut after = before.clone();
        let grace = request.body.get("grace_seconds").and_then(Json::as_u64).unwrap_or(0);
        let is_signing = request.body.get("of").and_then(Json::as_str) == Some("signing");
        let secret = if is_signing {
            self.replace_signing(&mut after.document, grace)?;
            None
        } else {
            after.about.imported = false;
            Some(self.replace_secret(&mut after.document, grace, &request.call.entropy)?)
        };
        if !self.is_usable(&after.document) {
            return Err(too_large().into());
        }
        let changes = difference(&before.fields(), &after.fields());
        let Written { version, mut effective_by } = self.replace(meta, &before, &mut after)?;
        if is_signing {
            // Unlike a key, a signature does not tell that it is by a newer secret.
            effective_by = effective_by.max(self.refusals_end());
        }
        let target = after.document.kid.clone();
        let change = Change { action: "key.rotate", target, changes };
        Ok(Done {
            version: Some(version),
            effective_by: Some(effective_by),
            secret,
            signing_secret: self.new_signing_secret(Some(&before.document), &after.document),
            ..Done::changed(after.view(), change)
        })
    }

    /// One more secret; its text.
    fn replace_secret(
        &self,
        document: &mut Document,
        grace: u64,
        entropy: &[u8; 32],
    ) -> Outcome<String> {
        let generation = self.next_generation(&mut document.secrets, grace, |own| {
            (own.generation, &mut own.expires)
        })?;
        let kid = Kid::parse(&document.kid).ok_or_else(defect)?;
        let root = self.gate.keyring.newest();
        let random = draw(entropy, b"secret", 0);
        let minted = random
            .first_chunk()
            .and_then(|random| mint::another(root, &document.prefix, kid, generation, random))
            .ok_or_else(defect)?;
        document.secrets.push(SecretDocument::new(generation, root.version(), &minted.digest));
        Ok(minted.secret.expose().to_owned())
    }

    /// Lets secrets end with the grace; the generation of the one that follows. `life`: a secret's
    /// generation and end.
    pub(super) fn next_generation<T>(
        &self,
        secrets: &mut Vec<T>,
        grace: u64,
        life: fn(&mut T) -> (u8, &mut Option<u64>),
    ) -> Result<u8, Problem> {
        let now = self.now.seconds();
        let end = now.saturating_add(grace);
        let mut newest = 0;
        secrets.retain_mut(|own| {
            let (generation, expires) = life(own);
            newest = newest.max(generation);
            let end = expires.map_or(end, |own| own.min(end));
            *expires = Some(end);
            now < end
        });
        if newest >= LAST_GENERATION {
            let message = format!("has been rotated {LAST_GENERATION} times; create another");
            return Err(Problem::field("", message));
        }
        if secrets.len() >= MAX_SECRETS {
            let message = format!("{MAX_SECRETS} secrets still work: wait, or choose 0");
            return Err(Problem::field("grace_seconds", message));
        }
        Ok(newest.saturating_add(1))
    }
}

const MAX_SECRETS: usize = 5;
const LAST_GENERATION: u8 = 31;
