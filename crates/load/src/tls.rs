//! Speaks TLS below the engine, which sees connections that are ready only once they are secure.
//!
//! The handshake belongs to connecting: it counts into the response time of a request that waited
//! for it, as it would for a user, and never into the service time.

use std::fmt;
use std::io::{self, Read, Write};
use std::sync::Arc;

use miette::Diagnostic;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{self, CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use rustls_platform_verifier::BuilderVerifierExt;
use thiserror::Error;

use super::http1::UnsentBytes;
use super::network::{NetworkDriver, SocketReadiness, SystemNetwork};
use super::settings::HttpVersion;

/// Plaintext is moved in pieces of the largest TLS record.
const RECORD_BYTES: usize = 16 * 1024;

/// Whom to believe to be the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsTrust {
    /// Issuers that the system trusts.
    System,
    /// Issuers or holders of these certificates, in PEM form; or the certificate itself.
    Pem(Vec<u8>),
    /// Any certificate: for targets on this machine that have made one up.
    Any,
}

/// What shows a target who asks: a certificate, with those of its issuers, and its key.
#[derive(Clone, PartialEq, Eq)]
pub struct TlsIdentity {
    /// In PEM form, the client's own first.
    pub certificates: Vec<u8>,
    /// In PEM form.
    pub key: Vec<u8>,
}

impl fmt::Debug for TlsIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsIdentity").finish_non_exhaustive()
    }
}

/// How connections are secured.
#[derive(Clone)]
pub struct TlsClient {
    config: Arc<ClientConfig>,
    http2: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl fmt::Debug for TlsClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Why connections cannot be secured.
#[derive(Debug, Error, Diagnostic)]
pub enum TlsError {
    /// The name is neither a host name nor an address.
    #[error("`{name}` is not the name of a server")]
    #[diagnostic(help("give it without scheme and port"))]
    Name {
        /// What was given.
        name: String,
    },
    /// The certificates cannot be read.
    #[error("the certificates to trust cannot be read: {reason}")]
    #[diagnostic(help("give them in PEM form"))]
    Certificates {
        /// What is wrong with them.
        reason: String,
    },
    /// The client's own certificate or key cannot be read, or they do not belong together.
    #[error("the certificate and key of the client cannot be used: {reason}")]
    #[diagnostic(help("give both in PEM form; a key with a pass phrase cannot be read"))]
    Identity {
        /// What is wrong with them.
        reason: String,
    },
    /// The library refused what it was given.
    #[error("failed to set up TLS")]
    Setup(#[from] rustls::Error),
}

impl TlsClient {
    /// Prepares connections to the server of this `name`, which its certificate has to bear.
    pub fn new(name: &str, trust: &TlsTrust) -> Result<Self, TlsError> {
        Self::with_identity(name, trust, None)
    }

    /// Prepares them for a server that wants to know who connects.
    pub fn with_identity(
        name: &str,
        trust: &TlsTrust,
        identity: Option<&TlsIdentity>,
    ) -> Result<Self, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        let builder = match trust {
            TlsTrust::System => builder.with_platform_verifier()?,
            TlsTrust::Pem(pem) => builder.with_root_certificates(roots(pem)?),
            TlsTrust::Any => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider))),
        };
        let mut config = match identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let (certificates, key) = identity.read()?;
                let config = builder.with_client_auth_cert(certificates, key);
                config.map_err(|error| TlsError::Identity { reason: error.to_string() })?
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        let http2 = Arc::new(config.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let wrong_name = |_| TlsError::Name { name: name.to_owned() };
        let name = ServerName::try_from(name.to_owned()).map_err(wrong_name)?;
        Ok(Self { config: Arc::new(config), http2, name })
    }
}

impl TlsIdentity {
    fn read(&self) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
        let wrong = |reason: String| TlsError::Identity { reason };
        let certificates = CertificateDer::pem_slice_iter(&self.certificates)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| wrong(error.to_string()))?;
        if certificates.is_empty() {
            return Err(wrong("there is no certificate".to_owned()));
        }
        let key = PrivateKeyDer::from_pem_slice(&self.key);
        Ok((certificates, key.map_err(|error| wrong(format!("no key: {error}")))?))
    }
}

