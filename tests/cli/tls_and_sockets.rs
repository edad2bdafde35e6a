//! Targets behind TLS and Unix sockets, with the program as a user runs it.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up must fail")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;

use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio_rustls::TlsAcceptor;

const PROGRAM: &str = env!("CARGO_BIN_EXE_xmlperf");

/// The reference API, until it is dropped.
struct ReferenceApi {
    child: Child,
    address: SocketAddr,
}

impl ReferenceApi {
    fn start() -> Self {
        let mut child = Command::new(PROGRAM)
            .args(["serve", "--port", "0", "--workers", "1"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().trim_start_matches("listening on http://");
        let address = address.split('/').next().unwrap().parse().unwrap();
        Self { child, address }
    }
}

impl Drop for ReferenceApi {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs what waits for connections on a thread of its own, until the test ends.
fn behind<F: Future<Output = ()>>(serve: impl FnOnce() -> F + Send + 'static) {
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move { serve().await });
    });
}

async fn pass(mut outside: impl AsyncRead + AsyncWrite + Unpin, api: SocketAddr) {
    let mut inside = TcpStream::connect(api).await.unwrap();
    let _ = copy_bidirectional(&mut outside, &mut inside).await;
}

/// Puts a socket before the API.
fn socket(path: &Path, api: SocketAddr) {
    let listener = std::os::unix::net::UnixListener::bind(path).unwrap();
    listener.set_nonblocking(true).unwrap();
    behind(async move || {
        let listener = UnixListener::from_std(listener).unwrap();
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(pass(stream, api));
        }
    });
}

/// Puts TLS before the API. Returns its port, and writes the certificate for `localhost` to `ca`.
fn secured(ca: &Path, api: SocketAddr) -> u16 {
    secured_for(ca, api, None)
}

/// The same for the holder of a certificate only, if one is given.
fn secured_for(ca: &Path, api: SocketAddr, client: Option<CertificateDer<'_>>) -> u16 {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(ca, made.cert.pem()).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match client {
        None => builder.with_no_client_auth(),
        Some(client) => {
            let mut roots = RootCertStore::empty();
            roots.add(client.into_owned()).unwrap();
            let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(clients.build().unwrap())
        }
    };
    let mut config = builder.with_single_cert(vec![made.cert.der().clone()], key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    behind(async move || {
        let listener = TcpListener::from_std(listener).unwrap();
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    pass(stream, api).await;
                }
            });
        }
    });
    port
}

