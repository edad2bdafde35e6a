//! The pauses between two looks at something that is awaited.

use std::thread;
use std::time::Duration;

/// Waits a little longer each time: short at first, as many targets are ready within milliseconds.
#[derive(Debug)]
pub(super) struct PollBackoff(Duration);

impl Default for PollBackoff {
    fn default() -> Self {
        Self(Duration::from_millis(2))
    }
}

impl PollBackoff {
    const LONGEST: Duration = Duration::from_millis(50);

    pub(super) fn take(&mut self) {
        thread::sleep(self.longer());
    }

    /// Returns the time to wait now, and makes the next one longer.
    pub(super) fn longer(&mut self) -> Duration {
        let now = self.0;
        self.0 = (self.0 * 3 / 2).min(Self::LONGEST);
        now
    }
}
