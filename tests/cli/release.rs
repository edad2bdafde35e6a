//! What a release has beside the program, from its archive to a user's folder, and the note on GitLab.

#![expect(clippy::unwrap_used, reason = "a test that cannot prepare must fail")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::json;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use wiremock::matchers::{method, path, query_param};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

const TARGET: &str = if cfg!(target_arch = "aarch64") {
    "aarch64-unknown-linux-musl"
} else {
    "x86_64-unknown-linux-musl"
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn write_program(path: &Path, script: &str) {
    fs::write(path, script).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A copy of what packs a release, and the archive that it made of this program.
struct PackedRelease {
    folder: TempDir,
    archive: PathBuf,
}

impl PackedRelease {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at(".github/release")).unwrap();
        fs::create_dir_all(at("gitlab")).unwrap();
        let files = [".github/release/pack.sh", "gitlab/note.sh", "LICENSE-APACHE", "LICENSE-MIT"];
        for file in files {
            fs::copy(root().join(file), at(file)).unwrap();
        }
        // The program itself is large, and takes seconds to compress.
        let program = at("program");
        write_program(
            &program,
            &format!("#!/bin/sh\nexec {} \"$@\"\n", env!("CARGO_BIN_EXE_xmlperf")),
        );
        let mut pack = Command::new(at(".github/release/pack.sh"));
        let output = pack.args([program.to_str().unwrap(), TARGET]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let archive = at(&format!("dist/xmlperf-v{}-{TARGET}.tar.gz", env!("CARGO_PKG_VERSION")));
        Self { folder, archive }
    }

    /// Serves the archive and its checksum below both addresses of a release.
    async fn serve(&self, sum: &str) -> MockServer {
        self.serve_as(TARGET, sum).await
    }

    /// Serves the archive as that of a platform.
    async fn serve_as(&self, platform: &str, sum: &str) -> MockServer {
        let server = MockServer::start().await;
        let name = format!("xmlperf-v{}-{platform}.tar.gz", env!("CARGO_PKG_VERSION"));
        let sums = format!("{}  xmlperf-v9-other.tar.gz\n{sum}  {name}\n", "0".repeat(64));
        let version = format!("/download/v{}", env!("CARGO_PKG_VERSION"));
        for from in ["/latest/download", version.as_str()] {
            for (name, content) in [
                ("SHA256SUMS", sums.clone().into_bytes()),
                (name.as_str(), fs::read(&self.archive).unwrap()),
            ] {
                let address = format!("{from}/{name}");
                let answer = ResponseTemplate::new(200).set_body_bytes(content);
                Mock::given(method("GET"))
                    .and(path(address))
                    .respond_with(answer)
                    .mount(&server)
                    .await;
            }
        }
        server
    }

    fn sum(&self) -> String {
        units::hex(&Sha256::digest(fs::read(&self.archive).unwrap()))
    }

    fn install(&self, server: &MockServer, settings: &[(&str, &str)]) -> (PathBuf, Output) {
        let prefix = self.folder.path().join("home");
        let mut install = Command::new("sh");
        install.arg(root().join("install.sh"));
        install.env("XMLPERF_PREFIX", &prefix).env("XMLPERF_RELEASES", server.uri());
        let output = install.envs(settings.iter().copied()).output().unwrap();
        (prefix, output)
    }
}

#[test]
fn a_release_is_installed_with_its_completions_and_manual() {
    let (runtime, release) = (Runtime::new().unwrap(), PackedRelease::new());
    let server = runtime.block_on(release.serve(&release.sum()));
    for settings in [&[][..], &[("XMLPERF_VERSION", env!("CARGO_PKG_VERSION"))]] {
        let (prefix, output) = release.install(&server, settings);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let version = Command::new(prefix.join("bin/xmlperf")).arg("--version").output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.starts_with(String::from_utf8(version.stdout).unwrap().trim()), "{said}");
        for file in [
            "share/bash-completion/completions/xmlperf",
            "share/fish/vendor_completions.d/xmlperf.fish",
            "share/zsh/site-functions/_xmlperf",
            "share/man/man1/xmlperf.1",
            "share/man/man1/xmlperf-compare.1",
        ] {
            assert!(prefix.join(file).is_file(), "{file}");
        }
        fs::remove_dir_all(prefix).unwrap();
    }
}

/// On a Mac of either kind the script takes its archive, and checks it by the program that is there.
#[test]
fn a_mac_gets_the_archive_of_its_processor() {
    let (runtime, release) = (Runtime::new().unwrap(), PackedRelease::new());
    for (machine, platform) in
        [("arm64", "aarch64-apple-darwin"), ("x86_64", "x86_64-apple-darwin")]
    {
        let programs = release.folder.path().join(machine);
        fs::create_dir(&programs).unwrap();
        let uname = format!("case $1 in -s) echo Darwin ;; -m) echo {machine} ;; esac");
        write_program(&programs.join("uname"), &format!("#!/bin/sh\n{uname}\n"));
        write_program(&programs.join("sha256sum"), "#!/bin/sh\nexit 127\n");
        let path = format!("{}:/usr/bin:/bin", programs.display());
        let sums = [("1".repeat(64), "the checksum of"), (release.sum(), "is in")];
        for (sum, said) in sums {
            let server = runtime.block_on(release.serve_as(platform, &sum));
            let (_, output) = release.install(&server, &[("PATH", &path)]);
            let (out, error) = (output.stdout, output.stderr);
            let text = String::from_utf8([out, error].concat()).unwrap();
            assert!(text.contains(said), "{text}");
            assert_eq!(output.status.success(), text.contains("use the container image"), "{text}");
        }
    }
}

