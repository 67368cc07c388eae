//! Finding out what a decision needs, before an answer or behind it.

use std::future::Future;

use js_sys::Array;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use super::isolate::{self, Step};
use super::{body, kv, now, promise, respond, shim, workspace};
use crate::denial::Fault;
use crate::key::Kid;
use crate::memory::Turn;
use crate::need::{Ask, Leave, Need};
use crate::ticket::{Body, Ticket};

/// Decides a request that memory alone could not: its plan or its answer.
pub(super) async fn answer(
    request: web_sys::Request,
    env: JsValue,
    ctx: JsValue,
    facts: String,
    mut ticket: Ticket,
    mut need: Need,
) -> JsValue {
    let mut held: Option<shim::Held> = None;
    for _ in 0..MAX_LOOK_UPS {
        if let Need::Body(limit) = need {
            if held.is_none() {
                match body::read(&request, limit).await {
                    Ok(own) => held = Some(own),
                    Err(instead) => ticket.bring(instead),
                }
            }
            if let Some(own) = &held {
                ticket.bring(Body::Read(own.bytes().to_vec()));
            }
        } else {
            meet(&env, &ctx, need, &mut ticket).await;
        }
        let step = isolate::step(&env, &facts, &mut ticket, now());
        ticket.drop_body();
        match step {
            Step::Forward { plan, ahead: wanted } => {
                if let Some(need) = wanted {
                    ahead(&env, &ctx, need);
                }
                let plan = JsValue::from_str(&plan);
                return match held {
                    Some(held) => Array::of2(&plan, &held).into(),
                    None => plan,
                };
            }
            Step::Answer(answer) => {
                held.iter().for_each(shim::Held::release);
                if let Some(kid) = ticket.denied() {
                    close_later(&env, &ctx, kid);
                }
                return respond(&request, &answer);
            }
            Step::Need(next) => need = next,
            // It never needs anything.
            Step::Manage { unavailable } => return respond(&request, &unavailable),
        }
    }
    respond(&request, &isolate::fault(Fault::Internal, &facts))
}

/// Finds something out behind the answer, so that a key in use never waits.
pub(super) fn ahead(env: &JsValue, ctx: &JsValue, need: Need) {
    if isolate::turn(need, false, true) != Turn::Go {
        return;
    }
    let (env, context) = (env.clone(), ctx.clone());
    behind(ctx, async move {
        let met = if let Need::Workspace(Ask::Leave(leave)) = need {
            workspace::learn_ahead(&env, leave).await
        } else {
            learn(&env, need, &mut Ticket::default()).await
        };
        isolate::turn_over(&need, met.err());
        if let Need::Workspace(Ask::Leave(Leave { kid, .. })) = need {
            close_later(&env, &context, kid);
        }
    });
}

/// Meets a need, or puts onto the ticket why not. One request asks; the others wait a little and
/// look into memory again.
async fn meet(env: &JsValue, ctx: &JsValue, need: Need, ticket: &mut Ticket) {
    if let Need::Workspace(Ask::Leave(Leave { alone: true, .. })) = need {
        if let Err(fault) = learn(env, need, ticket).await {
            ticket.fail(&need, fault);
        }
        return;
    }
    let joins = ticket.joins(&need);
    let turn = isolate::turn(need, joins, ticket.has_waited());
    if joins && turn == Turn::Wait {
        ticket.count();
    }
    match turn {
        Turn::Go => {
            let met = learn(env, need, ticket).await;
            isolate::turn_over(&need, met.err());
            if let Err(fault) = met {
                ticket.fail(&need, fault);
            }
            if let Need::Workspace(Ask::Leave(Leave { kid, .. })) = need {
                close_later(env, ctx, kid);
            }
        }
        Turn::Wait if ticket.wait(POLL_MILLIS, isolate::patience(&need)) => {
            let _ = JsFuture::from(shim::sleep(POLL_MILLIS)).await;
        }
        Turn::Wait => ticket.fail(&need, need.timeout()),
        Turn::Failed(fault) => ticket.fail(&need, fault),
    }
}

async fn learn(env: &JsValue, need: Need, ticket: &mut Ticket) -> Result<(), Fault> {
    match need {
        Need::Kv(row) => kv::learn(env, row).await,
        Need::Workspace(ask) => workspace::learn(env, ask, ticket).await,
        // It is the request's own: nobody else can find it out.
        Need::Body(_) => Err(Fault::Internal),
    }
}

/// Tells the Workspace what became of leases and requests, if nothing has until they are over.
pub(super) fn close_later(env: &JsValue, ctx: &JsValue, kid: Kid) {
    let Some(millis) = isolate::closing_due(&kid) else { return };
    let env = env.clone();
    behind(ctx, async move {
        let mut again = Some(millis);
        for _ in 0..MAX_REPORTS {
            let Some(millis) = again else { break };
            let _ = JsFuture::from(shim::sleep(millis)).await;
            // What does not get through is told with the next call.
            let _ = workspace::report(&env, kid).await;
            again = isolate::closing_due(&kid);
        }
    });
}

fn behind(ctx: &JsValue, work: impl Future<Output = ()> + 'static) {
    let done = promise(async move {
        work.await;
        JsValue::UNDEFINED
    });
    ctx.unchecked_ref::<Context>().wait_until(&done);
}

#[wasm_bindgen]
extern "C" {
    type Context;

    #[wasm_bindgen(method, js_name = waitUntil)]
    fn wait_until(this: &Context, promise: &js_sys::Promise);
}

/// Waiting included; a request needs at most a pointer under each root version, a record from KV
/// and from the Workspace, leave, and each again if the key changes meanwhile.
const MAX_LOOK_UPS: usize = 4096;
const POLL_MILLIS: u32 = 5;
/// With leases of the usual length, as long as work may go on behind an answer.
const MAX_REPORTS: u32 = 12;
