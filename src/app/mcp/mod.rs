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
use std::sync::mpsc;

use anyhow::Context as _;
use tokio::runtime::Builder;
use units::cancel::Cancel;

use crate::app::mcp::server::ToolServer;
use crate::app::mcp::tools::ToolBox;
use crate::app::mcp::wire::WireFlags;

pub use crate::app::mcp::options::{McpOptions, RunPermission};

/// Serves until the input ends, the output has no reader, or the flag is raised. What a call has started then is
/// interrupted, and waited for.
pub fn serve(
    options: McpOptions,
    input: impl Read + Send + 'static,
    out: &mut impl Write,
    cancel: &Cancel,
) -> anyhow::Result<()> {
    // The protocol does little but wait; measurements are processes.
    let runtime = Builder::new_current_thread().enable_time().build();
    let runtime = runtime.context("failed to make the server ready")?;
    let closing = Cancel::default();
    let (calls, calling) = mpsc::channel();
    let server = ToolServer::new(ToolBox::new(options), closing.clone(), calls);
    let flags = WireFlags { cancel, closing: &closing };
    let ended = wire::connect(&runtime, input, out, flags, |stream| {
        runtime.spawn(server.serve(stream));
    });
    closing.raise();
    drop(runtime);
    // Until no call measures any more: each holds the other end.
    let _ = calling.recv();
    ended
}
