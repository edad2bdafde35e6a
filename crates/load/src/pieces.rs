//! How far a request is sent, and what of it comes next.

use super::body::{BodyFraming, BodyPieces};
use super::http1::{Http1Request, UnsentBytes};

/// Size of a chunk in hexadecimal digits: as many always, so that they can be written before the
/// chunk is there.
const SIZE_DIGITS: usize = 8;

/// What is sent of a request, and what is still to be.
#[derive(Default)]
pub(super) struct RequestProgress {
    /// Head and body, with the framing.
    written: usize,
    /// What comes after `piece`, until the end was seen.
    pieces: Option<(Box<dyn BodyPieces>, BodyFraming)>,
    piece: Vec<u8>,
    /// How much of `piece` is sent.
    at: usize,
}

impl RequestProgress {
    /// Begins to send a request.
    pub(super) fn restart(&mut self, request: &Http1Request) {
        self.written = 0;
        self.at = 0;
        self.piece.clear();
        self.pieces = request.streamed().map(|(source, framing)| (source.begin(), framing));
    }

    /// Returns how many bytes were sent.
    pub(super) fn written(&self) -> usize {
        self.written
    }

    /// Returns whether nothing is left.
    pub(super) fn is_whole(&self, request: &Http1Request) -> bool {
        let sent = self.written >= request.prepared_bytes() && self.at == self.piece.len();
        sent && self.pieces.is_none()
    }

    /// Returns what is to be sent next, if anything is left.
    pub(super) fn unsent<'a>(&'a mut self, request: &'a Http1Request) -> Option<UnsentBytes<'a>> {
        if self.written < request.prepared_bytes() {
            return Some(request.unsent(self.written));
        }
        if self.at == self.piece.len() && !self.refill() {
            return None;
        }
        Some(UnsentBytes::one(&self.piece[self.at..]))
    }

    /// Notes that so many bytes of what is unsent were sent.
    pub(super) fn advance(&mut self, request: &Http1Request, bytes: usize) {
        if self.written >= request.prepared_bytes() {
            self.at += bytes;
        }
        self.written += bytes;
    }

    fn refill(&mut self) -> bool {
        let Some((pieces, framing)) = &mut self.pieces else { return false };
        self.piece.clear();
        self.at = 0;
        let framing = *framing;
        let before = match framing {
            BodyFraming::Length(_) => 0,
            BodyFraming::Chunked => {
                self.piece.extend_from_slice(&[b'0'; SIZE_DIGITS]);
                self.piece.extend_from_slice(b"\r\n");
                self.piece.len()
            }
        };
        // A chunk without bytes would end the body.
        let mut more = true;
        while more && self.piece.len() == before {
            more = pieces.next_into(&mut self.piece);
        }
        if !more {
            self.pieces = None;
        }
        match framing {
            BodyFraming::Length(_) => more,
            BodyFraming::Chunked => {
                let size = format!("{:0SIZE_DIGITS$x}", self.piece.len() - before);
                self.piece[..SIZE_DIGITS].copy_from_slice(size.as_bytes());
                self.piece.extend_from_slice(b"\r\n");
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::body::BodySource;
    use crate::http1::ConnectionEnd;
    use crate::{LoadRequest, RequestContent, RequestHead, RequestMethod, SuccessCheck};

    /// The parts of a body, in this order.
    struct FixedPieces(Vec<Vec<u8>>);

    impl BodySource for FixedPieces {
        fn begin(&self) -> Box<dyn BodyPieces> {
            Box::new(RemainingPieces(self.0.clone().into_iter()))
        }
    }

    struct RemainingPieces(std::vec::IntoIter<Vec<u8>>);

    impl BodyPieces for RemainingPieces {
        fn next_into(&mut self, out: &mut Vec<u8>) -> bool {
            self.0.next().is_some_and(|part| {
                out.extend_from_slice(&part);
                true
            })
        }
    }

    /// Sends at most `step` bytes at a time, twice, and returns what went out each time.
    fn sent(parts: &[Vec<u8>], framing: BodyFraming, step: usize) -> [Vec<u8>; 2] {
        let source = Arc::new(FixedPieces(parts.to_vec()));
        let check = Arc::new(SuccessCheck);
        let head = RequestHead {
            method: RequestMethod::Post,
            path: "/a",
            host: "h",
            content_type: Some("text/xml"),
            headers: &[],
        };
        let content = RequestContent::Streamed(source, framing);
        let request = LoadRequest::new(head, content, check).unwrap();
        let request = Http1Request::new(&request, ConnectionEnd::Kept);
        let mut outgoing = RequestProgress::default();
        [(), ()].map(|()| {
            let mut out = Vec::new();
            outgoing.restart(&request);
            while let Some(unsent) = outgoing.unsent(&request) {
                let all = unsent.parts.concat();
                let taken = &all[..all.len().min(step)];
                out.extend_from_slice(taken);
                outgoing.advance(&request, taken.len());
            }
            assert!(outgoing.is_whole(&request));
            assert_eq!(outgoing.written(), out.len());
            out
        })
    }

    #[test]
    fn a_chunk_has_its_size_and_the_last_one_is_empty() {
        let parts = [b"<a>".to_vec(), Vec::new(), b"0123456789abcdef</a>".to_vec()];
        let [first, second] = sent(&parts, BodyFraming::Chunked, 7);
        assert_eq!(first, second);
        insta::assert_snapshot!(String::from_utf8(first).unwrap().replace("\r\n", "\n"), @"
        POST /a HTTP/1.1
        Host: h
        Content-Type: text/xml
        Transfer-Encoding: chunked

        00000003
        <a>
        00000014
        0123456789abcdef</a>
        00000000
        ");
    }

    proptest! {
        #[test]
        fn what_is_sent_is_the_pieces(
            parts in vec(vec(any::<u8>(), 0..40), 0..8),
            step in 1_usize..60,
        ) {
            let body = parts.concat();
            let [first, second] = sent(&parts, BodyFraming::Length(body.len() as u64), step);
            prop_assert_eq!(&first, &second);
            let head = first.strip_suffix(&body[..]).unwrap();
            prop_assert!(head.ends_with(b"\r\n\r\n"));
            let [chunked, _] = sent(&parts, BodyFraming::Chunked, step);
            prop_assert_eq!(unchunked(&chunked), body);
        }
    }

    /// The body of a message in chunks, read as RFC 9112 has it.
    fn unchunked(message: &[u8]) -> Vec<u8> {
        let end = memchr::memmem::find(message, b"\r\n\r\n").unwrap();
        let (mut rest, mut body) = (&message[end + 4..], Vec::new());
        loop {
            let line = memchr::memchr(b'\r', rest).unwrap();
            let size = std::str::from_utf8(&rest[..line]).unwrap();
            let size = usize::from_str_radix(size, 16).unwrap();
            let chunk;
            (chunk, rest) = rest[line + 2..].split_at(size);
            body.extend_from_slice(chunk);
            rest = rest.strip_prefix(b"\r\n").unwrap();
            if size == 0 {
                assert!(rest.is_empty());
                return body;
            }
        }
    }
}
