//! What breaks around a measurement: hostile files, secrets, signals, a full disk. Each row of
//! `docs/reliability.md` that needs the program as a process is here.

#![expect(clippy::unwrap_used, reason = "a program that does not run must fail the test")]

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

/// A folder with a configuration whose target is started by `start`.
pub(super) struct FaultFixture {
    folder: TempDir,
}

impl FaultFixture {
    pub(super) fn new(target: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = format!(
            "[target]\nready = \"/\"\nready-timeout = \"20 s\"\n{target}\n[request]\nkind = \
             \"raw-xml\"\n[sampling]\nlaunches = 1\n[work]\nlane = \"off\"\n[[scenario]]\nname = \
             \"s\"\npairs = 1\n"
        );
        fs::write(folder.path().join("xmlperf.toml"), config).unwrap();
        Self { folder }
    }

    /// Puts something else in the place of what the configuration has once.
    pub(super) fn configure(&self, from: &str, to: &str) {
        let path = self.path().join("xmlperf.toml");
        let config = fs::read_to_string(&path).unwrap();
        assert!(config.contains(from), "{config}");
        fs::write(&path, config.replacen(from, to, 1)).unwrap();
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(crate::program());
        command.args(args).current_dir(self.path()).env("COLUMNS", "100").stdin(Stdio::null());
        command
    }

    pub(super) fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }
}

pub(super) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

const SECRETS: [(&str, &str); 3] =
    [("DB_PASSWORD", "hunter21"), ("STRIPE_KEY", "hunter22"), ("DATABASE_URL", "hunter23")];

#[test]
fn a_target_that_does_not_start_is_shown_with_the_names_of_what_was_withheld() {
    let target = "start = '''sh -c 'env; exit 1' {port}'''";
    let fixture = FaultFixture::new(target);
    let output = fixture.command(&["run", "--plain"]).envs(SECRETS).output().unwrap();
    let text = said(&output);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains("DATABASE_URL") && text.contains("STRIPE_KEY"), "{text}");
    let log = fs::read_to_string(fixture.path().join(".xmlperf/logs/head.log")).unwrap();
    assert!(log.contains("PATH="), "{log}");
    assert!(!log.contains("hunter") && !text.contains("hunter"), "{log}\n{text}");
}

#[test]
fn a_build_gets_what_the_configuration_passes_and_nothing_else() {
    let target = "build = 'env > built; exit 1'\nstart = 'true {port}'\npass-env = [\"DB_*\"]";
    let fixture = FaultFixture::new(target);
    let output = fixture.command(&["run", "--plain"]).envs(SECRETS).output().unwrap();
    assert!(!output.status.success());
    assert!(said(&output).contains("STRIPE_KEY"), "{}", said(&output));
    let built = fs::read_to_string(fixture.path().join("built")).unwrap();
    assert!(built.contains("DB_PASSWORD=hunter21") && built.contains("PATH="), "{built}");
    assert!(!built.contains("hunter22") && !built.contains("hunter23"), "{built}");
}

#[test]
fn what_is_no_plain_file_is_refused_without_waiting() {
    let fixture = FaultFixture::new("start = 'true {port}'");
    let fifo = fixture.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let files = ["fifo", "/dev/zero", "."];
    for command in [&["report"][..], &["decide"], &["trend", "--csv"]] {
        for file in files {
            let output = fixture.run(&[command, &[file]].concat());
            assert_eq!(output.status.code(), Some(2), "{command:?} {file}: {}", said(&output));
            assert!(said(&output).contains("it is not a plain file"), "{}", said(&output));
        }
    }
}

