//! How a target is reached: by port or socket, plain or over TLS, under which name.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use crate::cancel::Cancel;
use crate::load::pacing::Stop;
use crate::load::{
    Address, Check, Client, Exchange, LoadError, Request, Settings, Timeouts, Tls, TlsError,
};
use crate::runner::Source;
use crate::scenario;
use crate::scenario::Scheme;
use crate::target::{Ask, Place, Target, Url};

/// How long one poll may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// The name that a certificate of what is started here has to bear.
const STARTED_NAME: &str = "localhost";

/// What is known of a build's connections before it runs.
#[derive(Debug, Clone, Default)]
pub(super) struct Reached {
    tls: Option<Tls>,
    /// What the URL calls it, if that matters to a target over TLS.
    name: Option<String>,
}

impl Reached {
    pub(super) fn new(source: &Source, target: &scenario::Target) -> Result<Self, TlsError> {
        let secured = |host: &str, name| {
            let tls = Tls::new(host, &target.trust)?;
            Ok(Self { tls: Some(tls), name })
        };
        match source {
            Source::Attach(url) => match Url::parse(url) {
                Ok(Url::Https(authority)) => {
                    secured(Url::Https(authority).host(), Some(authority.to_owned()))
                }
                // A URL that is none is told of where it is resolved.
                Ok(Url::Http(_) | Url::Unix(_)) | Err(_) => Ok(Self::default()),
            },
            Source::Start(_) => match target.scheme {
                Scheme::Https => secured(STARTED_NAME, None),
                Scheme::Http => Ok(Self::default()),
            },
        }
    }

    /// Returns the value of the `Host` header.
    pub(super) fn host(&self, target: &Target) -> String {
        match (&self.name, target.place()) {
            (Some(name), _) => name.clone(),
            (None, Place::Port(address)) if self.tls.is_some() => {
                format!("{STARTED_NAME}:{}", address.port())
            }
            (None, Place::Port(address)) => address.to_string(),
            (None, Place::Socket(_)) => "localhost".to_owned(),
        }
    }

    /// Makes a client, by way of another address if there is one between.
    pub(super) fn client(
        &self,
        place: &Place,
        by_way_of: Option<SocketAddr>,
        requests: Arc<[Request]>,
        settings: Settings,
        cancel: Cancel,
    ) -> Result<Client, LoadError> {
        let address = match (by_way_of, place) {
            (Some(address), _) => Address::Tcp(address),
            (None, Place::Port(address)) => Address::Tcp(*address),
            (None, Place::Socket(path)) => Address::Unix(path.clone()),
        };
        match &self.tls {
            Some(tls) => Client::secured(address, tls.clone(), requests, settings, cancel),
            None => Client::new(address, requests, settings, cancel),
        }
    }

    /// Returns how the target is asked whether it is ready.
    pub(super) fn ask(&self) -> Ask {
        if self.tls.is_none() {
            return Ask::default();
        }
        let reached = self.clone();
        Ask::new(move |place, path| reached.status(place, path))
    }

    fn status(&self, place: &Place, path: &str) -> Result<u16, String> {
        let seen = Arc::new(Seen::default());
        let check = Arc::<Seen>::clone(&seen);
        let host = self.name.as_deref().unwrap_or(STARTED_NAME);
        let request = Request::get(path, host, &[], check).map_err(|error| error.to_string())?;
        let timeouts = Timeouts { connect: PATIENCE, first_byte: PATIENCE, total: PATIENCE };
        let settings = Settings { timeouts, ..Settings::default() };
        let requests = Arc::new([request]);
        let told = |error: LoadError| error.to_string();
        let mut client =
            self.client(place, None, requests, settings, Cancel::default()).map_err(told)?;
        let mut outcome = Ok(());
        let sink = &mut |exchange: &Exchange| outcome.clone_from(&exchange.outcome);
        client.drive(Stop::after_requests(1), sink).map_err(told)?;
        outcome.map_err(|failure| failure.detail)?;
        Ok(seen.0.load(Ordering::Relaxed))
    }
}

/// Any answer is right; its status is kept.
#[derive(Default)]
struct Seen(AtomicU16);

impl Check for Seen {
    fn check(&self, status: u16, _body: &[u8]) -> Result<(), String> {
        self.0.store(status, Ordering::Relaxed);
        Ok(())
    }
}
