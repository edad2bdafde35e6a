//! Shows how metrics went over many commits.

use std::io::Write;
use std::path::PathBuf;

use report::trend;

use crate::app;
use crate::app::trend::{TrendOptions, TrendSource};
use crate::cli::output;
use crate::cli::reporter::Reporter;
use crate::cli::store::StoreFlag;
use crate::cli::usage::UsageError;
use crate::cli::{Exit, terminal_text};

/// Show the history of metrics, and where their levels changed
///
/// The history is what `xmlperf baseline save` has kept under a name, or a CSV file of any origin: a
/// column `commit`, one number a column for each metric, the oldest line first. A column of text is
/// left out, and a cell that is empty or NaN is a gap.
#[derive(Debug, clap::Args)]
pub(super) struct TrendArgs {
    /// Name of the history
    #[arg(value_name = "NAME", default_value = "main")]
    name: String,
    #[command(flatten)]
    store: StoreFlag,
    /// A CSV file instead of kept runs
    #[arg(long, value_name = "FILE", conflicts_with_all = ["name", "store"])]
    csv: Option<PathBuf>,
    /// Only this metric: a key such as `cpu`, or a column of the CSV file; may be repeated
    #[arg(long = "metric", value_name = "KEY")]
    metrics: Vec<String>,
    /// Only this scenario; may be repeated
    #[arg(long = "scenario", value_name = "NAME")]
    scenarios: Vec<String>,
    /// Form of the result
    #[arg(long, value_enum, default_value_t = TrendFormat::Terminal)]
    format: TrendFormat,
}

/// How a history is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum TrendFormat {
    /// A line of bars for each metric, with its changes
    Terminal,
    /// Everything, for other programs
    Json,
    /// A page with charts
    Html,
    /// The chart of one metric
    Svg,
}

/// Prints the history.
pub(super) fn run(args: &TrendArgs, out: &mut impl Write) -> anyhow::Result<Exit> {
    let source = match &args.csv {
        Some(path) => TrendSource::Table(path.clone()),
        None => TrendSource::Stored { store: args.store.choice()?, name: args.name.clone() },
    };
    let (metrics, scenarios) = (args.metrics.clone(), args.scenarios.clone());
    let options = TrendOptions { source, metrics, scenarios };
    let trends = app::trend::trend(&options, &mut Reporter::default())?;
    match args.format {
        TrendFormat::Terminal => {
            let screen = output::screen();
            terminal_text::write(out, screen.paint, |out| {
                trend::terminal(out, &trends, screen.width.into())
            })?;
        }
        TrendFormat::Json => out.write_all(trend::json(&trends).as_bytes())?,
        TrendFormat::Html => out.write_all(trend::html(&trends).as_bytes())?,
        TrendFormat::Svg => {
            let [trend] = trends.as_slice() else {
                return Err(UsageError::SeveralCharts.into());
            };
            out.write_all(trend::svg(trend).as_bytes())?;
        }
    }
    Ok(Exit::Success)
}