/// Changes the configuration, and returns what a run says of it without measuring.
fn refused(from: &str, to: &str) -> String {
    let fixture = FaultFixture::new("start = 'true {port}'");
    fixture.configure(from, to);
    let output = fixture.run(&["run", "--plain"]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    said(&output)
}

#[test]
fn what_a_machine_cannot_hold_is_refused_with_its_bound_and_its_line() {
    let connections =
        refused("pairs = 1", "load = { model = \"closed\", connections = 4000000000 }");
    assert!(connections.contains("4000000000 connections; a load has at most 65535"));
    assert!(connections.contains("connections = 4000000000"), "{connections}");
    let pairs = refused("pairs = 1", "pairs = 1000000000000");
    assert!(pairs.contains("XML pairs in a request are not from 1 to 10000000"), "{pairs}");
    let bodies = refused("launches = 1", "bodies = 1000000000");
    assert!(bodies.contains("1000000000 different bodies are not from 1 to 100000"), "{bodies}");
    let device = refused("kind = \"raw-xml\"", "template = \"/dev/zero\"");
    assert!(device.contains("it is not a plain file"), "{device}");
}

#[test]
fn a_template_that_loops_is_ended() {
    let fixture = FaultFixture::new("start = 'true {port}'");
    let each = "{% for a in range(99999) %}";
    let body = format!("{each}{each}x{{% endfor %}}{{% endfor %}}");
    fs::write(fixture.path().join("loop.j2"), body).unwrap();
    fixture.configure("kind = \"raw-xml\"", "template = \"loop.j2\"");
    let output = fixture.run(&["run", "--plain"]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("fuel"), "{}", said(&output));
}

/// A launch that is over at once.
pub(super) const SHORT: &str = "load = \"60 ms\"\nslice = \"20 ms\"\nwarm-up = \"20 ms\"";

/// A server of one thread whose helper has forked twice, left the session and emptied its environment.
pub(super) const HIDING: &str = r#"
import os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execve(sys.argv[2], [sys.argv[2], "600"], {})
    os._exit(0)
os.wait()
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *words): pass
    def do_GET(self):
        self.send_response(200); self.send_header("content-length", "2"); self.end_headers()
        self.wfile.write(b"ok")
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"])); self.do_GET()
open("ready", "w").close()
HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"#;

/// The processes that execute `program`, a copy of `sleep` that belongs to one test.
pub(super) fn executing(program: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|it| fs::read_link(it.join("exe")).is_ok_and(|exe| exe == program)).collect()
}

/// Waits for what another process does, for as long as a busy machine needs.
pub(super) fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    for _ in 0..1_200 {
        if done() {
            return;
        }
        thread::sleep(Duration::from_millis(50));
    }
    panic!("{what} within a minute");
}

