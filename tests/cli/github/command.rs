//! `xmlperf report github` as the action calls it.

use std::collections::BTreeMap;
use std::fs;
use std::process::Output;

use hdrhistogram::Histogram;
use record::causes::{HunkPlace, LineSpan, RevertCounts, RevertOutcome, WorkCauses};
use record::evidence::EvidenceState;
use record::fixtures::{LEVEL, paired};
use record::history::{HistoryNote, PastRun, PastScenario, RunHistory};
use record::instruction_counts::{
    self, BuildCounts, CountOutcome, FunctionCost, InstructionCounts,
};
use record::workload::Workload;
use record::{
    ConfirmedRun, EarlyEnd, FailureExample, FailureKind, FailureRecord, FailureReport,
    LaunchResult, LaunchResults, LimitBackend, LimitsRecord, Machine, MemoryLimit, Run, Side,
    histogram,
};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use wiremock::matchers::{method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::job_environment::{HEAD, JobEnvironment, TOKEN, pull_request};
use super::run_record::{save, slower_by};

/// Runs `report github` on what is in the stage's folder; returns the exit code and what it printed.
fn report(stage: &JobEnvironment, arguments: &[&str]) -> (Option<i32>, String) {
    let dir = stage.path("report");
    let dir = ["report", "github", "--dir", dir.to_str().unwrap()];
    let Output { status, stdout, stderr } =
        stage.command().args(dir).args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout) + &text(stderr))
}

/// Publishes without a network; returns the exit code, the body of the comment and the check.
fn dry(stage: &JobEnvironment, arguments: &[&str]) -> (Option<i32>, String, Value) {
    let arguments = [&["--dry-run"], arguments].concat();
    let (code, printed) = report(stage, &arguments);
    let sent = |line: &str| -> Value {
        let (_, rest) =
            printed.split_once(line).unwrap_or_else(|| panic!("no {line} in\n{printed}"));
        serde_json::Deserializer::from_str(rest).into_iter().next().unwrap().unwrap()
    };
    let comment = sent("POST /repos/octo-org/octo-repo/issues/7/comments\n");
    let check = sent("POST /repos/octo-org/octo-repo/check-runs\n");
    (code, comment["body"].as_str().unwrap().to_owned(), check)
}

fn offline() -> JobEnvironment {
    JobEnvironment::pull_request().with("GITHUB_TOKEN", "")
}

fn recorded(run: &Run) -> JobEnvironment {
    let stage = offline();
    save(run, &stage.path("report"));
    stage
}

fn headline(comment: &str) -> &str {
    comment.lines().nth(1).unwrap()
}

#[test]
fn the_verdict_is_drawn_from_the_numbers_and_decides_the_exit_code() {
    let check = |run: &Run, arguments: &[&str], code, conclusion: &str, head: &str| {
        let (exit, comment, check) = dry(&recorded(run), arguments);
        assert_eq!(exit, Some(code), "{comment}");
        assert_eq!(check["conclusion"], conclusion, "{comment}");
        assert!(headline(&comment).starts_with(head), "{comment}");
    };
    check(&slower_by(20), &[], 1, "failure", "### 🔴 xmlperf: 2 regressions");
    check(&slower_by(20), &["--compare-exit", "1"], 1, "failure", "### 🔴");
    check(&slower_by(20), &["--fail-on", "never"], 0, "neutral", "### 🔴");
    check(&slower_by(0), &["--compare-exit", "0"], 0, "success", "### ✅ xmlperf: no regression");
}

#[test]
fn a_pull_request_sees_its_own_names_and_not_those_of_the_merge() {
    let (_, comment, check) = dry(&recorded(&slower_by(20)), &[]);
    assert!(comment.starts_with("<!-- xmlperf:v1 id=default head=9f3c2ab run=100.1 -->\n"));
    assert!(comment.contains("<sub>9f3c2ab vs main (1d20e77)"), "{comment}");
    assert!(comment.contains("| Metric | main | PR |"), "{comment}");
    assert_eq!(check["head_sha"], HEAD);
    assert_eq!(check["output"]["annotations"][0]["path"], "xmlperf.toml");
}

