//! The pure core of Portcullis: no I/O, no clock, no randomness, no async.
//!
//! A request's facts, what memory holds, a policy and the time go in; a decision
//! comes out ([`decide::decide`]). The Workers (`edge`, features `gate` and `workspace`), the
//! command line and the npm package translate to and from it.
//!
//! The modules in the order a request meets them.

pub mod clock;
mod encoding;
mod fields;
mod json;
pub mod request;

pub mod host;
pub mod target;

mod credential;
pub mod key;

mod pem;
pub mod policy;
pub mod route;
pub mod scope;

pub mod environment;
pub mod imported;
pub mod memory;
pub mod need;
pub mod record;
pub mod seal;
mod standing;

mod caller;
mod person;
pub mod session;

pub mod account;
pub mod address;
pub mod directory;
pub mod enquiry;
pub mod incident;
pub mod lease;
pub mod limit;
pub mod lookup;
pub mod management;
pub mod ratelimit;
pub mod reservation;
pub mod signature;
pub mod spending;
pub mod ticket;
pub mod token;
pub mod webhook;
pub mod workspace;

pub mod answer;
mod assertion;
pub mod cors;
pub mod decide;
pub mod denial;
pub mod explanation;
pub mod forward;
pub mod gate;
pub mod observation;

pub mod crypto;
pub mod mint;
pub mod root;

#[cfg(any(feature = "gate", feature = "workspace"))]
#[allow(missing_docs, missing_debug_implementations, reason = "wasm-bindgen's expansion")]
mod edge;

#[cfg(any(feature = "js", feature = "ledger", feature = "explain"))]
#[allow(missing_docs, missing_debug_implementations, reason = "wasm-bindgen's expansion")]
mod js;
