//! The scenarios that ship with the program, by name.

use std::time::Duration;

use crate::config::ConfigError;
use crate::{LoadAmount, LoadSettings, Scenario, WorkloadModel};
use load::capacity;
use payload::PayloadPreset;
use record::metric::limit::Limit;
use units::Ratio;

/// The seed of payloads, by default.
pub(super) const SEED: u64 = 42;

/// XML pairs in a request, by default.
pub(super) const PAIRS: u64 = 100;

/// A shipped scenario.
#[derive(Debug)]
pub struct ScenarioPreset {
    /// Its name.
    pub name: &'static str,
    /// What it is for, in a line.
    pub purpose: &'static str,
    /// XML pairs in a request.
    pub pairs: u64,
    /// What the documents are, where they are not those of the configuration.
    pub(super) documents: Option<PayloadPreset>,
    /// How requests follow each other.
    pub load: fn() -> LoadSettings,
    limits: &'static [(&'static str, &'static str)],
}

/// Every shipped scenario. Limits are those that the project's first users were promised.
pub const PRESETS: &[ScenarioPreset] = &[
    ScenarioPreset {
        name: "smoke",
        purpose: "100 XML pairs a request, many requests: the default gate of a pull request",
        pairs: 100,
        documents: None,
        load: || LoadSettings::closed(1, LoadAmount::Time),
        limits: &[("throughput", ">= 333 pairs/s"), ("errors", "0 %")],
    },
    ScenarioPreset {
        name: "concurrent",
        purpose: "the same over four connections: do requests wait for each other?",
        pairs: 100,
        documents: None,
        load: || LoadSettings::closed(4, LoadAmount::Time),
        limits: &[("errors", "0 %")],
    },
    ScenarioPreset {
        name: "large",
        purpose: "20 XML pairs of invoices a request: what grows with a document",
        pairs: 20,
        documents: Some(PayloadPreset::UblInvoice),
        // Some milliseconds a request, so that the usual load holds enough of them to tell a change from chance.
        load: || LoadSettings::closed(1, LoadAmount::Time),
        limits: &[("errors", "0 %")],
    },
    ScenarioPreset {
        name: "nominal",
        purpose: "100 000 XML pairs in one request: the promised workload",
        pairs: 100_000,
        documents: None,
        load: || LoadSettings::closed(1, LoadAmount::Requests(1)),
        limits: &[
            ("throughput", ">= 333 pairs/s"),
            ("p95", "<= 300 s"),
            ("rss", "<= 8 GiB"),
            ("errors", "0 %"),
        ],
    },
    ScenarioPreset {
        name: "soak",
        purpose: "10 000 XML pairs a request for 10 s: does memory keep growing?",
        pairs: 10_000,
        documents: None,
        load: || LoadSettings::closed(1, LoadAmount::For(Duration::from_secs(10))),
        limits: &[("growth", "<= 5 %"), ("throughput", ">= 333 pairs/s"), ("errors", "0 %")],
    },
    ScenarioPreset {
        name: "stress",
        purpose: "50 000 XML pairs a request over 1, 3, then 5 connections: failures under contention",
        pairs: 50_000,
        documents: None,
        load: || LoadSettings {
            model: WorkloadModel::Steps { connections: vec![1, 3, 5], requests: 15 },
            ..LoadSettings::closed(5, LoadAmount::Time)
        },
        limits: &[("throughput", ">= 333 pairs/s"), ("errors", "0 %")],
    },
    ScenarioPreset {
        name: "capacity",
        purpose: "100 XML pairs a request at a rising rate: the highest that keeps the limits",
        pairs: 100,
        documents: None,
        load: || LoadSettings {
            model: WorkloadModel::Capacity {
                search: capacity::CapacityPlan {
                    start_per_s: 100.0,
                    ceiling_per_s: 50_000.0,
                    precision: Ratio(0.05),
                },
                trial: Duration::from_secs(1),
            },
            ..LoadSettings::closed(64, LoadAmount::Time)
        },
        limits: &[("p95", "<= 100 ms"), ("errors", "0 %")],
    },
    ScenarioPreset {
        name: "extreme",
        purpose: "1 000 000 XML pairs in one request, streamed: scale",
        pairs: 1_000_000,
        documents: None,
        load: || LoadSettings::closed(1, LoadAmount::Requests(1)),
        limits: &[("throughput", ">= 333 pairs/s"), ("errors", "0 %")],
    },
];

impl ScenarioPreset {
    /// Returns the promises that come with the scenario.
    pub fn limits(&self) -> Vec<Limit> {
        let parse = |(key, text): &(&str, &str)| {
            Limit::parse(key, text).expect("a shipped limit is well written")
        };
        self.limits.iter().map(parse).collect()
    }
}

/// What is measured where no scenario is named anywhere: one connection alone misses what requests wait
/// for, and small documents miss what grows with a document or a batch.
pub(super) const DEFAULTS: [&str; 3] = ["smoke", "concurrent", "large"];

/// Keeps the scenarios that are selected by name: those of the file, then shipped ones. Without a
/// name, all of the file are kept.
pub(super) fn choose(
    scenarios: Vec<Scenario>,
    names: &[String],
    shipped: impl Fn(&ScenarioPreset) -> Result<Scenario, ConfigError>,
) -> Result<Vec<Scenario>, ConfigError> {
    let preset = |name: &str| PRESETS.iter().find(|preset| preset.name == name);
    if names.is_empty() {
        return Ok(scenarios);
    }
    let find = |name: &String| {
        let own = scenarios.iter().find(|scenario| scenario.name == *name).cloned();
        if let Some(own) = own {
            return Ok(own);
        }
        if let Some(preset) = preset(name) {
            return shipped(preset);
        }
        let own = scenarios.iter().map(|scenario| scenario.name.as_str());
        let shipped = PRESETS.iter().map(|preset| preset.name);
        let mut known: Vec<_> = own.chain(shipped).collect();
        known.dedup();
        Err(ConfigError::UnknownScenario { name: name.clone(), known: known.join(", ") })
    };
    names.iter().map(find).collect()
}
