//! Device authorization (RFC 8628): a code that is entered on any machine with a browser.

use std::time::Duration;

use serde_json::Value;

use super::issuer::Issuer;
use super::{How, not_signed_in};
use crate::machine;
use crate::output::{Failure, note};
use crate::secret::Secret;
use crate::site::Endpoint;

pub(super) fn token(issuer: &Issuer, device: &Endpoint, how: &How<'_>) -> Result<Secret, Failure> {
    let (well, body) = issuer.post(device, how.fields())?;
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    let seconds = |name: &str| body.get(name).and_then(Value::as_u64);
    if !well {
        return Err(not_signed_in(text("error")));
    }
    let complete = text("verification_uri_complete");
    let place = if complete.is_empty() { text("verification_uri") } else { complete };
    note(&format!("Sign in with any browser, by the code {}:", text("user_code")));
    note(place);
    let patience = seconds("expires_in").unwrap_or(0).min(MOST_PATIENCE);
    let end = machine::uptime().saturating_add(patience);
    let mut pause = seconds("interval").unwrap_or(5).max(1);
    loop {
        let rest = end.saturating_sub(machine::uptime());
        // Asked sooner than it wants, an issuer need not answer.
        if rest <= pause {
            break;
        }
        std::thread::sleep(Duration::from_secs(pause));
        let redeemed = issuer.redeem([
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
            ("device_code", text("device_code")),
            ("client_id", how.client_id),
        ])?;
        match redeemed {
            Ok(token) => return Ok(token),
            Err(code) if code == "authorization_pending" => {}
            Err(code) if code == "slow_down" => pause = pause.saturating_add(5),
            Err(code) => return Err(not_signed_in(&code)),
        }
    }
    Err(not_signed_in(&format!("{}: the code has expired", issuer.site)))
}

/// Seconds that anybody has for entering a code, whatever the issuer says.
const MOST_PATIENCE: u64 = 3600;
