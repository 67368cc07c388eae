//! The endpoints: what a method and a path ask for, and who may.

use super::schema::{Field, Object};
use super::table::ENDPOINTS;
use crate::target::decoded_text;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// The OpenAPI document.
    Document,
    /// Whom the token speaks of.
    Me,
    /// The workspaces of the token's subject.
    ListWorkspaces,
    /// A new workspace, of which the subject becomes the owner.
    CreateWorkspace,
    /// One workspace.
    GetWorkspace,
    /// Changes its name or limits.
    UpdateWorkspace,
    /// Its keys.
    ListKeys,
    /// A new key.
    CreateKey,
    /// Keys that were made elsewhere.
    ImportKeys,
    /// Revokes every key.
    RevokeAll,
    /// One key.
    GetKey,
    /// Changes it.
    UpdateKey,
    /// Revokes it.
    RevokeKey,
    /// Gives it a new secret.
    RotateKey,
    /// Holds it back.
    DisableKey,
    /// Lets it go on.
    EnableKey,
    /// What it was used for.
    KeyUsage,
    /// The members.
    ListMembers,
    /// One member.
    GetMember,
    /// Makes somebody a member, or changes the role.
    PutMember,
    /// Ends a membership.
    RemoveMember,
    /// What was changed, by whom.
    ListAudit,
    /// Whether the record of changes is whole.
    VerifyAudit,
    /// What all keys were used for.
    WorkspaceUsage,
    /// The requests that were refused of late.
    ListDenials,
    /// By what a request was refused.
    GetDenial,
    /// What the policy says to its members.
    GetPolicy,
    /// At which parts of its limit a key is told of.
    PutAlerts,
    /// Where alerts go, and what became of them.
    GetWebhook,
    /// Sets where they go.
    PutWebhook,
    /// Gives the webhook another secret.
    RotateWebhook,
    /// Ends it.
    RemoveWebhook,
    /// What the key that asks was used for.
    OwnUsage,
    /// Keys that a secret scanner has found.
    ReportLeaks,
}

/// Who may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Anybody.
    Public,
    /// An API key, for itself.
    Key,
    /// A secret scanner, by its signature.
    Scanner,
    /// Whoever has a token.
    Token,
    /// A member of the workspace.
    Member,
    /// An admin of it, or an owner.
    Admin,
    /// An owner of it.
    Owner,
}

impl Access {
    /// The word in the document.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Key => "key",
            Self::Scanner => "scanner",
            Self::Token => "token",
            Self::Member => "member",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }
}

/// One endpoint.
#[derive(Debug)]
pub struct Endpoint {
    /// What it does.
    pub operation: Operation,
    /// Its name in the document.
    pub id: &'static str,
    /// The method.
    pub method: &'static str,
    /// The path: segments, of which `{…}` stand for any text.
    pub path: &'static str,
    /// Who may use it.
    pub access: Access,
    /// The body it takes.
    pub body: Option<&'static Object>,
    /// The query parameters it knows.
    pub query: &'static [Field],
    /// The status and body of its success.
    pub success: (u16, &'static Object),
    /// Whether `If-Match` may say which version it is about.
    pub versioned: bool,
    /// Whether body and answer are lists of such objects.
    pub listed: bool,
    /// For the documentation.
    pub summary: &'static str,
}

/// What the path of a request names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params {
    /// A workspace's number, or `current`.
    pub workspace: String,
    /// A key.
    pub kid: String,
    /// A member.
    pub member: String,
    /// A request.
    pub request_id: String,
}

/// Where a request leads.
#[derive(Debug)]
pub enum Found {
    /// To an endpoint.
    Endpoint(&'static Endpoint, Params),
    /// To a path that takes other methods, separated by `, `.
    Method(String),
    /// Nowhere.
    Nothing,
}

/// Finds the endpoint of a method and a path. `HEAD` is `GET`.
#[must_use]
pub fn find(method: &str, path: &str) -> Found {
    let method = if method == "HEAD" { "GET" } else { method };
    let mut others: Vec<&str> = Vec::new();
    for endpoint in ENDPOINTS {
        let Some(params) = endpoint.params(path) else { continue };
        if endpoint.method == method {
            return Found::Endpoint(endpoint, params);
        }
        others.push(endpoint.method);
        if endpoint.method == "GET" {
            others.push("HEAD");
        }
    }
    if others.is_empty() { Found::Nothing } else { Found::Method(others.join(", ")) }
}

impl Endpoint {
    /// Whether it changes nothing.
    #[must_use]
    pub fn is_read(&self) -> bool {
        self.method == "GET"
    }

    /// Whether its success has an `ETag`.
    #[must_use]
    pub const fn is_tagged(&self) -> bool {
        let shows = matches!(
            self.operation,
            Operation::CreateWorkspace
                | Operation::GetWorkspace
                | Operation::CreateKey
                | Operation::GetKey
                | Operation::GetWebhook
        );
        self.versioned || shows
    }

    fn params(&self, path: &str) -> Option<Params> {
        let (mut own, mut sent) = (self.path.split('/'), path.split('/'));
        let mut params = Params::default();
        loop {
            match (own.next(), sent.next()) {
                (None, None) => return Some(params),
                (Some(own), Some(sent)) => {
                    let slot = match own {
                        "{workspace}" => &mut params.workspace,
                        "{kid}" => &mut params.kid,
                        "{member}" => &mut params.member,
                        "{request_id}" => &mut params.request_id,
                        _ if own == sent => continue,
                        _ => return None,
                    };
                    *slot = decoded_text(sent)?;
                    // Words of the API are no names of keys.
                    if slot.is_empty() || (own == "{kid}" && WORDS.contains(&sent)) {
                        return None;
                    }
                }
                _ => return None,
            }
        }
    }
}

const WORDS: [&str; 2] = ["import", "revoke-all"];
