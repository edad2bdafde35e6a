//! What the system, the shell and git refuse or add: descriptors, threads, memory, readers, hooks, odd names.

#![expect(clippy::unwrap_used, reason = "a program that does not run must fail the test")]

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::json;

use crate::faults::{FaultFixture, SHORT, said, wait_until};
use crate::git::{commit_all, git};
use crate::misbehaving_targets::{SERVER, misbehaving};

/// A project whose target serves, with so many connections.
fn serving(connections: usize) -> FaultFixture {
    let fixture = FaultFixture::new("start = 'python3 server.py {port} serves'");
    fs::write(fixture.path().join("server.py"), SERVER).unwrap();
    fixture.configure("launches = 1", &format!("launches = 1\n{SHORT}"));
    let load = format!("load = {{ model = \"closed\", connections = {connections} }}");
    fixture.configure("pairs = 1", &format!("pairs = 1\n{load}"));
    fixture
}

/// Runs it in a shell that first does something.
fn run_after(fixture: &FaultFixture, first: &str) -> Output {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{first}; exec \"$0\" run --plain")]).arg(crate::program());
    command.current_dir(fixture.path()).env("COLUMNS", "100").stdin(Stdio::null());
    command.output().unwrap()
}

fn assert_ends_with_a_message(output: &Output, what: &str) {
    let text = said(output);
    assert!(matches!(output.status.code(), Some(0 | 2 | 3)), "{what}: {}, {text}", output.status);
    assert!(!text.contains("panicked"), "{what}: {text}");
    assert!(!text.trim().is_empty(), "{what}: nothing is said");
}

#[test]
fn descriptors_that_the_system_refuses_are_said() {
    let fixture = serving(64);
    let output = run_after(&fixture, "ulimit -n 40");
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert!(said(&output).contains("Too many open files"), "{}", said(&output));
    for most in [6, 9, 12, 16, 24] {
        let output = run_after(&fixture, &format!("ulimit -n {most}"));
        assert_ends_with_a_message(&output, &format!("{most} descriptors"));
    }
}

/// The least address space in MiB in which the system starts the program at all.
fn least_mib() -> usize {
    let starts = |mib: &usize| {
        let script = format!("ulimit -v {}; exec \"$0\" --version", mib * 1024);
        let mut command = Command::new("sh");
        command.args(["-c", &script]).arg(crate::program());
        command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
    };
    (16..1_000).step_by(4).find(starts).unwrap()
}

#[test]
fn memory_that_the_system_refuses_is_said() {
    let (least, mut said_so) = (least_mib(), false);
    for more_mib in [0, 8, 24, 48, 96] {
        // Its answers may take 256 MiB, which is more than there is.
        let fixture = misbehaving("endless-body", 12);
        let output = run_after(&fixture, &format!("ulimit -v {}", (least + more_mib) * 1024));
        assert_ends_with_a_message(&output, &format!("{more_mib} MiB more than {least}"));
        said_so |= said(&output).contains("memory allocation of ");
    }
    assert!(said_so, "memory was never refused");
}

/// The program's command for another user, of whose threads and processes the system gives so many.
struct LimitedUser {
    folder: PathBuf,
}

impl LimitedUser {
    fn new(folder: &Path) -> Self {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o777)).unwrap();
        fs::copy(crate::program(), folder.join("xmlperf")).unwrap();
        Self { folder: folder.to_owned() }
    }

    fn command(&self, most: u32, words: &[&str]) -> Command {
        let mut command = Command::new("setpriv");
        // A number that no account has, so that no process of it is counted but these.
        command.args(["--reuid", "48151", "--regid", "48151", "--clear-groups"]);
        // Not `ulimit -u`, which the shell of Debian does not know.
        command.args(["prlimit", &format!("--nproc={most}"), "./xmlperf"]).args(words);
        command.current_dir(&self.folder).env("COLUMNS", "100").env("HOME", &self.folder);
        command.stdin(Stdio::null());
        command
    }
}

fn assert_is_refused(output: &Output, what: &str) {
    let text = said(output);
    assert_eq!(output.status.code(), Some(3), "{what}: {text}");
    assert!(text.contains("the system refuses a thread"), "{what}: {text}");
    assert!(!text.contains("panicked"), "{what}: {text}");
}

