//! Serves four tools to a client of the Model Context Protocol: an editor, or an agent that writes code.
//!
//! `report` and `explain` read; `compare` and `reproduce` start what the folder's configuration names, and so
//! need a permission that the client cannot give itself.

mod answer;
mod argument;
mod calls;
mod measurement;
mod options;
mod server;
mod tools;
mod wire;

use std::io::{Read, Write};

use anyhow::Context as _;
use tokio::runtime;
use units::cancel::Cancel;

use crate::app::mcp::server::ToolServer;
use crate::app::mcp::tools::ToolBox;
use crate::app::mcp::wire::WireFlags;

pub use crate::app::mcp::options::{McpOptions, RunPermission};

/// Threads of the protocol, which does little but wait; measurements are processes.
const THREADS: usize = 2;

/// Serves until the input ends, the output has no reader, or the flag is raised. What a call has started then is
/// interrupted, and waited for.
pub fn serve(
    options: McpOptions,
    input: impl Read + Send + 'static,
    out: &mut impl Write,
    cancel: &Cancel,
) -> anyhow::Result<()> {
    let mut builder = runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(THREADS).enable_all().build();
    let runtime = runtime.context("failed to start the threads of the server")?;
    let closing = Cancel::default();
    let server = ToolServer::new(ToolBox::new(options), closing.clone());
    let flags = WireFlags { cancel, closing: &closing };
    let ended = wire::connect(&runtime, input, out, flags, |stream| {
        runtime.spawn(server.serve(stream));
    });
    closing.raise();
    // Waits for the calls that are still measuring.
    drop(runtime);
    ended
}
