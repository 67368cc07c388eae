//! Portcullis: an API-key gate, as pure functions without I/O, clock or randomness.

pub mod address;
pub mod host;
pub mod policy;
pub mod route;
pub mod scope;
pub mod target;
