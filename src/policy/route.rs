//! Routes: what a request needs, and where it goes.

use serde::{Deserialize, Serialize};

use super::{Cors, Credentials, HeaderName, Millis, Mode};
use crate::address::Allowlist;
use crate::route::{Methods, Pattern};
use crate::scope::Scope;
use crate::target::Classes;

/// One entry of the table: what a request to it needs and where it goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// The methods it answers.
    pub methods: Methods,
    /// The paths it answers.
    pub path: Pattern,
    /// The product it belongs to, by place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<usize>,
    /// Its origin, by place.
    pub origin: usize,
    /// How long the origin may take here, whatever it may elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<Millis<1, 300_000>>,
    /// The credentials it takes.
    pub credentials: Credentials,
    /// The scope it needs; `None` only on a public route or where the policy says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
    /// Parameters that its origin enforces: a key bound by one that its path lacks may use the route
    /// nevertheless, and tokens that name no workspace may use one with [`Route::WORKSPACE`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bindings: Vec<String>,
    /// Who sees to it that somebody reaches what is his own only; `None`: nobody, so no personal key may
    /// use the route.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Whose>,
    /// Whether requests with a key have to be signed, whatever the key's record says. Tokens cannot sign
    /// and are not held to it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub signed: bool,
    /// The networks it may be called from; `None` for any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ips: Option<Allowlist>,
    /// Whose pages may call it; `None`: the origin says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cors: Option<Cors>,
    /// Rules on trial.
    #[serde(default, skip_serializing_if = "Shadow::is_empty")]
    pub shadow: Shadow,
    /// Who decides here, whatever the workspace says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// What a request costs, in coins.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub cost: u32,
    /// The header in which the origin says what of that was spent; only in mode `strict`, since nothing
    /// comes back of what a lease has spent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settle: Option<HeaderName>,
    /// The longest body, in bytes; `None` for no limit of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_limit: Option<u64>,
    /// Whether `Cookie` is forwarded.
    #[serde(default, skip_serializing_if = "is_false")]
    pub cookies: bool,
    /// Whether `Upgrade` is allowed.
    #[serde(default, skip_serializing_if = "is_false")]
    pub upgrade: bool,
    /// The constructs it allows in a target.
    #[serde(default, skip_serializing_if = "nothing")]
    pub allow: Classes,
}

impl Route {
    /// The parameter that names a workspace, which has to be the caller's own.
    pub(crate) const WORKSPACE: &str = "workspace_id";
}

/// Who holds a caller to its subject's resources.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Whose {
    /// The origin, by the subject that it is told.
    Origin,
    /// The gate, by the parameter of the path that names the caller's own subject.
    Parameter(String),
}

impl Whose {
    /// The word for [`Whose::Origin`]; no parameter that names a subject is called so.
    pub(crate) const ORIGIN: &str = "origin";
}

impl From<String> for Whose {
    fn from(name: String) -> Self {
        if name == Self::ORIGIN { Self::Origin } else { Self::Parameter(name) }
    }
}

impl From<Whose> for String {
    fn from(whose: Whose) -> Self {
        match whose {
            Whose::Origin => Whose::ORIGIN.to_owned(),
            Whose::Parameter(name) => name,
        }
    }
}

/// Rules of a route that are on trial: what they would refuse is counted and not refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shadow {
    /// A scope that it might need.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
    /// The networks that it might be called from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ips: Option<Allowlist>,
}

impl Shadow {
    /// Whether nothing is on trial.
    pub const fn is_empty(&self) -> bool {
        self.scope.is_none() && self.ips.is_none()
    }
}

const fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
const fn is_one(value: &u32) -> bool {
    *value == 1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
const fn is_false(value: &bool) -> bool {
    !*value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
fn nothing(classes: &Classes) -> bool {
    *classes == Classes::NONE
}
