//! Lends comparison engines to workers that have a block to compare.

use std::sync::{Mutex, PoisonError};

use crate::engine::{CompareEngine, EqualitySemantics};
use units::Ratio;

/// Engines that wait for work, and how many may work at once.
#[derive(Debug)]
pub(super) struct EnginePool {
    idle: Mutex<Vec<CompareEngine>>,
    workers: usize,
    semantics: EqualitySemantics,
    extra_work: Ratio,
}

impl EnginePool {
    pub(super) fn new(workers: usize, semantics: EqualitySemantics, extra_work: Ratio) -> Self {
        Self { idle: Mutex::default(), workers, semantics, extra_work }
    }

    pub(super) fn has_one_worker(&self) -> bool {
        self.workers == 1
    }

    /// How many blocks of one batch may be read while another is waited for.
    pub(super) fn blocks_ahead(&self) -> usize {
        if self.has_one_worker() { 0 } else { 2 * self.workers }
    }

    /// Calls `work` with an engine, which keeps its memory for the next one unless it has grown.
    pub(super) fn with_engine<T>(&self, work: impl FnOnce(&mut CompareEngine) -> T) -> T {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut engine =
            idle.unwrap_or_else(|| CompareEngine::new(self.semantics, self.extra_work));
        let result = work(&mut engine);
        if engine.is_small() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(engine);
        }
        result
    }
}
