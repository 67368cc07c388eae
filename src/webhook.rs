//! Webhooks (Standard Webhooks 1.0): where they go, and by which secrets they are signed. Secrets are
//! derived from the root, so that nothing recoverable is stored, and shown once.

use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr};

use crate::crypto::MacKey;
use crate::encoding;
use crate::host::HostName;
use crate::policy::BadUrl;
use crate::policy::url::{check_absolute, secure_rest};
use crate::root::RootKeys;

/// What a workspace can be told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A key has used a part of its window's limit.
    KeyThreshold,
    /// A key will expire.
    KeyExpiring,
    /// A key was found by a secret scanner.
    KeyLeaked,
    /// A part of a budget is used.
    BudgetThreshold,
    /// A key is denied far more often than it was.
    DenialsAnomaly,
}

impl Event {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::KeyThreshold,
        Self::KeyExpiring,
        Self::KeyLeaked,
        Self::BudgetThreshold,
        Self::DenialsAnomaly,
    ];

    /// Their names.
    pub const NAMES: [&str; 5] =
        ["key.threshold", "key.expiring", "key.leaked", "budget.threshold", "denials.anomaly"];

    /// Its name, which is `type` in a payload.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        let [threshold, expiring, leaked, budget, anomaly] = Self::NAMES;
        match self {
            Self::KeyThreshold => threshold,
            Self::KeyExpiring => expiring,
            Self::KeyLeaked => leaked,
            Self::BudgetThreshold => budget,
            Self::DenialsAnomaly => anomaly,
        }
    }

    /// The event of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.as_str() == name)
    }
}

/// The secret of one generation: 32 bytes.
pub struct HookSecret([u8; 32]);

impl HookSecret {
    /// The secret of a workspace, under one version of the root.
    #[must_use]
    pub fn derive(root: &RootKeys, workspace: &str, generation: u32) -> Self {
        Self(root.hook(workspace, generation))
    }

    /// `whsec_` and the secret in base64. Call it where it is handed to its owner, nowhere else.
    #[must_use]
    pub fn expose(&self) -> String {
        format!("whsec_{}", encoding::base64(&self.0))
    }

    /// A signature as `webhook-signature` has it: `v1,` and HMAC-SHA-256 over id, `.`, timestamp in Unix
    /// seconds, `.`, payload, in base64.
    #[must_use]
    pub fn sign(&self, id: &str, timestamp: u64, payload: &str) -> String {
        let timestamp = timestamp.to_string();
        let parts = [id, ".", &timestamp, ".", payload].map(str::as_bytes);
        format!("v1,{}", encoding::base64(MacKey::new(&self.0).mac(&parts).as_bytes()))
    }
}

impl fmt::Debug for HookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HookSecret(..)")
    }
}

/// Whether webhooks may be sent to a URL, whatever the policy: `https`, without user and fragment, at most 1000
/// characters, and no address that only this machine or its network has; or `http` of this machine.
///
/// # Errors
/// What is wrong with it.
pub fn check_url(text: &str) -> Result<(), BadHook> {
    let rest = secure_rest(text).map_err(BadHook::Url)?;
    let host = check_absolute(rest, text.len() <= MAX_URL).map_err(BadHook::Url)?;
    if text.starts_with("https:") && is_inside(host) { Err(BadHook::Inside) } else { Ok(()) }
}

/// Whether they may be sent there by a policy: not to its own admin host, and by `http` only if that is a host of
/// this machine too, as in development.
///
/// # Errors
/// [`BadHook::Url`], [`BadHook::Own`].
pub fn check_place(text: &str, admin: &HostName) -> Result<(), BadHook> {
    let rest = secure_rest(text).map_err(BadHook::Url)?;
    let host = check_absolute(rest, true).map_err(BadHook::Url)?;
    let is_here = admin.as_str().rsplit('.').next() == Some("localhost");
    if admin.matches(host) {
        Err(BadHook::Own)
    } else if is_here || text.starts_with("https:") {
        Ok(())
    } else {
        Err(BadHook::Url(BadUrl::NotHttps))
    }
}

/// Whether a host, in the one spelling there is, lies on this machine or in a network of its own.
fn is_inside(host: &str) -> bool {
    if let Some(host) = host.strip_prefix('[') {
        let address = host.trim_end_matches(']').parse::<Ipv6Addr>();
        return address.is_ok_and(is_inside_v6);
    }
    match host.parse::<Ipv4Addr>() {
        Ok(address) => is_inside_v4(address),
        // Browsers read a last label in hexadecimal as a part of an address.
        Err(_) => {
            let last = host.rsplit('.').next().unwrap_or(host);
            let is_number = last
                .strip_prefix("0x")
                .is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
            is_number || INSIDE.contains(&last)
        }
    }
}

/// Whatever is not for the Internet (IANA's registry of special-purpose addresses).
fn is_inside_v4(address: Ipv4Addr) -> bool {
    matches!(
        address.octets(),
        [0 | 10 | 127 | 224.., ..]
            | [100, 64..=127, ..]
            | [169, 254, ..]
            | [172, 16..=31, ..]
            | [192, 0, 0 | 2, _]
            | [192, 31, 196, _]
            | [192, 52, 193, _]
            | [192, 88, 99, _]
            | [192, 175, 48, _]
            | [192, 168, ..]
            | [198, 18 | 19, ..]
            | [198, 51, 100, _]
            | [203, 0, 113, _]
    )
}

