//! What the system, the shell and git refuse or add: descriptors, threads, memory, readers, hooks, odd names.

#![expect(clippy::unwrap_used, reason = "a program that does not run must fail the test")]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::faults::{FaultFixture, SHORT, said, wait_until};
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

#[test]
#[ignore = "becomes another user, which takes root: nothing limits the processes of root itself"]
fn threads_that_the_system_refuses_are_said() {
    let fixture = serving(2);
    let everybody = fs::Permissions::from_mode(0o777);
    fs::set_permissions(fixture.path(), everybody).unwrap();
    let program = fixture.path().join("xmlperf");
    fs::copy(crate::program(), &program).unwrap();
    for most in [1, 2, 3, 4, 5, 6, 8, 10, 12, 16] {
        let script = format!("ulimit -u {most}; exec ./xmlperf run --plain --out out-{most}");
        let mut command = Command::new("setpriv");
        // A number that no account has, so that no process of it is counted but these.
        command.args([
            "--reuid",
            "48151",
            "--regid",
            "48151",
            "--clear-groups",
            "sh",
            "-c",
            &script,
        ]);
        command.current_dir(fixture.path()).env("COLUMNS", "100").env("HOME", fixture.path());
        let output = command.stdin(Stdio::null()).output().unwrap();
        assert_ends_with_a_message(&output, &format!("{most} threads"));
    }
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

fn git(folder: &Path, words: &[&str]) -> Output {
    let mut command = Command::new("git");
    command.args(["-c", "user.name=a", "-c", "user.email=a@b"]).args(words);
    let output = command.current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", said(&output));
    output
}

/// Makes a repository of a project, with one commit.
fn commit(folder: &Path) {
    fs::write(folder.join(".gitignore"), ".xmlperf/\nready\n").unwrap();
    git(folder, &["init", "--quiet", "-b", "main"]);
    git(folder, &["add", "-A"]);
    git(folder, &["commit", "--quiet", "-m", "one"]);
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
    let before = git(fixture.path(), &["show-ref"]).stdout;
    for branch in ["HEAD", "FETCH_HEAD", "--x", "-d", "a..b"] {
        let store = format!("git+branch:///{branch}");
        let output = fixture.run(&["baseline", "save", "--store", &store, "main"]);
        assert_eq!(output.status.code(), Some(2), "{branch}: {}", said(&output));
    }
    assert_eq!(git(fixture.path(), &["show-ref"]).stdout, before);
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
