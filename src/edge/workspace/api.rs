//! The management API: does what the core wants done for a request, until there is an answer.

use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;

use super::authenticate::{authenticate, verify};
use super::{CONSEQUENCE, Isolate, now, shim, with};
use crate::answer::Answer;
use crate::edge::shim::{log, sleep};
use crate::management::exchange::{Came, Exchange, Object, Step};

/// Answers a request of the Worker's default entrypoint.
pub(super) async fn answer(env: &JsValue, request: &web_sys::Request, facts: &str) -> Answer {
    let (request_id, seed) =
        with(env, |Isolate { entropy, .. }| (entropy.request_id(), entropy.seed()));
    let mut exchange = Exchange::new(facts, request_id, seed);
    let mut came = Came::Nothing;
    loop {
        let step = with(env, |Isolate { deployment, recent, .. }| {
            exchange.next(came, deployment.fit(CONSEQUENCE, now()), recent, now())
        });
        came = match step {
            Step::Answer(answer) => return answer,
            Step::Authenticate(presented) => {
                Came::Authenticated(authenticate(env, &presented).await)
            }
            Step::Verify(signed) => Came::Verified(verify(env, &signed).await),
            Step::Row(name) => Came::Row(row(env, &name).await),
            Step::Body(limit) => Came::Body(shim::body(request, limit).await),
            Step::Wait(millis) => {
                let _ = JsFuture::from(sleep(millis)).await;
                Came::Waited
            }
            Step::Ask(object, text) => Came::Answered(ask(env, &object, &text).await),
        };
    }
}

async fn ask(env: &JsValue, object: &Object, text: &str) -> Option<String> {
    let (binding, name) = match object {
        Object::Workspace(number) => ("WORKSPACE", number),
        Object::Directory(member) => ("DIRECTORY", member),
    };
    let answer = shim::ask(env, binding, name, text).await;
    if let Err(why) = &answer {
        log(&format!("portcullis: {binding} {name}: {why}"));
    }
    answer.ok()
}

/// What KV holds; nothing if it cannot be told.
async fn row(env: &JsValue, name: &str) -> Option<Option<String>> {
    match shim::row(env, name).await {
        Ok(value) => Some(value),
        Err(why) => {
            log(&format!("portcullis: KV: {why}"));
            None
        }
    }
}
