//! Targets that misbehave in every way we could think of: each is told apart, and none leaves a
//! process behind.

#![expect(clippy::unwrap_used, reason = "a test that cannot set up must fail")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command as Process, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use xmlperf::cancel::Cancel;
use xmlperf::target::{Command, CpuSet, Ending, Placement, Stopped, Target, TargetError};

/// A server in Python that answers `/health`; what else it does is given as statements, run after
/// it is bound and before it serves.
const SERVER: &str = r#"
import http.server, os, signal, subprocess, sys, threading, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health" else 500)
        self.end_headers()
        if self.path == "/die": os.kill(os.getpid(), signal.SIGKILL)
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
"#;

struct Stage {
    dir: TempDir,
}

impl Stage {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn command(&self, start: &str) -> Command {
        Command {
            start: start.to_owned(),
            dir: self.path().to_owned(),
            env: vec![("STAGE".to_owned(), self.token())],
            port_env: None,
            ready: "/health".to_owned(),
            ready_timeout: Duration::from_secs(30),
            stop_timeout: Duration::from_secs(10),
            memory_bytes_max: None,
        }
    }

    /// A server that runs `statements` first.
    fn server(&self, statements: &str) -> Command {
        let script = format!("{SERVER}{statements}\nserver.serve_forever()\n");
        fs::write(self.path().join("server.py"), script).unwrap();
        self.command("python3 server.py {port}")
    }

