//! What the command line promises beside its numbers: where output goes, what is left behind, and that
//! no input commands the terminal.

#![expect(clippy::unwrap_used, reason = "a program that does not run must fail the test")]

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use record::fixtures::{LEVEL, SampleLaunch, paired};
use tempfile::TempDir;

fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xmlperf"));
    command.args(args).current_dir(folder).env("COLUMNS", "80").stdin(Stdio::null());
    command
}

fn xmlperf(folder: &Path, args: &[&str]) -> Output {
    command(folder, args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn a_dash_is_standard_output() {
    let folder = tempfile::tempdir().unwrap();
    let plain = xmlperf(folder.path(), &["payload", "--pairs", "3"]);
    let dash = xmlperf(folder.path(), &["payload", "--pairs", "3", "--output", "-"]);
    assert_eq!(dash.status.code(), Some(0));
    assert_eq!(dash.stdout, plain.stdout);
    assert_eq!(names(folder.path()), Vec::<String>::new());
}

fn end(child: &Child, signal: &str) {
    let status = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

/// Waits until the payload has begun, and ends it.
fn interrupted_payload(folder: &TempDir, args: &[&str], signal: &str) -> Output {
    let args = [&["payload", "--pairs", "100_000_000", "--output", "big"], args].concat();
    let child = command(folder.path(), &args).stderr(Stdio::piped()).spawn().unwrap();
    for _ in 0..1_200 {
        if !names(folder.path()).is_empty() {
            break;
        }
        thread::sleep(Duration::from_millis(50));
    }
    assert!(!names(folder.path()).is_empty(), "it begins within a minute");
    end(&child, signal);
    child.wait_with_output().unwrap()
}

#[test]
fn an_interrupted_payload_leaves_nothing() {
    let forms = [&[][..], &["--format", "xml-dir"], &["--format", "ndjson"]];
    for (form, signal) in forms.into_iter().zip(["-TERM", "-INT", "-HUP"]) {
        let folder = tempfile::tempdir().unwrap();
        let output = interrupted_payload(&folder, form, signal);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(said.contains("interrupted before the payload was whole"), "{said}");
        assert_eq!(names(folder.path()), Vec::<String>::new(), "{form:?} {signal}");
    }
}

#[test]
fn a_column_of_text_is_left_out_and_a_missing_number_is_a_gap() {
    let folder = tempfile::tempdir().unwrap();
    let rows = (10..20).map(|run| {
        let size = if run == 14 { "NaN".to_owned() } else { format!("{run}") };
        let speed = if run == 15 { String::new() } else { format!("{run}.5") };
        format!("2026-01-{run},c{run},main,{speed},{size}\n")
    });
    let table = format!("time,commit,branch,speed,size\n{}", rows.collect::<String>());
    fs::write(folder.path().join("h.csv"), table).unwrap();
    let output = xmlperf(folder.path(), &["trend", "--csv", "h.csv"]);
    let (said, warned) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{warned}");
    assert!(said.contains("speed, 9 runs") && said.contains("size, 9 runs"), "{said}");
    assert!(warned.contains("column `branch` has text and no number"), "{warned}");

    let named = xmlperf(folder.path(), &["trend", "--csv", "h.csv", "--metric", "branch"]);
    let said = text(&named.stderr);
    assert_eq!(named.status.code(), Some(2), "{said}");
    assert!(said.contains("line 2: `main` is not a number above 0"), "{said}");
}

#[test]
fn numbers_without_a_ratio_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let check = |rows: &str, expected: &str| {
        fs::write(folder.path().join("p.csv"), format!("pair,metric,base,head\n{rows}")).unwrap();
        let output = xmlperf(folder.path(), &["decide", "p.csv"]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(expected), "{said}");
    };
    check("1,lat,1e-320,1e300\n", "pair 1, `lat`: the ratio of 1e300 to 1e-320");
    let long = format!("1,{},1,2\n", "l".repeat(1_000_000));
    check(&long, "the name of a metric has 1000000 bytes");
}

#[test]
fn no_input_commands_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let rows = (1..=10).map(|pair| format!("{pair},\u{1b}[31mred\u{7},1,1"));
    let table: Vec<String> = ["pair,metric,base,head".to_owned()].into_iter().chain(rows).collect();
    fs::write(folder.path().join("p.csv"), table.join("\n")).unwrap();
    let decided = xmlperf(folder.path(), &["decide", "p.csv"]);
    let missing = xmlperf(folder.path(), &["report", "\u{1b}]0;title\u{7}run.json"]);
    for output in [decided, missing] {
        let said = text(&[output.stdout, output.stderr].concat());
        assert!(!said.contains(['\u{1b}', '\u{7}']), "{said:?}");
    }
}

#[test]
fn a_repository_is_not_judged_by_a_target_that_has_nothing_of_it() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join(".git")).unwrap();
    let below = folder.path().join("below");
    fs::create_dir(&below).unwrap();
    let refused = |dir: &Path, args: &[&str]| {
        let output = xmlperf(dir, &[args, &["--plain"]].concat());
        assert_eq!((output.status.code(), output.stdout), (Some(2), Vec::new()), "{args:?}");
        text(&output.stderr).replace(folder.path().to_str().unwrap(), "REPOSITORY")
    };
    let said = refused(&below, &["compare"]);
    insta::assert_snapshot!(said, @r"
    error: there is no `xmlperf.toml` in `REPOSITORY/below` or above it, so there is nothing of this repository to measure

    hint: `xmlperf init` writes a configuration to begin with; `--reference` shows a measurement of the reference API inside this program
    ");
    for args in [&["run"][..], &["doctor", "--twin"], &["compare", "--head-start", "x {port}"]] {
        assert_eq!(refused(&below, args), said);
    }
    fs::write(folder.path().join("xmlperf.toml"), "[[scenario]]\nname = \"smoke\"\n").unwrap();
    assert!(refused(&below, &["run"]).contains("has no `[target] start`, `url` or `image`"));
    assert_eq!(names(&below), Vec::<String>::new());
}

