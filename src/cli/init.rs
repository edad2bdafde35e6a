//! Writes a commented configuration to begin with, and a workflow that makes it a gate.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use interop::description::{ApiDescription, DescriptionFormat, NeededVariable, RequestTables};
use suite::config::FILE_NAME;
use suite::project::{PortGuess, ProjectGuess};

use crate::app;
use crate::app::description::DescribedRequests;
use crate::app::init::{ConfigurationOrigin, ExistingFiles, InitOptions, InitialFile};
use crate::cli::Exit;
use crate::cli::process;
use crate::cli::terminal_text::sanitize;
use crate::cli::workflow_flags::WorkflowFlags;

/// Write a commented `xmlperf.toml`
///
/// The files beside it are looked at: Cargo, npm, Maven, Gradle, Go, .NET, Python, Dockerfile and compose show how the
/// program is built and started, how it learns its port and which page shows that it is up. Each guess stands
/// there with the file and the line that show it; nothing is run.
///
/// With `--from`, operations are written with their bodies, a mix with the shares that were seen, and a list of what
/// could not be carried over. Proofs of identity are never written: variables of the environment stand for them.
#[derive(Debug, clap::Args)]
pub(super) struct InitArgs {
    /// Where to write it
    #[arg(default_value = FILE_NAME)]
    path: PathBuf,
    /// Overwrite a file that is there
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    workflows: WorkflowFlags,
    /// Take what is sent from a description of the API or a recording: OpenAPI 3, WSDL 1.1, HAR, an archive or a
    /// summary of k6, a Postman collection, an access log
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
}

/// Writes the files, and prints what to do with them.
pub(super) fn run(args: &InitArgs, out: &mut impl Write) -> anyhow::Result<Exit> {
    let written = app::init::init(&InitOptions {
        folder: process::current_folder()?,
        path: args.path.clone(),
        existing: if args.force { ExistingFiles::Overwrite } else { ExistingFiles::Keep },
        workflows: args.workflows.options(),
        description: args.from.clone(),
    })?;
    for file in written {
        match file {
            InitialFile::Workflow { path } => writeln!(out, "wrote {path}")?,
            InitialFile::Configuration(origin) => show(out, &args.path, &origin)?,
        }
    }
    args.workflows.advise(out)?;
    Ok(Exit::Success)
}

/// Says what was written, what it is from, and what is left to do.
fn show(out: &mut impl Write, path: &Path, origin: &ConfigurationOrigin) -> io::Result<()> {
    let ConfigurationOrigin { guess, requests } = origin;
    let path = path.display();
    if guess.is_startable() {
        let files = evidence(guess).join(", ");
        writeln!(out, "wrote {path}: `[target]` is what {} shows", sanitize(&files))?;
    } else {
        writeln!(out, "wrote {path}: set `[target] build` and `start`, then run `xmlperf check`")?;
    }
    match requests {
        Some(requests) => show_requests(out, requests)?,
        None => {
            for file in &guess.descriptions {
                let file = sanitize(file);
                writeln!(
                    out,
                    "{file} describes an API: `xmlperf init --force --from {file}` takes it"
                )?;
            }
        }
    }
    if guess.is_startable() {
        writeln!(out, "next: `xmlperf check`")?;
    }
    Ok(())
}

/// Where the guesses of a target are from, each place once.
fn evidence(guess: &ProjectGuess) -> Vec<String> {
    let port = match &guess.port {
        PortGuess::Variable(variable) => Some(variable),
        PortGuess::InStart | PortGuess::Unknown => None,
    };
    let all = [guess.build.as_ref(), guess.start.as_ref(), port, guess.ready.as_ref()];
    let mut places: Vec<String> =
        all.into_iter().flatten().map(|text| text.evidence.to_string()).collect();
    places.dedup();
    places
}

fn show_requests(out: &mut impl Write, requests: &DescribedRequests) -> io::Result<()> {
    let DescribedRequests { description, tables } = requests;
    let ApiDescription { format, operations, gaps, variables, .. } = description;
    let RequestTables { files, .. } = tables;
    let count = units::text::plural(operations.len(), "operation");
    let bodies = match files.len() {
        0 => String::new(),
        many => format!(", {} in `xmlperf/`", units::text::plural(many, "file")),
    };
    let what: DescriptionFormat = *format;
    writeln!(out, "{what}: {count}{bodies}")?;
    for NeededVariable { name, place } in variables {
        writeln!(out, "set {name} to {}: it is written nowhere", sanitize(place))?;
    }
    if !gaps.is_empty() {
        writeln!(out, "not carried over, or only in part:")?;
    }
    gaps.iter().try_for_each(|gap| writeln!(out, "  {}", sanitize(&gap.to_string())))
}
