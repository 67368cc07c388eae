//! Whom a token speaks for: its issuer's keys, fetched when they are needed, and its signature.

use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;

use super::{CONSEQUENCE, Isolate, now, shim, with};
use crate::edge::shim::{log, sleep};
use crate::management::exchange::NotAuthenticated;
use crate::policy::Policy;
use crate::token::{Authenticated, FETCH_MILLIS, Key, Look, Presented, Token, Untrusted};

/// Verifies a token and says whom it speaks for.
pub(super) async fn authenticate(
    env: &JsValue,
    presented: &Presented<'_>,
) -> Result<Authenticated, NotAuthenticated> {
    let (place, token) = with_policy(env, |policy| presented.parse(policy, now()))?;
    let keys = keys(env, place, &token).await?;
    for key in keys {
        match shim::is_signed_by(&key, token.signature(), token.signed()).await {
            Some(true) => return with_policy(env, |policy| presented.accept(policy, now())),
            Some(false) => {}
            None => return Err(NotAuthenticated::Unavailable),
        }
    }
    Err(NotAuthenticated::Invalid(Untrusted::Signature))
}

/// The keys of the issuer at `place` by which `token` may be signed.
async fn keys(
    env: &JsValue,
    place: usize,
    token: &Token<'_>,
) -> Result<Vec<Key>, NotAuthenticated> {
    for turn in 0..MOST_TURNS {
        let patient = turn < PATIENT_TURNS;
        match with(env, |isolate| isolate.key_sets.look(place, token, patient, now())) {
            Look::Keys(keys) => return Ok(keys),
            Look::Refuse(why) => return Err(NotAuthenticated::Invalid(why)),
            Look::Unavailable => break,
            Look::Wait => drop(JsFuture::from(sleep(POLL_MILLIS)).await),
            Look::Fetch => fetch(env, place).await,
        }
    }
    Err(NotAuthenticated::Unavailable)
}

/// Fetches the key set of the issuer at `place`. Faults are logged.
async fn fetch(env: &JsValue, place: usize) {
    let source = |policy: &Policy| {
        let rules = policy.issuers.get(place).ok_or(Untrusted::Issuer)?;
        Ok((rules.name.to_string(), rules.jwks.as_str().to_owned()))
    };
    let Ok((name, url)) = with_policy(env, source) else { return };
    let text = shim::text_at(&url, FETCH_MILLIS, MAX_JWKS).await;
    let learnt = with(env, |isolate| isolate.key_sets.learn(place, text.as_deref().ok(), now()));
    if !learnt {
        let why = text.err().unwrap_or_else(|| "no key set".to_owned());
        log(&format!("portcullis: keys of the issuer {name}: {why}"));
    }
}

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
