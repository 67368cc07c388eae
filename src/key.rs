//! The grammar of native keys.
//!
//! ```text
//! ak_0DEM0WS7K2M9QXTAG12_0ABCDEFGHJKMNPQRSTVWXYZ012TAG345CRC6789
//! │  │                   └ secret: generation, 26 random, tag of 6, CRC of 7
//! │  └ kid: place, workspace of 6, 7 random, tag of 6
//! └ prefix
//! ```
//!
//! Everything after the prefix is upper-case Crockford base32 in one spelling:
//! nothing is folded, trimmed or repaired. The CRC tells typing errors without
//! any key; the tags tell texts that this deployment never made, before any
//! input or output. Neither proves a key: its stored digest does.

use core::fmt;

use crc::{CRC_32_ISO_HDLC, Crc, Table};

use crate::crypto;
use crate::root::{Keyring, RootKeys};

/// The public name of a key: place, workspace, 7 random symbols and a tag.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kid([u8; KID]);

impl Kid {
    /// Reads 20 Crockford symbols. Says nothing about the tag.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let symbols: &[u8; KID] = text.as_bytes().try_into().ok()?;
        is_base32(symbols).then_some(Self(*symbols))
    }

    /// Makes a kid; `random` is entropy for its 7 random symbols.
    #[must_use]
    pub fn new(root: &RootKeys, place: Place, workspace: Workspace, random: [u8; 5]) -> Self {
        let head = [place.0].into_iter().chain(workspace.0).chain(base32::<7>(&random));
        let mut kid = [b'0'; KID];
        kid.iter_mut().zip(head).for_each(|(slot, symbol)| *slot = symbol);
        let tag = tag(root, &[kid.first_chunk::<KID_HEAD>().unwrap_or(&[b'0'; KID_HEAD])]);
        kid.iter_mut().skip(KID_HEAD).zip(tag).for_each(|(slot, symbol)| *slot = symbol);
        Self(kid)
    }

    /// The workspace whose number stands in this kid.
    #[must_use]
    pub fn workspace(&self) -> Workspace {
        let [_, a, b, c, d, e, f, ..] = self.0;
        Workspace([a, b, c, d, e, f])
    }

    /// The 20 symbols.
    #[must_use]
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Whether a root version made it.
    #[must_use]
    pub(crate) fn is_ours(&self, keyring: &Keyring) -> bool {
        keyring.versions().any(|root| self.is_tagged_by(root))
    }

    fn is_tagged_by(&self, root: &RootKeys) -> bool {
        let (head, own) = self.0.split_at(KID_HEAD);
        crypto::equal(&tag(root, &[head]), own)
    }
}

impl fmt::Display for Kid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Kid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kid({self})")
    }
}

/// The number of a workspace: 6 Crockford symbols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workspace([u8; 6]);

impl Workspace {
    /// A new one, from fresh random bytes.
    #[must_use]
    pub fn new(random: [u8; 4]) -> Self {
        Self(base32(&random))
    }

    /// Reads 6 Crockford symbols.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let symbols: &[u8; 6] = text.as_bytes().try_into().ok()?;
        is_base32(symbols).then_some(Self(*symbols))
    }

    /// The 6 symbols.
    #[must_use]
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// Where a workspace's object may live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place(u8);

impl Place {
    /// No jurisdiction.
    pub const ANYWHERE: Self = Self(b'0');
}

/// A presented text in the shape of a native key, its CRC right.
#[derive(Clone, Copy)]
pub struct KeyText<'a> {
    text: &'a str,
    prefix: &'a str,
    kid: Kid,
}

