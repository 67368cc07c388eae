//! The envelope of everything kept in KV: `<root version>.<MAC>.<JSON>`.
//!
//! The MAC covers the KV name, so that whoever writes KV can neither change a
//! value nor move it to another name.

use core::fmt;

use crate::crypto::{Digest, MacKey};
use crate::encoding;
use crate::root::{Keyring, RootKeys};

/// Wraps `json` to be stored under the KV name `name`.
#[must_use]
pub fn seal(root: &RootKeys, name: &str, json: &str) -> String {
    seal_by(|root| &root.record, root, name, json)
}

/// The same under another of the root's keys, for another place than KV.
pub(crate) fn seal_by(key: Pick, root: &RootKeys, name: &str, text: &str) -> String {
    let mac = mac(key(root), root, name, text.as_bytes());
    format!("{}.{}.{text}", root.version(), encoding::base64url(mac.as_bytes()))
}

/// Which of the root's keys.
pub(crate) type Pick = fn(&RootKeys) -> &MacKey;

/// The JSON inside `sealed`, if it was stored under `name` by a holder of the root.
///
/// # Errors
/// [`Broken`] for anything else. Such a value is never used.
pub fn open<'a>(keyring: &Keyring, name: &str, sealed: &'a [u8]) -> Result<&'a [u8], Broken> {
    open_by(|root| &root.record, keyring, name, sealed)
}

/// Opens what [`seal_by`] made with the same key.
pub(crate) fn open_by<'a>(
    key: Pick,
    keyring: &Keyring,
    name: &str,
    sealed: &'a [u8],
) -> Result<&'a [u8], Broken> {
    let mut parts = sealed.splitn(3, |&byte| byte == b'.');
    let mut part = || parts.next().ok_or(Broken);
    let (version, claimed, json) = (part()?, part()?, part()?);
    let version =
        core::str::from_utf8(version).ok().and_then(|text| text.parse().ok()).ok_or(Broken)?;
    let root = keyring.version(version).ok_or(Broken)?;
    let claimed = encoding::from_base64url(claimed).ok_or(Broken)?;
    let claimed = Digest::from_bytes(claimed.try_into().map_err(|_| Broken)?);
    if mac(key(root), root, name, json).matches(&claimed) { Ok(json) } else { Err(Broken) }
}

/// The value was not written under this name by a holder of the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the value's MAC does not hold")
    }
}

fn mac(key: &MacKey, root: &RootKeys, name: &str, json: &[u8]) -> Digest {
    let length = u32::try_from(name.len()).unwrap_or(u32::MAX).to_be_bytes();
    let version = root.version().to_be_bytes();
    key.mac(&[&length, name.as_bytes(), &version, json])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring() -> Keyring {
        Keyring::parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap()
    }

    #[test]
    fn opens_what_was_sealed_and_nothing_else() {
        let ring = ring();
        let sealed = seal(ring.newest(), "k1:A", "{\"v\":1}");
        assert_eq!(open(&ring, "k1:A", sealed.as_bytes()), Ok(&b"{\"v\":1}"[..]));
        assert_eq!(open(&ring, "k1:B", sealed.as_bytes()), Err(Broken), "moved to another name");
        for at in 0..sealed.len() {
            let mut flipped = sealed.clone().into_bytes();
            flipped[at] ^= 1;
            assert_eq!(open(&ring, "k1:A", &flipped), Err(Broken), "byte {at}");
        }
        for end in 0..sealed.len() {
            assert_eq!(open(&ring, "k1:A", &sealed.as_bytes()[..end]), Err(Broken), "cut at {end}");
        }
        assert_eq!(Broken.to_string(), "the value's MAC does not hold");
    }
}
