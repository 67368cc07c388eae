//! What the management API asks of a workspace: role, checks, change and audit row, all in the one
//! transaction of the call.

mod about;
mod audit;
mod create;
mod denials;
mod expiry;
mod import;
mod keys;
mod leak;
mod live;
mod members;
mod once;
mod policy;
mod refusals;
mod rotation;
mod settings;
mod signing;
mod space;
mod usage;
mod webhooks;

pub(super) use about::object;
pub(super) use members::member_row;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};

use super::call::{Answer, Manage, Managed};
use super::rows::{Range, Stop, Value};
use super::{Meta, Object};
use crate::fields::BadField;
use crate::management::endpoint::{self, Endpoint, Found, Operation, Params};
use crate::management::problem::Problem;
use crate::management::role::Role;
use crate::management::{json, query};
use crate::record::Status;

/// Why a request cannot be answered with success.
enum Trouble {
    /// Rows are missing or damaged.
    Stop(Stop),
    /// It is refused.
    Problem(Problem),
}

impl From<Stop> for Trouble {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

impl From<Problem> for Trouble {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

type Outcome<T> = Result<T, Trouble>;

/// A request that the one who makes it may make.
struct Request<'a> {
    call: &'a Manage,
    params: Params,
    query: Map<String, Json>,
    body: Map<String, Json>,
    role: Role,
}

impl Request<'_> {
    /// A query parameter that is a number.
    fn number(&self, name: &str) -> Option<u64> {
        self.query.get(name)?.as_u64()
    }

    /// A query parameter that is text.
    fn word(&self, name: &str) -> Option<&str> {
        self.query.get(name)?.as_str()
    }

    /// How many items a page has.
    fn page(&self) -> u32 {
        self.number("limit").and_then(|limit| u32::try_from(limit).ok()).unwrap_or(PAGE)
    }
}

/// What was done.
struct Done {
    status: u16,
    version: Option<u64>,
    effective_by: Option<u64>,
    body: Json,
    /// Shown once: neither kept nor repeated.
    secret: Option<String>,
    /// The same of a signing secret.
    signing_secret: Option<String>,
    /// Whose membership it is about.
    member: Option<String>,
    /// An audit entry each.
    changes: Vec<Change>,
}

/// What an audit entry says of a change.
pub(super) struct Change {
    action: &'static str,
    target: String,
    changes: Map<String, Json>,
}

impl Change {
    /// Of fields: what they were and what they are.
    pub(super) fn new(action: &'static str, target: &str, changes: Map<String, Json>) -> Self {
        Self { action, target: target.to_owned(), changes }
    }

    /// Of the number of active keys.
    pub(super) fn of_keys(action: &'static str, meta: &Meta, was: u32, is: u32) -> Self {
        let mut changes = Map::new();
        changes.insert("keys".to_owned(), serde_json::json!([was, is]));
        Self { action, target: meta.workspace.clone(), changes }
    }
}

impl Done {
    fn read(body: Json) -> Self {
        Self {
            status: 200,
            version: None,
            effective_by: None,
            body,
            secret: None,
            signing_secret: None,
            member: None,
            changes: Vec::new(),
        }
    }

    fn changed(body: Json, change: Change) -> Self {
        Self { changes: vec![change], ..Self::read(body) }
    }
}

/// A row of JSON, for what is written seldom.
struct Stored<T>(T);

impl<T: Serialize + DeserializeOwned> Value for Stored<T> {
    fn parse(text: &str) -> Result<Self, BadField> {
        serde_json::from_slice(text.as_bytes()).map(Self).map_err(|_| BadField)
    }

    fn print(&self) -> String {
        // Text and numbers alone.
        serde_json::to_string(&self.0).unwrap_or_default()
    }
}

