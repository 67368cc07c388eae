//! Bodies of signed requests: read before the decision, forwarded as they were read. Their bytes are
//! JavaScript's, which lets go of them if the request is cancelled; the Wasm has them for one step only.

use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use super::shim::{self, Held};
use crate::denial::Fault;
use crate::ticket::Body;

/// Reads a body of at most `limit` bytes.
///
/// # Errors
/// What came of it in the place of a body.
pub(super) async fn read(request: &web_sys::Request, limit: u32) -> Result<Held, Body> {
    let read = JsFuture::from(shim::body(request, limit, MOST, MILLIS)).await;
    let read = read.unwrap_or(JsValue::NULL);
    match read.as_string().as_deref() {
        Some("long") => Err(Body::TooLong(limit.into())),
        Some("full") => Err(Body::Failed(Fault::NoRoom)),
        None if read.is_object() => Ok(read.unchecked_into()),
        Some(_) | None => Err(Body::Late),
    }
}

/// Bytes of all bodies that an isolate holds.
const MOST: u32 = 32 * 1024 * 1024;
/// For a body to arrive.
const MILLIS: u32 = 30_000;
