//! Whom a token speaks for, and whether a report is a secret scanner's: the issuer's keys, fetched when they are needed, and its signature.

use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;

use super::{CONSEQUENCE, Isolate, now, shim, with};
use crate::edge::shim::{log, sleep};
use crate::management::exchange::{NotAuthenticated, Signed};
use crate::policy::Policy;
use crate::token::{Authenticated, FETCH_MILLIS, Find, Key, KeySet, Look, Presented, Untrusted};

/// Verifies a token and says whom it speaks for.
pub(super) async fn authenticate(
    env: &JsValue,
    presented: &Presented<'_>,
) -> Result<Authenticated, NotAuthenticated> {
    let (place, token) = with_policy(env, |policy| presented.parse(policy, now()))?;
    let keys = keys(env, place, &|set| set.find(&token)).await?;
    check(keys, token.signature(), token.signed()).await?;
    with_policy(env, |policy| presented.accept(policy, now()))
}

/// Verifies the report of a secret scanner.
pub(super) async fn verify(env: &JsValue, signed: &Signed) -> Result<(), NotAuthenticated> {
    let Signed { key, signature, body } = signed;
    let (written_down, place, publishes) = with_policy(env, |policy| {
        let rules = policy.leak_reports.as_ref().ok_or(Untrusted::Issuer)?;
        let own = rules.keys.iter().filter(|own| own.id.as_str() == key);
        let own: Vec<Key> = own.filter_map(|own| Key::of_pem(key, own.pem.as_str())).collect();
        Ok((own, policy.issuers.len(), rules.keys_url.is_some()))
    })?;
    let keys = match written_down.is_empty() {
        false => written_down,
        true if publishes => keys(env, place, &|set| set.named(key)).await?,
        true => return Err(NotAuthenticated::Invalid(Untrusted::Key)),
    };
    check(keys, signature, body.as_bytes()).await
}

/// Whether one of the keys has signed it.
async fn check(keys: Vec<Key>, signature: &[u8], signed: &[u8]) -> Result<(), NotAuthenticated> {
    for key in keys {
        match shim::is_signed_by(&key, signature, signed).await {
            Some(true) => return Ok(()),
            Some(false) => {}
            None => return Err(NotAuthenticated::Unavailable),
        }
    }
    Err(NotAuthenticated::Invalid(Untrusted::Signature))
}

/// The keys of the issuer at `place` that `find` picks.
async fn keys(env: &JsValue, place: usize, find: Find<'_>) -> Result<Vec<Key>, NotAuthenticated> {
    for turn in 0..MOST_TURNS {
        let patient = turn < PATIENT_TURNS;
        match with(env, |isolate| isolate.key_sets.look(place, find, patient, now())) {
            Look::Keys(keys) => return Ok(keys),
            Look::Refuse(why) => return Err(NotAuthenticated::Invalid(why)),
            Look::Unavailable => break,
            Look::Wait => drop(JsFuture::from(sleep(POLL_MILLIS)).await),
            Look::Fetch => fetch(env, place).await,
        }
    }
    Err(NotAuthenticated::Unavailable)
}

/// Fetches the key set of the issuer at `place`, or of the secret scanner after them. Faults are logged.
async fn fetch(env: &JsValue, place: usize) {
    let source = |policy: &Policy| match policy.issuers.get(place) {
        Some(rules) => {
            let name = format!("the issuer {}", rules.name);
            Ok((name, rules.jwks.clone(), KeySet::parse as Parse))
        }
        None => {
            let url = policy.leak_reports.as_ref().and_then(|rules| rules.keys_url.clone());
            let url = url.ok_or(Untrusted::Issuer)?;
            Ok(("the secret scanner".to_owned(), url, KeySet::parse_published as Parse))
        }
    };
    let Ok((name, url, parse)) = with_policy(env, source) else { return };
    let text = shim::text_at(url.as_str(), FETCH_MILLIS, MAX_JWKS, None).await;
    let keys = text.and_then(|text| parse(text.as_bytes()).map_err(|_| "no key set".to_owned()));
    if let Err(why) = &keys {
        log(&format!("portcullis: keys of {name}: {why}"));
    }
    with(env, |isolate| isolate.key_sets.learn(place, keys.ok(), now()));
}

type Parse = fn(&[u8]) -> Result<KeySet, Untrusted>;

/// What `ask` says of the policy in force, if this deployment is fit to decide.
fn with_policy<T>(
    env: &JsValue,
    ask: impl FnOnce(&Policy) -> Result<T, Untrusted>,
) -> Result<T, NotAuthenticated> {
    with(env, |Isolate { deployment, .. }| {
        let gate = deployment.fit(CONSEQUENCE, now()).ok_or(NotAuthenticated::Unavailable)?;
        ask(gate.policy()).map_err(NotAuthenticated::Invalid)
    })
}

const POLL_MILLIS: u32 = 20;
/// As long as a fetch may take, and a little.
const PATIENT_TURNS: u32 = 110;
const MOST_TURNS: u32 = 120;
/// Bytes. The largest sets of well-known issuers have some 10 KiB.
const MAX_JWKS: u32 = 64 * 1024;
