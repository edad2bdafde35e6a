//! Attempts at one comparison by processes of their own: what adds up, what is put aside, and where it stays.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up must fail")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::measurement::{MeasurementFixture, text};
use crate::published_schema;

/// A comparison of a program with itself, which may be attempted again.
struct RepeatedComparison {
    checkout: MeasurementFixture,
    start: String,
    place: Option<&'static str>,
}

impl RepeatedComparison {
    fn new(place: Option<&'static str>) -> Self {
        let checkout = MeasurementFixture::new("launch-pairs = 20");
        let start = checkout.start("");
        Self { checkout, start, place }
    }

    fn words<'a>(&'a self, budget: &'a str) -> Vec<&'a str> {
        let place = self.place.iter().flat_map(|place| ["--attempts", *place]);
        let words = ["compare", "--base-start", &self.start, "--budget", budget];
        words.into_iter().chain(place).chain(["--format", "json"]).collect()
    }

    /// Makes an attempt; returns what its report says of all of them, and its own launch pairs.
    fn attempt(&self, budget: &str) -> (Value, u64) {
        let output = self.checkout.run(&self.words(budget));
        assert_eq!(
            output.status.code(),
            Some(0),
            "{} {}",
            text(&output.stderr),
            text(&output.stdout)
        );
        let report = published_schema::report(&output.stdout);
        (report["attempts"].clone(), report["method"]["launches"].as_u64().unwrap())
    }

