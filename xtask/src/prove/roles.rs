//! Who may do what, as the served document says it.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::desk::{Desk, WORKSPACES, code, create, join, text};
use super::progress::Progress;
use super::site::Site;
use super::{Bar, Verdict};
use crate::api::Api;
use crate::http::Reply;

pub(super) const BAR: Bar = Bar {
    name: "roles",
    goal: "every role on every operation of the served document, in its own workspace, another's and \
           one that is not there: answered as declared; the last two alike to the byte",
    unit: "times all of them",
    ci: 1,
    full: 5,
    sources: SOURCES,
    run,
};

fn run(site: &Site, size: u64, _: &mut Progress) -> Result<Verdict> {
    let mut verdict = Verdict::default();
    let desk = Desk::start(site, "roles", 1)?;
    let (mut cells, mut statuses) = (0_u64, BTreeMap::<u16, u64>::new());
    for _ in 0..size {
        let matrix = Matrix::of(&desk)?;
        for operation in &matrix.operations {
            for role in ROLES {
                let mut elsewhere: Vec<(usize, String)> = Vec::new();
                for place in 0..operation.places() {
                    let expected = matrix.expected(operation, role, place);
                    let reply = matrix.ask(operation, role, place)?;
                    let told = format!(
                        "{role} on {} in workspace {place}: {} {}",
                        operation.id,
                        reply.status,
                        code(&reply)
                    );
                    let as_declared = reply.status == expected.0
                        && (expected.1.is_empty() || code(&reply) == expected.1)
                        && operation.declared.contains(&reply.status);
                    verdict.require(as_declared, || format!("{told}, not {expected:?}"));
                    if expected.1 == NOT_FOUND.1 {
                        elsewhere.push((place, without_id(&reply)?));
                    }
                    cells += 1;
                    *statuses.entry(reply.status).or_default() += 1;
                }
                let alike = elsewhere.windows(2).all(|pair| pair[0].1 == pair[1].1);
                verdict.require(alike, || {
                    format!("{role} on {} tells workspaces apart: {elsewhere:?}", operation.id)
                });
            }
            matrix.check_gated(operation, &mut verdict)?;
        }
        verdict.figure("operations", matrix.operations.len());
    }
    verdict.figure("cells", cells);
    verdict.figure("statuses", json!(statuses));
    Ok(verdict)
}

/// An operation of the document.
struct Operation {
    id: String,
    method: String,
    path: String,
    access: String,
    /// A small body that fits.
    body: Option<Value>,
    success: u16,
    declared: Vec<u16>,
}

impl Operation {
    fn all(document: &Value) -> Result<Vec<Self>> {
        let mut all = Vec::new();
        for (path, operations) in document["paths"].as_object().context("no paths")? {
            for (method, own) in operations.as_object().context("no operations")? {
                let schema = &own["requestBody"]["content"]["application/json"]["schema"];
                let responses = own["responses"].as_object().context("no responses")?;
                let declared = responses.keys().map(|status| status.parse());
                let declared = declared.collect::<Result<Vec<u16>, _>>()?;
                all.push(Self {
                    id: text(own, "operationId")?,
                    method: method.to_ascii_uppercase(),
                    path: path.clone(),
                    access: text(own, "x-portcullis-access")?,
                    body: schema.is_object().then(|| sample(document, schema)),
                    success: *declared.iter().find(|status| **status < 300).context("success")?,
                    declared,
                });
            }
        }
        ensure!(all.len() > 20, "only {} operations", all.len());
        Ok(all)
    }

    /// In how many workspaces it can be tried.
    fn places(&self) -> usize {
        if self.path.contains("{workspace}") { 3 } else { 1 }
    }
}