impl Object<'_> {
    /// Answers a request. One that is refused leaves no trace.
    pub(super) fn manage(&mut self, call: &Manage) -> Result<Answer, Stop> {
        match self.managed(call) {
            Ok(managed) => Ok(Answer::Managed(managed)),
            Err(Trouble::Stop(stop)) => Err(stop),
            Err(Trouble::Problem(problem)) => {
                self.rows.undo();
                self.alarm = None;
                let body = serde_json::to_string(&problem).unwrap_or_default();
                let status = problem.status;
                let (version, effective_by, repeated, noted) = (None, None, false, None);
                let managed = Managed { status, version, effective_by, repeated, noted, body };
                Ok(Answer::Managed(managed))
            }
        }
    }

    fn managed(&mut self, call: &Manage) -> Outcome<Managed> {
        let (path, search) = call.target.split_once('?').unwrap_or((&call.target, ""));
        let Found::Endpoint(endpoint, params) = endpoint::find(&call.method, path) else {
            return Err(Problem::not_found().into());
        };
        if endpoint.operation == Operation::ReportLeaks {
            let meta = self.meta.clone().ok_or_else(Problem::not_found)?;
            let done = self.quarantine_key(&meta, call)?;
            return self.finish(call, done);
        }
        let opens = endpoint.operation == Operation::CreateWorkspace;
        let role = match (&self.meta, opens) {
            (None, true) => Role::Owner,
            (None, false) => return Err(Problem::not_found().into()),
            (Some(_), true) => self.role(&call.actor)?.ok_or_else(taken)?,
            (Some(_), false) => self.role(&call.actor)?.ok_or_else(Problem::not_found)?,
        };
        if !role.may(endpoint.access) {
            let needs = if role == Role::Member { "admin or owner" } else { "owner" };
            return Err(Problem::forbidden(needs).into());
        }
        if let Some(managed) = self.repeated(call)? {
            return Ok(managed);
        }
        let query = query::parse(search, endpoint.query)?;
        let body = body(endpoint, &call.body)?;
        let request = Request { call, params, query, body, role };
        let done = match self.meta.clone() {
            None => self.open_workspace(&request)?,
            Some(meta) => self.act(endpoint.operation, &meta, &request)?,
        };
        self.finish(call, done)
    }

    fn act(&mut self, operation: Operation, meta: &Meta, request: &Request<'_>) -> Outcome<Done> {
        match operation {
            Operation::GetWorkspace => self.get_workspace(meta, request),
            Operation::UpdateWorkspace => self.update_workspace(meta, request),
            Operation::ListKeys => self.list_keys(meta, request),
            Operation::CreateKey => self.create_key(meta, request),
            Operation::ImportKeys => self.import_keys(meta, request),
            Operation::RevokeAll => self.revoke_all_keys(meta, request),
            Operation::GetKey => self.get_key(meta, request),
            Operation::UpdateKey => self.update_key(meta, request),
            Operation::RevokeKey => self.revoke_key(meta, request),
            Operation::RotateKey => self.rotate_key(meta, request),
            Operation::DisableKey => self.turn_key(meta, request, Status::Disabled),
            Operation::EnableKey => self.turn_key(meta, request, Status::Active),
            Operation::KeyUsage => self.key_usage(meta, request),
            Operation::ListMembers => self.list_members(),
            Operation::GetMember => self.get_member(request),
            Operation::PutMember => self.put_member(request),
            Operation::RemoveMember => self.remove_member(meta, request),
            Operation::ListAudit => self.list_audit(request),
            Operation::VerifyAudit => self.verify_audit(request),
            Operation::WorkspaceUsage => self.workspace_usage(request),
            Operation::ListDenials => self.list_denials(),
            Operation::GetDenial => self.get_denial(meta, request),
            Operation::GetPolicy => Ok(self.get_policy(meta)),
            Operation::PutAlerts => self.put_alerts(meta, request),
            Operation::GetWebhook => self.get_webhook(request),
            Operation::PutWebhook => self.put_webhook(meta, request),
            Operation::RotateWebhook => self.rotate_webhook(meta, request),
            Operation::RemoveWebhook => self.remove_webhook(meta, request),
            // Not of one workspace; or of one that is there already.
            Operation::Document
            | Operation::Me
            | Operation::ListWorkspaces
            | Operation::CreateWorkspace
            | Operation::OwnUsage
            | Operation::ReportLeaks => Err(taken().into()),
        }
    }

    /// Writes the audit entries, without which nothing is changed.
    fn finish(&mut self, call: &Manage, done: Done) -> Outcome<Managed> {
        let Done {
            status,
            version,
            effective_by,
            mut body,
            secret,
            signing_secret,
            member,
            changes,
        } = done;
        if changes.is_empty() && self.rows.changes().next().is_some() {
            return Err(Problem::new(500, "INTERNAL", "A change without an audit entry.").into());
        }
        let is_change = !changes.is_empty();
        for change in changes {
            self.append_audit(call, change)?;
        }
        let noted = match member {
            Some(member) => {
                let at = self.last_change()?;
                if is_change {
                    self.note_later(&member, at);
                }
                Some(at)
            }
            None => None,
        };
        let managed = |body: &Json, repeated| Managed {
            status,
            version,
            effective_by,
            repeated,
            noted,
            body: body.to_string(),
        };
        self.remember(call, &managed(&body, true))?;
        for (name, secret) in [("secret", secret), ("signing_secret", signing_secret)] {
            if let (Some(secret), Some(fields)) = (secret, body.as_object_mut()) {
                fields.insert(name.to_owned(), secret.into());
            }
        }
        Ok(managed(&body, false))
    }

    /// Every row of a prefix, however many.
    fn all<T: Value>(&self, prefix: &str) -> Result<Vec<(String, T)>, Stop> {
        self.rows.all(Range::of(prefix, CHUNK))
    }
}

/// Reads and checks a body.
fn body(endpoint: &Endpoint, text: &str) -> Result<Map<String, Json>, Problem> {
    let Some(object) = endpoint.body else { return Ok(Map::new()) };
    let value = json::parse(text)
        .map_err(|wrong| Problem::new(400, "BAD_REQUEST", format!("The body is {wrong}.")))?;
    match (object.check(&value).map(drop), value) {
        (Ok(()), Json::Object(fields)) => Ok(fields),
        (Err(errors), _) => Err(Problem::invalid(errors)),
        (Ok(()), _) => Err(Problem::invalid(Vec::new())),
    }
}

/// The number of a new workspace is in use.
fn taken() -> Problem {
    Problem::new(409, "VERSION_CONFLICT", "There is such a workspace.")
}

const PAGE: u32 = 50;
const CHUNK: u32 = 500;
