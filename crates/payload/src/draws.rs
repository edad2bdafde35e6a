//! Random choices that are the same on every machine: whole numbers from `ChaCha8`, no floats.
//!
//! Every XML pair has a stream of its own, so that pair `n` needs no draw of pair `n - 1`.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// The draws of one XML pair.
#[derive(Debug, Clone)]
pub(super) struct PairRng(ChaCha8Rng);

impl PairRng {
    /// Starts the draws of XML pair number `pair`.
    pub(super) fn new(seed: u64, pair: u64) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        // Apart from the depth mix, which draws from this seed's stream 0 with the byte at zero.
        key[8] = 1;
        let mut words = ChaCha8Rng::from_seed(key);
        words.set_stream(pair);
        Self(words)
    }

    /// Returns any 32 bits.
    pub(super) fn word(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// Returns a number below `limit`, which must not be zero.
    ///
    /// Not by `rand`, whose ranges may be drawn otherwise in its next version: a seed names one
    /// document for ever.
    pub(super) fn below(&mut self, limit: u32) -> u32 {
        let scaled = (u64::from(self.word()) * u64::from(limit)) >> 32;
        u32::try_from(scaled).expect("less than the limit")
    }

    /// Returns a number from `low` to `high`, both included.
    pub(super) fn between(&mut self, low: u32, high: u32) -> u32 {
        low + self.below(high - low + 1)
    }

    /// Returns one of `items`, which must not be empty.
    pub(super) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.index(items.len())]
    }

    /// Returns an index into something of length `len`, which must not be zero.
    pub(super) fn index(&mut self, len: usize) -> usize {
        let len = u32::try_from(len).unwrap_or(u32::MAX);
        usize::try_from(self.below(len)).expect("less than a length")
    }

    /// Returns true once in `times`.
    pub(super) fn once_in(&mut self, times: u32) -> bool {
        self.below(times) == 0
    }
}
