//! A GitHub that keeps state, with or without GitHub's own contract in front.

use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::job_environment::{JobEnvironment, pull_request};
use crate::exchange::exchange;
use crate::git::git;

/// Where the branch of a pull request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BranchOrigin {
    Repository,
    Fork,
}

const REPOSITORY: &str = "/repos/octo-org/octo-repo";

/// Who speaks to the emulator. It knows these tokens and no others.
pub(crate) const BOT: &str = "token-of-the-bot";
pub(crate) const MONA: &str = "token-of-mona";
pub(crate) const OUTSIDER: &str = "token-of-an-outsider";
const OWNER: &str = "token-of-the-owner";

/// A process that ends with its test.
struct EmulatorProcess {
    process: Child,
    port: u16,
}

impl Drop for EmulatorProcess {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl EmulatorProcess {
    /// Starts a program of `node_modules`; `arguments` gets the port. Waits until it listens.
    fn start(program: &str, log: &Path, arguments: impl Fn(u16) -> Vec<String>) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let out = File::create(log).unwrap();
        let process = Command::new(tools().join("node_modules/.bin").join(program))
            .args(arguments(port))
            .stdin(Stdio::null())
            .stderr(out.try_clone().unwrap())
            .stdout(out)
            .spawn()
            .unwrap();
        let mut server = Self { process, port };
        for _ in 0..600 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return server;
            }
            assert!(
                server.process.try_wait().unwrap().is_none(),
                "{program} ended: {}",
                log.display()
            );
            thread::sleep(Duration::from_millis(50));
        }
        panic!("{program} does not listen");
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

/// Where `tests/github/install.sh` puts things.
pub(crate) fn tools() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/github-tools")
}

/// A repository with one open pull request, from `topic` to `main`.
pub(crate) struct Github {
    emulator: EmulatorProcess,
    prism: Option<EmulatorProcess>,
    folder: TempDir,
    /// The head of the pull request.
    pub(crate) head: String,
    base: String,
    number: u64,
}

impl Github {
    /// Starts a GitHub in which mona and the bot may write, with a pull request.
    pub(crate) fn start() -> Self {
        let mut github = Self::empty();
        github.populate();
        github
    }

