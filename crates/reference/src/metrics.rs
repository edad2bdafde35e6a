//! Counts what the service did, for Prometheus.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hyper::StatusCode;

use crate::verdict::VerdictCounts;

/// Everything since the start.
#[derive(Debug, Default)]
pub(super) struct ServiceMetrics {
    answers: Mutex<BTreeMap<(&'static str, u16), ResponseTotals>>,
    pairs: Mutex<VerdictCounts>,
    connections: AtomicU64,
    turned_away: AtomicU64,
}

#[derive(Debug, Default, Clone, Copy)]
struct ResponseTotals {
    count: u64,
    time: Duration,
}

impl ServiceMetrics {
    /// Notes an answer whose head was ready after `time`. An answer to a batch counts before it is
    /// sent.
    pub(super) fn answered(&self, call: &'static str, status: StatusCode, time: Duration) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let answers = answers.entry((call, status.as_u16())).or_default();
        answers.count += 1;
        answers.time += time;
    }

    pub(super) fn compared(&self, counts: VerdictCounts) {
        *self.pairs.lock().unwrap_or_else(PoisonError::into_inner) += counts;
    }

    pub(super) fn connected(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn disconnected(&self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn turned_away(&self) {
        self.turned_away.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the text format, version 0.0.4.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let labels = |(call, status): &(&str, u16)| format!("call=\"{call}\",status=\"{status}\"");
        let counts = answers.iter().map(|(key, one)| (labels(key), one.count as f64));
        family(&mut text, "requests_total", "counter", "Requests answered.", counts);
        let times = answers.iter().map(|(key, one)| (labels(key), one.time.as_secs_f64()));
        let help = "Seconds from the head of a request to the head of its answer.";
        family(&mut text, "request_seconds_total", "counter", help, times);
        let pairs = *self.pairs.lock().unwrap_or_else(PoisonError::into_inner);
        let pairs = [
            ("matched", pairs.matched),
            ("different", pairs.different),
            ("malformed", pairs.malformed),
        ];
        let pairs = pairs.map(|(result, n)| (format!("result=\"{result}\""), n as f64));
        family(&mut text, "pairs_total", "counter", "XML pairs compared.", pairs.into_iter());
        for (name, kind, help, value) in [
            ("connections", "gauge", "Open connections.", &self.connections),
            ("refused_total", "counter", "Connections over the limit.", &self.turned_away),
        ] {
            let value = value.load(Ordering::Relaxed) as f64;
            family(&mut text, name, kind, help, [(String::new(), value)].into_iter());
        }
        text
    }
}

/// Adds one metric with all of its label sets.
fn family(
    text: &mut String,
    name: &str,
    kind: &str,
    help: &str,
    values: impl Iterator<Item = (String, f64)>,
) {
    let name = format!("xmlperf_reference_{name}");
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    for (labels, value) in values {
        let labels = if labels.is_empty() { labels } else { format!("{{{labels}}}") };
        let _ = writeln!(text, "{name}{labels} {value}");
    }
}
