//! The management API: does what the core wants done for a request, until there is an answer.

use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;

use super::authenticate::{authenticate, verify};
use super::{CONSEQUENCE, Isolate, now, shim, with};
use crate::edge::shim::{log, respond, respond_with, sleep};
use crate::management::exchange::{Came, Exchange, Object, Step};
use crate::token::Presented;

/// Answers a request of the Worker's default entrypoint.
pub(super) async fn answer(env: &JsValue, request: &web_sys::Request, facts: &str) -> JsValue {
    let is_head = request.method() == "HEAD";
    let (request_id, seed) =
        with(env, |Isolate { entropy, .. }| (entropy.request_id(), entropy.seed()));
    let mut exchange = Exchange::new(facts, request_id, seed);
    let mut came = Came::Nothing;
    loop {
        let step = with(env, |Isolate { deployment, recent, .. }| {
            exchange.next(came, deployment.fit(CONSEQUENCE, now()), recent, now())
        });
        came = match step {
            Step::Answer(answer) => {
                let body = (!is_head && answer.status != 204).then_some(answer.body.as_str());
                return respond(answer.status, &answer.headers, body);
            }
            Step::File(name, answer) => match shim::file(env, &name, is_head).await {
                Ok(body) => return respond_with(answer.status, &answer.headers, &body),
                Err(status) => {
                    let is_missing = status == 404;
                    if !is_missing {
                        log(&format!("portcullis: the dashboard's {name}: status {status}"));
                    }
                    Came::NoFile { is_missing }
                }
            },
            Step::Fetch(url, form) => Came::Fetched(fetch(&url, form.as_deref()).await),
            Step::Admit(token) => {
                Came::Authenticated(authenticate(env, &Presented::bearer(&token)).await)
            }
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

/// What an issuer says at a URL.
async fn fetch(url: &str, form: Option<&str>) -> Option<String> {
    let text = shim::text_at(url, ISSUER_MILLIS, MAX_ANSWER, form).await;
    if let Err(why) = &text {
        log(&format!("portcullis: sign-in: {url}: {why}"));
    }
    text.ok()
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

const ISSUER_MILLIS: u32 = 5_000;
/// Bytes.
const MAX_ANSWER: u32 = 64 * 1024;
