//! A branch of a bare repository, written by real processes from clones of their own.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use tempfile::TempDir;

use super::{baseline, refusal, runs, save, succeed};
use crate::git::{commit_all, git};

pub(super) const BRANCH: &str = "git+branch://origin/xmlperf-baselines";

/// A bare repository with two commits on `main`, and clones of it.
pub(super) struct BareRemote {
    dir: TempDir,
}

impl BareRemote {
    pub(super) fn new() -> Self {
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

    pub(super) fn path(&self, name: &str) -> PathBuf {
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
/// clones are shallow. Returns how often another push was first.
fn write_at_once(remote: &BareRemote, writers: usize, saves: usize) -> usize {
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
            let output = |save| succeed(super::save(&clone, BRANCH, second(save))).stderr;
            let said: Vec<u8> = (0..saves).flat_map(output).collect();
            String::from_utf8(said).unwrap().matches("another push was first").count()
        };
        let threads: Vec<_> =
            writers.into_iter().map(|it| scope.spawn(move || write(it))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    })
}

/// Every run is there, each by a commit of its own, and no clone shows a trace.
fn check_writers(writers: usize, saves: usize) {
    let remote = BareRemote::new();
    let before = BareRemote::state(&remote.path("seed"));
    let started = Instant::now();
    let retries = write_at_once(&remote, writers, saves);
    let (wanted, took) = (writers * saves, started.elapsed());
    let runs = runs(&remote.path("seed"), BRANCH);
    let kept = runs.iter().collect::<BTreeSet<_>>().len();
    println!(
        "{writers} writers, {wanted} saves, {} lost, {retries} retries, {took:.1?}",
        wanted - kept
    );
    assert_eq!(kept, wanted, "{runs:?}");
    succeed(baseline(&remote.path("seed"), BRANCH, &["verify"]));
    let commits = git(&remote.path("remote.git"), &["rev-list", "--count", "xmlperf-baselines"]);
    assert_eq!(commits, wanted.to_string());
    assert_eq!(BareRemote::state(&remote.path("seed")), before);
    assert_eq!(git(&remote.path("clone-2"), &["rev-parse", "--is-shallow-repository"]), "true");
    assert_eq!(git(&remote.path("clone-1"), &["rev-parse", "--is-shallow-repository"]), "false");
    assert_eq!(git(&remote.path("clone-1"), &["for-each-ref", "refs/xmlperf/fetching"]), "");
}

#[test]
fn writers_of_one_branch_lose_nothing() {
    check_writers(4, 2);
}

#[test]
#[ignore = "slow: run by .ci/run full"]
fn eight_writers_of_one_branch_lose_nothing() {
    check_writers(8, 10);
}

/// A hook of the remote, which decides on pushes.
fn hook(remote: &BareRemote, script: &str) {
    let path = remote.path("remote.git/hooks/pre-receive");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_remote_that_fails_now_and_then_is_retried() {
    let remote = BareRemote::new();
    hook(&remote, "echo x >>pushes; [ $(wc -l <pushes) -gt 2 ]");
    succeed(save(&remote.path("seed"), BRANCH, 1));
    assert_eq!(runs(&remote.path("seed"), BRANCH).len(), 1);
    assert_eq!(fs::read_to_string(remote.path("remote.git/pushes")).unwrap(), "x\nx\nx\n");
}

/// What people read, without the folders of the test.
fn said(remote: &BareRemote, text: &str) -> String {
    let full = remote.dir.path().canonicalize().unwrap();
    text.replace(&full.display().to_string(), "…")
}

#[test]
fn what_cannot_work_is_said_with_what_to_do() {
    let remote = BareRemote::new();
    let seed = remote.path("seed");
    hook(&remote, "echo 'this branch is protected'; exit 1");
    let refused = refusal(save(&seed, BRANCH, 1));
    assert!(refused.contains("this branch is protected"), "{refused}");
    assert!(refused.contains("permissions: contents: write"), "{refused}");
    let list = |folder: &Path, store: &str| {
        said(&remote, &refusal(baseline(folder, store, &["list", "main"])))
    };
    insta::assert_snapshot!(list(&seed, BRANCH), @"
    fetching git+branch://origin/xmlperf-baselines
    error: there is no baseline `main` in `git+branch://origin/xmlperf-baselines`

    hint: create one with `xmlperf baseline save main`
    ");
    insta::assert_snapshot!(list(&seed, "git+branch://upstream/kept"), @"
    error: `git+branch://upstream/kept` is not a place for baselines: No such remote 'upstream'

    hint: `git remote -v` shows what there is
    ");
    insta::assert_snapshot!(list(&seed, "git+branch://origin"), @"
    error: `git+branch://origin` is not a place for baselines: it names no branch of a remote

    hint: `git+branch://origin/xmlperf-baselines`, or `git+branch:///name` for a branch of this clone
    ");
    insta::assert_snapshot!(list(&seed, "git+branch://origin/a..b"), @"
    error: `git+branch://origin/a..b` is not a place for baselines: `a..b` is not a name for a branch

    hint: `git+branch://origin/xmlperf-baselines`
    ");
    insta::assert_snapshot!(list(&seed, "git+branch:///main"), @"
    error: `git+branch:///main` is not a place for baselines: `main` is checked out, and would change under its files

    hint: keep baselines on a branch of their own
    ");
    insta::assert_snapshot!(list(remote.dir.path(), BRANCH), @"
    error: `git+branch://origin/xmlperf-baselines` is not a place for baselines: `…` is not in a git repository: not a git repository (or any of the parent directories): .git

    hint: run it inside a clone, or keep baselines in a folder
    ");
    fs::rename(remote.path("remote.git"), remote.path("gone.git")).unwrap();
    let unreachable = list(&seed, BRANCH);
    assert!(unreachable.contains("cannot be reached"), "{unreachable}");
    assert!(unreachable.contains("check the network and the credentials"), "{unreachable}");
}

/// Others keep files on the branch, and one of them is a trap.
#[test]
fn foreign_files_of_a_branch_are_kept_and_never_read() {
    let remote = BareRemote::new();
    let seed = remote.path("seed");
    git(&seed, &["checkout", "--quiet", "--orphan", "xmlperf-baselines"]);
    fs::create_dir_all(seed.join("main")).unwrap();
    symlink("/etc/passwd", seed.join("main/2026-11-23T000000Z-0123456789ab.json")).unwrap();
    fs::write(seed.join("README.md"), "ours").unwrap();
    fs::write(seed.join("odd \"name\"\n.txt"), "theirs").unwrap();
    commit_all(&seed, "by hand");
    git(&seed, &["push", "--quiet", "origin", "HEAD"]);
    git(&seed, &["checkout", "--quiet", "main"]);

    succeed(save(&seed, BRANCH, 1));
    assert_eq!(runs(&seed, BRANCH).len(), 1);
    let verified = succeed(baseline(&seed, BRANCH, &["verify"])).stdout;
    let verified = String::from_utf8(verified).unwrap();
    assert!(verified.contains("json: a symbolic link"), "{verified}");
    assert!(
        verified.ends_with("1 run and 0 pins are whole; 0 damaged, 4 unknown files\n"),
        "{verified}"
    );
    let remote = remote.path("remote.git");
    assert_eq!(git(&remote, &["show", "xmlperf-baselines:README.md"]), "ours");
    assert_eq!(
        git(&remote, &["ls-tree", "-r", "-z", "xmlperf-baselines"]).matches('\0').count(),
        5
    );
}
