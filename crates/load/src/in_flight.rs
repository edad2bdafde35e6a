//! Counts requests in flight as they come and go, apart from their number and their time.
//!
//! By Little's law the count is the rate times the mean service time; a request that was lost or
//! counted twice breaks it.

use super::settings::DriveOutcome;

/// Requests that were sent and not yet answered.
#[derive(Debug)]
pub(super) struct InFlightGauge {
    count: usize,
    most: usize,
    /// Up to when `integral_ns` is counted.
    until_ns: u64,
    /// The count, integrated over the time.
    integral_ns: u64,
}

impl InFlightGauge {
    pub(super) fn begin(now_ns: u64) -> Self {
        Self { count: 0, most: 0, until_ns: now_ns, integral_ns: 0 }
    }

    /// From now on, one more is in flight.
    pub(super) fn sent(&mut self, now_ns: u64) {
        self.integrate(now_ns);
        self.count += 1;
        self.most = self.most.max(self.count);
    }

    /// Since then, one less is in flight.
    pub(super) fn done(&mut self, done_ns: u64) {
        self.integrate(done_ns);
        // What was not known at once has been counted on.
        self.integral_ns -= self.until_ns - done_ns;
        self.count -= 1;
    }

    fn integrate(&mut self, until_ns: u64) {
        let unchanged_ns = until_ns.saturating_sub(self.until_ns);
        self.integral_ns += self.count as u64 * unchanged_ns;
        self.until_ns = self.until_ns.max(until_ns);
    }

    /// Returns the drive with what was counted.
    pub(super) fn into_drive(self, drive: DriveOutcome) -> DriveOutcome {
        DriveOutcome { in_flight_ns: self.integral_ns, in_flight_max: self.most, ..drive }
    }
}