#[test]
fn a_report_on_the_reference_api_says_so_and_shows_no_commit() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join(".git")).unwrap();
    let args = ["--reference", "--plain", "--lane", "time", "--launches", "1"];
    let output = xmlperf(folder.path(), &[&["run"][..], &args].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let report = text(&output.stdout);
    assert!(report.contains("\non the built-in reference API: all limits hold in 3 scenarios ("));
    let record = fs::read_to_string(folder.path().join(".xmlperf/report/run.json")).unwrap();
    let record: serde_json::Value = serde_json::from_str(&record).unwrap();
    assert_eq!(record["head"]["label"], "reference API");
    assert_eq!(record["head"]["commit"], serde_json::Value::Null);
}

#[test]
fn several_runs_have_an_index_and_a_page_may_have_its_style_sheet_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let slower = SampleLaunch { cpu_us: 572, ..LEVEL };
    for (name, head) in [("a.json", LEVEL), ("b.json", slower)] {
        paired(10, LEVEL, head).save(&folder.path().join(name)).unwrap();
    }
    let index = xmlperf(folder.path(), &["report", "a.json", "b.json"]);
    assert_eq!(index.status.code(), Some(1), "the gravest run decides");
    assert_eq!(text(&index.stdout).lines().count(), 2);
    let page = xmlperf(folder.path(), &["report", "a.json", "b.json", "--format", "html"]);
    let page = text(&page.stdout);
    assert!(page.contains("b.json <small>2026-11-23 10:00:00 · head (9f3c2ab)"), "{page}");
    let styled = ["report", "b.json", "--format", "html", "--assets", "css"];
    let page = text(&xmlperf(folder.path(), &styled).stdout);
    assert!(page.contains("href=\"css/xmlperf.css\"") && !page.contains("<style"));
    assert!(folder.path().join("css/xmlperf.css").exists());
    assert!(folder.path().join("css/xmlperf.js").exists());
    for wrong in [
        &["report", "a.json", "--assets", "css"][..],
        &["report", "a.json", "b.json", "--format", "json"],
    ] {
        assert_eq!(xmlperf(folder.path(), wrong).status.code(), Some(2), "{wrong:?}");
    }
}

#[test]
fn a_check_sends_one_request_of_each_scenario_and_names_the_wrong_setting() {
    let folder = tempfile::tempdir().unwrap();
    let right = xmlperf(folder.path(), &["check", "--plain"]);
    let shown = text(&right.stdout);
    assert_eq!(right.status.code(), Some(0), "{shown}{}", text(&right.stderr));
    assert!(shown.contains("> POST /xml-compare-api/api/compare/xml/batch HTTP/1.1\n"), "{shown}");
    assert!(shown.contains("< HTTP/1.1 200 OK\n"), "{shown}");
    assert!(shown.contains("expected: status 200, and 100 results that are true"), "{shown}");
    let config =
        "[[scenario]]\nname = \"smoke\"\n[[scenario]]\nname = \"lost\"\npath = \"/lost\"\n";
    fs::write(folder.path().join("xmlperf.toml"), config).unwrap();
    let wrong = xmlperf(folder.path(), &["check", "--plain", "--format", "json"]);
    assert_eq!(wrong.status.code(), Some(3));
    let report: serde_json::Value = serde_json::from_slice(&wrong.stdout).unwrap();
    let right = [&report["exchanges"][0]["right"], &report["exchanges"][1]["right"]];
    assert_eq!(right, [&true, &false]);
    let setting = report["exchanges"][1]["fault"]["setting"].as_str().unwrap();
    assert!(setting.starts_with("`path`"), "{setting}");
    assert!(!folder.path().join(".xmlperf/report").exists(), "nothing is measured");
}
