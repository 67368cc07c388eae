//! Reading KV, within a deadline.

use std::time::Duration;

use futures_util::future::{Either, select};
use wasm_bindgen::{JsCast, JsValue};
use worker::{Delay, Env};

use super::{isolate, now};
use crate::decide::Need;
use crate::denial::Fault;
use crate::imported::Pointer;
use crate::record::{self, Record};

/// Reads what `need` names and puts it into memory.
///
/// # Errors
/// When KV does not answer or what it holds may not be used. Logged here.
pub(super) async fn learn(env: &JsValue, need: Need) -> Result<(), Fault> {
    let name = match need {
        Need::Record(kid) => record::kv_name(&kid),
        Need::Pointer(id) => id.kv_name(),
    };
    let value = read(env, &name).await?;
    let value = value.as_deref().map(str::as_bytes);
    let learnt = isolate::with_memory(|gate, memory| match need {
        Need::Record(kid) => {
            let tiers = &gate.policy().tiers;
            let open = |value| Record::open(gate.keyring(), &kid, tiers, value);
            let record = value.map(open).transpose();
            record.and_then(|record| memory.learn(kid, record, now())).map_err(|unusable| {
                worker::console_error!("portcullis: KV {name}: {}", unusable.as_str());
            })
        }
        Need::Pointer(id) => {
            let pointer = value.map(|value| Pointer::open(gate.keyring(), &id, value)).transpose();
            pointer.map(|pointer| memory.learn_pointer(id, pointer, now())).map_err(|broken| {
                worker::console_error!("portcullis: KV h1: {broken}");
            })
        }
    });
    match learnt {
        Some(Ok(())) => Ok(()),
        Some(Err(())) => Err(Fault::RecordUnusable),
        None => Err(Fault::Internal),
    }
}

async fn read(env: &JsValue, name: &str) -> Result<Option<String>, Fault> {
    let millis = isolate::with_memory(|gate, _| gate.policy().kv_timeout_ms).unwrap_or(0);
    let failed = |cause: &str| {
        worker::console_error!("portcullis: KV: {cause}");
        Fault::KvUnavailable
    };
    let env: Env = env.clone().unchecked_into();
    let kv = env.kv(BINDING).map_err(|_| failed("no binding KEYS"))?;
    let value = kv.get(name).cache_ttl(CACHE_SECONDS).text();
    let late = Delay::from(Duration::from_millis(millis.into()));
    match select(Box::pin(value), late).await {
        Either::Left((Ok(value), _)) => Ok(value),
        Either::Left((Err(_), _)) => Err(failed("the read failed")),
        Either::Right(((), _)) => Err(failed("no answer in time")),
    }
}

const BINDING: &str = "KEYS";
/// The least that KV takes.
const CACHE_SECONDS: u64 = 30;
