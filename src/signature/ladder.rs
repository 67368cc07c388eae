//! What the gate saw of a request whose signature does not hold, part by part, for its signer to compare
//! with what it signed.

use serde::Serialize;

use crate::crypto;
use crate::encoding;

/// One part of what has to be signed, as a hash. It tells nothing of the MAC: whoever sent the request
/// can compute it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Part {
    /// A line of version 1 (`method`, `target`, `timestamp`, `nonce`, `body`) or a component of version
    /// 2.
    pub part: &'static str,
    /// SHA-256 of its bytes, without any line feed after them; lower-case hexadecimal.
    pub sha256: String,
}

impl Part {
    /// Of these bytes.
    #[must_use]
    pub fn of(part: &'static str, bytes: &[u8]) -> Self {
        Self { part, sha256: encoding::hex(&crypto::sha256(bytes)) }
    }
}
