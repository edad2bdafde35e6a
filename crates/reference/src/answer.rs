//! What is sent back: a whole body, or the verdicts of a batch as they are written.

use std::convert::Infallible;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{self, HeaderValue};
use hyper::{Response, StatusCode};

use crate::batch::BatchVerdicts;
use crate::contract::RequestRefusal;

/// An answer is written and sent in pieces of about this size.
const PIECE_BYTES: usize = 64 << 10;

pub(super) const JSON: &str = "application/json";
pub(super) const TEXT: &str = "text/plain; charset=utf-8";

/// An answer's body.
pub(super) enum ServiceBody {
    Whole(Option<Bytes>),
    Pieces(Bytes, Box<BatchResponse>),
}

/// The answer to a batch, as JSON, piece by piece.
pub(super) struct BatchResponse {
    verdicts: BatchVerdicts,
    next: NextPiece,
}

/// What the next piece begins with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum NextPiece {
    FirstVerdict,
    Verdict,
    Nothing,
}

impl BatchResponse {
    fn new(verdicts: BatchVerdicts) -> Self {
        Self { verdicts, next: NextPiece::FirstVerdict }
    }

    fn is_done(&self) -> bool {
        self.next == NextPiece::Nothing
    }

    /// Returns the next piece; the last one ends with the totals.
    fn next(&mut self) -> Option<Bytes> {
        if self.is_done() {
            return None;
        }
        let expected = usize::try_from(self.verdicts.counts.pairs()).unwrap_or(usize::MAX);
        let mut out = Vec::with_capacity(PIECE_BYTES.min(expected.saturating_mul(128) + 256));
        if self.next == NextPiece::FirstVerdict {
            out.extend_from_slice(br#"{"results":["#);
        }
        while out.len() < PIECE_BYTES {
            let Some(log) = self.verdicts.logs.pop_front() else {
                self.write_totals(&mut out);
                break;
            };
            let mut cursor = log.cursor();
            while !cursor.is_at_end() {
                if self.next == NextPiece::Verdict {
                    out.push(b',');
                }
                cursor.write_next(&mut out);
                self.next = NextPiece::Verdict;
            }
        }
        Some(Bytes::from(out))
    }

    fn write_totals(&mut self, out: &mut Vec<u8>) {
        let counts = self.verdicts.counts;
        let mut digits = itoa::Buffer::new();
        for (name, value) in [
            (&br#"],"total_comparisons":"#[..], counts.pairs()),
            (br#","successful_comparisons":"#, counts.compared()),
            (br#","failed_comparisons":"#, counts.malformed),
        ] {
            out.extend_from_slice(name);
            out.extend_from_slice(digits.format(value).as_bytes());
        }
        out.push(b'}');
        self.next = NextPiece::Nothing;
    }
}

impl Body for ServiceBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = match self.get_mut() {
            Self::Whole(bytes) => bytes.take(),
            Self::Pieces(first, _) if !first.is_empty() => Some(mem::take(first)),
            Self::Pieces(_, pieces) => pieces.next(),
        };
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_none(),
            Self::Pieces(first, pieces) => first.is_empty() && pieces.is_done(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => {
                let length = bytes.as_ref().map_or(0, Bytes::len);
                SizeHint::with_exact(u64::try_from(length).unwrap_or(u64::MAX))
            }
            Self::Pieces(..) => SizeHint::default(),
        }
    }
}

/// Returns an answer of one piece.
pub(super) fn whole(status: StatusCode, kind: &'static str, body: Bytes) -> Response<ServiceBody> {
    let mut response = Response::new(ServiceBody::Whole(Some(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// Returns the answer to a batch. It is sent with its length if it fits in one piece.
pub(super) fn batch(verdicts: BatchVerdicts) -> Response<ServiceBody> {
    let mut pieces = BatchResponse::new(verdicts);
    let first = pieces.next().unwrap_or_default();
    if pieces.is_done() {
        return whole(StatusCode::OK, JSON, first);
    }
    let mut response = Response::new(ServiceBody::Pieces(first, Box::new(pieces)));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(JSON));
    response
}

/// Returns a refusal in plain text.
pub(super) fn refused(refusal: &RequestRefusal) -> Response<ServiceBody> {
    let mut response = whole(refusal.status(), TEXT, Bytes::from(format!("{refusal}\n")));
    let headers = response.headers_mut();
    match refusal {
        RequestRefusal::Method { allowed } => {
            headers.insert(header::ALLOW, HeaderValue::from_static(allowed));
        }
        RequestRefusal::Busy => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        _ => {}
    }
    response
}
