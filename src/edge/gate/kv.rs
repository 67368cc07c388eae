//! Reading KV, within a deadline.

use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;

use super::{isolate, now, shim};
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
            shim::log(&format!("portcullis: KV row {row}: {}", unusable.as_str()));
            Err(Fault::RecordUnusable)
        }
        None => Err(Fault::Internal),
    }
}

async fn read(env: &JsValue, name: &str) -> Result<Option<String>, Fault> {
    let millis = isolate::with_memory(|gate, _| gate.policy().kv_timeout_ms).unwrap_or(0);
    let read = match shim::read(env, name, millis) {
        Ok(promise) => JsFuture::from(promise).await,
        Err(error) => Err(error),
    };
    read.map(|value| value.as_string()).map_err(|_| {
        shim::log("portcullis: KV: no binding KEYS, or no answer in time");
        Fault::KvUnavailable
    })
}
