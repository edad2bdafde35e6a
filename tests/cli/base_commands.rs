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
    let output = Command::new(env!("CARGO_BIN_EXE_xmlperf"))
        .args(["compare", "--plain", "--baseline", "HEAD"])
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
