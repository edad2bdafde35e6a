//! Says what on this machine makes measurements worse, and tries what is found here.

mod machine;

use std::io::Write;
use std::time::Duration;

use compare::stopping::EarlyStopping;
use units::Ratio;

use crate::app;
use crate::app::doctor::DoctorOptions;
use crate::app::dose::DoseOptions;
use crate::app::measure::ComparisonEnding;
use crate::cli::selection::SelectionFlags;
use crate::cli::{Exit, dose_text, process};

/// Look for what makes measurements worse here, and say how small a change can be found
///
/// Without `--dose` or `--twin`: cores, pinning, governor, steal, throttling, limits, tools, memory, disk and
/// clock, each with what to do; then the build of the checkout against itself, and from its scatter the
/// smallest change that 1, 3 and 10 minutes find. With `--dose` a change of a known size is sent: of the requests
/// to one side, some are not counted, so that a unit of work costs more. Exit codes: 0 looked, or found in
/// every scenario, or with `--twin` nothing found; 1 not so; 2 wrong usage or configuration; 3 could not
/// measure.
#[derive(Debug, clap::Args)]
pub(super) struct DoctorArgs {
    /// Send a change of this size, such as `3%`, and say what was seen
    #[arg(long, value_name = "SHARE", value_parser = Ratio::parse)]
    dose: Option<Ratio>,
    /// Send none, and judge: what two equal builds look like on this machine
    #[arg(long, conflicts_with = "dose")]
    twin: bool,
    /// Time for measuring with `--dose` or `--twin`, such as `3m`
    #[arg(long, value_name = "TIME", value_parser = units::parse_duration)]
    budget: Option<Duration>,
    /// Form of the findings
    #[arg(long, value_enum, default_value_t = DoctorFormat::Table, conflicts_with_all = ["dose", "twin"])]
    format: DoctorFormat,
    #[command(flatten)]
    selection: SelectionFlags,
}

/// How findings are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum DoctorFormat {
    /// A table for people
    Table,
    /// Every number, for other programs
    Json,
}

/// Measures, and shows what was found.
pub(super) fn run(args: &DoctorArgs, out: &mut impl Write) -> anyhow::Result<Exit> {
    args.selection.refuse(&["--lane"])?;
    let selection = args.selection.selection()?;
    let (mut events, cancel) = (args.selection.reporter(), process::cancel_on_signals()?);
    if args.dose.is_some() || args.twin {
        let ending = ComparisonEnding { budget: args.budget, early: EarlyStopping::Decided };
        let options = DoseOptions { selection, dose: args.dose, ending };
        let outcome = app::dose::send(&options, &mut events, &cancel)?;
        dose_text::show(out, &outcome)?;
        return Ok(dose_text::exit(&outcome));
    }
    let outcome = app::doctor::doctor(&DoctorOptions { selection }, &mut events, &cancel)?;
    match args.format {
        DoctorFormat::Table => machine::show(out, &outcome)?,
        DoctorFormat::Json => machine::show_json(out, &outcome)?,
    }
    Ok(machine::exit(&outcome))
}
