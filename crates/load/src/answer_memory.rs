//! The memory that answers may take, over all connections of the process.
//!
//! A bound for each connection would be none: a server that sends without an end fills it as many times
//! as there are connections, of base and of head.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes that buffers of answers hold.
static HELD: AtomicUsize = AtomicUsize::new(0);

/// What one buffer has taken of the memory for answers; dropping it gives that back.
#[derive(Debug, Default)]
pub(super) struct AnswerMemory {
    held: usize,
}

impl AnswerMemory {
    /// Takes as much as a buffer of `bytes` needs, and returns whether all buffers together are then
    /// within `most`. A small one is always within: a server whose answers are small is not refused
    /// for what another one sends.
    pub(super) fn take(&mut self, bytes: usize, most: usize) -> bool {
        const SMALL: usize = 64 * 1024;
        let more = bytes.saturating_sub(self.held);
        if more == 0 {
            return true;
        }
        let before = HELD.fetch_add(more, Ordering::Relaxed);
        self.held = bytes;
        bytes <= SMALL || before.saturating_add(more) <= most
    }

    /// Returns whether more than half of the memory is taken, so that a buffer should not keep what it
    /// does not need.
    pub(super) fn is_scarce(most: usize) -> bool {
        HELD.load(Ordering::Relaxed) > most / 2
    }

    /// Gives back what a buffer of `bytes` does not need.
    pub(super) fn shrink(&mut self, bytes: usize) {
        let less = self.held.saturating_sub(bytes);
        HELD.fetch_sub(less, Ordering::Relaxed);
        self.held -= less;
    }
}

impl Drop for AnswerMemory {
    fn drop(&mut self) {
        self.shrink(0);
    }
}
