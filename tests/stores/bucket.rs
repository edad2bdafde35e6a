//! An S3 server (moto, a package of Python) behind a proxy that fails, and what is said where nothing can work.

use std::collections::BTreeSet;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use super::{baseline, proxy, refusal, run, save, succeed};

/// A server with the bucket `kept`.
pub(super) struct S3 {
    server: Child,
    pub(super) port: u16,
}

impl S3 {
    pub(super) fn start() -> Self {
        let moto = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/moto/bin/moto_server");
        assert!(moto.exists(), "`.ci/run full` installs moto in target/moto");
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = Command::new(moto)
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let s3 = Self { server, port };
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(started.elapsed() < Duration::from_mins(1), "moto does not answer");
            thread::sleep(Duration::from_millis(50));
        }
        let url = format!("http://127.0.0.1:{port}/kept");
        ureq::put(&url).send_empty().unwrap();
        s3
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// What tells a client where the server is, or a proxy of it.
pub(super) fn env(port: u16) -> Vec<(&'static str, String)> {
    let own = |text: &str| text.to_owned();
    vec![
        ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{port}")),
        ("AWS_ALLOW_HTTP", own("true")),
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
