//! Keeps runs as baselines, and shows those that are kept.

use std::env;
use std::io::Write;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use comfy_table::{Table, presets};
use jiff::{SignedDuration, Timestamp};

use crate::cli::Exit;
use crate::cli::output::{self, FailOnFlag, ReportFormat};
use crate::cli::selection::note;
use crate::cli::store::StoreFlag;
use baseline::work;
use baseline::{BaselineStore, FileFault, Retention, RetentionReason, SaveOutcome, StoreEntry};
use compare::Comparison;
use github::api::ApiClient;
use github::context::GithubContext;
use github::retry::RetryPolicy;
use github::transport::HttpTransport;
use record::Run;

/// Keep runs as baselines and show those that are kept
#[derive(Debug, clap::Args)]
pub(super) struct BaselineArgs {
    #[command(subcommand)]
    action: BaselineAction,
    #[command(flatten)]
    place: StoreFlag,
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
    /// Print the commit that a change is compared with in GitHub Actions, or nothing if there is none
    Auto,
    /// List the histories, or the runs of one
    List {
        /// Name of the history
        name: Option<String>,
    },
    /// Let a name stand for a history as it was at one run
    ///
    /// Later runs are still kept, and not seen by whoever compares with the name, until the pin is moved
    /// or taken away.
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
    /// does a run that a name is pinned to.
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

/// Does what was asked of the store.
pub(super) fn run(args: &BaselineArgs, out: &mut impl Write) -> anyhow::Result<Exit> {
    let store = || args.place.open(None);
    match &args.action {
        BaselineAction::Save { name, from } => match store()?.save(name, &Run::load(from)?)? {
            SaveOutcome::New(entry) => writeln!(out, "kept {}", entry.place)?,
            SaveOutcome::AlreadyThere(entry) => writeln!(out, "kept already: {}", entry.place)?,
        },
        BaselineAction::Check { name, from, format, fail_on } => {
            let newest = newest(&store()?, name)?;
            let comparison = Comparison::of(&work::against(&newest, &Run::load(from)?))?;
            output::show(out, &comparison, *format)?;
            return Ok(output::exit(&comparison.outcome, *fail_on));
        }
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
            let retention = Retention { runs: *keep, since };
            let does = if *dry_run { RemovalMode::Tell } else { RemovalMode::Remove };
            prune(&store()?, name.as_deref(), &retention, does, out)?;
        }
        BaselineAction::Verify { name } => return verify(&store()?, name.as_deref(), out),
        BaselineAction::Show { name, format } => {
            let newest = newest(&store()?, name)?;
            output::show(out, &Comparison::of(&newest)?, *format)?;
        }
    }
    Ok(Exit::Fine)
}

/// Whether a removal is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RemovalMode {
    Remove,
    Tell,
}

