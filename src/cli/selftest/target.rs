//! Tries on the user's own API whether nothing is found where nothing is, and a change where one is sent.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use compare::stopping::EarlyStopping;
use runner::{LiveMetrics, StageClock};
use units::Ratio;

use crate::app::dose::{self, DoseOptions};
use crate::app::measure::ComparisonEnding;
use crate::app::selection::{CheckoutBuild, SuiteSelection, TargetChoice};
use crate::app::telemetry::Telemetry;
use crate::cli::reporter::Reporter;
use crate::cli::{Exit, dose_text, process};

/// The change that is sent if no other is wanted: the tolerance of CPU time.
const DOSE: Ratio = Ratio(0.03);

/// What is tried on the user's own API.
#[derive(Debug, clap::Args)]
pub(super) struct TargetArgs {
    /// Check on your own API: the build of the checkout against itself, then with a change of a known size
    #[arg(long, conflicts_with = "format")]
    target: bool,
    /// Size of that change [default: 3%]
    #[arg(long, value_name = "SHARE", value_parser = Ratio::parse, requires = "target")]
    dose: Option<Ratio>,
    /// Time for measuring each of the two, such as `3m`
    #[arg(long, value_name = "TIME", value_parser = units::parse_duration, requires = "target")]
    budget: Option<Duration>,
    /// Configuration file [default: the nearest `xmlperf.toml`]
    #[arg(long, value_name = "FILE", requires = "target")]
    config: Option<PathBuf>,
    /// Scenario to run; may be repeated
    #[arg(long = "scenario", value_name = "NAME", requires = "target")]
    scenarios: Vec<String>,
    /// Folder for the target's output
    #[arg(long, value_name = "DIR", default_value = ".xmlperf", requires = "target")]
    out: PathBuf,
}

impl TargetArgs {
    /// Returns whether the user's own API is meant.
    pub(super) fn is_wanted(&self) -> bool {
        self.target
    }

    fn selection(&self) -> anyhow::Result<SuiteSelection> {
        Ok(SuiteSelection {
            workplace: process::workplace()?,
            config: self.config.clone(),
            target: TargetChoice::Configured,
            scenarios: self.scenarios.clone(),
            lanes: Vec::new(),
            layout: None,
            shard: None,
            payload_seed: None,
            network: None,
            assignment_seed: None,
            out: self.out.clone(),
            checkout_build: CheckoutBuild::Run,
            metrics_address: None,
            telemetry: Telemetry::default(),
            live: LiveMetrics::default(),
            clock: StageClock::default(),
            invocation: None,
        })
    }
}

/// Measures both, shows what was sent and what was seen, and fails if that is not the same.
pub(super) fn run(
    args: &TargetArgs,
    events: &mut Reporter,
    out: &mut impl Write,
) -> anyhow::Result<Exit> {
    let cancel = process::cancel_on_signals()?;
    let ending = ComparisonEnding { budget: args.budget, early: EarlyStopping::Decided };
    let mut selection = args.selection()?;
    let mut exits = Vec::new();
    for dose in [None, Some(args.dose.unwrap_or(DOSE))] {
        let options = DoseOptions { selection: selection.clone(), dose, ending };
        let outcome = dose::send(&options, events, &cancel)?;
        dose_text::show(out, &outcome)?;
        exits.push(dose_text::exit(&outcome));
        // It is built by now.
        selection.checkout_build = CheckoutBuild::Skip;
    }
    // What could not be measured is graver than what was not found.
    let worst = [Exit::NotMeasured, Exit::Regressed].into_iter().find(|exit| exits.contains(exit));
    Ok(worst.unwrap_or(Exit::Success))
}