fn roots(pem: &[u8]) -> Result<RootCertStore, TlsError> {
    let wrong = |reason: String| TlsError::Certificates { reason };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
        roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
    }
    if roots.is_empty() { Err(wrong("there is none".to_owned())) } else { Ok(roots) }
}

/// Believes any certificate, and checks only that its owner speaks.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// The system's network, with a TLS session on every connection.
pub(super) struct TlsNetwork {
    system: SystemNetwork,
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    /// Whether the target has to agree to HTTP/2.
    is_http2: bool,
    sessions: Vec<Option<TlsSession>>,
}

struct TlsSession {
    tls: ClientConnection,
    /// How the handshake has failed.
    failed: Option<io::Error>,
    /// Whether the engine knows that the handshake is over.
    ended: bool,
}

/// A session's ciphertext, as a stream over one connection of the system.
struct CiphertextStream<'a> {
    system: &'a mut SystemNetwork,
    slot: usize,
}

impl Read for CiphertextStream<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.system.receive_slice(self.slot, into)
    }
}

impl Write for CiphertextStream<'_> {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        self.system.send(self.slot, &UnsentBytes::one(from))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What came of receiving ciphertext.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CiphertextReceipt {
    /// Plaintext, or the peer's word that there will be no more.
    News,
    /// Records that are the session's own business.
    Housekeeping,
    /// The end of the stream.
    End,
}

impl TlsSession {
    /// Moves ciphertext both ways until the handshake is over or would have to wait.
    fn shake_hands(&mut self, wire: &mut CiphertextStream<'_>) -> io::Result<()> {
        while self.tls.is_handshaking() {
            self.flush(wire)?;
            if self.tls.is_handshaking() && self.fill(wire)? == CiphertextReceipt::End {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        self.flush(wire)
    }

    /// Sends the ciphertext that is there.
    fn flush(&mut self, wire: &mut CiphertextStream<'_>) -> io::Result<()> {
        while self.tls.wants_write() {
            self.tls.write_tls(wire)?;
        }
        Ok(())
    }

    /// Returns whether there is plaintext, an end, or an error to be received.
    fn has_news(&mut self, wire: &mut CiphertextStream<'_>) -> bool {
        // What came with the end of the handshake will not be announced again.
        if self.tls.process_new_packets().is_ok_and(|state| is_news(&state)) {
            return true;
        }
        loop {
            match self.fill(wire) {
                Ok(CiphertextReceipt::Housekeeping) => {}
                Ok(CiphertextReceipt::News | CiphertextReceipt::End) => return true,
                Err(error) => return error.kind() != io::ErrorKind::WouldBlock,
            }
        }
    }

    /// Receives ciphertext and decrypts it.
    fn fill(&mut self, wire: &mut CiphertextStream<'_>) -> io::Result<CiphertextReceipt> {
        let received = self.tls.read_tls(wire)?;
        match self.tls.process_new_packets() {
            Ok(_) if received == 0 => Ok(CiphertextReceipt::End),
            Ok(state) if is_news(&state) => Ok(CiphertextReceipt::News),
            Ok(_) => Ok(CiphertextReceipt::Housekeeping),
            Err(error) => {
                // The peer gets to know why, if it still listens.
                let _ = self.flush(wire);
                Err(io::Error::new(io::ErrorKind::InvalidData, error))
            }
        }
    }
}

/// Whether there is plaintext, or the peer's word that there will be no more.
fn is_news(state: &rustls::IoState) -> bool {
    state.plaintext_bytes_to_read() > 0 || state.peer_has_closed()
}

impl TlsNetwork {
    pub(super) fn new(
        system: SystemNetwork,
        tls: TlsClient,
        http: HttpVersion,
        connections: usize,
    ) -> Self {
        let mut sessions = Vec::new();
        sessions.resize_with(connections, || None);
        let (config, is_http2) = match http {
            HttpVersion::One => (tls.config, false),
            HttpVersion::Two { .. } => (tls.http2, true),
        };
        Self { system, config, name: tls.name, is_http2, sessions }
    }

    fn session(&mut self, slot: usize) -> (&mut TlsSession, CiphertextStream<'_>) {
        let session = self.sessions[slot].as_mut().expect("the engine uses open connections only");
        (session, CiphertextStream { system: &mut self.system, slot })
    }

    /// Does what a connection's readiness allows below the engine. Returns whether to tell it.
    fn settle(&mut self, ready: &mut SocketReadiness) -> bool {
        let is_http2 = self.is_http2;
        let (session, mut wire) = self.session(ready.slot);
        if session.ended {
            if ready.writable {
                // If it fails, receiving will too, and the engine hears of it there.
                let _ = session.flush(&mut wire);
            }
            // Tickets and key updates are nothing to read: a free connection would seem broken.
            ready.readable = ready.readable && session.has_news(&mut wire);
            return true;
        }
        match session.shake_hands(&mut wire) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
            outcome => session.failed = outcome.err(),
        }
        if is_http2 && session.failed.is_none() && session.tls.alpn_protocol() != Some(b"h2") {
            let missing = "it does not offer HTTP/2 (`h2` by ALPN)";
            session.failed = Some(io::Error::other(missing));
        }
        session.ended = true;
        ready.writable = true;
        // So far it was the handshake that was readable.
        ready.readable = session.failed.is_none() && ready.readable && session.has_news(&mut wire);
        true
    }
}

impl NetworkDriver for TlsNetwork {
    fn now_ns(&self) -> u64 {
        self.system.now_ns()
    }

