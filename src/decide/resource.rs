//! Whether what a path names is the caller's own.

use crate::denial::Denial;
use crate::key::Workspace;
use crate::policy::{Policy, Route, Whose};
use crate::record::Record;
use crate::route::Params;
use crate::target::eq_decoded;

/// Whether the workspace that a path names, if it does, is the caller's.
pub(super) fn check_workspace(own: Option<Workspace>, params: &Params<'_>) -> Result<(), Denial> {
    let Some(named) = params.get(Route::WORKSPACE) else { return Ok(()) };
    match own {
        Some(own) if eq_decoded(named, CURRENT) || eq_decoded(named, own.as_str()) => Ok(()),
        Some(_) | None => Err(Denial::Subject(Route::WORKSPACE.to_owned())),
    }
}

/// Whether a route says who holds a personal key to what is its subject's.
pub(super) fn check_personal(record: &Record, route: &Route) -> Result<(), Denial> {
    match (&record.subject, &route.subject) {
        (Some(_), None) => Err(Denial::Personal),
        (Some(_), Some(_)) | (None, _) => Ok(()),
    }
}

/// Whether the person that a path names, if the route says that it does, is the caller: by the
/// subject `<issuer>:<sub>` or, where no two of the policy's issuers could mean different people by it, by
/// what stands behind the colon. A caller that is no person is not held to it.
pub(super) fn check_subject(
    own: Option<&str>,
    route: &Route,
    params: &Params<'_>,
    policy: &Policy,
) -> Result<(), Denial> {
    let (Some(Whose::Parameter(parameter)), Some(own)) = (&route.subject, own) else {
        return Ok(());
    };
    let sub = own.split_once(':').map(|(_, sub)| sub).filter(|_| policy.issuers.len() < 2);
    let is_own = |named| eq_decoded(named, own) || sub.is_some_and(|sub| eq_decoded(named, sub));
    if params.get(parameter).is_some_and(is_own) {
        Ok(())
    } else {
        Err(Denial::Subject(parameter.clone()))
    }
}

/// Stands for the caller's own workspace, and is forwarded as it is.
const CURRENT: &str = "current";
