//! `xmlperf link-shim`: a compiler driver that keeps what it links; called by builds, not by people.

use std::env;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use anyhow::Context as _;
use relink::{DriverCall, shim};

use crate::cli::process;

/// Keep the inputs of a link, and become the compiler driver that was called
#[derive(Debug, clap::Args)]
pub(super) struct LinkShimArgs {
    /// Folder that links are kept in
    links: PathBuf,
    /// Name that the driver was called by
    name: String,
    /// Arguments of the driver
    #[arg(last = true)]
    arguments: Vec<OsString>,
}

/// Becomes the driver. Returns only if that fails.
pub(super) fn run(args: &LinkShimArgs) -> anyhow::Error {
    let call = process::current_folder().and_then(|folder| {
        let arguments = args.arguments.clone();
        DriverCall::new(&args.links, &args.name, arguments, folder, env::vars_os())
            .with_context(|| format!("no `{}` behind the one of xmlperf", args.name))
    });
    match call {
        Ok(call) => {
            let failed = format!("failed to start `{}`", args.name);
            anyhow::Error::new(shim::run(&call, &args.links, &mut io::stderr())).context(failed)
        }
        Err(error) => error,
    }
}