#[test]
#[ignore = "becomes another user, which takes root: nothing limits the processes of root itself"]
fn threads_that_the_system_refuses_are_said() {
    let fixture = serving(2);
    let user = LimitedUser::new(fixture.path());
    let mut refused = 0;
    for most in [1, 2, 3, 4, 5, 6, 8, 10, 12, 16] {
        let out = format!("out-{most}");
        let output = user.command(most, &["run", "--plain", "--out", &out]).output().unwrap();
        assert_ends_with_a_message(&output, &format!("{most} threads"));
        refused += u32::from(said(&output).contains("Resource temporarily unavailable"));
    }
    assert!(refused > 1, "threads were refused {refused} times");
}

#[test]
#[ignore = "becomes another user, which takes root: nothing limits the processes of root itself"]
fn a_server_without_threads_does_not_begin() {
    let fixture = serving(2);
    let user = LimitedUser::new(fixture.path());
    for most in [1, 2, 3] {
        let words = ["serve", "--port", "0", "--workers", "4"];
        let output = user.command(most, &words).output().unwrap();
        assert_is_refused(&output, &format!("serve with {most} threads"));
    }
}

#[test]
#[ignore = "becomes another user, which takes root: nothing limits the processes of root itself"]
fn stores_and_github_without_threads_are_not_asked() {
    let fixture = serving(2);
    let run = fixture.run(&["run", "--plain"]);
    assert_eq!(run.status.code(), Some(0), "{}", said(&run));
    let user = LimitedUser::new(fixture.path());
    // With three there is a runtime, and no thread to look the host up in.
    for most in [1, 2, 3] {
        let words = ["baseline", "list", "--store", "https://localhost:1/kept"];
        let output = user.command(most, &words).output().unwrap();
        assert_is_refused(&output, &format!("a store with {most} threads"));
    }
    let event = fixture.path().join("event.json");
    let repository = json!({"full_name": "a/b", "default_branch": "main"});
    let side =
        json!({"sha": "9f3c2ab19f3c2ab19f3c2ab19f3c2ab19f3c2ab1", "ref": "c", "repo": repository});
    let pull = json!({"number": 7, "head": side, "base": side});
    let payload =
        json!({"action": "opened", "number": 7, "pull_request": pull, "repository": repository});
    fs::write(&event, payload.to_string()).unwrap();
    let mut report = user.command(1, &["report", "github", "--comment", "always"]);
    report.env("GITHUB_EVENT_NAME", "pull_request").env("GITHUB_EVENT_PATH", &event);
    report.env("GITHUB_REPOSITORY", "a/b").env("GITHUB_RUN_ID", "1").env("GITHUB_RUN_ATTEMPT", "1");
    report.env("GITHUB_SHA", "2ffea6db2ffea6db2ffea6db2ffea6db2ffea6db");
    report.env("GITHUB_TOKEN", "none").env("GITHUB_API_URL", "http://localhost:1");
    let output = report.output().unwrap();
    assert!(!said(&output).contains("panicked"), "{}", said(&output));
    assert!(said(&output).contains("the system refuses a thread"), "{}", said(&output));
}

#[test]
#[ignore = "becomes another user, which takes root: nothing limits the processes of root itself"]
fn a_call_without_a_thread_is_answered() {
    let fixture = serving(2);
    let user = LimitedUser::new(fixture.path());
    let call = [
        json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-06-18", "capabilities": {},
            "clientInfo": {"name": "a", "version": "1"}}}),
        json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
        json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call",
            "params": {"name": "compare", "arguments": {}}}),
    ];
    let (mut unread, mut unanswered) = (0, 0);
    // The supervisor has two of them where it can.
    for most in 1..=6 {
        let mut server = user.command(most, &["mcp", "--allow-run"]);
        server.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut server = server.spawn().unwrap();
        let mut input = server.stdin.take().unwrap();
        for message in &call {
            // One that has ended already reads nothing.
            let _ = writeln!(input, "{message}");
        }
        let mut answers = BufReader::new(server.stdout.take().unwrap()).lines();
        let answer = answers.find(|line| line.as_ref().is_ok_and(|line| line.contains("\"id\":2")));
        drop(input);
        let output = server.wait_with_output().unwrap();
        assert!(!said(&output).contains("panicked"), "{most}: {}", said(&output));
        match answer {
            None => {
                assert_is_refused(&output, &format!("{most} threads"));
                unread += 1;
            }
            Some(answer) => unanswered += u32::from(answer.unwrap().contains("refuses a thread")),
        }
    }
    assert!(unread > 0 && unanswered > 0, "{unread} {unanswered}");
}

