//! A server that fails, limits, refuses and hangs up, and exactly what is sent to it.

use github::api::ApiError;
use github::check::CheckPolicy;
use github::comment::CommentPolicy;
use github::publish::{PublicationResult, PublishError, PublishSettings};
use github::{CheckGate, Conclusion, FailOn};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::job_environment::{self, HEAD, JobEnvironment, TOKEN};

const COMMENTS: &str = "/repos/octo-org/octo-repo/issues/7/comments";
const STATUSES: &str =
    "/repos/octo-org/octo-repo/statuses/9f3c2ab19f3c2ab19f3c2ab19f3c2ab19f3c2ab1";

/// A scripted GitHub. Later rules stand in for earlier ones only once those are used up.
struct FaultServer {
    runtime: Runtime,
    server: MockServer,
}

impl FaultServer {
    fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let server = runtime.block_on(MockServer::start());
        let this = Self { runtime, server };
        let viewer = json!({ "data": { "viewer": { "login": "github-actions[bot]" } } });
        this.on("POST", "/graphql", ok(200, viewer), u64::MAX);
        this
    }

    /// Answers the next `times` requests of that kind with `answer`.
    fn on(&self, verb: &str, at: &str, answer: ResponseTemplate, times: u64) -> &Self {
        let mock = Mock::given(method(verb)).and(path(at)).respond_with(answer);
        self.runtime.block_on(mock.up_to_n_times(times).mount(&self.server));
        self
    }

    /// Closes the connection instead of answering the next request of that kind.
    fn hang_up_on(&self, verb: &str, at: &str) -> &Self {
        let reset = |_: &Request| std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        let mock = Mock::given(method(verb)).and(path(at)).respond_with_err(reset);
        self.runtime.block_on(mock.up_to_n_times(1).mount(&self.server));
        self
    }

    /// Publishes a comment and no check, or a status and no comment.
    fn publish(&self, stage: &JobEnvironment, settings: &PublishSettings) -> PublicationResult {
        stage.publish(&self.server.uri(), &job_environment::publication(Conclusion::Pass), settings)
    }

    /// What was sent, without the questions for the login.
    fn received(&self) -> Vec<String> {
        let requests = self.runtime.block_on(self.server.received_requests()).unwrap();
        let line = |request: &Request| format!("{} {}", request.method, request.url.path());
        requests.iter().map(line).filter(|line| line != "POST /graphql").collect()
    }
}

fn ok(status: u16, body: Value) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(body)
}

fn refusal(status: u16, message: &str) -> ResponseTemplate {
    ok(status, json!({ "message": message }))
}

fn comment(body: &str, login: &str) -> Value {
    json!({ "id": 1, "html_url": "https://comment", "body": body, "user": { "login": login } })
}

fn only_comment() -> PublishSettings {
    PublishSettings { check: CheckPolicy::None, ..job_environment::settings() }
}

fn only_status() -> PublishSettings {
    PublishSettings {
        comment: CommentPolicy::Never,
        check: CheckPolicy::Status,
        ..job_environment::settings()
    }
}

fn create() -> String {
    format!("POST {COMMENTS}")
}

fn list() -> String {
    format!("GET {COMMENTS}")
}

#[test]
fn what_only_reads_is_repeated_until_the_server_recovers() {
    let (server, stage) = (FaultServer::new(), JobEnvironment::pull_request());
    server.on("GET", COMMENTS, refusal(502, "Server Error"), 2);
    server.on("GET", COMMENTS, ok(200, json!([])), 1);
    server.on("POST", COMMENTS, ok(201, comment("", "github-actions[bot]")), 1);
    let published = server.publish(&stage, &only_comment());
    assert_eq!(published.comment_url.as_deref(), Some("https://comment"));
    assert_eq!(server.received(), [list(), list(), list(), create()]);
    assert_eq!(stage.pauses_s(), [1, 2]);
}

#[test]
fn a_server_that_stays_broken_is_given_up_after_four_attempts() {
    let (server, stage) = (FaultServer::new(), JobEnvironment::pull_request());
    server.on("GET", COMMENTS, refusal(503, "Unavailable"), u64::MAX);
    let published = server.publish(&stage, &only_comment());
    assert_eq!(server.received(), vec![list(); 4]);
    assert!(matches!(
        published.failures.as_slice(),
        [PublishError::PullRequest(ApiError::Unavailable { attempts: 4, .. })]
    ));
    assert_eq!(published.gate, CheckGate::Open);
    assert!(
        stage.read("summary.md").contains("nominal +14.2 %"),
        "the job's summary is written anyway"
    );
}

