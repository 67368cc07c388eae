//! Keys that are there: shown, changed, given new secrets, held back, revoked.

use serde_json::{Value as Json, json};

use super::super::keys::Written;
use super::super::{Meta, Object};
use super::about::{Known, about_row, difference};
use super::create::too_large;
use super::live::{LIST, is_active};
use super::settings::{self, PROJECT};
use super::{Change, Done, Outcome, Request, Stored};
use crate::key::Kid;
use crate::management::problem::{FieldError, Problem};
use crate::management::time;
use crate::record::{KeyType, Status};

impl Object<'_> {
    pub(super) fn list_keys(&mut self, meta: &Meta, request: &Request<'_>) -> Outcome<Done> {
        let page = request.page();
        let project = request.word("project_id");
        let mut from = cursor(request)?;
        let mut keys = Vec::new();
        for _ in 0..SCANNED_PAGES {
            let names = self.listed(&from, page)?;
            let full = u32::try_from(names.len()).is_ok_and(|names| names >= page);
            let kids: Vec<String> = names.iter().filter_map(|name| kid_of(name)).collect();
            self.require_known(&kids)?;
            for (name, kid) in names.iter().zip(&kids) {
                from = format!("{}!", name.strip_prefix(LIST).unwrap_or_default());
                let Some(known) = self.known(meta, kid)? else { continue };
                if project.is_none_or(|project| is_of(&known, project)) {
                    keys.push(known.view());
                }
                if u32::try_from(keys.len()).is_ok_and(|keys| keys >= page) {
                    break;
                }
            }
            if !full || u32::try_from(keys.len()).is_ok_and(|keys| keys >= page) {
                break;
            }
        }
        let more = !self.listed(&from, 1)?.is_empty();
        let next = more.then(|| from.trim_end_matches('!').replace('/', "."));
        Ok(Done::read(json!({ "keys": keys, "next": next })))
    }

    pub(super) fn get_key(&mut self, meta: &Meta, request: &Request<'_>) -> Outcome<Done> {
        let known = self.named(meta, request)?;
        let version = Some(known.document.version);
        Ok(Done { version, ..Done::read(known.view()) })
    }

    pub(super) fn update_key(&mut self, meta: &Meta, request: &Request<'_>) -> Outcome<Done> {
        let before = self.changeable(meta, request)?;
        check_reach(&before, request)?;
        let mut after = before.clone();
        let errors = self.set(&mut after.document, &request.body, request.call);
        if !errors.is_empty() {
            return Err(Problem::invalid(errors).into());
        }
        if let Some(description) = request.body.get("description").and_then(Json::as_str) {
            description.clone_into(&mut after.about.description);
        }
        let changes = difference(&before.fields(), &after.fields());
        if changes.is_empty() {
            let version = Some(before.document.version);
            return Ok(Done { version, ..Done::read(before.view()) });
        }
        if is_active(&after.document, self.now) && !is_active(&before.document, self.now) {
            self.check_room(meta)?;
        }
        if !self.is_usable(&after.document) {
            return Err(too_large().into());
        }
        let Written { version, effective_by } = self.replace(meta, &before, &mut after)?;
        let effective_by = effective_by.max(self.refusals_end());
        let target = after.document.kid.clone();
        let change = Change { action: "key.update", target, changes };
        Ok(Done {
            version: Some(version),
            effective_by: Some(effective_by),
            signing_secret: self.new_signing_secret(Some(&before.document), &after.document),
            ..Done::changed(after.view(), change)
        })
    }

    pub(super) fn revoke_key(&mut self, meta: &Meta, request: &Request<'_>) -> Outcome<Done> {
        let before = self.named(meta, request)?;
        let body = |by: u64| json!({ "revoked": true, "effective_by": time::print_millis(by) });
        if before.document.status == Status::Revoked {
            let effective_by = self.lease_end(&before.document.kid)?;
            let version = Some(before.document.version);
            return Ok(Done {
                version,
                effective_by: Some(effective_by),
                ..Done::read(body(effective_by))
            });
        }
        let (written, change) = self.turn(meta, before, Status::Revoked, "key.revoke")?;
        Ok(Done {
            version: Some(written.version),
            effective_by: Some(written.effective_by),
            ..Done::changed(body(written.effective_by), change)
        })
    }

    /// Disables or enables.
    pub(super) fn turn_key(
        &mut self,
        meta: &Meta,
        request: &Request<'_>,
        status: Status,
    ) -> Outcome<Done> {
        let before = self.changeable(meta, request)?;
        if status == Status::Active {
            check_reach(&before, request)?;
        }
        let body =
            |by: u64| json!({ "status": status.as_str(), "effective_by": time::print_millis(by) });
        if before.document.status == status {
            let effective_by = self.lease_end(&before.document.kid)?;
            let version = Some(before.document.version);
            let done = Done::read(body(effective_by));
            return Ok(Done { version, effective_by: Some(effective_by), ..done });
        }
        let action = if status == Status::Active { "key.enable" } else { "key.disable" };
        let (mut written, change) = self.turn(meta, before, status, action)?;
        if status == Status::Active {
            written.effective_by = written.effective_by.max(self.refusals_end());
        }
        Ok(Done {
            version: Some(written.version),
            effective_by: Some(written.effective_by),
            ..Done::changed(body(written.effective_by), change)
        })
    }

    pub(super) fn revoke_all_keys(&mut self, meta: &Meta, _: &Request<'_>) -> Outcome<Done> {
        let (Written { effective_by, .. }, change) = self.next_epoch(meta)?;
        let body = json!({ "revoked": true, "effective_by": time::print_millis(effective_by) });
        Ok(Done { effective_by: Some(effective_by), ..Done::changed(body, change) })
    }

    /// The millisecond from which no isolate refuses by what it knew before now: it looks again at the
    /// cause of a refusal once in a lease's time.
    pub(super) fn refusals_end(&self) -> u64 {
        self.now.millis().saturating_add(self.gate.policy.lease_seconds.millis())
    }

    /// Changes a key's status, without looking whether it may be.
    pub(super) fn turn(
        &mut self,
        meta: &Meta,
        before: Known,
        status: Status,
        action: &'static str,
    ) -> Outcome<(Written, Change)> {
        let mut after = before.clone();
        after.document.status = status;
        let changes = difference(&before.fields(), &after.fields());
        let target = before.document.kid.clone();
        let written = self.replace(meta, &before, &mut after)?;
        Ok((written, Change { action, target, changes }))
    }

    pub(super) fn replace(
        &mut self,
        meta: &Meta,
        before: &Known,
        after: &mut Known,
    ) -> Outcome<Written> {
        let document = &mut after.document;
        document.version = before.document.version.saturating_add(1);
        if after.about != before.about {
            self.rows.put(about_row(&document.kid), &Stored(after.about.clone()));
        }
        Ok(self.write(meta, Some(&before.document), document.clone())?)
    }

    /// The key that a request names, in the version it names.
    fn named(&self, meta: &Meta, request: &Request<'_>) -> Outcome<Known> {
        let kid = Kid::parse(&request.params.kid).ok_or_else(Problem::not_found)?;
        let known = self.known(meta, kid.as_str())?.ok_or_else(Problem::not_found)?;
        if request.call.version.is_some_and(|version| version != known.document.version) {
            return Err(stale().into());
        }
        Ok(known)
    }

    pub(super) fn changeable(&self, meta: &Meta, request: &Request<'_>) -> Outcome<Known> {
        let known = self.named(meta, request)?;
        if known.document.status == Status::Revoked {
            return Err(Problem::new(409, "KEY_REVOKED", "A revoked key stays as it is.").into());
        }
        Ok(known)
    }
}

