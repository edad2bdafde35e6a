//! Shows results of other tools.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use comfy_table::Cell;
use interop::import::{
    DelayCorrection, FailureTimes, ImportFormat, ImportedRun, MeasureContract, MeasureOrder,
    MeasureUnit,
};
use record::metric::limit::{Limit, WrittenLimit};
use record::work_unit::WorkUnit;
use report::terminal::{self, TerminalScreen};
use units::Ratio;

use crate::app::import::{
    self as use_case, ImportCaution, ImportOptions, ImportReport, ImportText, TimeStatistic,
};
use crate::cli::terminal_text::sanitize;
use crate::cli::{Exit, input, output};

/// Read the result of another tool: its numbers, and what they are numbers of
///
/// With two files the second is set beside the first. Nothing that another tool measured is called regressed:
/// one process shows nothing of what the next one would have had, and processes of one side that ran before
/// those of the other at most raise a suspicion.
#[derive(Debug, clap::Args)]
#[command(after_long_help = after_help())]
pub(super) struct ImportArgs {
    /// The result; with a second file, that of the base. `-` reads standard input
    file: PathBuf,
    /// The result of the head
    head: Option<PathBuf>,
    /// Which tool wrote it [default: seen from the content]
    #[arg(long, value_name = "FORMAT", value_parser = format)]
    from: Option<ImportFormat>,
    /// What must hold, such as `p95 <= 300 ms` or `errors 0 %`: of throughput, p50, p95, p99 and errors; may be repeated
    #[arg(long = "limit", value_name = "LIMIT", value_parser = limit)]
    limits: Vec<Limit>,
    /// Chance that anything is suspected when nothing changed
    #[arg(long, value_name = "SHARE", default_value = "1%", value_parser = Ratio::parse)]
    alpha: Ratio,
    /// Form of the result
    #[arg(long, value_enum, default_value_t = ImportOutput::Terminal)]
    format: ImportOutput,
}

/// How what was read is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum ImportOutput {
    /// Tables as wide as the screen
    Terminal,
    /// Everything, for other programs
    Json,
}

fn after_help() -> String {
    let line = |format: ImportFormat| format!("  {:<14} {}\n", format.name(), format.command());
    let forms: String = ImportFormat::ALL.map(line).concat();
    format!("Formats, and what writes them:\n{}", forms.trim_end())
}

fn format(name: &str) -> anyhow::Result<ImportFormat> {
    ImportFormat::from_name(name)
        .with_context(|| format!("expected one of {}", ImportFormat::names()))
}

/// Reads a quantity and what it is held to.
fn limit(text: &str) -> anyhow::Result<Limit> {
    let Some((key, rest)) = text.trim().split_once(char::is_whitespace) else {
        bail!("expected a quantity and a bound, such as `p95 <= 300 ms`");
    };
    Ok(WrittenLimit::parse(key, rest)?.of(&[WorkUnit::request()])?)
}

/// Shows what the files have. Fails if a limit is broken, or cannot be checked.
pub(super) fn run(args: &ImportArgs, out: &mut impl Write) -> anyhow::Result<Exit> {
    let (base, head) = match &args.head {
        Some(head) => (Some(read(&args.file)?), read(head)?),
        None => (None, read(&args.file)?),
    };
    let options = ImportOptions {
        base,
        head,
        format: args.from,
        limits: args.limits.clone(),
        alpha: args.alpha,
    };
    let report = use_case::import(&options)?;
    match args.format {
        ImportOutput::Terminal => show(out, &report, output::screen()),
        ImportOutput::Json => {
            let text = serde_json::to_string_pretty(&report).context("failed to write JSON")?;
            writeln!(out, "{text}")
        }
    }
    .context("failed to write the result")?;
    Ok(exit(&report))
}

fn exit(report: &ImportReport) -> Exit {
    let kept: Vec<Option<bool>> =
        report.limits.iter().map(use_case::ImportedLimit::is_kept).collect();
    if kept.contains(&Some(false)) {
        Exit::Regressed
    } else if kept.contains(&None) {
        Exit::NotMeasured
    } else {
        Exit::Success
    }
}

fn read(path: &Path) -> anyhow::Result<ImportText> {
    Ok(ImportText { name: input::name_of(path), text: input::read(path)? })
}

