//! Rings at a nanosecond: the runtime's own timers are up to a millisecond late.

use std::io;

use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::time::TimerfdFlags;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::network::Clock;
use crate::timers;

/// One timer of the system.
pub(super) struct AsyncTimer {
    clock: Clock,
    timer: AsyncFd<OwnedFd>,
    /// What it is set to.
    set_ns: Option<u64>,
}

impl AsyncTimer {
    pub(super) fn new(clock: Clock) -> io::Result<Self> {
        let timer = timers::create(TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        #[expect(unsafe_code, reason = "tokio asks for a promise about the file descriptor")]
        // SAFETY: an owned descriptor is open, and the same one, for as long as it lives.
        let timer = unsafe { AsyncFd::register_with_interest(timer, Interest::READABLE)? };
        Ok(Self { clock, timer, set_ns: None })
    }

    /// Returns when the time has come. May be dropped and called again.
    pub(super) async fn at(&mut self, at_ns: u64) -> io::Result<()> {
        if self.set_ns != Some(at_ns) {
            timers::set(self.timer.get_ref(), self.clock.at(at_ns))?;
            self.set_ns = Some(at_ns);
        }
        loop {
            let mut ready = self.timer.readable().await?;
            let mut expirations = [0; 8];
            match rustix::io::read(self.timer.get_ref(), &mut expirations) {
                Ok(_) => {
                    self.set_ns = None;
                    return Ok(());
                }
                Err(Errno::AGAIN) => ready.clear_ready(),
                Err(error) => return Err(error.into()),
            }
        }
    }
}
