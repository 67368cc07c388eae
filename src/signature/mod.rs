//! Signed requests: proof that a request was made by the holder of a signing secret, as it is, now, and
//! once.
//!
//! A key's record says which version its signatures are of; a request does not choose. Version 1 is the
//! message that RunAgent's clients sign, version 2 a profile of RFC 9421.

mod content_digest;
mod ladder;
mod rules;
pub mod secret;
pub mod v1;
pub mod v2;
pub mod window;

pub use content_digest::ContentDigest;
pub use ladder::Part;
pub use rules::{Generation, Signing, Version};
pub use secret::SigningSecret;
