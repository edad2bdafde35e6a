//! Bounds the memory that all requests together may hold on to.
//!
//! Most requests need little and take it freely. One that keeps more than [`FREE_BYTES`], because its
//! items or its differences are large, has to get the rest from a common store, and is turned away
//! when that is empty.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::contract::RequestRefusal;

/// What each request may keep in any case.
const FREE_BYTES: u64 = 2 << 20;

/// The common store.
#[derive(Debug)]
pub(super) struct Budget(AtomicU64);

impl Budget {
    pub(super) fn new(bytes: u64) -> Self {
        Self(AtomicU64::new(bytes))
    }
}

/// What one request holds; it goes back to the store with this.
#[derive(Debug)]
pub(super) struct Lease {
    budget: Arc<Budget>,
    bytes: u64,
}

impl Lease {
    pub(super) fn new(budget: Arc<Budget>) -> Self {
        Self { budget, bytes: 0 }
    }

    /// Asks for enough to keep `bytes` in all.
    pub(super) fn cover(&mut self, bytes: usize) -> Result<(), RequestRefusal> {
        let wanted = u64::try_from(bytes).unwrap_or(u64::MAX).saturating_sub(FREE_BYTES);
        let more = wanted.saturating_sub(self.bytes);
        if more > 0 {
            let take = |left: u64| left.checked_sub(more);
            let taken = self.budget.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
            taken.map_err(|_| RequestRefusal::Busy)?;
            self.bytes = wanted;
        }
        Ok(())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.budget.0.fetch_add(self.bytes, Ordering::Relaxed);
    }
}
