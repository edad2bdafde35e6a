//! The workflows of `docs/`, run by `act` in a repository that a pull request changes, against a
//! GitHub that keeps state.

#![expect(clippy::disallowed_methods, reason = "how long a workflow takes is one of its outcomes")]

use std::fs;
use std::io::{BufRead as _, BufReader, Cursor, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::emulator::{BOT, BranchOrigin, Github, tools};
use super::run_record::{save, slower_by};
use super::stand_ins;
use crate::exchange::exchange;
use crate::git::{commit_all, git};

/// A token that may read and nothing else, as a fork's pull request gets it.
const READ_ONLY: &str = "token-of-a-fork";
const UPLOAD: &str = "actions/upload-artifact@ea165f8d65b6e75b540449e92b4886f43607fa02";
const UPLOAD_PAGE: &str = "actions/upload-artifact@043fb46d1a93c77aae656e7c1c64a875d1fc6a0a";
const ACTION: &str = "octo-org/xmlperf-action@v1";

const DOWNLOAD: &str = "actions/download-artifact@d3f86a106a0bac45b974a628896c90dbdf5c8093";

const CACHE: &str = "actions/cache@0057852bfaa89a56745cba8c7296529d2fc39830";

/// A job that confirms runs on another machine: under another identity than the jobs beside it, by a mount that
/// ends with it.
const MACHINES: &str = r#"#!/bin/sh
case " $* " in
    *" --confirm"*) exec unshare --mount sh -c 'mount --bind "$0" /etc/machine-id && exec "$@"' OTHER PROGRAM "$@" ;;
esac
exec PROGRAM "$@"
"#;

/// Quick, and far from the border between verdicts. A second machine takes more launch pairs to refute the first
/// than that took.
const CONFIGURATION: &str = r#"[target]
build = "chmod +x serve.sh"
start = "./serve.sh"
port-env = "APP_PORT"
ready-timeout = "5 s"

[sampling]
launch-pairs = 50
load = "100 ms"
warm-up = "20 ms"

[work]
lane = "off"

[[scenario]]
name = "smoke"
pairs = 20

[gate]
floor = { cpu = 0.2 }
tolerance = { cpu = 0.4 }
policy = { latency = "report", tail = "report", memory = "report", ready = "report", first-answers = "report", answer-bytes = "report" }
"#;

/// A repository with an API, a pull request that changes it, and a GitHub.
pub(crate) struct WorkflowFixture {
    folder: TempDir,
    github: Github,
    runtime: Runtime,
    front: MockServer,
    origin: BranchOrigin,
}

/// What became of a workflow.
pub(crate) struct WorkflowOutcome {
    pub(crate) succeeded: bool,
    pub(crate) log: String,
    /// The lines of the log about jobs, each with the time since the begin.
    pub(crate) lines: Vec<(Duration, String)>,
    /// Wall time of the whole.
    pub(crate) took: Duration,
}

impl WorkflowFixture {
    fn new(base: &str, head: &str, origin: BranchOrigin) -> Self {
        Self::with_commits(origin, |folder, clone| {
            init(clone);
            fs::write(clone.join("xmlperf.toml"), CONFIGURATION).unwrap();
            let commit = |script: &str, message: &str| {
                fs::write(clone.join("serve.sh"), script.trim_end().to_owned() + "\n").unwrap();
                commit_all(clone, message);
            };
            let script = |body: &str| {
                let program = env!("CARGO_BIN_EXE_xmlperf");
                let seen = folder.join("environment").display().to_string();
                let artifacts = folder.join("artifacts").display().to_string();
                body.replace("SERVE", &format!("exec {program} serve --workers 1"))
                    .replace("SEEN", &seen)
                    .replace("ARTIFACTS", &artifacts)
            };
            commit(&script(base), "base");
            git(clone, &["checkout", "--quiet", "-b", "topic"]);
            commit(&script(head), "change");
        })
    }

