//! What a token says of itself, believed as far as its holder believes it: nothing is verified here.

use data_encoding::BASE64URL_NOPAD;
use serde_json::Value;

use crate::output::{Exit, Failure};
use crate::secret::Secret;
use crate::when;

/// Refuses a token that has ended, so that it need not be sent to be told so.
pub(crate) fn check_time(token: &Secret, now: u64) -> Result<(), Failure> {
    match expires(token).filter(|end| *end <= now) {
        None => Ok(()),
        Some(end) => {
            let end = when::rfc3339(end)?;
            let words = format!("the token expired at {end}. Sign in: portcullis login");
            Err(Failure::new(Exit::Unauthenticated, words))
        }
    }
}

/// `exp` of a JWT; `None` for other tokens.
fn expires(token: &Secret) -> Option<u64> {
    let claims = token.expose().split('.').nth(1)?;
    let claims = BASE64URL_NOPAD.decode(claims.as_bytes()).ok()?;
    serde_json::from_slice::<Value>(&claims).ok()?.get("exp")?.as_u64()
}
