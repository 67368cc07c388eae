//! Device authorization (RFC 8628): a code for the device, and one that a person enters elsewhere.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::{Value, json};

use super::codes::{Fields, Grant};
use super::key::encode;
use crate::seed;

/// The devices that wait.
#[derive(Debug, Default)]
pub struct Devices(BTreeMap<String, Device>);

#[derive(Debug)]
struct Device {
    user_code: String,
    client: String,
    subject: Option<String>,
    until: u64,
}

impl Devices {
    /// A new device's codes (§3.2).
    pub fn issue(&mut self, fields: &Fields, here: &str, now: u64) -> Result<Value> {
        self.0.retain(|_, device| now < device.until);
        let device_code = encode(seed::entropy::<32>()?);
        let [a, b] = seed::entropy::<2>()?;
        let user_code = format!("{a:03}-{b:03}");
        let client = fields.get("client_id").cloned().unwrap_or_default();
        let until = now + SECONDS;
        let device = Device { user_code: user_code.clone(), client, subject: None, until };
        self.0.insert(device_code.clone(), device);
        Ok(json!({
            "device_code": device_code,
            "user_code": user_code,
            "verification_uri": format!("{here}/device"),
            "verification_uri_complete": format!("{here}/device?user_code={user_code}"),
            "expires_in": SECONDS,
            "interval": 1,
        }))
    }

    /// Lets the device of this code in as somebody; whether there is one.
    pub fn approve(&mut self, fields: &Fields, now: u64) -> bool {
        let user_code = fields.get("user_code");
        let mut waiting = self.0.values_mut().filter(|device| now < device.until);
        let found = waiting.find(|device| Some(&device.user_code) == user_code);
        let Some((device, subject)) = found.zip(fields.get("subject")) else { return false };
        device.subject = Some(subject.clone());
        true
    }

    /// What a device is granted, once (§3.4). An error is a code of §3.5 and a sentence.
    pub fn redeem(
        &mut self,
        fields: &Fields,
        now: u64,
    ) -> Result<Grant, (&'static str, &'static str)> {
        let text = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
        let code = text("device_code");
        let device = self.0.get(code).filter(|device| device.client == text("client_id"));
        let device = device.ok_or(("invalid_grant", "no such device"))?;
        if now >= device.until {
            return Err(("expired_token", "the code is over"));
        }
        let subject = device.subject.clone();
        let subject = subject.ok_or(("authorization_pending", "nobody has let it in yet"))?;
        self.0.remove(code);
        Ok(Grant::of(fields, &subject))
    }
}

const SECONDS: u64 = 300;

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
    }

    #[test]
    fn a_device_waits_until_somebody_lets_it_in_and_gets_one_token() {
        let mut devices = Devices::default();
        let codes = devices.issue(&fields(&[("client_id", "cli")]), "http://h", 100).unwrap();
        let text = |name: &str| codes[name].as_str().unwrap();
        let form = fields(&[("client_id", "cli"), ("device_code", text("device_code"))]);
        let pending = devices.redeem(&form, 100).unwrap_err();
        assert_eq!(pending.0, "authorization_pending");
        let visit = |code| fields(&[("user_code", code), ("subject", "owner")]);
        assert!(!devices.approve(&visit("none"), 100));
        assert!(devices.approve(&visit(text("user_code")), 100));
        let other = fields(&[("client_id", "x"), ("device_code", text("device_code"))]);
        assert!(devices.redeem(&other, 100).is_err(), "another client");
        assert_eq!(devices.redeem(&form, 100).unwrap().subject, "owner");
        assert!(devices.redeem(&form, 100).is_err(), "twice");
    }

    #[test]
    fn a_code_is_over_in_its_time() {
        let mut devices = Devices::default();
        let codes = devices.issue(&fields(&[("client_id", "cli")]), "http://h", 100).unwrap();
        let code = codes["device_code"].as_str().unwrap();
        let form = fields(&[("client_id", "cli"), ("device_code", code)]);
        assert_eq!(devices.redeem(&form, 400).unwrap_err().0, "expired_token");
    }
}
