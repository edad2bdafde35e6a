//! A request as data, whatever version of HTTP carries it.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use miette::Diagnostic;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::body::{BodyFraming, BodySource, RequestBody};

/// Why an answer is not the right one.
#[derive(Debug, Error)]
pub enum WrongResponse {
    /// Its status is not among those that are right.
    #[error("status {0}")]
    Status(u16),
    /// It does not say what was expected.
    #[error(transparent)]
    Content(Box<dyn StdError + Send + Sync>),
}

/// Knows the right answer to one request.
pub trait ResponseCheck: Send + Sync {
    /// Returns what is wrong with an answer, if it is not the right one.
    fn check(&self, status: u16, body: &[u8]) -> Result<(), WrongResponse>;

    /// Gets every answer before it is checked, as it came: its head, and its body, which may be compressed.
    /// With HTTP/2 it is the body alone.
    fn observe(&self, _bytes: &[u8]) {}
}

/// Accepts every answer whose status is 2xx.
#[derive(Debug, Clone, Copy)]
pub struct SuccessCheck;

impl ResponseCheck for SuccessCheck {
    fn check(&self, status: u16, _body: &[u8]) -> Result<(), WrongResponse> {
        if (200..300).contains(&status) { Ok(()) } else { Err(WrongResponse::Status(status)) }
    }
}

/// Why a request cannot be prepared.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
pub enum RequestError {
    /// The path is no origin form: it starts with `/` and holds neither spaces nor controls.
    #[error("`{path}` is not a request path")]
    #[diagnostic(help("write it as `/api/compare`, percent-encoded"))]
    Path {
        /// What was given.
        path: String,
    },
    /// A header holds what would end it early, or has no name.
    #[error("header `{name}: {value}` cannot be sent")]
    #[diagnostic(help("it must be one line of visible text"))]
    Header {
        /// Name of the header.
        name: String,
        /// Its value.
        value: String,
    },
}

/// What a request does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum RequestMethod {
    /// Reads.
    Get,
    /// Reads, and wants the head of the answer alone.
    Head,
    /// Hands something over.
    #[default]
    Post,
    /// Puts something in the place of what is there.
    Put,
    /// Changes a part of what is there.
    Patch,
    /// Takes away what is there.
    Delete,
    /// Finds out what may be done.
    Options,
}

impl RequestMethod {
    /// Every method, in the order in which they are offered.
    pub const ALL: [Self; 7] =
        [Self::Get, Self::Head, Self::Post, Self::Put, Self::Patch, Self::Delete, Self::Options];

    /// Returns the name that stands in a request.
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
        }
    }

    /// Returns the method of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name() == name)
    }

    /// Returns whether a request of this method carries a body.
    pub fn has_body(self) -> bool {
        match self {
            Self::Post | Self::Put | Self::Patch => true,
            Self::Get | Self::Head | Self::Delete | Self::Options => false,
        }
    }
}

/// What stands before the body of a request, without what says how long the body is.
#[derive(Debug, Clone, Copy)]
pub struct RequestHead<'a> {
    /// What the request does.
    pub method: RequestMethod,
    /// The path, in origin form.
    pub path: &'a str,
    /// The value of the header `Host`.
    pub host: &'a str,
    /// The media type of the body, if there is one.
    pub content_type: Option<&'a str>,
    /// The other headers, as name and value.
    pub headers: &'a [(&'a str, &'a str)],
}

/// What follows the head of a request.
#[derive(Clone)]
pub enum RequestContent {
    /// No body.
    Nothing,
    /// A body that is there.
    Kept(RequestBody),
    /// A body that is made while it is sent.
    Streamed(Arc<dyn BodySource>, BodyFraming),
}

/// One request and the check of its answer.
#[derive(Clone)]
pub struct LoadRequest {
    pub(super) method: RequestMethod,
    pub(super) path: String,
    pub(super) host: String,
    pub(super) content_type: Option<String>,
    /// The other headers, without those that say how long the body is.
    pub(super) headers: Vec<(String, String)>,
    pub(super) content: RequestContent,
    pub(super) check: Arc<dyn ResponseCheck>,
}

