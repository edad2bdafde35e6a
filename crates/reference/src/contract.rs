//! What the service refuses, and how it says so: a status and a line of plain text.

use hyper::StatusCode;
use serde_json::error::Category;
use thiserror::Error;

use crate::json::JsonStop;
use crate::xml::{DocumentError, PairMember};

/// Why a request gets no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum RequestRefusal {
    #[error("there is nothing at this path")]
    NotFound,
    #[error("this path takes {allowed} only")]
    Method { allowed: &'static str },
    #[error("the request needs `content-type: application/json`")]
    MediaType,
    #[error("a body encoded as `{0}` is not taken")]
    Encoding(String),
    #[error("the body is not JSON: unexpected character at byte {at}")]
    NotJson { at: u64 },
    #[error("the body is not JSON: it ends too early")]
    Truncated,
    #[error("the body is JSON of the wrong shape: {expected} (at byte {at})")]
    Shape { at: u64, expected: &'static str },
    #[error("the body is not JSON: {0}")]
    Json(String),
    #[error("the body is JSON of the wrong shape: {0}")]
    JsonShape(String),
    #[error("the body does not inflate")]
    Inflate,
    #[error(
        "`{0}` may not be fetched: `--allow-url` does not name its host, or it is no plain HTTP"
    )]
    Forbidden(String),
    #[error("failed to fetch `{url}`: {why}")]
    Fetch { url: String, why: String },
    #[error("the login was answered with {0}")]
    Login(u16),
    #[error("there is no session of this id")]
    NoSession,
    #[error("`{which}` is not acceptable XML: {malformed}")]
    Xml { which: &'static str, malformed: DocumentError },
    #[error("the body is larger than {}", units::bytes(*.limit as f64))]
    TooLarge { limit: u64 },
    #[error("a comparison is larger than {}", units::bytes(*.limit as f64))]
    PairTooLarge { limit: u64 },
    #[error("the service is at its limits; try again later")]
    Busy,
    #[error("the body did not arrive in time")]
    Slow,
    #[error("the body could not be read")]
    Aborted,
}

impl RequestRefusal {
    /// `before` counts the bytes of the body that precede the slice that was read.
    pub(super) fn from_stop(stop: JsonStop, before: u64) -> Self {
        let absolute = |at: usize| before + u64::try_from(at).unwrap_or(u64::MAX);
        match stop {
            JsonStop::Incomplete => Self::Truncated,
            JsonStop::Syntax(at) => Self::NotJson { at: absolute(at) },
            JsonStop::Shape(at, expected) => Self::Shape { at: absolute(at), expected },
        }
    }

    /// The bytes from `at` on are not UTF-8.
    pub(super) fn not_json_at(at: usize) -> Self {
        Self::NotJson { at: u64::try_from(at).unwrap_or(u64::MAX) }
    }

    pub(super) fn from_json(error: &serde_json::Error) -> Self {
        match error.classify() {
            Category::Data => Self::JsonShape(error.to_string()),
            Category::Eof => Self::Truncated,
            Category::Syntax | Category::Io => Self::Json(error.to_string()),
        }
    }

    pub(super) fn from_xml(which: PairMember, malformed: DocumentError) -> Self {
        let which = match which {
            PairMember::First => "xml1",
            PairMember::Second => "xml2",
        };
        Self::Xml { which, malformed }
    }

    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::NotFound | Self::NoSession => StatusCode::NOT_FOUND,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::Fetch { .. } => StatusCode::BAD_GATEWAY,
            Self::Login(_) => StatusCode::UNAUTHORIZED,
            Self::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::MediaType | Self::Encoding(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::NotJson { .. }
            | Self::Truncated
            | Self::Json(_)
            | Self::Inflate
            | Self::Xml { .. }
            | Self::Aborted => StatusCode::BAD_REQUEST,
            Self::Shape { .. } | Self::JsonShape(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooLarge { .. } | Self::PairTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
        }
    }
}
