//! Finds the commit that changed a metric, and prints it.

use std::io::Write;

use anyhow::Context as _;
use checkout::CommitSummary;
use record::metric::Metric;
use units::Ratio;

use crate::app;
use crate::app::bisect::{BisectOptions, BisectOutcome, ChangeEvidence, EarlierSearch};
use crate::cli::event_text::{commit_change, commit_title};
use crate::cli::identity::IdentityFlag;
use crate::cli::selection::SelectionFlags;
use crate::cli::terminal_text::sanitize;
use crate::cli::{Exit, process};

/// Find the commit that made a metric better or worse
///
/// `--metric work` counts instructions, which decides in seconds; other metrics are timed. Builds
/// commits away from the checkout and compares each with the good one, until one is left. A commit that is
/// the program of one that was classified stands where that one does, and is not measured.
/// Commits that do not build are stepped around. Of the commit that is found the work is counted too, where it can
/// be, and what the change is in is printed: calls, a part of the time, the hunk. What was measured is kept: the same command goes on
/// where it was interrupted.
///
/// Exit codes: 0 found, 2 wrong usage or configuration, 3 could not measure, 4 no change between good
/// and bad.
#[derive(Debug, clap::Args)]
pub(super) struct BisectArgs {
    /// A commit before the change
    #[arg(long, value_name = "REF")]
    good: String,
    /// A commit after the change
    #[arg(long, value_name = "REF", default_value = "HEAD")]
    bad: String,
    /// The metric that changed
    #[arg(long, value_name = "KEY", default_value = "cpu", value_parser = metric)]
    metric: Metric,
    /// Chance that the wrong commit is named
    #[arg(long, value_name = "SHARE", default_value = "5%", value_parser = Ratio::parse)]
    alpha: Ratio,
    /// Forget what an earlier search has measured
    #[arg(long)]
    restart: bool,
    #[command(flatten)]
    identity: IdentityFlag,
    #[command(flatten)]
    selection: SelectionFlags,
}

fn metric(key: &str) -> anyhow::Result<Metric> {
    let known = || Metric::ALL.map(Metric::key).join(", ");
    Metric::from_key(key).with_context(|| format!("known are {}", known()))
}

/// Searches, and prints the commit.
pub(super) fn run(args: &BisectArgs, out: &mut impl Write) -> anyhow::Result<Exit> {
    args.selection.refuse(&["--lane", "--no-build"])?;
    let options = BisectOptions {
        selection: args.selection.selection()?,
        good: args.good.clone(),
        bad: args.bad.clone(),
        metric: args.metric,
        alpha: args.alpha,
        identical: args.identity.choice(),
        earlier: if args.restart { EarlierSearch::Forget } else { EarlierSearch::Resume },
    };
    let cancel = process::cancel_on_signals()?;
    let mut reporter = args.selection.reporter();
    match app::bisect::bisect(&options, &mut reporter, &cancel)? {
        BisectOutcome::NoChange => {
            reporter.note("there is no change to search for, or none that can be seen");
            Ok(Exit::Inconclusive)
        }
        BisectOutcome::Found { suspects, before, change, evidence } => {
            show(out, &suspects)?;
            writeln!(out, "{}, against {}", commit_change(&change), title(&before))?;
            for line in reasons(&evidence) {
                writeln!(out, "{}", sanitize(&line))?;
            }
            writeln!(out, "chance that this is wrong ≤ {}", args.alpha)?;
            Ok(Exit::Success)
        }
    }
}

/// What the change is in: calls, a part of the time, hunks as far as they are proven or ranked, else all of them.
fn reasons(evidence: &ChangeEvidence) -> Vec<String> {
    let ChangeEvidence { comparison, hunks } = evidence;
    let sentences = report::reasons::sentences(comparison);
    let mut lines: Vec<String> = sentences.iter().map(|line| line.replace('`', "")).collect();
    let causes = comparison.breakdowns.first().and_then(|breakdown| breakdown.causes.as_ref());
    let ranked = causes.map(report::causes::hunks).unwrap_or_default();
    if ranked.is_empty() {
        lines.extend(report::causes::unranked(hunks));
    } else {
        lines.extend(ranked);
    }
    lines
}

fn show(out: &mut impl Write, suspects: &[CommitSummary]) -> anyhow::Result<()> {
    if let [suspect] = suspects {
        writeln!(out, "{}", title(suspect))?;
        return Ok(());
    }
    writeln!(out, "one of these, which cannot be distinguished:")?;
    for suspect in suspects {
        writeln!(out, "  {}", title(suspect))?;
    }
    Ok(())
}

fn title(commit: &CommitSummary) -> String {
    sanitize(&commit_title(&commit.commit, &commit.subject)).into_owned()
}
