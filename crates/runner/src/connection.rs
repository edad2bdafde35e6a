//! How a target is reached: by port or socket, plain or over TLS, under which name.

use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use crate::BuildSource;
use load::pacing::StopCondition;
use load::{
    Address, ClientSettings, Exchange, FailureKind, LoadClient, LoadError, LoadRequest,
    RequestPlan, ResponseCheck, Timeouts, TlsClient, TlsError, WrongResponse,
};
use suite::UrlScheme;
use sut::{ProbeError, ProbeQuery, ReadinessProbe, Target, TargetAddress, Url};
use units::cancel::Cancel;

/// The name that a certificate of what is started here has to bear.
const STARTED_NAME: &str = "localhost";

/// Longest time to find out whether there is a listener.
const CONNECT_MAX: Duration = Duration::from_secs(1);

/// What is known of a build's connections before it runs.
#[derive(Debug, Clone, Default)]
pub(super) struct ConnectionSetup {
    tls: Option<TlsClient>,
    /// What the URL calls it, if that matters to a target over TLS.
    name: Option<String>,
}

impl ConnectionSetup {
    pub(super) fn new(source: &BuildSource, target: &suite::TargetSpec) -> Result<Self, TlsError> {
        let secured = |host: &str, name| {
            let tls = TlsClient::with_identity(host, &target.trust, target.identity.as_ref())?;
            Ok(Self { tls: Some(tls), name })
        };
        match source {
            BuildSource::Attach(url) => match Url::parse(url) {
                Ok(Url::Https(authority)) => {
                    secured(Url::Https(authority).host(), Some(authority.to_owned()))
                }
                // A malformed URL is reported where it is resolved.
                Ok(Url::Http(_) | Url::Unix(_)) | Err(_) => Ok(Self::default()),
            },
            BuildSource::Start(_) => match target.scheme {
                UrlScheme::Https => secured(STARTED_NAME, None),
                UrlScheme::Http => Ok(Self::default()),
            },
        }
    }

    /// Returns the value of the `Host` header.
    pub(super) fn host(&self, target: &Target) -> String {
        match (&self.name, target.place()) {
            (Some(name), _) => name.clone(),
            (None, TargetAddress::Port(address)) if self.tls.is_some() => {
                format!("{STARTED_NAME}:{}", address.port())
            }
            (None, TargetAddress::Port(address)) => address.to_string(),
            (None, TargetAddress::Socket(_)) => "localhost".to_owned(),
        }
    }

    /// Makes a client, by way of another address if there is one between.
    pub(super) fn client(
        &self,
        place: &TargetAddress,
        by_way_of: Option<SocketAddr>,
        requests: impl Into<RequestPlan>,
        settings: ClientSettings,
        cancel: Cancel,
    ) -> Result<LoadClient, LoadError> {
        let address = match (by_way_of, place) {
            (Some(address), _) => Address::Tcp(address),
            (None, TargetAddress::Port(address)) => Address::Tcp(*address),
            (None, TargetAddress::Socket(path)) => Address::Unix(path.clone()),
        };
        match &self.tls {
            Some(tls) => LoadClient::secured(address, tls.clone(), requests, settings, cancel),
            None => LoadClient::new(address, requests, settings, cancel),
        }
    }

    /// Returns the request that checks whether the target is ready.
    pub(super) fn ask(&self) -> ReadinessProbe {
        if self.tls.is_none() {
            return ReadinessProbe::default();
        }
        let reached = self.clone();
        ReadinessProbe::new(move |query| reached.status(query))
    }

    fn status(&self, query: &ProbeQuery<'_>) -> Result<u16, ProbeError> {
        let ProbeQuery { place, path, patience, cancel } = *query;
        let seen = Arc::new(StatusCapture::default());
        let check = Arc::<StatusCapture>::clone(&seen);
        let host = self.name.as_deref().unwrap_or(STARTED_NAME);
        let request = LoadRequest::get(path, host, &[], check)
            .map_err(|error| ProbeError::Other(error.to_string()))?;
        let timeouts = Timeouts { connect: patience, first_byte: patience, total: patience };
        let settings = ClientSettings { timeouts, ..ClientSettings::default() };
        let worded = |error: LoadError| ProbeError::Other(error.to_string());
        let mut client =
            self.client(place, None, &[request], settings, cancel.clone()).map_err(worded)?;
        let mut outcome = Ok(());
        let sink = &mut |exchange: &Exchange| outcome.clone_from(&exchange.outcome);
        client.drive(StopCondition::after_requests(1), sink).map_err(worded)?;
        outcome.map_err(|failure| match failure.kind {
            // A handshake that fails refuses too, but there is a listener.
            FailureKind::Refused if is_listened_on(place) => ProbeError::Other(failure.detail),
            FailureKind::Refused => ProbeError::Closed { place: place.clone() },
            FailureKind::Timeout => ProbeError::Late { place: place.clone(), patience },
            FailureKind::Reset
            | FailureKind::Status(_)
            | FailureKind::WrongAnswer
            | FailureKind::ShortBody
            | FailureKind::Malformed => ProbeError::Other(failure.detail),
        })?;
        Ok(seen.0.load(Ordering::Relaxed))
    }
}

fn is_listened_on(place: &TargetAddress) -> bool {
    match place {
        TargetAddress::Port(address) => TcpStream::connect_timeout(address, CONNECT_MAX).is_ok(),
        TargetAddress::Socket(path) => UnixStream::connect(path).is_ok(),
    }
}

/// Any answer is right; its status is kept.
#[derive(Default)]
struct StatusCapture(AtomicU16);

impl ResponseCheck for StatusCapture {
    fn check(&self, status: u16, _body: &[u8]) -> Result<(), WrongResponse> {
        self.0.store(status, Ordering::Relaxed);
        Ok(())
    }
}