impl<'a> KeyText<'a> {
    /// Reads a presented text. `None` if it does not have the native shape, and
    /// may thus be a key of another kind.
    #[must_use]
    pub fn recognise(text: &'a str) -> Option<Result<Self, BadChecksum>> {
        let (head, secret) = split_symbols::<SECRET>(text)?;
        let (prefix, kid) = split_symbols::<KID>(head)?;
        if !is_prefix(prefix) {
            return None;
        }
        let kid = Kid(*kid);
        let covered = text.as_bytes().get(..text.len().checked_sub(CHECKSUM)?)?;
        let checksum = secret.last_chunk::<CHECKSUM>()?;
        Some(if *checksum == crc(covered) {
            Ok(Self { text, prefix, kid })
        } else {
            Err(BadChecksum)
        })
    }

    /// The generation of its secret.
    pub(crate) fn generation(&self) -> u8 {
        let symbols = self.text.as_bytes();
        let first = symbols.get(symbols.len().saturating_sub(SECRET)).copied();
        (0..32).find(|value| Some(symbol(u32::from(*value))) == first).unwrap_or(0)
    }

    /// The whole text, of which the digest is made.
    pub(crate) fn secret(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    /// The part before the kid.
    #[must_use]
    pub fn prefix(&self) -> &'a str {
        self.prefix
    }

    /// The public name.
    #[must_use]
    pub fn kid(&self) -> Kid {
        self.kid
    }

    /// Whether a root version made both the kid and the secret. A text that
    /// fails was never minted here and is worth no look-up.
    #[must_use]
    pub fn is_ours(&self, keyring: &Keyring) -> bool {
        let symbols = self.text.as_bytes();
        let from = symbols.len().saturating_sub(SECRET);
        let tagged = symbols.get(from..from.saturating_add(SECRET_HEAD)).unwrap_or_default();
        let tag_from = from.saturating_add(SECRET_HEAD);
        let own = symbols.get(tag_from..tag_from.saturating_add(TAG)).unwrap_or_default();
        self.kid.is_ours(keyring)
            && keyring.versions().any(|root| crypto::equal(&tag(root, &[&self.kid.0, tagged]), own))
    }
}

impl fmt::Debug for KeyText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyText({}_{}_..)", self.prefix, self.kid)
    }
}

/// The text has the native shape and a wrong CRC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadChecksum;

/// Spells the text of a key: generation 0–31, 17 bytes of entropy.
pub(crate) fn spell(
    root: &RootKeys,
    prefix: &str,
    kid: Kid,
    generation: u8,
    random: &[u8; 17],
) -> String {
    let symbols = base32::<26>(random);
    let head: Vec<u8> = [symbol(u32::from(generation))].into_iter().chain(symbols).collect();
    let tag = tag(root, &[&kid.0, &head]);
    let mut text = format!("{prefix}_{kid}_");
    text.extend(head.iter().chain(&tag).map(|&byte| char::from(byte)));
    let checksum = crc(text.as_bytes());
    text.extend(checksum.iter().map(|&byte| char::from(byte)));
    text
}

/// Spells the text of a signing secret: generation 0–31, 32 derived bytes.
pub(crate) fn spell_signing(prefix: &str, kid: Kid, generation: u8, derived: &[u8; 32]) -> String {
    let mut text = format!("{prefix}_sign_{kid}_{generation}_");
    text.extend(base32::<52>(derived).iter().map(|&byte| char::from(byte)));
    let checksum = crc(text.as_bytes());
    text.extend(checksum.iter().map(|&byte| char::from(byte)));
    text
}

/// Whether `text` holds the shape of a native key anywhere, its CRC set aside:
/// a key that slipped into a place where keys must not be.
#[must_use]
pub fn occurs_in(text: &str) -> bool {
    const BODY: usize = 1 + KID + 1 + SECRET;
    text.as_bytes().windows(BODY + 1).any(|window| {
        let [before, first, rest @ ..] = window else { return false };
        let Some((kid, rest)) = rest.split_at_checked(KID) else { return false };
        let Some((second, secret)) = rest.split_first() else { return false };
        *first == b'_'
            && *second == b'_'
            && (before.is_ascii_lowercase() || before.is_ascii_digit())
            && is_base32(kid)
            && is_base32(secret)
    })
}