    /// A repository to which `commit` adds the branches `main` and `topic`; it gets the folder of all and the clone.
    pub(crate) fn with_commits(origin: BranchOrigin, commit: impl FnOnce(&Path, &Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (clone, work) = (folder.path().join("clone"), folder.path().join("work"));
        fs::create_dir(&clone).unwrap();
        git(&clone, &["init", "--quiet", "--initial-branch", "main"]);
        git(&clone, &["remote", "add", "origin", "https://github.com/octo-org/octo-repo"]);
        commit(folder.path(), &clone);
        git(&clone, &["clone", "--quiet", ".", work.to_str().unwrap()]);
        git(&work, &["checkout", "--quiet", "--detach", "origin/main"]);
        git(&work, &["merge", "--quiet", "--no-ff", "--message", "merge", "origin/topic"]);
        let url = "https://github.com/octo-org/octo-repo";
        git(&work, &["remote", "set-url", "origin", url]);
        let github = Github::start_with(&clone, origin);
        let runtime = Runtime::new().unwrap();
        let front = runtime.block_on(MockServer::start());
        let this = Self { folder, github, runtime, front, origin };
        this.serve();
        this.install();
        this
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts artifacts before the emulator, which has none, and takes rights from the fork's token.
    fn serve(&self) {
        let (artifacts, emulator) = (self.path("artifacts"), self.github.url());
        fs::create_dir(&artifacts).unwrap();
        let answer = move |request: &Request| {
            let path = request.url.path();
            if path.ends_with("/artifacts") {
                return ResponseTemplate::new(200).set_body_json(listing(&artifacts));
            }
            if let Some(rest) = path.strip_prefix("/repos/octo-org/octo-repo/actions/artifacts/") {
                let index: usize = rest.strip_suffix("/zip").unwrap().parse().unwrap();
                return ResponseTemplate::new(200)
                    .set_body_bytes(zipped(&names(&artifacts)[index]));
            }
            forwarded(&emulator, request)
        };
        self.runtime.block_on(Mock::given(any()).respond_with(answer).mount(&self.front));
    }

    /// The action as it is released, with this program in it.
    fn install(&self) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let (action, release) = (self.path("action"), self.path("release"));
        fs::create_dir_all(action.join("action")).unwrap();
        fs::create_dir_all(action.join("crates/units/src")).unwrap();
        fs::create_dir(&release).unwrap();
        let list = "crates/units/src/environment.txt";
        fs::copy(root.join(list), action.join(list)).unwrap();
        fs::copy(root.join("action.yml"), action.join("action.yml")).unwrap();
        for entry in fs::read_dir(root.join("action")).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), action.join("action").join(entry.file_name())).unwrap();
        }
        let other = self.path("machine-id");
        fs::write(&other, "00000000000000000000000000000002\n").unwrap();
        let program = MACHINES.replace("PROGRAM", crate::program().to_str().unwrap());
        let program = program.replace("OTHER", other.to_str().unwrap());
        fs::write(release.join("xmlperf"), program).unwrap();
        let executable = fs::Permissions::from_mode(0o755);
        fs::set_permissions(release.join("xmlperf"), executable).unwrap();
        let machine = std::env::consts::ARCH;
        let archive = format!("xmlperf-v0.1.0-{machine}-unknown-linux-musl.tar.gz");
        let mut tar = Command::new("tar");
        tar.args(["-czf", &archive, "xmlperf"]).current_dir(&release);
        assert!(tar.status().unwrap().success());
        let digest = units::hex(&Sha256::digest(fs::read(release.join(&archive)).unwrap()));
        fs::write(action.join("action/SHA256SUMS"), format!("{digest}  {archive}\n")).unwrap();
        fs::write(action.join("action/RELEASE"), format!("file://{}\n", release.display()))
            .unwrap();
        stand_ins::install(self.folder.path());
    }

    /// Runs `file` on `event` as `run`, which may be followed by `.` and the number of an attempt.
    fn act(
        &self,
        file: &str,
        event: &str,
        payload: &Value,
        token: &str,
        run: &str,
    ) -> WorkflowOutcome {
        fs::write(self.path("event.json"), payload.to_string()).unwrap();
        let local = |name: &str, folder: &str| format!("{name}={}", self.path(folder).display());
        let home = self.path("home");
        fs::create_dir_all(&home).unwrap();
        let (id, attempt) = run.split_once('.').unwrap_or((run, "1"));
        let artifacts = format!("ARTIFACTS={}", self.path("artifacts").display());
        let mut act = Command::new(tools().join("venv/bin/act"));
        act.arg(event)
            .args(["-W", file])
            .args(["-P", "ubuntu-24.04=-self-hosted", "--no-cache-server", "--pull=false"])
            .args(["-e", self.path("event.json").to_str().unwrap()])
            .args(["--env", &format!("GITHUB_API_URL={}", self.front.uri())])
            .args(["--env", &format!("GITHUB_RUN_ID={id}"), "--env", &artifacts])
            .args(["--env", &format!("GITHUB_RUN_ATTEMPT={attempt}")])
            .args(["-s", &format!("GITHUB_TOKEN={token}")])
            .args(["--local-repository", &local(ACTION, "action")])
            .args(["--local-repository", &local(UPLOAD, "upload")])
            .args(["--local-repository", &local(UPLOAD_PAGE, "upload-page")])
            .args(["--local-repository", &local(DOWNLOAD, "download")])
            .args(["--local-repository", &local(CACHE, "cache-action")])
            .current_dir(self.path("work"))
            .env("HOME", &home)
            .env("XDG_CACHE_HOME", home.join(".cache"))
            .env("XDG_CONFIG_HOME", home.join("config"));
        let outcome = timed(act);
        assert!(!outcome.log.contains(token), "the token is in the log");
        outcome
    }

    /// Runs the workflow that `init --github` wrote, on the pull request.
    pub(crate) fn pull_request(&self, run: &str) -> WorkflowOutcome {
        let token = match self.origin {
            BranchOrigin::Repository => BOT,
            BranchOrigin::Fork => READ_ONLY,
        };
        let event = self.github.event(self.origin);
        self.act(".github/workflows/xmlperf.yml", "pull_request", &event, token, run)
    }

    /// Runs the workflow that publishes for forks, after `run`.
    fn workflow_run(&self, run: &str) -> WorkflowOutcome {
        let event = json!({
            "workflow_run": {
                "id": run.parse::<u64>().unwrap(), "run_attempt": 1, "event": "pull_request",
                "head_sha": self.github.head, "head_branch": "topic",
                "head_repository": { "full_name": "mona/octo-repo" },
            },
            "repository": { "full_name": "octo-org/octo-repo", "default_branch": "main" },
        });
        self.act(".github/workflows/xmlperf-forks.yml", "workflow_run", &event, BOT, "900")
    }

    /// The one comment of ours and the conclusion of the one check. People can look at them below
    /// `target/github-tools/shown`.
    fn shown(&self, name: &str) -> (String, String) {
        let checks = self.github.check_runs();
        assert_eq!(checks.len(), 1, "{checks:?}");
        let check = serde_json::to_string_pretty(&checks[0]).unwrap();
        let comment = self.comment(name);
        fs::write(tools().join(format!("shown/{name}.check.json")), check).unwrap();
        (comment, checks[0]["conclusion"].as_str().unwrap().to_owned())
    }

    /// The one comment of ours.
    pub(crate) fn comment(&self, name: &str) -> String {
        let comments = self.github.ours();
        assert_eq!(comments.len(), 1, "{comments:?}");
        let folder = tools().join("shown");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(format!("{name}.md")), &comments[0]).unwrap();
        comments[0].clone()
    }
}

