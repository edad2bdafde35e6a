//! Adds up the wall time of the stages of a run while it goes on.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use record::stage::{RunStage, StageTimes};

/// The time of each stage so far; clones add to the same.
#[derive(Debug, Clone, Default)]
pub struct StageClock(Arc<Mutex<StageTimes>>);

impl StageClock {
    /// Does something, and adds the time that it took to a stage.
    pub fn time<T>(&self, stage: RunStage, work: impl FnOnce() -> T) -> T {
        let began = crate::now();
        let done = work();
        self.add(stage, began.elapsed());
        done
    }

    /// Returns the times of all stages, and begins anew.
    pub fn take(&self) -> StageTimes {
        std::mem::take(&mut *self.times())
    }

    /// Adds what of a time since `before` belongs to no stage.
    pub(crate) fn add_rest(&self, whole: Duration, before: Duration) {
        let known = self.sum().saturating_sub(before);
        self.add(RunStage::Other, whole.saturating_sub(known));
    }

    /// Returns the time of all stages together.
    pub(crate) fn sum(&self) -> Duration {
        Duration::from_nanos(self.times().values().sum())
    }

    fn add(&self, stage: RunStage, time: Duration) {
        *self.times().entry(stage).or_default() += units::nanos(time);
    }

    fn times(&self) -> MutexGuard<'_, StageTimes> {
        // Each sum is right, even where a thread stopped between two of them.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_and_the_rest_are_the_whole() {
        let clock = StageClock::default();
        clock.add(RunStage::Build, Duration::from_secs(5));
        let before = clock.sum();
        clock.add(RunStage::Load, Duration::from_secs(2));
        clock.add(RunStage::Load, Duration::from_secs(1));
        assert_eq!(clock.clone().time(RunStage::Stop, || 7), 7);
        let whole = clock.sum().saturating_sub(before) + Duration::from_millis(250);
        clock.add_rest(whole, before);
        let times = clock.take();
        assert_eq!(times[&RunStage::Load], 3_000_000_000);
        assert_eq!(times[&RunStage::Other], 250_000_000);
        assert!(clock.take().is_empty());
    }
}
