//! The program from the outside: a target that is not ours, sound and broken in every way.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up must fail")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use crate::published_schema;

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/compare_api.py");

/// A folder with a configuration and a target whose path no other test shares.
pub(crate) struct MeasurementFixture {
    folder: TempDir,
}

impl MeasurementFixture {
    pub(crate) fn new(sampling: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::copy(FIXTURE, folder.path().join("api.py")).unwrap();
        let checkout = Self { folder };
        let config = format!(
            "[target]\nstart = \"{}\"\nport-env = \"APP_PORT\"\nready-timeout = \"20 s\"\n\
             [work]\nlane = \"off\"\n\
             [sampling]\nwarm-up = \"20 ms\"\nload = \"60 ms\"\n{sampling}\n\
             [[scenario]]\nname = \"tiny\"\npairs = 10\n",
            checkout.start("")
        );
        fs::write(checkout.path().join("xmlperf.toml"), config).unwrap();
        checkout
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn start(&self, flags: &str) -> String {
        format!("python3 {}/api.py {flags}", self.path().display())
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xmlperf"));
        command.args(args).current_dir(self.path()).env_remove("APP_PORT").stdin(Stdio::null());
        // Which attempt of a workflow these tests are themselves is no matter of theirs.
        command.env_remove("GITHUB_RUN_ATTEMPT").env_remove("GITHUB_RUN_ID");
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Processes that still run this checkout's target.
    fn leftovers(&self) -> Vec<PathBuf> {
        let script = self.path().join("api.py");
        let script = script.to_str().unwrap();
        let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| Some(entry.ok()?.path()));
        let runs_it = |process: &PathBuf| {
            let line = fs::read(process.join("cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(script)
        };
        processes.filter(runs_it).collect()
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Both latencies of an exchange are in its time, and connections that the network resets are
/// failures that the limits judge.
#[test]
fn a_network_is_between_load_and_target_and_its_cost_is_shown() {
    let checkout = MeasurementFixture::new("launches = 2");
    let config = checkout.path().join("xmlperf.toml");
    let longer = fs::read_to_string(&config).unwrap().replace("60 ms", "600 ms");
    fs::write(&config, longer).unwrap();
    // A reset of a connection that has answered before is sent once more: many are needed to see some.
    let lossy = "latency=3ms,resets=40%";
    let output = checkout.run(&["run", "--network", lossy, "--format", "json"]);
    let said = || text(&output.stderr) + &text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}", said());
    let report = published_schema::report(&output.stdout);
    let metrics = report["metrics"].as_array().unwrap();
    let latency = metrics.iter().find(|row| row["metric"] == "latency").unwrap();
    assert!(latency["head"].as_f64().unwrap() >= 6e6, "{latency}");
    let scenario = &report["scenarios"][0];
    assert!(
        scenario["load"]
            .as_str()
            .unwrap()
            .ends_with("over a network of 3.00 ms each way, 40 % resets")
    );
    let failures = scenario["failures"].as_array().unwrap();
    assert_eq!((failures.len(), &failures[0]["kind"]), (1, &"reset".into()));
    let network = &scenario["network"];
    assert!(network["resets"].as_u64() >= failures[0]["count"].as_u64(), "{network}");
    assert!(network["cpu_per_exchange_ns"].as_f64().unwrap() > 0.0, "{network}");

    let strict = fs::read_to_string(&config).unwrap() + "limits = { errors = \"<= 1 %\" }\n";
    fs::write(&config, strict).unwrap();
    let output = checkout.run(&["run", "--network", lossy]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
    let said = text(&output.stdout);
    assert!(said.contains("network: by itself adds") && said.contains("× reset"), "{said}");
}

#[test]
fn a_target_that_is_not_ours_is_measured_and_its_answers_are_checked() {
    let checkout = MeasurementFixture::new("launches = 2");
    let output = checkout.run(&["run", "--format", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let report = published_schema::report(&output.stdout);
    assert_eq!(report["outcome"], "pass");
    let value = |key: &str| {
        let metrics = report["metrics"].as_array().unwrap();
        let row = metrics.iter().find(|row| row["metric"] == key).unwrap();
        row["head"].as_f64().unwrap()
    };
    assert!(value("cpu") > 1_000.0, "Python needs more than a microsecond a pair");
    assert!(value("rss") > 1e6);
    assert!(checkout.path().join(".xmlperf/report/run.json").is_file());
    assert!(checkout.leftovers().is_empty());
}

#[test]
fn base_and_head_of_one_program_are_not_called_different() {
    let checkout = MeasurementFixture::new("looks = [10]");
    let start = checkout.start("");
    let output = checkout.run(&["compare", "--base-start", &start, "--format", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    let report = published_schema::report(&output.stdout);
    assert_eq!(report["method"]["launches"], 10);
    assert_eq!(report["method"]["mode"], "paired");
    assert_ne!(report["outcome"], "regressed");

    let again = checkout.run(&["report", "--format", "json"]);
    assert_eq!(again.stdout, output.stdout, "a record is judged the same whenever it is read");
    assert!(checkout.leftovers().is_empty());
}

/// Of `tiny` any change is small enough to be none, of `close` none can be shown to be.
#[test]
fn a_scenario_that_is_settled_is_driven_no_more() {
    let shown = ["latency", "tail", "memory", "ready", "first-answers", "answer-bytes"];
    let shown = shown.map(|metric| format!("{metric} = \"report\"")).join(", ");
    let gate = format!("launch-pairs = 12\n[gate]\npolicy = {{ {shown} }}");
    let checkout = MeasurementFixture::new(&gate);
    let config = fs::read_to_string(checkout.path().join("xmlperf.toml")).unwrap();
    let close = "[[scenario]]\nname = \"close\"\npairs = 10\n\
                 gate = { floor = { cpu = 0.005 }, tolerance = { cpu = 0.005 } }\n[[scenario]]";
    let config = config.replace("[[scenario]]", close) + "gate = { tolerance = { cpu = 0.9 } }\n";
    fs::write(checkout.path().join("xmlperf.toml"), config).unwrap();
    let start = checkout.start("");
    let output = checkout.run(&["compare", "--base-start", &start, "--plain"]);
    let said = text(&output.stdout) + &text(&output.stderr);
    let record = fs::read(checkout.path().join(".xmlperf/report/run.json")).unwrap();
    let record = published_schema::record(&record);
    let driven = |number: usize| {
        let scenario = &record["scenarios"][number];
        let launch_pairs = scenario["trials"]["paired"].as_array().map(Vec::len);
        (launch_pairs, scenario["settled"].as_bool())
    };
    assert_eq!(driven(0), (Some(12), None), "{said}");
    assert!(matches!(driven(1), (Some(8..12), Some(true))), "{said}");
    assert!(said.contains(" to 12 launch pairs of at most 12"), "{said}");
    assert!(checkout.leftovers().is_empty());
}

/// One request in three is sent and not counted, so an XML pair costs half as much again.
#[test]
fn a_dose_is_sent_and_seen() {
    let checkout = MeasurementFixture::new("launch-pairs = 16");
    let output = checkout.run(&["doctor", "--dose", "50%", "--plain"]);
    let said = text(&output.stdout);
    assert!(said.starts_with("sent +50 %: one request in 3 was not counted"), "{said}");
    assert!(said.contains("tiny CPU per XML pair: seen "), "{said}");
    assert!(said.contains("regressed"), "{said}{}", text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(checkout.leftovers().is_empty());
}

/// Both sides are one build, then one of them costs half as much again; five such comparisons tell the
/// machine's own offset, and later reports have it.
#[test]
fn the_selftest_tries_a_target_that_is_not_ours() {
    let checkout = MeasurementFixture::new("launch-pairs = 16");
    let cache = checkout.path().join("cache");
    let run = |words: &[&str]| {
        text(&checkout.command(words).env("XDG_CACHE_HOME", &cache).output().unwrap().stdout)
    };
    let said = run(&["selftest", "--target", "--dose", "50%", "--plain"]);
    let (same, dosed) = said.split_once("sent +50 %: one request in 3 was not counted").unwrap();
    assert!(same.starts_with("sent nothing: both sides are one build"), "{said}");
    assert!(same.contains("tiny CPU per XML pair: seen ") && !same.contains("regressed"), "{said}");
    assert!(same.contains("after 5 comparisons with itself; 1 kept"), "{said}");
    assert!(dosed.contains("regressed"), "{said}");
    // Five such comparisons, without the time that they take.
    let mut kept = fs::read_dir(cache.join("xmlperf/twins")).unwrap();
    let kept = kept.next().unwrap().unwrap().path();
    let line = fs::read_to_string(&kept).unwrap();
    fs::write(&kept, line.repeat(5)).unwrap();
    let start = checkout.start("");
    let said = run(&["compare", "--base-start", &start, "--budget", "1s", "--plain"]);
    assert!(said.contains("own offset of one build, by 5"), "{said}");
}

#[test]
fn the_machine_is_looked_at_and_what_it_can_find_is_foreseen() {
    let checkout = MeasurementFixture::new("launch-pairs = 20");
    let output = checkout.run(&["doctor", "--format", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings = found["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 11);
    // Whatever is not as it should be comes with what to do.
    assert!(findings.iter().all(|it| it["sound"] == true || it["advice"].is_string()), "{found}");
    let noise = &found["noise"];
    assert!(noise["launch_pairs"].as_u64().unwrap() <= 12, "{noise}");
    let forecasts = noise["forecasts"].as_array().unwrap();
    assert_eq!(forecasts.len(), 3);
    assert!(forecasts.iter().all(|it| !it["smallest"].as_array().unwrap().is_empty()), "{noise}");
    assert!(checkout.leftovers().is_empty());
}

/// Every part of the program, tried on the machine that it runs on.
#[test]
#[ignore = "it measures for a minute"]
fn the_program_checks_itself() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_xmlperf"));
    command.args(["selftest", "--format", "json"]).current_dir(folder.path());
    let output = command.stdin(Stdio::null()).output().unwrap();
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{found:#}");
    let checks = found["checks"].as_array().unwrap();
    assert_eq!((checks.len(), &found["holds"]), (9, &true.into()));
    let took_ns: u64 = checks.iter().map(|check| check["took_ns"].as_u64().unwrap()).sum();
    assert!(took_ns < 90_000_000_000, "{found:#}");
    let dose = checks.iter().find(|check| check["check"] == "known_dose").unwrap();
    let value = |key: &str| dose["values"][key].as_f64().unwrap();
    assert!(value("low") <= value("sent") && value("sent") <= value("high"), "{dose}");
}

#[test]
fn what_is_wrong_with_a_target_is_said_and_leaves_nothing_behind() {
    let checkout = MeasurementFixture::new("looks = [10]");
    let check = |code: i32, head: &str, expected: &[&str]| {
        let base = checkout.start("");
        let output =
            checkout.run(&["compare", "--base-start", &base, "--head-start", head, "--plain"]);
        let said = text(&output.stdout);
        assert_eq!(output.status.code(), Some(code), "{said}{}", text(&output.stderr));
        for part in expected {
            assert!(said.contains(part), "`{part}` is missing in:\n{said}");
        }
        assert!(checkout.leftovers().is_empty(), "{head}");
    };
    let with = |fault: &str| checkout.start(&format!("--fault {fault}"));
    check(3, "./no-such-program {port}", &["head: ", "no-such-program"]);
    check(3, &with("exit"), &["head: ", "status 1", "cannot read settings.ini"]);
    // What base answers and head does not is no failure to measure, but a regression.
    let fails = "head fails where base does not — tiny";
    check(1, &with("status-500"), &[fails, "base: status 200", "500", "cannot reach the database"]);
    check(1, &with("flip"), &[fails, "XML pair 10 of 10", "matched"]);
    check(1, &with("die"), &[fails, "status 7", "the disk is on fire"]);
    check(1, &with("short"), &[fails, "short body"]);
    // All others are given time to start on a busy machine.
    let config = fs::read_to_string(checkout.path().join("xmlperf.toml")).unwrap();
    let impatient = config.replace("ready-timeout = \"20 s\"", "ready-timeout = \"3 s\"");
    fs::write(checkout.path().join("xmlperf.toml"), impatient).unwrap();
    check(3, &with("never-ready"), &["not ready after 3", "503"]);
}

#[test]
fn ctrl_c_keeps_what_was_measured_and_stops_what_was_started() {
    let checkout = MeasurementFixture::new("launches = 2");
    let hanging = checkout.start("--fault hang");
    let child = checkout
        .command(&["run", "--start", &hanging])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for(&checkout.path().join(".xmlperf/logs/head.log"), "hanging");
    interrupt(&child);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("interrupted"), "{}", text(&output.stdout));
    assert!(checkout.path().join(".xmlperf/report/run.json").is_file());
    assert!(checkout.leftovers().is_empty());
}

/// Waits, at most a minute, until a file says something.
fn wait_for(path: &Path, text: &str) {
    for _ in 0..1_200 {
        if fs::read_to_string(path).is_ok_and(|content| content.contains(text)) {
            return;
        }
        thread::sleep(Duration::from_millis(50));
    }
    panic!("`{}` never said `{text}`", path.display());
}

fn interrupt(child: &Child) {
    let status = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}
