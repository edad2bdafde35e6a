//! The program: parses the command line, runs it, reports a failure, and sets the exit code.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser as _;
use sut::supervisor::{self, SupervisedRole};
use xmlperf::cli::{self, Cli};

fn main() -> ExitCode {
    let cli = Cli::parse();
    // Before anything has a thread, a lock or a file: the program goes on in a child.
    if cli.starts_processes()
        && let Ok(SupervisedRole::Ended(code)) = supervisor::supervise()
    {
        return code.into();
    }
    let mut out = io::stdout().lock();
    let result = cli::run(&cli, &mut out).and_then(|exit| {
        out.flush()?;
        Ok(exit)
    });
    match result {
        Ok(exit) => exit.into(),
        Err(error) => {
            let (message, exit) = cli::explain(&error);
            if let Some(message) = message {
                // Where it cannot be written, the exit code still says it.
                let _ = writeln!(io::stderr(), "error: {message}");
            }
            exit.into()
        }
    }
}
