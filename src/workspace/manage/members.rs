//! Who may do what in a workspace.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use super::super::{Meta, Object};
use super::create::owned_row;
use super::{Change, Done, Outcome, Request, Stored};
use crate::key::Kid;
use crate::management::problem::Problem;
use crate::management::role::Role;
use crate::management::{body, time};
use crate::record::Status;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Member {
    pub(super) role: Role,
    /// Seconds.
    pub(super) added: u64,
    pub(super) added_by: String,
}

impl Member {
    fn view(&self, id: &str) -> Json {
        json!({
            "member": id,
            "role": self.role,
            "added": time::print(self.added),
            "added_by": self.added_by,
        })
    }
}

impl Object<'_> {
    /// The role of somebody; `None` for a stranger. Who is named in the policy is an owner as long
    /// as there is no other.
    pub(super) fn role(&self, id: &str) -> Outcome<Option<Role>> {
        let owners = &self.gate.policy.management.bootstrap_owners;
        if owners.iter().any(|owner| owner.as_str() == id) && self.owners()? == 0 {
            return Ok(Some(Role::Owner));
        }
        Ok(self.member(id)?.map(|member| member.role))
    }

    pub(super) fn list_members(&self) -> Outcome<Done> {
        let members = self.members()?;
        let views: Vec<Json> = members.iter().map(|(id, member)| member.view(id)).collect();
        Ok(Done::read(json!({ "members": views })))
    }

    pub(super) fn get_member(&self, request: &Request<'_>) -> Outcome<Done> {
        let id = named(request)?;
        let member = self.member(id)?.ok_or_else(Problem::not_found)?;
        Ok(Done::read(member.view(id)))
    }

    pub(super) fn put_member(&mut self, request: &Request<'_>) -> Outcome<Done> {
        let id = &request.params.member;
        self.check_id(id)?;
        let role = request.body.get("role").and_then(Json::as_str).and_then(Role::parse);
        let role = role.ok_or_else(super::create::defect)?;
        let before = self.member(id)?;
        let was = before.as_ref().map(|member| member.role);
        if request.role != Role::Owner && (role == Role::Owner || was == Some(Role::Owner)) {
            return Err(Problem::forbidden("owner").into());
        }
        if was == Some(Role::Owner) && role != Role::Owner {
            self.check_other_owner()?;
        }
        if let Some(before) = before.filter(|before| before.role == role) {
            return Ok(Done { member: Some(id.clone()), ..Done::read(before.view(id)) });
        }
        if was.is_none() && self.members()?.len() >= MAX_MEMBERS {
            let message = format!("a workspace has at most {MAX_MEMBERS} members");
            return Err(Problem::field("member", message).into());
        }
        let added_by = request.call.actor.clone();
        let member = Member { role, added: self.now.seconds(), added_by };
        let body = member.view(id);
        self.rows.put(member_row(id), &Stored(member));
        let change = Change {
            action: if was.is_some() { "member.change" } else { "member.add" },
            target: id.clone(),
            changes: role_change(was, Some(role)),
        };
        Ok(Done { member: Some(id.clone()), ..Done::changed(body, change) })
    }

    pub(super) fn remove_member(&mut self, meta: &Meta, request: &Request<'_>) -> Outcome<Done> {
        let id = named(request)?;
        let leaves = id == request.call.actor;
        if !leaves && request.role < Role::Admin {
            return Err(Problem::forbidden("admin or owner").into());
        }
        let member = self.member(id)?.ok_or_else(Problem::not_found)?;
        if member.role == Role::Owner {
            if request.role != Role::Owner {
                return Err(Problem::forbidden("owner").into());
            }
            self.check_other_owner()?;
        }
        let (mut revoked, mut effective_by) = (Vec::new(), self.now.millis());
        let owned = self.owned(id)?;
        self.require_known(&owned)?;
        for kid in owned {
            let Some(known) = self.known(meta, &kid)? else { continue };
            if known.document.status == Status::Revoked {
                continue;
            }
            let (written, _) = self.turn(meta, known, Status::Revoked, "")?;
            effective_by = effective_by.max(written.effective_by);
            revoked.push(kid);
        }
        self.rows.delete(member_row(id));
        let mut changes = role_change(Some(member.role), None);
        let body = json!({
            "removed": true,
            "revoked_keys": revoked.len(),
            "effective_by": time::print_millis(effective_by),
        });
        if !revoked.is_empty() {
            changes.insert("revoked_keys".to_owned(), json!([[], revoked]));
        }
        let change = Change { action: "member.remove", target: id.to_owned(), changes };
        Ok(Done {
            effective_by: Some(effective_by),
            member: Some(id.to_owned()),
            ..Done::changed(body, change)
        })
    }

    /// The personal keys of a member.
    fn owned(&self, id: &str) -> Outcome<Vec<String>> {
        let prefix = owned_row(id, "");
        let rows = self.all::<u64>(&prefix)?;
        // Another member's id may begin with this one.
        let kid = |name: &String| Some(Kid::parse(name.strip_prefix(&prefix)?)?.to_string());
        Ok(rows.iter().filter_map(|(name, _)| kid(name)).collect())
    }

    pub(super) fn member(&self, id: &str) -> Outcome<Option<Member>> {
        let member = self.rows.get::<Stored<Member>>(&member_row(id))?;
        Ok(member.map(|Stored(member)| member))
    }

    fn members(&self) -> Outcome<Vec<(String, Member)>> {
        let members = self.all::<Stored<Member>>(MEMBERS)?.into_iter();
        let id = |name: &str| name.strip_prefix(MEMBERS).unwrap_or_default().to_owned();
        Ok(members.map(|(name, Stored(member))| (id(&name), member)).collect())
    }

    fn owners(&self) -> Outcome<usize> {
        let members = self.members()?;
        Ok(members.iter().filter(|(_, member)| member.role == Role::Owner).count())
    }

    fn check_other_owner(&self) -> Outcome<()> {
        if self.owners()? > 1 {
            return Ok(());
        }
        Err(Problem::new(409, "LAST_OWNER", "A workspace keeps one owner at least.").into())
    }

    /// Whether a member of this id could ever come with a token.
    fn check_id(&self, id: &str) -> Outcome<()> {
        let issuer = id.split(':').next().unwrap_or_default();
        let known = self.gate.policy.issuers.iter().any(|own| own.name.as_str() == issuer);
        let wrong = match (body::MEMBER.check)(id) {
            Err(wrong) => Some(wrong),
            Ok(()) if !known => Some("names an issuer that is not in the policy".to_owned()),
            Ok(()) => None,
        };
        wrong.map_or(Ok(()), |wrong| Err(Problem::field("member", wrong).into()))
    }
}

/// The member that a path names: rows are named by it, so nothing else may stand there.
fn named<'a>(request: &'a Request<'_>) -> Result<&'a str, Problem> {
    let id = request.params.member.as_str();
    (body::MEMBER.check)(id).map(|()| id).map_err(|_| Problem::not_found())
}

pub(super) fn role_change(was: Option<Role>, is: Option<Role>) -> Map<String, Json> {
    let mut changes = Map::new();
    changes.insert("role".to_owned(), json!([was, is]));
    changes
}

pub(in super::super) fn member_row(id: &str) -> String {
    format!("{MEMBERS}{id}")
}

const MEMBERS: &str = "member/";
const MAX_MEMBERS: usize = 500;