#[test]
fn annotations_point_into_the_repository_and_not_into_the_working_directory() {
    let stage = recorded(&slower_by(20));
    let api = stage.path("api");
    std::fs::create_dir(&api).unwrap();
    std::fs::write(api.join("xmlperf.toml"), "\n[[scenario]]\nname = \"nominal\"\n").unwrap();
    let workspace = stage.path("").canonicalize().unwrap();
    let stage = stage.with("GITHUB_WORKSPACE", workspace.to_str().unwrap());
    let (_, _, check) = dry(&stage, &["--config", "./api/xmlperf.toml"]);
    let annotation = &check["output"]["annotations"][0];
    assert_eq!(
        (&annotation["path"], &annotation["start_line"]),
        (&json!("api/xmlperf.toml"), &json!(3))
    );
}

#[test]
fn a_hunk_that_was_proven_is_annotated_in_the_diff_and_no_other() {
    let annotations = |variant: f64| {
        let mut run = slower_by(0);
        run.scenarios[0].work = Some(explained(variant));
        let (_, _, check) = dry(&recorded(&run), &[]);
        let annotations = check["output"]["annotations"].as_array().cloned().unwrap_or_default();
        annotations.into_iter().filter(|it| it["annotation_level"] == "warning").collect::<Vec<_>>()
    };
    let [hunk] = &annotations(10_020.0)[..] else { panic!("there is one warning") };
    assert_eq!((&hunk["path"], &hunk["start_line"]), (&json!("src/xml.rs"), &json!(118)));
    assert_eq!(
        hunk["message"],
        "6.6 of +6.8 % of the work goes when this is reverted (measured, 5 launches), together with \
         `src/a_b.rs:118–131`, without which it does not build"
    );
    assert_eq!(annotations(10_500.0), Vec::<serde_json::Value>::new());
}

#[test]
fn at_most_fifty_remarks_stand_in_the_files_of_a_pull_request_and_hunks_come_first() {
    let mut run = slower_by(20);
    let scenario = run.scenarios[0].clone();
    let named = |n: usize| record::ScenarioRun { name: format!("s{n}"), ..scenario.clone() };
    run.scenarios = (0..30).map(named).collect();
    run.scenarios[7].work = Some(explained(10_020.0));
    let (_, comment, check) = dry(&recorded(&run), &[]);
    let annotations = check["output"]["annotations"].as_array().unwrap();
    assert_eq!(annotations.len(), 50, "{comment}");
    let first = &annotations[0];
    assert_eq!((&first["path"], &first["start_line"]), (&json!("src/xml.rs"), &json!(118)));
    assert_eq!(first["annotation_level"], "warning");
    for annotation in annotations {
        assert!(annotation["path"].as_str().is_some_and(|path| !path.starts_with('/')));
        assert!(annotation["start_line"].as_u64() >= Some(1), "{annotation}");
        assert!(annotation["end_line"].as_u64() >= annotation["start_line"].as_u64());
    }
}

#[test]
fn the_outputs_say_what_a_workflow_can_act_on() {
    let stage = recorded(&slower_by(20));
    dry(&stage, &[]);
    let outputs = stage.outputs();
    assert_eq!(outputs["verdict"], "regressed");
    assert_eq!(outputs["regressions"], "2");
    assert_eq!(outputs["flagged"], "nominal");
    assert_eq!(outputs["baseline-sha"], super::job_environment::BASE);
    assert_eq!(outputs["head-sha"], HEAD);
    assert!(stage.read("summary.md").contains("2 regressions"));
}

