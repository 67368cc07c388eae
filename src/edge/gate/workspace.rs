//! Calls to Workspaces.

use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;

use super::{isolate, now, shim};
use crate::denial::Fault;
use crate::enquiry::Enquiry;
use crate::key::Kid;
use crate::need::{Ask, Leave};
use crate::ticket::Ticket;

/// Asks the Workspace and puts its answer into memory and onto the request's ticket.
///
/// # Errors
/// When it does not answer, or with nothing that helps. Logged here.
pub(super) async fn learn(env: &JsValue, ask: Ask, ticket: &mut Ticket) -> Result<(), Fault> {
    let begin = isolate::begin(|id, gate, memory| Enquiry::new(ask, id, gate, memory, now()));
    let (enquiry, text) = begin.ok_or(Fault::Internal)?;
    call(env, enquiry, &text, ticket).await
}

/// Asks for more leave ahead of need.
pub(super) async fn learn_ahead(env: &JsValue, leave: Leave) -> Result<(), Fault> {
    let begin = isolate::begin(|id, gate, memory| Enquiry::ahead(leave, id, gate, memory, now()));
    let (enquiry, text) = begin.ok_or(Fault::Internal)?;
    call(env, enquiry, &text, &mut Ticket::default()).await
}

/// Tells what became of leases.
pub(super) async fn report(env: &JsValue, kid: Kid) -> Result<(), Fault> {
    let begin = isolate::begin(|_, _, memory| Enquiry::report(kid, memory, now()));
    let Some((enquiry, text)) = begin.flatten() else { return Ok(()) };
    call(env, enquiry, &text, &mut Ticket::default()).await
}

async fn call(
    env: &JsValue,
    enquiry: Enquiry,
    text: &str,
    ticket: &mut Ticket,
) -> Result<(), Fault> {
    let number = enquiry.workspace();
    let millis =
        isolate::with_memory(|gate, _| gate.policy().workspace_timeout_ms).unwrap_or_default();
    let answer = JsFuture::from(shim::ask(env, number.as_str(), text, millis)).await;
    let learnt = match answer.ok().and_then(|answer| answer.as_string()) {
        Some(answer) => {
            isolate::with_memory(|gate, memory| enquiry.learn(&answer, gate, memory, ticket, now()))
                .unwrap_or(Err(Fault::Internal))
        }
        None => {
            isolate::with_memory(|_, memory| enquiry.fail(memory));
            Err(Fault::WorkspaceUnavailable)
        }
    };
    if let Err(fault) = learnt {
        shim::log(&format!("portcullis: Workspace {}: {fault:?}", number.as_str()));
    }
    learnt
}
