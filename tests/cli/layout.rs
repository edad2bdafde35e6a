//! Comparisons whose sides are linked again: a Rust program in a real repository, by the compiler's own
//! linker, one in C, by lld, and one in Go, by Go's linker.

#![expect(clippy::unwrap_used, reason = "a program that does not run must fail the test")]
#![expect(clippy::print_stdout, reason = "a test that is left out says why")]

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::git::{commit_all, git};
use crate::published_schema;

const CONFIG: &str = r#"
[target]
build = "BUILD"
start = "./api"
port-env = "APP_PORT"
ready = "/"
layout = "drawn"
[request]
path = "/"
template = "request.j2"
content-type = "text/plain"
expect = [{ json = "/done", equals = "true" }]
[work]
lane = "off"
[sampling]
warm-up = "10 ms"
load = "50 ms"
[[scenario]]
name = "tiny"
"#;

/// Answers whatever it is sent, a connection at a time.
const SERVER: &str = r#"
use std::io::{Read, Write};
fn answer(mut stream: std::net::TcpStream) -> std::io::Result<()> {
    let mut bytes = [0; 65536];
    while stream.read(&mut bytes)? > 0 {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\n{\"done\":true}")?;
    }
    Ok(())
}
fn main() {
    let port = std::env::var("APP_PORT").unwrap().parse::<u16>().unwrap();
    let listener = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    for stream in listener.incoming() {
        std::thread::spawn(|| answer(stream.unwrap()));
    }
}
"#;

/// Moves all functions behind it.
const COLD: &str = r"
#[unsafe(no_mangle)]
pub extern fn cold(words: usize) -> usize { std::env::args().skip(words).map(|it| it.len()).sum() }
";

/// Answers whatever it is sent, and warns when it is compiled.
const SERVER_IN_C: &str = r#"
#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#warning it is compiled
__attribute__((noinline)) int answer(int socket) {
    static const char text[] = "HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\n{\"done\":true}";
    return write(socket, text, sizeof text - 1) > 0;
}
int main(void) {
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(atoi(getenv("APP_PORT"))) };
    int listener = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) || listen(listener, 64)) return 1;
    for (;;) {
        int socket = accept(listener, NULL, NULL);
        if (fork() == 0) {
            char bytes[65536];
            while (read(socket, bytes, sizeof bytes) > 0 && answer(socket)) {}
            _exit(0);
        }
        close(socket);
    }
}
"#;

/// Moves all functions behind it.
const COLD_IN_C: &str =
    "__attribute__((used, noinline)) int cold(int x) { return x * x % 7 + x / 3; }\n";

/// Answers whatever it is sent, a connection at a time.
const SERVER_IN_GO: &str = r#"
package main

import (
	"net"
	"os"
)

func answer(connection net.Conn) {
	bytes := make([]byte, 65536)
	for {
		if read, _ := connection.Read(bytes); read == 0 {
			return
		}
		connection.Write([]byte("HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\n{\"done\":true}"))
	}
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Getenv("APP_PORT"))
	for err == nil {
		var connection net.Conn
		if connection, err = listener.Accept(); err == nil {
			go answer(connection)
		}
	}
}
"#;

/// Moves all functions of the package behind it.
const COLD_IN_GO: &str = r"
func cold(words []string) (count int) {
	for _, word := range words {
		count += len(word) * len(words)
	}
	return count
}

func init() { os.Args = os.Args[:len(os.Args) - cold(os.Args[1:])%1] }
";

/// What `.ci/run` installs where there is no Go whose linker draws orders.
const GO_TOOLS: &str = "target/go-tools/lib";

/// The first release whose linker does.
const GO_DRAWS_SINCE: u32 = 22;

struct CompiledRepository {
    folder: TempDir,
    variables: Vec<(&'static str, OsString)>,
}

impl CompiledRepository {
    /// A program whose first version is committed, and whose checkout has a function more.
    fn new(build: &str) -> Self {
        Self::of(build, "api.rs", SERVER, &format!("{COLD}{SERVER}"))
    }

    fn of(build: &str, source: &str, base: &str, head: &str) -> Self {
        let repository = Self { folder: tempfile::tempdir().unwrap(), variables: Vec::new() };
        repository.write("xmlperf.toml", &CONFIG.replace("BUILD", build));
        repository.write("request.j2", "{{ pairs | length }}");
        repository.write(source, base);
        repository.write(".gitignore", "api\nwarnings\n.xmlperf\n");
        git(repository.path(), &["init", "--quiet"]);
        commit_all(repository.path(), "v1");
        repository.write(source, head);
        repository
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).unwrap();
    }