#[test]
fn what_is_missing_is_said_first_and_is_never_green() {
    let check = |stage: &JobEnvironment, arguments: &[&str], code, expected: &str| {
        let (exit, comment, check) = dry(stage, arguments);
        assert!(headline(&comment).contains(expected), "{comment}");
        assert_eq!(exit, Some(code), "{comment}");
        assert_ne!(check["conclusion"], "success", "{comment}");
    };
    let fine = slower_by(0);
    check(&offline(), &[], 3, "could not measure — nothing was recorded");
    check(&recorded(&fine), &["--compare-exit", "3"], 3, "measuring ended with exit code 3");
    check(&recorded(&fine), &["--compare-exit", "137"], 3, "exit code 137");
    check(&recorded(&fine), &["--scenario", "soak"], 3, "scenario soak was not measured");
    let alone = Run { base: None, ..fine.clone() };
    check(&recorded(&alone), &[], 0, "no base to compare with");
    check(&recorded(&fine), &["--compare-exit", "1"], 3, "measuring ended with exit code 1");
    let mut empty = fine.clone();
    empty.scenarios.clear();
    check(&recorded(&empty), &[], 3, "nothing was measured");
    let changed = |change: fn(&mut LaunchResult)| {
        let mut run = fine.clone();
        if let LaunchResults::Paired(pairs) = &mut run.scenarios[0].trials {
            for pair in pairs {
                change(&mut pair.head);
            }
        }
        recorded(&run)
    };
    let no_cpu = changed(|trial| trial.cpu_ns = None);
    check(&no_cpu, &[], 0, "`nominal` CPU per XML pair is missing");
    let mut no_lane = fine.clone();
    let reason = "valgrind is not installed".into();
    no_lane.scenarios[0].work = Some(CountOutcome::Unavailable { reason, required: true });
    check(&recorded(&no_lane), &[], 3, "no work lane in `nominal`&#58; valgrind is not installed");
    let no_requests = changed(|trial| {
        (trial.requests, trial.pairs, trial.slices) = (0, 0, Vec::new());
        trial.histogram = histogram::encode(&Histogram::new(3).unwrap());
    });
    check(&no_requests, &[], 3, "no requests");
    let reason = FailureReport {
        excerpts: vec!["@everyone ``` look".to_owned()],
        ..FailureReport::from("the process ended with code 101")
    };
    let ended = Some(EarlyEnd::Failed { side: Side::Head, scenario: None, reason });
    check(&recorded(&Run { ended, ..fine }), &[], 3, "the process ended with code 101");
}

/// Two machines together may show what the second one by itself does not.
#[test]
fn a_confirmation_ends_with_the_exit_code_of_both_machines() {
    let first = slower_by(20);
    let second = Run { confirms: Some(ConfirmedRun::of(&first)), ..slower_by(0) };
    let (code, comment, _) = dry(&recorded(&second), &["--compare-exit", "1"]);
    assert_eq!(code, Some(0), "{comment}");
    assert!(!comment.contains("could not measure"), "{comment}");
    let (code, comment, _) = dry(&recorded(&second), &["--compare-exit", "3"]);
    assert_eq!(code, Some(3), "{comment}");
}

