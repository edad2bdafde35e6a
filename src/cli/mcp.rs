//! Serves tools to a client of the Model Context Protocol, over standard input and output.

use std::io::{self, IsTerminal as _, Write};
use std::path::PathBuf;

use anyhow::Context as _;

use crate::app;
use crate::app::mcp::{McpOptions, RunPermission};
use crate::cli::usage::UsageError;
use crate::cli::{Exit, failure, process, terminal_text};

/// Serve the tools compare, report, reproduce and explain to an editor or agent, over standard input and output
///
/// The protocol is the Model Context Protocol. The server works in one folder and only reads, unless `--allow-run` is
/// given. A call that is cancelled stops what it started, and keeps what was measured.
#[derive(Debug, clap::Args)]
pub(super) struct McpArgs {
    /// Let `compare` and `reproduce` build and start what the configuration of this folder names
    #[arg(long)]
    allow_run: bool,
    /// Folder to work in [default: the current one]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

/// Serves until the client closes its end.
pub(super) fn run(args: &McpArgs, out: &mut impl Write) -> anyhow::Result<Exit> {
    if io::stdin().is_terminal() {
        return Err(UsageError::NoClient.into());
    }
    let cancel = process::cancel_on_signals()?;
    let workplace = process::workplace()?;
    let folder = args.folder.clone().unwrap_or(workplace.folder);
    let shown = folder.display();
    let options = McpOptions {
        folder: folder.canonicalize().with_context(|| format!("failed to open `{shown}`"))?,
        program: workplace.program,
        permission: if args.allow_run { RunPermission::Granted } else { RunPermission::Withheld },
        describe,
    };
    app::mcp::serve(options, io::stdin(), out, &cancel)?;
    Ok(Exit::Success)
}

fn describe(error: &anyhow::Error) -> String {
    terminal_text::sanitize(&failure::describe(error.as_ref())).into_owned()
}
