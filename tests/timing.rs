//! Whether comparisons tell by their time where two texts differ, in V8: the method of `dudect`
//! (Reparaz, Balasch, Verbauwhede, 2017). Two classes of input take turns at random; Welch's t-test says
//! whether their times are of one distribution.
//!
//! With a control that must not be told apart (both classes the same), and one that must be (a comparison
//! that stops at the first difference).

#![cfg(target_arch = "wasm32")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops where something is wrong")]
#![expect(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "figures of a test")]

use std::hint::black_box;

use portcullis::crypto::{self, Digest, MacKey};
use portcullis::signature::v1;
use wasm_bindgen::prelude::*;
use wasm_bindgen_test::{console_log, wasm_bindgen_test};

#[wasm_bindgen]
extern "C" {
    /// Milliseconds, with a fraction as fine as the clock has it.
    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    fn clock() -> f64;
}

/// Above it, times are said to depend on the class.
const THRESHOLD: f64 = 4.5;
/// A dependence has to show each time.
const ROUNDS: usize = 3;
const SAMPLES: usize = 40_000;

/// Times `subject` on inputs of two classes, in turns drawn at random: the t of each round, until one is
/// below the threshold.
fn tell_apart(
    name: &str,
    classes: [&[u8]; 2],
    repeats: usize,
    subject: impl Fn(&[u8]) -> bool,
) -> bool {
    let mut input = classes[0].to_vec();
    let mut random = 0x9E37_79B9_7F4A_7C15_u64;
    let mut told = Vec::new();
    for _ in 0..ROUNDS {
        let mut times = [const { Vec::new() }; 2];
        for sample in 0..SAMPLES + SAMPLES / 10 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let class = usize::from(random >> 32 & 1 == 1);
            // One place in memory for both.
            input.copy_from_slice(classes[class]);
            let begun = clock();
            for _ in 0..repeats {
                black_box(subject(black_box(&input)));
            }
            let time = clock() - begun;
            // The first tenth is for the compiler.
            if sample >= SAMPLES / 10 {
                times[class].push(time);
            }
        }
        told.push(welch(times));
        if told.last().unwrap().abs() < THRESHOLD {
            break;
        }
    }
    console_log!("timing of {name}: t = {told:.1?}");
    told.iter().all(|t| t.abs() >= THRESHOLD)
}

/// Welch's t of two samples without their slowest tenth, which the machine is to blame for.
fn welch(times: [Vec<f64>; 2]) -> f64 {
    let mut all: Vec<f64> = times.concat();
    all.sort_by(f64::total_cmp);
    let most = all[all.len() * 9 / 10];
    let [(a, var_a), (b, var_b)] = times.map(|times| {
        let kept: Vec<f64> = times.into_iter().filter(|time| *time <= most).collect();
        let count = kept.len() as f64;
        let mean = kept.iter().sum::<f64>() / count;
        let variance = kept.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (count - 1.0);
        (mean, variance / count)
    });
    (a - b) / (var_a + var_b).sqrt()
}

/// The secret, and what differs from it at its first and at its last byte.
fn digests() -> ([u8; 32], [u8; 32], [u8; 32]) {
    let own = *MacKey::new(b"secret").mac(&[b"message"]).as_bytes();
    let (mut first, mut last) = (own, own);
    first[0] ^= 1;
    last[31] ^= 1;
    (own, first, last)
}

#[wasm_bindgen_test]
fn a_comparison_that_stops_early_is_told() {
    let (own, first, last) = digests();
    let naive = |input: &[u8]| input.iter().zip(black_box(&own)).all(|(one, other)| one == other);
    assert!(tell_apart("a comparison that stops early", [&first, &last], 200, naive));
}

#[wasm_bindgen_test]
fn one_class_is_not_told_from_itself() {
    let (own, first, _) = digests();
    let own = Digest::from_bytes(own);
    let subject = |input: &[u8]| Digest::from_bytes(input.try_into().unwrap()).matches(&own);
    assert!(!tell_apart("one class against itself", [&first, &first], 200, subject));
}

#[wasm_bindgen_test]
fn signatures() {
    let (own, first, last) = digests();
    let digest = Digest::from_bytes(own);
    let subject = |input: &[u8]| Digest::from_bytes(input.try_into().unwrap()).matches(&digest);
    for (name, classes) in [
        ("signatures, first byte or last", [&first, &last]),
        ("signatures, right or wrong", [&own, &first]),
    ] {
        assert!(!tell_apart(name, classes.map(|class| class.as_slice()), 200, subject), "{name}");
    }
}

#[wasm_bindgen_test]
fn tags() {
    let own = b"7K2M9Q";
    let subject = |input: &[u8]| crypto::equal(input, black_box(own));
    for (name, classes) in [
        ("tags, first symbol or last", [b"0K2M9Q", b"7K2M90"]),
        ("tags, right or wrong", [own, b"0K2M9Q"]),
    ] {
        assert!(!tell_apart(name, classes.map(|class| class.as_slice()), 200, subject), "{name}");
    }
}

#[wasm_bindgen_test]
fn whole_verifications() {
    let key = MacKey::new(b"secret");
    let (method, target, timestamp) = ("POST", "/v1/agents", "1700000000");
    let message = v1::Message { method, target, timestamp, nonce: None, body: b"{}" };
    let own = *message.mac(&key).as_bytes();
    let (mut first, mut last) = (own, own);
    first[0] ^= 1;
    last[31] ^= 1;
    let subject =
        |input: &[u8]| message.mac(&key).matches(&Digest::from_bytes(input.try_into().unwrap()));
    assert!(!tell_apart("verifications, first byte or last", [&first, &last], 5, subject));
}
