//! Random bytes, fetched many at a time.

use wasm_bindgen::prelude::*;

use crate::encoding;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = crypto, js_name = getRandomValues)]
    fn fill(into: &mut [u8]);
}

/// A pool of random bytes, each given out once.
pub(super) struct Entropy {
    pool: [u8; POOL],
    used: usize,
}

impl Default for Entropy {
    fn default() -> Self {
        Self { pool: [0; POOL], used: POOL }
    }
}

impl Entropy {
    /// 128 random bits in hex.
    pub(super) fn request_id(&mut self) -> String {
        encoding::hex(&self.take::<16>())
    }

    /// Random bytes.
    pub(super) fn take<const N: usize>(&mut self) -> [u8; N] {
        if self.used.saturating_add(N) > POOL {
            fill(&mut self.pool);
            self.used = 0;
        }
        let rest = self.pool.get(self.used..).unwrap_or_default();
        let bytes = rest.first_chunk().copied().unwrap_or([0; N]);
        self.used = self.used.saturating_add(N);
        bytes
    }
}

const POOL: usize = 2048;
