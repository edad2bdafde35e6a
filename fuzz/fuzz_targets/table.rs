//! Tables of other tools: paired numbers as CSV or JSON, and a history as CSV.
#![no_main]

use std::fs;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;
use units::Ratio;
use xmlperf::app::decide::{self, DecideOptions};
use xmlperf::app::event::{Event, EventSink};
use xmlperf::app::trend::{self, TrendOptions, TrendSource};

static FOLDER: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a folder"));

struct NoEvents;

impl EventSink for NoEvents {
    fn emit(&mut self, _: Event<'_>) {}

    fn store_progress(&self) -> baseline::StorageProgress {
        std::sync::Arc::new(|_: &str| {})
    }
}

fuzz_target!(|text: &str| {
    let options = DecideOptions {
        name: "table".to_owned(),
        text: text.to_owned(),
        alpha: Ratio(0.01),
        tolerances: Vec::new(),
        floors: Vec::new(),
        higher_is_better: Vec::new(),
    };
    if let Ok(decision) = decide::decide(&options) {
        for metric in &decision.metrics {
            let [estimate, low, high] = metric.change_ln();
            assert!(!estimate.is_nan() && low <= high, "{estimate} [{low}, {high}]");
        }
    }
    let path = FOLDER.path().join("history.csv");
    fs::write(&path, text).expect("room for a table");
    let options = TrendOptions {
        source: TrendSource::Table(path),
        metrics: Vec::new(),
        scenarios: Vec::new(),
    };
    let _ = trend::trend(&options, &mut NoEvents);
});
