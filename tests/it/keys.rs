//! Keys: what is minted is recognised, in one spelling, and nothing else is.

use portcullis::key::{self, KeyText, Kid, Workspace};
use portcullis::mint;
use portcullis::root::Keyring;
use proptest::prelude::*;

const ROOT: &str = "v2:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=,v1:ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";
const ALPHABET: &str = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

fn keyring() -> Keyring {
    Keyring::parse(ROOT).unwrap()
}

fn mint(keyring: &Keyring, prefix: &str, version: usize, entropy: [u8; 22]) -> (String, Kid) {
    let root = keyring.versions().nth(version).unwrap();
    let workspace = Workspace::parse("DEM0WS").unwrap();
    let minted = mint::native(root, prefix, workspace, &entropy).unwrap();
    (minted.secret.expose().to_owned(), minted.kid)
}

/// CRC-32 (ISO-HDLC) by its definition, a bit at a time.
fn slow_crc(bytes: &[u8]) -> u32 {
    let mut crc = !0_u32;
    for &byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    !crc
}

/// `text` with its last 7 characters replaced by the right CRC.
fn with_crc(text: &str) -> String {
    let covered = &text[..text.len() - 7];
    let crc = u64::from(slow_crc(covered.as_bytes()));
    let symbol =
        |at: u32| ALPHABET.as_bytes()[usize::try_from(crc >> (5 * (6 - at)) & 31).unwrap()];
    covered.chars().chain((0..7).map(|at| char::from(symbol(at)))).collect()
}

proptest! {
    #[test]
    fn print_then_parse_is_the_same(
        prefix in "[a-z][a-z0-9]{1,11}(_live|_test)?",
        version in 0_usize..2,
        entropy: [u8; 22],
    ) {
        let keyring = keyring();
        let (text, kid) = mint(&keyring, &prefix, version, entropy);
        let key = KeyText::recognise(&text).unwrap().unwrap();
        prop_assert_eq!((key.prefix(), key.kid()), (prefix.as_str(), kid));
        prop_assert!(key.is_ours(&keyring));
        prop_assert_eq!(Kid::parse(kid.as_str()), Some(kid));
        prop_assert_eq!(&with_crc(&text), &text, "the CRC of the definition");
        prop_assert!(key::occurs_in(&text));
    }

    /// Whatever one character is changed to, the text is no key any more: not by
    /// shape, not by CRC, and with the CRC put right, not by a tag.
    #[test]
    fn no_second_spelling(entropy: [u8; 22], at in 0_usize..64, to in "[ -~]") {
        let keyring = keyring();
        let (text, _) = mint(&keyring, "ak", 0, entropy);
        prop_assume!(at < text.len() && text[at..=at] != *to);
        let mut changed = text.clone();
        changed.replace_range(at..=at, &to);
        prop_assert!(!matches!(KeyText::recognise(&changed), Some(Ok(_))), "{}", changed);
        if let Some(Ok(key)) = KeyText::recognise(&with_crc(&changed))
            && at > 2
            && at < text.len() - 7
        {
            prop_assert!(!key.is_ours(&keyring), "{}", changed);
        }
    }

    #[test]
    fn any_text_is_judged_without_panic(text in ".{0,80}") {
        let _ = KeyText::recognise(&text).map(|key| key.map(|key| key.is_ours(&keyring())));
        let _ = key::occurs_in(&text);
    }

    /// Texts in the grammar with a right CRC, made without the root.
    #[test]
    fn invented_keys_are_not_ours(body in "[0-9A-HJKMNP-TV-Z]{60}") {
        let text = with_crc(&format!("ak_{}_{}", &body[..20], &body[20..]));
        let key = KeyText::recognise(&text).unwrap().unwrap();
        // One in 2^60 would be.
        prop_assert!(!key.is_ours(&keyring()));
    }
}