/// Whoever is given a secret or loosens what a key is held to may not come to more by it
/// than is theirs.
pub(super) fn check_reach(known: &Known, request: &Request<'_>) -> Outcome<()> {
    let refused = |message| Err(Problem::new(403, "PERMISSION_DENIED", message).into());
    let document = &known.document;
    let scopes = request.call.scopes.as_ref().map(|scopes| settings::grants(scopes));
    if scopes.is_some_and(|scopes| !document.scopes.subset_of(&scopes)) {
        return refused("The key's scopes go beyond those of the token.");
    }
    if document.subject.as_ref().is_some_and(|subject| *subject != request.call.actor) {
        return refused("A personal key is its subject's to change; others disable and revoke.");
    }
    Ok(())
}

/// Another version is there.
pub(super) fn stale() -> Problem {
    Problem::new(412, "VERSION_CONFLICT", "There is another version than If-Match names.")
}

fn is_of(known: &Known, project: &str) -> bool {
    let document = &known.document;
    let projects = document.bindings.get(PROJECT);
    document.kind == KeyType::Project
        && projects.is_some_and(|own| own.iter().any(|own| own == project))
}

fn kid_of(name: &str) -> Option<String> {
    name.rsplit('/').next().map(str::to_owned)
}

/// Where the page begins.
fn cursor(request: &Request<'_>) -> Outcome<String> {
    let Some(cursor) = request.word("cursor") else { return Ok(String::new()) };
    let fits = cursor.split_once('.').is_some_and(|(time, kid)| {
        time.len() == 12
            && time.bytes().all(|byte| byte.is_ascii_digit())
            && Kid::parse(kid).is_some()
    });
    if fits {
        Ok(format!("{}!", cursor.replace('.', "/")))
    } else {
        Err(Problem::invalid(vec![FieldError::new("cursor", "is none of ours")]).into())
    }
}

const SCANNED_PAGES: usize = 10;
