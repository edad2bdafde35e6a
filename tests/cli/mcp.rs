//! The server of tools as an editor or agent meets it: by the client of the protocol's own library, over pipes.

#![expect(clippy::unwrap_used, reason = "a server that does not answer must fail the test")]
#![expect(clippy::print_stdout, reason = "the figures of a session are for people")]
#![expect(clippy::disallowed_methods, reason = "how long a session takes is one of them")]

use std::cell::Cell;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

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

use crate::git::git;
use crate::plant_service::{self, COMPILE, SOURCE, TEMPLATE};

const XMLPERF: &str = env!("CARGO_BIN_EXE_xmlperf");

/// Bytes that an answer may have, as it is sent.
const ANSWER_BYTES_MAX: usize = 8 * 1024;

/// The border between verdicts is far from a plant, and from what a busy machine does to times.
const SOURCE_RULES: &str = r#"
[work]
pairs = 400

[sampling]
warm-up = "50 ms"
load = "200 ms"

[gate]
floor = { latency = 0.3, cpu = 0.3 }
tolerance = { latency = 0.5, cpu = 0.5 }
policy = { tail = "report", memory = "report", ready = "report", first-answers = "report" }

[[scenario]]
name = "smoke"
pairs = 20
"#;

/// A repository with a small service, of which each commit may do more work.
struct ServiceRepository {
    folder: TempDir,
}

impl ServiceRepository {
    fn new() -> Self {
        let repository = Self::empty();
        repository.write(
            "xmlperf.toml",
            "[target]\nbuild = \"true\"\nstart = \"sh serve.sh {port}\"\nready = \"/xml-compare-api/health\"\n\
             [work]\nlaunches = 2\npairs = 200\n[sampling]\nlaunches = 1\nwarm-up = \"10 ms\"\nload = \"50 ms\"\n\
             [[scenario]]\nname = \"tiny\"\npairs = 20\n",
        );
        repository.serve("");
        repository.commit("base");
        repository
    }

    /// The small service of `benches/truth`, built by each side: its source is what a repair changes.
    fn of_source() -> Self {
        let repository = Self::empty();
        let config = plant_service::config(COMPILE) + SOURCE_RULES;
        repository.write("xmlperf.toml", &config);
        repository.write("server.c", SOURCE);
        repository.write("request.j2", TEMPLATE);
        repository.write(".gitignore", "/api\n/.xmlperf\n");
        repository.commit("base");
        repository
    }

    fn empty() -> Self {
        let repository = Self { folder: tempfile::tempdir().unwrap() };
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
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
        self.write("serve.sh", &serve_script(options));
    }

    fn git(&self, words: &[&str]) {
        git(self.path(), words);
    }

    fn commit(&self, message: &str) {
        self.git(&["add", "--all", "--", ".", ":!.xmlperf"]);
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

/// The script of a service that does what these options say.
fn serve_script(options: &str) -> String {
    format!("exec {XMLPERF} serve --workers 1 --port \"$1\" {options}\n")
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
    /// Bytes of the largest answer so far.
    bytes_max: Cell<usize>,
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
        Self { runtime, client: Some(client), listener, server, bytes_max: Cell::new(0) }
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
        self.bytes_max.set(self.bytes_max.get().max(sent.len()));
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

/// A change that is planted, how it is found, and how it is repaired.
struct Regression<'a> {
    /// The file that it is in, relative to the repository.
    file: &'a str,
    /// The file with the regression, which is committed.
    planted: &'a str,
    /// The file without, of which the checkout alone has a change.
    repaired: &'a str,
    lane: &'a str,
    /// What the report says that the verdict is, and what it says of the cause.
    causes: &'a [&'a str],
    /// The outcomes that show a repair.
    outcomes: &'a [&'a str],
}

