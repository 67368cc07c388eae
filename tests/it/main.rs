//! The integration tests, in one binary.

#![cfg(not(target_arch = "wasm32"))]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    reason = "a test stops where something is wrong"
)]

mod account;
mod address;
mod budget;
mod cached;
mod calendar;
mod coverage;
mod crypto;
#[cfg(feature = "policy-source")]
mod explanation;
mod httpsig;
mod imported;
mod keys;
mod leave;
mod management;
mod memory;
mod metering;
mod newer;
mod notice;
mod observation;
mod people;
#[cfg(feature = "policy-source")]
mod policy;
mod pools;
mod robust;
mod route;
mod scope;
mod settle;
mod shadow;
mod signed;
mod simulation;
mod target;
mod text;
mod tidy;
mod token;
mod trial;
mod usage_path;
#[path = "../vectors/mod.rs"]
mod vectors;
mod versions;
mod wallet;
mod workspace;

#[test]
fn vectors_of_targets() {
    vectors::target();
}

#[test]
fn vectors_of_hosts() {
    vectors::host();
}

#[test]
fn vectors_of_addresses() {
    vectors::address();
}

#[test]
fn vectors_of_scopes() {
    vectors::scope();
}

#[test]
fn vectors_of_routes() {
    vectors::route();
}

#[test]
fn vectors_of_decisions() {
    vectors::decisions();
}

#[test]
fn vectors_of_signatures() {
    vectors::signatures();
}
