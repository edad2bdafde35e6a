//! What stands on a pull request after one run, and after several.

use github::check::CheckPolicy;
use github::comment::{CommentId, CommentPolicy};
use github::publish::{PublicationResult, PublishSettings};
use github::{CheckGate, Conclusion, Publication};
use serde_json::{Value, json};

use super::emulator::{BOT, Github, GithubContract, MONA, OUTSIDER};
use super::job_environment::{annotations, publication, settings};
use crate::exchange::exchange;

fn publish(github: &Github, run: &str, publication: &Publication) -> PublicationResult {
    let published = github.stage(run).publish(&github.url(), publication, &settings());
    assert!(published.failures.is_empty(), "{:?}", published.failures);
    published
}

#[test]
#[ignore = "needs npm: run by .ci/run full"]
fn a_regression_that_is_fixed_turns_the_same_comment_green() {
    let github = Github::start();
    let first = publish(&github, "100", &publication(Conclusion::Regressed));
    assert_eq!(first.gate, CheckGate::Shut);
    let head = &github.head[..7];
    let marker = |run| format!("<!-- xmlperf:v1 id=default head={head} run={run}.1 -->\n");
    assert_eq!(github.ours(), [marker(100) + "### xmlperf: regressed\n\nnominal +14.2 %\n"]);
    let second = publish(&github, "101", &publication(Conclusion::Pass));
    assert_eq!(second.gate, CheckGate::Open);
    assert_eq!(github.ours(), [marker(101) + "### xmlperf: pass\n\nnominal +14.2 %\n"]);
    assert_eq!(first.comment_url, second.comment_url);
    let conclusions: Vec<Value> =
        github.check_runs().iter().map(|check| check["conclusion"].clone()).collect();
    assert!(conclusions.contains(&json!("failure")) && conclusions.contains(&json!("success")));
}

#[test]
#[ignore = "needs npm: run by .ci/run full"]
fn every_request_keeps_the_contract() {
    let github = Github::start_with_contract();
    let mut report = publication(Conclusion::Regressed);
    report.annotations = annotations(120);
    github.say(OUTSIDER, "/xmlperf accept because I say so");
    publish(&github, "100", &report);
    publish(&github, "101", &publication(Conclusion::Pass));
    assert_eq!(github.violations(), Vec::<String>::new());
    assert_eq!(github.ours().len(), 1);
}