/// Writes what `init --github` does into a clone.
pub(crate) fn init(clone: &Path) {
    let mut init = Command::new(env!("CARGO_BIN_EXE_xmlperf"));
    let init = init.args(["init", "--github", "--action", ACTION]).current_dir(clone);
    let init = init.output().unwrap();
    assert!(init.status.success(), "{}", String::from_utf8_lossy(&init.stderr));
}

/// Runs a command, and notes when each of its lines came.
fn timed(mut command: Command) -> WorkflowOutcome {
    let began = Instant::now();
    let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (out, mut err) = (process.stdout.take().unwrap(), process.stderr.take().unwrap());
    let (lines, said) = thread::scope(|scope| {
        let said = scope.spawn(move || {
            let mut said = Vec::new();
            err.read_to_end(&mut said).unwrap();
            String::from_utf8_lossy(&said).into_owned()
        });
        let line = |line: Vec<u8>| (began.elapsed(), String::from_utf8_lossy(&line).into_owned());
        let lines: Vec<_> =
            BufReader::new(out).split(b'\n').map(|bytes| line(bytes.unwrap())).collect();
        (lines, said.join().unwrap())
    });
    let succeeded = process.wait().unwrap().success();
    let log: Vec<&str> = lines.iter().map(|(_, line)| line.as_str()).collect();
    WorkflowOutcome { succeeded, log: log.join("\n") + "\n" + &said, lines, took: began.elapsed() }
}

