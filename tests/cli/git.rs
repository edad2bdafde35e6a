//! Repositories of tests, whatever git's configuration on this machine is.

#![expect(clippy::unwrap_used, reason = "a repository that cannot be made must fail the test")]

use std::path::Path;
use std::process::Command;

/// Runs git as a made-up author, at a fixed time, and returns what it prints without the last line's end.
pub(crate) fn git(folder: &Path, words: &[&str]) -> String {
    let mut command = Command::new("git");
    for (name, value) in [
        ("GIT_AUTHOR_NAME", "a"),
        ("GIT_AUTHOR_EMAIL", "a@b"),
        ("GIT_AUTHOR_DATE", "2026-11-23T10:00:00Z"),
        ("GIT_COMMITTER_NAME", "a"),
        ("GIT_COMMITTER_EMAIL", "a@b"),
        ("GIT_COMMITTER_DATE", "2026-11-23T10:00:00Z"),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_CONFIG_SYSTEM", "/dev/null"),
    ] {
        command.env(name, value);
    }
    let output = command
        .args(["-c", "init.defaultBranch=main", "-C"])
        .arg(folder)
        .args(words)
        .output()
        .unwrap();
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Commits all that is in a repository.
pub(crate) fn commit_all(folder: &Path, message: &str) {
    git(folder, &["add", "--all"]);
    git(folder, &["commit", "--quiet", "--message", message]);
}