/// The comment was written, and the answer lost. Repeating would write a second one.
#[test]
fn a_comment_behind_a_bad_gateway_is_not_written_twice() {
    let (server, stage) = (FaultServer::new(), JobEnvironment::pull_request());
    let marker = format!("<!-- xmlperf:v1 id=default head={} run=100.1 -->", &HEAD[..7]);
    server.on("GET", COMMENTS, ok(200, json!([])), 1);
    server.on("POST", COMMENTS, refusal(502, "Server Error"), 1);
    let written = comment(&marker, "github-actions[bot]");
    server.on("GET", COMMENTS, ok(200, json!([written])), 1);
    let published = server.publish(&stage, &only_comment());
    assert_eq!(published.comment_url.as_deref(), Some("https://comment"));
    assert_eq!(server.received(), [list(), create(), list()]);
}

#[test]
fn a_comment_that_was_lost_on_the_way_is_written_after_a_look() {
    let (server, stage) = (FaultServer::new(), JobEnvironment::pull_request());
    server.on("GET", COMMENTS, ok(200, json!([])), 2);
    server.hang_up_on("POST", COMMENTS);
    server.on("POST", COMMENTS, ok(201, comment("", "github-actions[bot]")), 1);
    let published = server.publish(&stage, &only_comment());
    assert!(published.failures.is_empty(), "{:?}", published.failures);
    assert_eq!(server.received(), [list(), create(), list(), create()]);
}

#[test]
fn a_secondary_limit_is_waited_out_as_long_as_it_asks() {
    let (server, stage) = (FaultServer::new(), JobEnvironment::pull_request());
    let limited = refusal(403, "You have exceeded a secondary rate limit.");
    server.on("POST", STATUSES, limited.insert_header("retry-after", "7"), 1);
    server.on("POST", STATUSES, ok(201, json!({ "url": "https://status" })), 1);
    let published = server.publish(&stage, &only_status());
    assert_eq!(published.check_url.as_deref(), Some("https://status"));
    assert_eq!(server.received(), vec![format!("POST {STATUSES}"); 2]);
    assert_eq!(stage.pauses_s(), [7]);
}

#[test]
fn an_unnamed_limit_is_waited_out_for_a_minute() {
    let (server, stage) = (FaultServer::new(), JobEnvironment::pull_request());
    server.on("POST", STATUSES, refusal(429, "Too many requests"), 1);
    server.on("POST", STATUSES, ok(201, json!({})), 1);
    let published = server.publish(&stage, &only_status());
    assert!(published.failures.is_empty(), "{:?}", published.failures);
    assert_eq!(stage.pauses_s(), [60]);
}

#[test]
fn a_limit_of_an_hour_is_not_waited_for() {
    let (server, stage) = (FaultServer::new(), JobEnvironment::pull_request());
    let limited = refusal(403, "API rate limit exceeded")
        .insert_header("x-ratelimit-remaining", "0")
        .insert_header("x-ratelimit-reset", "1700003600")
        .insert_header("date", "Tue, 14 Nov 2023 22:13:20 GMT");
    server.on("POST", STATUSES, limited, u64::MAX);
    let published = server.publish(&stage, &only_status());
    assert_eq!(server.received(), [format!("POST {STATUSES}")]);
    assert!(stage.pauses_s().is_empty());
    assert!(matches!(
        published.failures.as_slice(),
        [PublishError::Check(ApiError::RateLimited { .. })]
    ));
}

#[test]
fn a_wrong_token_is_said_once_and_never_shown() {
    let (server, stage) = (FaultServer::new(), JobEnvironment::pull_request());
    server.on("POST", STATUSES, refusal(401, &format!("Bad credentials {TOKEN}")), u64::MAX);
    let published = server.publish(&stage, &only_status());
    assert_eq!(server.received(), [format!("POST {STATUSES}")]);
    let error = anyhow::Error::from(published.failures.into_iter().next().unwrap());
    let shown = format!("{error:#} {error:?}");
    assert!(shown.contains("does not accept the token"), "{shown}");
    assert!(!shown.contains(TOKEN), "{shown}");
}

