//! The load engine against a server that knows nothing of it: Debian's nginx.

#![expect(clippy::unwrap_used, reason = "a test that cannot start its server must fail")]

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use load::measure::{self, Measurement};
use load::pacing::{ArrivalSchedule, OpenWorkload, PacingModel, StopCondition};
use load::{
    ClientSettings, Exchange, HttpVersion, LoadClient, LoadRequest, ResponseCheck, SuccessCheck,
    TlsClient, TlsTrust, WrongResponse,
};
use rustix::process::{Pid, Signal};
use tempfile::TempDir;
use units::cancel::Cancel;

/// Sizes of the files that are served: 37 KB and 10 MB have wedged connections of other clients.
const SIZES: [usize; 3] = [16, 37_000, 10_000_000];

/// An nginx of one worker. It ends with the test.
struct Nginx {
    folder: TempDir,
    child: Child,
    address: SocketAddr,
}

impl Nginx {
    /// Listens as `listen` says behind the address, with these further lines.
    fn start(listen: &str, lines: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for size in SIZES {
            fs::write(root.join(size.to_string()), vec![b'x'; size]).unwrap();
        }
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let root = root.display();
        let configuration = format!(
            "worker_processes 1;
             daemon off;
             user root;
             pid {root}/nginx.pid;
             error_log {root}/error.log;
             events {{ worker_connections 4096; }}
             http {{
                 access_log off;
                 keepalive_requests 1000000;
                 client_body_temp_path {root}/body;
                 server {{ listen {address} backlog=4096 {listen}; root {root}; {lines} }}
             }}"
        );
        let file = folder.path().join("nginx.conf");
        fs::write(&file, configuration).unwrap();
        let child = Command::new("nginx")
            .args(["-p".as_ref(), folder.path(), "-c".as_ref(), &file])
            .stderr(Stdio::null())
            .spawn()
            .expect("nginx is there: apt-get install nginx");
        let nginx = Self { folder, child, address };
        for _ in 0..200 {
            if TcpStream::connect(address).is_ok() && nginx.worker().is_some() {
                return nginx;
            }
            thread::sleep(Duration::from_millis(20));
        }
        let log = fs::read_to_string(nginx.folder.path().join("error.log"));
        panic!("nginx does not listen: {log:?}");
    }

    /// The process that answers.
    fn worker(&self) -> Option<Pid> {
        let id = self.child.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap();
        Pid::from_raw(children.trim().parse().ok()?)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // The master ends its worker when it is to stop.
        let id = Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(id, Signal::TERM);
        let _ = self.child.wait();
    }
}

struct LengthCheck(usize);

impl ResponseCheck for LengthCheck {
    fn check(&self, status: u16, body: &[u8]) -> Result<(), WrongResponse> {
        let right = status == 200 && body.len() == self.0;
        let fault = || WrongResponse::Content(format!("{status}, {} bytes", body.len()).into());
        right.then_some(()).ok_or_else(fault)
    }
}

fn number(number: usize) -> NonZeroUsize {
    NonZeroUsize::new(number).unwrap()
}

fn gets(host: &str) -> Vec<LoadRequest> {
    let get = |size| {
        LoadRequest::get(&format!("/{size}"), host, &[], Arc::new(LengthCheck(size))).unwrap()
    };
    SIZES.map(get).into()
}

fn check_closed(mut client: LoadClient, in_flight: usize) {
    for _ in 0..2 {
        client.renew().unwrap();
        let mut failed: Vec<Exchange> = Vec::new();
        let drive = client
            .drive(StopCondition::after_requests(300), &mut |it| {
                if it.outcome.is_err() {
                    failed.push(it.clone());
                }
            })
            .unwrap();
        assert!(failed.is_empty(), "{failed:?}");
        assert!(drive.exchanges >= 300 && drive.in_flight_max == in_flight, "{drive:?}");
    }
}

#[test]
#[ignore = "needs nginx: run by .ci/run full"]
fn answers_of_37_kb_and_10_mb_pass_over_every_kind_of_connection() {
    let nginx = Nginx::start("", "");
    let settings = ClientSettings { connections: number(8), ..ClientSettings::default() };
    let cancel = Cancel::default();
    let client = LoadClient::new(nginx.address, gets("localhost"), settings, cancel.clone());
    check_closed(client.unwrap(), 8);

    let two = ClientSettings {
        http: HttpVersion::Two { streams: number(4) },
        connections: number(2),
        ..settings
    };
    let nginx = Nginx::start("http2", "");
    let client = LoadClient::new(nginx.address, gets("localhost"), two, cancel.clone());
    check_closed(client.unwrap(), 8);

    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let keys = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| {
        let path = keys.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let line = |key: &str, path: &Path| format!("{key} {};", path.display());
    let lines = [
        line("ssl_certificate", &write("certificate", made.cert.pem())),
        line("ssl_certificate_key", &write("key", made.signing_key.serialize_pem())),
    ];
    let nginx = Nginx::start("ssl http2", &lines.concat());
    let tls = || TlsClient::new("localhost", &TlsTrust::Pem(made.cert.pem().into_bytes())).unwrap();
    for settings in [settings, two] {
        let requests = gets("localhost");
        let client = LoadClient::secured(nginx.address, tls(), &requests, settings, cancel.clone());
        check_closed(client.unwrap(), 8);
    }
}

#[test]
#[ignore = "needs nginx, measures for 10 s: run by .ci/run full"]
fn a_second_in_which_the_worker_was_stopped_shows_in_the_response_times() {
    let nginx = Nginx::start("", "");
    let request = LoadRequest::get("/16", "localhost", &[], Arc::new(SuccessCheck)).unwrap();
    let settings = ClientSettings { connections: number(1_500), ..ClientSettings::default() };
    let cancel = Cancel::default();
    let mut client = LoadClient::new(nginx.address, &[request], settings, cancel).unwrap();
    // To connect while no socket accepts would be another experiment: SYNs are sent again after 1 s.
    client.renew().unwrap();
    let schedule = ArrivalSchedule::constant(1_000.0, Duration::from_secs(10)).unwrap();
    let late_max = Duration::from_mins(1);
    let model = PacingModel::Open(OpenWorkload { schedule, late_max, failures_max: None });
    let worker = nginx.worker().unwrap();
    let stall = thread::spawn(move || {
        thread::sleep(Duration::from_secs(4));
        rustix::process::kill_process(worker, Signal::STOP).unwrap();
        thread::sleep(Duration::from_secs(1));
        rustix::process::kill_process(worker, Signal::CONT).unwrap();
    });
    let mut measurement = Measurement::default();
    let drive = client.follow(&model, &mut |exchange| measurement.record(exchange)).unwrap();
    stall.join().unwrap();
    assert_eq!((drive.exchanges, drive.failures, drive.dropped), (10_000, 0, 0));
    // Of 10 s one is lost: a tenth of the requests wait, evenly between 0 and 1 s.
    let percentile = |quantile| {
        let ns = measure::percentile(measurement.response(), quantile).unwrap();
        ns as f64 / 1e9
    };
    let near = |value: f64, expected: f64| assert!((value - expected).abs() < 0.1, "{value}");
    near(percentile(0.95), 0.5);
    near(percentile(0.99), 0.9);
    near(measurement.response().max() as f64 / 1e9, 1.0);
    assert!(percentile(0.85) < 0.1, "{}", percentile(0.85));
}