#[test]
fn nothing_of_an_archive_with_another_checksum_is_installed() {
    let (runtime, release) = (Runtime::new().unwrap(), PackedRelease::new());
    let server = runtime.block_on(release.serve(&"1".repeat(64)));
    let check = |settings: &[(&str, &str)], said: &str| {
        let (prefix, output) = release.install(&server, settings);
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && error.contains(said), "{error}");
        assert!(!prefix.exists());
    };
    check(&[], "nothing of it was installed");
    check(&[("XMLPERF_VERSION", "0.0.1")], "failed to fetch");
    check(&[("XMLPERF_RELEASES", "http://example.com/releases")], "is not an address of HTTPS");
    // A checksum that was written down elsewhere stands before that of the server.
    let (_, output) = release.install(&server, &[("XMLPERF_SHA256", &release.sum())]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_archive_has_the_program_where_the_action_looks_for_it() {
    let release = PackedRelease::new();
    let list = Command::new("tar").arg("-tzf").arg(&release.archive).output().unwrap();
    let names = String::from_utf8(list.stdout).unwrap();
    for name in
        ["xmlperf", "gitlab-note.sh", "LICENSE-MIT", "completions/_xmlperf", "man/xmlperf.1"]
    {
        assert!(names.lines().any(|line| line == name), "{name} of {names}");
    }
}

const NOTES: &str = "/api/v4/projects/7/merge_requests/3/notes";

/// A GitLab whose merge request has these notes on its pages, and the user 5.
async fn gitlab(pages: &[serde_json::Value]) -> MockServer {
    let server = MockServer::start().await;
    let user =
        ResponseTemplate::new(200).set_body_json(json!({ "id": 5, "username": "project_7_bot" }));
    Mock::given(method("GET")).and(path("/api/v4/user")).respond_with(user).mount(&server).await;
    for (number, page) in (1..).zip(pages) {
        let list = ResponseTemplate::new(200).set_body_json(page);
        let of_page = query_param("page", number.to_string());
        Mock::given(method("GET"))
            .and(path(NOTES))
            .and(of_page)
            .respond_with(list)
            .mount(&server)
            .await;
    }
    for word in ["POST", "PUT"] {
        let note = ResponseTemplate::new(201).set_body_json(json!({ "id": 99 }));
        Mock::given(method(word)).respond_with(note).mount(&server).await;
    }
    server
}

/// Runs the script against it with a program that prints `report`, and returns what it sent last.
fn note(pages: &[serde_json::Value], report: &str) -> Request {
    let (output, requests) = run_note(pages, report);
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success() && !said.contains("glpat"), "{said}");
    for request in &requests {
        assert_eq!(request.headers["private-token"], "glpat-secret");
    }
    requests.last().unwrap().clone()
}

fn run_note(pages: &[serde_json::Value], report: &str) -> (Output, Vec<Request>) {
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(gitlab(pages));
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("xmlperf");
    write_program(&program, &format!("#!/bin/sh\ncat <<'REPORT'\n{report}\nREPORT\n"));
    let mut script = Command::new(root().join("gitlab/note.sh"));
    script.arg("run.json").env("XMLPERF_BIN", &program);
    script.env("CI_API_V4_URL", format!("{}/api/v4", server.uri()));
    script.env("CI_PROJECT_ID", "7").env("CI_MERGE_REQUEST_IID", "3");
    let output = script.env("XMLPERF_GITLAB_TOKEN", "glpat-secret").output().unwrap();
    let requests = runtime.block_on(server.received_requests()).unwrap();
    (output, requests)
}

/// The text of the note that a request sends, as a form.
fn body(request: &Request) -> String {
    let form = url_decoded(std::str::from_utf8(&request.body).unwrap());
    form.strip_prefix("body=").unwrap().to_owned()
}

fn url_decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).unwrap()
}

#[test]
fn the_first_note_of_a_merge_request_is_written() {
    let sent = note(&[json!([])], "### one regression & more\n/close\n  /merge");
    assert_eq!((sent.method.as_str(), sent.url.path()), ("POST", NOTES));
    // A line that begins with a slash is a command to GitLab.
    let expected = "<!-- xmlperf:default -->\n### one regression & more\n\\/close\n  \\/merge\n";
    assert_eq!(body(&sent), expected);
}

#[test]
fn our_own_note_is_brought_up_to_date_on_whichever_page_it_is() {
    let other = |id: u64| json!({ "id": id, "author": { "id": 8 }, "body": "<!-- xmlperf:default -->\nmine" });
    let first: Vec<_> = (0..100).map(other).collect();
    let second = json!([other(100), { "id": 41, "author": { "id": 5 }, "body": "hello" },
        { "id": 42, "author": { "id": 5 }, "body": "<!-- xmlperf:default -->\nold" }]);
    let sent = note(&[json!(first), second], "new");
    assert_eq!((sent.method.as_str(), sent.url.path()), ("PUT", format!("{NOTES}/42").as_str()));
    assert_eq!(body(&sent), "<!-- xmlperf:default -->\nnew\n");
}

#[test]
fn no_note_is_written_where_those_that_are_there_cannot_be_read() {
    let (output, requests) = run_note(&[], "new");
    assert!(!output.status.success());
    assert!(requests.iter().all(|request| request.method.as_str() == "GET"), "{requests:?}");
}