#[test]
fn a_log_says_why_nothing_was_recorded() {
    let stage = offline();
    let log = "building\nerror: build of base failed: \u{1b}[31mE0308\u{1b}[0m\n```\n@octocat\n";
    std::fs::create_dir_all(stage.path("report")).unwrap();
    std::fs::write(stage.path("report/compare.log"), log).unwrap();
    let (code, comment, _) = dry(&stage, &["--compare-exit", "3"]);
    assert_eq!(code, Some(3));
    insta::assert_snapshot!(comment.split_once('\n').unwrap().1, @r"
    ### ❌ xmlperf: could not measure — build of base failed： ［31mE0308［0m

    ```text
    building
    error: build of base failed: [31mE0308[0m
    '''
    @octocat
    ```
    ");
}

#[test]
fn a_second_machine_confirms_or_refutes() {
    let check = |second: Option<&Run>, code, head: &str| {
        let stage = recorded(&slower_by(20));
        if let Some(second) = second {
            save(second, &stage.path("second"));
        }
        let second = stage.path("second");
        let (exit, comment, _) = dry(&stage, &["--confirmation", second.to_str().unwrap()]);
        assert!(headline(&comment).starts_with(head), "{comment}");
        assert_eq!(exit, Some(code), "{comment}");
    };
    let confirmed = "### 🔴 xmlperf: 2 regressions confirmed on a second machine — `nominal`";
    check(Some(&slower_by(20)), 1, confirmed);
    check(Some(&slower_by(0)), 0, "### ⚪ xmlperf: 2 flags of one machine, not confirmed");
    check(None, 3, "### ❌ xmlperf: could not measure — on the second machine");
}

/// The page that `--page-dir` writes, and its name.
fn written_page(stage: &JobEnvironment, arguments: &[&str]) -> (String, String) {
    let (code, printed) = report(stage, &[&["--page-dir", "pages"], arguments].concat());
    assert_eq!(code, Some(0), "{printed}");
    let page = stage.outputs()["page"].clone();
    let name = page.rsplit('/').next().unwrap().to_owned();
    (name, fs::read_to_string(page).unwrap())
}

#[test]
fn the_page_is_written_from_the_numbers_under_a_name_that_no_other_attempt_has() {
    let (name, page) = written_page(&recorded(&slower_by(20)), &[]);
    assert_eq!(name, "xmlperf-1.html");
    // The revisions have the names of the pull request, as in the comment.
    assert!(page.contains("2 regressions") && page.contains("9f3c2ab vs main (1d20e77)"), "{page}");
    let again = recorded(&slower_by(0)).with("GITHUB_RUN_ATTEMPT", "3");
    let (name, _) = written_page(&again, &["--comment-id", "orders"]);
    assert_eq!(name, "xmlperf-orders-3.html");
    let stage = recorded(&slower_by(20));
    save(&slower_by(0), &stage.path("second"));
    let second = stage.path("second").display().to_string();
    let (_, page) = written_page(&stage, &["--confirmation", &second]);
    assert!(page.contains("2 flags of one machine, not confirmed on a second"), "{page}");
    assert!(page.contains("On the first machine") && page.contains("Can&#x27;t tell"), "{page}");
    let (code, printed) = report(&offline(), &["--page-dir", "pages"]);
    assert_eq!(code, Some(2), "{printed}");
    assert!(printed.contains("nothing was recorded"), "{printed}");
}

#[test]
fn the_comment_links_to_the_page_and_to_nothing_that_is_no_artifact() {
    let linked = |url: &str| {
        let (_, comment, _) = dry(&recorded(&slower_by(20)), &["--page-url", url]);
        comment.lines().nth(2).unwrap().to_owned()
    };
    let url = "https://github.com/octo-org/octo-repo/actions/runs/100/artifacts/77";
    assert!(linked(url).starts_with(&format!("<sub>**[Open the report]({url})** · 9f3c2ab vs")));
    let wrong = [
        "",
        "https://evil.example/octo-org/octo-repo/actions/runs/100/artifacts/77",
        "https://github.com/octo-org/other/actions/runs/100/artifacts/77",
        "https://github.com/octo-org/octo-repo/actions/runs/100/artifacts/77) [x](https://evil.example",
        "javascript:alert(1)",
    ];
    for url in wrong {
        assert!(linked(url).starts_with("<sub>9f3c2ab vs"), "{}", linked(url));
    }
}

#[test]
fn a_second_machine_measures_only_what_the_first_one_flagged() {
    let check = |first: &Run, expected: &str| {
        let stage = recorded(first);
        let mut command = stage.command();
        let output = command.args(["compare", "--confirm", "report/run.json"]).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(expected), "{said}");
    };
    check(&slower_by(0), "flags nothing, so there is nothing to repeat");
    check(&slower_by(20), "flags scenario `nominal`, which this one does not have");
}

#[test]
fn the_token_shows_up_nowhere() {
    let stage = JobEnvironment::pull_request().with("GITHUB_API_URL", "http://127.0.0.1:1");
    save(&slower_by(0), &stage.path("report"));
    let (code, printed) = report(&stage, &["--comment", "never", "--check", "none"]);
    assert_eq!(code, Some(0), "{printed}");
    assert!(!printed.contains(TOKEN), "{printed}");
}

/// More work in a function of this name.
fn counted(name: &str) -> CountOutcome {
    let count = |each: f64| BuildCounts {
        toolchain: name.to_owned(),
        instructions: vec![each, each + 1.0, each - 1.0],
        allocations: vec![10.0, 10.0, 10.0],
        functions: vec![FunctionCost {
            name: name.to_owned(),
            file: name.to_owned(),
            own: each,
            inclusive: each,
        }],
        stacks: instruction_counts::pack(&BTreeMap::new()),
    };
    CountOutcome::Counted(Box::new(InstructionCounts {
        counter: name.to_owned(),
        pairs_per_request: 100,
        requests: 10,
        base: Some(count(10_000.0)),
        head: count(12_000.0),
        causes: None,
    }))
}