/// Goes from a verdict to its cause, to a reproduction, to a verdict on the repaired tree. Prints how long that took,
/// and how large the largest answer was.
fn session(repository: &ServiceRepository, regression: &Regression<'_>) {
    let began = Instant::now();
    let server = ToolSession::start(repository, &["--allow-run"]);
    repository.write(regression.file, regression.planted);
    repository.commit("change");
    let call = json!({"baseline": "HEAD~1", "lanes": [regression.lane], "budget": "90s"});
    let verdict = server.answer("compare", call.clone());
    assert!(verdict.starts_with("# verdict\nregressed: "), "{verdict}");
    let why = server.answer("report", json!({}));
    assert_eq!(why.lines().nth(1), verdict.lines().nth(1));
    for cause in regression.causes {
        assert!(why.contains(cause), "`{cause}` is missing in {why}");
    }
    let meaning = server.answer("explain", json!({"concept": "verdicts"}));
    assert!(meaning.contains("regressed"), "{meaning}");
    let again = server.answer("reproduce", json!({}));
    assert!(again.contains("\n# verdict\nregressed: "), "{again}");
    repository.write(regression.file, regression.repaired);
    let verdict = server.answer("compare", call);
    let outcome = verdict.strip_prefix("# verdict\n").and_then(|rest| rest.split(':').next());
    assert!(outcome.is_some_and(|outcome| regression.outcomes.contains(&outcome)), "{verdict}");
    assert_progress(&server.listener.heard.lock().unwrap());
    let (cause, bytes) = (regression.causes[0], server.bytes_max.get());
    server.end();
    assert_eq!(repository.leftovers(), [""; 0]);
    println!("`{cause}`: {:.1} s, largest answer {bytes} bytes", began.elapsed().as_secs_f64());
}

/// Of each call, progress grows and says which step is done.
fn assert_progress(heard: &[ProgressNotificationParam]) {
    assert!(heard.windows(2).all(|pair| pair[0].progress < pair[1].progress
        || pair[0].progress_token != pair[1].progress_token));
    let said = |it: &ProgressNotificationParam| it.message.clone().unwrap_or_default();
    let is_step = |text: String| text.starts_with("counting ") || text.starts_with("launch ");
    assert!(heard.iter().map(said).any(is_step), "{heard:?}");
}

/// A session about the service of `benches/truth`, in whose source one place is made worse. The repaired program is another
/// one than base's, which has to be measured to be found as fast.
fn source_session(lane: &str, causes: &[&str], (sound, faulty): (&str, &str)) {
    let repository = ServiceRepository::of_source();
    assert_eq!(SOURCE.matches(sound).count(), 1, "{sound}");
    let planted = SOURCE.replace(sound, faulty);
    let repaired = SOURCE.replace("listen(listener, 512)", "listen(listener, 511)");
    assert_ne!(repaired, SOURCE);
    let (planted, repaired) = (planted.as_str(), repaired.as_str());
    let regression =
        Regression { file: "server.c", planted, repaired, lane, causes, outcomes: &["pass"] };
    session(&repository, &regression);
}

#[test]
fn a_session_goes_from_a_verdict_to_a_line_of_the_source_and_to_its_repair() {
    let loop_of = |rounds: &str| {
        format!("i < {rounds}; i++) x = pass(body, bytes, x);\n#ifdef PLANT_QUADRATIC")
    };
    let causes = ["smoke: server.c:", " of the work goes when this is reverted"];
    source_session("work", &causes, (&loop_of("rounds"), &loop_of("rounds + 6")));
}

#[test]
#[ignore = "slow: run by .ci/run full"]
fn a_session_finds_a_wait_and_judges_its_repair() {
    let causes = ["blocked: it waits, and does not compute", "`smoke` latency"];
    source_session("time", &causes, ("    pause_us(first);\n", "    pause_us(first + 1500);\n"));
}

#[test]
#[ignore = "slow: run by .ci/run full"]
fn a_session_finds_bytes_and_judges_its_repair() {
    let loop_of = |checks: &str| format!("for (int i = 0; i < {checks}; i++) at += snprintf");
    source_session("time", &["smoke bytes an answer: "], (&loop_of("100"), &loop_of("160")));
}

/// Of the reference API, which an option makes worse.
#[test]
#[ignore = "slow: run by .ci/run full"]
fn a_session_finds_memory_and_judges_its_repair() {
    let repository = ServiceRepository::new();
    let (planted, repaired) = (serve_script("--leak 4MiB"), serve_script(""));
    let regression = Regression {
        file: "serve.sh",
        planted: &planted,
        repaired: &repaired,
        lane: "time",
        causes: &["peak memory"],
        // A machine that others use too may leave times undecided.
        outcomes: &["pass", "inconclusive", "improved"],
    };
    session(&repository, &regression);
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
