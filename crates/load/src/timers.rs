//! Sleeps from one due time to the next at half of what that usually costs.
//!
//! Setting a timer and sleeping programs the processor's own timer, which on a virtual
//! machine leaves it, and that is most of the CPU time of a sleep. A timer that is set while an
//! earlier one still runs costs nothing of it: the system programs the processor for it when the
//! earlier one rings. So there are two timers in turn, each set one due time ahead.

use std::io;
use std::time::Duration;

use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::time::{self, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};

/// Two timers of the system's monotonic clock.
pub(super) struct TimerPair {
    timers: [SystemTimer; 2],
}

struct SystemTimer {
    fd: OwnedFd,
    /// What it is set to.
    at: Option<Duration>,
}

impl TimerPair {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { timers: [SystemTimer::new()?, SystemTimer::new()?] })
    }

    /// Sleeps until a time or a signal. `then`, if known, is the end of the next sleep.
    pub(super) fn sleep(&mut self, until: Duration, then: Option<Duration>) -> io::Result<()> {
        if self.timers[0].at != Some(until) {
            self.timers.swap(0, 1);
        }
        let [timer, other] = &mut self.timers;
        timer.set(until)?;
        if let Some(then) = then {
            other.set(then)?;
        }
        let mut expirations = [0; 8];
        match rustix::io::read(&timer.fd, &mut expirations) {
            Ok(_) => timer.at = None,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}

impl SystemTimer {
    fn new() -> io::Result<Self> {
        Ok(Self { fd: create(TimerfdFlags::CLOEXEC)?, at: None })
    }

    fn set(&mut self, at: Duration) -> io::Result<()> {
        if self.at != Some(at) {
            set(&self.fd, at)?;
            self.at = Some(at);
        }
        Ok(())
    }
}

/// Makes a timer of the system's monotonic clock that is read.
pub(super) fn create(flags: TimerfdFlags) -> io::Result<OwnedFd> {
    Ok(time::timerfd_create(TimerfdClockId::Monotonic, flags)?)
}

/// Sets a timer to one time of its clock.
pub(super) fn set(timer: &OwnedFd, at: Duration) -> io::Result<()> {
    let it_interval = Timespec { tv_sec: 0, tv_nsec: 0 };
    let it_value = Timespec::try_from(at).map_err(io::Error::other)?;
    let setting = Itimerspec { it_interval, it_value };
    time::timerfd_settime(timer, TimerfdTimerFlags::ABSTIME, &setting)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Clock;

    #[test]
    fn no_sleep_ends_early_whatever_was_foretold() {
        let clock = Clock::new();
        let mut alarms = TimerPair::new().unwrap();
        let ms = |ms: u64| ms * 1_000_000;
        let sleeps = [
            (ms(1), Some(ms(2))),
            (ms(2), Some(ms(30_000))),
            (ms(3), None),
            (ms(4), Some(ms(5))),
            // One was skipped, and has rung.
            (ms(7), Some(ms(8))),
            (ms(8), Some(ms(8))),
            (ms(8), None),
            (ms(9), Some(ms(4))),
            (ms(10), Some(ms(11))),
        ];
        for (until_ns, then_ns) in sleeps {
            alarms.sleep(clock.at(until_ns), then_ns.map(|ns| clock.at(ns))).unwrap();
            assert!(clock.now_ns() >= until_ns, "{until_ns}");
        }
        assert!(clock.now_ns() < ms(20_000), "slept until what was only foretold");
    }
}
