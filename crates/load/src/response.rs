//! Reads an HTTP/1.1 answer from whatever pieces the network delivers.
//!
//! The body ends up in one piece in the buffer it was received into: a body of known length is
//! never copied, a chunked one is moved together over its own framing.

use std::mem::MaybeUninit;

use httparse::{Header, ParserConfig, Status};

use super::answer_memory::AnswerMemory;
use super::exchange::FailureKind;
use super::http1::ResponseBodyRule;

const HEADERS_MAX: usize = 128;
const HEAD_BYTES_MAX: usize = 64 * 1024;
const ROOM_BYTES_MIN: usize = 16 * 1024;
/// Bytes of framing that any answer may have.
const FRAMING_BYTES_MAX: u64 = 1 << 20;

/// An answer on its way, and the buffer it is read into.
#[derive(Debug)]
pub(super) struct ResponseBuffer {
    buffer: Vec<u8>,
    bytes_max: usize,
    stage: ResponseStage,
    expects: ResponseBodyRule,
    status: u16,
    keeps_alive: bool,
    encoding: ContentEncoding,
    body_start: usize,
    body_end: usize,
    received: u64,
    memory: AnswerMemory,
}

/// What was done to a body before it was framed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum ContentEncoding {
    /// Nothing, or what only the check of the answer can know.
    #[default]
    Plain,
    Gzip,
}