/// Starts a run, ends it by a signal once `is_begun`, and returns its exit code as a shell shows it.
fn ended_by(fixture: &FaultFixture, signal: &str, is_begun: impl Fn() -> bool) -> i32 {
    let mut command = fixture.command(&["run", "--plain"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_until("the phase begins", is_begun);
    let id = child.id().to_string();
    assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    let status = child.wait().unwrap();
    status.code().or(status.signal().map(|signal| 128 + signal)).unwrap()
}

/// A copy of `sleep`, by whose path the processes of one test are recognised.
pub(super) fn own_sleep(folder: &Path) -> PathBuf {
    let folder = folder.canonicalize().unwrap();
    let program = folder.join("own-sleep");
    let found = Command::new("sh").args(["-c", "command -v sleep"]).output().unwrap();
    fs::copy(String::from_utf8(found.stdout).unwrap().trim(), &program).unwrap();
    program
}

#[test]
fn nothing_outlives_a_run_that_a_signal_ends_while_it_builds() {
    let build =
        "build = '''./own-sleep 601 & (setsid env -i ./own-sleep 602 &) ; ./own-sleep 603'''";
    for (signal, code) in [("-INT", 3), ("-TERM", 3), ("-HUP", 3), ("-QUIT", 3), ("-KILL", 137)] {
        let fixture = FaultFixture::new(&format!("{build}\nstart = 'true {{port}}'"));
        let program = own_sleep(fixture.path());
        let ended = ended_by(&fixture, signal, || executing(&program).len() == 3);
        assert_eq!(ended, code, "{signal}");
        wait_until("all is ended", || executing(&program).is_empty());
    }
}

#[test]
fn nothing_outlives_a_run_that_a_signal_ends_while_it_measures() {
    for signal in ["-INT", "-HUP", "-QUIT", "-KILL"] {
        let fixture = FaultFixture::new("start = 'python3 hiding.py {port} ./own-sleep'");
        fs::write(fixture.path().join("hiding.py"), HIDING).unwrap();
        fixture.configure("launches = 1", "launches = 1\nload = \"60 s\"");
        let program = own_sleep(fixture.path());
        let ready = fixture.path().join("ready");
        let is_begun = || ready.exists() && executing(&program).len() == 1;
        let ended = ended_by(&fixture, signal, is_begun);
        assert!(ended == 3 || signal == "-KILL" && ended == 137, "{signal}: {ended}");
        wait_until("all is ended", || executing(&program).is_empty());
    }
}

#[test]
fn a_helper_that_hides_ends_with_a_run_that_ends_by_itself() {
    let fixture = FaultFixture::new("start = 'python3 hiding.py {port} ./own-sleep'");
    fs::write(fixture.path().join("hiding.py"), HIDING).unwrap();
    fixture.configure("launches = 1", &format!("launches = 1\n{SHORT}"));
    let program = own_sleep(fixture.path());
    let output = fixture.run(&["run", "--plain"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(fixture.path().join("ready").exists());
    assert_eq!(executing(&program), Vec::<PathBuf>::new());
}

#[test]
fn a_verdict_is_printed_where_nothing_can_be_written() {
    let fixture = FaultFixture::new("start = 'python3 hiding.py {port} /bin/true'");
    fs::write(fixture.path().join("hiding.py"), HIDING).unwrap();
    fixture.configure("launches = 1", &format!("launches = 1\n{SHORT}"));
    // A file where the folder would be is refused to root too.
    fs::create_dir(fixture.path().join(".xmlperf")).unwrap();
    fs::write(fixture.path().join(".xmlperf/report"), "").unwrap();
    let output = fixture.run(&["run", "--plain"]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert!(String::from_utf8_lossy(&output.stdout).contains("throughput"), "{}", said(&output));
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(error.contains("the results are not in `.xmlperf/report`"), "{error}");
}

/// The bytes of files without a name that processes hold open in a folder.
fn reserved(folder: &Path) -> u64 {
    let folder = folder.canonicalize().unwrap();
    let processes = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
    let descriptors = processes.flat_map(|it| fs::read_dir(it.join("fd")).into_iter().flatten());
    let held = descriptors.flatten().map(|entry| entry.path()).filter(|descriptor| {
        let name = fs::read_link(descriptor).unwrap_or_default();
        name.starts_with(&folder) && name.to_string_lossy().ends_with(" (deleted)")
    });
    // What has ended since is not counted.
    held.filter_map(|descriptor| fs::metadata(descriptor).ok()).map(|it| it.blocks() * 512).sum()
}

#[test]
fn room_for_the_record_is_reserved_while_a_run_measures_and_given_back_with_it() {
    let fixture = FaultFixture::new("start = 'python3 hiding.py {port} /bin/true'");
    fs::write(fixture.path().join("hiding.py"), HIDING).unwrap();
    fixture.configure("launches = 1", "launches = 1\nload = \"60 s\"");
    let out = fixture.path().join(".xmlperf");
    let ready = fixture.path().join("ready");
    assert_eq!(ended_by(&fixture, "-INT", || ready.exists() && reserved(&out) >= 16 << 20), 3);
    wait_until("all is given back", || reserved(&out) == 0);
}

/// Fills the disk of the results before it answers.
const FILLING: &str = r#"
import os
filler = os.open(".xmlperf/filler", os.O_CREAT | os.O_WRONLY)
try:
    while True: os.write(filler, b"x" * 4096)
except OSError: open("full", "w").close()
exec(open("hiding.py").read())
"#;

/// Runs where the folder for results is a disk of its own; copies the record to `kept.json`.
fn run_on_disk(fixture: &FaultFixture, size: &str) -> Output {
    let out = fixture.path().join(".xmlperf");
    fs::create_dir_all(out).unwrap();
    let script = "mount -t tmpfs -o size=$0 none .xmlperf && { \"$@\"; code=$?; \
                  cp .xmlperf/report/run.json kept.json 2>/dev/null; exit $code; }";
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", script, size]);
    command.arg(crate::program()).args(["run", "--plain"]);
    command.current_dir(fixture.path()).env("COLUMNS", "100").stdin(Stdio::null());
    command.output().unwrap()
}

#[test]
#[ignore = "mounts a file system, which takes root or a namespace of users"]
fn the_record_has_its_room_on_a_disk_that_the_target_fills() {
    let fixture = FaultFixture::new("start = 'python3 filling.py {port} /bin/true'");
    fs::write(fixture.path().join("hiding.py"), HIDING).unwrap();
    fs::write(fixture.path().join("filling.py"), FILLING).unwrap();
    fixture.configure("launches = 1", &format!("launches = 1\n{SHORT}"));
    let output = run_on_disk(&fixture, "24m");
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(fixture.path().join("full").exists());
    let shown = fixture.run(&["report", "kept.json", "--format", "json"]);
    assert!(shown.stdout.starts_with(b"{"), "{}", said(&shown));

    fs::remove_file(fixture.path().join("full")).unwrap();
    let small = run_on_disk(&fixture, "12m");
    assert_eq!(small.status.code(), Some(3), "{}", said(&small));
    assert!(said(&small).contains("MiB left on its disk"), "{}", said(&small));
    assert!(!fixture.path().join("full").exists(), "the target was started");
}