/// 6.8 % more work, of which a revert of two hunks takes so much away.
fn explained(variant: f64) -> CountOutcome {
    let mut work = counted("w");
    let CountOutcome::Counted(counts) = &mut work else { unreachable!("it was counted") };
    let values = |value: f64| vec![value; 5];
    counts.head.instructions = values(10_680.0);
    let hunk = |path: &str| HunkPlace {
        path: path.to_owned(),
        base: LineSpan { start: 118, count: 2 },
        head: LineSpan { start: 118, count: 14 },
    };
    let outcome = RevertOutcome::Counted {
        base: values(10_000.0),
        head: values(10_680.0),
        variant: values(variant),
    };
    let hunks = vec![hunk("src/xml.rs"), hunk("src/a_b.rs")];
    let reverts = vec![RevertCounts { hunks, outcome }];
    counts.causes = Some(Box::new(WorkCauses { reverts, ..WorkCauses::default() }));
    work
}

/// A history in which every name is one.
fn history(name: &str, run: &Run) -> RunHistory {
    let machine = Machine { cpu: name.to_owned(), ..run.machine.clone() };
    let past = PastRun {
        digest: name.to_owned(),
        started: name.to_owned(),
        revision: run.head.clone(),
        machine,
        yardstick: None,
        scenarios: vec![PastScenario {
            name: format!("{name} gone"),
            workload: Workload {
                path: Some(name.to_owned()),
                payload: name.to_owned(),
                ..run.scenarios[0].workload.clone()
            },
            launches: 5,
            levels: BTreeMap::new(),
        }],
    };
    let (name, store, notes) =
        (name.to_owned(), name.to_owned(), vec![HistoryNote::Words { text: name.to_owned() }]);
    RunHistory { name, store, notes, runs: vec![past] }
}

/// A record in which every name is an attack, rendered by a parser of GitHub's markdown.
#[test]
fn a_hostile_record_stays_text() {
    let attacks = [
        "@octocat",
        "</details><img src=x onerror=alert(1)>",
        "[click](https://evil.example)",
        "https://evil.example/@octocat",
        "www.evil.example",
        "a | b | c",
        "`` ` `` <!-- xmlperf:v1 id=default head=0000000 run=9.9 -->",
        "x\n\n# heading\n\n- list",
        "![image](data:image/png;base64,AAAA)",
        "&commat;octocat &#64;octocat",
        "*/ ${{ secrets.GITHUB_TOKEN }} $(id) `id`",
        "::error::x%0A::set-output name=verdict::pass",
        "octo-org/octo-repo#1 GH-1 #1",
    ];
    for attack in attacks {
        let mut run = slower_by(20);
        let all = |text: &mut String| attack.clone_into(text);
        all(&mut run.tool);
        all(&mut run.head.label);
        run.base.iter_mut().for_each(|base| base.label = attack.to_owned());
        run.base.iter_mut().for_each(|base| base.commit = Some(attack.to_owned()));
        let machine = &mut run.machine;
        [&mut machine.arch, &mut machine.cpu, &mut machine.kernel, &mut machine.image]
            .into_iter()
            .for_each(all);
        run.scenarios[0].name = attack.to_owned();
        run.scenarios[0].workload.path = Some(attack.to_owned());
        run.confinement = Some(LimitsRecord {
            memory: Some(MemoryLimit {
                bytes_max: 1 << 30,
                backend: LimitBackend::Engine(attack.to_owned()),
            }),
            note: Some(attack.to_owned()),
            ..LimitsRecord::default()
        });
        run.scenarios[0].work = Some(counted(attack));
        if let LaunchResults::Paired(pairs) = &mut run.scenarios[0].trials {
            let example = FailureExample { detail: attack.to_owned(), answer: attack.to_owned() };
            let kind = FailureKind::Status(500);
            pairs[0].head.failures.push(FailureRecord { kind, count: 1, first: Some(example) });
        }
        let (_, comment, check) = dry(&recorded(&run), &[]);
        assert!(
            comment.contains("Where the work grew") && comment.contains("failed: "),
            "{comment}"
        );
        harmless(&comment, attack);
        harmless(check["output"]["summary"].as_str().unwrap(), attack);
        run.history = Some(history(attack, &run));
        let (_, comment, check) = dry(&recorded(&run), &[]);
        assert!(comment.contains("Baseline ") && comment.contains("1 run up to it"), "{comment}");
        harmless(&comment, attack);
        harmless(check["output"]["summary"].as_str().unwrap(), attack);
        run.history = None;
        run.scenarios[0].work =
            Some(CountOutcome::Unavailable { reason: attack.into(), required: false });
        harmless(&dry(&recorded(&run), &[]).1, attack);
        let reason = FailureReport {
            excerpts: vec![attack.to_owned()],
            hints: vec![attack.to_owned()],
            ..attack.into()
        };
        run.ended = Some(EarlyEnd::Failed { side: Side::Head, scenario: None, reason });
        let (_, comment, _) = dry(&recorded(&run), &[]);
        harmless(&comment, attack);
    }
}