/// Runs load in `folder` on a target and returns the exit code and all that was said.
fn run(folder: &Path, target: &str, load: &str) -> (Option<i32>, String) {
    let config = format!(
        "[target]\n{target}\nready-timeout = \"2 s\"\n[sampling]\nlaunches = 1\nwarm-up = \"0 s\"\n\
         [[scenario]]\nname = \"few\"\npairs = 5\nload = {{ requests = 30{load} }}\n"
    );
    fs::write(folder.join("xmlperf.toml"), config).unwrap();
    let output = Command::new(PROGRAM)
        .args(["run", "--plain", "--lane", "time"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

#[test]
fn a_unix_socket_is_reached_by_its_path() {
    let (api, folder) = (ReferenceApi::start(), tempfile::tempdir().unwrap());
    let path = folder.path().join("api.sock");
    socket(&path, api.address);
    for load in ["", ", http = \"2\", streams = 3"] {
        let (code, said) = run(folder.path(), &format!("url = \"unix:{}\"", path.display()), load);
        assert_eq!(code, Some(0), "{said}");
    }
    let (code, said) = run(folder.path(), "url = \"unix:/no/such.sock\"", "");
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("nothing listens on unix:/no/such.sock"), "{said}");
}

#[test]
fn tls_is_spoken_to_whom_the_certificate_names() {
    let (api, folder) = (ReferenceApi::start(), tempfile::tempdir().unwrap());
    let folder = folder.path();
    let port = secured(&folder.join("ca.pem"), api.address);
    let url = format!("url = \"https://localhost:{port}\"");
    for load in ["", ", http = \"2\", streams = 3", ", reuse = \"request\""] {
        let (code, said) = run(folder, &format!("{url}\nca = \"ca.pem\""), load);
        assert_eq!(code, Some(0), "{said}");
    }
    for (target, why) in [
        (url.clone(), "certificate"),
        (format!("url = \"https://127.0.0.1:{port}\"\nca = \"ca.pem\""), "certificate"),
    ] {
        let (code, said) = run(folder, &target, "");
        assert_eq!(code, Some(3), "{said}");
        assert!(said.contains(why), "{said}");
    }
}

#[test]
fn a_target_that_wants_to_know_its_client_is_shown_a_certificate() {
    let (api, folder) = (ReferenceApi::start(), tempfile::tempdir().unwrap());
    let folder = folder.path();
    let client = rcgen::generate_simple_self_signed(["client".to_owned()]).unwrap();
    fs::write(folder.join("client.pem"), client.cert.pem()).unwrap();
    fs::write(folder.join("client.key"), client.signing_key.serialize_pem()).unwrap();
    let shown = Some(client.cert.der().clone());
    let port = secured_for(&folder.join("ca.pem"), api.address, shown);
    let target = format!("url = \"https://localhost:{port}\"\nca = \"ca.pem\"");
    let identity = "client-cert = \"client.pem\"\nclient-key = \"client.key\"";
    for load in ["", ", http = \"2\", streams = 3"] {
        let (code, said) = run(folder, &format!("{target}\n{identity}"), load);
        assert_eq!(code, Some(0), "{said}");
    }
    let (code, said) = run(folder, &target, "");
    assert_eq!(code, Some(3), "{said}");
    for (identity, why) in [
        ("client-key = \"client.key\"", "`client-key` belongs to a `client-cert`"),
        (
            "client-cert = \"client.pem\"",
            "the certificate and key of the client cannot be used: no key",
        ),
    ] {
        let (code, said) = run(folder, &format!("{target}\n{identity}"), "");
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("xmlperf.toml:4:") && said.contains(why), "{said}");
    }
}

#[test]
fn what_is_started_may_speak_tls() {
    let (api, folder) = (ReferenceApi::start(), tempfile::tempdir().unwrap());
    let folder = folder.path();
    let port = secured(&folder.join("ca.pem"), api.address);
    // Its own port leads to TLS elsewhere.
    let start = "import socket,sys,threading\n\
        def move(a,b):\n    while d := a.recv(65536): b.sendall(d)\n    b.close()\n\
        s=socket.create_server(('127.0.0.1',int(sys.argv[1])))\n\
        while True:\n    a=s.accept()[0]; b=socket.create_connection(('127.0.0.1',int(sys.argv[2])))\n    \
        [threading.Thread(target=move,args=x,daemon=True).start() for x in ((a,b),(b,a))]\n";
    fs::write(folder.join("lead.py"), start).unwrap();
    let start =
        format!("start = \"python3 lead.py {{port}} {port}\"\nscheme = \"https\"\nca = \"ca.pem\"");
    let (code, said) = run(folder, &start, "");
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn what_is_wrong_with_a_target_is_said_with_its_key() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("empty.pem"), "").unwrap();
    for (target, why) in [
        ("url = \"ftp://a\"", "`ftp://a` is not an address such as"),
        ("url = \"unix:here.sock\"", "`unix:here.sock` is not an address"),
        ("url = \"http://a:1\"\nca = \"empty.pem\"", "`ca` is for TLS"),
        ("url = \"https://a:1\"\nca = \"none.pem\"", "none.pem`: No such file"),
        ("url = \"https://a:1\"\nca = \"empty.pem\"", "the certificates to trust cannot be read"),
        ("url = \"http://a:1\"\nclient-cert = \"empty.pem\"", "`client-cert` is for TLS"),
        ("url = \"https://a:1\"\nscheme = \"https\"", "`scheme` is for what `start`"),
    ] {
        let (code, said) = run(folder.path(), target, "");
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("xmlperf.toml:"), "{said}");
        assert!(said.contains(why), "{said}");
    }
}