    fn start(&self, command: &Command) -> Result<Target, TargetError> {
        let log = self.path().join("target.log");
        Target::start(command, &Placement::default(), &log, &Cancel::default())
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

/// The message without the name of the temporary folder.
fn message(error: &TargetError, stage: &Stage) -> String {
    error.to_string().replace(stage.path().to_str().unwrap(), "DIR")
}

#[test]
fn a_command_that_does_not_exist_is_named() {
    let stage = Stage::new();
    let error = stage.start(&stage.command("./no-such-server --port {port}")).unwrap_err();
    assert!(matches!(error, TargetError::NotFound { .. }), "{error:?}");
    insta::assert_snapshot!(message(&error, &stage), @"
    `./no-such-server` was not found from `DIR`

    hint: build the target first, or correct `start`; a path is relative to that folder
    ");
    let error = stage.start(&stage.command("./server --verbose")).unwrap_err();
    insta::assert_snapshot!(message(&error, &stage), @"
    `./server --verbose` is not told its port

    hint: write `{port}` in `start`, or name the variable that the target reads in `port-env`
    ");
    let error = stage.start(&stage.command("./server '{port}")).unwrap_err();
    insta::assert_snapshot!(message(&error, &stage), @"
    `./server '{port}` is not a command

    hint: words are split as in a shell, so quotes must be closed
    ");
}

#[test]
fn an_early_exit_is_told_with_its_status_and_last_words() {
    let stage = Stage::new();
    let script = "sh -c 'echo starting on {port} >/dev/null; echo no licence >&2; exit 7'";
    let error = stage.start(&stage.command(script)).unwrap_err();
    let TargetError::ExitedAtOnce { ending, tail, .. } = error else { panic!("{error:?}") };
    let error = TargetError::ExitedAtOnce { ending, after: Duration::from_millis(3), tail };
    insta::assert_snapshot!(message(&error, &stage), @"
    the target exited with status 7 after 3.00 ms, before it was ready

    the end of `DIR/target.log`:
      | no licence
    ");
    stage.assert_empty();
}

#[test]
fn a_target_that_listens_elsewhere_is_found_there() {
    let stage = Stage::new();
    let mut command = stage.server("");
    command.start = "python3 server.py 0 {port}".to_owned();
    command.ready_timeout = Duration::from_secs(2);
    let error = stage.start(&command).unwrap_err();
    let TargetError::NotReady { last, elsewhere, .. } = &error else { panic!("{error:?}") };
    assert!(last.starts_with("nothing listens on 127.0.0.1:"), "{last}");
    assert_eq!(elsewhere.len(), 1);
    stage.assert_empty();
}

#[test]
fn a_target_that_is_never_ready_is_told_by_its_answer() {
    let stage = Stage::new();
    let mut command = stage.server("");
    command.ready = "/not-yet".to_owned();
    command.ready_timeout = Duration::from_millis(1500);
    let error = stage.start(&command).unwrap_err();
    insta::assert_snapshot!(message(&error, &stage), @"
    the target was not ready after 1.50 s: `GET /not-yet` answered 500

    it wrote nothing to `DIR/target.log`
    ");
    stage.assert_empty();
}

#[test]
fn a_port_that_stays_taken_is_told_apart_from_other_exits() {
    let stage = Stage::new();
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut command = stage.server("");
    command.start = format!("python3 server.py {} {{port}}", held.local_addr().unwrap().port());
    let error = stage.start(&command).unwrap_err();
    assert!(matches!(error, TargetError::PortTaken { .. }), "{error:?}");
    stage.assert_empty();
}

#[test]
fn a_death_in_the_middle_is_seen_and_the_children_are_ended() {
    let stage = Stage::new();
    let target = stage.start(&stage.server("subprocess.Popen(['sleep', '600'])")).unwrap();
    target.alive().unwrap();
    assert_eq!(target.usage().unwrap().processes, 2);
    let mut stream = std::net::TcpStream::connect(target.address()).unwrap();
    stream.write_all(b"GET /die HTTP/1.0\r\n\r\n").unwrap();
    BufReader::new(stream).lines().for_each(drop);
    // The connection is closed before the process has ended, so the status follows a little later.
    let error = loop {
        if let Err(error) = target.alive() {
            break error;
        }
    };
    assert!(matches!(error, TargetError::Died { ending: Ending::Signal(9), .. }), "{error:?}");
    assert!(matches!(target.stop(), Err(TargetError::Died { .. })));
    stage.assert_empty();
}

#[test]
fn a_graceful_target_is_not_forced() {
    let stage = Stage::new();
    let target = stage
        .start(&stage.server("signal.signal(signal.SIGTERM, lambda *_: os._exit(0))"))
        .unwrap();
    assert_eq!(target.stop().unwrap(), Stopped::Gracefully);
    stage.assert_empty();
}

#[test]
fn a_target_that_ignores_sigterm_is_forced() {
    let stage = Stage::new();
    let mut command = stage.server("signal.signal(signal.SIGTERM, signal.SIG_IGN)");
    command.stop_timeout = Duration::from_millis(100);
    let target = stage.start(&command).unwrap();
    assert_eq!(target.stop().unwrap(), Stopped::ByForce);
    stage.assert_empty();
}

/// A child in its own session, and a daemon that has also lost its parent.
const RUNAWAYS: &str = "
subprocess.Popen(['sleep', '600'], start_new_session=True)
subprocess.run(['sh', '-c', 'setsid sleep 600 & exit'])
";

#[test]
fn children_that_leave_the_group_are_ended_too() {
    let stage = Stage::new();
    let target = stage.start(&stage.server(RUNAWAYS)).unwrap();
    assert_eq!(target.stop().unwrap(), Stopped::ByForce);
    stage.assert_empty();
    drop(stage.start(&stage.server(RUNAWAYS)).unwrap());
    stage.assert_empty();
}

#[test]
fn a_wish_to_stop_ends_a_start() {
    let stage = Stage::new();
    let cancel = Cancel::default();
    cancel.raise();
    let mut command = stage.server(RUNAWAYS);
    command.ready = "/not-yet".to_owned();
    let log = stage.path().join("target.log");
    let error = Target::start(&command, &Placement::default(), &log, &cancel).unwrap_err();
    assert!(matches!(error, TargetError::Cancelled), "{error:?}");
    stage.assert_empty();
}

#[test]
fn use_is_counted_over_the_whole_tree() {
    let stage = Stage::new();
    let busy = "subprocess.Popen([sys.executable, '-c', 'while True: pass'])";
    let command = Command { memory_bytes_max: Some(1 << 30), ..stage.server(busy) };
    let cpus = CpuSet::available().unwrap().split().map(|split| split.target);
    let log = stage.path().join("target.log");
    let target = Target::start(&command, &Placement { cpus }, &log, &Cancel::default()).unwrap();
    let before = target.usage().unwrap();
    assert!(before.rss_bytes > 1 << 20 && before.rss_peak_bytes >= before.rss_bytes / 2);
    let grown = std::iter::repeat_with(|| target.usage().unwrap())
        .find(|usage| usage.cpu > before.cpu + Duration::from_millis(20))
        .unwrap();
    assert_eq!((grown.processes, grown.threads), (2, 2));
    target.reset_peak().unwrap();

    let url = format!("http://{}", target.address());
    let attached =
        Target::attach(&url, "/health", Duration::from_secs(10), &Cancel::default()).unwrap();
    assert_eq!(attached.pid(), target.pid());
    assert!(attached.usage().unwrap().cpu > before.cpu);
    assert_eq!(attached.stop().unwrap(), Stopped::Gracefully);
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
    let stage = Stage::new();
    let command = Command { env: Vec::new(), ..stage.server(RUNAWAYS) };
    let _target = stage.start(&command).unwrap();
    #[expect(clippy::print_stdout, reason = "tells the parent that everything runs")]
    {
        println!("running");
    }
    std::thread::park();
}

#[test]
fn sigkill_of_the_starter_leaves_nothing() {
    let stage = Stage::new();
    let mut starter = Process::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "starter"])
        .env("STAGE", stage.token())
        .env("TMPDIR", stage.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(starter.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("running")));
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
    stage.assert_empty();
}
