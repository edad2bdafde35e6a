//! Runs one scenario under a profiler and shows what it found, of one build or of two.

use record::work_unit::WorkUnit;
use std::io::Write;

use compare::function_changes::{self, FunctionChange};
use profile::{CostUnit, ProfileTotal};
use report::functions;

use crate::app;
use crate::app::profile::{ProfileOptions, ProfileOutcome, ProfileTool};
use crate::cli::output;
use crate::cli::process;
use crate::cli::selection::{OF_LAUNCHES, SelectionFlags};
use crate::cli::sides::SideFlags;
use crate::cli::{Exit, terminal_text};

/// Say what the instructions, the CPU time or the memory goes into
///
/// Runs one scenario under a tool and writes the tool's files, a flame graph and a summary. With a
/// base (`--baseline` or a `--base-…` flag), both builds are profiled and their functions compared.
#[derive(Debug, clap::Args)]
pub(super) struct ProfileArgs {
    /// What counts
    #[arg(long, value_enum, default_value_t = ToolName::Callgrind)]
    tool: ToolName,
    /// What to compare with: a branch, a tag, a commit [default: nothing]
    #[arg(long, value_name = "NAME")]
    baseline: Option<String>,
    #[command(flatten)]
    sides: SideFlags,
    /// Requests that are counted [default: as many as the tool needs]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    requests: Option<u64>,
    /// Launches, each of which gives a value; only callgrind takes more than one
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..))]
    launches: u8,
    /// Functions in the summary
    #[arg(long, value_name = "N", default_value_t = 15)]
    top: usize,
    #[command(flatten)]
    selection: SelectionFlags,
}

/// Tools that are known how to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum ToolName {
    /// Instructions and allocations per XML pair; repeats on any machine
    Callgrind,
    /// Samples of the CPU time at full speed
    Perf,
    /// Allocations per XML pair, and who asks for them
    Heaptrack,
}

impl From<ToolName> for ProfileTool {
    fn from(name: ToolName) -> Self {
        match name {
            ToolName::Callgrind => Self::Callgrind,
            ToolName::Perf => Self::Perf,
            ToolName::Heaptrack => Self::Heaptrack,
        }
    }
}

/// Profiles one side or both, and prints the summary.
pub(super) fn run(args: &ProfileArgs, out: &mut impl Write) -> anyhow::Result<Exit> {
    args.selection.refuse(&OF_LAUNCHES)?;
    let options = ProfileOptions {
        selection: args.selection.selection()?,
        tool: args.tool.into(),
        baseline: args.baseline.clone(),
        builds: args.sides.choice(),
        requests: args.requests,
        launches: args.launches,
    };
    let cancel = process::cancel_on_signals()?;
    let outcome = app::profile::profile(&options, &mut args.selection.reporter(), &cancel)?;
    terminal_text::write(out, output::screen().paint, |out| {
        summarise(out, &outcome, options.tool, args.top)
    })?;
    Ok(Exit::Success)
}

fn summarise(
    out: &mut impl Write,
    outcome: &ProfileOutcome,
    tool: ProfileTool,
    top: usize,
) -> std::io::Result<()> {
    let ProfileOutcome { scenario, unit, base, head, pictures, folder } = outcome;
    writeln!(out, "{scenario} under {}\n", tool.name())?;
    for figure in &head.figures {
        let base = base.as_ref().and_then(|base| {
            base.figures.iter().find(|other| other.name == figure.name).map(ProfileTotal::median)
        });
        writeln!(out, "{}", total(figure, unit, base))?;
    }
    writeln!(out, "\n{}\n", unit_words(head.unit, unit))?;
    let width = usize::from(output::screen().width);
    let largest = |mut functions: Vec<FunctionChange>| {
        functions.truncate(top);
        functions
    };
    let of_head = head.functions();
    match base {
        Some(base) => {
            let changes = function_changes::changes(&base.functions(), &of_head);
            functions::differences(out, &largest(changes), width)?;
        }
        None => functions::totals(out, &largest(function_changes::largest(&of_head)), width)?,
    }
    writeln!(out)?;
    pictures.iter().try_for_each(|path| writeln!(out, "flame graph: {}", path.display()))?;
    writeln!(out, "files of {}: {}", tool.name(), folder.display())
}

fn unit_words(cost: CostUnit, unit: &WorkUnit) -> String {
    match cost {
        CostUnit::InstructionsPerUnit => format!("instructions per {unit}, by function"),
        CostUnit::AllocationsPerUnit => {
            format!("allocations per {unit}, by the function that asks")
        }
        CostUnit::PercentOfSamples => "percent of the CPU time, by function".to_owned(),
    }
}

fn total(figure: &ProfileTotal, unit: &WorkUnit, base: Option<f64>) -> String {
    let head = figure.median();
    let name = if figure.is_per_unit {
        format!("{} per {unit}", figure.name)
    } else {
        figure.name.to_owned()
    };
    match base {
        None => format!("{name}: {}", units::count(head)),
        Some(base) if base > 0.0 && head > 0.0 => {
            let change = units::change((head / base).ln());
            format!("{name}: {} → {} ({change})", units::count(base), units::count(head))
        }
        Some(base) => format!("{name}: {} → {}", units::count(base), units::count(head)),
    }
}