fn names(artifacts: &Path) -> Vec<PathBuf> {
    let mut names: Vec<_> =
        fs::read_dir(artifacts).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    names
}

fn listing(artifacts: &Path) -> Value {
    let names = names(artifacts);
    let named = names.iter().map(|path| path.file_name().unwrap().to_str().unwrap());
    let artifact =
        |(id, name): (usize, &str)| json!({ "id": id, "name": name, "size_in_bytes": 1 });
    json!({ "artifacts": named.enumerate().map(artifact).collect::<Vec<_>>() })
}

fn zipped(folder: &Path) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    add(folder, "", &mut writer);
    writer.finish().unwrap().into_inner()
}

fn add(folder: &Path, prefix: &str, writer: &mut zip::ZipWriter<Cursor<Vec<u8>>>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = format!("{prefix}{}", entry.file_name().to_str().unwrap());
        if entry.path().is_dir() {
            add(&entry.path(), &format!("{name}/"), writer);
        } else {
            writer.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
            writer.write_all(&fs::read(entry.path()).unwrap()).unwrap();
        }
    }
}

/// What the emulator says; a fork's token may only ask.
fn forwarded(emulator: &str, request: &Request) -> ResponseTemplate {
    let authorization = request.headers.get("authorization");
    let authorization = authorization.map_or("", |value| value.to_str().unwrap());
    let is_fork = authorization.ends_with(READ_ONLY);
    if is_fork && request.method.as_str() != "GET" && request.url.path() != "/graphql" {
        let message = json!({ "message": "Resource not accessible by integration" });
        return ResponseTemplate::new(403).set_body_json(message);
    }
    let query = request.url.query().map(|query| format!("?{query}")).unwrap_or_default();
    let url = format!("{emulator}{}{query}", request.url.path());
    let mut headers = vec![("content-type", "application/json")];
    if !authorization.is_empty() && !is_fork {
        headers.push(("authorization", authorization));
    }
    let (status, body) = exchange(request.method.as_str(), &url, &headers, request.body.clone());
    ResponseTemplate::new(status).set_body_raw(body, "application/json")
}

/// Slow on the first machine only, which is the one whose record is not there yet.
const BIASED: &str = "#!/bin/sh
if [ -d ARTIFACTS/xmlperf-report ]; then SERVE; else SERVE --extra-work 200%; fi
";
const SAME: &str = "#!/bin/sh\nSERVE\n";
const SLOWER: &str = "#!/bin/sh\nenv > SEEN\nSERVE --extra-work 200%\n";

pub(crate) fn headline(comment: &str) -> &str {
    comment.lines().nth(1).unwrap()
}

#[test]
#[ignore = "needs npm and measures: run by .ci/run full"]
fn a_regression_is_confirmed_on_a_second_runner_and_turns_red() {
    let hosted = WorkflowFixture::new(SAME, SLOWER, BranchOrigin::Repository);
    let workflow = hosted.pull_request("100");
    assert!(!workflow.succeeded, "{}", workflow.log);
    let (comment, conclusion) = hosted.shown("regression");
    assert!(
        headline(&comment).contains("regression confirmed on a second machine — `smoke` CPU"),
        "{comment}"
    );
    assert!(comment.contains("First machine") && comment.contains("Second machine"), "{comment}");
    assert!(comment.contains("**[Open the report](https://github.com/octo-org/octo-repo/actions/runs/100/artifacts/77)**"), "{comment}");
    let page = fs::read_to_string(hosted.path("artifacts/xmlperf-1.html/xmlperf-1.html")).unwrap();
    assert!(page.contains("confirmed on a second machine"), "{page}");
    assert_eq!(conclusion, "failure");
    let seen = fs::read_to_string(hosted.path("environment")).unwrap();
    assert!(seen.contains("APP_PORT="), "{seen}");
    assert!(!seen.contains(BOT) && !seen.contains("TOKEN"), "{seen}");
}

/// What the comment says of the attempts: which one it is, and from how many launch pairs on.
fn attempts(comment: &str) -> &str {
    let says = |line: &&str| line.contains(" attempt, ") && line.contains("launch pair");
    comment.lines().find(says).unwrap_or_else(|| panic!("no attempts in {comment}"))
}