#[test]
fn what_the_server_says_is_repeated_without_the_token() {
    let (server, stage) = (FaultServer::new(), JobEnvironment::pull_request());
    server.on("POST", STATUSES, refusal(422, &format!("odd: Bearer {TOKEN}\nsecond line")), 1);
    let published = server.publish(&stage, &only_status());
    let error = anyhow::Error::from(published.failures.into_iter().next().unwrap());
    let shown = format!("{error:#}");
    assert!(shown.contains("422 odd: Bearer *** second line"), "{shown}");
}

#[test]
fn a_fork_without_rights_gets_one_remark_and_no_failure() {
    let server = FaultServer::new();
    let stage =
        JobEnvironment::new("pull_request", &job_environment::pull_request("mona/octo-repo"));
    let refused = || refusal(403, "Resource not accessible by integration");
    let checks = format!("/repos/octo-org/octo-repo/commits/{HEAD}/check-runs");
    server.on("GET", COMMENTS, ok(200, json!([])), 1);
    server.on("POST", COMMENTS, refused(), u64::MAX);
    server.on("GET", &checks, ok(200, json!({ "check_runs": [] })), 1);
    server.on("POST", "/repos/octo-org/octo-repo/check-runs", refused(), u64::MAX);
    server.on("POST", STATUSES, refused(), u64::MAX);
    let published = server.publish(&stage, &job_environment::settings());
    assert!(published.failures.is_empty(), "{:?}", published.failures);
    assert_eq!(published.remarks.len(), 1, "{:?}", published.remarks);
    assert!(stage.read("summary.md").contains("nominal +14.2 %"));
    assert_eq!(server.received().len(), 5, "{:?}", server.received());
}

#[test]
fn rights_that_are_missing_in_the_repository_itself_are_a_failure() {
    let (server, stage) = (FaultServer::new(), JobEnvironment::pull_request());
    server.on("GET", COMMENTS, ok(200, json!([])), 1);
    server.on("POST", COMMENTS, refusal(403, "Resource not accessible by integration"), 1);
    let published = server.publish(&stage, &only_comment());
    let error = anyhow::Error::from(published.failures.into_iter().next().unwrap());
    let said = xmlperf::cli::explain(&error).0.unwrap();
    assert!(
        said.contains("hint: the job needs `permissions:` with `pull-requests: write`"),
        "{said}"
    );
}

#[test]
fn a_job_that_shows_nothing_needs_no_rights() {
    let server = FaultServer::new();
    let settings = PublishSettings {
        fail_on: FailOn::Never,
        comment: CommentPolicy::Never,
        check: CheckPolicy::None,
        ..job_environment::settings()
    };
    let regression = job_environment::publication(Conclusion::Regressed);
    let published =
        JobEnvironment::pull_request().publish(&server.server.uri(), &regression, &settings);
    assert!(published.failures.is_empty(), "{:?}", published.failures);
    assert_eq!((published.gate, server.received()), (CheckGate::Neutral, Vec::new()));
}

#[test]
fn a_personal_token_falls_back_to_a_commit_status() {
    let (server, stage) = (FaultServer::new(), JobEnvironment::pull_request());
    let checks = format!("/repos/octo-org/octo-repo/commits/{HEAD}/check-runs");
    let message = "You must authenticate via a GitHub App.";
    server.on("GET", &checks, ok(200, json!({ "check_runs": [] })), 1);
    server.on("POST", "/repos/octo-org/octo-repo/check-runs", refusal(403, message), 1);
    server.on("POST", STATUSES, ok(201, json!({ "url": "https://status" })), 1);
    let settings = PublishSettings { comment: CommentPolicy::Never, ..job_environment::settings() };
    let published = server.publish(&stage, &settings);
    assert_eq!(published.check_url.as_deref(), Some("https://status"));
}

