//! Targets that break what a server promises: answers that drip or never end, logs without an end, daemons.

#![expect(clippy::unwrap_used, reason = "a program that does not run must fail the test")]
#![expect(clippy::disallowed_methods, reason = "that nothing hangs is what is tested")]

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::faults::{FaultFixture, SHORT, executing, own_sleep, said, wait_until};
use crate::largest_records::MEASURING;

/// A server of plain sockets that misbehaves in one way.
pub(super) const SERVER: &str = r#"
import os, signal, socket, sys, threading, time
port, mode = int(sys.argv[1]), sys.argv[2]
HEAD = b"HTTP/1.1 200 OK\r\n"
OK = HEAD + b"Content-Length: 2\r\n\r\nok"
if mode == "daemon":
    if os.fork(): time.sleep(3600)
    os.setsid()
    if os.fork(): os._exit(0)
if mode == "log-fifo":
    log = os.readlink("/proc/self/fd/1")
    os.unlink(log)
    os.mkfifo(log)
    threading.Timer(1.5, lambda: os._exit(9)).start()
if mode == "flood":
    os.write(1, b"the first line\n")
    for _ in range(96): os.write(1, b"y" * (1 << 20) + b"\n")
    os.write(1, b"the last line\n")
if mode == "outrun" and not os.path.exists("port"):
    open("port.part", "w").write(str(port))
    os.rename("port.part", "port")
    while not os.path.exists("ready"): time.sleep(.01)
    time.sleep(.3)
if mode == "stays": signal.signal(signal.SIGTERM, signal.SIG_IGN)
def drip(c, text):
    for byte in text:
        c.sendall(bytes([byte]))
        time.sleep(.05)
def misbehave(c, is_get):
    if is_get and mode == "drip-health": drip(c, b"HTTP/1.1 200 " + b"O" * 100000)
    elif is_get: c.sendall(OK)
    elif mode == "drip-head": drip(c, HEAD + b"X-Drip: " + b"x" * 100000)
    elif mode == "drip-body":
        c.sendall(HEAD + b"Content-Length: 100000\r\n\r\n")
        drip(c, b"x" * 100000)
    elif mode == "endless-body":
        c.sendall(HEAD + b"\r\n")
        while True: c.sendall(b"x" * 65536)
    elif mode == "endless-extension":
        c.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n2;")
        while True: c.sendall(b"x" * 65536)
    elif mode == "endless-trailer":
        c.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n")
        while True: c.sendall(b"X-Trailer: " + b"x" * 1000 + b"\r\n")
    elif mode == "announced": c.sendall(HEAD + b"Content-Length: 9000000000000000000\r\n\r\nok")
    else: c.sendall(OK)
def serve(c):
    buffer = b""
    try:
        while True:
            while b"\r\n\r\n" not in buffer:
                more = c.recv(65536)
                if not more: return
                buffer += more
            head, buffer = buffer.split(b"\r\n\r\n", 1)
            fields = [line.lower().split(b":") for line in head.split(b"\r\n")[1:]]
            length = sum(int(field[1]) for field in fields if field[0] == b"content-length")
            while len(buffer) < length: buffer += c.recv(65536)
            buffer = buffer[length:]
            is_get = head.startswith(b"GET")
            misbehave(c, is_get)
            if mode == "closes" and not is_get: return
    except OSError: pass
    finally: c.close()
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", port))
s.listen(512)
open("ready", "w").close()
while True: threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
"#;

/// A project whose target misbehaves, with so many connections and time-outs of a second.
pub(super) fn misbehaving(mode: &str, connections: usize) -> FaultFixture {
    let fixture = FaultFixture::new(&format!(
        "start = 'python3 server.py {{port}} {mode}'\nstop-timeout = \"1 s\""
    ));
    fs::write(fixture.path().join("server.py"), SERVER).unwrap();
    let load = format!(
        "pairs = 1\nload = {{ model = \"closed\", connections = {connections}, \
         first-byte-timeout = \"1 s\", timeout = \"1 s\" }}"
    );
    fixture.configure("pairs = 1", &load);
    fixture.configure("launches = 1", &format!("launches = 1\n{SHORT}"));
    fixture
}

/// The record of a run.
fn record(fixture: &FaultFixture) -> serde_json::Value {
    let text = fs::read(fixture.path().join(".xmlperf/report/run.json")).unwrap();
    serde_json::from_slice(&text).unwrap()
}

#[test]
fn answers_that_drip_end_by_the_time_outs() {
    for mode in ["drip-health", "drip-head", "drip-body"] {
        let fixture = misbehaving(mode, 2);
        fixture.configure("ready-timeout = \"20 s\"", "ready-timeout = \"3 s\"");
        let began = Instant::now();
        let output = fixture.run(&["run", "--plain"]);
        assert_eq!(output.status.code(), Some(3), "{mode}: {}", said(&output));
        // An answer would take 5 000 s.
        assert!(began.elapsed() < Duration::from_mins(1), "{mode}: {:?}", began.elapsed());
    }
}

#[test]
fn answers_without_an_end_fail_and_take_bounded_memory_over_all_connections() {
    for mode in ["endless-body", "endless-extension", "endless-trailer", "announced"] {
        let fixture = misbehaving(mode, 12);
        let mut command = Command::new("python3");
        command.args(["-c", MEASURING]).arg(crate::program()).args(["run", "--plain"]);
        command.current_dir(fixture.path()).stdin(Stdio::null());
        let output = command.output().unwrap();
        let printed = String::from_utf8(output.stdout.clone()).unwrap();
        let numbers: Vec<f64> = printed.split_whitespace().map(|it| it.parse().unwrap()).collect();
        let [code, _, memory_kib] = numbers[..] else { panic!("{mode}: {}", said(&output)) };
        assert!((code - 3.0).abs() < 0.5, "{mode}: {}", said(&output));
        let memory_mib = memory_kib / 1024.0;
        assert!(memory_mib < 512.0, "{mode}: {memory_mib} MiB");
    }
}

