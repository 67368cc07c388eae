//! How the requests of a key are signed, as its record says.

use serde::{Deserialize, Serialize};

use crate::host::HostName;

/// As it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signing {
    /// Of which version its signatures are; a request does not choose.
    pub version: Version,
    /// Version 1: the hosts on which they are accepted, since it does not cover the host.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<HostName>,
    /// Version 1: whether they cover `X-Nonce`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub nonce: bool,
    /// Until which second a refused signature is answered with hashes of what it ought to cover.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub debug_until: Option<u64>,
    /// The secrets that sign, several while one replaces another.
    pub secrets: Vec<Generation>,
}

/// A version of signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Version {
    /// See [`super::v1`].
    V1,
    /// See [`super::v2`].
    V2,
}

/// A signing secret, by what it is derived from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Generation {
    /// 0–31; rises with each rotation.
    pub generation: u8,
    /// The root version that it is derived from.
    pub root: u16,
    /// The first second in which it signs no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<u64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
const fn is_false(value: &bool) -> bool {
    !*value
}
