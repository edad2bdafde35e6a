//! Counts the time for which a target's threads were ready to run and had no processor.
//!
//! The kernel keeps it for each thread, and forgets it when the thread ends. A server with a thread for each
//! connection ends them whenever connections are renewed, so the clock is read while they live, and adds up what
//! has come since the last time.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use rustix::process::Pid;

/// The time on the run queue of a target's processes since the clock was made, as far as it was read: what a thread
/// waited after the last reading before its end is lost.
#[derive(Debug)]
pub struct RunQueueClock {
    processes: Vec<Pid>,
    /// What each thread that was alive at the last reading had waited since its start, in nanoseconds.
    waited_ns: BTreeMap<u32, u64>,
    total_ns: u64,
}

impl RunQueueClock {
    pub(super) fn new(processes: Vec<Pid>) -> Self {
        let waited_ns = waited(&processes);
        Self { processes, waited_ns, total_ns: 0 }
    }

    /// Returns the time since the clock was made. Reads a small file for each thread, a few microseconds.
    pub fn read(&mut self) -> Duration {
        let now_ns = waited(&self.processes);
        self.total_ns += added(&self.waited_ns, &now_ns);
        self.waited_ns = now_ns;
        Duration::from_nanos(self.total_ns)
    }
}

/// What the living threads have waited since their start, by their numbers.
fn waited(processes: &[Pid]) -> BTreeMap<u32, u64> {
    let folder = |pid: &Pid| format!("/proc/{}/task", pid.as_raw_pid());
    let threads = processes.iter().filter_map(|pid| fs::read_dir(folder(pid)).ok()).flatten();
    let waited = |entry: fs::DirEntry| {
        let number = entry.file_name().to_str()?.parse().ok()?;
        // A thread may end between the listing and the reading.
        let statistics = fs::read_to_string(entry.path().join("schedstat")).ok()?;
        Some((number, statistics.split_ascii_whitespace().nth(1)?.parse().ok()?))
    };
    threads.filter_map(|entry| waited(entry.ok()?)).collect()
}

/// What has come between two readings. A number that has less than before belongs to another thread by now.
fn added(before_ns: &BTreeMap<u32, u64>, now_ns: &BTreeMap<u32, u64>) -> u64 {
    let since = |(thread, now): (&u32, &u64)| {
        let before = before_ns.get(thread).filter(|before| *before <= now);
        now - before.copied().unwrap_or(0)
    };
    now_ns.iter().map(since).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn readings(threads: &[&[(u32, u64)]]) -> Vec<BTreeMap<u32, u64>> {
        threads.iter().map(|reading| reading.iter().copied().collect()).collect()
    }

    fn total(readings: &[BTreeMap<u32, u64>]) -> u64 {
        readings.windows(2).map(|pair| added(&pair[0], &pair[1])).sum()
    }

    #[test]
    fn threads_that_end_keep_what_they_had_waited() {
        let waited = readings(&[&[(1, 100), (2, 5)], &[(1, 130), (3, 40)], &[(1, 131), (3, 50)]]);
        assert_eq!(total(&waited), 30 + 40 + 1 + 10);
        let reused = readings(&[&[(7, 900)], &[(7, 20)]]);
        assert_eq!(total(&reused), 20, "a number that is used again belongs to a new thread");
    }

    #[test]
    fn living_threads_are_found() {
        let mut clock = RunQueueClock::new(vec![rustix::process::getpid()]);
        assert!(!clock.waited_ns.is_empty());
        let first = clock.read();
        assert!(clock.read() >= first);
    }

    proptest! {
        #[test]
        fn reading_more_often_changes_nothing_while_threads_live(
            steps in proptest::collection::vec(proptest::collection::vec(0..1_000_u64, 3), 2..9),
        ) {
            let mut now = [0; 3];
            let mut waited = Vec::new();
            for step in steps {
                now.iter_mut().zip(step).for_each(|(thread, more)| *thread += more);
                waited.push((0..).zip(now.iter().copied()).collect::<BTreeMap<u32, u64>>());
            }
            let ends = [waited[0].clone(), waited[waited.len() - 1].clone()];
            prop_assert_eq!(total(&waited), total(&ends));
        }
    }
}
