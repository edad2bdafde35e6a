//! Reads HTTP, as far as it says which requests are sent: method and path, without what varies in it.

use crate::StreamFault;
use crate::message::{MessageReader, split_front};
use crate::protocol::{CallDirection, StreamProgress};
use crate::tally::CallTally;

/// Bytes and fields of a head that are read.
const HEAD_BYTES_MAX: usize = 64 << 10;
const FIELDS_MAX: usize = 128;

/// How a connection of HTTP/2 begins: what looks like a head, and what follows.
const PREFACE_HEAD: &[u8] = b"PRI * HTTP/2.0\r\n\r\n";
const PREFACE_REST: u64 = 6;

/// Header of a frame of HTTP/2, and the type of one that begins a stream.
const FRAME_HEADER: usize = 9;
const HEADERS_FRAME: u8 = 1;

/// What is expected next of the program.
#[derive(Debug)]
enum HttpState {
    Head(Vec<u8>),
    /// Bytes of a body of known length.
    Body(u64),
    /// The line before a chunk.
    ChunkSize(Vec<u8>),
    /// Bytes of a chunk, and the line's end behind it.
    Chunk(u64),
    /// Lines up to an empty one.
    Trailer(Vec<u8>),
    /// The rest of the preface.
    Preface(u64),
    Frames {
        reader: MessageReader,
        last_stream: u32,
    },
}

/// One connection to an HTTP service.
#[derive(Debug)]
pub(crate) struct HttpStream {
    state: HttpState,
    /// The beginning of the answer to a request for another protocol.
    upgrade: Option<Vec<u8>>,
}

impl Default for HttpStream {
    fn default() -> Self {
        Self { state: HttpState::Head(Vec::new()), upgrade: None }
    }
}

impl HttpStream {
    pub(crate) fn see(
        &mut self,
        direction: CallDirection,
        bytes: &[u8],
        tally: &mut CallTally,
    ) -> Result<StreamProgress, StreamFault> {
        match direction {
            CallDirection::Request => self.requests(bytes, tally),
            CallDirection::Reply => Ok(self.reply(bytes)),
        }
    }

    /// Looks whether another protocol was agreed on, where that was wanted.
    fn reply(&mut self, bytes: &[u8]) -> StreamProgress {
        /// Length of `HTTP/1.1 101`.
        const STATUS_BYTES: usize = 12;
        let Some(answer) = &mut self.upgrade else { return StreamProgress::Readable };
        let room = STATUS_BYTES - answer.len();
        answer.extend_from_slice(&bytes[..bytes.len().min(room)]);
        if answer.len() < STATUS_BYTES {
            return StreamProgress::Readable;
        }
        let is_agreed = answer.ends_with(b" 101");
        self.upgrade = None;
        if is_agreed { StreamProgress::Foreign } else { StreamProgress::Readable }
    }

    fn requests(
        &mut self,
        mut bytes: &[u8],
        tally: &mut CallTally,
    ) -> Result<StreamProgress, StreamFault> {
        while !bytes.is_empty() {
            let next = match &mut self.state {
                HttpState::Head(head) => match take_head(head, &mut bytes)? {
                    Some(head) => Some(self.head(&head, tally)?),
                    None => None,
                },
                HttpState::Body(left) => pass(left, &mut bytes).then(HttpState::head),
                HttpState::Chunk(left) => {
                    pass(left, &mut bytes).then(|| HttpState::ChunkSize(Vec::new()))
                }
                HttpState::Preface(left) => pass(left, &mut bytes).then(HttpState::frames),
                HttpState::ChunkSize(line) => {
                    take_line(line, &mut bytes)?.map(|line| chunk(&line)).transpose()?
                }
                HttpState::Trailer(line) => match take_line(line, &mut bytes)? {
                    Some(line) if line.is_empty() => Some(HttpState::head()),
                    Some(_) => Some(HttpState::Trailer(Vec::new())),
                    None => None,
                },
                HttpState::Frames { reader, last_stream } => {
                    if reader.take(&mut bytes, frame_bytes)? {
                        if begins_stream(reader.message().0, last_stream) {
                            tally.count_text("HTTP/2 request");
                        }
                        reader.next(FRAME_HEADER);
                    }
                    None
                }
            };
            if let Some(next) = next {
                self.state = next;
            }
        }
        Ok(StreamProgress::Readable)
    }

    /// Counts a request, and says what follows its head.
    fn head(&mut self, head: &[u8], tally: &mut CallTally) -> Result<HttpState, StreamFault> {
        if head == PREFACE_HEAD {
            return Ok(HttpState::Preface(PREFACE_REST));
        }
        let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
        let mut request = httparse::Request::new(&mut fields);
        if !request.parse(head).is_ok_and(|parsed| parsed.is_complete()) {
            return Err(StreamFault);
        }
        let (method, path) = (request.method.unwrap_or_default(), request.path.unwrap_or_default());
        tally.count_text(&format!("{method} {}", path_template(path)));
        let field = |name: &str| {
            let found = request.headers.iter().find(|field| field.name.eq_ignore_ascii_case(name));
            found.map(|field| field.value.trim_ascii())
        };
        // HTTP/2 begins with its preface, whether it was agreed on or known before.
        if field("upgrade").is_some_and(|protocol| !protocol.eq_ignore_ascii_case(b"h2c")) {
            self.upgrade = Some(Vec::new());
        }
        if let Some(encoding) = field("transfer-encoding") {
            let is_chunked = encoding.to_ascii_lowercase().ends_with(b"chunked");
            return is_chunked.then(|| HttpState::ChunkSize(Vec::new())).ok_or(StreamFault);
        }
        let Some(length) = field("content-length") else { return Ok(HttpState::head()) };
        let length = std::str::from_utf8(length).ok().and_then(|length| length.parse().ok());
        Ok(match length.ok_or(StreamFault)? {
            0 => HttpState::head(),
            length => HttpState::Body(length),
        })
    }
}