/// The least value that fits a schema; of an object that needs nothing, with its name and scopes: what a
/// key may do if nobody says is in no policy here.
fn sample(document: &Value, schema: &Value) -> Value {
    if let Some(reference) = schema["$ref"].as_str() {
        let pointer = reference.trim_start_matches('#');
        return sample(document, document.pointer(pointer).unwrap_or(&Value::Null));
    }
    if let Some(first) = ["enum", "examples"].iter().find_map(|list| schema[*list].get(0)) {
        return first.clone();
    }
    if let Some(first) = schema["anyOf"].get(0) {
        return sample(document, first);
    }
    match schema["type"].as_str().unwrap_or_default() {
        "object" => {
            let required = schema["required"].as_array().into_iter().flatten();
            let mut names: Vec<&str> = required.filter_map(Value::as_str).collect();
            if names.is_empty() {
                names.push("name");
                let is_there = |name: &&str| schema["properties"][*name].is_object();
                names.extend(Some("scopes").filter(is_there));
            }
            let member =
                |name: &str| (name.to_owned(), sample(document, &schema["properties"][name]));
            names.into_iter().map(member).collect::<serde_json::Map<_, _>>().into()
        }
        "array" => json!([sample(document, &schema["items"])]),
        "integer" => schema["minimum"].clone(),
        "boolean" => json!(true),
        _ if schema["format"] == "date-time" => json!("2100-01-01T00:00:00Z"),
        _ => json!("x"),
    }
}

/// The workspaces, and who is what in them.
struct Matrix<'a> {
    desk: &'a Desk,
    operations: Vec<Operation>,
    /// By the paths of them: that of `member`, `admin` and `owner`; that of `foreign_admin`; none.
    places: [String; 3],
}

impl<'a> Matrix<'a> {
    fn of(desk: &'a Desk) -> Result<Self> {
        let document = desk.bearer(None)?.done("GET", "/api/v1/openapi.json", None)?;
        let owner = desk.subject("owner")?;
        let [own, foreign] = [desk.workspace()?, desk.workspace()?];
        for role in ["member", "admin"] {
            join(&owner, &own, &format!("dev:{role}"), role)?;
        }
        join(&owner, &foreign, "dev:foreign_admin", "admin")?;
        join(&owner, &foreign, "dev:foreign_owner", "owner")?;
        owner.done("DELETE", &format!("{foreign}/members/dev:owner"), None)?;
        let operations = Operation::all(&document)?;
        Ok(Self { desk, operations, places: [own, foreign, format!("{WORKSPACES}/{UNKNOWN}")] })
    }

    /// The status that is declared, and the code of a refusal.
    fn expected(&self, operation: &Operation, role: &str, place: usize) -> (u16, &'static str) {
        // Nothing was refused here by this id: `tests/it/management/denials.rs` has what is told of one.
        let found = operation.id != "getDenial";
        let done = if found { (operation.success, "") } else { NOT_FOUND };
        let rank = |access: &str| RANKS.iter().position(|rank| *rank == access);
        match (operation.access.as_str(), role) {
            ("public", _) | ("key", "key") => done,
            // None of them signs.
            ("scanner", _) => (401, "INVALID_SIGNATURE"),
            ("key", "nobody") => (401, "MISSING_API_KEY"),
            ("key", _) => FORBIDDEN,
            (_, "nobody") => (401, "INVALID_TOKEN"),
            (_, "key") => (403, "API_KEY_NOT_ALLOWED"),
            ("token", role) if operation.id == "createWorkspace" && role != "owner" => FORBIDDEN,
            ("token", _) => done,
            (access, role) => {
                let standing = match (role, place) {
                    ("member" | "admin" | "owner", 0) => rank(role),
                    ("foreign_admin", 1) => rank("admin"),
                    _ => None,
                };
                match standing {
                    None => NOT_FOUND,
                    Some(standing) if Some(standing) >= rank(access) => done,
                    Some(_) => FORBIDDEN,
                }
            }
        }
    }

