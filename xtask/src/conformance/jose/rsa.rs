//! RSA as bare numbers (RFC 8017 §5), to make the keys and signatures that no library makes.

use anyhow::{Context, Result};
use num_bigint::BigUint;
use ring::digest::{self, Algorithm};
use serde_json::{Value, json};

use crate::issuer::key::encode;

/// A private key.
#[derive(Debug)]
pub struct RsaKey {
    n: BigUint,
    /// `p`, `q`, and the private exponent modulo `p - 1` and `q - 1`.
    primes: [(BigUint, BigUint); 2],
    inverse: BigUint,
}

impl RsaKey {
    /// 2048 bits.
    pub fn usual() -> Result<Self> {
        let below = |less: u32| (BigUint::from(1u8) << 1024u32) - less;
        Self::of(below(179), below(1397))
    }

    /// 1024 bits.
    pub fn short() -> Result<Self> {
        let below = |less: u32| (BigUint::from(1u8) << 512u32) - less;
        Self::of(below(569), below(629))
    }

    /// 2048 bits, its primes made as RSALib made them (CVE-2017-15361): 65537 to a power modulo the product of the
    /// first 126 primes, and a multiple of it.
    pub fn roca() -> Result<Self> {
        let is_prime = |number: &u32| !(2..*number).any(|factor| number.is_multiple_of(factor));
        let primorial: BigUint = (2..=701u32).filter(is_prime).map(BigUint::from).product();
        let prime = |multiple: u64, power: u32| {
            let base = BigUint::from(65537u32);
            base.modpow(&BigUint::from(power), &primorial) + BigUint::from(multiple) * &primorial
        };
        Self::of(prime(8_688_649_011_314_841, 33_676), prime(8_929_790_373_465_599, 4_008))
    }

    fn of(p: BigUint, q: BigUint) -> Result<Self> {
        let (e, one) = (BigUint::from(65537u32), BigUint::from(1u8));
        let exponent = |prime: &BigUint| e.modinv(&(prime - &one)).context("no private exponent");
        let (dp, dq) = (exponent(&p)?, exponent(&q)?);
        let inverse = q.modinv(&p).context("the same prime twice")?;
        Ok(Self { n: &p * &q, primes: [(p, dp), (q, dq)], inverse })
    }

    /// The public key.
    pub fn jwk(&self, algorithm: &str) -> Value {
        json!({
            "kty": "RSA", "use": "sig", "kid": "rsa", "alg": algorithm, "e": "AQAB",
            "n": encode(self.n.to_bytes_be()),
        })
    }

    /// The modulus.
    pub fn modulus(&self) -> &BigUint {
        &self.n
    }

    /// The length of a signature.
    pub fn bytes(&self) -> usize {
        self.n.to_bytes_be().len()
    }

    /// The signature of which this is the padded text (RFC 8017 §5.2.1).
    pub fn raise(&self, padded: &[u8]) -> Vec<u8> {
        let text = BigUint::from_bytes_be(padded);
        let [(p, dp), (q, dq)] = &self.primes;
        let (one, two) = (text.modpow(dp, p), text.modpow(dq, q));
        let rest = (p + one - &two % p) * &self.inverse % p;
        self.number(&(two + q * rest))
    }

    /// A number of the signature's length.
    pub fn number(&self, number: &BigUint) -> Vec<u8> {
        let bytes = number.to_bytes_be();
        [vec![0; self.bytes().saturating_sub(bytes.len())], bytes].concat()
    }

    /// RSASSA-PKCS1-v1_5 with what stands for DigestInfo.
    pub fn pkcs1(&self, info: &[u8]) -> Vec<u8> {
        let filling = vec![0xFF; self.bytes() - 3 - info.len()];
        self.raise(&[&[0, 1][..], &filling, &[0], info].concat())
    }

    /// RSASSA-PKCS1-v1_5 as it should be.
    pub fn signed(&self, hash: &Hash, text: &[u8]) -> Vec<u8> {
        self.pkcs1(&[hash.info, digest::digest(hash.algorithm, text).as_ref()].concat())
    }

    /// RSASSA-PSS (RFC 8017 §9.1.1) with this salt, and one thing else than it should be.
    pub fn pss(&self, hash: &Hash, text: &[u8], salt: &[u8], fault: Option<Fault>) -> Vec<u8> {
        let spoil = |place: Place, bytes: &mut Vec<u8>| {
            if let Some(fault) = fault.filter(|fault| fault.place == place) {
                let at = if fault.at < 0 { bytes.len() } else { 0 };
                bytes[at.wrapping_add_signed(fault.at)] ^= fault.bits;
            }
        };
        let of =
            |parts: &[&[u8]]| digest::digest(hash.algorithm, &parts.concat()).as_ref().to_vec();
        let (mut digest, mut zeros) = (of(&[text]), vec![0; 8]);
        spoil(Place::Digest, &mut digest);
        spoil(Place::Zeros, &mut zeros);
        let mut hashed = of(&[&zeros, &digest, salt]);
        let filling = vec![0; self.bytes() - hashed.len() - salt.len() - 2];
        let mut data = [&filling, &[1][..], salt].concat();
        spoil(Place::Data, &mut data);
        let mask = (0u32..).flat_map(|count| of(&[&hashed, &count.to_be_bytes()]));
        let mut masked: Vec<u8> = data.iter().zip(mask).map(|(byte, mask)| byte ^ mask).collect();
        masked[0] &= 0x7F;
        spoil(Place::Masked, &mut masked);
        spoil(Place::Hash, &mut hashed);
        let mut padded = [&masked, &hashed, &[0xBC][..]].concat();
        spoil(Place::Padded, &mut padded);
        self.raise(&padded)
    }
}

/// What is hashed with, and its DigestInfo but for the digest.
#[derive(Debug)]
pub struct Hash {
    algorithm: &'static Algorithm,
    info: &'static [u8],
}

impl Hash {
    /// The length of a digest.
    pub fn bytes(&self) -> usize {
        self.algorithm.output_len()
    }
}

/// Which bits of which byte of PSS are others; below 0 from the end.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    pub place: Place,
    pub at: isize,
    pub bits: u8,
}

/// As RFC 8017 §9.1.1 has them: `mHash`, the eight zeros before it, `H`, `DB`, `maskedDB`, `EM`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Digest,
    Zeros,
    Hash,
    Data,
    Masked,
    Padded,
}

/// By the number in the names of algorithms.
pub static SHA256: Hash = Hash { algorithm: &digest::SHA256, info: INFO_256 };
pub static SHA384: Hash = Hash { algorithm: &digest::SHA384, info: INFO_384 };
pub static SHA512: Hash = Hash { algorithm: &digest::SHA512, info: INFO_512 };

/// RFC 8017 §9.2, note 1.
pub const INFO_256: &[u8] =
    b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20";
const INFO_384: &[u8] =
    b"\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30";
const INFO_512: &[u8] =
    b"\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40";
