//! The server of tools as an editor or agent meets it: by the client of the protocol's own library, over pipes.

#![expect(clippy::unwrap_used, reason = "a server that does not answer must fail the test")]

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use clap::Parser as _;
use rmcp::model::{
    CallToolRequest, CallToolRequestParams, CallToolResult, ClientRequest,
    ProgressNotificationParam, Tool,
};
use rmcp::service::{
    NotificationContext, PeerRequestOptions, RequestHandle, RoleClient, RunningService,
};
use rmcp::{ClientHandler, ServiceExt as _};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::unix::pipe;
use tokio::runtime::Runtime;
use xmlperf::cli::Cli;

const XMLPERF: &str = env!("CARGO_BIN_EXE_xmlperf");

/// Bytes that an answer may have, as it is sent.
const ANSWER_BYTES_MAX: usize = 8 * 1024;

/// A repository with a small service, of which each commit may do more work.
struct ServiceRepository {
    folder: TempDir,
}

impl ServiceRepository {
    fn new() -> Self {
        let repository = Self { folder: tempfile::tempdir().unwrap() };
        repository.write(
            "xmlperf.toml",
            "[target]\nbuild = \"true\"\nstart = \"sh serve.sh {port}\"\nready = \"/xml-compare-api/health\"\n\
             [work]\nlaunches = 2\npairs = 200\n[sampling]\nlaunches = 1\nwarm-up = \"10 ms\"\nload = \"50 ms\"\n\
             [[scenario]]\nname = \"tiny\"\npairs = 20\n",
        );
        repository.serve("");
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        repository.commit("base");
        repository
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).unwrap();
    }

    /// Has the service do what these options say.
    fn serve(&self, options: &str) {
        let script = format!("exec {XMLPERF} serve --workers 1 --port \"$1\" {options}\n");
        self.write("serve.sh", &script);
    }

    fn git(&self, words: &[&str]) {
        let identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"];
        let status =
            Command::new("git").args(identity).args(words).current_dir(self.path()).status();
        assert!(status.unwrap().success(), "git {words:?}");
    }

    fn commit(&self, message: &str) {
        self.git(&["add", "xmlperf.toml", "serve.sh"]);
        self.git(&["commit", "--quiet", "--message", message]);
    }

    fn server(&self, flags: &[&str]) -> Child {
        Command::new(XMLPERF)
            .arg("mcp")
            .args(flags)
            .current_dir(self.path())
            .env("XDG_CACHE_HOME", self.path().join(".xmlperf/cache"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// The processes that have this folder as theirs, or its path in their command line.
    fn leftovers(&self) -> Vec<String> {
        let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| {
            let folder = entry.unwrap().path();
            let line = fs::read(folder.join("cmdline")).ok()?;
            let works_here =
                fs::read_link(folder.join("cwd")).is_ok_and(|cwd| cwd.starts_with(self.path()));
            works_here.then(|| String::from_utf8_lossy(&line).replace('\0', " "))
        });
        processes.filter(|line| !line.is_empty()).collect()
    }
}

/// What a client heard of progress.
#[derive(Clone, Default)]
struct ProgressListener {
    heard: Arc<Mutex<Vec<ProgressNotificationParam>>>,
}

impl ClientHandler for ProgressListener {
    async fn on_progress(
        &self,
        params: ProgressNotificationParam,
        _context: NotificationContext<RoleClient>,
    ) {
        self.heard.lock().unwrap().push(params);
    }
}

/// A client with a server of its own.
struct ToolSession {
    runtime: Runtime,
    client: Option<RunningService<RoleClient, ProgressListener>>,
    listener: ProgressListener,
    server: Child,
}

impl ToolSession {
    fn start(repository: &ServiceRepository, flags: &[&str]) -> Self {
        let runtime = Runtime::new().unwrap();
        let mut server = repository.server(flags);
        let (stdin, stdout) = (server.stdin.take().unwrap(), server.stdout.take().unwrap());
        let listener = ProgressListener::default();
        let client = runtime.block_on(async {
            let input = pipe::Sender::from_owned_fd(OwnedFd::from(stdin)).unwrap();
            let output = pipe::Receiver::from_owned_fd(OwnedFd::from(stdout)).unwrap();
            listener.clone().serve((output, input)).await.unwrap()
        });
        Self { runtime, client: Some(client), listener, server }
    }

    fn client(&self) -> &RunningService<RoleClient, ProgressListener> {
        self.client.as_ref().unwrap()
    }

    fn tools(&self) -> Vec<Tool> {
        self.runtime.block_on(self.client().list_all_tools()).unwrap()
    }

    /// Calls a tool; returns its text, and whether it is a failure. No answer is larger than it may be.
    fn call(&self, name: &'static str, arguments: Value) -> (String, bool) {
        let result =
            self.runtime.block_on(self.client().call_tool(params(name, arguments))).unwrap();
        let sent = serde_json::to_string(&result).unwrap();
        assert!(sent.len() + 100 <= ANSWER_BYTES_MAX, "{} bytes: {sent}", sent.len());
        (text(&result), result.is_error == Some(true))
    }

    /// Calls a tool that must do what it is for.
    fn answer(&self, name: &'static str, arguments: Value) -> String {
        let (text, is_error) = self.call(name, arguments);
        assert!(!is_error, "{text}");
        text
    }

    fn begin(&self, name: &'static str, arguments: Value) -> RequestHandle<RoleClient> {
        let request = ClientRequest::CallToolRequest(CallToolRequest::new(params(name, arguments)));
        let sent =
            self.client().send_cancellable_request(request, PeerRequestOptions::no_options());
        self.runtime.block_on(sent).unwrap()
    }

    /// Ends the client, and waits for the server, which ends by itself.
    fn end(mut self) {
        let client = self.client.take().unwrap();
        self.runtime.block_on(client.cancel()).unwrap();
        let code = self.server.wait().unwrap().code();
        // An answer on its way to a client that has gone meets a closed pipe.
        assert!(matches!(code, Some(0 | 141)), "{code:?}");
    }
}

fn params(name: &'static str, arguments: Value) -> CallToolRequestParams {
    let Value::Object(arguments) = arguments else { panic!("{arguments}") };
    CallToolRequestParams::new(name).with_arguments(arguments)
}

fn text(result: &CallToolResult) -> String {
    result.content.iter().filter_map(|block| Some(block.as_text()?.text.clone())).collect()
}

/// Waits, at most a minute, until something is so.
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..1_200 {
        if is_so() {
            return;
        }
        thread::sleep(Duration::from_millis(50));
    }
    panic!("not within a minute: {what}");
}

