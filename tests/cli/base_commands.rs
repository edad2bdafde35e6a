//! A base that is built and started in another way than head, with the program as a user runs it.

#![expect(clippy::unwrap_used, reason = "a program that does not run must fail the test")]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::git::{commit_all, git};

const SERVER: &str = r#"
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    do_POST = do_GET
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"#;

/// Says which program it is, and ends: that is all that has to be seen of a base.
fn ending(name: &str) -> String {
    format!("print('this is {name}')\nraise SystemExit(7)\n")
}

fn config(target: &str) -> String {
    format!(
        "[target]\nready = \"/\"\nbuild = \"true\"\n{target}\n[request]\nkind = \"raw-xml\"\n\
         [work]\nlane = \"off\"\n[[scenario]]\nname = \"s\"\npairs = 1\n"
    )
}

/// A repository whose first commit has `files`.
fn repository(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    git(folder.path(), &["init", "--quiet"]);
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    commit_all(folder.path(), "first");
    folder
}

/// Compares what is in `folder` with the first commit; returns the exit code and all that was said.
fn compare(repository: &Path, folder: &Path) -> (Option<i32>, String) {
    compare_by(&["--baseline", "HEAD"], repository, folder)
}

fn compare_by(words: &[&str], repository: &Path, folder: &Path) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_xmlperf"))
        .args([&["compare", "--plain"], words].concat())
        .current_dir(folder)
        .env("XDG_CACHE_HOME", repository.join(".cache"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn a_base_is_started_by_its_own_configuration_or_as_head_says() {
    let (old, other) = (ending("the old one"), ending("the other one"));
    let old_config = config("start = \"python3 old.py {port}\"");
    let files = [("old.py", old.as_str()), ("other.py", &other), ("xmlperf.toml", &old_config)];
    let repository = repository(&files);
    let folder = repository.path();
    fs::write(folder.join("new.py"), SERVER).unwrap();
    for (target, base) in [
        ("start = \"python3 new.py {port}\"", "this is the old one"),
        (
            "start = \"python3 new.py {port}\"\nbase = { start = \"python3 other.py {port}\" }",
            "this is the other one",
        ),
    ] {
        fs::write(folder.join("xmlperf.toml"), config(target)).unwrap();
        let (code, said) = compare(folder, folder);
        assert_eq!(code, Some(3), "{said}");
        assert!(said.contains("base: the target exited with status 7"), "{said}");
        assert!(said.contains(base), "{said}");
    }
}

#[test]
fn a_base_without_the_folder_or_with_a_wrong_configuration_is_said_so() {
    let repository = repository(&[("xmlperf.toml", "[target]\nstart = 7\n")]);
    let folder = repository.path();
    fs::write(folder.join("new.py"), SERVER).unwrap();
    fs::write(folder.join("xmlperf.toml"), config("start = \"python3 new.py {port}\"")).unwrap();
    let (code, said) = compare(folder, folder);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("xmlperf.toml of commit ") && said.contains(":2:9:"), "{said}");
    let below = folder.join("orders");
    fs::create_dir(&below).unwrap();
    fs::copy(folder.join("xmlperf.toml"), below.join("xmlperf.toml")).unwrap();
    fs::copy(folder.join("new.py"), below.join("new.py")).unwrap();
    let (_, said) = compare(folder, &below);
    assert!(
        said.contains("has no folder orders") || said.contains("has no folder `orders`"),
        "{said}"
    );
}

/// A build that waits until another one runs, and fails after 20 s without one.
fn meeting(place: &Path) -> String {
    let place = place.display();
    format!(
        "build = \"mkdir -p {place}; touch {place}/$$; for i in $(seq 200); do \
         test $(ls {place} | wc -l) -ge 2 && exit 0; sleep 0.1; done; exit 9\"\n\
         parallel-builds = true\nstart = \"python3 server.py {{port}}\"\n"
    )
}

#[test]
fn both_builds_run_at_the_same_time_where_that_is_asked_for() {
    let meetings = tempfile::tempdir().unwrap();
    let config = |meeting: &str| config(meeting).replace("build = \"true\"\n", "");
    let first = config(&meeting(&meetings.path().join("checkout")));
    let server = ending("the base");
    let ignored = ".cache\n.xmlperf\n";
    let files = [("server.py", server.as_str()), ("xmlperf.toml", &first), (".gitignore", ignored)];
    let repository = repository(&files);
    let folder = repository.path();
    fs::write(folder.join("change"), "").unwrap();
    let (code, said) = compare(folder, folder);
    assert!(code == Some(3) && said.contains("exited with status 7"), "{said}");

    fs::write(folder.join("xmlperf.toml"), config(&meeting(&meetings.path().join("range"))))
        .unwrap();
    commit_all(folder, "second");
    fs::write(folder.join("change"), "of the third").unwrap();
    commit_all(folder, "third");
    let (code, said) = compare_by(&["HEAD~1..HEAD"], folder, folder);
    assert!(code == Some(3) && said.contains("exited with status 7"), "{said}");
    // One commit is one build, which waits for no other.
    let (code, said) = compare_by(&["HEAD..HEAD"], folder, folder);
    assert!(code == Some(0) && said.contains("identical program"), "{said}");
}

#[test]
fn a_base_that_fails_ends_the_build_of_head_beside_it() {
    let config = config("parallel-builds = true\nstart = \"python3 server.py {port}\"\n");
    let build = "test -e here || exit 5; sleep 20; touch built";
    let config = config.replace("build = \"true\"", &format!("build = \"{build}\""));
    let ignored = "here\nbuilt\n.cache\n.xmlperf\n";
    let files = [("server.py", SERVER), ("xmlperf.toml", &config), (".gitignore", ignored)];
    let repository = repository(&files);
    let folder = repository.path();
    for name in ["here", "change"] {
        fs::write(folder.join(name), "").unwrap();
    }
    let (code, said) = compare(folder, folder);
    assert!(code == Some(3) && said.contains("exit status: 5"), "{code:?} {said}");
    assert!(!folder.join("built").exists(), "{said}");
}

/// Without that, base would have been built with what its dependencies are today.
#[test]
fn a_base_that_was_built_beside_head_has_the_lock_file_of_heads_build() {
    let build = "test ! -e here || echo the lock of head >Cargo.lock; cat Cargo.lock >lock.txt || echo none >lock.txt";
    let server = "print('built with', open('lock.txt').read())\nraise SystemExit(7)\n";
    let config = config("parallel-builds = true\nstart = \"python3 server.py {port}\"\n");
    let config = config.replace("build = \"true\"", &format!("build = \"{build}\""));
    let files = [
        ("server.py", server),
        ("xmlperf.toml", &config),
        (".gitignore", "*.lock\nlock.txt\nhere\n.cache\n.xmlperf\n"),
    ];
    let repository = repository(&files);
    let folder = repository.path();
    fs::write(folder.join("here"), "").unwrap();
    fs::write(folder.join("server.py"), SERVER).unwrap();
    let (code, said) = compare(folder, folder);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("built with the lock of head"), "{said}");
    assert!(said.contains("base: the target exited with status 7"), "{said}");
}