#[test]
fn of_a_log_without_an_end_both_ends_are_kept() {
    let fixture = misbehaving("flood", 2);
    let output = fixture.run(&["run", "--plain"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let log = fs::read_to_string(fixture.path().join(".xmlperf/logs/head.log")).unwrap();
    assert!(log.len() < 3 << 20, "{} bytes of 96 MiB", log.len());
    assert!(log.starts_with("the first line\n") && log.contains("\nthe last line\n"));
    assert!(log.contains("[xmlperf left out "));
}

#[test]
fn of_the_log_of_a_build_without_an_end_both_ends_are_kept() {
    let fixture = FaultFixture::new(
        "build = '''echo first; head -c 96000000 /dev/zero | tr '\\\\0' y; echo; echo last; exit 1'''\n\
         start = 'true {port}'",
    );
    let output = fixture.run(&["run", "--plain"]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    let logs = fs::read_dir(fixture.path().join(".xmlperf/logs")).unwrap();
    let logs: Vec<_> = logs.map(|log| log.unwrap().path()).filter(|it| it.is_file()).collect();
    let longest = logs.iter().max_by_key(|log| fs::metadata(log).unwrap().len()).unwrap();
    let log = fs::read_to_string(longest).unwrap();
    assert!(log.len() < 3 << 20, "{} bytes of 96 MB", log.len());
    assert!(log.starts_with("first\n") && log.ends_with("\nlast\n"));
}

#[test]
fn a_target_that_puts_a_fifo_in_place_of_its_log_is_not_waited_for() {
    let fixture = misbehaving("log-fifo", 2);
    fixture.configure("load = \"60 ms\"", "load = \"60 s\"");
    let began = Instant::now();
    let output = fixture.run(&["run", "--plain"]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert!(said(&output).contains("exited with status 9"), "{}", said(&output));
    assert!(began.elapsed() < Duration::from_secs(50), "{:?}", began.elapsed());
}

#[test]
fn a_daemon_is_measured_itself_and_not_the_command_that_made_it() {
    let fixture = misbehaving("daemon", 2);
    let output = fixture.run(&["run", "--plain"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let launch = &record(&fixture)["scenarios"][0]["trials"]["single"][0];
    assert!(launch["cpu_ns"].as_u64().unwrap() > 1_000_000, "{launch}");
}

#[test]
fn a_request_that_crossed_the_end_of_its_connection_is_sent_again_and_counted() {
    let fixture = misbehaving("closes", 2);
    let output = fixture.run(&["run", "--plain"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let record = record(&fixture).to_string();
    let resent = record.split("\"resent\":").nth(1).unwrap();
    let resent: String = resent.chars().take_while(char::is_ascii_digit).collect();
    assert!(resent.parse::<u64>().unwrap() > 0, "{record}");
}

#[test]
fn the_first_signal_ends_a_target_that_has_a_minute_to_stop() {
    let (_fixture, program, mut child) = measured_for_a_minute();
    let began = Instant::now();
    signal(&child, "kill -INT $0");
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(3));
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    wait_until("all is ended", || executing(&program).is_empty());
}

#[test]
fn a_second_signal_ends_the_program_at_once_with_all_that_it_started() {
    let (_fixture, program, mut child) = measured_for_a_minute();
    // One after the other without a pause: the first one ends it within a second.
    signal(&child, "kill -INT $0; kill -TERM $0");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    wait_until("all is ended", || executing(&program).is_empty());
}

/// Starts a run of a target that ends by SIGKILL only, and whose configuration gives it a minute; with a process of
/// its own beside it. Returns when the target was ready once.
fn measured_for_a_minute() -> (FaultFixture, PathBuf, Child) {
    let fixture = misbehaving("stays", 2);
    fixture.configure("stop-timeout = \"1 s\"", "stop-timeout = \"60 s\"");
    fixture.configure("load = \"60 ms\"", "load = \"60 s\"");
    let program = own_sleep(fixture.path());
    let start = "start = '''sh -c './own-sleep 600 & exec python3 server.py $0 stays' {port}'''";
    fixture.configure("start = 'python3 server.py {port} stays'", start);
    let mut command = fixture.command(&["run", "--plain"]);
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let ready = fixture.path().join("ready");
    wait_until("the target is ready", || ready.exists());
    (fixture, program, child)
}

/// Runs a script of the shell that gets the number of the process.
fn signal(child: &Child, script: &str) {
    let sent = Command::new("sh").args(["-c", script, &child.id().to_string()]).status();
    assert!(sent.unwrap().success());
}

/// The readiness of the other is seen before the target says that its port is in use.
#[test]
fn a_port_that_another_program_has_taken_first_is_drawn_again() {
    let fixture = misbehaving("outrun", 1);
    let mut command = fixture.command(&["run", "--plain"]);
    let run = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let port = fixture.path().join("port");
    wait_until("the target has its port", || port.exists());
    let mut other = Command::new("python3");
    other.args(["server.py", &fs::read_to_string(port).unwrap(), "other"]);
    let mut other = other.current_dir(fixture.path()).spawn().unwrap();
    let output = run.wait_with_output().unwrap();
    other.kill().unwrap();
    other.wait().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
}