/// From a verdict to its cause, to a reproduction, to a verdict on the repaired tree.
fn session(fault: &str, lanes: &Value, cause: &str, launches: usize, repaired: &[&str]) {
    let repository = ServiceRepository::new();
    let config = fs::read_to_string(repository.path().join("xmlperf.toml")).unwrap();
    let counted = format!("[work]\nlaunches = {launches}\n");
    repository.write("xmlperf.toml", &config.replace("[work]\nlaunches = 2\n", &counted));
    let server = ToolSession::start(&repository, &["--allow-run"]);
    repository.serve(fault);
    repository.commit("change");
    let call = json!({"baseline": "HEAD~1", "lanes": lanes});
    let verdict = server.answer("compare", call.clone());
    assert!(verdict.starts_with("# verdict\nregressed: "), "{verdict}");
    let why = server.answer("report", json!({}));
    assert_eq!(why.lines().nth(1), verdict.lines().nth(1));
    assert!(why.contains(cause), "`{cause}` is missing in {why}");
    let meaning = server.answer("explain", json!({"concept": "verdicts"}));
    assert!(meaning.contains("regressed"), "{meaning}");
    let again = server.answer("reproduce", json!({}));
    assert!(again.contains("\n# verdict\nregressed: "), "{again}");
    repository.serve("");
    let verdict = server.answer("compare", call);
    let outcome = verdict.strip_prefix("# verdict\n").and_then(|rest| rest.split(':').next());
    assert!(outcome.is_some_and(|outcome| repaired.contains(&outcome)), "{verdict}");
    let heard = server.listener.heard.lock().unwrap().clone();
    assert!(heard.windows(2).all(|pair| pair[0].progress < pair[1].progress
        || pair[0].progress_token != pair[1].progress_token));
    let said = |it: &ProgressNotificationParam| it.message.clone().unwrap_or_default();
    let is_step = |text: String| text.starts_with("counting ") || text.starts_with("launch ");
    assert!(heard.iter().map(said).any(is_step), "{heard:?}");
    server.end();
    assert_eq!(repository.leftovers(), [""; 0]);
}

