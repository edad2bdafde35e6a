//! `compare` against runs that were kept, as a user calls it.

#![expect(clippy::unwrap_used, reason = "a program that does not run must fail the test")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::git::{commit_all, git};
use crate::published_schema;

/// A repository whose API is the reference API, measured for moments only.
struct RepositoryFixture {
    folder: TempDir,
}

impl RepositoryFixture {
    fn new(target: &str) -> Self {
        let repository = Self { folder: tempfile::tempdir().unwrap() };
        let config = format!(
            "{target}[work]\nlane = \"off\"\n\
             [sampling]\nwarm-up = \"10 ms\"\nload = \"50 ms\"\nlaunches = 2\n\
             [[scenario]]\nname = \"tiny\"\npairs = 20\n"
        );
        fs::write(repository.path().join("xmlperf.toml"), config).unwrap();
        fs::write(repository.path().join(".gitignore"), ".xmlperf\nbaselines\n").unwrap();
        let program = env!("CARGO_BIN_EXE_xmlperf");
        let script = format!("exec {program} serve --workers 1\n");
        fs::write(repository.path().join("api.sh"), script).unwrap();
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        repository.commit("first");
        repository
    }

    /// A repository whose commits can be built.
    fn built() -> Self {
        Self::new("[target]\nbuild = \"true\"\nstart = \"sh ./api.sh\"\nport-env = \"APP_PORT\"\n")
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn git(&self, words: &[&str]) {
        git(self.path(), words);
    }

    fn commit(&self, name: &str) {
        fs::write(self.path().join("README"), name).unwrap();
        commit_all(self.path(), name);
    }

    fn run(&self, words: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_xmlperf"))
            .args(words)
            .env("XDG_CACHE_HOME", self.path().join(".xmlperf/cache"))
            .current_dir(self.path())
            .output()
            .unwrap()
    }

    fn keep(&self, name: &str) {
        for words in [&["run", "--plain"][..], &["baseline", "save", name]] {
            let output = self.run(words);
            assert_eq!(output.status.code(), Some(0), "{}", text(&output));
        }
    }

    /// The report of a comparison, with its exit code.
    fn compare(&self, words: &[&str]) -> (Value, Option<i32>) {
        let output = self.run(&[&["compare", "--plain", "--format", "json"], words].concat());
        (published_schema::report(&output.stdout), output.status.code())
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

fn row<'a>(report: &'a Value, metric: &str) -> &'a Value {
    report["metrics"].as_array().unwrap().iter().find(|row| row["metric"] == metric).unwrap()
}

#[test]
fn head_is_held_against_its_own_past_and_only_a_suspicion_costs_launch_pairs() {
    let repository = RepositoryFixture::new("[target]\nreference = true\n");
    for name in ["second", "third", "fourth"] {
        repository.keep("main");
        repository.commit(name);
    }
    let (report, _) = repository.compare(&["--mode", "stored"]);
    assert_eq!(report["method"]["mode"], "stored");
    assert_eq!(
        (&report["baseline"]["runs"], &report["baseline"]["store"]),
        (&3.into(), &"baselines".into())
    );
    // On a busy machine even the same build may be suspected, and is then measured in launch pairs.
    let sample = row(&report, "cpu")["sample"].as_u64().unwrap();
    assert!(sample == 3 || sample >= 8, "{report:#}");

    let slow = format!("{} serve --workers 1 --extra-work 2000%", env!("CARGO_BIN_EXE_xmlperf"));
    let (report, code) = repository.compare(&["--mode", "stored", "--head-start", &slow]);
    assert_eq!((report["outcome"].as_str(), code), (Some("regressed"), Some(1)), "{report:#}");
    assert!(report["method"]["confirming"].as_u64().unwrap() >= 8, "{report:#}");
    assert!(report["notes"].to_string().contains("measured again side by side"));
    let again = repository.run(&["report", ".xmlperf/report/run.json", "--format", "json"]);
    assert_eq!(serde_json::from_slice::<Value>(&again.stdout).unwrap(), report);
}

/// Nothing that was measured is lost because the base cannot be had.
#[test]
fn a_suspicion_that_cannot_be_confirmed_here_stays_one() {
    let program = env!("CARGO_BIN_EXE_xmlperf");
    let target =
        format!("[target]\nstart = \"{program} serve --workers 1\"\nport-env = \"APP_PORT\"\n");
    let repository = RepositoryFixture::new(&target);
    for _ in 0..3 {
        repository.keep("main");
    }
    let slow = format!("{program} serve --workers 1 --extra-work 2000%");
    let output = repository.run(&["compare", "--plain", "--mode", "stored", "--head-start", &slow]);
    assert!(text(&output).contains("it cannot be confirmed here"), "{}", text(&output));
    assert!(text(&output).contains("`[target] build` is missing"), "{}", text(&output));
    let words = ["report", ".xmlperf/report/run.json", "--format", "json"];
    let report: Value = serde_json::from_slice(&repository.run(&words).stdout).unwrap();
    assert!(["suspected", "regressed"].contains(&row(&report, "cpu")["verdict"].as_str().unwrap()));
    assert_eq!(report["method"]["confirming"], Value::Null);
}

#[test]
fn what_landed_after_the_change_branched_off_is_not_its_base() {
    let repository = RepositoryFixture::built();
    repository.keep("main");
    let commit = repository.compare(&["--mode", "stored"]).0["base"]["commit"].clone();
    repository.git(&["branch", "change"]);
    repository.commit("later");
    repository.keep("main");
    repository.git(&["checkout", "--quiet", "change"]);
    let (report, _) = repository.compare(&["--mode", "stored"]);
    assert_eq!((&report["base"]["commit"], &report["baseline"]["runs"]), (&commit, &1.into()));
    assert!(report["notes"].to_string().contains("not at or before the merge base"), "{report:#}");
    assert!(row(&report, "cpu")["reason"].as_str().unwrap().contains("1 stored run"), "{report:#}");
}

#[test]
fn kept_runs_stand_in_where_no_base_can_be_built() {
    let program = env!("CARGO_BIN_EXE_xmlperf");
    let target = format!("[target]\nstart = \"{program} serve\"\nport-env = \"APP_PORT\"\n");
    let repository = RepositoryFixture::new(&target);
    repository.keep("main");
    let output = repository.run(&["compare", "--plain"]);
    let expected = "kept runs stand in for the base: `[target] build` is missing";
    assert!(text(&output).contains(expected), "{}", text(&output));
    let said = text(&output).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("against 1 stored run"), "{said}");
}

