//! Comparisons whose sides are linked again: a Rust program in a real repository, by the compiler's own
//! linker, and one in C, by lld.

#![expect(clippy::unwrap_used, reason = "a program that does not run must fail the test")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

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

struct CompiledRepository {
    folder: TempDir,
}

impl CompiledRepository {
    /// A program whose first version is committed, and whose checkout has a function more.
    fn new(build: &str) -> Self {
        Self::of(build, "api.rs", SERVER, &format!("{COLD}{SERVER}"))
    }

    fn of(build: &str, source: &str, base: &str, head: &str) -> Self {
        let repository = Self { folder: tempfile::tempdir().unwrap() };
        repository.write("xmlperf.toml", &CONFIG.replace("BUILD", build));
        repository.write("request.j2", "{{ pairs | length }}");
        repository.write(source, base);
        repository.write(".gitignore", "api\nwarnings\n.xmlperf\n");
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        repository.git(&["add", "--all"]);
        repository.git(&["commit", "--quiet", "--message", "v1"]);
        repository.write(source, head);
        repository
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).unwrap();
    }

    fn git(&self, words: &[&str]) {
        let identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"];
        let status =
            Command::new("git").args(identity).args(words).current_dir(self.path()).status();
        assert!(status.unwrap().success(), "git {words:?}");
    }

    /// One launch pair; what was printed, and the record.
    fn compare(&self, words: &[&str]) -> (String, Value) {
        let Output { stdout, stderr, .. } = Command::new(env!("CARGO_BIN_EXE_xmlperf"))
            .args(["compare", "--plain", "--budget", "1ms"])
            .args(words)
            .env("XDG_CACHE_HOME", self.path().join(".xmlperf/cache"))
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
