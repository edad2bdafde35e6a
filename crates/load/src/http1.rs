//! A request as HTTP/1.1 has it, encoded once, so that sending it is one call with bytes that are there
//! already.
//!
//! A small body is kept behind its head in one piece: copying 4 KiB once is cheaper than two pieces
//! in every system call. A larger one stays where it is and is shared by all connections (`body`).

use std::fmt::Write;
use std::sync::Arc;

use bytes::Bytes;

use super::body::{BodyFraming, BodySource, RequestBody, SealedBytes};
use super::request::{LoadRequest, RequestContent, RequestMethod, ResponseCheck};

/// Largest body, in bytes, that is copied behind its head.
const JOINED_BYTES_MAX: usize = 4096;

/// An encoded request and the check of its answer.
pub(super) struct Http1Request {
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
    /// The second part, if its pages can be lent.
    #[cfg_attr(
        not(target_os = "linux"),
        expect(dead_code, reason = "no other system takes pages")
    )]
    pub(super) sealed: Option<SealedBytes<'a>>,
}

impl<'a> UnsentBytes<'a> {
    pub(super) fn one(part: &'a [u8]) -> Self {
        Self { parts: [part, &[]], sealed: None }
    }
}

/// Whether the answer to a request can have a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ResponseBodyRule {
    Possible,
    Never,
}

impl ResponseBodyRule {
    pub(super) fn of(method: RequestMethod) -> Self {
        match method {
            RequestMethod::Head => Self::Never,
            RequestMethod::Get
            | RequestMethod::Post
            | RequestMethod::Put
            | RequestMethod::Patch
            | RequestMethod::Delete
            | RequestMethod::Options => Self::Possible,
        }
    }
}

/// What becomes of the connection after the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConnectionEnd {
    Kept,
    /// The request says that it is to be closed.
    Close,
}

impl Http1Request {
    /// Encodes a request.
    pub(super) fn new(request: &LoadRequest, end: ConnectionEnd) -> Self {
        let mut first = head(request, end).into_bytes();
        let (mut rest, mut streamed) = (RequestBody::default(), None);
        match &request.content {
            RequestContent::Nothing => {}
            RequestContent::Kept(body) if body.bytes().len() <= JOINED_BYTES_MAX => {
                first.extend_from_slice(body.bytes());
            }
            RequestContent::Kept(body) => rest = body.clone(),
            RequestContent::Streamed(source, framing) => {
                streamed = Some((Arc::clone(source), *framing));
            }
        }
        let answer = ResponseBodyRule::of(request.method);
        Self { first: first.into(), rest, streamed, answer, check: Arc::clone(&request.check) }
    }

    /// Returns how many bytes are there already: all but a body that is made while it is sent.
    pub(super) fn prepared_bytes(&self) -> usize {
        self.first.len() + self.rest.bytes().len()
    }

    /// Returns what makes the body, if it is made while it is sent.
    pub(super) fn streamed(&self) -> Option<(&dyn BodySource, BodyFraming)> {
        self.streamed.as_ref().map(|(source, framing)| (&**source, *framing))
    }

    /// Returns what is still to be sent of the bytes that are there, when `written` were.
    pub(super) fn unsent(&self, written: usize) -> UnsentBytes<'_> {
        let rest = self.rest.bytes();
        let at = written.saturating_sub(self.first.len());
        let parts = [self.first.get(written..).unwrap_or_default(), &rest[at..]];
        UnsentBytes { parts, sealed: self.rest.sealed_from(at) }
    }
}

/// A request as a person reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestPreview {
    /// The request line and the headers, with their empty line.
    pub head: String,
    /// The beginning of the body.
    pub body: Vec<u8>,
    /// Size of the body, as far as it is known.
    pub body_bytes: u64,
}

impl LoadRequest {
    /// Returns the request as HTTP/1.1 has it: its head, and at most so many bytes of its body, before they
    /// are cut into chunks.
    pub fn preview(&self, body_bytes_max: usize) -> RequestPreview {
        let mut body = Vec::new();
        let mut whole = self.content_length().unwrap_or_default();
        match &self.content {
            RequestContent::Nothing => {}
            RequestContent::Kept(kept) => {
                let kept = kept.bytes();
                body.extend_from_slice(&kept[..kept.len().min(body_bytes_max)]);
            }
            RequestContent::Streamed(source, _) => {
                let mut pieces = source.begin();
                while body.len() <= body_bytes_max && pieces.next_into(&mut body) {}
                whole = whole.max(body.len() as u64);
                body.truncate(body_bytes_max);
            }
        }
        RequestPreview { head: head(self, ConnectionEnd::Kept), body, body_bytes: whole }
    }
}

/// Writes the head, with its empty line.
fn head(request: &LoadRequest, end: ConnectionEnd) -> String {
    let mut head = format!("{} {} HTTP/1.1\r\n", request.method.name(), request.path);
    let mut header = |name: &str, value: &str| {
        write!(head, "{name}: {value}\r\n").expect("writing to a string cannot fail");
    };
    header("Host", &request.host);
    if let Some(content_type) = &request.content_type {
        header("Content-Type", content_type);
    }
    if let Some(bytes) = request.content_length() {
        header("Content-Length", &bytes.to_string());
    } else if matches!(request.content, RequestContent::Streamed(..)) {
        header("Transfer-Encoding", "chunked");
    }
    for (name, value) in &request.headers {
        header(name, value);
    }
    if end == ConnectionEnd::Close {
        header("Connection", "close");
    }
    head + "\r\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::SuccessCheck;

    fn post(body: &[u8]) -> Http1Request {
        let body = body.to_vec();
        let (headers, check) = ([("X-Key", "v")], Arc::new(SuccessCheck));
        let request = LoadRequest::post("/a", "h:1", "text/xml", &headers, body, check).unwrap();
        Http1Request::new(&request, ConnectionEnd::Kept)
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
}
