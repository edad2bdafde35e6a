//! Waits for the end of a process by the event itself.

use std::os::fd::OwnedFd;
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Pid;

use super::kernel;

/// Sees a process end, whatever else it is waited for by.
#[derive(Debug)]
pub struct ProcessEndWatch {
    /// Becomes readable when the process ends; none where the kernel gives out no such descriptor, or the process
    /// has ended and was waited for.
    end: Option<OwnedFd>,
}

impl ProcessEndWatch {
    /// Watches a process.
    pub fn of(pid: Pid) -> Self {
        Self { end: kernel::end_of(pid) }
    }

    /// Waits until it ends, but not for longer than that. Without a descriptor it waits for all of the time.
    pub fn wait(&self, longest: Duration) {
        let Some(end) = &self.end else {
            thread::sleep(longest);
            return;
        };
        let mut events = [PollFd::new(end, PollFlags::IN)];
        // A time that is too long for the system is none; and a signal only makes the wait shorter.
        let _ = poll(&mut events, Timespec::try_from(longest).ok().as_ref());
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_process_that_ends_is_not_waited_for_longer() {
        let mut child = Command::new("sleep").arg("0.05").spawn().unwrap();
        let watch = ProcessEndWatch::of(Pid::from_child(&child));
        // A test that waits in vain takes a minute, and fails.
        let began = crate::now();
        watch.wait(Duration::from_mins(1));
        assert!(began.elapsed() < Duration::from_secs(30));
        assert!(child.try_wait().unwrap().is_some());
        // Once more, it is known at once.
        watch.wait(Duration::from_mins(1));
        assert!(began.elapsed() < Duration::from_secs(30));
    }
}
