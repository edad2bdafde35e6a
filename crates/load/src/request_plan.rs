//! What a client sends, and in which order: requests by their place in a list, so that handing one out
//! costs an index.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use thiserror::Error;

use super::request::{LoadRequest, WrongResponse};
use super::settings::LoadError;

/// The requests of a client.
#[derive(Debug, Clone)]
pub struct RequestPlan {
    /// All different ones.
    pub requests: Vec<PlannedRequest>,
    /// Which of them is next.
    pub order: RequestOrder,
    /// Places of those that each virtual user sends once, before all others:
    /// [`LoadClient::set_up`](super::LoadClient::set_up).
    pub setup: Vec<usize>,
    /// Whether virtual users keep what they are given.
    pub cookies: CookiePolicy,
}

/// A request, and what is taken from its answer.
#[derive(Clone)]
pub struct PlannedRequest {
    /// The request, or what makes it.
    pub form: RequestForm,
    /// What is taken from a right answer, if anything is.
    pub capture: Option<Arc<dyn AnswerCapture>>,
}

/// Where a request comes from.
#[derive(Clone)]
pub enum RequestForm {
    /// It is the same each time.
    Prepared(LoadRequest),
    /// It is made each time it is sent.
    Live(Arc<dyn LiveRequest>),
}

/// What virtual users do with cookies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CookiePolicy {
    /// They ignore them.
    #[default]
    Ignored,
    /// Each keeps its own, and sends them.
    Kept,
}

/// What a virtual user has captured, by name.
pub type CapturedValues = BTreeMap<String, String>;

/// Makes a request anew each time it is sent.
pub trait LiveRequest: Send + Sync {
    /// Returns the request of a virtual user who has captured these values.
    fn render(&self, captured: &Arc<CapturedValues>) -> Result<LoadRequest, UnsendableRequest>;
}

/// Takes values from a right answer.
pub trait AnswerCapture: Send + Sync {
    /// Returns the values by name, or what is missing in the answer.
    fn capture(&self, answer: &AnswerParts<'_>) -> Result<CapturedValues, WrongResponse>;
}

/// An answer, as a capture sees it.
#[derive(Debug, Clone, Copy)]
pub struct AnswerParts<'a> {
    /// Its headers, as name and value, without those that are no text.
    pub headers: &'a [(&'a str, &'a str)],
    /// Its body, decompressed.
    pub body: &'a [u8],
}

/// Why a request cannot be made when it is to be sent.
#[derive(Debug, Error)]
#[error("the request cannot be made: {0}")]
pub struct UnsendableRequest(#[from] pub Box<dyn StdError + Send + Sync>);

impl From<LoadRequest> for PlannedRequest {
    fn from(request: LoadRequest) -> Self {
        Self { form: RequestForm::Prepared(request), capture: None }
    }
}

impl fmt::Debug for PlannedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.form {
            RequestForm::Prepared(request) => request.fmt(f),
            RequestForm::Live(_) => f.debug_struct("LiveRequest").finish_non_exhaustive(),
        }
    }
}

impl PlannedRequest {
    /// Returns the request, if it is the same each time.
    pub fn prepared(&self) -> Option<&LoadRequest> {
        match &self.form {
            RequestForm::Prepared(request) => Some(request),
            RequestForm::Live(_) => None,
        }
    }
}

/// Returns the request to send, encoded: the one that was rendered for it, else the prepared one of its place.
pub(super) fn current<'a, R>(
    live: Option<&'a R>,
    prepared: &'a [Option<R>],
    place: usize,
) -> &'a R {
    let request = live.or(prepared[place].as_ref());
    request.expect("what is not prepared is rendered before it is handed out")
}

/// The order in which the requests of a list are sent, without end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum RequestOrder {
    /// One after the other, over all connections.
    #[default]
    InTurn,
    /// The requests at these places, over all connections.
    Shared(Arc<[usize]>),
    /// Each virtual user goes through these places by itself.
    PerUser(RequestCycle),
}

/// What each virtual user sends: flows of one length, one behind the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestCycle {
    /// Places of the requests.
    pub places: Arc<[usize]>,
    /// Requests of one flow, from 1. The second user begins with the second flow, so that users do not
    /// send the same at the same time.
    pub flow: usize,
}

impl From<Vec<LoadRequest>> for RequestPlan {
    fn from(requests: Vec<LoadRequest>) -> Self {
        let requests = requests.into_iter().map(PlannedRequest::from).collect();
        Self { requests, order: RequestOrder::InTurn, setup: Vec::new(), cookies: <_>::default() }
    }
}

impl From<&[LoadRequest]> for RequestPlan {
    fn from(requests: &[LoadRequest]) -> Self {
        requests.to_vec().into()
    }
}

impl From<&Vec<LoadRequest>> for RequestPlan {
    fn from(requests: &Vec<LoadRequest>) -> Self {
        requests.clone().into()
    }
}

impl<const N: usize> From<&[LoadRequest; N]> for RequestPlan {
    fn from(requests: &[LoadRequest; N]) -> Self {
        requests.to_vec().into()
    }
}

impl RequestPlan {
    /// Fails if there is nothing to send.
    pub(super) fn check(&self) -> Result<(), LoadError> {
        let is_empty = match &self.order {
            RequestOrder::InTurn => self.requests.is_empty(),
            RequestOrder::Shared(places) => places.is_empty(),
            RequestOrder::PerUser(cycle) => cycle.places.is_empty(),
        };
        if is_empty { Err(LoadError::NoRequest) } else { Ok(()) }
    }
}
