//! Rings at a time by a thread that waits for it: the timer of systems whose timers cannot be waited for
//! like a socket. The runtime's own are up to a millisecond late.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::Notify;

use crate::network::{Clock, SPIN_NS};

/// One timer, and the thread that waits for it until it is dropped.
pub(super) struct ThreadTimer {
    shared: Arc<SharedTimer>,
    thread: Option<JoinHandle<()>>,
    /// What it is set to.
    set_ns: Option<u64>,
}

struct SharedTimer {
    clock: Clock,
    setting: Mutex<TimerSetting>,
    changed: Condvar,
    rung: Notify,
}

#[derive(Default)]
struct TimerSetting {
    at_ns: Option<u64>,
    is_ended: bool,
}

impl ThreadTimer {
    pub(super) fn new(clock: Clock) -> io::Result<Self> {
        let shared = Arc::new(SharedTimer {
            clock,
            setting: Mutex::default(),
            changed: Condvar::new(),
            rung: Notify::new(),
        });
        let waiting = Arc::clone(&shared);
        let thread =
            thread::Builder::new().name("timer".to_owned()).spawn(move || waiting.run())?;
        Ok(Self { shared, thread: Some(thread), set_ns: None })
    }

    /// Returns when the time has come. May be dropped and called again.
    pub(super) async fn at(&mut self, at_ns: u64) -> io::Result<()> {
        if self.set_ns != Some(at_ns) {
            self.shared.set(|setting| setting.at_ns = Some(at_ns));
            self.set_ns = Some(at_ns);
        }
        // It may have rung for what it was set to before.
        while self.shared.clock.now_ns() < at_ns {
            self.shared.rung.notified().await;
        }
        self.set_ns = None;
        Ok(())
    }
}

impl Drop for ThreadTimer {
    fn drop(&mut self) {
        self.shared.set(|setting| setting.is_ended = true);
        if let Some(thread) = self.thread.take() {
            // It does not panic, and if it did, no ring is waited for any more.
            let _ = thread.join();
        }
    }
}

impl SharedTimer {
    fn locked(&self) -> MutexGuard<'_, TimerSetting> {
        self.setting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, change: impl FnOnce(&mut TimerSetting)) {
        change(&mut self.locked());
        self.changed.notify_one();
    }

    fn run(&self) {
        let mut setting = self.locked();
        while !setting.is_ended {
            let left_ns = setting.at_ns.map(|at_ns| at_ns.saturating_sub(self.clock.now_ns()));
            setting = match left_ns {
                None => self.changed.wait(setting).unwrap_or_else(PoisonError::into_inner),
                Some(0) => {
                    setting.at_ns = None;
                    self.rung.notify_one();
                    setting
                }
                Some(left_ns) if left_ns <= SPIN_NS => {
                    drop(setting);
                    thread::yield_now();
                    self.locked()
                }
                Some(left_ns) => {
                    let early = Duration::from_nanos(left_ns - SPIN_NS);
                    let waited = self.changed.wait_timeout(setting, early);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future;

    use tokio::runtime::Builder;

    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn no_ring_comes_early_whatever_was_set_before() {
        let clock = Clock::new();
        let runtime = Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut timer = ThreadTimer::new(clock).unwrap();
            for at_ns in [MS, 2 * MS, 0, 7 * MS, 5 * MS, 8 * MS] {
                // Set and given up, as when an answer comes first.
                tokio::select! {
                    biased;
                    _ = timer.at(60_000 * MS) => panic!("it rang a minute early"),
                    () = future::ready(()) => {}
                }
                timer.at(at_ns).await.unwrap();
                assert!(clock.now_ns() >= at_ns, "{at_ns}");
            }
        });
        assert!(clock.now_ns() < 30_000 * MS, "waited for what was given up");
    }
}
