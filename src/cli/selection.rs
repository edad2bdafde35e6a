//! The flags that the commands which measure have in common.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use reqwest::Url;
use runner::{LiveMetrics, StageClock};
use suite::LayoutMode;
use sut::network::NetworkConditions;

use crate::app::selection::{CheckoutBuild, EvidenceLane, SuiteSelection, TargetChoice};
use crate::app::telemetry::{Telemetry, TelemetryOptions};
use crate::cli::process;
use crate::cli::reporter::{ProgressForm, Reporter};
use crate::cli::usage::UsageError;

/// Flags without effect where no launches are timed.
pub(super) const OF_LAUNCHES: [&str; 8] = [
    "--lane",
    "--network",
    "--layout",
    "--coins",
    "--metrics-listen",
    "--metrics-push",
    "--metrics-remote-write",
    "--otlp",
];

/// Flags that choose what is measured.
#[derive(Debug, clap::Args)]
pub(super) struct SelectionFlags {
    /// Configuration file [default: the nearest `xmlperf.toml`; outside of a repository also the reference API]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Measure the reference API inside this program, whatever configuration there is
    #[arg(long, conflicts_with = "config")]
    reference: bool,
    /// Scenario to run, from the configuration or shipped (smoke, concurrent, large, nominal, soak, stress, capacity, extreme); may be repeated
    #[arg(long = "scenario", value_name = "NAME")]
    scenarios: Vec<String>,
    /// Evidence to gather, and nothing else; may be repeated [default: time, and work where it can be]
    #[arg(long = "lane", value_enum, value_name = "LANE", value_delimiter = ',')]
    lanes: Vec<LaneName>,
    /// Seed of the payloads, instead of the configuration's
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Network between load and target, such as latency=20ms,jitter=2ms,bandwidth=10Mbit/s,resets=0.1%
    /// or latency=0s for none, instead of the configuration's
    #[arg(long, value_name = "NETWORK", value_parser = NetworkConditions::parse)]
    network: Option<NetworkConditions>,
    /// Where functions of both builds lie in a comparison, instead of the configuration's choice
    #[arg(long, value_enum, value_name = "LAYOUT")]
    layout: Option<LayoutName>,
    /// Seed of the coins that order the launches [default: drawn afresh, and recorded]
    #[arg(long, value_name = "N")]
    coins: Option<u64>,
    /// Folder for the run, the reports and the target's output
    #[arg(long, value_name = "DIR", default_value = ".xmlperf")]
    out: PathBuf,
    /// Plain lines on standard error, even on a terminal
    #[arg(long, conflicts_with = "progress")]
    plain: bool,
    /// How to say on standard error what is being done
    #[arg(long, value_enum, value_name = "FORM", default_value_t = ProgressForm::Auto)]
    progress: ProgressForm,
    /// Serve the numbers of the run for Prometheus here while it goes on, such as 127.0.0.1:9100
    #[arg(long, value_name = "ADDR")]
    metrics_listen: Option<SocketAddr>,
    /// Send the numbers of the run, and at its end its verdicts, to this Pushgateway, such as
    /// `http://127.0.0.1:9091`
    #[arg(long, value_name = "URL", value_parser = Url::parse)]
    metrics_push: Option<Url>,
    /// Likewise to a receiver of Prometheus' remote write, such as `http://127.0.0.1:9090/api/v1/write`
    #[arg(long, value_name = "URL", value_parser = Url::parse)]
    metrics_remote_write: Option<Url>,
    /// Likewise to a collector of OpenTelemetry, by OTLP/HTTP in JSON, such as `http://127.0.0.1:4318`
    #[arg(long, value_name = "URL", value_parser = Url::parse)]
    otlp: Option<Url>,
    /// Measure what is built already, without running `[target] build` in the checkout
    #[arg(long)]
    no_build: bool,
}

/// A lane of evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum LaneName {
    /// Instructions and allocations per XML pair, counted under callgrind
    Work,
    /// Latency, CPU time and memory of launches side by side
    Time,
}

/// Where functions lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum LayoutName {
    /// Drawn where both sides can be linked again in a moment, else as built
    Auto,
    /// Where each build has them
    AsBuilt,
    /// At the same addresses on both sides: both are linked again in one order
    Matched,
    /// Likewise, in an order that is drawn for each launch pair
    Drawn,
}

impl SelectionFlags {
    /// Returns the choice that the flags make.
    pub(super) fn selection(&self) -> anyhow::Result<SuiteSelection> {
        let lane = |name: &LaneName| match name {
            LaneName::Work => EvidenceLane::Work,
            LaneName::Time => EvidenceLane::Time,
        };
        let live = LiveMetrics::default();
        Ok(SuiteSelection {
            workplace: process::workplace()?,
            config: self.config.clone(),
            target: if self.reference { TargetChoice::Reference } else { TargetChoice::Configured },
            scenarios: self.scenarios.clone(),
            lanes: self.lanes.iter().map(lane).collect(),
            shard: None,
            payload_seed: self.seed,
            network: self.network,
            layout: self.layout.map(|name| match name {
                LayoutName::Auto => LayoutMode::Auto,
                LayoutName::AsBuilt => LayoutMode::AsBuilt,
                LayoutName::Matched => LayoutMode::Matched,
                LayoutName::Drawn => LayoutMode::Drawn,
            }),
            assignment_seed: self.coins,
            out: self.out.clone(),
            checkout_build: if self.no_build { CheckoutBuild::Skip } else { CheckoutBuild::Run },
            metrics_address: self.metrics_listen,
            telemetry: Telemetry::new(self.telemetry(), live.clone()),
            live,
            clock: StageClock::default(),
            invocation: None,
        })
    }

    /// Returns the folder that results go to.
    pub(super) fn out(&self) -> &Path {
        &self.out
    }

    fn telemetry(&self) -> TelemetryOptions {
        TelemetryOptions {
            pushgateway: self.metrics_push.clone(),
            remote_write: self.metrics_remote_write.clone(),
            otlp: self.otlp.clone(),
        }
    }

    /// Returns what prints the events.
    pub(super) fn reporter(&self) -> Reporter {
        Reporter::new(if self.plain { ProgressForm::Plain } else { self.progress })
    }

    /// Fails if one of the flags was given that have no effect with a command.
    pub(super) fn refuse(&self, flags: &[&str]) -> Result<(), UsageError> {
        let given = [
            ("--lane", !self.lanes.is_empty()),
            ("--network", self.network.is_some()),
            ("--layout", self.layout.is_some()),
            ("--coins", self.coins.is_some()),
            ("--metrics-listen", self.metrics_listen.is_some()),
            ("--metrics-push", self.metrics_push.is_some()),
            ("--metrics-remote-write", self.metrics_remote_write.is_some()),
            ("--otlp", self.otlp.is_some()),
            ("--no-build", self.no_build),
        ];
        match given.iter().find(|(flag, given)| *given && flags.contains(flag)) {
            Some((flag, _)) => Err(UsageError::NoEffect { flag }),
            None => Ok(()),
        }
    }
}
