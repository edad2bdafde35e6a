//! Watches a target while it is under load: its memory and CPU time as series, and what the machine
//! took away from everybody.
//!
//! A thread of its own reads two small files for each process of the target, ten times a second, and
//! counts its own CPU time, so that a report can say what watching cost. When the series is full,
//! every second value goes and the interval doubles: a soak of a day keeps its shape in the same
//! memory.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::param;
use rustix::process::Pid;
use rustix::time::{ClockId, clock_gettime};

use super::kernel::cpu_clock;

const INTERVAL: Duration = Duration::from_millis(100);
const POINTS_MAX: usize = 256;

/// A target at one moment, all its processes together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResourceSample {
    /// Since the sampling began.
    pub at: Duration,
    /// Resident memory.
    pub rss_bytes: u64,
    /// User and system time since its start.
    pub cpu: Duration,
}

/// A target over time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResourceSeries {
    /// In the order of time.
    pub points: Vec<ResourceSample>,
    /// CPU time that the sampling took.
    pub cost: Duration,
}

/// The CPU time of a target's processes, which takes microseconds to read.
#[derive(Debug)]
pub struct CpuClock(Vec<Pid>);

impl CpuClock {
    pub(super) fn new(processes: Vec<Pid>) -> Self {
        Self(processes)
    }

    /// Returns the time that the processes have used since their start; none if one of them has ended, and
    /// has taken its time with it.
    pub fn read(&self) -> Option<Duration> {
        self.0.iter().map(|pid| cpu_clock(*pid).ok()).sum()
    }
}

/// Watches until it is stopped or dropped.
#[derive(Debug)]
pub struct Sampler {
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<ResourceSeries>>,
}

impl Sampler {
    pub(super) fn start(
        processes: Vec<Pid>,
        mut seen: impl FnMut(&ResourceSample) + Send + 'static,
    ) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&ended);
        // Where the system refuses a thread, memory is not known.
        let watch = move || sample(&processes, &flag, &mut seen);
        Self { ended, thread: thread::Builder::new().spawn(watch).ok() }
    }

    /// Ends the sampling and returns what was seen.
    pub fn stop(mut self) -> ResourceSeries {
        self.end()
    }

    fn end(&mut self) -> ResourceSeries {
        self.ended.store(true, Ordering::Relaxed);
        let Some(thread) = self.thread.take() else { return ResourceSeries::default() };
        thread.thread().unpark();
        thread.join().unwrap_or_default()
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.end();
    }
}

fn sample(
    processes: &[Pid],
    ended: &AtomicBool,
    seen: &mut dyn FnMut(&ResourceSample),
) -> ResourceSeries {
    let began = super::now();
    let mut points = Vec::with_capacity(POINTS_MAX);
    let mut interval = INTERVAL;
    while !ended.load(Ordering::Relaxed) {
        let point = point(processes, began);
        point.iter().for_each(&mut *seen);
        points.extend(point);
        if points.len() == POINTS_MAX {
            let mut keep = false;
            points.retain(|_| {
                keep = !keep;
                keep
            });
            interval *= 2;
        }
        thread::park_timeout(interval);
    }
    points.extend(point(processes, began));
    let cost = clock_gettime(ClockId::ThreadCPUTime);
    let cost = Duration::try_from(cost).unwrap_or_default();
    ResourceSeries { points, cost }
}

/// Nothing, if all processes are gone.
fn point(processes: &[Pid], began: Instant) -> Option<ResourceSample> {
    let at = began.elapsed();
    let seen = processes.iter().filter_map(|pid| Some((rss_bytes(*pid)?, cpu_clock(*pid).ok()?)));
    seen.map(|(rss_bytes, cpu)| ResourceSample { at, rss_bytes, cpu }).reduce(|a, b| {
        ResourceSample { at, rss_bytes: a.rss_bytes + b.rss_bytes, cpu: a.cpu + b.cpu }
    })
}

fn rss_bytes(pid: Pid) -> Option<u64> {
    let statm = fs::read_to_string(format!("/proc/{}/statm", pid.as_raw_pid())).ok()?;
    let pages = statm.split(' ').nth(1)?.parse::<u64>().ok()?;
    Some(pages * u64::try_from(param::page_size()).ok()?)
}

/// What the machine has taken from its programs since it was started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HostInterference {
    /// CPU time that the host gave to others, over all processors.
    pub steal: Duration,
    /// Time for which this control group had used up its quota.
    pub throttled: Duration,
}

impl HostInterference {
    /// Reads it. What the system does not tell is zero.
    pub fn now() -> Self {
        let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
        let v2 = fs::read_to_string("/sys/fs/cgroup/cpu.stat").unwrap_or_default();
        let v1 = fs::read_to_string("/sys/fs/cgroup/cpu/cpu.stat").unwrap_or_default();
        Self { steal: steal(&stat).unwrap_or_default(), throttled: throttled(&v2, &v1) }
    }

    /// Returns what was taken between `earlier` and this.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            steal: self.steal.saturating_sub(earlier.steal),
            throttled: self.throttled.saturating_sub(earlier.throttled),
        }
    }
}

fn steal(stat: &str) -> Option<Duration> {
    let total = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks: u64 = total.split_whitespace().nth(7)?.parse().ok()?;
    Some(Duration::from_millis(ticks * 1_000 / param::clock_ticks_per_second().max(1)))
}

/// The second version of control groups counts in microseconds, the first in nanoseconds.
pub(super) fn throttled(v2: &str, v1: &str) -> Duration {
    let value = |text: &str, key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key));
        line.and_then(|rest| rest.trim().parse::<u64>().ok())
    };
    value(v2, "throttled_usec ")
        .map(Duration::from_micros)
        .or_else(|| value(v1, "throttled_time ").map(Duration::from_nanos))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_linux_are_understood() {
        let stat = "cpu  10 0 5 100 0 0 0 250 0 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n";
        let hundredths = 250_000 / param::clock_ticks_per_second();
        assert_eq!(steal(stat), Some(Duration::from_millis(hundredths)));
        let v2 = "usage_usec 5\nnr_throttled 1\nthrottled_usec 1500\n";
        assert_eq!(throttled(v2, ""), Duration::from_micros(1_500));
        assert_eq!(throttled("usage_usec 5\n", "throttled_time 7\n"), Duration::from_nanos(7));
    }

    #[test]
    fn a_series_has_its_first_and_last_moment_and_knows_its_cost() {
        let own = rustix::process::getpid();
        let sampler = Sampler::start(vec![own], |_| {});
        let series = sampler.stop();
        assert!(!series.points.is_empty());
        assert!(series.points.iter().all(|point| point.rss_bytes > 0 && !point.cpu.is_zero()));
        assert!(series.points.is_sorted_by_key(|point| point.at));
        assert!(!series.cost.is_zero());
    }
}
