//! What a drive has in hand while it runs, whichever version of HTTP carries its requests.

use super::exchange::Exchange;
use super::in_flight::InFlightGauge;
use super::pacing::{DriveEnd, Pacer, PacingModel};
use super::settings::{DriveOutcome, LoadError};

/// How often a wait looks at time-outs and at [`Cancel`](units::cancel::Cancel).
pub(super) const TICK_NS: u64 = 50_000_000;

/// No time at which something is to be done.
pub(super) const NEVER_NS: u64 = u64::MAX;

pub(super) struct LoadDrive<'a> {
    pub(super) pacer: Pacer,
    pub(super) drive: DriveOutcome,
    pub(super) in_flight: InFlightGauge,
    /// When the next request is due, if there is a connection for it.
    pub(super) wake_ns: u64,
    /// A fault of this machine that was met where it cannot be returned.
    pub(super) fault: Option<LoadError>,
    sink: &'a mut dyn FnMut(&Exchange),
}

impl<'a> LoadDrive<'a> {
    pub(super) fn begin(
        model: &PacingModel,
        began_ns: u64,
        sink: &'a mut dyn FnMut(&Exchange),
    ) -> Self {
        Self {
            pacer: Pacer::new(model, began_ns),
            drive: DriveOutcome::begin(began_ns),
            in_flight: InFlightGauge::begin(began_ns),
            wake_ns: NEVER_NS,
            fault: None,
            sink,
        }
    }

    /// Counts an exchange that has ended, and hands it on.
    pub(super) fn note(&mut self, exchange: &Exchange) {
        self.drive.exchanges += 1;
        self.drive.ended_ns = self.drive.ended_ns.max(exchange.done_ns);
        if exchange.outcome.is_err() {
            self.drive.failures += 1;
            self.pacer.failed();
        }
        (self.sink)(exchange);
    }

    /// Returns a drive that a wish to stop has cut off.
    pub(super) fn cancelled(mut self) -> DriveOutcome {
        self.drive.ended = DriveEnd::Cancelled;
        self.in_flight.into_drive(self.drive)
    }

    /// Returns a drive that has sent all that it was to send.
    pub(super) fn ended(mut self, now_ns: u64) -> DriveOutcome {
        self.drive.ended = self.pacer.ended(now_ns).unwrap_or(DriveEnd::Reached);
        self.drive.dropped = self.pacer.dropped();
        self.in_flight.into_drive(self.drive)
    }
}
