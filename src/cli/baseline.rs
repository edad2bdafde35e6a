//! Keeps runs as baselines, and shows those that are kept.

use std::env;
use std::io::Write;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use comfy_table::{Table, presets};

use crate::baseline::Store;
use crate::baseline::work;
use crate::cli::Exit;
use crate::cli::output::{self, FailOn, Format};
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
    /// Folder that holds the baselines
    #[arg(long, value_name = "DIR", default_value = "baselines", global = true)]
    store: PathBuf,
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
    let store = Store::new(args.store.clone());
    match &args.action {
        Action::Save { name, from } => {
            let path = store.save(name, &Run::load(from)?)?;
            writeln!(out, "kept {}", path.display())?;
        }
        Action::Check { name, from, format, fail_on } => {
            let newest = newest(&store, name)?;
            let comparison = Comparison::of(&work::against(&newest, &Run::load(from)?))?;
            output::show(out, &comparison, *format)?;
            return Ok(output::exit(&comparison.outcome, *fail_on));
        }
        Action::Auto => auto(out)?,
        Action::List { name: None } => {
            for name in store.names()? {
                writeln!(out, "{name}  {}", runs(store.history(&name)?.len()))?;
            }
        }
        Action::List { name: Some(name) } => list(&store, name, out)?,
        Action::Show { name, format } => {
            let newest = newest(&store, name)?;
            output::show(out, &Comparison::of(&newest)?, *format)?;
        }
    }
    Ok(Exit::Fine)
}

fn newest(store: &Store, name: &str) -> anyhow::Result<Run> {
    Ok(store.history(name)?.last().expect("a history has at least one run").load()?)
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

fn list(store: &Store, name: &str, out: &mut impl Write) -> anyhow::Result<()> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(vec![
        "started",
        "build",
        "scenarios",
        "machine",
        "file",
    ]);
    for entry in store.history(name)? {
        let run = entry.load()?;
        let scenarios: Vec<_> =
            run.scenarios.iter().map(|scenario| scenario.name.as_str()).collect();
        let file = entry.path.display().to_string();
        let build = report::revision(&run.head);
        table.add_row([
            run.started.clone(),
            build,
            scenarios.join(", "),
            run.machine.cpu.clone(),
            file,
        ]);
    }
    writeln!(out, "{table}")?;
    Ok(())
}
