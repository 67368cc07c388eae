//! The vectors again, on the target that is deployed.

#![cfg(target_arch = "wasm32")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test stops where something is wrong"
)]

#[path = "vectors/mod.rs"]
mod vectors;

use wasm_bindgen_test::wasm_bindgen_test;

#[wasm_bindgen_test]
fn vectors_of_targets() {
    vectors::target();
}

#[wasm_bindgen_test]
fn vectors_of_hosts() {
    vectors::host();
}

#[wasm_bindgen_test]
fn vectors_of_addresses() {
    vectors::address();
}

#[wasm_bindgen_test]
fn vectors_of_scopes() {
    vectors::scope();
}

#[wasm_bindgen_test]
fn vectors_of_routes() {
    vectors::route();
}

#[wasm_bindgen_test]
fn vectors_of_decisions() {
    vectors::decisions();
}

#[wasm_bindgen_test]
fn vectors_of_signatures() {
    vectors::signatures();
}
