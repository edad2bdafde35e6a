//! Sends prepared requests and says of each when it was due, sent and answered, and how it ended.
//!
//! One thread, the caller's, drives every connection through one readiness queue: with a target on
//! the other core, a second thread of ours would be in its way. A request is prepared bytes, its
//! body shared and never copied, unless it is so large that it is made while it is sent; an answer is
//! read whole into a buffer that is used again, and is
//! judged after the clock was stopped. Nothing here knows what the bytes mean.

mod arrival;
mod body;
pub mod capacity;
mod client;
mod engine;
mod exchange;
mod http1;
mod http2;
mod in_flight;
mod judge;
pub mod measure;
mod network;
pub mod pacing;
mod pieces;
mod request;
mod response;
mod settings;
#[cfg(test)]
mod simulation;
mod timers;
mod tls;

pub use body::{BodyFraming, BodyPieces, BodySource, RequestBody};
pub use client::LoadClient;
pub use exchange::{Exchange, ExchangeFailure, FailureKind};
pub use network::Address;
pub use pacing::DriveEnd;
pub use request::{LoadRequest, RequestError, ResponseCheck, SuccessCheck};
pub use settings::{
    ClientSettings, ConnectionReuse, DriveOutcome, HttpVersion, LoadError, Timeouts,
};
pub use tls::{TlsClient, TlsError, TlsTrust};