/// Whether a native key stands in a target, plain or percent-encoded.
#[must_use]
pub(crate) fn occurs_in_target(target: &str) -> bool {
    if target.len() < MIN_KEY {
        return false;
    }
    occurs_in(target) || (target.contains('%') && occurs_in(&percent_decode(target)))
}

/// With what is percent-encoded read as Latin-1, so that every text has a reading.
pub(crate) fn percent_decode(text: &str) -> String {
    let hex = |byte: u8| char::from(byte).to_digit(16);
    let mut bytes = text.bytes();
    let mut decoded = String::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        let mut ahead = bytes.clone();
        let code = match (byte, ahead.next().and_then(hex), ahead.next().and_then(hex)) {
            (b'%', Some(high), Some(low)) => char::from_u32(high << 4 | low),
            _ => None,
        };
        decoded.push(code.unwrap_or(char::from(byte)));
        if code.is_some() {
            bytes = ahead;
        }
    }
    decoded
}

/// Whether `text` may stand before a kid: `[a-z][a-z0-9]{1,11}`, then perhaps
/// `_live` or `_test`.
#[must_use]
pub fn is_prefix(text: &str) -> bool {
    let stem = text.strip_suffix("_live").or_else(|| text.strip_suffix("_test")).unwrap_or(text);
    let mut bytes = stem.bytes();
    (2..=12).contains(&stem.len())
        && bytes.next().is_some_and(|byte| byte.is_ascii_lowercase())
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// Splits `…_<N symbols>` from the right.
fn split_symbols<const N: usize>(text: &str) -> Option<(&str, &[u8; N])> {
    let (head, symbols) = text.as_bytes().split_last_chunk::<N>()?;
    if !is_base32(symbols) || head.last() != Some(&b'_') {
        return None;
    }
    Some((text.get(..head.len().checked_sub(1)?)?, symbols))
}

fn is_base32(symbols: &[u8]) -> bool {
    symbols.iter().all(|&byte| matches!(byte, b'0'..=b'9' | b'A'..=b'H' | b'J' | b'K' | b'M' | b'N' | b'P'..=b'T' | b'V'..=b'Z'))
}

/// The first 30 bits of the MAC of `parts` under `k_id`.
fn tag(root: &RootKeys, parts: &[&[u8]]) -> [u8; TAG] {
    base32(root.id.mac(parts).as_bytes())
}

/// CRC-32 (ISO-HDLC) in 7 symbols, most significant first.
fn crc(bytes: &[u8]) -> [u8; CHECKSUM] {
    let sum = CRC.checksum(bytes);
    [30, 25, 20, 15, 10, 5, 0].map(|shift| symbol(sum >> shift))
}

/// The first `N` groups of 5 bits.
fn base32<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut bits =
        bytes.iter().flat_map(|byte| (0..8).rev().map(move |at| u32::from(byte >> at & 1)));
    core::array::from_fn(|_| symbol(bits.by_ref().take(5).fold(0, |value, bit| value << 1 | bit)))
}

fn symbol(value: u32) -> u8 {
    let at = usize::try_from(value & 31).unwrap_or_default();
    ALPHABET.get(at).copied().unwrap_or(b'0')
}

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const CRC: Crc<u32, Table<1>> = Crc::<u32, Table<1>>::new(&CRC_32_ISO_HDLC);

const KID: usize = 20;
const KID_HEAD: usize = 14;
const TAG: usize = 6;
const CHECKSUM: usize = 7;
/// Generation, random and tag, then the CRC.
const SECRET: usize = 40;
const SECRET_HEAD: usize = 27;

/// The shortest native key, without a prefix's first character.
const MIN_KEY: usize = 63;

#[cfg(test)]
#[expect(clippy::string_slice, reason = "a test stops where something is wrong")]
mod tests {
    use super::*;

