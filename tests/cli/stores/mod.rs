//! Stores under many writers, broken connections and sudden ends: `xmlperf baseline` as a user calls it.

#![expect(clippy::unwrap_used, reason = "a test that cannot set up must fail")]
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "the slow tests print the figures of docs/baselines.md, seconds among them"
)]

mod branch;
mod bucket;
mod crash_safety;
mod proxy;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Writes a run that began at second `second`, and returns where.
fn run(folder: &Path, second: usize) -> PathBuf {
    let text = include_str!("../../../crates/record/fixtures/run-schema-1.json");
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

/// The runs of `main`, as a fresh process reads all of them.
fn runs(folder: &Path, store: &str) -> Vec<String> {
    let listing = succeed(baseline(folder, store, &["list", "main"]));
    let listing = String::from_utf8(listing.stdout).unwrap();
    listing.lines().skip(1).map(|line| line.split_whitespace().next().unwrap().to_owned()).collect()
}

/// What a failed command said.
fn refusal(mut command: Command) -> String {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{command:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// Numbers that follow from a seed (`SplitMix64`).
struct SeedSequence(u64);

impl SeedSequence {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % below
    }
}

fn words(mut command: Command) -> (Option<i32>, String) {
    let output = command.output().unwrap();
    (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

/// A folder of the configuration is beside it, one of the flag is here, and the flag wins.
#[test]
fn the_store_is_the_flags_or_the_configurations() {
    let root = tempfile::tempdir().unwrap();
    let below = root.path().join("below");
    fs::create_dir(&below).unwrap();
    fs::write(root.path().join("xmlperf.toml"), "[baseline]\nstore = \"kept\"\n").unwrap();
    let from = run(root.path(), 1);
    let save = |store: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xmlperf"));
        command.args(["baseline", "save", "main", "--from"]).arg(&from).args(store);
        command.current_dir(&below);
        succeed(command);
    };
    save(&[]);
    save(&["--store", "here"]);
    assert!(root.path().join("kept/main").is_dir() && below.join("here/main").is_dir());
    fs::write(root.path().join("xmlperf.toml"), "[baseline]\nstores = \"kept\"\n").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_xmlperf"));
    let (code, said) = words({
        command.args(["trend", "main"]).current_dir(&below);
        command
    });
    assert!(code == Some(2) && said.contains("xmlperf.toml:2:1: unknown field `stores`"), "{said}");
}

#[test]
fn a_history_is_copied_as_a_name_stands_for_it() {
    let folder = tempfile::tempdir().unwrap();
    for second in 1..=3 {
        succeed(save(folder.path(), "kept", second));
    }
    let listed = runs(folder.path(), "kept");
    let said = words(baseline(folder.path(), "kept", &["fetch", "main", "--into", "copy"]));
    assert_eq!(said, (Some(0), "3 runs of `main` in `copy`\n".to_owned()));
    assert_eq!(runs(folder.path(), "copy"), listed);
    succeed(baseline(folder.path(), "copy", &["verify"]));
    let missing = refusal(baseline(folder.path(), "kept", &["fetch", "other", "--into", "copy"]));
    assert!(missing.contains("`other`"), "{missing}");
}

#[test]
fn old_runs_are_removed_and_damaged_ones_named() {
    let folder = tempfile::tempdir().unwrap();
    let said = |args: &[&str]| words(baseline(folder.path(), "baselines", args));
    for second in 1..=4 {
        succeed(save(folder.path(), "baselines", second));
    }
    assert_eq!(said(&["pin", "first", "main@"]).0, Some(2));
    let (_, dry) = said(&["prune", "--keep", "3", "--dry-run"]);
    assert_eq!(dry.replace("would remove", "removed"), said(&["prune", "--keep", "3"]).1);
    assert!(
        dry.ends_with("kept 3 runs: 3 among the newest 3, 0 pinned, 1 the newest of a history\n")
    );
    let (_, both) = said(&["prune", "main", "--keep", "1", "--keep-days", "36500"]);
    assert!(
        both.contains("removed 0 runs, kept 3 runs: 1 among the newest 1, 3 since 19"),
        "{both}"
    );
    assert!(said(&["prune"]).1.contains("--keep <N>|--keep-days <DAYS>"));
    assert_eq!(
        said(&["verify"]),
        (Some(0), "3 runs and 0 pins are whole; 0 damaged, 0 unknown files\n".to_owned())
    );

    let victim =
        fs::read_dir(folder.path().join("baselines/main")).unwrap().next().unwrap().unwrap();
    fs::write(victim.path(), "{}").unwrap();
    let (code, verified) = said(&["verify", "main"]);
    let name = victim.file_name().into_string().unwrap();
    assert!(
        code == Some(1) && verified.contains(&name) && verified.contains("1 damaged"),
        "{verified}"
    );
}