/// Global unicast is 2000::/3, but for what IANA keeps for protocols (2001::/23: Teredo, benchmarks, ORCHID and
/// others), documentation (3fff::/20 too), and 6to4, which holds other addresses.
fn is_inside_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x2002, ..] | [0x3fff, 0..=0xfff, ..] => true,
        // AS112 by direct delegation (RFC 7535).
        [0x2620, 0x4f, 0x8000, ..] => true,
        [first, ..] => first & 0xe000 != 0x2000,
    }
}

/// Why webhooks may not be sent to a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadHook {
    /// It is none of ours.
    Url(BadUrl),
    /// It leads inside.
    Inside,
    /// It is the admin host.
    Own,
}

impl fmt::Display for BadHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(BadUrl::NotHttps) => f.write_str("has to be an https URL"),
            Self::Url(BadUrl::Text) => f.write_str(
                "has to be at most 1000 visible characters, none to be encoded, without '#'",
            ),
            Self::Url(_) => f.write_str("has no valid lower-case host, or no valid port"),
            Self::Own => f.write_str("leads to the host of this API itself"),
            Self::Inside => f.write_str("leads to an address that is not on the Internet"),
        }
    }
}

impl core::error::Error for BadHook {}

const MAX_URL: usize = 1000;
/// Last labels that are not on the Internet (RFC 6761, RFC 6762, RFC 8375 and ICANN's `internal`).
const INSIDE: [&str; 4] = ["localhost", "local", "internal", "arpa"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::root::Keyring;

    #[test]
    fn webhooks_go_to_the_internet_or_stay_here() {
        for text in [
            "https://hooks.example.com/a?b=c",
            "https://8.8.8.8/",
            "https://[2606:4700::1111]:8443/x",
            "https://[2001:200::1]/",
            "https://[2001:4860:4860::8888]/",
            "http://127.0.0.1:9000/hook",
            "http://localhost/",
            "http://hooks.localhost:1/x",
            "https://0xab.example.com/",
        ] {
            assert_eq!(check_url(text), Ok(()), "{text}");
        }
        for text in [
            "https://127.0.0.1/",
            "https://0.0.0.0/",
            "https://10.1.2.3/",
            "https://100.64.0.1/",
            "https://169.254.169.254/latest",
            "https://172.31.255.255/",
            "https://192.168.0.1/",
            "https://198.18.0.1/",
            "https://224.0.0.1/",
            "https://255.255.255.255/",
            "https://[::1]/",
            "https://[::]/",
            "https://[fe80::1]/",
            "https://[fd00::1]/",
            "https://[ff02::1]/",
            "https://[64:ff9b::a00:1]/",
            "https://[2002:a00:1::]/",
            "https://[2001:2::1]/",
            "https://[2001:10::1]/",
            "https://[2001:20::1]/",
            "https://[2001:1ff::1]/",
            "https://[2001:db8::1]/",
            "https://[3fff::1]/",
            "https://[2620:4f:8000::1]/",
            "https://192.175.48.1/",
            "https://192.31.196.1/",
            "https://192.52.193.1/",
            "https://localhost/",
            "https://a.localhost/",
            "https://a.internal/",
        ] {
            assert_eq!(check_url(text), Err(BadHook::Inside), "{text}");
        }
        for text in [
            "https://a.0x7f/",
            "https://0x7f000001/",
            "http://hooks.example.com/",
            "ftp://a.test/",
            "https://user:word@hooks.example.com/",
            "https://user@127.0.0.1/",
            "https://hooks.example.com/#a",
            "https://hooks.example.com/a b",
            "https://Hooks.example.com/",
            "https://127.1/",
            "https://2130706433/",
            "https://0177.0.0.1/",
            "https://[::ffff:127.0.0.1]/",
            "https://hooks.example.com./",
            "https://",
            "http://127.0.0.1@hooks.example.com/",
            &format!("https://hooks.example.com/{}", "a".repeat(1000)),
        ] {
            assert!(check_url(text).is_err(), "{text}");
        }
    }

    #[test]
    fn http_is_for_development_and_nobody_tells_the_api_itself() {
        let host = |text| HostName::parse(text).unwrap();
        let (there, here) = (host("keys.example.com"), host("portcullis.localhost"));
        let not_https = Err(BadHook::Url(BadUrl::NotHttps));
        for text in ["http://127.0.0.1:9000/hook", "http://hooks.localhost/", "http://[::1]/"] {
            assert_eq!((check_place(text, &there), check_place(text, &here)), (not_https, Ok(())));
        }
        assert_eq!(check_place("https://hooks.example.com/", &there), Ok(()));
        for own in ["https://keys.example.com/hook", "https://keys.example.com:8443"] {
            assert_eq!(check_place(own, &there), Err(BadHook::Own), "{own}");
        }
        assert_eq!(check_place("http://portcullis.localhost:8787/", &here), Err(BadHook::Own));
    }

    /// Standard Webhooks' own example of a signature is by a secret of 24 bytes, which ours never have: the
    /// libraries are asked in `xtask`.
    #[test]
    fn each_generation_and_workspace_has_a_secret_of_its_own() {
        let ring = Keyring::parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap();
        let secret = |workspace, generation| {
            HookSecret::derive(ring.newest(), workspace, generation).expose()
        };
        let all = [secret("A", 0), secret("A", 1), secret("B", 0), secret("A", 256)];
        for (at, one) in all.iter().enumerate() {
            assert!(one.starts_with("whsec_") && one.len() == 50, "{one}");
            assert!(all.iter().skip(at + 1).all(|other| other != one));
        }
        let secret = HookSecret::derive(ring.newest(), "A", 0);
        assert!(secret.sign("msg_1", 1, "{}") != secret.sign("msg_1", 11, "{}"));
        assert!(!format!("{secret:?}").contains("whsec"));
    }
}