    /// Asks once, for things that are there and that nobody else has asked for.
    fn ask(&self, operation: &Operation, role: &str, place: usize) -> Result<Reply> {
        let owner = self.owner(place)?;
        let is_there = place < 2;
        let mut path =
            operation.path.replace("/api/v1/workspaces/{workspace}", &self.places[place]);
        path = path.replace("{request_id}", REQUEST_ID);
        if path.contains("{kid}") {
            let kid = if is_there {
                create(&owner, &self.places[place], &json!({}))?.0
            } else {
                KID.to_owned()
            };
            path = path.replace("{kid}", &kid);
        }
        if operation.path.contains("/webhooks") && operation.method != "PUT" && is_there {
            let put = self.operations.iter().find(|own| own.id == "putWebhook");
            let put = put.context("no operation putWebhook")?;
            let target = format!("{}/webhooks", self.places[place]);
            owner.done("PUT", &target, put.body.as_ref())?;
        }
        let mut leaves = None;
        if path.contains("{member}") {
            // Whoever is no admin may end no membership but the own.
            let own = operation.id == "removeMember" && role == "member" && place == 0;
            let member = if own { "dev:member" } else { "dev:somebody" };
            if is_there {
                join(&owner, &self.places[place], member, "member")?;
            }
            leaves = own.then_some(member);
            path = path.replace("{member}", member);
        }
        let api = match role {
            "nobody" => self.desk.bearer(None)?,
            "key" => {
                self.desk.bearer(Some(create(&self.owner(0)?, &self.places[0], &json!({}))?.1))?
            }
            subject => self.desk.subject(subject)?,
        };
        let reply = api.ask(&operation.method, &path, operation.body.as_ref())?;
        if let Some(member) = leaves {
            join(&owner, &self.places[place], member, "member")?;
        }
        Ok(reply)
    }

    fn owner(&self, place: usize) -> Result<Api> {
        self.desk.subject(if place == 1 { "foreign_owner" } else { "owner" })
    }

    /// On a gated host the path is any path that no route has.
    fn check_gated(&self, operation: &Operation, verdict: &mut Verdict) -> Result<()> {
        let api = self.desk.subject("owner")?.on_host("127.0.0.1");
        let path = operation.path.replace("/api/v1/workspaces/{workspace}", &self.places[0]);
        let path = path.replace("{kid}", KID).replace("{member}", "dev:member");
        let path = path.replace("{request_id}", REQUEST_ID);
        let reply = api.ask(&operation.method, &path, operation.body.as_ref())?;
        let other = api.ask(&operation.method, "/nothing/here", operation.body.as_ref())?;
        let alike = without_id(&reply)? == without_id(&other)?;
        verdict.require(alike && code(&reply) == "UNKNOWN_ROUTE", || {
            format!("{} on a gated host: {} {}", operation.id, reply.status, reply.text())
        });
        Ok(())
    }
}

/// An answer but for its request id and date.
fn without_id(reply: &Reply) -> Result<String> {
    let id = reply.header("x-request-id").context("no request id")?;
    let mut headers = reply.headers.clone();
    headers.retain(|(name, _)| name != "date");
    Ok(format!("{} {headers:?} {}", reply.status, reply.text()).replace(id, "ID"))
}

const ROLES: [&str; 7] = ["nobody", "key", "stranger", "member", "admin", "owner", "foreign_admin"];
const RANKS: [&str; 3] = ["member", "admin", "owner"];
const NOT_FOUND: (u16, &str) = (404, "NOT_FOUND");
const FORBIDDEN: (u16, &str) = (403, "PERMISSION_DENIED");
/// Never opened.
const UNKNOWN: &str = "N0B0DY";
/// Well-formed, and of no key.
const KID: &str = "0N0B0DY00000000000AA";
/// Of no request.
const REQUEST_ID: &str = "00000000000000000000000000000000";
/// What the bars of the management API depend on besides.
pub(super) const SOURCES: &[&str] =
    &["policy.toml", "tests/prove/management.toml", "xtask/src/api.rs", "xtask/src/issuer/mod.rs"];
