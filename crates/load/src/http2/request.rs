//! A request as HTTP/2 has it.

use std::sync::Arc;

use bytes::Bytes;

use super::hpack::RequestHeader;
use crate::body::{BodyPieces, BodySource};
use crate::http1::ResponseBodyRule;
use crate::request::{LoadRequest, RequestContent, ResponseCheck};
use crate::settings::LoadError;

/// A request whose headers are in the form of HTTP/2, and the check of its answer.
pub(super) struct Http2Request {
    pub(super) headers: Vec<RequestHeader>,
    body: Http2Payload,
    pub(super) answer: ResponseBodyRule,
    pub(super) check: Arc<dyn ResponseCheck>,
}

enum Http2Payload {
    Nothing,
    /// Shared by all streams.
    Kept(Bytes),
    Made(Arc<dyn BodySource>),
}

impl Http2Request {
    /// Encodes a request; `scheme` is that of the connection.
    pub(super) fn new(request: &LoadRequest, scheme: &str) -> Result<Self, LoadError> {
        let mut authority = request.host.as_str();
        let mut fields = Vec::new();
        if let Some(content_type) = &request.content_type {
            fields.push(header("content-type", content_type));
        }
        if let Some(bytes) = request.content_length() {
            fields.push(header("content-length", &bytes.to_string()));
        }
        for (name, value) in &request.headers {
            if is_forbidden(name, value) {
                let reason = format!("its header `{name}: {value}` is one of HTTP/1.1 alone");
                return Err(LoadError::Http2 { reason });
            }
            // HTTP/2 has a pseudo-header for the one, and other frames for what the others say.
            let is = |other: &str| name.eq_ignore_ascii_case(other);
            if is("host") {
                authority = value;
            } else if !is("connection") && !is("transfer-encoding") {
                fields.push(header(&name.to_ascii_lowercase(), value));
            }
        }
        let pseudo = [
            (":method", request.method.name()),
            (":scheme", scheme),
            (":authority", authority),
            (":path", &request.path),
        ];
        let headers = pseudo.map(|(name, value)| header(name, value)).into_iter().chain(fields);
        let body = match &request.content {
            RequestContent::Streamed(source, _) => Http2Payload::Made(Arc::clone(source)),
            RequestContent::Kept(body) if !body.bytes().is_empty() => {
                Http2Payload::Kept(body.bytes().clone())
            }
            RequestContent::Kept(_) | RequestContent::Nothing => Http2Payload::Nothing,
        };
        let answer = ResponseBodyRule::of(request.method);
        Ok(Self { headers: headers.collect(), body, answer, check: Arc::clone(&request.check) })
    }

    /// Begins to send its body; none if there is nothing to send.
    pub(super) fn begin(&self) -> Option<UnsentBody> {
        match &self.body {
            Http2Payload::Nothing => None,
            Http2Payload::Kept(bytes) => Some(UnsentBody { piece: bytes.clone(), pieces: None }),
            Http2Payload::Made(source) => {
                Some(UnsentBody { piece: Bytes::new(), pieces: Some(source.begin()) })
            }
        }
    }
}

fn header(name: &str, value: &str) -> RequestHeader {
    // No value begins or ends with a space (RFC 9113, 8.2.1).
    let value = value.trim_matches([' ', '\t']).as_bytes().to_vec();
    RequestHeader { name: name.as_bytes().to_vec(), value }
}

/// Whether a header is about a connection of HTTP/1.1 (RFC 9113, 8.2.2): a target may refuse such a request.
fn is_forbidden(name: &str, value: &str) -> bool {
    let is = |other: &str| name.eq_ignore_ascii_case(other);
    ["keep-alive", "proxy-connection", "upgrade"].into_iter().any(is)
        || is("te") && !value.trim().eq_ignore_ascii_case("trailers")
}

/// A body on its way.
pub(super) struct UnsentBody {
    /// What is there and not yet sent.
    piece: Bytes,
    /// What makes the rest of it.
    pieces: Option<Box<dyn BodyPieces>>,
}

impl UnsentBody {
    /// Returns the next bytes, at most so many, and whether they are the last.
    pub(super) fn take(&mut self, bytes_max: usize) -> (Bytes, bool) {
        // One more, so that the last ones are known to be.
        self.fill(bytes_max + 1);
        let part = self.piece.split_to(bytes_max.min(self.piece.len()));
        (part, self.piece.is_empty())
    }

    /// Sees to it that so many bytes are there, as far as there are any.
    fn fill(&mut self, bytes: usize) {
        if self.piece.len() >= bytes {
            return;
        }
        let Some(mut pieces) = self.pieces.take() else { return };
        let mut held = self.piece.to_vec();
        while held.len() < bytes {
            if !pieces.next_into(&mut held) {
                self.piece = held.into();
                return;
            }
        }
        self.piece = held.into();
        self.pieces = Some(pieces);
    }
}