#[test]
#[ignore = "needs npm: run by .ci/run full"]
fn the_contract_would_notice_an_annotation_too_many() {
    let github = Github::start_with_contract();
    let annotation = json!({
        "path": "a", "start_line": 1, "end_line": 1, "annotation_level": "failure", "message": "m",
    });
    let body = json!({
        "name": "x", "head_sha": github.head, "status": "completed", "conclusion": "success",
        "output": { "title": "t", "summary": "s", "annotations": vec![annotation; 51] },
    });
    let url = format!("{}/repos/octo-org/octo-repo/check-runs", github.url());
    let bearer = format!("Bearer {BOT}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    exchange("POST", &url, &headers, body.to_string().into_bytes());
    let violations = github.violations();
    assert!(violations.iter().any(|line| line.contains("annotations")), "{violations:?}");
}

#[test]
#[ignore = "needs npm: run by .ci/run full"]
fn a_status_keeps_the_contract() {
    let contract = GithubContract::start();
    let github_settings =
        PublishSettings { comment: CommentPolicy::Never, check: CheckPolicy::Status, ..settings() };
    let stage = super::job_environment::JobEnvironment::pull_request();
    let mut report = publication(Conclusion::Pass);
    report.summary = "µ".repeat(500);
    let published = stage.publish(&contract.url(), &report, &github_settings);
    assert!(published.failures.is_empty(), "{:?}", published.failures);
    let log = contract.log();
    assert!(log.contains("/statuses/") && !log.contains("Violation: request"), "{log}");
}

#[test]
#[ignore = "needs npm: run by .ci/run full"]
fn our_comment_is_found_behind_two_pages_of_others() {
    let github = Github::start();
    (0..110).for_each(|n| github.say(MONA, &format!("remark {n}")));
    publish(&github, "100", &publication(Conclusion::Regressed));
    (0..110).for_each(|n| github.say(MONA, &format!("further remark {n}")));
    publish(&github, "101", &publication(Conclusion::Pass));
    assert_eq!(github.comments().len(), 221);
    assert!(github.ours()[0].contains("run=101.1"), "{:?}", github.ours());
}

#[test]
#[ignore = "needs npm: run by .ci/run full"]
fn the_marker_in_a_foreign_comment_is_left_alone() {
    let github = Github::start();
    let forged = "<!-- xmlperf:v1 id=default head=0000000 run=99999.1 -->\n### all green";
    github.say(MONA, forged);
    publish(&github, "100", &publication(Conclusion::Regressed));
    assert_eq!(github.comments()[0], ("mona".to_owned(), forged.to_owned()));
    assert_eq!(github.ours().len(), 1);
}

#[test]
#[ignore = "needs npm: run by .ci/run full"]
fn of_several_comments_of_ours_the_oldest_stays() {
    let github = Github::start();
    let marker = |run| format!("<!-- xmlperf:v1 id=default head=0000000 run={run}.1 -->\nold");
    github.say(BOT, &marker(98));
    github.say(BOT, "<!-- xmlperf:v1 id=nightly head=0000000 run=98.1 -->\nanother");
    github.say(BOT, &marker(99));
    publish(&github, "100", &publication(Conclusion::Pass));
    let ours = github.ours();
    assert_eq!(ours.len(), 2, "{ours:?}");
    assert!(ours[0].contains("id=default") && ours[0].contains("run=100.1"), "{ours:?}");
    assert!(ours[1].contains("id=nightly") && ours[1].contains("run=98.1"), "{ours:?}");
}

#[test]
#[ignore = "needs npm: run by .ci/run full"]
fn an_outdated_run_changes_nothing() {
    let github = Github::start();
    publish(&github, "200", &publication(Conclusion::Regressed));
    let outdated = publish(&github, "199", &publication(Conclusion::Pass));
    assert_eq!(github.ours().len(), 1);
    assert!(github.ours()[0].contains("run=200.1"));
    assert_eq!(outdated.comment_url, None);
    assert_eq!(outdated.remarks.len(), 2, "{:?}", outdated.remarks);
    assert_eq!(github.check_runs().len(), 1);
}

#[test]
#[ignore = "needs npm: run by .ci/run full"]
fn all_annotations_arrive_in_batches() {
    let github = Github::start_with_contract();
    let mut report = publication(Conclusion::Regressed);
    report.annotations = annotations(120);
    publish(&github, "100", &report);
    assert_eq!(github.violations(), Vec::<String>::new());
    let [check] = &github.check_runs()[..] else { panic!("one check run") };
    // GitHub appends what the emulator replaces: it shows the third batch. The first two are held
    // against a script in `faults`.
    assert_eq!(check["output"]["annotations_count"], 20);
}

#[test]
#[ignore = "needs npm: run by .ci/run full"]
fn a_report_of_seventy_kilobytes_loses_its_largest_folded_part() {
    let github = Github::start();
    let mut report = publication(Conclusion::Regressed);
    let row = "| `nominal` | CPU per pair | 5.26 µs | 6.01 µs | **+14.2 %** |\n";
    let folded = |name: &str, rows: usize| {
        let table = row.repeat(rows);
        format!("<details><summary>{name}</summary>\n\n{table}\n</details>\n")
    };
    report.body = format!("### red\n\n{row}\n{}{}", folded("All", 1_000), folded("Method", 2));
    assert!(report.body.len() > 65_000, "{} bytes", report.body.len());
    publish(&github, "100", &report);
    let comment = &github.ours()[0];
    assert!(comment.len() <= 60_000, "{} bytes", comment.len());
    assert!(comment.contains("<summary>Method") && !comment.contains("<summary>All"));
    assert!(comment.contains("summary of the job"));
    let summary = github.check_runs()[0]["output"]["summary"].as_str().unwrap().len();
    assert!(summary <= 65_535, "{summary} bytes");
}

#[test]
#[ignore = "needs npm: run by .ci/run full"]
fn a_regression_is_excused_by_a_person_with_write_access() {
    let github = Github::start();
    let report = publication(Conclusion::Regressed);
    github.say(OUTSIDER, "/xmlperf accept trust me");
    assert_eq!(publish(&github, "100", &report).gate, CheckGate::Shut);
    github.say(MONA, "Looked at it.\n/xmlperf accept new checks, worth @all <b>it</b>");
    let accepted = publish(&github, "101", &report);
    assert_eq!(accepted.gate, CheckGate::Neutral);
    assert_eq!(accepted.acceptance.unwrap().by, "mona");
    let comment = &github.ours()[0];
    assert!(comment.contains("accepted by `mona`"), "{comment}");
    assert!(comment.contains("worth ＠all ＜b＞it＜/b＞"), "{comment}");
    assert!(comment.contains("### xmlperf: regressed"), "the numbers stay: {comment}");
    let latest = github.check_runs().into_iter().max_by_key(|it| it["id"].as_u64()).unwrap();
    assert_eq!(latest["conclusion"], "neutral");
    let broken = publish(&github, "102", &publication(Conclusion::Error));
    assert_eq!(broken.gate, CheckGate::Shut, "what could not be measured is never excused");
}

#[test]
#[ignore = "needs npm: run by .ci/run full"]
fn a_comment_is_begun_when_the_policy_says_so_and_always_updated() {
    let github = Github::start();
    let id = CommentId::parse("default").unwrap();
    let quiet =
        PublishSettings { comment: CommentPolicy::OnRegression, comment_id: id, ..settings() };
    let publish = |run: &str, conclusion| {
        let stage = github.stage(run);
        let published = stage.publish(&github.url(), &publication(conclusion), &quiet);
        assert!(published.failures.is_empty(), "{:?}", published.failures);
        github.ours()
    };
    assert_eq!(publish("100", Conclusion::Improved), Vec::<String>::new());
    assert!(publish("101", Conclusion::Regressed)[0].contains("regressed"));
    assert!(publish("102", Conclusion::Pass)[0].contains("xmlperf: pass"));
}
