//! Targets that misbehave in every way we could think of: each is distinguished, and none leaves a
//! process behind.

#![expect(clippy::unwrap_used, reason = "a test that cannot set up must fail")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use sut::placement::{MappingState, PlacementMethod, mapping_states};
use sut::{
    ContainerSpec, CpuPlacement, CpuSet, LimitBackend, LogPattern, ProcessEnd, ReadinessProbe,
    ReadyCondition, ReadySign, ResourceLimits, StopOutcome, Target, TargetCommand, TargetError,
};
use tempfile::TempDir;
use units::cancel::Cancel;
use units::text;

/// A server in Python that answers `/health`; what else it does is given as statements, run after
/// it is bound and before it serves.
const SERVER: &str = r#"
import http.server, os, signal, subprocess, sys, threading, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health" else 500)
        self.end_headers()
        if self.path == "/die": os.kill(os.getpid(), signal.SIGKILL)
        if self.path == "/grow":
            try: self.hog = b"x" * (1 << 30)
            except MemoryError: print("MemoryError", flush=True); os._exit(1)
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
"#;

struct TargetFixture {
    dir: TempDir,
}

impl TargetFixture {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn command(&self, start: &str) -> TargetCommand {
        TargetCommand {
            start: start.to_owned(),
            dir: self.path().to_owned(),
            environment: <_>::default(),
            env: vec![("STAGE".to_owned(), self.token().into())],
            port_env: None,
            ready: "/health".into(),
            ask: <_>::default(),
            ready_timeout: Duration::from_secs(30),
            stop_timeout: Duration::from_secs(10),
            limits: <_>::default(),
            container: None,
            copies: None,
            services: <_>::default(),
            hooks: <_>::default(),
            relinked: None,
        }
    }

    /// A server that runs `statements` first.
    fn server(&self, statements: &str) -> TargetCommand {
        let script = format!("{SERVER}{statements}\nserver.serve_forever()\n");
        fs::write(self.path().join("server.py"), script).unwrap();
        self.command("python3 server.py {port}")
    }

    /// The same in a container of the engine that has none.
    fn contained(&self, statements: &str) -> TargetCommand {
        let command = self.server(statements);
        let script = self.path().join("server.py");
        let engine = format!(
            "#!/bin/sh\nFAKE_DOCKER='{}' exec python3 '{}/tests/fixtures/docker' \"$@\"\n",
            self.path().display(),
            env!("CARGO_MANIFEST_DIR"),
        );
        let path = self.path().join("docker");
        fs::write(&path, engine).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let engine = Some(path.to_str().unwrap().to_owned());
        let start = format!("python3 {} {{port}}", script.display());
        TargetCommand { start, container: Some(ContainerSpec { port: 3000, engine }), ..command }
    }

    /// What the engine was called with, by the names of its files that end so.
    fn containers(&self, end: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path()).unwrap().map(|entry| entry.unwrap().path());
        let named = |path: &PathBuf| {
            let name = path.file_name().unwrap().to_str().unwrap();
            name.starts_with("xmlperf-") && name.ends_with(end)
        };
        entries.filter(named).map(|path| fs::read_to_string(path).unwrap()).collect()
    }

    /// A server in C, each launch of which executes a copy; none where nothing compiles C.
    fn compiled(&self, name: &str) -> Option<TargetCommand> {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/truth/server.c");
        let folder = self.path().join(name);
        fs::create_dir(&folder).unwrap();
        let program = folder.join("api");
        let compiler = ["-O1", "-pthread", "-o", program.to_str().unwrap(), source];
        let compiled = Command::new("cc").args(compiler).status();
        compiled.is_ok_and(|status| status.success()).then(|| TargetCommand {
            dir: folder,
            port_env: Some("APP_PORT".to_owned()),
            copies: Some(self.path().to_owned()),
            ..self.command("./api")
        })
    }

    fn start(&self, command: &TargetCommand) -> Result<Target, TargetError> {
        let log = self.path().join("target.log");
        Target::start(command, &CpuPlacement::default(), &log, &Cancel::default())
    }

    fn token(&self) -> String {
        self.path().file_name().unwrap().to_str().unwrap().to_owned()
    }

    /// Fails if a process is left that was started with this stage's variable.
    #[track_caller]
    fn assert_empty(&self) {
        let variable = format!("STAGE={}", self.token());
        let left = fs::read_dir("/proc").unwrap().filter_map(|entry| {
            let path = entry.unwrap().path();
            let environ = fs::read(path.join("environ")).ok()?;
            let ours = environ.split(|&byte| byte == 0).any(|field| field == variable.as_bytes());
            ours.then(|| fs::read_to_string(path.join("cmdline")).unwrap_or_default())
        });
        assert_eq!(left.collect::<Vec<_>>(), Vec::<String>::new());
    }
}

