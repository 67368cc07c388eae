//! Bodies of signed requests: read before the decision, forwarded as they were read.

use std::cell::Cell;

use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use super::shim;
use crate::denial::Fault;
use crate::ticket::{Body, Ticket};

/// A body that was read. Room in the isolate is kept for it while this lives.
pub(super) struct Held {
    bytes: Uint8Array,
    _room: Room,
}

impl Held {
    /// To be forwarded.
    pub(super) const fn bytes(&self) -> &Uint8Array {
        &self.bytes
    }
}

/// Reads a body of at most `limit` bytes onto the ticket; the same for forwarding.
pub(super) async fn read(
    request: &web_sys::Request,
    limit: u32,
    ticket: &mut Ticket,
) -> Option<Held> {
    let Some(room) = Room::of(limit) else {
        ticket.bring(Body::Failed(Fault::NoRoom));
        return None;
    };
    match JsFuture::from(shim::body(request, limit)).await {
        Ok(value) if value.is_null() => ticket.bring(Body::TooLong(limit.into())),
        Ok(value) => {
            let bytes: Uint8Array = value.unchecked_into();
            ticket.bring(Body::Read(bytes.to_vec()));
            return Some(Held { bytes, _room: room });
        }
        // The client has gone, or its connection broke.
        Err(_) => ticket.bring(Body::Failed(Fault::Internal)),
    }
    None
}

/// A part of the memory that all bodies of an isolate may take.
struct Room(u32);

impl Room {
    fn of(bytes: u32) -> Option<Self> {
        TAKEN.with(|taken| {
            let sum = taken.get().checked_add(bytes).filter(|sum| *sum <= MOST)?;
            taken.set(sum);
            Some(Self(bytes))
        })
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        TAKEN.with(|taken| taken.set(taken.get().saturating_sub(self.0)));
    }
}

thread_local! {
    static TAKEN: Cell<u32> = const { Cell::new(0) };
}

/// Bytes.
const MOST: u32 = 32 * 1024 * 1024;
