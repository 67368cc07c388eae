//! The built command where nothing is served: misplaced secrets, and answers that no deployment gives.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::panic,
    clippy::arithmetic_side_effects,
    reason = "a test stops where something is wrong"
)]

mod answers;
mod desk;
mod importing;
mod redaction;
mod saving;
mod server;
mod verdicts;
