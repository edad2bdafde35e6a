//! Prepares a request once, so that sending it is one call with bytes that are there already.
//!
//! A small body is kept behind its head in one piece: copying 4 KiB once is cheaper than two pieces
//! in every system call. A larger one stays where it is and is shared by all connections (`body`).

use std::fmt::{self, Write};
use std::sync::Arc;

use bytes::Bytes;
use rustix::fd::OwnedFd;
use thiserror::Error;

use super::body::RequestBody;
use super::pieces::{BodyFraming, BodySource};

/// Largest body, in bytes, that is copied behind its head.
const JOINED_BYTES_MAX: usize = 4096;

/// Knows the right answer to one request.
pub trait ResponseCheck: Send + Sync {
    /// Returns what is wrong with an answer, if it is not the right one.
    fn check(&self, status: u16, body: &[u8]) -> Result<(), String>;
}

/// Accepts every answer whose status is 2xx.
#[derive(Debug, Clone, Copy)]
pub struct SuccessCheck;

impl ResponseCheck for SuccessCheck {
    fn check(&self, status: u16, _body: &[u8]) -> Result<(), String> {
        if (200..300).contains(&status) { Ok(()) } else { Err(format!("status {status}")) }
    }
}

/// Why a request cannot be prepared.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RequestError {
    /// The path is no origin form: it starts with `/` and holds neither spaces nor controls.
    #[error("`{path}` is not a request path\n\nhint: write it as `/api/compare`, percent-encoded")]
    Path {
        /// What was given.
        path: String,
    },
    /// A header holds what would end it early, or has no name.
    #[error("header `{name}: {value}` cannot be sent\n\nhint: it must be one line of visible text")]
    Header {
        /// Name of the header.
        name: String,
        /// Its value.
        value: String,
    },
}

/// One prepared request and the check of its answer.
#[derive(Clone)]
pub struct LoadRequest {
    /// The head, and the body if it is small.
    first: Bytes,
    /// The body, if it is not part of `first`.
    rest: RequestBody,
    /// What makes the body, if neither holds it.
    streamed: Option<(Arc<dyn BodySource>, BodyFraming)>,
    pub(super) answer: ResponseBodyRule,
    pub(super) check: Arc<dyn ResponseCheck>,
}

/// What is still to be sent: two parts, one behind the other, of which each can be empty.
pub(super) struct UnsentBytes<'a> {
    pub(super) parts: [&'a [u8]; 2],
    /// The file that holds the second part, and from which byte on.
    pub(super) file: Option<(&'a OwnedFd, u64)>,
}

impl<'a> UnsentBytes<'a> {
    pub(super) fn one(part: &'a [u8]) -> Self {
        Self { parts: [part, &[]], file: None }
    }
}

/// Whether the answer to a request can have a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ResponseBodyRule {
    Possible,
    Never,
}

impl LoadRequest {
    /// Returns the same request, whose answer is held against another check.
    #[must_use]
    pub fn with_check(&self, check: Arc<dyn ResponseCheck>) -> Self {
        Self { check, ..self.clone() }
    }

    /// Prepares a POST of `body` to `path`; `host` goes into the header of this name.
    ///
    /// The framing headers are written here; `headers` adds others, such as `Authorization`.
    pub fn post(
        path: &str,
        host: &str,
        content_type: &str,
        headers: &[(&str, &str)],
        body: impl Into<RequestBody>,
        check: Arc<dyn ResponseCheck>,
    ) -> Result<Self, RequestError> {
        let body = body.into();
        let mut head = head("POST", path, host)?;
        header(&mut head, "Content-Type", content_type)?;
        header(&mut head, "Content-Length", &body.bytes().len().to_string())?;
        Self::build(head, headers, body, check)
    }

    /// Prepares a POST to `path` of a body that is made while it is sent; otherwise as
    /// [`LoadRequest::post`].
    pub fn stream(
        path: &str,
        host: &str,
        content_type: &str,
        headers: &[(&str, &str)],
        source: Arc<dyn BodySource>,
        framing: BodyFraming,
        check: Arc<dyn ResponseCheck>,
    ) -> Result<Self, RequestError> {
        let mut head = head("POST", path, host)?;
        header(&mut head, "Content-Type", content_type)?;
        match framing {
            BodyFraming::Length(bytes) => header(&mut head, "Content-Length", &bytes.to_string())?,
            BodyFraming::Chunked => header(&mut head, "Transfer-Encoding", "chunked")?,
        }
        let request = Self::build(head, headers, RequestBody::default(), check)?;
        Ok(Self { streamed: Some((source, framing)), ..request })
    }

    /// Prepares a GET of `path`; `host` goes into the header of this name.
    pub fn get(
        path: &str,
        host: &str,
        headers: &[(&str, &str)],
        check: Arc<dyn ResponseCheck>,
    ) -> Result<Self, RequestError> {
        Self::build(head("GET", path, host)?, headers, RequestBody::default(), check)
    }

