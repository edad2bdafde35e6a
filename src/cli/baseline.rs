//! Keeps runs as baselines, and shows those that are kept.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use baseline::{BaselineStore, FileFault, Integrity, Retention, RetentionReason, SaveOutcome};
use comfy_table::{Table, presets};
use github::context::GithubContext;
use jiff::{SignedDuration, Timestamp};
use report::terminal::ColorMode;
use units::text::plural;

use crate::app;
use crate::app::baseline::{PruneOutcome, RemovalMode};
use crate::app::evidence_exchange::{self, KeepOutcome};
use crate::cli::output::{self, FailOnFlag, ReportFormat};
use crate::cli::process;
use crate::cli::reporter::Reporter;
use crate::cli::store::StoreFlag;
use crate::cli::{Exit, terminal_text};

/// Keep runs as baselines and show those that are kept
#[derive(Debug, clap::Args)]
pub(super) struct BaselineArgs {
    #[command(subcommand)]
    action: BaselineAction,
    #[command(flatten)]
    store: StoreFlag,
}

#[derive(Debug, clap::Subcommand)]
enum BaselineAction {
    /// Keep a run under a name; of a comparison, its head
    Save {
        /// Name of the history, such as `main`
        name: String,
        /// The run
        #[arg(long, value_name = "FILE", default_value = ".xmlperf/report/run.json")]
        from: PathBuf,
    },
    /// Judge the work of a recorded run by the newest run of a history
    ///
    /// Instructions are of the program, so the machine may be another one, and busy. Times are not
    /// compared.
    Check {
        /// Name of the history
        name: String,
        /// The run
        #[arg(long, value_name = "FILE", default_value = ".xmlperf/report/run.json")]
        from: PathBuf,
        /// Form of the report
        #[arg(long, value_enum, default_value_t = ReportFormat::Terminal)]
        format: ReportFormat,
        /// What makes the command fail
        #[arg(long, value_enum, value_name = "WHEN", default_value_t = FailOnFlag::Regression)]
        fail_on: FailOnFlag,
    },
    /// Copy the runs that a name stands for into a folder, which can then be read without the store's keys
    Fetch {
        /// Name of the history
        name: String,
        /// The folder
        #[arg(long, value_name = "DIR")]
        into: String,
    },
    /// Copy the records of attempts at comparisons into a folder, which `compare --attempts` takes
    ///
    /// In GitHub Actions, a pull request from a fork gets none: it has its own.
    FetchAttempts {
        /// The folder
        #[arg(long, value_name = "DIR")]
        into: PathBuf,
    },
    /// Add the attempts that runs were to the records of attempts
    ///
    /// In GitHub Actions, nothing of a pull request from a fork is added.
    KeepAttempts {
        /// The runs, in the order in which they were measured
        #[arg(long, value_name = "FILE", default_value = ".xmlperf/report/run.json")]
        from: Vec<PathBuf>,
    },
    /// Print the commit that a change is compared with in GitHub Actions, or nothing if there is none
    Auto,
    /// List the histories, or the runs of one
    List {
        /// Name of the history
        name: Option<String>,
    },
    /// Let a name stand for a history as it was at one run
    ///
    /// Later runs are still kept, but comparisons with the name do not see them until the pin is moved or
    /// taken away.
    Pin {
        /// The name: the history's own, such as `main`, or a new one, such as `release-1.2`
        name: String,
        /// The run: `main@3f2a`, a history and the beginning of a digest; `3f2a` of the name's own
        /// history; or `main`, its newest run
        run: String,
    },
    /// Let a name stand for all of its history again
    Unpin {
        /// The pinned name
        name: String,
    },
    /// Remove old runs
    ///
    /// A run goes only if each rule that is given lets it go. The newest run of a history stays, and so
    /// does a run that a name is pinned to. Without NAME, `--keep-days` also removes the records of attempts whose
    /// last attempt is older; a re-run of such a comparison begins its evidence anew.
    #[command(group(clap::ArgGroup::new("rule").required(true).multiple(true)))]
    Prune {
        /// Name of the history [default: all]
        name: Option<String>,
        /// Keep the newest N runs of each history
        #[arg(long, value_name = "N", group = "rule")]
        keep: Option<usize>,
        /// Keep the runs of the last DAYS days
        #[arg(long, value_name = "DAYS", group = "rule")]
        keep_days: Option<u32>,
        /// Say what would be removed, and remove nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Read everything, and name what is not as it was written; then the exit code is 1
    Verify {
        /// Name of the history [default: all, with files that are none of xmlperf's]
        name: Option<String>,
    },
    /// Show the newest run of a history
    Show {
        /// Name of the history
        name: String,
        /// Form of the report
        #[arg(long, value_enum, default_value_t = ReportFormat::Terminal)]
        format: ReportFormat,
    },
}

/// Does to the store what the action says.
pub(super) fn run(args: &BaselineArgs, out: &mut impl Write) -> anyhow::Result<Exit> {
    let store = || args.store.choice()?.open(None, &Reporter::default());
    match &args.action {
        BaselineAction::Save { name, from } => match app::baseline::save(&store()?, name, from)? {
            SaveOutcome::New(entry) => writeln!(out, "kept {}", entry.place)?,
            SaveOutcome::AlreadyThere(entry) => writeln!(out, "kept already: {}", entry.place)?,
        },
        BaselineAction::Check { name, from, format, fail_on } => {
            let comparison = app::baseline::check(&store()?, name, from)?;
            output::show(out, &comparison, *format)?;
            return Ok(output::exit(&comparison.outcome, *fail_on));
        }
        BaselineAction::Fetch { name, into } => {
            let copy = BaselineStore::open(into, &process::current_folder()?)?;
            let runs = app::baseline::fetch(&store()?, name, &copy)?;
            writeln!(out, "{} of `{name}` in `{into}`", plural(runs, "run"))?;
        }
        BaselineAction::FetchAttempts { into } => fetch_attempts(&args.store, into, out)?,
        BaselineAction::KeepAttempts { from } => keep_attempts(&args.store, from, out)?,
        BaselineAction::Auto => auto(out)?,
        BaselineAction::List { name: None } => names(&store()?, out)?,
        BaselineAction::List { name: Some(name) } => list(&store()?, name, out)?,
        BaselineAction::Pin { name, run } => pin(&store()?, name, run, out)?,
        BaselineAction::Unpin { name } => {
            let was = store()?.unpin(name)?;
            writeln!(out, "`{name}` was pinned to {}", was.run.place)?;
        }
        BaselineAction::Prune { name, keep, keep_days, dry_run } => {
            let since = keep_days.map(since).transpose()?;
            let rule = Retention { runs: *keep, since };
            let mode = if *dry_run { RemovalMode::Plan } else { RemovalMode::Remove };
            let outcome = app::baseline::prune(&store()?, name.as_deref(), &rule, mode)?;
            show_prune(out, &outcome, &rule, mode)?;
        }
        BaselineAction::Verify { name } => {
            return show_integrity(out, &app::baseline::verify(&store()?, name.as_deref())?);
        }
        BaselineAction::Show { name, format } => {
            output::show(out, &app::baseline::show(&store()?, name)?, *format)?;
        }
    }
    Ok(Exit::Success)
}

/// The moment so many days ago.
fn since(days: u32) -> anyhow::Result<String> {
    let age = SignedDuration::from_hours(24 * i64::from(days));
    let then = Timestamp::now().checked_sub(age);
    let then = then.with_context(|| format!("`--keep-days {days}` is before the year -9999"))?;
    Ok(then.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

fn pin(store: &BaselineStore, name: &str, run: &str, out: &mut impl Write) -> anyhow::Result<()> {
    let (pinned, before) = store.pin(name, run)?;
    writeln!(out, "`{name}` is pinned to {}", pinned.run.place)?;
    if let Some(before) = before.filter(|before| *before != pinned) {
        writeln!(out, "before, it was pinned to {}", before.run.place)?;
    }
    Ok(())
}

/// Opens the store of attempts; none where this is about a pull request from a fork.
fn attempt_store(store: &StoreFlag, out: &mut impl Write) -> anyhow::Result<Option<BaselineStore>> {
    if process::is_in_github_actions()
        && !evidence_exchange::is_own(&GithubContext::from_environment()?)
    {
        writeln!(out, "a pull request from a fork has its own record of attempts")?;
        return Ok(None);
    }
    store.evidence_choice()?.open(&Reporter::default()).map(Some)
}

fn fetch_attempts(store: &StoreFlag, into: &Path, out: &mut impl Write) -> anyhow::Result<()> {
    let Some(store) = attempt_store(store, out)? else { return Ok(()) };
    let records = evidence_exchange::fetch(&store, into)?;
    writeln!(out, "{} in `{}`", plural(records, "attempt record"), into.display())?;
    Ok(())
}

fn keep_attempts(store: &StoreFlag, files: &[PathBuf], out: &mut impl Write) -> anyhow::Result<()> {
    let Some(store) = attempt_store(store, out)? else { return Ok(()) };
    for file in files {
        let said = match evidence_exchange::keep(&store, file)? {
            KeepOutcome::Kept => "kept",
            KeepOutcome::AlreadyThere => "kept already",
            KeepOutcome::NoAttempt => "no attempt",
        };
        writeln!(out, "{said}: {}", file.display())?;
    }
    Ok(())
}

fn auto(out: &mut impl Write) -> anyhow::Result<()> {
    let context = GithubContext::from_environment()?;
    if let Some(commit) = app::baseline::base_commit(&context, &process::current_folder()?)? {
        writeln!(out, "{}", commit.as_str())?;
    }
    Ok(())
}

fn names(store: &BaselineStore, out: &mut impl Write) -> anyhow::Result<()> {
    for history in store.histories()? {
        let pin = history.pinned.map(|pinned| format!("pinned to {}", pinned.run.place));
        let runs = (history.runs > 0).then(|| plural(history.runs, "run"));
        let words: Vec<String> = runs.into_iter().chain(pin).collect();
        writeln!(out, "{}  {}", history.name, words.join(", "))?;
    }
    Ok(())
}

fn show_prune(
    out: &mut impl Write,
    outcome: &PruneOutcome,
    rule: &Retention,
    mode: RemovalMode,
) -> anyhow::Result<()> {
    let PruneOutcome { plan, removed, evidence } = outcome;
    let verb = match mode {
        RemovalMode::Remove => "removed",
        RemovalMode::Plan => "would remove",
    };
    for entry in removed {
        writeln!(out, "{verb} {}", entry.place)?;
    }
    for entry in evidence {
        writeln!(out, "{verb} {}", entry.place)?;
    }
    if !evidence.is_empty() {
        writeln!(out, "{verb} {}", plural(evidence.len(), "attempt record"))?;
    }
    let by = |wanted: fn(&RetentionReason) -> bool| {
        plan.iter().filter(|decision| decision.reasons.iter().any(wanted)).count()
    };
    let count = by(|it| *it == RetentionReason::Count);
    let age = by(|it| *it == RetentionReason::Age);
    let rules = [
        rule.runs.map(|runs| format!("{count} among the newest {runs}")),
        rule.since.as_ref().map(|since| format!("{age} since {since}")),
        Some(format!("{} pinned", by(|it| matches!(it, RetentionReason::Pinned(_))))),
        Some(format!("{} the newest of a history", by(|it| *it == RetentionReason::Newest))),
    ];
    let rules: Vec<String> = rules.into_iter().flatten().collect();
    let (gone, kept) = (plural(removed.len(), "run"), plural(plan.len() - removed.len(), "run"));
    writeln!(out, "{verb} {gone}, kept {kept}: {}", rules.join(", "))?;
    Ok(())
}

fn show_integrity(out: &mut impl Write, found: &Integrity) -> anyhow::Result<Exit> {
    for (word, faults) in [("damaged", &found.damaged), ("unknown", &found.unknown)] {
        for FileFault { place, reason } in faults {
            // Most reasons name the file themselves.
            let place = if reason.contains(place.as_str()) { "" } else { &format!("{place}: ") };
            writeln!(out, "{word}: {place}{reason}")?;
        }
    }
    let (damaged, unknown) = (found.damaged.len(), found.unknown.len());
    let whole = format!("{} and {} pins are whole", plural(found.runs, "run"), found.pins);
    writeln!(out, "{whole}; {damaged} damaged, {unknown} unknown files")?;
    Ok(if damaged == 0 { Exit::Success } else { Exit::Regressed })
}

fn list(store: &BaselineStore, name: &str, out: &mut impl Write) -> anyhow::Result<()> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(vec![
        "started",
        "build",
        "scenarios",
        "machine",
        "file",
    ]);
    for (entry, run) in app::baseline::list(store, name)? {
        let scenarios: Vec<_> =
            run.scenarios.iter().map(|scenario| scenario.name.as_str()).collect();
        table.add_row([
            run.started.clone(),
            report::revision(&run.head),
            scenarios.join(", "),
            run.machine.cpu.clone(),
            entry.place.clone(),
        ]);
    }
    terminal_text::write(out, ColorMode::Plain, |out| writeln!(out, "{table}"))?;
    Ok(())
}
