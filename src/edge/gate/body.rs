//! Bodies of signed requests: read before the decision, forwarded as they were read.

use std::cell::Cell;

use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use super::shim;
use crate::denial::Fault;
use crate::ticket::Body;

/// Room in the isolate for a body.
#[derive(Default)]
pub(super) struct Room(usize);

/// Reads a body of at most `limit` bytes.
pub(super) async fn read(request: &web_sys::Request, limit: u32, room: &mut Room) -> Body {
    let reader = shim::reader(request);
    let mut bytes = Vec::new();
    loop {
        let Ok(chunk) = JsFuture::from(shim::chunk(&reader)).await else {
            // The client has gone, or its connection broke.
            return Body::Failed(Fault::Internal);
        };
        if chunk.is_null() {
            return Body::Read(bytes);
        }
        let chunk: Uint8Array = chunk.unchecked_into();
        let length = usize::try_from(chunk.length()).unwrap_or(usize::MAX);
        let whole = bytes.len().saturating_add(length);
        if u32::try_from(whole).map_or(true, |whole| whole > limit) {
            return Body::TooLong(limit.into());
        }
        if !room.grow(length) {
            return Body::Failed(Fault::NoRoom);
        }
        let begin = bytes.len();
        bytes.resize(whole, 0);
        if let Some(end) = bytes.get_mut(begin..) {
            chunk.copy_to(end);
        }
    }
}

impl Room {
    /// Keeps it until [`sent`] gives it back.
    pub(super) fn hand_over(mut self) {
        self.0 = 0;
    }

    fn grow(&mut self, bytes: usize) -> bool {
        let sum = TAKEN.get().saturating_add(bytes);
        let fits = sum <= MOST;
        if fits {
            TAKEN.set(sum);
            self.0 = self.0.saturating_add(bytes);
        }
        fits
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        sent(self.0);
    }
}

/// Gives back the room of a body that is no longer held.
#[wasm_bindgen(js_name = body_sent)]
pub fn sent(bytes: usize) {
    TAKEN.set(TAKEN.get().saturating_sub(bytes));
}

thread_local! {
    static TAKEN: Cell<usize> = const { Cell::new(0) };
}

/// Bytes of all bodies that are read at a time.
const MOST: usize = 32 * 1024 * 1024;