    /// One launch pair; what was printed, and the record.
    fn compare(&self, words: &[&str]) -> (String, Value) {
        let Output { stdout, stderr, .. } = Command::new(env!("CARGO_BIN_EXE_xmlperf"))
            .args(["compare", "--plain", "--budget", "1ms"])
            .args(words)
            .env("XDG_CACHE_HOME", self.path().join(".xmlperf/cache"))
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(self.path())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned();
        let run = fs::read(self.path().join(".xmlperf/report/run.json"));
        (text.clone(), published_schema::record(&run.expect(&text)))
    }
}

fn cpu_floor(run: &Value) -> f64 {
    run["gate"]["rules"]["cpu"]["floor"].as_f64().unwrap()
}

#[test]
fn a_comparison_says_where_functions_lay_and_judges_by_it() {
    let repository = CompiledRepository::new("rustc -O -o api api.rs");
    let (text, run) = repository.compare(&["--baseline", "main"]);
    let placement = &run["placement"];
    assert_eq!(placement["layout"], "drawn", "{text}");
    let counts = ["in_place", "common"].map(|name| placement["functions"][name].as_f64().unwrap());
    assert!(counts[0] / counts[1] >= 0.9, "{counts:?}");
    let page = fs::read_to_string(repository.path().join(".xmlperf/report/report.md")).unwrap();
    assert!(page.contains("layout of functions: drawn for each launch pair, "), "{page}");
    assert!((cpu_floor(&run) - 0.01).abs() < 1e-9);
    assert!(!repository.path().join(".xmlperf/relinked").exists(), "it goes with the run");

    let (_, run) = repository.compare(&["--baseline", "main", "--layout", "as-built"]);
    assert_eq!(run["placement"]["layout"], "not-redrawn");
    assert!((cpu_floor(&run) - 0.02).abs() < 1e-9);

    // A base that is given was linked elsewhere.
    fs::copy(repository.path().join("api"), repository.path().join("given")).unwrap();
    repository.write("api.rs", SERVER);
    let (text, run) = repository.compare(&["--base-bin", "given"]);
    assert_eq!(run["placement"]["layout_obstacle"], "no-link");
    assert!((cpu_floor(&run) - 0.02).abs() < 1e-9);
    assert!(text.contains("functions of both builds are left where they lie: no link"), "{text}");
}

#[test]
fn a_head_that_was_linked_before_is_linked_once_more() {
    let repository = CompiledRepository::new("test -e api || rustc -O -o api api.rs");
    let mut build = Command::new("rustc");
    let build = build.args(["-O", "-o", "api", "api.rs"]).current_dir(repository.path());
    assert!(build.status().unwrap().success());
    let (text, run) = repository.compare(&["--baseline", "main", "--layout", "matched"]);
    assert!(text.contains("was linked before its links were kept"), "{text}");
    assert_eq!(run["placement"]["layout"], "matched", "{text}");
    let (text, run) = repository.compare(&["--baseline", "main", "--layout", "matched"]);
    assert!(!text.contains("was linked before its links were kept"), "{text}");
    assert_eq!(run["placement"]["layout"], "matched");
}

/// Most small programs in C are built so. The objects have to be kept from within the one call.
#[test]
fn a_command_that_compiles_and_links_at_once_is_linked_again() {
    let build = "cc -O2 -o api api.c 2> warnings";
    let head = format!("{COLD_IN_C}{SERVER_IN_C}");
    let repository = CompiledRepository::of(build, "api.c", SERVER_IN_C, &head);
    let (text, run) = repository.compare(&["--baseline", "main"]);
    assert_eq!(run["placement"]["layout"], "drawn", "{text}");
    let counts = ["in_place", "common"].map(|name| run["placement"]["functions"][name].as_u64());
    assert_eq!(counts[0], counts[1]);
    // What the compiler says stays, and is said once.
    let warnings = fs::read_to_string(repository.path().join("warnings")).unwrap();
    assert_eq!(warnings.matches("warning:").count(), 1, "{warnings}");
}

/// The minor version of a go command, if it is one.
fn go_version(go: &Path) -> Option<u32> {
    let output = Command::new(go).arg("version").env("GOTOOLCHAIN", "local").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.split("go1.").nth(1)?.split(|it: char| !it.is_ascii_digit()).next()?.parse().ok()
}

