//! Stores under many writers, broken connections and sudden ends: `xmlperf baseline` as a user calls it.

#![expect(clippy::unwrap_used, reason = "a test that cannot set up must fail")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;

use tempfile::TempDir;

const BRANCH: &str = "git+branch://origin/xmlperf-baselines";

/// Writes a run that began at second `second`, and returns where.
fn run(folder: &Path, second: usize) -> PathBuf {
    let text = include_str!("fixtures/run-schema-1.json");
    let started =
        format!("2026-11-23T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60);
    let path = folder.join(format!("run-{second}.json"));
    fs::write(&path, text.replace("2026-11-23T10:00:00Z", &started)).unwrap();
    path
}

fn baseline(folder: &Path, store: &str, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xmlperf"));
    command.arg("baseline").args(args).args(["--store", store]).current_dir(folder);
    command.env("HOME", folder).env("GIT_CONFIG_NOSYSTEM", "1");
    command
}

fn save(folder: &Path, store: &str, second: usize) -> Command {
    let path = run(folder, second);
    baseline(folder, store, &["save", "main", "--from", path.to_str().unwrap()])
}

fn succeed(mut command: Command) -> Output {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{command:?}: {said}");
    output
}

fn git(dir: &Path, words: &[&str]) -> String {
    let mut command = Command::new("git");
    command.arg("-C").arg(dir).args(words);
    for (name, value) in [("NAME", "a"), ("EMAIL", "a@b")] {
        command.env(format!("GIT_AUTHOR_{name}"), value);
        command.env(format!("GIT_COMMITTER_{name}"), value);
    }
    String::from_utf8(succeed(command).stdout).unwrap()
}

/// The runs of `main`, as a fresh process reads all of them.
fn runs(folder: &Path, store: &str) -> Vec<String> {
    let listing = succeed(baseline(folder, store, &["list", "main"]));
    let listing = String::from_utf8(listing.stdout).unwrap();
    listing.lines().skip(1).map(|line| line.split_whitespace().next().unwrap().to_owned()).collect()
}

/// A bare repository with two commits on `main`, and clones of it.
struct Remote {
    dir: TempDir,
}

impl Remote {
    fn new() -> Self {
        let remote = Self { dir: tempfile::tempdir().unwrap() };
        git(
            remote.dir.path(),
            &["init", "--quiet", "--bare", "--initial-branch=main", "remote.git"],
        );
        git(remote.dir.path(), &["clone", "--quiet", "remote.git", "seed"]);
        for text in ["one", "two"] {
            fs::write(remote.path("seed").join("file"), text).unwrap();
            git(&remote.path("seed"), &["add", "file"]);
            git(&remote.path("seed"), &["commit", "--quiet", "--message", text]);
        }
        git(&remote.path("seed"), &["push", "--quiet", "origin", "HEAD:main"]);
        remote
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn clone(&self, name: &str, options: &[&str]) -> PathBuf {
        let url = format!("file://{}", self.path("remote.git").display());
        git(self.dir.path(), &[&["clone", "--quiet"], options, &[&url, name]].concat());
        self.path(name)
    }

    /// What a user sees of a clone, and must not see change.
    fn state(clone: &Path) -> String {
        let index = fs::read(clone.join(".git/index")).unwrap();
        let status = git(clone, &["status", "--porcelain", "--branch", "--untracked-files=no"]);
        let head = fs::read_to_string(clone.join(".git/HEAD")).unwrap();
        let shallow = git(clone, &["rev-parse", "--is-shallow-repository"]);
        format!("{head}{status}{shallow}{:?}{}", index.len(), git(clone, &["ls-files", "--stage"]))
    }
}

/// Every writer keeps `saves` runs, each in a process of its own; two of them share a clone, half of the
/// clones are shallow. Returns how often somebody else was quicker.
fn write_at_once(remote: &Remote, writers: usize, saves: usize) -> usize {
    let writer = |writer: usize| {
        let options: &[&str] = if writer.is_multiple_of(2) { &["--depth=1"] } else { &[] };
        let name = format!("clone-{}", writer.max(1));
        let clone = if writer == 0 { remote.path("clone-1") } else { remote.clone(&name, options) };
        (writer, clone)
    };
    let mut writers: Vec<_> = (1..writers).map(writer).collect();
    writers.push(writer(0));
    thread::scope(|scope| {
        let write = |(writer, clone): (usize, PathBuf)| {
            let second = |save| writer * 1_000 + save;
            let output = |save| succeed(self::save(&clone, BRANCH, second(save))).stderr;
            let said: Vec<u8> = (0..saves).flat_map(output).collect();
            String::from_utf8(said).unwrap().matches("somebody else was quicker").count()
        };
        let threads: Vec<_> =
            writers.into_iter().map(|it| scope.spawn(move || write(it))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    })
}

#[test]
fn eight_writers_of_one_branch_lose_nothing() {
    let remote = Remote::new();
    let before = Remote::state(&remote.path("seed"));
    let retries = write_at_once(&remote, 8, 2);
    let runs = runs(&remote.path("seed"), BRANCH);
    assert_eq!(runs.iter().collect::<BTreeSet<_>>().len(), 16, "{retries} retries: {runs:?}");
    let commits = git(&remote.path("remote.git"), &["rev-list", "--count", "xmlperf-baselines"]);
    assert_eq!(commits.trim(), "16");
    assert_eq!(Remote::state(&remote.path("seed")), before);
    assert_eq!(git(&remote.path("clone-2"), &["rev-parse", "--is-shallow-repository"]), "true\n");
    assert_eq!(git(&remote.path("clone-1"), &["rev-parse", "--is-shallow-repository"]), "false\n");
    assert_eq!(git(&remote.path("clone-1"), &["for-each-ref", "refs/xmlperf/fetching"]), "");
}
