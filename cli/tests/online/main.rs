//! The built command against a served deployment, whose ready line is in `PORTCULLIS_READY`.

#![expect(
    clippy::unwrap_used,
    clippy::string_slice,
    reason = "a test stops where something is wrong"
)]

mod desk;
mod errors;
mod import;
mod probes;
mod requests;
mod runagent;
mod schemas;
mod secrets;
mod sign_in;
