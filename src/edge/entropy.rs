//! Random bytes, fetched many at a time: one crossing for 128 requests.

use super::shim;
use crate::encoding;

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
        encoding::hex(&self.bytes())
    }

    /// 128 random bits.
    pub(super) fn bytes(&mut self) -> [u8; 16] {
        self.take()
    }

    /// 256 random bits, of which a secret may be made.
    #[cfg(feature = "workspace")]
    pub(super) fn seed(&mut self) -> [u8; 32] {
        self.take()
    }

    /// One random byte.
    #[cfg(feature = "gate")]
    pub(super) fn byte(&mut self) -> u8 {
        let [byte] = self.take::<1>();
        byte
    }

    fn take<const N: usize>(&mut self) -> [u8; N] {
        if self.used.saturating_add(N) > POOL {
            shim::random(&mut self.pool);
            self.used = 0;
        }
        let rest = self.pool.get(self.used..).unwrap_or_default();
        let bytes = rest.first_chunk().copied().unwrap_or([0; N]);
        self.used = self.used.saturating_add(N);
        bytes
    }
}

const POOL: usize = 2048;