    fn ring() -> Keyring {
        Keyring::parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap()
    }

    fn sample(ring: &Keyring) -> String {
        let workspace = Workspace::parse("DEM0WS").unwrap();
        let kid = Kid::new(ring.newest(), Place::ANYWHERE, workspace, [1, 2, 3, 4, 5]);
        spell(ring.newest(), "ak_live", kid, 0, &[7; 17])
    }

    #[test]
    fn what_is_spelt_is_recognised() {
        let ring = ring();
        let text = sample(&ring);
        assert_eq!(text.len(), "ak_live_".len() + 20 + 1 + 40);
        let key = KeyText::recognise(&text).unwrap().unwrap();
        assert_eq!((key.prefix(), key.kid().workspace().as_str()), ("ak_live", "DEM0WS"));
        assert!(key.is_ours(&ring));
        assert!(!format!("{key:?}").contains(&text[30..]));
    }

    #[test]
    fn another_root_did_not_make_it() {
        let text = sample(&ring());
        let other = Keyring::parse("ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=").unwrap();
        let key = KeyText::recognise(&text).unwrap().unwrap();
        assert!(!key.is_ours(&other));
        assert!(key.kid().is_ours(&ring()) && !key.kid().is_ours(&other));
    }

    #[test]
    fn a_secret_says_its_generation() {
        let ring = ring();
        let kid = KeyText::recognise(&sample(&ring)).unwrap().unwrap().kid();
        for generation in [0, 1, 31] {
            let text = spell(ring.newest(), "ak", kid, generation, &[7; 17]);
            let key = KeyText::recognise(&text).unwrap().unwrap();
            assert_eq!(key.generation(), generation, "{text}");
        }
    }

    #[test]
    fn one_spelling_only() {
        let text = sample(&ring());
        let shapeless = [
            text.to_lowercase(),
            format!(" {text}"),
            format!("{text} "),
            text.replacen("ak_live", "AK_live", 1),
            text.replacen("ak_live", "a", 1),
            text.replacen("ak_live", "ak_prod", 1),
            text.replacen("ak_live", "thirteenchars", 1),
            text.replacen('0', "O", 1),
            text[1..].replacen("k_live_", "", 1),
        ];
        for text in shapeless {
            assert!(KeyText::recognise(&text).is_none(), "{text}");
        }
        let mistyped =
            format!("{}{}", &text[..text.len() - 1], if text.ends_with('0') { '1' } else { '0' });
        assert_eq!(KeyText::recognise(&mistyped).unwrap().err(), Some(BadChecksum));
    }

    #[test]
    fn found_inside_other_text() {
        let text = sample(&ring());
        assert!(occurs_in(&format!("a=1&Bearer+{text}&b")));
        assert!(occurs_in(&text));
        assert!(!occurs_in(&text[..text.len() - 1]));
        for at in text.len() - MIN_KEY..text.len() {
            let mut other = text.clone();
            other.replace_range(at..=at, "-");
            assert!(!occurs_in(&other), "{other}");
        }
    }

    #[test]
    fn found_in_a_target() {
        let text = sample(&ring());
        let encoded: String = text.bytes().map(|byte| format!("%{byte:02x}")).collect();
        assert!(occurs_in_target(&format!("/?{encoded}")));
        assert!(occurs_in_target(&text[text.len() - MIN_KEY..]));
        assert!(!occurs_in_target(&format!("/%20{}", "a".repeat(MIN_KEY))));
    }

    #[test]
    fn what_may_stand_before_a_kid() {
        for text in ["ak", "a1", "ak_live", "abcdefghijkl_test"] {
            assert!(is_prefix(text), "{text}");
        }
        for text in ["", "a", "_live", "abcdefghijklm", "1a", "Ak", "aK", "a-k", "ak_prod"] {
            assert!(!is_prefix(text), "{text}");
        }
    }
}