#[test]
fn a_session_goes_from_a_verdict_to_its_cause_and_to_the_repaired_tree() {
    // Two launches a side are quick, and too few to show that two builds are equal.
    let repaired = ["pass", "inconclusive"];
    session("--extra-work 30%", &json!(["work"]), "tiny: +", 2, &repaired);
}

#[test]
#[ignore = "slow: run by .ci/run full"]
fn sessions_find_work_waiting_and_memory() {
    session("--extra-work 10%", &json!(["work"]), "tiny: +", 5, &["pass"]);
    // A machine that others use too may leave times undecided.
    let repaired = ["pass", "inconclusive", "improved"];
    session("--delay 2ms", &json!(["time"]), "blocked", 5, &repaired);
    session("--leak 4MiB", &json!(["time"]), "peak memory", 5, &repaired);
}

#[test]
fn a_server_that_only_reads_starts_nothing_and_refuses_what_is_hostile() {
    let repository = ServiceRepository::new();
    let server = ToolSession::start(&repository, &[]);
    let tools = server.tools();
    let listed = serde_json::to_string(&tools).unwrap();
    assert!(listed.len() <= ANSWER_BYTES_MAX, "{}", listed.len());
    let names: Vec<_> = tools.iter().map(|tool| tool.name.as_ref()).collect();
    assert_eq!(names, ["compare", "report", "reproduce", "explain"]);
    let reads = |tool: &Tool| tool.annotations.as_ref().unwrap().read_only_hint;
    assert_eq!(
        tools.iter().map(reads).collect::<Vec<_>>(),
        [Some(false), Some(true), Some(false), Some(true)]
    );
    for (name, arguments) in [("compare", json!({"baseline": "HEAD"})), ("reproduce", json!({}))] {
        let (text, is_error) = server.call(name, arguments);
        assert!(is_error && text.contains("`xmlperf mcp --allow-run`"), "{text}");
    }
    for (name, arguments) in [
        ("report", json!({"run": "/etc/passwd"})),
        ("report", json!({"run": "../../etc/passwd"})),
        ("report", json!({"run": "--format=html"})),
        ("report", json!({"run": "a\u{1b}[2J"})),
        ("report", json!({"run": "x".repeat(60_000)})),
        ("report", json!({"run": 7})),
        ("report", json!({"out": "/etc"})),
        ("explain", json!({"concept": "../xmlperf.toml"})),
        ("explain", json!({})),
        ("compare", json!({"head_start": "touch owned"})),
    ] {
        let (text, is_error) = server.call(name, arguments);
        assert!(is_error, "{name}: {text}");
    }
    assert!(
        server.runtime.block_on(server.client().call_tool(params("shell", json!({})))).is_err()
    );
    assert!(!repository.path().join(".xmlperf/report").exists());
    server.end();
}

#[test]
fn arguments_reach_the_program_as_words_and_never_as_options() {
    let repository = ServiceRepository::new();
    let server = ToolSession::start(&repository, &["--allow-run"]);
    for arguments in [
        json!({"baseline": "--head-start=touch owned"}),
        json!({"scenarios": ["--base-start=touch owned"]}),
        json!({"config": "/etc/xmlperf.toml"}),
        json!({"budget": "1 s; touch owned"}),
    ] {
        let (text, is_error) = server.call("compare", arguments);
        assert!(is_error && text.starts_with("refused: "), "{text}");
    }
    // What is a word, and names nothing, is what the command line says of it.
    let (text, is_error) = server.call("compare", json!({"baseline": "$(touch owned)"}));
    assert!(is_error && text.starts_with("exit code 2\nerror: "), "{text}");
    assert!(!repository.path().join("owned").exists());
    server.end();
}