/// What a person reads of an error, without the name of the temporary folder.
fn message(error: &TargetError, stage: &TargetFixture) -> String {
    let tail = error.log_tail().map(|tail| format!("\n\n{tail}")).unwrap_or_default();
    let text = text::with_hints(text::error_chain(error) + &tail, text::hints(error));
    text.replace(stage.path().to_str().unwrap(), "DIR")
}

#[test]
fn a_command_that_does_not_exist_is_named() {
    let stage = TargetFixture::new();
    let error = stage.start(&stage.command("./no-such-server --port {port}")).unwrap_err();
    assert!(matches!(error, TargetError::NotFound { .. }), "{error:?}");
    insta::assert_snapshot!(message(&error, &stage), @"
    `./no-such-server` was not found from `DIR`

    hint: build the target first, or correct `start`; a path is relative to that folder
    ");
    let error = stage.start(&stage.command("./server --verbose")).unwrap_err();
    insta::assert_snapshot!(message(&error, &stage), @"
    `./server --verbose` does not get its port

    hint: write `{port}` in `start`, or name the variable that the target reads in `port-env`
    ");
    let error = stage.start(&stage.command("./server '{port}")).unwrap_err();
    insta::assert_snapshot!(message(&error, &stage), @"
    `./server '{port}` is not a command

    hint: words are split as in a shell, so quotes must be closed
    ");
}

#[test]
fn an_early_exit_is_reported_with_its_status_and_last_words() {
    let stage = TargetFixture::new();
    let script = "sh -c 'echo starting on {port} >/dev/null; echo no licence >&2; exit 7'";
    let error = stage.start(&stage.command(script)).unwrap_err();
    let TargetError::ExitedAtOnce { ending, tail, .. } = error else { panic!("{error:?}") };
    let error = TargetError::ExitedAtOnce {
        ending,
        after: Duration::from_millis(3),
        tail,
        withheld: <_>::default(),
    };
    insta::assert_snapshot!(message(&error, &stage), @"
    the target exited with status 7 after 3.00 ms, before it was ready

    the end of `DIR/target.log`:
      | no licence
    ");
    stage.assert_empty();
}

#[test]
fn a_target_that_listens_elsewhere_is_found_there() {
    let stage = TargetFixture::new();
    let mut command = stage.server("");
    command.start = "python3 server.py 0 {port}".to_owned();
    command.ready_timeout = Duration::from_secs(2);
    let error = stage.start(&command).unwrap_err();
    let TargetError::NotReady { last, elsewhere, .. } = &error else { panic!("{error:?}") };
    assert!(last.starts_with("nothing listens on 127.0.0.1:"), "{last}");
    assert_eq!(elsewhere.as_ref().unwrap().ports.len(), 1);
    stage.assert_empty();
}

#[test]
fn a_target_that_is_never_ready_is_reported_by_its_answer() {
    let stage = TargetFixture::new();
    let mut command = stage.server("");
    command.ready = "/not-yet".into();
    command.ready_timeout = Duration::from_millis(1500);
    let error = stage.start(&command).unwrap_err();
    insta::assert_snapshot!(message(&error, &stage), @"
    the target was not ready after 1.50 s: `GET /not-yet` answered 500

    it wrote nothing to `DIR/target.log`
    ");
    stage.assert_empty();
}

/// Statements that answer 401 on a further port.
const MANAGEMENT: &str = r#"
class Management(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(401)
        self.end_headers()
    def log_message(self, *_): pass
management = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Management)
threading.Thread(target=management.serve_forever, daemon=True).start()
open(sys.argv[3] + "/written", "w").close()
"#;

#[test]
fn a_further_port_a_status_and_a_folder_are_as_they_were_requested() {
    let stage = TargetFixture::new();
    let mut command = stage.server(MANAGEMENT);
    command.start = "python3 server.py {port} {port:management} {dir}".to_owned();
    command.ready = ReadyCondition {
        sign: ReadySign::Answer { path: "/".to_owned(), statuses: vec![200, 401] },
        port: Some("management".to_owned()),
        probe_timeout: Some(Duration::from_secs(2)),
    };
    let folder = stage.path().join("target.dir");
    let target = stage.start(&command).unwrap();
    assert!(folder.join("written").is_file());
    target.stop().unwrap();
    assert!(!folder.exists());
    command.ready = "/".into();
    command.ready.port = Some("management".to_owned());
    command.ready_timeout = Duration::from_secs(4);
    let error = stage.start(&command).unwrap_err();
    let TargetError::NotReady { last, elsewhere, .. } = &error else { panic!("{error:?}") };
    assert_eq!((last.as_str(), elsewhere), ("`GET /` answered 401", &None));
    stage.assert_empty();
}

#[test]
fn a_line_of_the_log_makes_a_target_ready_if_it_listens() {
    let stage = TargetFixture::new();
    let mut command = stage.server("print('Started in 0.1 s', flush=True)");
    let line = |text: &str| ReadyCondition {
        sign: ReadySign::LogLine(LogPattern::Text(text.to_owned())),
        port: None,
        probe_timeout: None,
    };
    command.ready = line("Started in");
    stage.start(&command).unwrap().stop().unwrap();
    command.ready = ReadyCondition { sign: ReadySign::Listener, ..line("") };
    stage.start(&command).unwrap().stop().unwrap();
    command.ready_timeout = Duration::from_secs(4);
    command.ready = line("Ready");
    let error = stage.start(&command).unwrap_err().to_string();
    assert!(error.ends_with("its log has no line with `Ready` yet"), "{error}");
    stage.assert_empty();
}

#[test]
fn a_port_that_stays_taken_is_distinguished_from_other_exits() {
    let stage = TargetFixture::new();
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut command = stage.server("");
    command.start = format!("python3 server.py {} {{port}}", held.local_addr().unwrap().port());
    let error = stage.start(&command).unwrap_err();
    assert!(matches!(error, TargetError::PortTaken { .. }), "{error:?}");
    stage.assert_empty();
}

#[test]
fn a_death_in_the_middle_is_seen_and_the_children_are_ended() {
    let stage = TargetFixture::new();
    let target = stage.start(&stage.server("subprocess.Popen(['sleep', '600'])")).unwrap();
    target.alive().unwrap();
    assert_eq!(target.usage().unwrap().processes, 2);
    let mut stream = std::net::TcpStream::connect(target.address().unwrap()).unwrap();
    stream.write_all(b"GET /die HTTP/1.0\r\n\r\n").unwrap();
    BufReader::new(stream).lines().for_each(drop);
    // The connection is closed before the process has ended, so the status follows a little later.
    let error = loop {
        if let Err(error) = target.alive() {
            break error;
        }
    };
    assert!(matches!(error, TargetError::Died { ending: ProcessEnd::Signal(9), .. }), "{error:?}");
    assert!(matches!(target.stop(), Err(TargetError::Died { .. })));
    stage.assert_empty();
}

/// Asks for a path, and waits until the target has ended for it.
fn end_by(target: &Target, path: &str) -> TargetError {
    let mut stream = std::net::TcpStream::connect(target.address().unwrap()).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
    // A connection that breaks has ended too.
    BufReader::new(stream).lines().map_while(Result::ok).for_each(drop);
    loop {
        if let Err(error) = target.alive() {
            return error;
        }
    }
}

/// The folders of the control group that a process is in, if it is one of ours.
fn groups(pid: u32) -> Vec<PathBuf> {
    let places = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let ours = places.lines().filter(|line| line.contains("/xmlperf-"));
    let folder = |line: &str| {
        let (_, rest) = line.split_once(':').unwrap();
        let (controllers, path) = rest.split_once(':').unwrap();
        PathBuf::from(format!("/sys/fs/cgroup/{controllers}{path}"))
    };
    ours.map(folder).collect()
}

/// By a control group where one can be had, else by a limit on each process: it is reported either way.
#[test]
fn a_target_that_takes_more_memory_than_it_may_is_distinguished() {
    let stage = TargetFixture::new();
    let limits = ResourceLimits { memory_bytes_max: Some(256 << 20), cpus_max: None };
    let command = TargetCommand { limits, ..stage.server("") };
    let target = stage.start(&command).unwrap();
    let groups = groups(target.pid().unwrap());
    let confinement = target.confinement();
    match confinement.memory.as_ref().unwrap() {
        LimitBackend::ControlGroup(_) => assert!(groups.len() == 1 && confinement.note.is_none()),
        LimitBackend::DataLimit => assert!(groups.is_empty() && confinement.note.is_some()),
        LimitBackend::Engine(engine) => panic!("{engine}"),
    }
    let error = end_by(&target, "/grow");
    let TargetError::OutOfMemory { limit, .. } = &error else { panic!("{error:?}") };
    assert_eq!(limit, "256 MiB");
    assert!(error.to_string().contains("it is out of memory, of which it may take 256 MiB"));
    drop(target);
    assert!(groups.iter().all(|folder| !folder.exists()), "{groups:?}");
    stage.assert_empty();
}

#[test]
fn a_share_of_the_processors_is_kept_or_refused_with_the_reason() {
    let stage = TargetFixture::new();
    let busy = "subprocess.Popen([sys.executable, '-c', 'while True: pass'])";
    let limits = ResourceLimits { memory_bytes_max: Some(512 << 20), cpus_max: Some(0.3) };
    let command = TargetCommand { limits, ..stage.server(busy) };
    let target = match stage.start(&command) {
        Ok(target) => target,
        Err(TargetError::NoQuota { obstacle, .. }) => {
            return assert!(obstacle.contains("control group") || obstacle.contains("read-only"));
        }
        Err(error) => panic!("{error:?}"),
    };
    assert!(matches!(target.confinement().cpu, Some(LimitBackend::ControlGroup(_))));
    while target.throttled().is_zero() {
        std::thread::yield_now();
    }
    let groups = groups(target.pid().unwrap());
    target.stop().unwrap();
    assert!(groups.iter().all(|folder| !folder.exists()), "{groups:?}");
    stage.assert_empty();
    let missing = TargetCommand { start: "./no-such-server {port}".to_owned(), ..command };
    let error = stage.start(&missing).unwrap_err();
    assert!(
        matches!(&error, TargetError::NotFound { program, .. } if program == "./no-such-server")
    );
}

#[test]
fn an_image_runs_in_a_container_that_is_removed_in_the_end() {
    let stage = TargetFixture::new();
    let limits = ResourceLimits { memory_bytes_max: Some(64 << 20), cpus_max: Some(1.5) };
    let env = [("STAGE", stage.token()), ("AT", "{port}".to_owned())];
    let env = env.map(|(name, text)| (name.to_owned(), text.into())).to_vec();
    let port_env = Some("APP_PORT".to_owned());
    let command = TargetCommand { limits, env, port_env, ..stage.contained("") };
    let log = stage.path().join("target.log");
    let cpus = CpuSet::available().unwrap().split().map(|split| split.target);
    let placement = CpuPlacement { cpus: cpus.clone() };
    let target = Target::start(&command, &placement, &log, &Cancel::default()).unwrap();
    let engine = command.container.unwrap().engine.unwrap();
    assert_eq!(target.confinement().memory, Some(LimitBackend::Engine(engine)));
    assert_eq!(target.usage().unwrap().processes, 1);
    let call = stage.containers("").concat();
    let call: serde_json::Value = serde_json::from_str(&call).unwrap();
    let options = &call["options"];
    let port = target.address().unwrap().port();
    assert_eq!(options["publish"], format!("127.0.0.1:{port}:3000"));
    assert_eq!(
        (&options["memory"], &options["memory-swap"]),
        (&"67108864b".into(), &"67108864b".into())
    );
    assert_eq!(options["cpus"], "1.5");
    assert_eq!(options["cpuset-cpus"].as_str().is_some(), cpus.is_some());
    // Inside, the port is another one; the engine without containers puts the one outside in its place.
    assert_eq!(
        (&call["env"]["AT"], &call["env"]["APP_PORT"]),
        (&port.to_string().into(), &port.to_string().into())
    );
    assert_eq!(target.stop().unwrap(), StopOutcome::Gracefully);
    assert_eq!(stage.containers(".removed").len(), 1);

    let target = stage.start(&stage.contained("")).unwrap();
    let error = end_by(&target, "/die");
    assert!(matches!(error, TargetError::Died { ending: ProcessEnd::Signal(9), .. }), "{error:?}");
    drop(target);
    drop(stage.start(&stage.contained("")).unwrap());
    assert_eq!(stage.containers(".removed").len(), 3);
}

#[test]
fn what_goes_wrong_with_a_container_is_reported_in_its_words() {
    let stage = TargetFixture::new();
    let limits = ResourceLimits { memory_bytes_max: Some(64 << 20), cpus_max: None };
    let hog = TargetCommand { start: "hog".to_owned(), limits, ..stage.contained("") };
    let error = stage.start(&hog).unwrap_err();
    assert!(
        matches!(&error, TargetError::OutOfMemory { limit, .. } if limit == "64.0 MiB"),
        "{error:?}"
    );
    let missing = TargetCommand { start: "missing".to_owned(), ..stage.contained("") };
    let error = stage.start(&missing).unwrap_err();
    let shown = message(&error, &stage);
    assert!(shown.contains("Unable to find image 'missing:latest'"), "{shown}");
    let engine = Some("no-such-engine".to_owned());
    let none = TargetCommand {
        container: Some(ContainerSpec { port: 80, engine }),
        ..stage.contained("")
    };
    insta::assert_snapshot!(message(&stage.start(&none).unwrap_err(), &stage), @"
    no container engine can run the image: `no-such-engine` was not found

    hint: install and start docker or podman, or name one by `engine`
    ");
    stage.assert_empty();
}

#[test]
fn a_graceful_target_is_not_forced() {
    let stage = TargetFixture::new();
    let target = stage
        .start(&stage.server("signal.signal(signal.SIGTERM, lambda *_: os._exit(0))"))
        .unwrap();
    assert_eq!(target.stop().unwrap(), StopOutcome::Gracefully);
    stage.assert_empty();
}

#[test]
fn a_target_that_ignores_sigterm_is_forced() {
    let stage = TargetFixture::new();
    let mut command = stage.server("signal.signal(signal.SIGTERM, signal.SIG_IGN)");
    command.stop_timeout = Duration::from_millis(100);
    let target = stage.start(&command).unwrap();
    assert_eq!(target.stop().unwrap(), StopOutcome::ByForce);
    stage.assert_empty();
}

/// A child in its own session, and a daemon that has also lost its parent.
const RUNAWAYS: &str = "
subprocess.Popen(['sleep', '600'], start_new_session=True)
subprocess.run(['sh', '-c', 'setsid sleep 600 & exit'])
";

#[test]
fn children_that_leave_the_group_are_ended_too() {
    let stage = TargetFixture::new();
    let target = stage.start(&stage.server(RUNAWAYS)).unwrap();
    assert_eq!(target.stop().unwrap(), StopOutcome::ByForce);
    stage.assert_empty();
    drop(stage.start(&stage.server(RUNAWAYS)).unwrap());
    stage.assert_empty();
}

#[test]
fn a_wish_to_stop_ends_a_start() {
    let stage = TargetFixture::new();
    let cancel = Cancel::default();
    cancel.raise();
    let mut command = stage.server(RUNAWAYS);
    command.ready = "/not-yet".into();
    let log = stage.path().join("target.log");
    let error = Target::start(&command, &CpuPlacement::default(), &log, &cancel).unwrap_err();
    assert!(matches!(error, TargetError::Cancelled), "{error:?}");
    stage.assert_empty();
}

#[test]
fn use_is_counted_over_the_whole_tree() {
    let stage = TargetFixture::new();
    let busy = "subprocess.Popen([sys.executable, '-c', 'while True: pass'])";
    let limits = ResourceLimits { memory_bytes_max: Some(1 << 30), cpus_max: None };
    let command = TargetCommand { limits, ..stage.server(busy) };
    let cpus = CpuSet::available().unwrap().split().map(|split| split.target);
    let log = stage.path().join("target.log");
    let target = Target::start(&command, &CpuPlacement { cpus }, &log, &Cancel::default()).unwrap();
    let before = target.usage().unwrap();
    assert!(before.rss_bytes > 1 << 20 && before.rss_peak_bytes >= before.rss_bytes / 2);
    let grown = std::iter::repeat_with(|| target.usage().unwrap())
        .find(|usage| usage.cpu > before.cpu + Duration::from_millis(20))
        .unwrap();
    assert_eq!((grown.processes, grown.threads), (2, 2));
    target.reset_peak().unwrap();

    let url = format!("http://{}", target.place());
    let attached = Target::attach(
        &url,
        &"/health".into(),
        Duration::from_secs(10),
        &ReadinessProbe::default(),
        &Cancel::default(),
    )
    .unwrap();
    assert_eq!(attached.pid(), target.pid());
    assert!(attached.usage().unwrap().cpu > before.cpu);
    assert_eq!(attached.stop().unwrap(), StopOutcome::Gracefully);
    target.alive().unwrap();
    drop(target);
    stage.assert_empty();
}

/// Not a test of its own, but the program that `sigkill_of_the_starter_leaves_nothing` kills.
#[test]
fn starter() {
    if std::env::var_os("STAGE").is_none() {
        return;
    }
    let stage = TargetFixture::new();
    let command = TargetCommand { env: Vec::new(), ..stage.server(RUNAWAYS) };
    let _target = stage.start(&command).unwrap();
    let _contained =
        stage.start(&TargetCommand { env: Vec::new(), ..stage.contained("") }).unwrap();
    let compiled = stage.compiled("compiled");
    let _copied =
        compiled.map(|command| stage.start(&TargetCommand { env: Vec::new(), ..command }).unwrap());
    #[expect(clippy::print_stdout, reason = "tells the parent that everything runs")]
    {
        println!("both targets answer");
    }
    std::thread::park();
}

#[test]
fn sigkill_of_the_starter_leaves_nothing() {
    let stage = TargetFixture::new();
    let mut starter = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "target::starter"])
        .env("STAGE", stage.token())
        .env("TMPDIR", stage.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(starter.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("both targets answer")));
    starter.kill().unwrap();
    starter.wait().unwrap();
    // The guard works on its own time; it ends with its work, and the test would hang if it did not.
    let marker = format!("XMLPERF_LAUNCH={:010}-", starter.id());
    let guards = || {
        fs::read_dir("/proc").unwrap().any(|entry| {
            let cmdline = fs::read(entry.unwrap().path().join("cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&cmdline).contains(&marker)
        })
    };
    while guards() {
        std::thread::yield_now();
    }
    let inside =
        fs::read_dir(stage.path()).unwrap().find(|entry| entry.as_ref().unwrap().path().is_dir());
    let folder = inside.unwrap().unwrap().path();
    let compiled = fs::read_dir(folder.join("compiled")).unwrap();
    let copies = compiled.filter(|entry| entry.as_ref().unwrap().file_name() != "api").count();
    assert_eq!(copies, 0, "the guard removes the copy");
    let inside = fs::read_dir(folder).unwrap();
    let names = inside.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let names: Vec<_> = names.filter(|name| name.starts_with("xmlperf-")).collect();
    assert!(names.len() == 1 && names[0].ends_with(".removed"), "{names:?}");
    stage.assert_empty();
}

#[test]
fn each_launch_executes_a_copy_of_its_own_under_the_programs_name() {
    let stage = TargetFixture::new();
    let (Some(base), Some(head)) = (stage.compiled("base"), stage.compiled("head")) else {
        // Nothing here compiles C.
        return;
    };
    let sides = [stage.start(&base).unwrap(), stage.start(&head).unwrap()];
    for side in &sides {
        assert_eq!(side.placement(), Some(PlacementMethod::CopyBeside));
        let words = fs::read(format!("/proc/{}/cmdline", side.pid().unwrap())).unwrap();
        assert_eq!(words.split(|byte| *byte == 0).next(), Some(b"./api".as_slice()));
    }
    let [of_base, of_head] = sides.each_ref().map(|side| side.executable_mappings().unwrap());
    let states = mapping_states(&of_base, &of_head);
    assert_eq!(states["api"], MappingState::Redrawn, "{states:?}");
    assert!(states.values().any(|state| *state == MappingState::Shared), "{states:?}");
    for side in sides {
        side.stop().unwrap();
    }
    for command in [base, head] {
        let names = fs::read_dir(&command.dir).unwrap().map(|entry| entry.unwrap().file_name());
        assert_eq!(names.collect::<Vec<_>>(), ["api"]);
    }
    stage.assert_empty();
}

#[test]
fn a_program_is_executed_in_place_where_no_copy_is_wanted() {
    let stage = TargetFixture::new();
    let Some(command) = stage.compiled("base") else { return };
    let target = stage.start(&TargetCommand { copies: None, ..command }).unwrap();
    assert_eq!(target.placement(), Some(PlacementMethod::Original));
    let own = target.executable_mappings().unwrap();
    assert!(own.iter().any(|file| file.path.ends_with("base/api")), "{own:?}");
    target.stop().unwrap();
    stage.assert_empty();
}
