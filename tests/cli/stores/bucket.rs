//! An S3 server (moto) behind a proxy that fails, a `WebDAV` server (wsgidav), and what is said where nothing
//! can work.

use std::collections::BTreeSet;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use super::{baseline, proxy, refusal, run, save, succeed};
use crate::exchange::exchange;

/// A server that `.ci/run full` has installed, until the test ends.
struct BucketServer {
    process: Child,
    port: u16,
}

impl BucketServer {
    fn start(program: &str, options: &[&str]) -> Self {
        let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/store-servers/bin");
        assert!(tools.exists(), "`.ci/run full` installs servers in {}", tools.display());
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let process = Command::new(tools.join(program))
            .args(["--host", "127.0.0.1", "--port", &port.to_string()])
            .args(options)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self { process, port };
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(started.elapsed() < Duration::from_mins(1), "{program} does not answer");
            thread::sleep(Duration::from_millis(50));
        }
        server
    }
}

impl Drop for BucketServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// An S3 server with the bucket `kept`.
pub(super) struct S3 {
    _server: BucketServer,
    pub(super) port: u16,
}

impl S3 {
    pub(super) fn start() -> Self {
        let server = BucketServer::start("moto_server", &[]);
        let port = server.port;
        let (status, _) =
            exchange("PUT", &format!("http://127.0.0.1:{port}/kept"), &[], Vec::new());
        assert_eq!(status, 200);
        Self { _server: server, port }
    }
}

/// What tells a client where the server is, or a proxy of it.
pub(super) fn env(port: u16) -> Vec<(&'static str, String)> {
    let own = |text: &str| text.to_owned();
    vec![
        ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{port}")),
        ("AWS_ALLOW_HTTP", own("true")),
        ("NO_PROXY", own("127.0.0.1")),
        ("AWS_REGION", own("us-east-1")),
        ("AWS_ACCESS_KEY_ID", own("key")),
        ("AWS_SECRET_ACCESS_KEY", own("secret")),
    ]
}

const BUCKET: &str = "s3://kept/xmlperf";

/// Every writer keeps runs of its own and one that all keep, and pins a name that all pin.
#[test]
#[ignore = "slow: run by .ci/run full"]
fn eight_writers_of_one_failing_bucket_lose_nothing() {
    const WRITERS: usize = 8;
    const SAVES: usize = 10;
    let s3 = S3::start();
    let (port, failures) = proxy::start(s3.port, 11);
    let folder = tempfile::tempdir().unwrap();
    let started = Instant::now();
    let with = |mut command: Command, port| {
        command.envs(env(port));
        command
    };
    let write = |writer: usize| {
        let folder = tempfile::tempdir().unwrap();
        for it in 0..SAVES {
            succeed(with(save(folder.path(), BUCKET, writer * 1_000 + it), port));
        }
        succeed(with(save(folder.path(), BUCKET, 80_000), port));
        succeed(with(baseline(folder.path(), BUCKET, &["pin", "release", "main"]), port));
    };
    thread::scope(|scope| {
        let write = &write;
        for writer in 0..WRITERS {
            scope.spawn(move || write(writer));
        }
    });
    let took = started.elapsed();
    let listing = succeed(with(baseline(folder.path(), BUCKET, &["list", "main"]), s3.port)).stdout;
    let listing = String::from_utf8(listing).unwrap();
    let runs: BTreeSet<&str> =
        listing.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect();
    let wanted = WRITERS * SAVES + 1;
    println!(
        "{WRITERS} writers, {wanted} runs, {} lost, {took:.1?}; {failures:?}",
        wanted - runs.len()
    );
    assert_eq!(runs.len(), wanted, "{listing}");
    let verified = succeed(with(baseline(folder.path(), BUCKET, &["verify"]), s3.port)).stdout;
    let whole = format!("{wanted} runs and 1 pins are whole; 0 damaged, 0 unknown files\n");
    assert_eq!(String::from_utf8(verified).unwrap(), whole);
    assert!(failures.unanswered.load(Ordering::Relaxed) > 0, "{failures:?}");
    assert!(failures.conflicts.load(Ordering::Relaxed) > 0, "{failures:?}");
}

