//! Sends prepared requests and says of each when it was due, sent and answered, and how it ended.
//!
//! One thread, the caller's, drives every connection through one readiness queue: with a target on
//! the other core, a second thread of ours would be in its way. A request is prepared bytes, its
//! body shared and never copied, unless it is so large that it is made while it is sent; an answer is
//! read whole into a buffer that is used again, and is
//! judged after the clock was stopped. Nothing here knows what the bytes mean.
//!
//! ```
//! use std::io::{Read, Write};
//! use std::net::TcpListener;
//! use std::sync::Arc;
//! use std::thread;
//! use std::time::Duration;
//!
//! use units::cancel::Cancel;
//! use xmlperf_load::measure::Measurement;
//! use xmlperf_load::pacing::{ArrivalSchedule, OpenWorkload, PacingModel};
//! use xmlperf_load::{ClientSettings, LoadClient, LoadRequest, SuccessCheck};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // A target that answers one connection.
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! let address = listener.local_addr()?;
//! thread::spawn(move || {
//!     let (mut peer, _) = listener.accept().unwrap();
//!     while peer.read(&mut [0; 4096]).is_ok_and(|bytes| bytes > 0) {
//!         peer.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap();
//!     }
//! });
//!
//! let request = LoadRequest::get("/health", "localhost", &[], Arc::new(SuccessCheck))?;
//! let settings = ClientSettings::default();
//! let mut client = LoadClient::new(address, &[request], settings, Cancel::default())?;
//!
//! // An open workload: a request is due every 5 ms, whether or not earlier ones were answered.
//! let model = PacingModel::Open(OpenWorkload {
//!     schedule: ArrivalSchedule::constant(200.0, Duration::from_millis(100))?,
//!     late_max: Duration::from_secs(10),
//!     failures_max: None,
//! });
//! let mut measurement = Measurement::default();
//! let drive = client.follow(&model, &mut |exchange| measurement.record(exchange))?;
//! measurement.end_slice(drive.wall());
//!
//! // Response time counts from when a request was due, service time from when it was sent.
//! assert_eq!((measurement.answered(), measurement.failed()), (20, 0));
//! assert!(measurement.response().max() >= measurement.service().max());
//! # Ok(())
//! # }
//! ```

mod answer_memory;
#[cfg(target_os = "linux")]
mod arrival;
mod arrival_watch;
mod body;
pub mod capacity;
mod client;
mod cookies;
mod drive;
mod engine;
mod exchange;
#[cfg(fuzzing)]
pub mod fuzz;
mod http1;
mod http2;
mod in_flight;
mod judge;
pub mod measure;
mod network;
pub mod pacing;
mod pieces;
mod request;
mod request_plan;
mod response;
mod settings;
#[cfg(test)]
mod simulation;
#[cfg(target_os = "linux")]
mod timers;
mod tls;
mod virtual_user;

pub use body::{BodyFraming, BodyPieces, BodySource, RequestBody};
pub use client::LoadClient;
pub use exchange::{Exchange, ExchangeFailure, FailureKind};
pub use http1::RequestPreview;
pub use network::Address;
pub use pacing::DriveEnd;
pub use request::{
    LoadRequest, RequestContent, RequestError, RequestHead, RequestMethod, ResponseCheck,
    SuccessCheck, WrongResponse,
};
pub use request_plan::{
    AnswerCapture, AnswerParts, CapturedValues, CookiePolicy, LiveRequest, PlannedRequest,
    RequestCycle, RequestForm, RequestOrder, RequestPlan, UnsendableRequest,
};
pub use settings::{
    ClientSettings, ConnectionReuse, DriveOutcome, HttpVersion, LoadError, Timeouts,
};
pub use tls::{TlsClient, TlsError, TlsIdentity, TlsTrust};