fn show(out: &mut impl Write, report: &ImportReport, screen: TerminalScreen) -> io::Result<()> {
    let wrapped = |text: &str| terminal::wrapped(text, screen.width.into(), 2);
    if let Some(base) = &report.base {
        writeln!(out, "{}", wrapped(&format!("base: {}", contract(base))))?;
    }
    let side = if report.base.is_some() { "head: " } else { "" };
    writeln!(out, "{}", wrapped(&format!("{side}{}", contract(&report.head))))?;
    for missing in &report.head.missing {
        writeln!(out, "{}", wrapped(&format!("note: {}", missing.sentence())))?;
    }
    writeln!(out, "\n{}", numbers(&report.head, screen))?;
    if !report.changes.is_empty() {
        writeln!(out, "\n{}", changes(report, screen))?;
    }
    if let Some(caution) = report.caution {
        writeln!(out, "\n{}", wrapped(caution_sentence(caution)))?;
    }
    for threshold in &report.head.thresholds {
        let kept = if threshold.is_kept { "kept" } else { "broken" };
        writeln!(
            out,
            "threshold {kept}: {} {}",
            sanitize(&threshold.metric),
            sanitize(&threshold.condition)
        )?;
    }
    let unit = WorkUnit::request();
    for limit in &report.limits {
        let (key, quantity) = (limit.limit.quantity.key(), limit.limit.quantity);
        let measured =
            limit.measured.map_or("not in the file".to_owned(), |it| quantity.format(it, &unit));
        let kept = match limit.is_kept() {
            Some(true) => "kept",
            Some(false) => "broken",
            None => "not checked",
        };
        writeln!(
            out,
            "limit {kept}: {key} {} in `{}`: {measured}",
            limit.limit.text(&unit),
            sanitize(&limit.series)
        )?;
    }
    Ok(())
}

/// What the numbers are numbers of, in a line.
fn contract(run: &ImportedRun) -> String {
    let MeasureContract { unit, order, corrected, failures, grid_ns } = run.contract;
    let unit = match unit {
        MeasureUnit::Process => "a value a fresh process",
        MeasureUnit::Request => "a value a request of one process",
        MeasureUnit::Summary => "a summary of one process",
    };
    let order = match order {
        MeasureOrder::Blocked => ", one side after the other",
        MeasureOrder::Unknown => "",
    };
    let corrected = match corrected {
        _ if run.contract.unit == MeasureUnit::Process => "of whole processes",
        DelayCorrection::Yes => "from when a request was due",
        DelayCorrection::No => "from when a request was sent, so a stall is seen once",
        DelayCorrection::Unknown => "from when a request was due or sent: the file does not say",
    };
    let failures = match failures {
        FailureTimes::Included => "failures among the times",
        FailureTimes::Excluded => "times of successes only",
        FailureTimes::Unknown => "failures not known",
    };
    let grid =
        grid_ns.map_or(String::new(), |grid| format!(", rounded to {}", units::time_ns(grid)));
    format!("{}: {unit}{order}; times {corrected}; {failures}{grid}", run.format)
}

fn numbers(run: &ImportedRun, screen: TerminalScreen) -> String {
    let mut table = terminal::table(screen);
    let columns = ["requests", "failed", "requests/s", "mean", "p50", "p95", "p99", "max"];
    table.set_header([Cell::new("series")].into_iter().chain(columns.map(terminal::right)));
    for series in &run.series {
        let times = &series.times;
        let time = |time: Option<f64>| time.map_or("–".to_owned(), units::time_ns);
        let count = |count: Option<u64>| count.map_or("–".to_owned(), |count| count.to_string());
        let cells = [
            count(series.requests),
            count(series.failures),
            series.rate.map_or("–".to_owned(), units::count),
            time(times.mean),
            time(times.percentile(50.0)),
            time(times.percentile(95.0)),
            time(times.percentile(99.0)),
            time(times.max),
        ];
        let cells = cells.iter().map(|cell| terminal::right(cell));
        table.add_row([Cell::new(sanitize(&series.name))].into_iter().chain(cells));
    }
    table.trim_fmt()
}

fn changes(report: &ImportReport, screen: TerminalScreen) -> String {
    let mut table = terminal::table(screen);
    let numbers = ["base", "head", "change", "p"].map(terminal::right);
    let header = [Cell::new("series"), Cell::new("time")].into_iter().chain(numbers);
    table.set_header(header.chain([Cell::new("")]));
    for change in &report.changes {
        let ln = (change.head_ns / change.base_ns).ln();
        table.add_row([
            Cell::new(sanitize(&change.series)),
            Cell::new(statistic(change.statistic)),
            terminal::right(&units::time_ns(change.base_ns)),
            terminal::right(&units::time_ns(change.head_ns)),
            terminal::right(&if ln.is_finite() { units::change(ln) } else { "–".to_owned() }),
            terminal::right(&change.p.map_or("–".to_owned(), units::probability)),
            Cell::new(if change.is_suspected { "suspected" } else { "" }),
        ]);
    }
    table.trim_fmt()
}

fn statistic(statistic: TimeStatistic) -> &'static str {
    match statistic {
        TimeStatistic::Mean => "mean",
        TimeStatistic::P50 => "p50",
        TimeStatistic::P95 => "p95",
        TimeStatistic::P99 => "p99",
    }
}

fn caution_sentence(caution: ImportCaution) -> &'static str {
    match caution {
        ImportCaution::OneProcess => {
            "no verdict: each side is one process, which shows nothing of what the next one would have had"
        }
        ImportCaution::FewProcesses => {
            "no verdict: fewer than 10 processes of a side; `hyperfine --runs 10` or more"
        }
        ImportCaution::NotInterleaved => {
            "no verdict: one side ran after the other, so what changed with time may look like a change of \
             the program; `xmlperf decide` judges values measured in turns"
        }
    }
}