    /// Prepares a HEAD of `path`, whose answer has no body; `host` goes into the header of this name.
    pub fn head(
        path: &str,
        host: &str,
        headers: &[(&str, &str)],
        check: Arc<dyn ResponseCheck>,
    ) -> Result<Self, RequestError> {
        let request =
            Self::build(head("HEAD", path, host)?, headers, RequestBody::default(), check)?;
        Ok(Self { answer: ResponseBodyRule::Never, ..request })
    }

    fn build(
        mut head: String,
        headers: &[(&str, &str)],
        body: RequestBody,
        check: Arc<dyn ResponseCheck>,
    ) -> Result<Self, RequestError> {
        for (name, value) in headers {
            header(&mut head, name, value)?;
        }
        head.push_str("\r\n");
        let mut first = head.into_bytes();
        let rest = if body.bytes().len() <= JOINED_BYTES_MAX {
            first.extend_from_slice(body.bytes());
            RequestBody::default()
        } else {
            body
        };
        let (first, streamed) = (first.into(), None);
        Ok(Self { first, rest, streamed, answer: ResponseBodyRule::Possible, check })
    }

    /// Returns how many bytes are there already: all but a body that is made while it is sent.
    pub(super) fn prepared_bytes(&self) -> usize {
        self.first.len() + self.rest.bytes().len()
    }

    /// Returns what makes the body, if it is made while it is sent.
    pub(super) fn streamed(&self) -> Option<(&dyn BodySource, BodyFraming)> {
        self.streamed.as_ref().map(|(source, framing)| (&**source, *framing))
    }

    /// Returns the head, with its empty line, and the body if it is there already.
    pub(super) fn head_and_body(&self) -> (Bytes, Bytes) {
        let end = memchr::memmem::find(&self.first, b"\r\n\r\n");
        let end = end.expect("a head ends in an empty line") + 4;
        let joined = self.first.slice(end..);
        let body = if joined.is_empty() { self.rest.bytes().clone() } else { joined };
        (self.first.slice(..end), body)
    }

    /// Returns what makes the body, to be shared.
    pub(super) fn source(&self) -> Option<Arc<dyn BodySource>> {
        self.streamed.as_ref().map(|(source, _)| Arc::clone(source))
    }

    /// Returns the same request, which asks for its connection to be closed after the answer.
    pub(super) fn closing(&self) -> Self {
        let end = memchr::memmem::find(&self.first, b"\r\n\r\n");
        let (head, rest) = self.first.split_at(end.expect("a head ends in an empty line") + 2);
        let first = [head, b"Connection: close\r\n", rest].concat().into();
        Self { first, ..self.clone() }
    }

    /// Returns what is still to be sent of the bytes that are there, when `written` were.
    pub(super) fn unsent(&self, written: usize) -> UnsentBytes<'_> {
        let rest = self.rest.bytes();
        let at = written.saturating_sub(self.first.len());
        let parts = [self.first.get(written..).unwrap_or_default(), &rest[at..]];
        UnsentBytes { parts, file: self.rest.file().map(|file| (file, at as u64)) }
    }
}

impl fmt::Debug for LoadRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("prepared_bytes", &self.prepared_bytes())
            .finish_non_exhaustive()
    }
}

fn head(method: &str, path: &str, host: &str) -> Result<String, RequestError> {
    let visible = |c: char| c.is_ascii_graphic();
    if !path.starts_with('/') || !path.chars().all(visible) {
        return Err(RequestError::Path { path: path.to_owned() });
    }
    let mut head = format!("{method} {path} HTTP/1.1\r\n");
    header(&mut head, "Host", host)?;
    Ok(head)
}

fn header(head: &mut String, name: &str, value: &str) -> Result<(), RequestError> {
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if name.is_empty() || !name.chars().all(token) || value.chars().any(char::is_control) {
        return Err(RequestError::Header { name: name.to_owned(), value: value.to_owned() });
    }
    write!(head, "{name}: {value}\r\n").expect("writing to a string cannot fail");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn post(body: &[u8]) -> LoadRequest {
        let body = body.to_vec();
        LoadRequest::post("/a", "h:1", "text/xml", &[("X-Key", "v")], body, Arc::new(SuccessCheck))
            .unwrap()
    }

    #[test]
    fn the_wire_form_is_the_head_then_the_body() {
        let request = post(b"<a/>");
        let [first, rest] = request.unsent(0).parts;
        assert!(rest.is_empty());
        insta::assert_snapshot!(String::from_utf8_lossy(first).replace("\r\n", "\n"), @r"
        POST /a HTTP/1.1
        Host: h:1
        Content-Type: text/xml
        Content-Length: 4
        X-Key: v

        <a/>
        ");
    }

    proptest::proptest! {
        #[test]
        fn every_tail_of_a_request_is_what_was_not_yet_written(size in 0_usize..10_000, at: u16) {
            let request = post(&vec![b'x'; size]);
            let whole = request.unsent(0).parts.concat();
            let at = usize::from(at) % (whole.len() + 1);
            proptest::prop_assert_eq!(&request.unsent(at).parts.concat(), &whole[at..]);
            proptest::prop_assert_eq!(whole.len(), request.prepared_bytes());
        }
    }

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
