//! Shows a run while it goes on: lines under the bar on a terminal, a line now and then elsewhere.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;

use runner::{LiveMetrics, LiveSnapshot};

/// How often a line is written where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Shortest stretch that a rate is taken over.
const RATE_OVER: Duration = Duration::from_secs(1);

/// Moments of memory that are drawn.
const HISTORY: usize = 30;

/// Turns the counters of a run into lines for a person.
pub(super) struct Dashboard {
    live: LiveMetrics,
    before: LiveSnapshot,
    before_at: Duration,
    rss: VecDeque<u64>,
    lines: [String; 2],
}

impl Dashboard {
    pub(super) fn new(live: &LiveMetrics) -> Self {
        Self {
            live: live.clone(),
            before: live.snapshot(),
            before_at: Duration::ZERO,
            rss: VecDeque::new(),
            lines: <_>::default(),
        }
    }

    /// Returns the lines at a time since the beginning; new ones about every second.
    pub(super) fn lines(&mut self, at: Duration) -> &[String; 2] {
        let passed = at.saturating_sub(self.before_at);
        if passed >= RATE_OVER {
            let now = self.live.snapshot();
            let news = now.since(&self.before);
            self.rss.push_back(now.rss_bytes.iter().sum());
            if self.rss.len() > HISTORY {
                self.rss.pop_front();
            }
            let first = self.live.doing().unwrap_or_else(|| load(&news, passed));
            self.lines = [first, targets(&now, &self.before, passed, &self.rss)];
            (self.before, self.before_at) = (now, at);
        }
        &self.lines
    }
}

fn load(news: &LiveSnapshot, passed: Duration) -> String {
    let per_s = |count| units::count(units::exact(count) / passed.as_secs_f64());
    let time = |quantile| news.quantile_ns(quantile).map_or_else(|| "–".to_owned(), units::time_ns);
    format!(
        "{} requests/s · {} pairs/s · p50 {} · p99 {} · {} failed",
        per_s(news.requests),
        per_s(news.pairs),
        time(0.50),
        time(0.99),
        news.failed,
    )
}

fn targets(
    now: &LiveSnapshot,
    before: &LiveSnapshot,
    passed: Duration,
    rss: &VecDeque<u64>,
) -> String {
    let mut line = String::new();
    for (at, name) in ["base", "head"].into_iter().enumerate() {
        if now.rss_bytes[at] > 0 {
            let cpu_ns = now.cpu_ns[at].saturating_sub(before.cpu_ns[at]);
            let cores = units::exact(cpu_ns) / 1e9 / passed.as_secs_f64();
            let memory = units::bytes(units::exact(now.rss_bytes[at]));
            write!(line, "{name} {cores:.2} CPU {memory} · ").expect("a string takes all");
        }
    }
    line + &sparkline(rss)
}

/// Memory over time, from the least to the most of what is shown.
fn sparkline(values: &VecDeque<u64>) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let (low, high) = (values.iter().min(), values.iter().max());
    let (Some(low), Some(high)) = (low, high) else { return String::new() };
    let bar = |value: &u64| {
        let place = (value - low) * 7 / (high - low).max(1);
        BARS[usize::try_from(place).unwrap_or(0).min(7)]
    };
    values.iter().map(bar).collect()
}

/// Writes a line now and then, until it is dropped.
pub(super) struct ProgressTicker {
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl ProgressTicker {
    pub(super) fn start(live: &LiveMetrics) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let (flag, live) = (Arc::clone(&ended), live.clone());
        let tell = move || {
            let mut before = live.snapshot();
            thread::park_timeout(LINE_EVERY);
            while !flag.load(Ordering::Relaxed) {
                let now = live.snapshot();
                // An error is not reported: standard error is where it would go.
                let line = live.doing();
                let line = line.unwrap_or_else(|| load(&now.since(&before), LINE_EVERY));
                drop(writeln!(io::stderr(), "{line}"));
                before = now;
                thread::park_timeout(LINE_EVERY);
            }
        };
        Self { ended, thread: thread::Builder::new().spawn(tell).ok() }
    }
}

impl Drop for ProgressTicker {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // It has printed what it could.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dashboard_says_something_from_the_first_second_on() {
        let mut dashboard = Dashboard::new(&LiveMetrics::default());
        assert_eq!(dashboard.lines(Duration::from_millis(900))[0], "");
        let lines = dashboard.lines(Duration::from_secs(1));
        assert_eq!(lines[0], "0 requests/s · 0 pairs/s · p50 – · p99 – · 0 failed");
    }

    #[test]
    fn memory_is_drawn_from_its_least_to_its_most() {
        assert_eq!(sparkline(&VecDeque::from([5, 5, 12, 8])), "▁▁█▄");
        assert_eq!(sparkline(&VecDeque::new()), "");
    }
}
