//! The program: parses the command line, runs it, reports a failure, and sets the exit code.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use xmlperf::cli::{self, Cli};

fn main() -> ExitCode {
    let mut out = io::stdout().lock();
    let result = cli::run(&Cli::parse(), &mut out).and_then(|exit| {
        out.flush()?;
        Ok(exit)
    });
    match result {
        Ok(exit) => exit.into(),
        Err(error) => {
            let (message, exit) = cli::explain(&error);
            #[expect(clippy::print_stderr, reason = "the one place that reports a failure")]
            {
                eprintln!("error: {message}");
            }
            exit.into()
        }
    }
}