impl ContentEncoding {
    /// Returns what a `Content-Encoding` says.
    pub(super) fn named(value: &[u8]) -> Self {
        let gzip = value.eq_ignore_ascii_case(b"gzip") || value.eq_ignore_ascii_case(b"x-gzip");
        if gzip { Self::Gzip } else { Self::Plain }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ResponseStage {
    Head,
    /// The body ends at this place of the buffer.
    Sized(usize),
    /// `at` is where undecoded bytes begin; what was decoded lies before `body_end`.
    Chunked {
        at: usize,
        chunk: ChunkState,
    },
    UntilClosed,
    Whole,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ChunkState {
    Size,
    Data(usize),
    DataEnd,
    Trailer,
}

/// Whether an answer is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ResponseProgress {
    More,
    Whole,
}

/// What is wrong with the bytes of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ResponseFault {
    pub(super) kind: FailureKind,
    pub(super) detail: String,
}

fn malformed(detail: impl Into<String>) -> ResponseFault {
    ResponseFault { kind: FailureKind::Malformed, detail: detail.into() }
}

impl ResponseBuffer {
    /// Makes an empty one that takes no more than `bytes_max` bytes of head and body.
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            buffer: Vec::new(),
            bytes_max,
            stage: ResponseStage::Head,
            expects: ResponseBodyRule::Possible,
            status: 0,
            keeps_alive: true,
            encoding: ContentEncoding::Plain,
            body_start: 0,
            body_end: 0,
            received: 0,
            memory: AnswerMemory::default(),
        }
    }

    /// Forgets the last answer and keeps its memory, unless others need it.
    pub(super) fn restart(&mut self, expects: ResponseBodyRule) {
        self.memory.empty(&mut self.buffer, self.bytes_max);
        self.stage = ResponseStage::Head;
        self.expects = expects;
        self.status = 0;
        self.keeps_alive = true;
        self.encoding = ContentEncoding::Plain;
        self.body_start = 0;
        self.body_end = 0;
        self.received = 0;
    }

    pub(super) fn status(&self) -> u16 {
        self.status
    }

    pub(super) fn body(&self) -> &[u8] {
        &self.buffer[self.body_start..self.body_end]
    }

    /// Everything that was read and not yet decoded away: head, body and what is behind it.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer
    }

    pub(super) fn keeps_alive(&self) -> bool {
        self.keeps_alive
    }

    pub(super) fn encoding(&self) -> ContentEncoding {
        self.encoding
    }

    pub(super) fn received(&self) -> u64 {
        self.received
    }

    /// Returns the buffer with room for more; what is appended to it is read by [`Self::advance`].
    pub(super) fn room(&mut self) -> &mut Vec<u8> {
        let length = self.buffer.len();
        match self.stage {
            // All of it at once: growing step by step would copy what is there at every step. And one
            // byte more, so that what comes behind the answer is seen.
            ResponseStage::Sized(end) => self.buffer.reserve_exact(end.saturating_sub(length) + 1),
            ResponseStage::Head
            | ResponseStage::Chunked { .. }
            | ResponseStage::UntilClosed
            | ResponseStage::Whole => {
                if self.buffer.capacity() - length < ROOM_BYTES_MIN / 4 {
                    self.buffer.reserve(ROOM_BYTES_MIN);
                }
            }
        }
        &mut self.buffer
    }

    /// Reads the `fresh` bytes that were appended to the buffer.
    pub(super) fn advance(&mut self, fresh: usize) -> Result<ResponseProgress, ResponseFault> {
        self.received += fresh as u64;
        let capacity = self.buffer.capacity();
        if self.buffer.len() > self.bytes_max || !self.memory.take(capacity, self.bytes_max) {
            return Err(self.too_large());
        }
        // Extensions of chunks and trailers are read and dropped, so nothing else bounds them.
        let body = (self.body_end - self.body_start) as u64;
        if self.received > 9 * (body + FRAMING_BYTES_MAX).max(self.buffer.len() as u64) {
            return Err(malformed("its framing is many times as large as its body"));
        }
        loop {
            match self.stage {
                ResponseStage::Head => {
                    if self.read_head()? == ResponseProgress::More {
                        return Ok(ResponseProgress::More);
                    }
                }
                ResponseStage::Sized(end) => {
                    let length = self.buffer.len();
                    if length < end {
                        return Ok(ResponseProgress::More);
                    }
                    return self.finish(end);
                }
                ResponseStage::Chunked { at, chunk } => return self.read_chunks(at, chunk),
                ResponseStage::UntilClosed => {
                    self.body_end = self.buffer.len();
                    return Ok(ResponseProgress::More);
                }
                ResponseStage::Whole => return Ok(ResponseProgress::Whole),
            }
        }
    }

    /// The peer will send nothing more: that ends some answers and cuts others short.
    pub(super) fn closed(&mut self) -> Result<(), ResponseFault> {
        match self.stage {
            ResponseStage::UntilClosed | ResponseStage::Whole => {
                self.stage = ResponseStage::Whole;
                Ok(())
            }
            ResponseStage::Head if self.buffer.is_empty() => Err(ResponseFault {
                kind: FailureKind::Reset,
                detail: "the connection was closed before an answer".to_owned(),
            }),
            ResponseStage::Head | ResponseStage::Sized(_) | ResponseStage::Chunked { .. } => {
                Err(ResponseFault {
                    kind: FailureKind::ShortBody,
                    detail: format!("the answer ended after {} bytes", self.received),
                })
            }
        }
    }

    fn too_large(&self) -> ResponseFault {
        malformed(format!("the answer is larger than the {} bytes allowed", self.bytes_max))
    }

    fn finish(&mut self, end: usize) -> Result<ResponseProgress, ResponseFault> {
        let excess = self.buffer.len() - end;
        if excess > 0 {
            return Err(malformed(format!("{excess} bytes came after the end of the answer")));
        }
        self.stage = ResponseStage::Whole;
        Ok(ResponseProgress::Whole)
    }

    /// Reads a head, if it is there; an informational one (1xx) is dropped.
    fn read_head(&mut self) -> Result<ResponseProgress, ResponseFault> {
        let mut headers = [const { MaybeUninit::<Header<'_>>::uninit() }; HEADERS_MAX];
        let mut response = httparse::Response::new(&mut []);
        let parsed = ParserConfig::default().parse_response_with_uninit_headers(
            &mut response,
            &self.buffer,
            &mut headers,
        );
        let head_bytes = match parsed {
            Ok(Status::Complete(head_bytes)) => head_bytes,
            Ok(Status::Partial) if self.buffer.len() <= HEAD_BYTES_MAX => {
                return Ok(ResponseProgress::More);
            }
            Ok(Status::Partial) => {
                return Err(malformed(format!("its head is longer than {HEAD_BYTES_MAX} bytes")));
            }
            Err(error) => return Err(malformed(format!("its head cannot be read: {error}"))),
        };
        let status = response.code.unwrap_or(0);
        let framing = ResponseFraming::of(&response)?;
        self.status = status;
        if (100..200).contains(&status) {
            if status == 101 {
                return Err(malformed("it switches protocols (101)"));
            }
            self.buffer.drain(..head_bytes);
            return Ok(if self.buffer.is_empty() {
                ResponseProgress::More
            } else {
                ResponseProgress::Whole
            });
        }
        self.begin_body(&framing, head_bytes)?;
        Ok(ResponseProgress::Whole)
    }

    fn begin_body(
        &mut self,
        framing: &ResponseFraming,
        head_bytes: usize,
    ) -> Result<(), ResponseFault> {
        self.keeps_alive = framing.keeps_alive;
        self.encoding = framing.encoding;
        (self.body_start, self.body_end) = (head_bytes, head_bytes);
        let bodyless = self.expects == ResponseBodyRule::Never || matches!(self.status, 204 | 304);
        self.stage = match (bodyless, framing.chunked, framing.length) {
            (true, _, _) => ResponseStage::Sized(head_bytes),
            (false, true, _) => ResponseStage::Chunked { at: head_bytes, chunk: ChunkState::Size },
            (false, false, Some(length)) => {
                let end = usize::try_from(length).ok().and_then(|it| it.checked_add(head_bytes));
                // What is announced is reserved at once, so the budget comes first.
                let end = end.filter(|end| *end <= self.bytes_max);
                let end = end.filter(|end| self.memory.take(*end, self.bytes_max));
                self.body_end = end.ok_or_else(|| self.too_large())?;
                ResponseStage::Sized(self.body_end)
            }
            (false, false, None) => {
                self.keeps_alive = false;
                ResponseStage::UntilClosed
            }
        };
        Ok(())
    }

    fn read_chunks(
        &mut self,
        mut at: usize,
        mut chunk: ChunkState,
    ) -> Result<ResponseProgress, ResponseFault> {
        loop {
            let fresh = &self.buffer[at..];
            match chunk {
                ChunkState::Size => match httparse::parse_chunk_size(fresh) {
                    Ok(Status::Complete((used, size))) => {
                        at += used;
                        chunk = match usize::try_from(size) {
                            Ok(0) => ChunkState::Trailer,
                            Ok(size) => ChunkState::Data(size),
                            Err(_) => return Err(self.too_large()),
                        };
                    }
                    Ok(Status::Partial) => break,
                    Err(_) => return Err(malformed("the size of a chunk cannot be read")),
                },
                ChunkState::Data(missing) => {
                    let moved = missing.min(fresh.len());
                    self.buffer.copy_within(at..at + moved, self.body_end);
                    self.body_end += moved;
                    at += moved;
                    chunk = ChunkState::Data(missing - moved);
                    match missing - moved {
                        0 => chunk = ChunkState::DataEnd,
                        _ => break,
                    }
                }
                ChunkState::DataEnd => match fresh {
                    [b'\r', b'\n', ..] => (at, chunk) = (at + 2, ChunkState::Size),
                    [] | [b'\r'] => break,
                    [..] => return Err(malformed("a chunk is longer than its size")),
                },
                ChunkState::Trailer => match memchr::memchr(b'\n', fresh) {
                    None => break,
                    Some(end) if matches!(&fresh[..end], [] | [b'\r']) => {
                        return self.finish(at + end + 1);
                    }
                    Some(end) => at += end + 1,
                },
            }
        }
        if self.buffer.len() - at > HEAD_BYTES_MAX {
            return Err(malformed("a line of its framing is too long"));
        }
        self.buffer.copy_within(at.., self.body_end);
        self.buffer.truncate(self.body_end + self.buffer.len() - at);
        self.stage = ResponseStage::Chunked { at: self.body_end, chunk };
        Ok(ResponseProgress::More)
    }
}

/// How the end of a body is marked.
struct ResponseFraming {
    length: Option<u64>,
    chunked: bool,
    keeps_alive: bool,
    encoding: ContentEncoding,
}

impl ResponseFraming {
    fn of(response: &httparse::Response<'_, '_>) -> Result<Self, ResponseFault> {
        let mut framing = Self {
            length: None,
            chunked: false,
            keeps_alive: response.version == Some(1),
            encoding: ContentEncoding::Plain,
        };
        for header in response.headers.iter() {
            let value = header.value.trim_ascii();
            if header.name.eq_ignore_ascii_case("content-length") {
                let length = str::from_utf8(value).ok().filter(|it| !it.starts_with('+'));
                let length = length.and_then(|it| it.parse().ok());
                if length.is_none() || framing.length.is_some_and(|first| Some(first) != length) {
                    return Err(malformed("its `Content-Length` cannot be read"));
                }
                framing.length = length;
            } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
                if framing.chunked || !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(malformed("its `Transfer-Encoding` is not `chunked`"));
                }
                framing.chunked = true;
            } else if header.name.eq_ignore_ascii_case("content-encoding") {
                framing.encoding = ContentEncoding::named(value);
            } else if header.name.eq_ignore_ascii_case("connection") {
                for option in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
                    if option.eq_ignore_ascii_case(b"close") {
                        framing.keeps_alive = false;
                    } else if option.eq_ignore_ascii_case(b"keep-alive") {
                        framing.keeps_alive = true;
                    }
                }
            }
        }
        Ok(framing)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Feeds `wire` in pieces of the given sizes, in turn, then closes.
    fn read(wire: &[u8], sizes: &[usize]) -> Result<(u16, Vec<u8>, bool), ResponseFault> {
        let mut answer = ResponseBuffer::new(1 << 20);
        answer.restart(ResponseBodyRule::Possible);
        let (mut rest, mut turn) = (wire, 0);
        while !rest.is_empty() {
            let room = answer.room();
            let size = sizes[turn % sizes.len()].min(rest.len());
            room.extend_from_slice(&rest[..size]);
            rest = &rest[size..];
            turn += 1;
            answer.advance(size)?;
        }
        answer.closed()?;
        assert_eq!(answer.received(), wire.len() as u64);
        Ok((answer.status(), answer.body().to_vec(), answer.keeps_alive()))
    }

    fn chunked(body: &[u8], size: usize) -> Vec<u8> {
        let mut wire = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        for chunk in body.chunks(size) {
            wire.extend_from_slice(format!("{:x};x=y\r\n", chunk.len()).as_bytes());
            wire.extend_from_slice(chunk);
            wire.extend_from_slice(b"\r\n");
        }
        wire.extend_from_slice(b"0\r\nX-Trailer: 1\r\n\r\n");
        wire
    }

    proptest! {
        #[test]
        fn the_pieces_in_which_an_answer_arrives_do_not_matter(
            body in proptest::collection::vec(any::<u8>(), 0..600),
            sizes in proptest::collection::vec(1_usize..50, 1..8),
            chunk in 1_usize..200,
        ) {
            let head = format!("HTTP/1.1 201 Made\r\nContent-Length: {}\r\n\r\n", body.len());
            let sized = [head.as_bytes(), &body].concat();
            prop_assert_eq!(read(&sized, &sizes), Ok((201, body.clone(), true)));
            prop_assert_eq!(read(&chunked(&body, chunk), &sizes), Ok((200, body.clone(), true)));
            let open_end = [b"HTTP/1.1 500 No\r\n\r\n".as_slice(), &body].concat();
            prop_assert_eq!(read(&open_end, &sizes), Ok((500, body, false)));
        }

        #[test]
        fn an_answer_cut_anywhere_is_never_taken_for_whole(
            body in proptest::collection::vec(any::<u8>(), 1..300),
            cut in any::<prop::sample::Index>(),
            chunk in 1_usize..100,
        ) {
            let wire = chunked(&body, chunk);
            let cut = cut.index(wire.len());
            let kind = read(&wire[..cut], &[7]).unwrap_err().kind;
            prop_assert_eq!(kind, if cut == 0 { FailureKind::Reset } else { FailureKind::ShortBody });
        }

        #[test]
        fn no_bytes_make_it_panic(wire in proptest::collection::vec(any::<u8>(), 0..300)) {
            let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".as_slice();
            let _ = read(&wire, &[5]);
            let _ = read(&[head, &wire].concat(), &[300]);
        }
    }

    #[test]
    fn informational_heads_without_end_take_no_stack() {
        let flood = b"HTTP/1.1 100\r\n\r\n".repeat(20_000);
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx";
        let read = read(&[&flood, answer.as_slice()].concat(), &[1 << 16]);
        assert_eq!(read, Ok((200, b"x".to_vec(), true)));
    }

    #[test]
    fn there_is_room_for_what_should_not_come_behind_an_answer() {
        let mut answer = ResponseBuffer::new(1 << 20);
        answer.restart(ResponseBodyRule::Possible);
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n";
        answer.room().extend_from_slice(head);
        assert_eq!(answer.advance(head.len()), Ok(ResponseProgress::More));
        let room = answer.room();
        assert!(room.capacity() - room.len() > 100_000);
        room.resize(room.len() + 100_001, b'x');
        assert!(answer.advance(100_001).is_err());
    }

    #[test]
    fn heads_say_how_the_body_ends_and_whether_the_connection_lives() {
        let check = |head: &str, expected: Result<(u16, &str, bool), &str>| {
            let read = read(head.replace('\n', "\r\n").as_bytes(), &[4096]);
            let read = read
                .as_ref()
                .map(|(status, body, keeps)| (*status, str::from_utf8(body).unwrap(), *keeps));
            assert_eq!(read.map_err(|broken| broken.detail.as_str()), expected, "{head}");
        };
        check("HTTP/1.1 204 No\nContent-Length: 5\n\n", Ok((204, "", true)));
        check("HTTP/1.1 304 No\n\n", Ok((304, "", true)));
        check(
            "HTTP/1.1 100 Go on\n\nHTTP/1.1 200 OK\nContent-Length: 1\n\nx",
            Ok((200, "x", true)),
        );
        check("HTTP/1.1 200 OK\nConnection: a, Close\nContent-Length: 0\n\n", Ok((200, "", false)));
        check("HTTP/1.0 200 OK\nContent-Length: 0\n\n", Ok((200, "", false)));
        check(
            "HTTP/1.0 200 OK\nConnection: keep-alive\nContent-Length: 0\n\n",
            Ok((200, "", true)),
        );
        check(
            "HTTP/1.1 200 OK\nContent-Length: 1\n\nxyz",
            Err("2 bytes came after the end of the answer"),
        );
        check(
            "HTTP/1.1 200 OK\nContent-Length: -1\n\n",
            Err("its `Content-Length` cannot be read"),
        );
        check(
            "HTTP/1.1 200 OK\nContent-Length: 1\nContent-Length: 2\n\n",
            Err("its `Content-Length` cannot be read"),
        );
        check(
            "HTTP/1.1 200 OK\nTransfer-Encoding: gzip\n\n",
            Err("its `Transfer-Encoding` is not `chunked`"),
        );
        check("HTTP/1.1 101 Up\n\n", Err("it switches protocols (101)"));
        check("SMTP ready\n\n", Err("its head cannot be read: invalid HTTP version"));
        check(
            "HTTP/1.1 200 OK\nContent-Length: 1048577\n\n",
            Err("the answer is larger than the 1048576 bytes allowed"),
        );
    }
}
