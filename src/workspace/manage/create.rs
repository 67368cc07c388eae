//! New keys.

use std::borrow::Cow;

use serde_json::{Map, Value as Json, json};

use super::super::accounts::account_row;
use super::super::call::Manage;
use super::super::keys;
use super::super::{Meta, Object};
use super::about::{About, Known, about_row};
use super::settings::PROJECT;
use super::{Change, Done, Outcome, Request, Stored};
use crate::crypto::MacKey;
use crate::key::{Kid, Workspace};
use crate::management::problem::{FieldError, Problem};
use crate::mint;
use crate::record::{Document, KeyType, SecretDocument};

impl Object<'_> {
    pub(super) fn create_key(&mut self, meta: &Meta, request: &Request<'_>) -> Outcome<Done> {
        let kid = self.fresh_kid(meta, &request.call.entropy, 0)?;
        let prefix = self.prefix(request.body.get("environment").and_then(Json::as_str));
        let root = self.gate.keyring.newest();
        let random = draw(&request.call.entropy, b"secret", 0);
        let minted = random
            .first_chunk()
            .and_then(|random| mint::another(root, &prefix, kid, 0, random))
            .ok_or_else(defect)?;
        let secret = SecretDocument::new(0, root.version(), &minted.digest);
        let document = Document::new(&kid, &prefix, secret, self.now.seconds());
        let about = self.about(&request.body, request.call, false);
        let known = self.add_key(meta, request.call, &request.body, document, about)?;
        let changes = super::about::difference(&Map::new(), &known.fields());
        let change = Change { action: "key.create", target: kid.to_string(), changes };
        Ok(Done {
            status: 201,
            version: Some(known.document.version),
            secret: Some(minted.secret.expose().to_owned()),
            signing_secret: self.new_signing_secret(None, &known.document),
            ..Done::changed(known.view(), change)
        })
    }

    /// Stores a key that is new, whose secret is in its document.
    pub(super) fn add_key(
        &mut self,
        meta: &Meta,
        call: &Manage,
        fields: &Map<String, Json>,
        mut document: Document,
        about: About,
    ) -> Outcome<Known> {
        let mut errors = self.set_type(&mut document, fields, call)?;
        let fields = self.with_scopes(fields);
        if !fields.contains_key(SCOPES) {
            errors.push(FieldError::new(SCOPES, "is required"));
        }
        errors.extend(self.set(&mut document, &fields, call));
        if document.kind == KeyType::Temporary && document.expires.is_none() {
            errors.push(FieldError::new("expires", "is required for a temporary key"));
        }
        if !errors.is_empty() {
            return Err(Problem::invalid(errors).into());
        }
        self.check_room(meta)?;
        if !self.is_usable(&document) {
            return Err(too_large().into());
        }
        let kid = document.kid.clone();
        self.rows.put(about_row(&kid), &Stored(about.clone()));
        self.write(meta, None, document.clone())?;
        Ok(Known::new(document, about))
    }

    /// The same with the scopes of the policy, if there are none.
    fn with_scopes<'f>(&self, fields: &'f Map<String, Json>) -> Cow<'f, Map<String, Json>> {
        match &self.gate.policy.management.default_scopes {
            Some(scopes) if !fields.contains_key(SCOPES) => {
                let mut fields = fields.clone();
                fields.insert(SCOPES.to_owned(), json!(scopes));
                Cow::Owned(fields)
            }
            _ => Cow::Borrowed(fields),
        }
    }

    /// # Errors
    /// 409 if there may be no more active keys.
    pub(super) fn check_room(&self, meta: &Meta) -> Outcome<()> {
        let most = self.gate.policy.management.max_active_keys.get();
        if self.active(meta)? < most {
            return Ok(());
        }
        let message =
            format!("The workspace has {most} keys that are neither revoked nor expired.");
        Err(Problem::new(409, "KEY_LIMIT", message).into())
    }

    /// A kid that no key of this workspace has.
    pub(super) fn fresh_kid(&self, meta: &Meta, entropy: &[u8; 32], number: u8) -> Outcome<Kid> {
        for attempt in 0..ATTEMPTS {
            let kid = self.draw_kid(meta, entropy, number, attempt)?;
            if self.rows.text(&keys::row(kid.as_str()))?.is_none() {
                return Ok(kid);
            }
        }
        Err(defect().into())
    }

    /// The rows that are looked at for so many new keys.
    pub(super) fn fresh_rows(
        &self,
        meta: &Meta,
        entropy: &[u8; 32],
        count: usize,
    ) -> Outcome<Vec<String>> {
        let kids: Vec<Kid> = (0..u8::try_from(count).unwrap_or(u8::MAX))
            .map(|number| self.draw_kid(meta, entropy, number, 0))
            .collect::<Result<_, _>>()?;
        let rows = kids.iter().flat_map(|kid| [keys::row(kid.as_str()), account_row(kid.as_str())]);
        Ok(rows.collect())
    }

    fn draw_kid(
        &self,
        meta: &Meta,
        entropy: &[u8; 32],
        number: u8,
        attempt: u8,
    ) -> Result<Kid, Problem> {
        let workspace = Workspace::parse(&meta.workspace).ok_or_else(defect)?;
        let random = draw(entropy, b"kid", u16::from_be_bytes([number, attempt]));
        let random = random.first_chunk().copied().unwrap_or_default();
        Ok(mint::kid(self.gate.keyring.newest(), workspace, random))
    }

    pub(super) fn about(&self, fields: &Map<String, Json>, call: &Manage, imported: bool) -> About {
        let description = fields.get("description").and_then(Json::as_str).unwrap_or_default();
        About {
            description: description.to_owned(),
            created_by: Some(call.actor.clone()),
            imported,
        }
    }

    fn prefix(&self, environment: Option<&str>) -> String {
        let prefix = &self.gate.policy.management.key_prefix;
        environment.map_or_else(|| prefix.to_string(), |name| format!("{prefix}_{name}"))
    }

    fn set_type(
        &self,
        document: &mut Document,
        fields: &Map<String, Json>,
        call: &Manage,
    ) -> Outcome<Vec<FieldError>> {
        let mut errors = Vec::new();
        let text = |name: &str| fields.get(name).and_then(Json::as_str);
        document.kind = match text("type") {
            Some("personal") => KeyType::Personal,
            Some("project") => KeyType::Project,
            Some("temporary") => KeyType::Temporary,
            _ => KeyType::Service,
        };
        let mut wrong = |name: &str, message: &str| errors.push(FieldError::new(name, message));
        match (document.kind, text("subject")) {
            (KeyType::Personal, subject) => {
                // Origins believe that whoever has such a key is its subject.
                let subject = subject.unwrap_or(&call.actor);
                if subject != call.actor {
                    wrong("subject", "has to be yourself");
                } else if self.member(subject)?.is_none() {
                    wrong("subject", "is no member of this workspace");
                }
                document.subject = Some(subject.to_owned());
            }
            (_, Some(_)) => wrong("subject", "is for personal keys"),
            _ => {}
        }
        match (document.kind, text("project_id")) {
            (KeyType::Project, Some(project)) => {
                document.bindings.insert(PROJECT.to_owned(), vec![project.to_owned()]);
            }
            (KeyType::Project, None) => wrong("project_id", "is required for a project key"),
            (_, Some(_)) => wrong("project_id", "is for project keys"),
            _ => {}
        }
        Ok(errors)
    }
}

/// 32 bytes, of which each label and number has its own.
pub(super) fn draw(entropy: &[u8; 32], label: &[u8], number: u16) -> [u8; 32] {
    *MacKey::new(entropy).mac(&[label, &number.to_be_bytes()]).as_bytes()
}

/// Where a personal key is found by its subject.
pub(super) fn owned_row(subject: &str, kid: &str) -> String {
    format!("owned/{subject}/{kid}")
}

pub(super) fn too_large() -> Problem {
    Problem::field("", "is more than a key's record holds (16 KiB)")
}

pub(super) fn defect() -> Problem {
    Problem::new(500, "INTERNAL", "The workspace failed.")
}

const SCOPES: &str = "scopes";
const ATTEMPTS: u8 = 8;
