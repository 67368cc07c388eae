//! Keys that sign tokens.

use std::fs;
use std::path::Path;

use anyhow::{Result, anyhow};
use data_encoding::BASE64URL_NOPAD;
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
    RsaKeyPair,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::checkout::write_private;

/// A private key of one of the three algorithms.
#[derive(Debug)]
pub struct SigningKey {
    pair: Pair,
    /// Its thumbprint (RFC 7638), unless it was given another.
    pub kid: String,
}

#[derive(Debug)]
enum Pair {
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
    Rs256(Box<RsaKeyPair>),
}

impl SigningKey {
    /// The P-256 key of this file, made if it is not there.
    pub fn stored(path: &Path) -> Result<Self> {
        if let Ok(bytes) = fs::read(path) {
            return Self::es256_of(&bytes);
        }
        let bytes =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
        let bytes = bytes.map_err(|_| anyhow!("no key could be made"))?;
        write_private(path, bytes.as_ref())?;
        Self::es256_of(bytes.as_ref())
    }

    /// A new P-256 key.
    pub fn es256() -> Result<Self> {
        let bytes =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
        Self::es256_of(bytes.map_err(|_| anyhow!("no key could be made"))?.as_ref())
    }

    /// A new Ed25519 key.
    pub fn eddsa() -> Result<Self> {
        let bytes = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
            .map_err(|_| anyhow!("no key could be made"))?;
        let pair = Ed25519KeyPair::from_pkcs8(bytes.as_ref());
        Self::of(Pair::EdDsa(pair.map_err(|error| anyhow!("Ed25519: {error}"))?))
    }

    /// An RSA key in PKCS #8.
    pub fn rs256(pkcs8: &[u8]) -> Result<Self> {
        let pair = RsaKeyPair::from_pkcs8(pkcs8).map_err(|error| anyhow!("RSA: {error}"))?;
        Self::of(Pair::Rs256(Box::new(pair)))
    }

    /// A P-256 key in PKCS #8.
    pub fn es256_of(pkcs8: &[u8]) -> Result<Self> {
        let random = SystemRandom::new();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8, &random);
        Self::of(Pair::Es256(pair.map_err(|error| anyhow!("P-256: {error}"))?))
    }

    fn of(pair: Pair) -> Result<Self> {
        let mut key = Self { pair, kid: String::new() };
        // serde_json prints members in order, as RFC 7638 §3 demands.
        key.kid = encode(Sha256::digest(key.members().to_string()));
        Ok(key)
    }

    /// The name of its algorithm (RFC 7518, RFC 8037).
    pub fn algorithm(&self) -> &'static str {
        match self.pair {
            Pair::Es256(_) => "ES256",
            Pair::EdDsa(_) => "EdDSA",
            Pair::Rs256(_) => "RS256",
        }
    }

    /// The public key as a JWK.
    pub fn jwk(&self) -> Value {
        let mut jwk = self.members();
        jwk["kid"] = json!(self.kid);
        jwk["alg"] = json!(self.algorithm());
        jwk["use"] = json!("sig");
        jwk
    }

    /// The same as a SubjectPublicKeyInfo in DER.
    pub fn spki(&self) -> Vec<u8> {
        let (prefix, key): (&[u8], &[u8]) = match &self.pair {
            Pair::Es256(pair) => (SPKI_P256, pair.public_key().as_ref()),
            Pair::EdDsa(pair) => (SPKI_ED25519, pair.public_key().as_ref()),
            // Of 2048 bits.
            Pair::Rs256(pair) => (SPKI_RSA_2048, pair.public().as_ref()),
        };
        [prefix, key].concat()
    }

    /// A token (RFC 7515 §7.1) with this header and these claims.
    pub fn token(&self, header: &Value, claims: &Value) -> Result<String> {
        let signed = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
        let signature = self.sign(signed.as_bytes())?;
        Ok(format!("{signed}.{}", encode(signature)))
    }

    /// A signature as a token has it.
    pub fn sign(&self, text: &[u8]) -> Result<Vec<u8>> {
        let random = SystemRandom::new();
        let failed = |_| anyhow!("no signature could be made");
        Ok(match &self.pair {
            Pair::Es256(pair) => pair.sign(&random, text).map_err(failed)?.as_ref().to_vec(),
            Pair::EdDsa(pair) => pair.sign(text).as_ref().to_vec(),
            Pair::Rs256(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, text, &mut signature).map_err(failed)?;
                signature
            }
        })
    }

    /// The members that make the key.
    fn members(&self) -> Value {
        match &self.pair {
            Pair::Es256(pair) => {
                let point = pair.public_key().as_ref();
                let (x, y) = (&point[1..33], &point[33..65]);
                json!({ "crv": "P-256", "kty": "EC", "x": encode(x), "y": encode(y) })
            }
            Pair::EdDsa(pair) => {
                json!({ "crv": "Ed25519", "kty": "OKP", "x": encode(pair.public_key()) })
            }
            Pair::Rs256(pair) => {
                let PublicKeyComponents { n, e } =
                    PublicKeyComponents::<Vec<u8>>::from(pair.public());
                json!({ "e": encode(e), "kty": "RSA", "n": encode(n) })
            }
        }
    }
}

/// base64url without padding.
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    BASE64URL_NOPAD.encode(bytes.as_ref())
}

const SPKI_P256: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
const SPKI_ED25519: &[u8] =
    &[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
const SPKI_RSA_2048: &[u8] = &[
    0x30, 0x82, 0x01, 0x22, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01,
    0x01, 0x05, 0x00, 0x03, 0x82, 0x01, 0x0f, 0x00,
];
