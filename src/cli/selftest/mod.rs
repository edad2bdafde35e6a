//! Checks on the machine that it runs on what this program promises.

mod checks;
mod json;
mod stored;
mod tables;
mod target;

use std::io::Write;

use anyhow::anyhow;
use calibration::regime::Regime;

use crate::app::error_rate::{self, CalibrationOptions};
use crate::cli::Exit;
use crate::cli::reporter::Reporter;

/// Check that xmlperf keeps what it promises
///
/// Without a subcommand, tries every part on this machine against the reference API: payloads, load,
/// verdicts on equal builds and on a change of a known size, a crash, wrong answers, and the store. With
/// `--target`, equal builds and a change of a known size are tried on your own API. Exit codes: 0 all is as it
/// must be; 1 not so; with `--target` also 2 wrong configuration, 3 could not measure.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct SelftestArgs {
    #[command(flatten)]
    checks: checks::ChecksArgs,
    #[command(flatten)]
    target: target::TargetArgs,
    #[command(subcommand)]
    command: Option<SelftestCommand>,
}

#[derive(Debug, clap::Subcommand)]
enum SelftestCommand {
    Calibration(CalibrationArgs),
    Stored(stored::SelftestStoredArgs),
}

/// Simulate comparisons whose truth is known, and count the wrong verdicts
///
/// Eight kinds of noise go through the code that decides. Fails with exit code 1 if a promise about
/// the error rate is broken.
#[derive(Debug, clap::Args)]
struct CalibrationArgs {
    /// Comparisons in each cell: kind of noise, metric and true change
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(100..=10_000_000))]
    sessions: u64,
    /// One kind of noise; may be repeated [default: all]
    #[arg(long, value_name = "REGIME", value_parser = regime)]
    regime: Vec<Regime>,
    /// Where nothing changed, go on to 400 launch pairs instead of 50; takes eight times as long
    #[arg(long)]
    long: bool,
    /// Form of the result
    #[arg(long, value_enum, default_value_t = SelftestFormat::Table)]
    format: SelftestFormat,
    /// What the noise and the coins are drawn from
    #[arg(long, value_name = "S", default_value_t = 42)]
    seed: u64,
}

/// How the result is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum SelftestFormat {
    /// Tables for people
    Table,
    /// Every count, for other programs
    Json,
}

fn regime(name: &str) -> anyhow::Result<Regime> {
    let known = || Regime::ALL.map(|regime| regime.name).join(", ");
    Regime::from_name(name).ok_or_else(|| anyhow!("known are {}", known()))
}

/// Simulates, shows the counts, and fails if they contradict a promise.
pub(super) fn run(args: &SelftestArgs, out: &mut impl Write) -> anyhow::Result<Exit> {
    let args = match &args.command {
        None if args.target.is_wanted() => {
            return target::run(&args.target, &mut args.checks.reporter(), out);
        }
        None => return checks::run(&args.checks, out),
        Some(SelftestCommand::Stored(args)) => return stored::run(args, out),
        Some(SelftestCommand::Calibration(args)) => args,
    };
    let options = CalibrationOptions {
        sessions: args.sessions,
        regimes: args.regime.clone(),
        long: args.long,
        seed: args.seed,
    };
    let outcome = error_rate::calibrate(&options, &mut Reporter::default());
    match args.format {
        SelftestFormat::Table => tables::show(out, &outcome)?,
        SelftestFormat::Json => json::show(out, &outcome)?,
    }
    Ok(if outcome.holds() { Exit::Success } else { Exit::Regressed })
}
