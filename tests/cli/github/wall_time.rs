//! How long a pull request takes from its push to its verdict, and where the seconds go: each second of the workflow is
//! one of a build, a count, a measurement, a publication or the runner's own.
//!
//! `benches/pull_request.sh` runs these at the size that the documents state. Here the build is short.

#![expect(clippy::print_stdout, reason = "the table is for people")]
#![expect(clippy::disallowed_methods, reason = "the size of the build is the bench's to say")]

use std::collections::BTreeMap;
use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use record::Run;
use record::stage::RunStage;

use super::emulator::{BranchOrigin, tools};
use super::workflow::{WorkflowFixture, WorkflowOutcome, headline, init};
use crate::git::{commit_all, git};
use crate::plant_service::{self, COMPILE, SOURCE, TEMPLATE};

/// Stands in for a compiler: a fresh folder takes so much processor time on each of some cores, as dependencies do; after
/// that the service's own source is compiled, and nothing else.
const BUILD: &str = r"#!/bin/sh
set -eu
if [ ! -e compiled ]; then
    for core in $(seq CORES); do
        (ulimit -c 0; ulimit -t SECONDS; while :; do :; done) &
    done
    wait
    touch compiled
fi
";

/// A pull request whose time is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ChangeKind {
    /// The documentation changes, and no program.
    Docs,
    /// The workflow and the configuration are new; the program is as it was.
    Adoption,
    /// One constant costs a tenth more work.
    Regression,
}

impl ChangeKind {
    fn name(self) -> &'static str {
        match self {
            Self::Docs => "documentation only",
            Self::Adoption => "adoption",
            Self::Regression => "confirmed regression",
        }
    }

    /// Makes `main`, and `topic` with this change.
    fn commit(self, clone: &Path) {
        let write = |name: &str, text: &str| fs::write(clone.join(name), text).unwrap();
        let adopt = || {
            init(clone);
            // Three scenarios of the presets, both lanes.
            let build = format!("sh build.sh && {COMPILE}");
            let config = plant_service::config(&build);
            let config = config.replace("start =", "parallel-builds = true\nstart =");
            write("xmlperf.toml", &config);
            write("request.j2", TEMPLATE);
        };
        let build = BUILD.replace("SECONDS", &number("PULL_REQUEST_BUILD_S", 3).to_string());
        write("build.sh", &build.replace("CORES", &number("PULL_REQUEST_CORES", 1).to_string()));
        write("server.c", SOURCE);
        write(".gitignore", "/api\n/compiled\n/.xmlperf\n");
        if self != Self::Adoption {
            adopt();
        }
        commit_all(clone, "base");
        git(clone, &["checkout", "--quiet", "-b", "topic"]);
        match self {
            Self::Docs => write("README.md", "A service.\n"),
            Self::Adoption => adopt(),
            Self::Regression => {
                let planted = SOURCE.replace("ROUNDS = 100 }", "ROUNDS = 110 }");
                assert_ne!(planted, SOURCE);
                write("server.c", &planted);
            }
        }
        commit_all(clone, "change");
    }
}

/// A number of the environment: the bench's, or the short one.
fn number(name: &str, otherwise: u64) -> u64 {
    env::var(name).map_or(otherwise, |text| text.parse().unwrap())
}

/// Seconds of a pull request by where they went, in order.
struct Account {
    rows: Vec<(String, Duration)>,
    whole: Duration,
}

impl Account {
    /// Accounts for a workflow by its log and by the records that its jobs left.
    fn of(outcome: &WorkflowOutcome, artifacts: &Path) -> Self {
        let mut rows = Vec::new();
        let jobs = jobs(&outcome.lines);
        for (job, record) in [
            ("Measure", "xmlperf-report"),
            ("Confirm on a fresh runner", "xmlperf-report-confirmation"),
        ] {
            let Some(wall) = jobs.get(job) else { continue };
            let run = Run::load(&artifacts.join(record).join("run.json")).unwrap();
            let step = step(&outcome.lines, job, "Main Measure");
            let stages = grouped(&run);
            let known: Duration = stages.iter().map(|(_, time)| *time).sum();
            let name = |part: &str| format!("{job}: {part}");
            rows.extend(stages.into_iter().map(|(part, time)| (name(part), time)));
            rows.push((name("reports and the rest of xmlperf"), step.saturating_sub(known)));
            rows.push((name("checkout, set-up, cache, artifacts"), wall.saturating_sub(step)));
        }
        rows.push(("Verdict: fetch, judge, publish".to_owned(), jobs["Verdict"]));
        let known: Duration = jobs.values().sum();
        rows.push(("the runner, between jobs".to_owned(), outcome.took.saturating_sub(known)));
        Self { rows, whole: outcome.took }
    }
}

