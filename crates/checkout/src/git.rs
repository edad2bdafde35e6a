//! Runs the `git` program.
//!
//! Not a library: the program is there wherever a checkout is, and it knows the user's configuration,
//! credentials, linked worktrees, filters and safe directories, of which `gix` knows a part at the
//! price of some 150 crates.

use std::io;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

/// Set by git for its hooks. With these, a command in *our* checkout would write to the *user's*
/// index.
const LOCAL_VARIABLES: [&str; 8] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_WORK_TREE",
];

/// What git printed, or why it refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GitOutput {
    /// It succeeded, and printed this on standard output.
    Yes(Vec<u8>),
    /// It ended with an error, and printed this, without the end of the line, on standard error.
    No {
        /// Its exit code; none if a signal ended it.
        code: Option<i32>,
        /// What it said.
        reason: String,
    },
}

/// Returns the command that asks git in `dir`, and leaves the user's index alone: even `git status` would
/// refresh it.
pub fn command(dir: &Path) -> Command {
    let mut command = Command::new("git");
    without_local_variables(&mut command)
        .arg("--no-optional-locks")
        // A hook of the user's configuration has no part in our repositories, and `reference-transaction`
        // runs in every one.
        .args(["-c", "core.hooksPath=/dev/null"])
        .arg("-C")
        .arg(dir)
        .env("LC_ALL", "C")
        .stdin(Stdio::null());
    command
}

/// Runs a command with `input` on its standard input. Fails if git cannot be started.
pub fn ask(command: &mut Command, input: &[u8]) -> io::Result<GitOutput> {
    if !input.is_empty() {
        command.stdin(Stdio::piped());
    }
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let stdin = child.stdin.take();
    // At once: git answers while it still reads.
    let output = thread::scope(|scope| {
        if let Some(mut stdin) = stdin {
            // Git may refuse before it has read all; its answer says why.
            let write = move || drop(stdin.write_all(input));
            thread::Builder::new().spawn_scoped(scope, write)?;
        }
        child.wait_with_output()
    })?;
    if output.status.success() {
        return Ok(GitOutput::Yes(output.stdout));
    }
    let reason = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
    Ok(GitOutput::No { code: output.status.code(), reason })
}

/// Takes away what git tells its hooks about the repository that they run for.
pub fn without_local_variables(command: &mut Command) -> &mut Command {
    for variable in LOCAL_VARIABLES {
        command.env_remove(variable);
    }
    command
}
