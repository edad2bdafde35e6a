//! Commits that leave the program as it was, in real repositories: nothing is measured.

#![expect(clippy::unwrap_used, reason = "a program that does not run must fail the test")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::git::git;
use crate::published_schema;

const XMLPERF: &str = env!("CARGO_BIN_EXE_xmlperf");

/// What a build leaves git sees here: there is no list of ignored files.
pub(crate) struct ProgramRepository {
    folder: TempDir,
}

impl ProgramRepository {
    pub(crate) fn new(target: &str, files: &[(&str, &str)]) -> Self {
        let repository = Self { folder: tempfile::tempdir().unwrap() };
        let config = format!(
            "[target]\nport-env = \"APP_PORT\"\n{target}\n[work]\nlane = \"off\"\n\
             [sampling]\nwarm-up = \"10 ms\"\nload = \"50 ms\"\n\
             [[scenario]]\nname = \"tiny\"\npairs = 20\n"
        );
        repository.write("xmlperf.toml", &config);
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        repository.commit("v1", files);
        repository
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn git(&self, words: &[&str]) {
        git(self.path(), words);
    }

    /// Commits these files, and nothing that a build has left.
    pub(crate) fn commit(&self, tag: &str, files: &[(&str, &str)]) {
        for (name, text) in files {
            self.write(name, text);
            self.git(&["add", name]);
        }
        self.git(&["add", "xmlperf.toml"]);
        self.git(&["commit", "--quiet", "--message", tag]);
        self.git(&["tag", tag]);
    }

    pub(crate) fn run(&self, words: &[&str]) -> Output {
        Command::new(XMLPERF)
            .args(words)
            .env("XDG_CACHE_HOME", self.path().join(".xmlperf/cache"))
            .current_dir(self.path())
            .output()
            .unwrap()
    }

    /// The report of a comparison that ends by its verdict, or by the budget of an instant.
    fn compare(&self, words: &[&str]) -> Value {
        let common = ["compare", "--plain", "--format", "json", "--budget", "1ms"];
        let output = self.run(&[&common[..], words].concat());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
        published_schema::report(&output.stdout)
    }
}

pub(crate) fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

/// Launch pairs of a report, and whether it says that both sides are one program.
fn measured(report: &Value) -> (u64, bool) {
    (report["method"]["launches"].as_u64().unwrap(), report.get("identical").is_some())
}

#[test]
fn an_executable_that_a_change_leaves_as_it_was_is_not_measured() {
    let target = format!("build = \"cp {XMLPERF} api\"\nstart = \"./api serve --workers 1\"");
    let repository = ProgramRepository::new(&target, &[("src.txt", "one")]);
    repository.commit("v2", &[("README.md", "More to read."), (".github/ci.yml", "on: push")]);
    let report = repository.compare(&["--baseline", "v1"]);
    assert_eq!(measured(&report), (0, true));
    let digest = units::hex(&Sha256::digest(fs::read(XMLPERF).unwrap()));
    assert_eq!(report["identical"]["sha256"], digest.as_str());
    assert_eq!(report["identical"]["executable"], "api");
    assert_eq!((&report["outcome"], &report["method"]["comparisons"]), (&"pass".into(), &0.into()));
    let headline = format!("identical program, sha256 {}", &digest[..12]);
    for file in ["report.md", "report.html"] {
        let page =
            fs::read_to_string(repository.path().join(".xmlperf/report").join(file)).unwrap();
        assert!(page.contains(&headline) && page.contains(&digest), "{page}");
    }
    let again = repository.run(&["report", ".xmlperf/report/run.json"]);
    assert_eq!(again.status.code(), Some(0), "{}", text(&again));
    assert!(text(&again).contains(&headline), "{}", text(&again));
    // The same commit on both sides is the simplest case.
    assert_eq!(measured(&repository.compare(&["--baseline", "HEAD"])), (0, true));

    let all_the_same = repository.compare(&["--baseline", "v1", "--always-measure"]);
    assert_eq!(measured(&all_the_same), (1, false));
    repository.write("src.txt", "a change that the program is not built from");
    assert_eq!(measured(&repository.compare(&["--baseline", "v2"])), (1, false));
    repository.commit("v3", &[("src.txt", "one"), ("README.md", "An input from here on.")]);
    let config = fs::read_to_string(repository.path().join("xmlperf.toml")).unwrap();
    let config = config.replace("[target]\n", "[target]\ninputs = [\"*.md\"]\n");
    repository.write("xmlperf.toml", &config);
    assert_eq!(measured(&repository.compare(&["v2..v3"])), (1, false));
}

#[test]
fn the_tree_is_the_program_of_an_interpreter_in_every_command_that_compares() {
    let program = |extra: u32| format!("exec {XMLPERF} serve --workers 1 --extra-work {extra}%\n");
    let target = "build = \"true\"\nstart = \"sh api.sh\"";
    let repository = ProgramRepository::new(target, &[("api.sh", &program(0))]);
    repository.commit("v2", &[("docs/a.md", "a")]);
    repository.commit("v3", &[("docs/a.md", "b"), ("CHANGELOG", "1")]);
    let output = repository.run(&["compare", "--plain", "--matrix", "v1", "v2", "v3"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(table.matches("identical program, sha256").count(), 2, "{table}");

    let output = repository.run(&["bisect", "--good", "v1", "--bad", "v3", "--plain"]);
    assert_eq!(output.status.code(), Some(4), "{}", text(&output));
    assert!(text(&output).contains("identical program, sha256"), "{}", text(&output));

    repository.commit("v4", &[("api.sh", &program(400))]);
    repository.commit("v5", &[("README", "5")]);
    let output = repository.run(&["bisect", "--good", "v1", "--bad", "v5", "--plain"]);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let inherited: Vec<&str> =
        said.lines().filter(|line| line.contains(" — identical program")).collect();
    assert_eq!(inherited.len(), 2, "{said}");
    assert!(inherited.iter().any(|line| line.contains(" v3: as ")), "{said}");
    assert!(inherited.iter().any(|line| line.contains(" v4: as ")), "{said}");
    let found = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(found.contains(" v4\n") && found.contains("in its one hunk, api.sh:1\n"), "{said}");
}