impl LoadRequest {
    /// Returns the same request, whose answer is held against another check.
    #[must_use]
    pub fn with_check(&self, check: Arc<dyn ResponseCheck>) -> Self {
        Self { check, ..self.clone() }
    }

    /// Returns the same request with a further header.
    pub fn with_header(mut self, name: &str, value: &str) -> Result<Self, RequestError> {
        check_header(name, value)?;
        self.headers.push((name.to_owned(), value.to_owned()));
        Ok(self)
    }

    /// Returns a POST of `body` to `path`; `host` goes into the header of this name.
    ///
    /// The framing headers are written when it is encoded; `headers` adds others, such as
    /// `Authorization`.
    pub fn post(
        path: &str,
        host: &str,
        content_type: &str,
        headers: &[(&str, &str)],
        body: impl Into<RequestBody>,
        check: Arc<dyn ResponseCheck>,
    ) -> Result<Self, RequestError> {
        let (method, content_type) = (RequestMethod::Post, Some(content_type));
        let head = RequestHead { method, path, host, content_type, headers };
        Self::new(head, RequestContent::Kept(body.into()), check)
    }

    /// Returns a GET of `path`; `host` goes into the header of this name.
    pub fn get(
        path: &str,
        host: &str,
        headers: &[(&str, &str)],
        check: Arc<dyn ResponseCheck>,
    ) -> Result<Self, RequestError> {
        let (method, content_type) = (RequestMethod::Get, None);
        let head = RequestHead { method, path, host, content_type, headers };
        Self::new(head, RequestContent::Nothing, check)
    }

    /// Returns the request of this head and content.
    pub fn new(
        head: RequestHead<'_>,
        content: RequestContent,
        check: Arc<dyn ResponseCheck>,
    ) -> Result<Self, RequestError> {
        let RequestHead { method, path, host, content_type, headers } = head;
        if !path.starts_with('/') || !path.chars().all(|c| c.is_ascii_graphic()) {
            return Err(RequestError::Path { path: path.to_owned() });
        }
        let media_type = content_type.map(|media_type| ("Content-Type", media_type));
        for (name, value) in [("Host", host)].into_iter().chain(media_type).chain(headers.to_vec())
        {
            check_header(name, value)?;
        }
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Ok(Self {
            method,
            path: path.to_owned(),
            host: host.to_owned(),
            content_type: content_type.map(str::to_owned),
            headers: headers.iter().map(owned).collect(),
            content,
            check,
        })
    }

    /// Returns what its answer is held against.
    pub fn check(&self) -> Arc<dyn ResponseCheck> {
        Arc::clone(&self.check)
    }

    /// Returns how long the body is, if that is known before it is sent.
    pub(super) fn content_length(&self) -> Option<u64> {
        match &self.content {
            RequestContent::Nothing | RequestContent::Streamed(_, BodyFraming::Chunked) => None,
            RequestContent::Kept(body) => Some(body.bytes().len() as u64),
            RequestContent::Streamed(_, BodyFraming::Length(bytes)) => Some(*bytes),
        }
    }
}

impl fmt::Debug for LoadRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadRequest")
            .field("method", &self.method)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

fn check_header(name: &str, value: &str) -> Result<(), RequestError> {
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if name.is_empty() || !name.chars().all(token) || value.chars().any(char::is_control) {
        return Err(RequestError::Header { name: name.to_owned(), value: value.to_owned() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_break_the_head_is_refused() {
        let check: Arc<dyn ResponseCheck> = Arc::new(SuccessCheck);
        let get = |path, name, value| {
            LoadRequest::get(path, "h", &[(name, value)], Arc::clone(&check))
                .unwrap_err()
                .to_string()
        };
        assert!(get("a", "X", "v").contains("`a` is not a request path"));
        assert!(get("/a b", "X", "v").contains("`/a b`"));
        assert!(get("/a", "X Y", "v").contains("`X Y: v`"));
        assert!(get("/a", "X", "v\r\nEvil: 1").contains("cannot be sent"));
    }
}
