//! Holds connections to one target, and drives load over them on request.
//!
//! Connections outlive a drive, so that a paired run can drive two targets in turn, in slices of
//! milliseconds, without paying for connections in each.

use super::engine::LoadEngine;
use super::exchange::Exchange;
use super::http2::{self, Http2Engine};
use super::network::{Address, PreciseWaits, SystemNetwork};
use super::pacing::{ClosedWorkload, PacingModel, StopCondition};
use super::request_plan::RequestPlan;
use super::settings::{ClientSettings, DriveOutcome, HttpVersion, LoadError};
use super::tls::{TlsClient, TlsNetwork};
use super::virtual_user::VirtualUsers;
use units::cancel::Cancel;

/// Connections to one target, and the requests to send over them.
pub struct LoadClient {
    channel: ClientEngine,
}

/// The engine of each version of HTTP, over plain connections or secured ones.
enum ClientEngine {
    Plain(Box<LoadEngine<SystemNetwork>>),
    Secured(Box<LoadEngine<TlsNetwork>>),
    Multiplexed(Box<Http2Engine<SystemNetwork>>),
    MultiplexedSecured(Box<Http2Engine<TlsNetwork>>),
}

/// Calls the same of every engine.
macro_rules! engine {
    ($channel:expr, $engine:ident => $call:expr) => {
        match $channel {
            ClientEngine::Plain($engine) => $call,
            ClientEngine::Secured($engine) => $call,
            ClientEngine::Multiplexed($engine) => $call,
            ClientEngine::MultiplexedSecured($engine) => $call,
        }
    };
}

impl LoadClient {
    /// Makes a client of `address` that sends `requests`, a list of them in turn. Nothing is connected
    /// yet.
    pub fn new(
        address: impl Into<Address>,
        requests: impl Into<RequestPlan>,
        settings: ClientSettings,
        cancel: Cancel,
    ) -> Result<Self, LoadError> {
        Self::build(address.into(), None, &requests.into(), settings, cancel)
    }

    /// Makes a client whose connections are secured; otherwise as [`LoadClient::new`].
    pub fn secured(
        address: impl Into<Address>,
        tls: TlsClient,
        requests: impl Into<RequestPlan>,
        settings: ClientSettings,
        cancel: Cancel,
    ) -> Result<Self, LoadError> {
        Self::build(address.into(), Some(tls), &requests.into(), settings, cancel)
    }

    fn build(
        address: Address,
        tls: Option<TlsClient>,
        plan: &RequestPlan,
        settings: ClientSettings,
        cancel: Cancel,
    ) -> Result<Self, LoadError> {
        let (http, connections) = (settings.http, settings.connections.get());
        let channel = match (http, tls) {
            (HttpVersion::One, None) => {
                let network = SystemNetwork::new(address.clone(), connections)?;
                let engine = LoadEngine::new(network, address, plan, settings, cancel)?;
                ClientEngine::Plain(Box::new(engine))
            }
            (HttpVersion::One, Some(tls)) => {
                let system = SystemNetwork::new(address.clone(), connections)?;
                let network = TlsNetwork::new(system, tls, http, connections);
                let engine = LoadEngine::new(network, address, plan, settings, cancel)?;
                ClientEngine::Secured(Box::new(engine))
            }
            (HttpVersion::Two { streams }, None) => {
                let sockets = http2::sockets(&settings, streams);
                let network = SystemNetwork::new(address.clone(), sockets)?;
                let engine =
                    Http2Engine::new(network, address, "http", plan, settings, streams, cancel)?;
                ClientEngine::Multiplexed(Box::new(engine))
            }
            (HttpVersion::Two { streams }, Some(tls)) => {
                let sockets = http2::sockets(&settings, streams);
                let system = SystemNetwork::new(address.clone(), sockets)?;
                let network = TlsNetwork::new(system, tls, http, sockets);
                let engine =
                    Http2Engine::new(network, address, "https", plan, settings, streams, cancel)?;
                ClientEngine::MultiplexedSecured(Box::new(engine))
            }
        };
        Ok(Self { channel })
    }

    /// Sends requests, each connection its next when the last is answered, until `stop` is reached;
    /// those in flight are then awaited. `sink` gets every exchange as it ends.
    ///
    /// Requests are taken in their order, going on where the last drive ended; connections are kept.
    pub fn drive(
        &mut self,
        stop: StopCondition,
        sink: &mut impl FnMut(&Exchange),
    ) -> Result<DriveOutcome, LoadError> {
        self.follow(&PacingModel::Closed(ClosedWorkload::from(stop)), sink)
    }

    /// Sends requests as `model` says and awaits those in flight; otherwise as [`LoadClient::drive`].
    pub fn follow(
        &mut self,
        model: &PacingModel,
        sink: &mut impl FnMut(&Exchange),
    ) -> Result<DriveOutcome, LoadError> {
        let _precise = match model {
            PacingModel::Closed(_) => None,
            PacingModel::Open(_) => PreciseWaits::begin(),
        };
        engine!(&mut self.channel, engine => engine.drive(model, sink))
    }

    /// Has every virtual user send the requests of the plan's setup, outside all load; nothing more after
    /// one that failed.
    pub fn set_up(&mut self, sink: &mut impl FnMut(&Exchange)) -> Result<DriveOutcome, LoadError> {
        self.users().begin_setup();
        let drive = self.drive(StopCondition::after_failure(), sink);
        self.users().begin_load();
        drive
    }

    fn users(&mut self) -> &mut VirtualUsers {
        engine!(&mut self.channel, engine => engine.users())
    }

    /// Closes every connection and makes new ones, so that none sticks to one worker of the target.
    ///
    /// Returns when they are there, or refused: the next drive tries those again and reports them.
    pub fn renew(&mut self) -> Result<(), LoadError> {
        engine!(&mut self.channel, engine => engine.renew())
    }
}
