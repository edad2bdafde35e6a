//! Until when something is waited for that was started here.

use std::time::{Duration, Instant};

use units::cancel::Cancel;

use super::now;

/// The end of a time-out, or of a shorter time after Ctrl-C.
#[derive(Debug)]
pub(super) struct CancelDeadline<'a> {
    at: Instant,
    cancel: &'a Cancel,
    /// What is left of the time after Ctrl-C; none once that has begun.
    grace: Option<Duration>,
}

impl<'a> CancelDeadline<'a> {
    /// Begins now.
    pub(super) fn new(timeout: Duration, cancel: &'a Cancel, grace: Duration) -> Self {
        Self { at: now() + timeout, cancel, grace: Some(grace) }
    }

    /// Whether nothing is waited for any more. The first look after Ctrl-C begins the shorter time.
    pub(super) fn has_passed(&mut self) -> bool {
        if self.cancel.is_raised()
            && let Some(grace) = self.grace.take()
        {
            self.at = self.at.min(now() + grace);
        }
        now() >= self.at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cancelled_wait_ends_after_its_grace_and_a_time_out_is_never_longer_for_it() {
        let cancel = Cancel::default();
        let hour = Duration::from_hours(1);
        let mut long = CancelDeadline::new(hour, &cancel, Duration::ZERO);
        let mut graceful = CancelDeadline::new(hour, &cancel, hour / 2);
        let mut short = CancelDeadline::new(Duration::ZERO, &cancel, hour);
        assert_eq!(
            (long.has_passed(), graceful.has_passed(), short.has_passed()),
            (false, false, true)
        );
        cancel.raise();
        assert_eq!(
            (long.has_passed(), graceful.has_passed(), short.has_passed()),
            (true, false, true)
        );
    }
}
