//! The workspace itself.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use super::super::{META, Meta, Object};
use super::about::{self, difference};
use super::keys::stale;
use super::members::{Member, member_row, role_change};
use super::settings;
use super::{Change, Done, Outcome, Request, Stored, taken};
use crate::key::Workspace;
use crate::management::problem::Problem;
use crate::management::role::Role;
use crate::management::time;
use crate::policy::Limits;

/// What is told of it and decides nothing.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Space {
    name: String,
    created: Option<u64>,
}

impl Object<'_> {
    /// Makes it, with the one who asks as its owner. The path names its number.
    pub(super) fn open_workspace(&mut self, request: &Request<'_>) -> Outcome<Done> {
        let number = request.call.workspace.as_str();
        let number = Workspace::parse(number).ok_or_else(taken)?;
        let name = request.body.get("name").and_then(Json::as_str).unwrap_or_default().to_owned();
        let meta = Meta { version: 1, ..Meta::new(number.as_str()) };
        let created = self.now.seconds();
        let owner = &request.call.actor;
        let member = Member { role: Role::Owner, added: created, added_by: owner.clone() };
        self.rows.put(META.to_owned(), &meta);
        self.rows.put(SPACE.to_owned(), &Stored(Space { name, created: Some(created) }));
        self.rows.put(member_row(owner), &Stored(member));
        self.meta = Some(meta.clone());
        let body = self.view(&meta, Role::Owner)?;
        let mut changes = role_change(None, Some(Role::Owner));
        changes.insert("name".to_owned(), json!([null, body.get("name")]));
        let target = meta.workspace.clone();
        let change = Change { action: "workspace.create", target, changes };
        let (version, member) = (Some(meta.version), Some(owner.clone()));
        Ok(Done { status: 201, version, member, ..Done::changed(Json::Object(body), change) })
    }

    pub(super) fn get_workspace(&self, meta: &Meta, request: &Request<'_>) -> Outcome<Done> {
        let body = Json::Object(self.view(meta, request.role)?);
        Ok(Done { version: Some(meta.version), ..Done::read(body) })
    }

    pub(super) fn update_workspace(&mut self, meta: &Meta, request: &Request<'_>) -> Outcome<Done> {
        if request.call.version.is_some_and(|version| version != meta.version) {
            return Err(stale().into());
        }
        let before = self.view(meta, request.role)?;
        let mut after = meta.clone();
        if let Some(limits) = request.body.get("limits") {
            let limits =
                settings::limits(limits).map_err(|wrong| Problem::field("limits", wrong))?;
            let most = self.gate.policy.workspace(&meta.workspace).limits;
            let above =
                |limits: Limits| most.is_some_and(|most| !Limits::is_within(&limits, &most));
            if limits.is_some_and(above) {
                let message = "are above those of the policy for this workspace";
                return Err(Problem::field("limits", message).into());
            }
            after.limits = limits;
        }
        if let Some(name) = request.body.get("name").and_then(Json::as_str) {
            let space = Space { name: name.to_owned(), ..self.space()? };
            self.rows.put(SPACE.to_owned(), &Stored(space));
        }
        after.version = meta.version.saturating_add(1);
        self.meta = Some(after.clone());
        let body = self.view(&after, request.role)?;
        let changes = difference(&before, &body);
        if changes.is_empty() {
            self.rows.undo();
            let version = Some(meta.version);
            return Ok(Done { version, ..Done::read(Json::Object(before)) });
        }
        self.rows.put(META.to_owned(), &after);
        let change = Change { action: "workspace.update", target: meta.workspace.clone(), changes };
        Ok(Done {
            version: Some(after.version),
            effective_by: Some(self.last_lease_end()?),
            ..Done::changed(Json::Object(body), change)
        })
    }

    fn view(&self, meta: &Meta, role: Role) -> Outcome<Map<String, Json>> {
        let Space { name, created } = self.space()?;
        let name = if name.is_empty() { meta.workspace.clone() } else { name };
        Ok(about::object([
            ("id", json!(meta.workspace)),
            ("name", json!(name)),
            ("role", json!(role)),
            ("created", json!(created.map(time::print))),
            ("keys", json!(self.active(meta)?)),
            ("max_active_keys", json!(self.gate.policy.management.max_active_keys.get())),
            ("limits", json!(self.shared_limits())),
            ("version", json!(meta.version)),
        ]))
    }

    fn space(&self) -> Outcome<Space> {
        let space = self.rows.get::<Stored<Space>>(SPACE)?;
        Ok(space.map(|Stored(space)| space).unwrap_or_default())
    }
}

const SPACE: &str = "space";