    /// The same without a pull request.
    fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let seed = folder.path().join("seed.json");
        let user = |login: &str| json!({ "login": login });
        let token = |login: &str| json!({ "login": login, "scopes": ["repo"] });
        let bot = "github-actions[bot]";
        let content = json!({
            "tokens": {
                OWNER: token("octo-org"), BOT: token(bot), MONA: token("mona"),
                OUTSIDER: token("outsider"),
            },
            "github": {
                "users": [user("octo-org"), user(bot), user("mona"), user("outsider")],
                "repos": [{ "owner": "octo-org", "name": "octo-repo", "auto_init": true }],
            },
        });
        fs::write(&seed, content.to_string()).unwrap();
        let emulator =
            EmulatorProcess::start("emulate", &folder.path().join("emulate.log"), |port| {
                let words = ["start", "--service", "github", "--port", &port.to_string(), "--seed"];
                words.iter().map(ToString::to_string).chain([seed.display().to_string()]).collect()
            });
        let (head, base) = (String::new(), String::new());
        let github = Self { emulator, prism: None, folder, head, base, number: 0 };
        for login in ["mona", "github-actions%5Bbot%5D"] {
            let permission = json!({ "permission": "push" });
            github.call("PUT", &format!("/collaborators/{login}"), OWNER, &permission);
        }
        github
    }

    /// A GitHub with the branches `main` and `topic` of `clone`, the second one in mona's fork if it
    /// is `origin` that says so, and a pull request for it.
    pub(crate) fn start_with(clone: &Path, origin: BranchOrigin) -> Self {
        let mut github = Self::empty();
        let (from, branch) = match origin {
            BranchOrigin::Repository => (REPOSITORY, "topic"),
            BranchOrigin::Fork => ("/repos/mona/octo-repo", "mona:topic"),
        };
        github.push(clone, "main", REPOSITORY, OWNER);
        github.base = git(clone, &["rev-parse", "main"]);
        if origin == BranchOrigin::Fork {
            github.send("POST", &format!("{REPOSITORY}/forks"), MONA, &json!({}));
        }
        github.push(clone, "main", from, MONA);
        github.push(clone, "topic", from, MONA);
        // A fork's commits are known to the repository as well.
        github.head = github.send_commit(clone, "topic", REPOSITORY, OWNER);
        let opened = json!({ "title": "Change", "head": branch, "base": "main" });
        let opened = github.call("POST", "/pulls", OWNER, &opened);
        github.number = opened["number"].as_u64().unwrap_or_else(|| panic!("{opened}"));
        assert_eq!(opened["head"]["sha"], github.head);
        github
    }

    /// Sends the last commit of a branch, and moves the branch there.
    fn push(&self, clone: &Path, branch: &str, repository: &str, token: &str) {
        let sha = self.send_commit(clone, branch, repository, token);
        let (at, to) = (format!("{repository}/git/refs"), format!("refs/heads/{branch}"));
        self.send("POST", &at, token, &json!({ "ref": to, "sha": sha }));
        // The branch may have been there.
        let moved = json!({ "sha": sha, "force": true });
        let moved = self.send("PATCH", &format!("{at}/heads/{branch}"), token, &moved);
        assert_eq!(moved["object"]["sha"], sha, "{moved}");
    }

    /// Sends the last commit of a branch, whose parent is there already, under its own name.
    fn send_commit(&self, clone: &Path, branch: &str, repository: &str, token: &str) -> String {
        let listed = git(clone, &["ls-tree", "-r", branch]);
        let entry = |line: &str| {
            let (mode, path) = (&line[..6], line.split_once('\t').unwrap().1);
            let content = git(clone, &["show", &format!("{branch}:{path}")]) + "\n";
            json!({ "path": path, "mode": mode, "type": "blob", "content": content })
        };
        let tree = json!({ "tree": listed.lines().map(entry).collect::<Vec<_>>() });
        let tree = self.send("POST", &format!("{repository}/git/trees"), token, &tree);
        let parents = git(clone, &["log", "-1", "--format=%P", branch]);
        let who = json!({ "name": "a", "email": "a@b", "date": "2026-11-23T10:00:00Z" });
        let commit = json!({
            "message": git(clone, &["log", "-1", "--format=%B", branch]), "tree": tree["sha"],
            "parents": parents.split_whitespace().collect::<Vec<_>>(),
            "author": who, "committer": who,
        });
        let commit = self.send("POST", &format!("{repository}/git/commits"), token, &commit);
        let sha = git(clone, &["rev-parse", branch]);
        assert_eq!(commit["sha"], sha, "{commit}");
        sha
    }

    /// The same, behind a proxy that holds every request against GitHub's contract.
    pub(crate) fn start_with_contract() -> Self {
        let mut github = Self::start();
        let slice = tools().join("slice.json").display().to_string();
        let upstream = github.emulator.url();
        let log = github.folder.path().join("prism.log");
        github.prism = Some(EmulatorProcess::start("prism", &log, |port| {
            vec!["proxy".into(), slice.clone(), upstream.clone(), "-p".into(), port.to_string()]
        }));
        github
    }

    fn populate(&mut self) {
        let main = self.call("GET", "/git/ref/heads/main", OWNER, &Value::Null);
        self.base = text(&main["object"]["sha"]);
        let branch = json!({ "ref": "refs/heads/topic", "sha": self.base });
        self.call("POST", "/git/refs", OWNER, &branch);
        let file = json!({ "message": "change", "content": "eA==", "branch": "topic" });
        self.call("PUT", "/contents/change.txt", OWNER, &file);
        let opened = json!({ "title": "Change", "head": "topic", "base": "main" });
        let opened = self.call("POST", "/pulls", MONA, &opened);
        self.number = opened["number"].as_u64().unwrap();
        self.head = text(&opened["head"]["sha"]);
        assert_ne!(self.head, self.base);
    }

    /// Speaks to the emulator itself, past the contract.
    pub(crate) fn call(&self, method: &str, path: &str, token: &str, body: &Value) -> Value {
        self.send(method, &format!("{REPOSITORY}{path}"), token, body)
    }

    fn send(&self, method: &str, path: &str, token: &str, body: &Value) -> Value {
        let url = format!("{}{path}", self.emulator.url());
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let (_, text) = exchange(method, &url, &headers, body.to_string().into_bytes());
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Where a client finds the API.
    pub(crate) fn url(&self) -> String {
        self.prism.as_ref().unwrap_or(&self.emulator).url()
    }

    /// The event that the pull request causes.
    pub(crate) fn event(&self, origin: BranchOrigin) -> Value {
        let mut payload = pull_request(match origin {
            BranchOrigin::Repository => "octo-org/octo-repo",
            BranchOrigin::Fork => "mona/octo-repo",
        });
        payload["number"] = json!(self.number);
        payload["pull_request"]["number"] = json!(self.number);
        payload["pull_request"]["head"]["sha"] = json!(self.head);
        payload["pull_request"]["base"]["sha"] = json!(self.base);
        payload
    }

    /// A job of `run` on the pull request.
    pub(crate) fn stage(&self, run: &str) -> JobEnvironment {
        let payload = self.event(BranchOrigin::Repository);
        JobEnvironment::new("pull_request", &payload)
            .with("GITHUB_RUN_ID", run)
            .with("GITHUB_TOKEN", BOT)
    }

    /// Says something on the pull request.
    pub(crate) fn say(&self, token: &str, body: &str) {
        let path = format!("/issues/{}/comments", self.number);
        let said = self.call("POST", &path, token, &json!({ "body": body }));
        assert!(said["id"].is_u64(), "{said}");
    }

    /// Everything said on the pull request: author and text.
    pub(crate) fn comments(&self) -> Vec<(String, String)> {
        let mut all = Vec::new();
        for page in 1.. {
            let path = format!("/issues/{}/comments?per_page=100&page={page}", self.number);
            let comments = self.call("GET", &path, MONA, &Value::Null);
            let comments = comments.as_array().unwrap().clone();
            if comments.is_empty() {
                break;
            }
            all.extend(comments);
        }
        all.iter().map(|it| (text(&it["user"]["login"]), text(&it["body"]))).collect()
    }

    /// The texts of the bot.
    pub(crate) fn ours(&self) -> Vec<String> {
        let mut ours = self.comments();
        ours.retain(|(login, _)| login == "github-actions[bot]");
        ours.into_iter().map(|(_, body)| body).collect()
    }

    /// The check runs of the head.
    pub(crate) fn check_runs(&self) -> Vec<Value> {
        let path = format!("/commits/{}/check-runs?filter=all", self.head);
        self.call("GET", &path, MONA, &Value::Null)["check_runs"].as_array().unwrap().clone()
    }

    /// What the contract says against the requests so far.
    pub(crate) fn violations(&self) -> Vec<String> {
        let log = fs::read_to_string(self.folder.path().join("prism.log")).unwrap();
        assert!(log.contains("Request received"), "nothing went through the contract");
        log.lines().filter(|line| line.contains("Violation: request.")).map(str::to_owned).collect()
    }
}

/// GitHub's contract with made-up answers, for what the emulator does not have.
pub(crate) struct GithubContract {
    prism: EmulatorProcess,
    folder: TempDir,
}

impl GithubContract {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let slice = tools().join("slice.json").display().to_string();
        let prism = EmulatorProcess::start("prism", &folder.path().join("prism.log"), |port| {
            vec!["mock".into(), slice.clone(), "-p".into(), port.to_string()]
        });
        Self { prism, folder }
    }

    pub(crate) fn url(&self) -> String {
        self.prism.url()
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("prism.log")).unwrap()
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}