    /// Begins an attempt that ends only if something ends it.
    fn begin(&self) -> Child {
        let mut command = self.checkout.command(&self.words("60s"));
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    fn shown(&self) -> String {
        text(&self.checkout.run(&["report"]).stdout)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.checkout.path().join(name)
    }
}

/// The only record in a folder.
fn record(folder: &Path) -> PathBuf {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut records = files.filter(|path| path.extension().is_some_and(|it| it == "jsonl"));
    let (record, other) = (records.next().unwrap(), records.next());
    assert_eq!(other, None);
    record
}

#[test]
fn attempts_add_up_whatever_ends_each_of_them() {
    let comparison = RepeatedComparison::new(Some("kept"));
    let ((first, one), (second, two)) = (comparison.attempt("1s"), comparison.attempt("1s"));
    assert_eq!((&first["number"], &first["launch_pairs"]), (&1.into(), &one.into()));
    assert_eq!((&second["number"], &second["launch_pairs"]), (&2.into(), &(one + two).into()));
    assert_eq!((&second["machines"], &second["gap"]), (&1.into(), &Value::Null));
    let expected = format!("2nd attempt, {} launch pairs in all, on 1 machine", one + two);
    assert!(comparison.shown().contains(&expected), "{}", comparison.shown());

    // The end of a record is what a killed run leaves out; nothing that was shown is lost by it.
    let path = record(&comparison.path("kept"));
    let lines = fs::read(&path).unwrap();
    fs::write(&path, &lines[..lines.len() - 9]).unwrap();
    let (third, three) = comparison.attempt("100ms");
    assert_eq!((&third["number"], &third["gap"]), (&3.into(), &Value::Null));
    assert_eq!(third["launch_pairs"], one + two + three);
}

/// Lines that follow each other, whatever they say.
fn chained(lines: &[Value]) -> String {
    let mut text = String::new();
    for line in lines {
        let mut line = line.clone();
        let content = line.as_object_mut().unwrap().values_mut().next().unwrap();
        content["before"] = units::hex(&Sha256::digest(&text)).into();
        text.push_str(&(line.to_string() + "\n"));
    }
    text
}

#[test]
fn what_was_done_to_a_record_is_said_and_evidence_begins_anew() {
    let comparison = RepeatedComparison::new(Some("kept"));
    comparison.attempt("1s");
    let path = record(&comparison.path("kept"));
    let kept = fs::read_to_string(&path).unwrap();
    let lines: Vec<Value> = kept.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let changed = |change: fn(&mut Vec<Value>)| {
        let mut lines = lines.clone();
        change(&mut lines);
        chained(&lines)
    };
    let check = |content: String, gap: Value, said: &str| {
        fs::write(&path, content).unwrap();
        let (attempts, own) = comparison.attempt("100ms");
        assert_eq!((&attempts["number"], &attempts["gap"]), (&2.into(), &gap), "{said}");
        assert_eq!(attempts["launch_pairs"], own, "{said}");
        let expected = format!("{said}: evidence begins anew, at 1/6 of the error rate");
        let shown = comparison.shown().split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(shown.contains(&expected), "`{expected}` is missing in:\n{shown}");
    };
    let altered = kept.replacen("\"number\":1", "\"number\": 1", 1);
    let second = "Line 2 of the record does not follow those before it";
    check(altered, json!({ "altered": { "line": 2 } }), second);
    let removed = kept.lines().enumerate().filter(|(number, _)| *number != 1);
    let removed = removed.fold(String::new(), |all, (_, line)| all + line + "\n");
    check(removed, json!({ "altered": { "line": 2 } }), second);
    check(
        "x\n".to_owned() + &kept,
        json!({ "malformed": { "line": 1 } }),
        "Line 1 of the record is damaged",
    );
    let other = changed(|lines| lines[0]["attempt"]["key"] = "other".into());
    check(other, json!("other-key"), "The record is of another comparison");
    let future = changed(|lines| lines[0]["attempt"]["started"] = "2999-01-01T00:00:00Z".into());
    let started = json!({ "future": { "started": "2999-01-01T00:00:00Z" } });
    check(future, started, "An attempt in the record began later than this one");
    let twice = changed(|lines| lines.extend(lines.clone()));
    let repeated = "Attempt 1 does not follow the one before it in the record";
    check(twice, json!({ "repeated": { "number": 1 } }), repeated);

    let newer = changed(|lines| lines[0]["attempt"]["schema"] = 9.into());
    fs::write(&path, &newer).unwrap();
    let refused = comparison.checkout.run(&comparison.words("100ms"));
    assert_eq!(refused.status.code(), Some(3));
    assert!(text(&refused.stderr).contains("has schema 9"), "{}", text(&refused.stderr));
    assert_eq!(fs::read_to_string(&path).unwrap(), newer, "it is left as it was");
}

/// Waits until the record in a store has so many lines.
fn wait_for_lines(folder: &Path, count: usize) {
    let lines = || fs::read_to_string(record(folder)).unwrap_or_default().lines().count();
    for _ in 0..1_000 {
        if lines() >= count {
            return;
        }
        thread::sleep(Duration::from_millis(20));
    }
    panic!("no {count} lines, but {}", lines());
}

/// Kills a run, and waits until what its supervisor had started has let go of the record in a folder.
fn kill(mut run: Child, folder: &Path) {
    run.kill().unwrap();
    run.wait().unwrap();
    for _ in 0..1_000 {
        if fs::File::open(record(folder)).unwrap().try_lock().is_ok() {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("the record in {} stays in use", folder.display());
}

/// Removes a folder, as another machine has nothing of it. What a killed run had started may write to it until the
/// supervisor has ended that too.
fn remove_at_last(folder: &Path) {
    for _ in 0..1_000 {
        if fs::remove_dir_all(folder).is_ok() {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("something goes on writing to {}", folder.display());
}

#[test]
fn a_store_that_the_configuration_names_outlives_the_machine() {
    let comparison = RepeatedComparison::new(None);
    let (config, store) = (comparison.path("xmlperf.toml"), comparison.path("store"));
    let own = format!("[baseline]\nattempts = \"file://{}\"\n", store.display());
    fs::write(&config, fs::read_to_string(&config).unwrap() + &own).unwrap();
    let leave = || remove_at_last(&comparison.path(".xmlperf"));
    let (first, one) = comparison.attempt("1s");
    assert_eq!(first["number"], 1);
    leave();
    let (second, two) = comparison.attempt("1s");
    assert_eq!((&second["number"], &second["gap"]), (&2.into(), &Value::Null));
    assert_eq!(second["launch_pairs"], one + two);

    let lines = || fs::read_to_string(record(&store.join("evidence"))).unwrap().lines().count();
    let (before, copies) = (lines(), comparison.path(".xmlperf/attempts"));
    let third = comparison.begin();
    // The beginning in the store, and a launch pair in the copy.
    wait_for_lines(&store.join("evidence"), before + 1);
    wait_for_lines(&copies, before + 2);
    kill(third, &copies);
    let copy = fs::read(record(&copies)).unwrap();
    let (fourth, _) = comparison.attempt("100ms");
    assert_eq!(
        (&fourth["number"], &fourth["gap"]),
        (&4.into(), &Value::Null),
        "the copy has it all"
    );
    assert!(fs::read(record(&store.join("evidence"))).unwrap().starts_with(&copy));

    let before = lines();
    let fifth = comparison.begin();
    wait_for_lines(&store.join("evidence"), before + 1);
    kill(fifth, &copies);
    leave();
    let (sixth, own) = comparison.attempt("100ms");
    assert_eq!(sixth["gap"], json!({ "unfinished": { "number": 5 } }));
    assert_eq!((&sixth["number"], &sixth["launch_pairs"]), (&6.into(), &own.into()));
    let verify =
        comparison.checkout.run(&["baseline", "verify", "--store", store.to_str().unwrap()]);
    assert!(!text(&verify.stdout).contains("unknown: "), "{}", text(&verify.stdout));
}
