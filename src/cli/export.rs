//! `xmlperf export`: a scenario for another load tool.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use interop::export::{ExportFormat, FleetSize, GapKey};

use crate::app::export::{self as use_case, ExportOptions};
use crate::cli::usage::UsageError;
use crate::cli::{Exit, process};

/// Write a scenario for another load tool: the same bytes, load, checks and limits
///
/// What the tool cannot express is named, and nothing is written. `--without` leaves out what changes neither what
/// is sent nor when: limits on what the tool does not measure, checks of answers, the network, waiting times.
#[derive(Debug, clap::Args)]
pub(super) struct ExportArgs {
    /// The tool
    #[arg(value_enum)]
    format: FormatName,
    /// Scenario, from the configuration or shipped
    scenario: String,
    /// Folder to write; an earlier export in it is replaced [default: SCENARIO-TOOL]
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Configuration file [default: the nearest `xmlperf.toml`]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Seed of the payloads, instead of the configuration's
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Where requests are sent unless the script is started with another [default: the configuration's]
    #[arg(long, value_name = "URL", value_parser = url)]
    url: Option<String>,
    /// How long a load lasts that has neither a time nor a number of requests of its own
    #[arg(long, value_name = "TIME", default_value = "10 s", value_parser = units::parse_duration)]
    duration: Duration,
    /// What to leave out if the tool cannot express it: answers, network, timeouts, or the quantity of a limit such
    /// as rss; may be repeated
    #[arg(long, value_name = "WHAT", value_delimiter = ',', value_parser = key)]
    without: Vec<GapKey>,
    /// With k6: a `TestRun` of k6-operator with so many instances
    #[arg(long, value_name = "N")]
    operator: Option<FleetSize>,
    /// With vegeta: a Job of Kubernetes with so many instances
    #[arg(long, value_name = "N", conflicts_with = "operator")]
    jobs: Option<FleetSize>,
}

/// A tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum FormatName {
    /// A script of k6
    K6,
    /// A script of wrk
    Wrk,
    /// Targets of vegeta, and a script that attacks them
    Vegeta,
    /// A script that sends each request once
    Curl,
}

fn key(name: &str) -> anyhow::Result<GapKey> {
    let names = || GapKey::all().iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    GapKey::from_name(name).with_context(|| format!("expected one of {}", names()))
}

fn url(text: &str) -> anyhow::Result<String> {
    let is_plain = |c: char| c.is_ascii_graphic() && !"'\"`$\\{}|".contains(c);
    let is_url = text.starts_with("http://") || text.starts_with("https://");
    anyhow::ensure!(
        is_url && text.chars().all(is_plain) && sut::Url::parse(text).is_ok(),
        "expected scheme, host and port, such as http://127.0.0.1:8080"
    );
    Ok(text.to_owned())
}

/// Writes the files, and says where to begin.
pub(super) fn run(args: &ExportArgs, out: &mut impl Write) -> anyhow::Result<Exit> {
    let format = match args.format {
        FormatName::K6 => ExportFormat::K6,
        FormatName::Wrk => ExportFormat::Wrk,
        FormatName::Vegeta => ExportFormat::Vegeta,
        FormatName::Curl => ExportFormat::Curl,
    };
    if args.operator.is_some() && format != ExportFormat::K6 {
        return Err(UsageError::NoEffect { flag: "--operator" }.into());
    }
    if args.jobs.is_some() && format != ExportFormat::Vegeta {
        return Err(UsageError::NoEffect { flag: "--jobs" }.into());
    }
    let output = args.output.clone();
    let options = ExportOptions {
        folder: process::current_folder()?,
        config: args.config.clone(),
        format,
        scenario: args.scenario.clone(),
        seed: args.seed,
        url: args.url.clone(),
        duration: args.duration,
        accepted: args.without.clone(),
        fleet: args.operator.or(args.jobs),
        output: output.unwrap_or_else(|| format!("{}-{format}", args.scenario).into()),
    };
    let report = use_case::export(&options)?;
    let size = units::bytes(units::exact(report.bytes));
    let files = units::text::plural(report.files as u64, "file");
    writeln!(out, "{files}, {size}; begin with {}", report.first.display())
        .context("failed to write the result")?;
    Ok(Exit::Success)
}