/// The stages of a run, by what a reader can change.
fn grouped(run: &Run) -> Vec<(&'static str, Duration)> {
    let mut groups = [
        ("build base and head", Duration::ZERO),
        ("count instructions", Duration::ZERO),
        ("launch, warm up, load", Duration::ZERO),
        ("revert hunks and count again", Duration::ZERO),
    ];
    for (stage, ns) in &run.stages {
        let group = match stage {
            RunStage::Build => 0,
            RunStage::Count => 1,
            RunStage::Prove => 3,
            RunStage::Trial
            | RunStage::Prepare
            | RunStage::Launch
            | RunStage::WarmUp
            | RunStage::Load
            | RunStage::Observe
            | RunStage::Stop
            | RunStage::Decide
            | RunStage::Other
            | RunStage::Write => 2,
        };
        groups[group].1 += Duration::from_nanos(*ns);
    }
    groups.into()
}

/// The job that a line is about: `[workflow/job  ] …`.
fn job_of(line: &str) -> Option<&str> {
    let (name, _) = line.trim_start().strip_prefix('[')?.split_once(']')?;
    Some(name.split_once('/')?.1.trim())
}

/// Wall time of each job, from its first line to its last.
fn jobs(lines: &[(Duration, String)]) -> BTreeMap<&str, Duration> {
    let mut spans: BTreeMap<&str, (Duration, Duration)> = BTreeMap::new();
    for (at, line) in lines {
        if let Some(job) = job_of(line) {
            spans.entry(job).or_insert((*at, *at)).1 = *at;
        }
    }
    spans.into_iter().map(|(job, (first, last))| (job, last.saturating_sub(first))).collect()
}

/// Wall time of a step of a job, from the line that begins it to the one that ends it.
fn step(lines: &[(Duration, String)], job: &str, name: &str) -> Duration {
    let find = |mark: &str| {
        let is_mark = |line: &str| {
            let line = line.trim_end();
            line.contains(mark)
                && line
                    .split(name)
                    .nth(1)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with(" ["))
        };
        let line = lines.iter().find(|(_, line)| job_of(line) == Some(job) && is_mark(line));
        line.unwrap_or_else(|| panic!("no `{mark}` of `{name}` in {job}")).0
    };
    find("Success - ").saturating_sub(find("Run "))
}

/// Runs the workflow that `init --github` writes on a pull request, and prints where its seconds went.
fn account(kind: ChangeKind) -> (WorkflowOutcome, String) {
    let origin = BranchOrigin::Repository;
    let hosted = WorkflowFixture::with_commits(origin, |_, clone| kind.commit(clone));
    let outcome = hosted.pull_request("100");
    let folder = tools().join("shown");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(format!("wall-time-{kind:?}.log")), &outcome.log).unwrap();
    let comment = hosted.comment(&format!("wall-time-{kind:?}"));
    let account = Account::of(&outcome, &hosted.path("artifacts"));
    println!("{}", table(kind, &account, headline(&comment)));
    let sum: Duration = account.rows.iter().map(|(_, time)| *time).sum();
    let apart = sum.abs_diff(account.whole);
    assert!(apart < Duration::from_secs(1), "{apart:?} of {:?} are in no row", account.whole);
    (outcome, headline(&comment).to_owned())
}

fn table(kind: ChangeKind, account: &Account, headline: &str) -> String {
    let mut text = format!("\n{}: {}\n\n", kind.name(), headline.trim_start_matches("### "));
    text += "| where | seconds |\n|:--|--:|\n";
    let all = [("all".to_owned(), account.whole)];
    for (name, time) in account.rows.iter().chain(&all) {
        writeln!(text, "| {name} | {:.1} |", time.as_secs_f64()).unwrap();
    }
    text
}

#[test]
#[ignore = "needs npm and measures: run by .ci/run full"]
fn a_change_of_documentation_costs_its_builds_and_no_measurement() {
    let (outcome, headline) = account(ChangeKind::Docs);
    assert!(outcome.succeeded, "{}", outcome.log);
    assert!(headline.contains("identical program"), "{headline}");
}

#[test]
#[ignore = "needs npm and measures: run by .ci/run full"]
fn the_pull_request_that_adopts_xmlperf_is_measured_and_not_red() {
    let (outcome, headline) = account(ChangeKind::Adoption);
    assert!(outcome.succeeded, "{}", outcome.log);
    // A busy machine may leave times undecided: then this is no change that is slower, all the same.
    assert!(headline.contains('✅') || headline.contains("can't tell"), "{headline}");
}

#[test]
#[ignore = "needs npm and measures: run by .ci/run full"]
fn a_regression_is_confirmed_and_every_second_of_it_is_accounted_for() {
    let (outcome, headline) = account(ChangeKind::Regression);
    assert!(!outcome.succeeded, "{}", outcome.log);
    assert!(headline.contains("confirmed on a second machine"), "{headline}");
}