#[test]
fn a_cancelled_call_stops_what_it_started_and_keeps_what_was_measured() {
    let repository = ServiceRepository::new();
    // Never decided: base and head are the same, and there is time.
    let config = fs::read_to_string(repository.path().join("xmlperf.toml")).unwrap();
    let config = config
        .replace("[work]\n", "[work]\nlane = \"off\"\n")
        .replace("load = \"50 ms\"", "load = \"2 s\"");
    repository.write("xmlperf.toml", &config);
    repository.serve("--semantics c14n");
    repository.commit("change");
    let server = ToolSession::start(&repository, &["--allow-run"]);
    let handle = server.begin("compare", json!({"baseline": "HEAD~1"}));
    let launched = |it: &ProgressNotificationParam| {
        it.message.as_deref().is_some_and(|text| text.starts_with("launch 1 "))
    };
    wait_until("a launch pair has ended", || {
        server.listener.heard.lock().unwrap().iter().any(launched)
    });
    server.runtime.block_on(handle.cancel(Some("enough".to_owned()))).unwrap();
    wait_until("the record is written", || {
        repository.path().join(".xmlperf/report/run.json").is_file()
    });
    let kept = server.answer("report", json!({}));
    assert!(kept.starts_with("# verdict\n"), "{kept}");
    wait_until("nothing that was started is left", || {
        repository.leftovers().iter().all(|line| line.contains(" mcp "))
    });
    server.end();
}

#[test]
fn a_client_that_goes_away_takes_its_measurement_with_it() {
    let repository = ServiceRepository::new();
    repository.serve("--semantics c14n");
    repository.commit("change");
    let server = ToolSession::start(&repository, &["--allow-run"]);
    let _handle = server.begin("compare", json!({"baseline": "HEAD~1"}));
    let is_heard = || !server.listener.heard.lock().unwrap().is_empty();
    wait_until("the measurement has begun", is_heard);
    server.end();
    assert_eq!(repository.leftovers(), [""; 0]);
}

/// Speaks to the server without a library: what no client of the protocol would send.
#[test]
fn what_is_no_message_is_refused_and_the_next_one_is_answered() {
    let repository = ServiceRepository::new();
    let mut server = repository.server(&[]);
    let mut input = server.stdin.take().unwrap();
    let mut output = BufReader::new(server.stdout.take().unwrap()).lines();
    let mut next = || serde_json::from_str::<Value>(&output.next().unwrap().unwrap()).unwrap();
    writeln!(input, "GET / HTTP/1.1").unwrap();
    assert_eq!(next()["error"]["code"], -32_700);
    writeln!(input, "\"{}\"", "x".repeat(1 << 20)).unwrap();
    assert_eq!(next()["error"]["code"], -32_600);
    let hello = json!({
        "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18", "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        },
    });
    writeln!(input, "{hello}").unwrap();
    let info = next();
    assert_eq!(info["result"]["serverInfo"]["name"], "xmlperf", "{info}");
    drop(input);
    assert_eq!(server.wait().unwrap().code(), Some(0));
}

/// The server's command in a client's configuration, whatever the client calls its servers.
fn configured(config: &Value) -> (String, Vec<String>) {
    let servers = config.get("mcpServers").or_else(|| config.get("servers")).unwrap();
    let server = &servers["xmlperf"];
    let words =
        server["args"].as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned());
    (server["command"].as_str().unwrap().to_owned(), words.collect())
}

#[test]
fn the_configurations_in_the_documents_start_the_server() {
    let page = include_str!("../../docs/how-to/agents.md");
    let blocks: Vec<&str> =
        page.split("```json\n").skip(1).map(|it| it.split("```").next().unwrap()).collect();
    assert_eq!(blocks.len(), 3);
    for block in blocks {
        let (command, words) = configured(&serde_json::from_str(block).unwrap());
        assert_eq!(command, "xmlperf");
        let line = [vec!["xmlperf".to_owned()], words].concat();
        assert!(Cli::try_parse_from(&line).is_ok(), "{line:?}");
    }
}