#[test]
fn a_second_run_in_a_folder_says_who_has_it() {
    let fixture = serving(2);
    fixture.configure("load = \"60 ms\"", "load = \"60 s\"");
    let mut first = fixture.command(&["run", "--plain"]);
    let mut first = first.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let ready = fixture.path().join("ready");
    wait_until("the first one measures", || ready.exists());
    let second = fixture.run(&["run", "--plain"]);
    let ended = Command::new("kill").args(["-INT", &first.id().to_string()]).status().unwrap();
    assert!(ended.success());
    first.wait().unwrap();
    assert_eq!(second.status.code(), Some(3), "{}", said(&second));
    assert!(said(&second).contains("is in use by process"), "{}", said(&second));
}

#[test]
fn a_reader_that_has_gone_ends_the_program_in_silence() {
    let fixture = serving(2);
    let mut command = fixture.command(&["payload", "--pairs", "100000"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), said(&output).as_str()), (Some(141), ""));
}

/// Makes a repository of a project, with one commit.
fn commit(folder: &Path) {
    fs::write(folder.join(".gitignore"), ".xmlperf/\nready\n").unwrap();
    git(folder, &["init", "--quiet", "-b", "main"]);
    commit_all(folder, "one");
}

#[test]
fn hooks_of_the_users_git_have_no_part_in_a_comparison() {
    let fixture = serving(2);
    fixture.configure("launches = 1", "launches = 1\nlaunch-pairs = 8");
    commit(fixture.path());
    let home = tempfile::tempdir().unwrap();
    let hooks = home.path().join("hooks");
    fs::create_dir(&hooks).unwrap();
    let mark = home.path().join("ran");
    for hook in ["reference-transaction", "post-checkout", "post-index-change"] {
        let script = format!("#!/bin/sh\necho {hook} >> {}\n", mark.display());
        fs::write(hooks.join(hook), script).unwrap();
        fs::set_permissions(hooks.join(hook), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let config = home.path().join("config");
    fs::write(&config, format!("[core]\n\thooksPath = {}\n", hooks.display())).unwrap();
    // They run where git is used as usual.
    let mut usual = Command::new("git");
    usual.args(["branch", "other"]).current_dir(fixture.path()).env("GIT_CONFIG_GLOBAL", &config);
    assert!(usual.status().unwrap().success() && mark.exists());
    fs::remove_file(&mark).unwrap();

    let mut compare =
        fixture.command(&["compare", "--baseline", "HEAD", "--always-measure", "--plain"]);
    compare.env("GIT_CONFIG_GLOBAL", &config).env("XDG_CACHE_HOME", home.path().join("cache"));
    let output = compare.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    for words in
        [&["run", "--plain"][..], &["baseline", "save", "--store", "git+branch:///kept", "main"]]
    {
        let output = fixture.command(words).env("GIT_CONFIG_GLOBAL", &config).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    }
    let ran = fs::read_to_string(&mark).unwrap_or_default();
    assert!(!mark.exists(), "{ran}");
}

#[test]
fn a_branch_that_git_would_misread_is_refused() {
    let fixture = serving(2);
    commit(fixture.path());
    let run = fixture.run(&["run", "--plain"]);
    assert_eq!(run.status.code(), Some(0), "{}", said(&run));
    let before = git(fixture.path(), &["show-ref"]);
    for branch in ["HEAD", "FETCH_HEAD", "--x", "-d", "a..b"] {
        let store = format!("git+branch:///{branch}");
        let output = fixture.run(&["baseline", "save", "--store", &store, "main"]);
        assert_eq!(output.status.code(), Some(2), "{branch}: {}", said(&output));
    }
    assert_eq!(git(fixture.path(), &["show-ref"]), before);
}

#[test]
fn folders_of_odd_names_are_compared_or_said_to_be_odd() {
    for name in [&b"a\nb"[..], b"\xff\xfe", b"-x", b"a b'\"$(c)"] {
        let fixture = serving(2);
        fixture.configure("launches = 1", "launches = 1\nlaunch-pairs = 8");
        let folder: PathBuf = fixture.path().join(OsStr::from_bytes(name));
        fs::create_dir(&folder).unwrap();
        for file in ["xmlperf.toml", "server.py"] {
            fs::rename(fixture.path().join(file), folder.join(file)).unwrap();
        }
        commit(&folder);
        let mut compare = fixture.command(&["compare", "--baseline", "HEAD", "--plain"]);
        let compare = compare.current_dir(&folder).env("XDG_CACHE_HOME", fixture.path());
        let output = compare.output().unwrap();
        assert_ends_with_a_message(&output, &String::from_utf8_lossy(name));
    }
}
