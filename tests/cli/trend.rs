//! `xmlperf trend` and `xmlperf bisect` as a user calls them.

#![expect(clippy::unwrap_used, reason = "a program that does not run must fail the test")]

use std::path::Path;
use std::process::{Command, Output};

fn xmlperf(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xmlperf"))
        .args(args)
        .env("COLUMNS", "80")
        .env("XDG_CACHE_HOME", folder.join(".cache"))
        .current_dir(folder)
        .output()
        .unwrap()
}

fn trend(args: &[&str]) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let csv = "docs/examples/forty-commits.csv";
    let output = xmlperf(root, &[&["trend", "--csv", csv], args].concat());
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

/// The series of the repository that `tests/bisect/repository.sh` makes, with noise; the third column
/// has noise alone.
#[test]
fn changes_of_level_are_named_with_their_commits() {
    insta::assert_snapshot!(trend(&[]), @"
    cpu, 40 runs: 879 to 905
      ▁▁▁▁▂▂▂▂▂▂▁▁▂▇▇▇▇▇▇▇█▇▇█▇█▄▃▃▃▄▃▅▄▄▄▆▅▄▄
      +5.5 % [+5.1, +5.8] between c13 and c14
      −2.9 % [−3.5, −2.5] between c26 and c27

    latency, 40 runs: 110 to 114
      ▃▂▃▁▃▂▂▂▄▃▁▁▂▅▅▆▆▅▆▆▅█▅▇█▇▁▃▄▃▂▄▄▄▅▄▆▄▅▅
      +6.5 % [+5.2, +7.7] between c13 and c14
      −3.2 % [−4.9, −2.1] between c26 and c27

    quiet, 40 runs: 50.1 to 49.2
      ▄▃▆▂▃▄▅▂▆▆▃▂▁▅▄▁▃▄▅█▅▃▂▃▆▂▅▅▃▄▄▃▅▆▅▃▇▃▄▃
      no change of level
    ");
}

#[test]
fn the_example_in_the_documentation_is_what_is_printed() {
    let document = include_str!("../../docs/history.md");
    let printed = trend(&["--metric", "cpu"]);
    let example = document.split("--metric cpu\n").nth(1).unwrap().split("```").next().unwrap();
    assert_eq!(example.trim_end(), printed.trim_end());
}

#[test]
fn a_chart_is_well_formed_and_shows_every_run() {
    let chart = trend(&["--metric", "cpu", "--format", "svg"]);
    let document = roxmltree::Document::parse(&chart).unwrap();
    let circles = document.descendants().filter(|node| node.tag_name().name() == "circle");
    assert_eq!(circles.count(), 40);
    let report: serde_json::Value =
        serde_json::from_str(&trend(&["--metric", "cpu", "--format", "json"])).unwrap();
    assert_eq!(report["series"][0]["changes"][0]["until"], "c14");
}

#[test]
fn mistakes_are_named() {
    insta::assert_snapshot!(trend(&["--metric", "cpuu"]), @"error: `docs/examples/forty-commits.csv` has no column `cpuu`");
    insta::assert_snapshot!(trend(&["--format", "svg"]), @"
    error: a chart shows one metric

    hint: choose it by `--metric` and `--scenario`
    ");
}

/// Commit 14 does half as much work again, which shows on a noisy host too; two of those that are measured do not build.
#[test]
#[ignore = "slow: run by .ci/run full"]
fn the_commit_that_changed_the_cpu_time_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bisect/repository.sh");
    let repository = folder.path().join("repository");
    let made = Command::new("sh")
        .arg(script)
        .arg(&repository)
        .args([env!("CARGO_BIN_EXE_xmlperf"), "50"])
        .status()
        .unwrap();
    assert!(made.success());
    let output = xmlperf(&repository, &["bisect", "--good", "c1", "--bad", "c26", "--plain"]);
    let found = String::from_utf8(output.stdout).unwrap();
    let progress = String::from_utf8(output.stderr).unwrap();
    assert!(found.contains("Change 14"), "{found}\n{progress}");
    assert!(!found.contains("one of these"), "{found}\n{progress}");
}