/// Asserts that `markdown` shows no link, no image, no mention and no markup but that of reports.
fn harmless(markdown: &str, attack: &str) {
    let mut options = comrak::Options::default();
    options.extension.autolink = true;
    options.extension.table = true;
    options.render.r#unsafe = true;
    let html = comrak::markdown_to_html(markdown, &options);
    let shown = html.replace("<!-- xmlperf:v1 id=default head=9f3c2ab run=100.1 -->", "");
    for sign in ["<a ", "<img", "<!--", "<h1", "<li", "onerror=alert(1)>"] {
        assert!(!shown.contains(sign), "{attack:?} made {sign} in\n{markdown}\n{html}");
    }
    let without_code: Vec<&str> = shown
        .split("<code")
        .map(|part| part.split_once("</code>").map_or(part, |it| it.1))
        .collect();
    let text = without_code.concat();
    assert!(!text.contains("@octocat") && !text.contains("#1"), "{attack:?}\n{text}");
    let rows = markdown.lines().filter(|line| line.starts_with("| ") && line.contains("regressed"));
    let cells = |row: &str| row.replace("\\|", "").matches('|').count();
    assert!(rows.clone().all(|row| cells(row) == 9), "{attack:?}\n{markdown}");
}

/// The second workflow of a fork: who asks follows from the event, what was measured from the artifact.
struct ForkPublisher {
    runtime: Runtime,
    server: MockServer,
    stage: JobEnvironment,
}

impl ForkPublisher {
    fn of_event(event: &str, payload: &Value) -> Self {
        let runtime = Runtime::new().unwrap();
        let server = runtime.block_on(MockServer::start());
        let stage = JobEnvironment::new(event, payload).with("GITHUB_API_URL", &server.uri());
        let this = Self { runtime, server, stage };
        let user = json!({ "login": "github-actions[bot]" });
        let graphql = Mock::given(method("POST")).and(path("/graphql"));
        let viewer = json!({ "data": { "viewer": user } });
        let answer = ResponseTemplate::new(200).set_body_json(viewer);
        this.runtime.block_on(graphql.respond_with(answer).mount(&this.server));
        this
    }

    fn new(archive: Vec<u8>) -> Self {
        let payload = json!({
            "workflow_run": {
                "id": 77, "run_attempt": 1, "event": "pull_request", "head_sha": HEAD,
                "head_branch": "topic&state=closed",
                "head_repository": { "full_name": "mona/octo-repo" },
            },
            "repository": { "full_name": "octo-org/octo-repo", "default_branch": "main" },
        });
        let this = Self::of_event("workflow_run", &payload);
        let size = archive.len();
        let artifact = json!({ "id": 3, "name": "xmlperf-report", "size_in_bytes": size });
        this.answer("GET", "actions/runs/77/artifacts", json!({ "artifacts": [artifact] }));
        let zip = ResponseTemplate::new(200).set_body_bytes(archive);
        this.mount("GET", "actions/artifacts/3/zip", zip);
        this
    }

    fn mount(&self, verb: &str, rest: &str, answer: ResponseTemplate) {
        let at = path(format!("/repos/octo-org/octo-repo/{rest}"));
        let mock = Mock::given(method(verb)).and(at).respond_with(answer);
        self.runtime.block_on(mock.mount(&self.server));
    }

    fn answer(&self, verb: &str, rest: &str, body: Value) {
        self.mount(verb, rest, ResponseTemplate::new(200).set_body_json(body));
    }