impl HttpState {
    fn head() -> Self {
        Self::Head(Vec::new())
    }

    fn frames() -> Self {
        Self::Frames { reader: MessageReader::new(FRAME_HEADER, 0), last_stream: 0 }
    }
}

/// Passes over bytes, and returns whether all have come.
fn pass(left: &mut u64, bytes: &mut &[u8]) -> bool {
    let taken = split_front(bytes, usize::try_from(*left).unwrap_or(usize::MAX));
    *left -= taken.len() as u64;
    *left == 0
}

/// Takes bytes up to an empty line; returns all of the head once it is whole.
fn take_head(head: &mut Vec<u8>, bytes: &mut &[u8]) -> Result<Option<Vec<u8>>, StreamFault> {
    while let Some((&byte, rest)) = bytes.split_first() {
        *bytes = rest;
        // Empty lines before a request are not part of it.
        if head.is_empty() && matches!(byte, b'\r' | b'\n') {
            continue;
        }
        head.push(byte);
        if head.len() > HEAD_BYTES_MAX {
            return Err(StreamFault);
        }
        if byte == b'\n' && (head.ends_with(b"\r\n\r\n") || head.ends_with(b"\n\n")) {
            return Ok(Some(std::mem::take(head)));
        }
    }
    Ok(None)
}

/// Takes bytes up to the end of a line, and returns it without that once it is whole.
fn take_line(line: &mut Vec<u8>, bytes: &mut &[u8]) -> Result<Option<Vec<u8>>, StreamFault> {
    let end = bytes.iter().position(|byte| *byte == b'\n');
    line.extend_from_slice(split_front(bytes, end.map_or(bytes.len(), |end| end + 1)));
    if line.len() > HEAD_BYTES_MAX {
        return Err(StreamFault);
    }
    Ok(end.map(|_| std::mem::take(line).trim_ascii_end().to_vec()))
}

/// Returns what follows the line before a chunk: the last one is empty.
fn chunk(line: &[u8]) -> Result<HttpState, StreamFault> {
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    let text = std::str::from_utf8(digits).map_err(|_| StreamFault)?;
    match u64::from_str_radix(text, 16).map_err(|_| StreamFault)? {
        0 => Ok(HttpState::Trailer(Vec::new())),
        bytes => Ok(HttpState::Chunk(bytes.checked_add(2).ok_or(StreamFault)?)),
    }
}

fn frame_bytes(header: &[u8]) -> Option<usize> {
    let [a, b, c] = *header.first_chunk()?;
    usize::try_from(u32::from_be_bytes([0, a, b, c])).ok()
}

/// Whether a frame begins a stream: trailers have the number of one that began before.
fn begins_stream(header: &[u8], last_stream: &mut u32) -> bool {
    let number = header.last_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes) & 0x7fff_ffff);
    let begins = header.get(3) == Some(&HEADERS_FRAME) && number > *last_stream;
    if begins {
        *last_stream = number;
    }
    begins
}

/// Returns a path with `{}` for each segment that may be a value, and without what a query asks for.
fn path_template(target: &str) -> String {
    /// A segment that is longer is an identifier rather than a word.
    const WORD_BYTES_MAX: usize = 32;
    let (path, has_query) = match target.split_once('?') {
        Some((path, _)) => (path, true),
        None => (target, false),
    };
    // Of an absolute address, only the path counts.
    let path = path
        .split_once("://")
        .map_or(path, |(_, rest)| rest.find('/').map_or("/", |at| &rest[at..]));
    let is_version = |segment: &str| {
        let digits = segment.strip_prefix('v').unwrap_or_default();
        (1..=2).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    let is_word = |segment: &str| {
        let is_letter =
            |byte: u8| byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'_' | b'.' | b'*');
        segment.len() <= WORD_BYTES_MAX && segment.bytes().all(is_letter)
    };
    let segment = |segment| if is_word(segment) || is_version(segment) { segment } else { "{}" };
    let mut template: String = path.split('/').map(segment).collect::<Vec<_>>().join("/");
    template.truncate(template.floor_char_boundary(200));
    if has_query {
        template.push_str("?…");
    }
    template
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_keeps_its_words_and_no_value() {
        let check = |path, expected: &str| assert_eq!(path_template(path), expected);
        check("/api/v2/orders/1042/lines", "/api/v2/orders/{}/lines");
        check("/users/ann%40example.org?token=x", "/users/{}?…");
        check("/f/3fa85f64-5717-4562-b3fc-2c963f66afa6.xml", "/f/{}");
        check("http://db.internal:8080/a/7", "/a/{}");
        check("*", "*");
        check("/", "/");
    }
}