    fn note_arrivals(&mut self) {
        self.system.note_arrivals();
    }

    fn arrived_ns(&self, slot: usize) -> Option<u64> {
        self.system.arrived_ns(slot)
    }

    fn sleep(&mut self, until_ns: u64, then_ns: Option<u64>) -> io::Result<()> {
        self.system.sleep(until_ns, then_ns)
    }

    fn open(&mut self, slot: usize) -> io::Result<()> {
        let (config, name) = (Arc::clone(&self.config), self.name.clone());
        let tls = ClientConnection::new(config, name).map_err(io::Error::other)?;
        self.sessions[slot] = Some(TlsSession { tls, failed: None, ended: false });
        self.system.open(slot)
    }

    fn opened(&mut self, slot: usize) -> io::Result<()> {
        self.system.opened(slot)?;
        self.session(slot).0.failed.take().map_or(Ok(()), Err)
    }

    fn close(&mut self, slot: usize) {
        self.sessions[slot] = None;
        self.system.close(slot);
    }

    fn send(&mut self, slot: usize, unsent: &UnsentBytes<'_>) -> io::Result<usize> {
        let (session, mut wire) = self.session(slot);
        session.flush(&mut wire)?;
        let [first, rest] = unsent.parts;
        let part = if first.is_empty() { rest } else { first };
        let taken = session.tls.writer().write(&part[..part.len().min(4 * RECORD_BYTES)])?;
        match session.flush(&mut wire) {
            // What was taken goes out when the connection is writable again: `settle` sees to it.
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            Ok(()) | Err(_) => Ok(taken),
        }
    }

    fn receive(&mut self, slot: usize, buffer: &mut Vec<u8>) -> io::Result<usize> {
        let (session, mut wire) = self.session(slot);
        let mut piece = [0; RECORD_BYTES];
        let before = buffer.len();
        loop {
            // The engine takes less than it had room for to mean that nothing is left.
            let room = (buffer.capacity() - buffer.len()).min(RECORD_BYTES);
            if room == 0 {
                break;
            }
            let ended = match session.tls.reader().read(&mut piece[..room]) {
                Ok(0) => true,
                Ok(read) => {
                    buffer.extend_from_slice(&piece[..read]);
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => true,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => false,
                Err(error) => return Err(error),
            };
            if ended {
                break;
            }
            match session.fill(&mut wire) {
                Ok(_) => {}
                Err(_) if buffer.len() > before => break,
                Err(error) => return Err(error),
            }
        }
        Ok(buffer.len() - before)
    }

    fn wait(&mut self, until_ns: u64, ready: &mut Vec<SocketReadiness>) -> io::Result<()> {
        self.system.wait(until_ns, ready)?;
        ready.retain_mut(|ready| self.settle(ready));
        Ok(())
    }
}
