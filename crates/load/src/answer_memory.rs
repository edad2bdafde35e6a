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

    /// Empties a buffer and keeps its memory for the next answer, unless that is much and more than half of what all
    /// buffers may take is taken.
    pub(super) fn empty(&mut self, buffer: &mut Vec<u8>, most: usize) {
        /// What a buffer keeps, whatever others need.
        const KEPT: usize = 1 << 20;
        buffer.clear();
        if buffer.capacity() > KEPT && HELD.load(Ordering::Relaxed) > most / 2 {
            *buffer = Vec::new();
            self.shrink(0);
        }
    }

    /// Gives back what a buffer of `bytes` does not need.
    fn shrink(&mut self, bytes: usize) {
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
