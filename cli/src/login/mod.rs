//! Tokens of an issuer: by a browser on this machine, or by a code on any other.

mod device;
mod issuer;
mod loopback;

use crate::output::{Exit, Failure};
use crate::secret::Secret;
use crate::site::Site;
use issuer::Issuer;

/// Which token, and how to come to it.
pub(crate) struct How<'a> {
    pub(crate) issuer: &'a Site,
    pub(crate) client_id: &'a str,
    pub(crate) scope: Option<&'a str>,
    pub(crate) audience: Option<&'a str>,
    /// Whether by a code, where the issuer offers both.
    pub(crate) device: bool,
}

/// An access token.
pub(crate) fn token(how: &How<'_>) -> Result<Secret, Failure> {
    let issuer = Issuer::discover(how.issuer)?;
    match (&issuer.authorization, &issuer.device) {
        (_, Some(device)) if how.device => device::token(&issuer, device, how),
        (Some(authorization), _) if !how.device => loopback::token(&issuer, authorization, how),
        (None, Some(device)) => device::token(&issuer, device, how),
        _ => Err(Failure::refused(format!(
            "{} offers no such way to sign in; give a token by --token-stdin",
            how.issuer
        ))),
    }
}

impl How<'_> {
    /// What both ways ask for.
    fn fields(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let scope = self.scope.map(|scope| ("scope", scope));
        let audience = self.audience.map(|audience| ("audience", audience));
        [("client_id", self.client_id)].into_iter().chain(scope).chain(audience)
    }
}

/// That nobody has signed in.
fn not_signed_in(why: &str) -> Failure {
    Failure::new(Exit::Unauthenticated, format!("nobody has signed in: {why}"))
}
