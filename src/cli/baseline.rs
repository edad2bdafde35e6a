//! Keeps runs as baselines, and shows those that are kept.

use std::env;
use std::io::Write;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use comfy_table::{Table, presets};

use crate::baseline::work;
use crate::baseline::{Entry, Saved, Store};
use crate::cli::Exit;
use crate::cli::output::{self, FailOn, Format};
use crate::cli::store::Place;
use crate::compare::Comparison;
use crate::github;
use crate::github::api::Client;
use crate::github::context::Context;
use crate::github::retry::Patience;
use crate::github::transport::Network;
use crate::record::Run;
use crate::report;

/// Keep runs as baselines and show those that are kept
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
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
        #[arg(long, value_enum, default_value_t = Format::Terminal)]
        format: Format,
        /// What makes the command fail
        #[arg(long, value_enum, value_name = "WHEN", default_value_t = FailOn::Regression)]
        fail_on: FailOn,
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
    /// Show the newest run of a history
    Show {
        /// Name of the history
        name: String,
        /// Form of the report
        #[arg(long, value_enum, default_value_t = Format::Terminal)]
        format: Format,
    },
}

/// Does what was asked of the store.
pub(super) fn run(args: &Args, out: &mut impl Write) -> anyhow::Result<Exit> {
    let store = || args.place.open(None);
    match &args.action {
        Action::Save { name, from } => match store()?.save(name, &Run::load(from)?)? {
            Saved::New(entry) => writeln!(out, "kept {}", entry.place)?,
            Saved::AlreadyThere(entry) => writeln!(out, "kept already: {}", entry.place)?,
        },
        Action::Check { name, from, format, fail_on } => {
            let newest = newest(&store()?, name)?;
            let comparison = Comparison::of(&work::against(&newest, &Run::load(from)?))?;
            output::show(out, &comparison, *format)?;
            return Ok(output::exit(&comparison.outcome, *fail_on));
        }
        Action::Auto => auto(out)?,
        Action::List { name: None } => names(&store()?, out)?,
        Action::List { name: Some(name) } => list(&store()?, name, out)?,
        Action::Pin { name, run } => pin(&store()?, name, run, out)?,
        Action::Unpin { name } => {
            let was = store()?.unpin(name)?;
            writeln!(out, "`{name}` was pinned to {}", was.run.place)?;
        }
        Action::Show { name, format } => {
            let newest = newest(&store()?, name)?;
            output::show(out, &Comparison::of(&newest)?, *format)?;
        }
    }
    Ok(Exit::Fine)
}

fn newest(store: &Store, name: &str) -> anyhow::Result<Run> {
    let entries = store.history(name)?;
    Ok(store.load(entries.last().expect("a history has at least one run"))?)
}

fn pin(store: &Store, name: &str, run: &str, out: &mut impl Write) -> anyhow::Result<()> {
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
    let context = Context::from_environment()?;
    let network = Network::new(&context.api_url, None)?;
    let patience = Patience::new(Duration::from_secs(30));
    let client = Client::new(&network, &context.repository, None, patience, &thread::sleep);
    let clone = env::current_dir().context("failed to find the current folder")?;
    if let Some(commit) = github::base::find(&context, &clone, Some(&client))? {
        writeln!(out, "{}", commit.as_str())?;
    }
    Ok(())
}

fn runs(count: usize) -> String {
    if count == 1 { "1 run".to_owned() } else { format!("{count} runs") }
}

fn names(store: &Store, out: &mut impl Write) -> anyhow::Result<()> {
    let pins = store.pins()?;
    for name in store.names()? {
        let pin = pins.iter().find(|pin| pin.name == name);
        let pin = pin.map_or_else(String::new, |pin| format!(", pinned to {}", pin.run.place));
        writeln!(out, "{name}  {}{pin}", runs(store.runs(&name)?.len()))?;
    }
    Ok(())
}

fn list(store: &Store, name: &str, out: &mut impl Write) -> anyhow::Result<()> {
    let entries: Vec<Entry> = store.history(name)?;
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