/// All of them keep the same run, too, and begin with a server that has no folder yet.
#[test]
#[ignore = "slow: run by .ci/run full"]
fn writers_to_a_webdav_server_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    fs::create_dir(&root).unwrap();
    let server =
        BucketServer::start("wsgidav", &["--auth=anonymous", "--root", root.to_str().unwrap()]);
    let store = format!("http://127.0.0.1:{}/perf/kept", server.port);
    let with = |mut command: Command| {
        command.env("NO_PROXY", "127.0.0.1");
        command
    };
    let write = |writer: usize| {
        let folder = tempfile::tempdir().unwrap();
        for it in [writer * 1_000, writer * 1_000 + 1, 80_000] {
            succeed(with(save(folder.path(), &store, it)));
        }
    };
    thread::scope(|scope| {
        let write = &write;
        for writer in 0..4 {
            scope.spawn(move || write(writer));
        }
    });
    let verified = succeed(with(baseline(folder.path(), &store, &["verify"]))).stdout;
    let whole = "9 runs and 0 pins are whole; 0 damaged, 0 unknown files\n";
    assert_eq!(String::from_utf8(verified).unwrap(), whole);
    succeed(with(baseline(folder.path(), &store, &["prune", "--keep", "2"])));
    let listing = succeed(with(baseline(folder.path(), &store, &["list"]))).stdout;
    assert_eq!(String::from_utf8(listing).unwrap(), "main  2 runs\n");
    let pinned = refusal(with(baseline(folder.path(), &store, &["pin", "release", "main"])));
    assert!(
        pinned.contains("keep baselines where a change can be made on a condition"),
        "{pinned}"
    );
}

/// One object of others must not be a riddle.
#[test]
#[ignore = "slow: run by .ci/run full"]
fn an_object_whose_name_is_no_path_is_named() {
    let s3 = S3::start();
    let folder = tempfile::tempdir().unwrap();
    let url = format!("http://127.0.0.1:{}/kept/xmlperf/other//object", s3.port);
    assert_eq!(exchange("PUT", &url, &[], b"?".to_vec()).0, 200);
    let with = |mut command: Command| {
        command.envs(env(s3.port));
        command
    };
    succeed(with(save(folder.path(), BUCKET, 1)));
    succeed(with(baseline(folder.path(), BUCKET, &["list", "main"])));
    let said = refusal(with(baseline(folder.path(), BUCKET, &["verify"])));
    assert!(
        said.contains("xmlperf/other//object") && said.contains("a name that is no path"),
        "{said}"
    );
}

#[test]
#[ignore = "slow: run by .ci/run full"]
fn a_bucket_that_is_missing_is_not_taken_for_an_empty_one() {
    let s3 = S3::start();
    let folder = tempfile::tempdir().unwrap();
    for words in [&["list", "main"][..], &["list"], &["save", "main", "--from", "run-1.json"]] {
        run(folder.path(), 1);
        let mut command = baseline(folder.path(), "s3://other/xmlperf", words);
        command.envs(env(s3.port));
        let said = refusal(command);
        assert!(said.contains("NoSuchBucket") && said.contains("the bucket must exist"), "{said}");
    }
}

#[test]
fn an_address_that_means_no_bucket_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let list = |store: &str| {
        let mut command = baseline(folder.path(), store, &["list"]);
        for (name, _) in std::env::vars() {
            if name.starts_with("AZURE_") || name.starts_with("AWS_") {
                command.env_remove(name);
            }
        }
        refusal(command)
    };
    insta::assert_snapshot!(list("az://container/folder"), @"
    error: `az://container/folder` is not a place for baselines: Generic MicrosoftAzure error: Account must be specified

    hint: set AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, or a SAS or a client by AZURE_…; it must be allowed to list, read, create, write and delete blobs
    ");
    insta::assert_snapshot!(list("s4://bucket"), @"
    error: `s4://bucket` is not a place for baselines: its scheme is unknown, or it names no bucket

    hint: use a folder such as `baselines`, `git+branch://origin/xmlperf-baselines`, `s3://bucket/folder`, `gs://bucket/folder`, `az://container/folder`, or `https://host/folder` of a WebDAV server
    ");
    insta::assert_snapshot!(list("https://name:password@host/folder"), @"
    error: `https://…` is not a place for baselines: an address has no password, no `?` and no `#`

    hint: the server must let this machine in without a password
    ");
    insta::assert_snapshot!(list("s3://bucket/folder?region=x"), @"
    error: `s3://…` is not a place for baselines: an address has no password, no `?` and no `#`

    hint: set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION (and AWS_ENDPOINT_URL for another service than Amazon's); the key must be allowed to list, get, put and delete
    ");
}