#[test]
fn a_name_that_only_the_store_knows_is_built_at_its_commit_where_that_can_be() {
    let repository = RepositoryFixture::built();
    repository.keep("nightly");
    repository.commit("later");
    let output = repository.run(&["compare", "--plain", "--baseline", "nightly"]);
    let said = text(&output).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("git does not know `nightly`; its newest kept run is of"), "{said}");
    assert!(said.contains("interleaved on one machine"), "{said}");
}

#[test]
fn a_file_can_stand_for_the_base() {
    let repository = RepositoryFixture::built();
    repository.keep("main");
    fs::copy(
        repository.path().join(".xmlperf/report/run.json"),
        repository.path().join("old.json"),
    )
    .unwrap();
    let (report, code) = repository.compare(&["--baseline", "old.json"]);
    assert_eq!(report["baseline"]["store"], "old.json");
    assert_eq!((report["outcome"].as_str(), code), (Some("inconclusive"), Some(0)));
}

#[test]
fn mistakes_are_named() {
    let repository = RepositoryFixture::built();
    let check = |words: &[&str], expected: &str| {
        let output = repository.run(&[&["compare", "--plain"], words].concat());
        assert_eq!(output.status.code(), Some(2), "{}", text(&output));
        assert!(text(&output).contains(expected), "{}", text(&output));
    };
    check(&["--mode", "stored"], "create one with `xmlperf baseline save main`");
    check(&["--mode", "stored", "v1..v2"], "cannot be used with");
    repository.keep("main");
    let config = repository.path().join("xmlperf.toml");
    let changed = fs::read_to_string(&config).unwrap().replace("pairs = 20", "pairs = 21");
    fs::write(&config, changed).unwrap();
    check(&["--mode", "stored"], "1 run passed over: other scenarios, loads or payloads");
}

/// The run was kept by a release that wrote sentences into its records; the same is measured now.
#[test]
fn a_history_goes_on_over_a_change_of_schema() {
    const KEPT: &[u8] = include_bytes!("../fixtures/kept-schema-2.json");
    let repository = RepositoryFixture::built();
    let folder = repository.path().join("baselines/main");
    fs::create_dir_all(&folder).unwrap();
    let name = format!("2026-11-27T110255Z-{}.json", record::digest(KEPT));
    fs::write(folder.join(name), KEPT).unwrap();
    let (report, _) = repository.compare(&["--mode", "stored", "--baseline", "main"]);
    assert_eq!(report["baseline"]["runs"], 1, "{report:#}");
    assert_eq!(report["baseline"]["started"], "2026-11-27T11:02:55Z");
}