/// Each run of the workflow is two attempts: of the machine that measures and of the one that confirms.
#[test]
#[ignore = "needs npm and measures: run by .ci/run full"]
fn pressing_re_run_adds_evidence_and_a_lost_artifact_is_said() {
    let hosted = WorkflowFixture::new(SAME, SLOWER, BranchOrigin::Repository);
    let press = |run: &str| {
        let workflow = hosted.pull_request(run);
        assert!(!workflow.succeeded, "{}", workflow.log);
        hosted.comment(&format!("attempts-{run}"))
    };
    for (run, number) in [("100", "2nd"), ("100.2", "4th"), ("100.3", "6th")] {
        let comment = press(run);
        let said = attempts(&comment);
        assert!(said.contains(&format!("{number} attempt")), "{said}");
        assert!(said.contains("on 2 machines; evidence for *slower*"), "{said}");
        assert!(!said.contains("begins anew"), "{said}");
    }
    let bases = fs::read_dir(hosted.path("cache")).unwrap().count();
    assert_eq!(bases, 1, "all attempts have one base, which one entry of the cache is of");
    for attempt in 1..=3 {
        let page = format!("artifacts/xmlperf-{attempt}.html/xmlperf-{attempt}.html");
        assert!(hosted.path(&page).exists(), "each attempt has its page");
    }
    // What is published does not depend on the page.
    fs::write(hosted.path("refuse-pages"), "").unwrap();
    for name in ["xmlperf-report", "xmlperf-report-confirmation"] {
        fs::remove_dir_all(hosted.path("artifacts").join(name)).unwrap();
    }
    let comment = press("100.4");
    let gap = "The record of the attempts before is missing: evidence begins anew";
    assert!(
        comment.contains(gap) && comment.contains("Evidence begins with attempt 4"),
        "{comment}"
    );
    let artifacts = "[Artifacts with the report](https://github.com/octo-org/octo-repo/actions/runs/100#artifacts)";
    assert!(comment.contains(artifacts), "{comment}");
}

#[test]
#[ignore = "needs npm and measures: run by .ci/run full"]
fn the_lines_in_the_readme_are_a_gate() {
    let hosted = WorkflowFixture::new(SAME, SLOWER, BranchOrigin::Repository);
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(readme).unwrap();
    let (_, rest) = readme.split_once("```yaml\n").unwrap();
    let lines = rest.split_once("```").unwrap().0;
    assert!(lines.lines().count() <= 10, "{lines}");
    let file = hosted.path("readme.yml");
    assert!(lines.contains("org/xmlperf-action@v1"), "{lines}");
    fs::write(&file, lines.replace("org/xmlperf-action@v1", ACTION)).unwrap();
    let event = hosted.github.event(BranchOrigin::Repository);
    let workflow = hosted.act(file.to_str().unwrap(), "pull_request", &event, BOT, "100");
    assert!(!workflow.succeeded, "{}", workflow.log);
    let (comment, conclusion) = hosted.shown("readme");
    assert!(
        headline(&comment).starts_with("### 🔴 xmlperf: 1 regression — `smoke` CPU"),
        "{comment}"
    );
    assert_eq!(conclusion, "failure");
}

#[test]
#[ignore = "needs npm and measures: run by .ci/run full"]
fn what_only_one_machine_sees_turns_nothing_red() {
    let hosted = WorkflowFixture::new(SAME, BIASED, BranchOrigin::Repository);
    let workflow = hosted.pull_request("100");
    let (comment, conclusion) = hosted.shown("not-confirmed");
    assert!(headline(&comment).contains("1 flag of one machine, not confirmed"), "{comment}");
    assert!(comment.contains("| not confirmed |"), "{comment}");
    assert_eq!(conclusion, "neutral");
    assert!(workflow.succeeded, "{}", workflow.log);
}

#[test]
#[ignore = "needs npm and measures: run by .ci/run full"]
fn no_change_is_green() {
    let hosted =
        WorkflowFixture::new(SAME, "#!/bin/sh\n# as fast\nSERVE\n", BranchOrigin::Repository);
    let workflow = hosted.pull_request("100");
    let (comment, conclusion) = hosted.shown("no-change");
    assert!(headline(&comment).starts_with("### ✅ xmlperf: no regression"), "{comment}");
    assert_eq!(conclusion, "success");
    assert!(workflow.succeeded, "{}", workflow.log);
}