    /// Open pull requests from the branch, with these heads.
    fn pull_requests(&self, heads: &[(u64, &str, &str)]) {
        let pull = |(number, sha, repo): &(u64, &str, &str)| json!({ "number": number, "head": { "sha": sha, "repo": { "full_name": repo } } });
        let pulls: Vec<Value> = heads.iter().map(pull).collect();
        let mock = Mock::given(method("GET"))
            .and(path("/repos/octo-org/octo-repo/pulls"))
            .and(query_param("head", "mona:topic&state=closed"))
            .and(query_param("state", "open"))
            .respond_with(ResponseTemplate::new(200).set_body_json(pulls));
        self.runtime.block_on(mock.mount(&self.server));
    }

    fn run(&self) -> (Option<i32>, String, Vec<String>) {
        self.run_with(&["--artifact-run-id", "77", "--check", "none"])
    }

    fn run_with(&self, arguments: &[&str]) -> (Option<i32>, String, Vec<String>) {
        let (code, printed) = report(&self.stage, arguments);
        let requests = self.runtime.block_on(self.server.received_requests()).unwrap();
        let writes =
            requests.iter().filter(|it| it.method.as_str() != "GET" && it.url.path() != "/graphql");
        let lines = writes.map(|it| format!("{} {}", it.method, it.url.path())).collect();
        (code, printed, lines)
    }
}

fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    use std::io::{Cursor, Write};
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in entries {
        writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn a_fork_is_commented_on_by_the_second_workflow() {
    let publisher = ForkPublisher::new(zip(&[("run.json", &slower_by(20).to_json())]));
    publisher.pull_requests(&[
        (8, "0000000000000000000000000000000000000000", "mona/octo-repo"),
        (9, HEAD, "mona/octo-repo"),
        (10, HEAD, "eve/octo-repo"),
    ]);
    publisher.answer("GET", "issues/9/comments", json!([]));
    publisher.answer("GET", "issues/9/labels", json!([]));
    publisher.answer("POST", "issues/9/comments", json!({ "id": 1, "html_url": "https://c" }));
    let (code, printed, writes) = publisher.run();
    assert_eq!(code, Some(1), "{printed}");
    assert_eq!(writes, ["POST /repos/octo-org/octo-repo/issues/9/comments"], "{printed}");
}

/// Else the queue would throw the pull request out for what its reviewers have accepted.
#[test]
fn what_was_accepted_on_the_pull_request_is_accepted_in_the_queue() {
    let run = |branch: &str| {
        let group = json!({
            "head_sha": HEAD, "base_sha": "a".repeat(40), "base_ref": "refs/heads/main",
            "head_ref": format!("refs/heads/gh-readonly-queue/main/{branch}"),
        });
        let queue = ForkPublisher::of_event("merge_group", &json!({ "merge_group": group }));
        save(&slower_by(20), &queue.stage.path("report"));
        let said =
            json!([{ "id": 1, "body": "/xmlperf accept worth it", "user": { "login": "mona" } }]);
        queue.answer("GET", "issues/104/comments", said);
        let write = json!({ "permission": "write" });
        queue.answer("GET", "collaborators/mona/permission", write);
        let (code, _, writes) = queue.run_with(&["--check", "none"]);
        assert_eq!(writes, Vec::<String>::new(), "nothing is commented in a queue");
        (code, queue.stage.read("summary.md"))
    };
    let (code, summary) = run("pr-104-9f3c2ab0d5");
    assert!(code == Some(0) && summary.contains("accepted by `mona`"), "{summary}");
    let (code, summary) = run("of-another-kind");
    assert!(code == Some(1) && !summary.contains("accepted by"), "{summary}");
}

#[test]
fn a_fork_that_has_moved_on_is_not_commented_on() {
    let publisher = ForkPublisher::new(zip(&[("run.json", &slower_by(0).to_json())]));
    publisher.pull_requests(&[(9, "1111111111111111111111111111111111111111", "mona/octo-repo")]);
    let (code, printed, writes) = publisher.run();
    assert_eq!((code, writes), (Some(0), Vec::new()), "{printed}");
    assert!(printed.contains("no open pull request has 9f3c2ab as its head"), "{printed}");
}

#[test]
fn an_artifact_that_is_no_record_is_not_green() {
    let check = |archive: Vec<u8>, expected: &str| {
        let publisher = ForkPublisher::new(archive);
        publisher.pull_requests(&[]);
        let (code, printed, _) = publisher.run();
        assert_eq!(code, Some(3), "{printed}");
        let summary = publisher.stage.read("summary.md");
        assert!(summary.contains(expected), "{summary}");
    };
    check(zip(&[("../run.json", b"{}"), ("report.md", b"# green")]), "nothing was recorded");
    check(zip(&[("run.json", b"{\"schema\":1,\"verdict\":\"pass\"}")]), "failed to parse run");
    check(b"<html>".to_vec(), "not a sound archive");
    check(zip(&[("run.json", &vec![b' '; (32 << 20) + 1])]), "exceeds 33554432 bytes");
}

/// A runner that serves many pull requests has the record of another one in its folder; a checkout may have one too.
#[test]
fn an_artifact_without_a_record_is_not_what_lay_in_the_folder_before() {
    let publisher = ForkPublisher::new(zip(&[("compare.log", b"error: head does not build\n")]));
    publisher.pull_requests(&[]);
    save(&slower_by(0), &publisher.stage.path("report"));
    let (code, printed, _) = publisher.run();
    assert_eq!(code, Some(3), "{printed}");
    let summary = publisher.stage.read("summary.md");
    assert!(summary.contains("head does not build"), "{summary}");
    assert!(!publisher.stage.path("report/run.json").exists());
}

#[test]
fn an_artifact_that_is_not_there_is_not_green() {
    let publisher = ForkPublisher::new(Vec::new());
    publisher.pull_requests(&[]);
    let arguments = ["--artifact-run-id", "77", "--artifact", "other", "--check", "none"];
    let (code, printed) = report(&publisher.stage, &arguments);
    assert_eq!(code, Some(3), "{printed}");
    let summary = publisher.stage.read("summary.md");
    assert!(summary.starts_with("### ❌ xmlperf: could not measure — run 77 has no"), "{summary}");
}

#[test]
fn an_artifact_of_another_run_than_the_event_is_about_is_refused() {
    let publisher = ForkPublisher::new(Vec::new());
    let (code, printed) = report(&publisher.stage, &["--artifact-run-id", "78"]);
    assert_eq!(code, Some(2), "{printed}");
    assert!(printed.contains("the event is about run 77"), "{printed}");
}

#[test]
fn a_branch_with_a_strange_name_is_a_name() {
    let mut payload = pull_request("octo-org/octo-repo");
    payload["pull_request"]["base"]["ref"] = json!("$(id)`id`|@octocat");
    let stage = JobEnvironment::new("pull_request", &payload).with("GITHUB_TOKEN", "");
    save(&slower_by(20), &stage.path("report"));
    let (_, comment, _) = dry(&stage, &[]);
    harmless(&comment, "$(id)`id`|@octocat");
    assert!(comment.contains("＄(id)ˋidˋ｜＠octocat"), "{comment}");
}

/// What keeping an attempt says in a job, and whether the repository's store has it then.
fn keep_attempt(stage: &JobEnvironment) -> (String, bool) {
    let (key, run) = ("k1-c1".to_owned(), "100".to_owned());
    let state = EvidenceState { key, number: 1, run, since: 1, gap: None, earlier: Vec::new() };
    let measured = Run { evidence: Some(state), ..paired(3, LEVEL, LEVEL) };
    fs::write(stage.path("run.json"), measured.to_json()).unwrap();
    let store = format!("--store=file://{}", stage.path("store").display());
    let mut command = stage.command();
    command.env("GITHUB_ACTIONS", "true");
    let output =
        command.args(["baseline", "keep-attempts", &store, "--from=run.json"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout).unwrap();
    (said, stage.path("store/evidence/k1-c1.jsonl").exists())
}

#[test]
fn an_attempt_of_a_fork_never_reaches_the_record_of_the_repository() {
    let kept = ("kept: run.json\n".to_owned(), true);
    assert_eq!(keep_attempt(&JobEnvironment::pull_request()), kept);
    let refused = ("a pull request from a fork has its own record of attempts\n".to_owned(), false);
    let fork = JobEnvironment::new("pull_request", &pull_request("mona/octo-repo"));
    assert_eq!(keep_attempt(&fork), refused);
    // The workflow that publishes has the keys to the store, and is the repository's own.
    let publisher = ForkPublisher::new(Vec::new());
    assert_eq!(keep_attempt(&publisher.stage), refused);
}