/// GitHub has no way to say that these annotations are there already; their number does.
#[test]
fn a_batch_of_annotations_behind_a_bad_gateway_is_not_appended_twice() {
    let (server, stage) = (FaultServer::new(), JobEnvironment::pull_request());
    let checks = format!("/repos/octo-org/octo-repo/commits/{HEAD}/check-runs");
    let one = "/repos/octo-org/octo-repo/check-runs/5";
    let check = |count: u32| {
        let output = json!({ "annotations_count": count });
        json!({ "id": 5, "html_url": "https://check", "external_id": "100.1", "output": output })
    };
    server.on("GET", &checks, ok(200, json!({ "check_runs": [] })), 1);
    server.on("POST", "/repos/octo-org/octo-repo/check-runs", ok(201, check(50)), 1);
    server.on("PATCH", one, refusal(502, "Server Error"), 1);
    server.on("GET", one, ok(200, check(100)), 1);
    server.on("PATCH", one, ok(200, check(120)), 1);
    let mut publication = job_environment::publication(Conclusion::Regressed);
    publication.annotations = job_environment::annotations(120);
    let settings = PublishSettings { comment: CommentPolicy::Never, ..job_environment::settings() };
    // Whether it was accepted is read from the pull request, which is not the matter here.
    server.on("GET", COMMENTS, ok(200, json!([])), 1);
    server.on("GET", "/repos/octo-org/octo-repo/issues/7/labels", ok(200, json!([])), 1);
    let published = stage.publish(&server.server.uri(), &publication, &settings);
    assert!(published.failures.is_empty(), "{:?}", published.failures);
    let lines = server.runtime.block_on(server.server.received_requests()).unwrap();
    let lines = lines.iter().filter(|request| request.url.path().contains("/check-runs"));
    let lines = lines.filter_map(|request| serde_json::from_slice::<Value>(&request.body).ok());
    let lines = lines.map(|body| {
        let annotations = body["output"]["annotations"].as_array().unwrap().clone();
        let line = |at: usize| annotations[at]["start_line"].as_u64().unwrap();
        (line(0), line(annotations.len() - 1))
    });
    assert_eq!(lines.collect::<Vec<_>>(), [(1, 50), (51, 100), (101, 120)]);
}

#[test]
fn a_label_counts_if_who_set_it_may_write() {
    let check = |setter: &str, level: &str, expected| {
        let (server, stage) = (FaultServer::new(), JobEnvironment::pull_request());
        let label = json!({ "name": "xmlperf-accept" });
        let event = |kind: &str, by: &str| json!({ "event": kind, "label": label, "actor": { "login": by } });
        let renamed = json!({ "event": "renamed", "actor": null });
        let events = json!([
            event("labeled", "eve"),
            event("unlabeled", "eve"),
            event("labeled", setter),
            renamed
        ]);
        let at = |rest: &str| format!("/repos/octo-org/octo-repo/{rest}");
        server.on("GET", COMMENTS, ok(200, json!([])), 1);
        server.on("GET", &at("issues/7/labels"), ok(200, json!([label])), 1);
        server.on("GET", &at("issues/7/events"), ok(200, events), 1);
        let permission = ok(200, json!({ "permission": level }));
        server.on("GET", &at(&format!("collaborators/{setter}/permission")), permission, 1);
        server.on("POST", STATUSES, ok(201, json!({})), 1);
        let report = job_environment::publication(Conclusion::Regressed);
        let published = stage.publish(&server.server.uri(), &report, &only_status());
        assert!(published.failures.is_empty(), "{:?}", published.failures);
        assert_eq!(published.gate, expected, "{setter}, who has {level}");
    };
    check("mona", "write", CheckGate::Neutral);
    check("mona", "admin", CheckGate::Neutral);
    check("tim", "read", CheckGate::Shut);
}

#[test]
fn the_login_of_a_personal_token_is_found_where_there_is_no_graphql() {
    let stage = JobEnvironment::pull_request();
    let runtime = Runtime::new().unwrap();
    let server = FaultServer { server: runtime.block_on(MockServer::start()), runtime };
    server.on("GET", "/user", ok(200, json!({ "login": "mona" })), 1);
    let marker = "<!-- xmlperf:v1 id=default head=1111111 run=99.1 -->\nold";
    server.on("GET", COMMENTS, ok(200, json!([comment(marker, "mona")])), 1);
    let one = "/repos/octo-org/octo-repo/issues/comments/1";
    server.on("PATCH", one, ok(200, comment(marker, "mona")), 1);
    let published = server.publish(&stage, &only_comment());
    assert!(published.failures.is_empty(), "{:?}", published.failures);
    assert_eq!(server.received(), [list(), "GET /user".to_owned(), format!("PATCH {one}")]);
}