#[test]
#[ignore = "needs npm and measures: run by .ci/run full"]
fn a_target_that_does_not_start_is_said_and_red() {
    let broken = "#!/bin/sh\necho 'no such table @octocat' >&2\nexit 9\n";
    let hosted = WorkflowFixture::new(SAME, broken, BranchOrigin::Repository);
    let workflow = hosted.pull_request("100");
    assert!(!workflow.succeeded, "{}", workflow.log);
    let (comment, conclusion) = hosted.shown("broken-target");
    assert!(headline(&comment).starts_with("### ❌ xmlperf: could not measure — "), "{comment}");
    assert_eq!(conclusion, "failure");
}

#[test]
#[ignore = "needs npm and measures: run by .ci/run full"]
fn a_change_that_brings_the_api_has_nothing_to_be_compared_with() {
    let hosted = WorkflowFixture::new("#!/bin/sh\nexit 1\n", SAME, BranchOrigin::Repository);
    let workflow = hosted.pull_request("100");
    assert!(!workflow.succeeded, "{}", workflow.log);
    let (comment, conclusion) = hosted.shown("no-base");
    assert!(headline(&comment).contains("could not measure"), "{comment}");
    assert_eq!(conclusion, "failure");
}

#[test]
#[ignore = "needs npm and measures: run by .ci/run full"]
fn a_fork_is_measured_without_rights_and_commented_on_by_the_second_workflow() {
    let hosted = WorkflowFixture::new(SAME, SLOWER, BranchOrigin::Fork);
    let measured = hosted.pull_request("100");
    assert!(!measured.succeeded && measured.log.contains("may only read"), "{}", measured.log);
    assert!(hosted.github.ours().is_empty() && hosted.github.check_runs().is_empty());
    let published = hosted.workflow_run("100");
    let (comment, conclusion) = hosted.shown("fork");
    assert!(
        headline(&comment).contains("regression confirmed on a second machine — `smoke` CPU"),
        "{comment}"
    );
    assert_eq!(conclusion, "failure");
    assert!(!published.succeeded, "{}", published.log);
}

#[test]
#[ignore = "needs npm: run by .ci/run full"]
fn what_a_fork_left_behind_is_numbers_and_nothing_else() {
    let attack = "@octocat </details><img src=x> `[a](https://evil.example)` <!-- xmlperf:v1 -->";
    let hosted = WorkflowFixture::new(SAME, SLOWER, BranchOrigin::Fork);
    let mut run = slower_by(20);
    attack.clone_into(&mut run.scenarios[0].name);
    attack.clone_into(&mut run.head.label);
    run.head.commit = Some("0".repeat(40));
    let artifact = hosted.path("artifacts/xmlperf-report");
    save(&run, &artifact);
    for (name, content) in [
        ("report.md", "### ✅ xmlperf: all is well"),
        ("report.json", "{\"verdict\":\"pass\"}"),
        ("pull-request", "1"),
        ("compare.log", "::set-output name=verdict::pass\n@octocat"),
    ] {
        fs::write(artifact.join(name), content).unwrap();
    }
    let published = hosted.workflow_run("100");
    let (comment, conclusion) = hosted.shown("hostile-fork");
    assert!(!published.succeeded, "{}", published.log);
    assert_eq!(conclusion, "failure");
    assert!(headline(&comment).starts_with("### 🔴 xmlperf: 2 regressions"), "{comment}");
    let head = &hosted.github.head[..7];
    assert!(comment.contains(&format!("/artifacts/77)** · {head} vs")), "{comment}");
    assert_eq!(comment.matches("<!--").count(), 1, "{comment}");
    let page = fs::read_to_string(hosted.path("artifacts/xmlperf-1.html/xmlperf-1.html")).unwrap();
    for word in ["<img", "href=\"http", "all is well", "<!-- xmlperf"] {
        assert!(!page.contains(word), "{word} in {page}");
    }
    // The one link is ours.
    let comment = comment.replacen(
        "](https://github.com/octo-org/octo-repo/actions/runs/900/artifacts/77)",
        "",
        1,
    );
    for word in ["@octocat", "<img", "](http", "all is well"] {
        assert!(!comment.contains(word), "{word} in {comment}");
    }
}
