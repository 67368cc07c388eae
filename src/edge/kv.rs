//! Reading KV, within a deadline.

use std::time::Duration;

use futures_util::future::{Either, select};
use wasm_bindgen::{JsCast, JsValue};
use worker::{Delay, Env};

use super::{isolate, now};
use crate::denial::Fault;
use crate::need::KvRow;

/// Reads `row` and puts it into memory.
///
/// # Errors
/// When KV does not answer or what it holds may not be used. Logged here.
pub(super) async fn learn(env: &JsValue, row: KvRow) -> Result<(), Fault> {
    let value = read(env, &row.kv_name()).await?;
    let value = value.as_deref().map(str::as_bytes);
    match isolate::with_memory(|gate, memory| row.learn(value, gate, memory, now())) {
        Some(Ok(())) => Ok(()),
        Some(Err(unusable)) => {
            let row = match row {
                KvRow::Record(kid) => kid.to_string(),
                KvRow::Pointer(_) => "of an imported key".to_owned(),
            };
            worker::console_error!("portcullis: KV row {row}: {}", unusable.as_str());
            Err(Fault::RecordUnusable)
        }
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