/// The moment so many days ago.
fn since(days: u32) -> anyhow::Result<String> {
    let age = SignedDuration::from_hours(24 * i64::from(days));
    let then = Timestamp::now().checked_sub(age);
    let then = then.with_context(|| format!("`--keep-days {days}` is before the year -9999"))?;
    Ok(then.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

fn newest(store: &BaselineStore, name: &str) -> anyhow::Result<Run> {
    let entries = store.history(name)?;
    Ok(store.load(entries.last().expect("a history has at least one run"))?)
}

fn pin(store: &BaselineStore, name: &str, run: &str, out: &mut impl Write) -> anyhow::Result<()> {
    let (pinned, before) = store.pin(name, run)?;
    writeln!(out, "`{name}` is pinned to {}", pinned.run.place)?;
    if let Some(before) = before.filter(|before| *before != pinned) {
        writeln!(out, "before, it was pinned to {}", before.run.place)?;
    }
    Ok(())
}

/// Asks the event and the clone; GitHub only where the clone is too shallow, and then as nobody: what
/// runs here is about to run the code of the change.
fn auto(out: &mut impl Write) -> anyhow::Result<()> {
    let context = GithubContext::from_environment()?;
    let network = HttpTransport::new(&context.api_url, None)?;
    let patience = RetryPolicy::new(Duration::from_secs(30));
    let client = ApiClient::new(&network, &context.repository, None, patience, &thread::sleep);
    let clone = env::current_dir().context("failed to find the current folder")?;
    if let Some(commit) = github::base::find(&context, &clone, Some(&client))? {
        writeln!(out, "{}", commit.as_str())?;
    }
    Ok(())
}

fn runs(count: usize) -> String {
    if count == 1 { "1 run".to_owned() } else { format!("{count} runs") }
}

fn names(store: &BaselineStore, out: &mut impl Write) -> anyhow::Result<()> {
    for history in store.histories()? {
        let pin = history.pinned.map(|pinned| format!("pinned to {}", pinned.run.place));
        let runs = (history.runs > 0).then(|| runs(history.runs));
        let words: Vec<String> = runs.into_iter().chain(pin).collect();
        writeln!(out, "{}  {}", history.name, words.join(", "))?;
    }
    Ok(())
}

fn prune(
    store: &BaselineStore,
    name: Option<&str>,
    retention: &Retention,
    does: RemovalMode,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let plan = store.plan(name, retention)?;
    let gone: Vec<StoreEntry> = match does {
        RemovalMode::Remove => store.prune(&plan)?,
        RemovalMode::Tell => {
            let goes = plan.iter().filter(|fate| fate.reasons.is_empty());
            goes.map(|fate| fate.entry.clone()).collect()
        }
    };
    let verb = match does {
        RemovalMode::Remove => "removed",
        RemovalMode::Tell => "would remove",
    };
    for entry in &gone {
        writeln!(out, "{verb} {}", entry.place)?;
    }
    let by = |wanted: fn(&RetentionReason) -> bool| {
        plan.iter().filter(|fate| fate.reasons.iter().any(wanted)).count()
    };
    let (count, age) =
        (by(|it| *it == RetentionReason::Count), by(|it| *it == RetentionReason::Age));
    let rules = [
        retention.runs.map(|runs| format!("{count} among the newest {runs}")),
        retention.since.as_ref().map(|since| format!("{age} since {since}")),
        Some(format!("{} pinned", by(|it| matches!(it, RetentionReason::Pinned(_))))),
        Some(format!("{} the newest of a history", by(|it| *it == RetentionReason::Newest))),
    ];
    let rules: Vec<String> = rules.into_iter().flatten().collect();
    let kept = plan.len() - gone.len();
    writeln!(out, "{verb} {}, kept {}: {}", runs(gone.len()), runs(kept), rules.join(", "))?;
    Ok(())
}

fn verify(store: &BaselineStore, name: Option<&str>, out: &mut impl Write) -> anyhow::Result<Exit> {
    let found = store.verify(name)?;
    let files = found.runs + found.pins + found.damaged.len() + found.unknown.len();
    ensure!(files > 0, "there is nothing to verify\n\nhint: is `--store` the right one?");
    for (word, faults) in [("damaged", &found.damaged), ("unknown", &found.unknown)] {
        for FileFault { place, reason } in faults {
            // Most reasons name the file themselves.
            let place = if reason.contains(place) { "" } else { &format!("{place}: ") };
            writeln!(out, "{word}: {place}{reason}")?;
        }
    }
    let (damaged, unknown) = (found.damaged.len(), found.unknown.len());
    let whole = format!("{} and {} pins are whole", runs(found.runs), found.pins);
    writeln!(out, "{whole}; {damaged} damaged, {unknown} unknown files")?;
    Ok(if damaged == 0 { Exit::Fine } else { Exit::Regressed })
}

fn list(store: &BaselineStore, name: &str, out: &mut impl Write) -> anyhow::Result<()> {
    let entries: Vec<StoreEntry> = store.history(name)?;
    if entries.is_empty() {
        note(&format!("no run is kept as `{name}`; `xmlperf baseline save` keeps one"))?;
        return Ok(());
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(vec![
        "started",
        "build",
        "scenarios",
        "machine",
        "file",
    ]);
    for (entry, run) in entries.iter().zip(store.load_all(&entries)?) {
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
    writeln!(out, "{table}")?;
    Ok(())
}
