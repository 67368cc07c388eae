//! Keys, digests and seals, spelt out from ARCHITECTURE (*Keys*, *Storage*): nothing here asks the core.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use crate::random::Random;

/// A root secret and its version.
#[derive(Clone, Debug)]
pub struct Root {
    pub version: u16,
    pub secret: Vec<u8>,
    derived: BTreeMap<&'static str, Vec<u8>>,
}

impl Root {
    pub fn new(version: u16, secret: Vec<u8>) -> Self {
        let labels = ["k_id", "k_tag", "k_record", "k_sign", "fingerprint"];
        let derived = labels.map(|label| (label, hkdf(&secret, label.as_bytes())));
        Self { version, secret, derived: BTreeMap::from(derived) }
    }

    fn derived(&self, label: &str) -> &[u8] {
        &self.derived[label]
    }

    pub fn fingerprint(&self) -> String {
        hex(&self.derived("fingerprint")[..8])
    }

    pub fn digest(&self, bytes: &[u8]) -> String {
        hex(&mac(self.derived("k_tag"), &[bytes]))
    }

    /// Of an imported or environment key.
    pub fn digest_of_hash(&self, text: &str) -> String {
        self.digest(&Sha256::digest(text.as_bytes()))
    }

    pub fn kid(&self, workspace: &str, random: &mut Random) -> String {
        let head = format!("0{workspace}{}", symbols(random, 7));
        let tag = self.tag(&head);
        format!("{head}{tag}")
    }

    pub fn key(&self, prefix: &str, kid: &str, generation: u8, random: &mut Random) -> String {
        let secret = format!("{}{}", symbol(generation), symbols(random, 26));
        self.key_of(prefix, kid, &secret)
    }

    /// With a tag and checksum for these 27 characters.
    pub fn key_of(&self, prefix: &str, kid: &str, secret: &str) -> String {
        let tag = self.tag(&format!("{kid}{secret}"));
        with_checksum(&format!("{prefix}_{kid}_{secret}{tag}"))
    }

    pub fn tag(&self, text: &str) -> String {
        let mac = mac(self.derived("k_id"), &[text.as_bytes()]);
        let bits = u32::from_be_bytes([mac[0], mac[1], mac[2], mac[3]]) >> 2;
        base32(bits.into(), 6)
    }

    /// The secret by which requests are signed.
    pub fn signing_secret(&self, prefix: &str, kid: &str, generation: u8) -> String {
        let mut info = format!("sign:{}:{kid}:", &kid[1..7]).into_bytes();
        info.push(generation);
        let bytes = hkdf(self.derived("k_sign"), &info);
        let mut text = String::new();
        let (mut bits, mut held) = (0_u32, 0_u32);
        for byte in bytes {
            (bits, held) = (bits << 8 | u32::from(byte), held + 8);
            while held >= 5 {
                held -= 5;
                text.push(symbol(u8::try_from(bits >> held & 31).unwrap()));
            }
            bits &= (1 << held) - 1;
        }
        // The bit that is left over.
        text.push(symbol(u8::try_from(bits).unwrap()));
        with_checksum(&format!("{prefix}_sign_{kid}_{}_{text}", symbol(generation)))
    }

    /// A value of KV, for that name alone.
    pub fn seal(&self, name: &str, json: &str) -> String {
        let length = u32::try_from(name.len()).unwrap().to_be_bytes();
        let version = self.version.to_be_bytes();
        let parts: [&[u8]; 4] = [&length, name.as_bytes(), &version, json.as_bytes()];
        let mac = mac(self.derived("k_record"), &parts);
        format!("{}.{}.{json}", self.version, URL_SAFE_NO_PAD.encode(mac))
    }

    /// The name under which an imported key is found.
    pub fn pointer(&self, text: &str) -> String {
        format!("h1:{}", self.digest_of_hash(text))
    }
}

pub fn mac(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn with_checksum(text: &str) -> String {
    format!("{text}{}", base32(crc32(text.as_bytes()).into(), 7))
}

pub fn symbols(random: &mut Random, count: usize) -> String {
    (0..count).map(|_| symbol(u8::try_from(random.below(32)).unwrap())).collect()
}

fn symbol(value: u8) -> char {
    char::from(SYMBOLS[usize::from(value)])
}

fn base32(number: u64, symbols: u32) -> String {
    (0..symbols).rev().map(|at| symbol(u8::try_from(number >> (5 * at) & 31).unwrap())).collect()
}

/// HKDF-SHA-256 (RFC 5869), one block.
fn hkdf(secret: &[u8], info: &[u8]) -> Vec<u8> {
    let pseudorandom = mac(b"portcullis/1", &[secret]);
    mac(&pseudorandom, &[info, &[1]])
}

/// CRC-32/ISO-HDLC, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = !0_u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
        }
    }
    !crc
}

pub const SYMBOLS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