/// The folders of go commands, with their minor versions.
fn go_commands() -> Vec<(PathBuf, u32)> {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join(GO_TOOLS);
    let installed = fs::read_dir(tools).into_iter().flatten().flatten();
    let installed = installed.map(|python| python.path().join("site-packages/go/bin"));
    let path = env::var_os("PATH").unwrap();
    let folders = env::split_paths(&path).chain(installed);
    folders.filter_map(|it| go_version(&it.join("go")).map(|version| (it, version))).collect()
}

/// A program in Go whose checkout has a function more, built by the go command in a folder with flags of its own.
fn go_repository(go: &Path) -> CompiledRepository {
    let head = format!("{SERVER_IN_GO}{COLD_IN_GO}");
    // What the go command executes is kept.
    let build = "go build -x -o api api.go 2>> warnings";
    let mut repository = CompiledRepository::of(build, "api.go", SERVER_IN_GO, &head);
    let path = env::var_os("PATH").unwrap();
    let path = env::join_paths([go.to_owned()].into_iter().chain(env::split_paths(&path)));
    // The standard library is compiled once for all tests.
    let cache = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/go-cache");
    repository.variables = vec![
        ("PATH", path.unwrap()),
        ("GOCACHE", cache.into()),
        ("GOTOOLCHAIN", "local".into()),
        ("GOFLAGS", "-ldflags=-s".into()),
        ("CGO_ENABLED", "0".into()),
    ];
    repository
}

#[test]
fn a_program_in_go_is_drawn_for_each_side_by_itself() {
    let commands = go_commands();
    let Some((go, _)) = commands.iter().find(|(_, version)| *version >= GO_DRAWS_SINCE) else {
        println!("left out, as no Go draws an order: `.ci/run golang` installs one");
        return;
    };
    let repository = go_repository(go);
    let (text, run) = repository.compare(&["--baseline", "main"]);
    assert_eq!(run["placement"]["layout"], "drawn-independently", "{text}");
    assert!(run["placement"]["layout_obstacle"].is_null(), "{text}");
    let page = fs::read_to_string(repository.path().join(".xmlperf/report/report.md")).unwrap();
    assert!(page.contains("drawn for each launch, of both sides independently"), "{page}");
    assert!((cpu_floor(&run) - 0.01).abs() < 1e-9);

    // By default it is measured as built, which needs no warning.
    for (layout, warns) in [("matched", true), ("auto", false)] {
        let (text, run) = repository.compare(&["--baseline", "main", "--layout", layout]);
        assert_eq!(run["placement"]["layout_obstacle"], "drawn-only", "{layout}: {text}");
        assert!((cpu_floor(&run) - 0.02).abs() < 1e-9);
        let text_warns = text.contains("Go's linker takes no order of functions");
        assert_eq!(text_warns, warns, "{layout}: {text}");
    }

    // As if it had been built before: it is linked once more, and nothing is compiled for that.
    fs::remove_dir_all(repository.path().join(".xmlperf/links")).unwrap();
    fs::remove_file(repository.path().join("warnings")).unwrap();
    let built = fs::read(repository.path().join("api")).unwrap();
    let (text, run) = repository.compare(&["--baseline", "main"]);
    assert!(text.contains("was linked before its links were kept"), "{text}");
    assert_eq!(run["placement"]["layout"], "drawn-independently", "{text}");
    assert_eq!(fs::read(repository.path().join("api")).unwrap(), built);
    let executed = fs::read_to_string(repository.path().join("warnings")).unwrap();
    assert!(executed.contains("/link -o ") && executed.contains(" -s "), "{executed}");
    assert!(!executed.contains("/compile -o "), "{executed}");
}

#[test]
fn a_go_linker_that_draws_nothing_is_named() {
    let commands = go_commands();
    let Some((go, version)) = commands.iter().find(|(_, version)| *version < GO_DRAWS_SINCE) else {
        println!("left out, as every Go here draws an order");
        return;
    };
    let repository = go_repository(go);
    let (text, run) = repository.compare(&["--baseline", "main"]);
    assert_eq!(run["placement"]["layout"], "not-redrawn", "{text}");
    assert_eq!(run["placement"]["layout_obstacle"], "old-go-linker", "{text}");
    assert!(text.contains(&format!("the linker of go1.{version}")), "{text}");
    assert!((cpu_floor(&run) - 0.02).abs() < 1e-9);
}
