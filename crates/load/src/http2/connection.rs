//! One connection of HTTP/2 (RFC 9113), as a client has it: bytes in, bytes out, and what they say.
//!
//! It touches no socket and no clock, so that tests and `fuzz/` can script the peer. Priorities are not followed and
//! no pushes taken, which a client is free to do; a body is sent in parts, stream by stream in turn.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use super::frame::{self, EndReason, FrameHead};
use super::hpack::{self, HeaderDecoder, HeaderEncoder};
use super::request::{Http2Request, UnsentBody};
use crate::exchange::FailureKind;
use crate::response::{ContentEncoding, ResponseFault};

/// Bytes of an answer, and of all answers of a connection together, that the target may send ahead:
/// as for HTTP/1.1, the network is to be the limit, not this.
const WINDOW_BYTES: u32 = 16 << 20;

/// What either side may send ahead where the other one has not said otherwise (6.9.2).
const FIRST_WINDOW_BYTES: u32 = 65_535;

/// Least room for what is received at once.
const ROOM_BYTES_MIN: usize = 16 * 1024;

/// What room is made for, once there was too little.
const ROOM_BYTES: usize = 256 * 1024;

/// How much of the bodies is made ready before the socket takes it.
const READY_BYTES: usize = 64 * 1024;

/// Most bytes that wait to be sent and are no requests: answers to a peer that does not read them.
const REPLIES_BYTES_MAX: usize = 1 << 20;

/// Most prepared requests whose blocks are kept: of more, each is rarely sent over one connection.
const BLOCKS_MAX: usize = 1024;

/// Largest head, in bytes of names and values and 32 for each header: a block can name one header of the table as
/// often as it has bytes.
const HEAD_BYTES_MAX: usize = 256 * 1024;

/// Largest block of headers.
const BLOCK_BYTES_MAX: usize = 64 * 1024;

/// What a connection says.
#[derive(Debug)]
pub(super) enum Http2Event {
    /// How many streams it takes is known, or is another number now.
    Room,
    /// The head of the answer on a stream.
    Head { stream: u32, head: AnswerHead, is_last: bool },
    /// A part of the body, at this place of what was received.
    Data { stream: u32, part: Range<usize>, is_last: bool },
    /// The target has ended a stream.
    Reset { stream: u32, reason: EndReason },
    /// The target takes no new streams.
    Goodbye,
}

/// The head of an answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct AnswerHead {
    pub(super) status: u16,
    pub(super) encoding: ContentEncoding,
    pub(super) length: Option<usize>,
    /// Those that are text, if they are wanted.
    pub(super) headers: Vec<(String, String)>,
}

/// The target's word that it takes no new streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Goodbye {
    /// The last stream that it may have processed.
    pub(super) last: u32,
    pub(super) reason: EndReason,
}

/// A stream that is open.
pub(super) struct OpenStream {
    /// Place of its request among those in flight.
    pub(super) place: usize,
    body: Option<UnsentBody>,
    /// Whether it is among the senders.
    is_queued: bool,
    /// Bytes of the body that were sent.
    pub(super) sent: u64,
    /// Bytes that the target takes ahead; it can make them fewer than none (6.9.2).
    window: i64,
    /// Bytes that came since the target was last given room for more.
    received: u32,
    keeps_headers: bool,
    has_head: bool,
}

/// What the target has said of itself.
#[derive(Debug, Clone, Copy)]
struct PeerSettings {
    streams_max: u32,
    window: u32,
}

/// A block of headers whose end has not come yet.
struct PartialBlock {
    stream: u32,
    is_last: bool,
    bytes: Vec<u8>,
}

/// A block that a prepared request is every time.
struct KnownBlock {
    bytes: Vec<u8>,
    /// With how many changes of the table of headers it holds.
    epoch: u64,
}

pub(super) struct Http2Connection {
    inbox: Vec<u8>,
    /// How much of `inbox` was read.
    read: usize,
    outbox: Vec<u8>,
    /// How much of `outbox` was sent.
    sent: usize,
    /// Bytes of `outbox` that answer the peer, and are no requests.
    replies: usize,
    decoder: HeaderDecoder,
    encoder: HeaderEncoder,
    /// By the place of a prepared request.
    blocks: Vec<Option<KnownBlock>>,
    /// Changes of the table of headers so far.
    epoch: u64,
    block: Vec<u8>,
    peer: PeerSettings,
    has_settings: bool,
    next_stream: u32,
    streams: BTreeMap<u32, OpenStream>,
    /// Streams with a body of which the target takes more; others come back when it does.
    senders: VecDeque<u32>,
    window: i64,
    received: u32,
    goodbye: Option<Goodbye>,
    partial: Option<PartialBlock>,
}

/// Says what is not HTTP/2 about what was received.
pub(super) fn violation(detail: impl std::fmt::Display) -> ResponseFault {
    let detail = format!("no HTTP/2: {detail}");
    ResponseFault { kind: FailureKind::Malformed, detail }
}

impl Http2Connection {
    /// Begins one: what it sends first waits to be sent.
    pub(super) fn new() -> Self {
        let mut outbox = frame::PREFACE.to_vec();
        let settings = [(frame::ENABLE_PUSH, 0), (frame::INITIAL_WINDOW_SIZE, WINDOW_BYTES)];
        frame::write_settings(&mut outbox, &settings);
        let more = WINDOW_BYTES - FIRST_WINDOW_BYTES;
        frame::write(&mut outbox, frame::WINDOW_UPDATE, 0, 0, &more.to_be_bytes());
        Self {
            inbox: Vec::new(),
            read: 0,
            outbox,
            sent: 0,
            replies: 0,
            decoder: HeaderDecoder::default(),
            encoder: HeaderEncoder::default(),
            blocks: Vec::new(),
            epoch: 0,
            block: Vec::new(),
            peer: PeerSettings { streams_max: u32::MAX, window: FIRST_WINDOW_BYTES },
            has_settings: false,
            next_stream: 1,
            streams: BTreeMap::new(),
            senders: VecDeque::new(),
            window: i64::from(FIRST_WINDOW_BYTES),
            received: 0,
            goodbye: None,
            partial: None,
        }
    }

    /// Whether the target has said how many streams it takes: nothing is sent before.
    pub(super) fn is_ready(&self) -> bool {
        self.has_settings
    }

    /// Whether no new stream will ever be opened on it.
    pub(super) fn is_leaving(&self) -> bool {
        self.goodbye.is_some() || self.next_stream > frame::STREAM_MAX
    }

    pub(super) fn goodbye(&self) -> Option<Goodbye> {
        self.goodbye
    }

    /// Whether a stream can be opened now.
    pub(super) fn has_room(&self) -> bool {
        let streams_max = self.peer.streams_max as usize;
        self.has_settings && !self.is_leaving() && self.streams.len() < streams_max
    }

    pub(super) fn is_idle(&self) -> bool {
        self.streams.is_empty()
    }

    /// Whether there is nothing to send, and at most one answer to come.
    pub(super) fn is_quiet(&self) -> bool {
        self.outbox.is_empty() && self.senders.is_empty() && self.streams.len() <= 1
    }

    /// Returns the place of a stream that is open.
    pub(super) fn place(&self, stream: u32) -> Option<usize> {
        self.streams.get(&stream).map(|it| it.place)
    }

    /// Opens a stream for the request at a place, and makes ready to send it. `prepared` is where the request is in
    /// the plan, if it is the same each time.
    pub(super) fn open(
        &mut self,
        place: usize,
        request: &Http2Request,
        prepared: Option<usize>,
        keeps_headers: bool,
    ) -> u32 {
        let stream = self.next_stream;
        self.next_stream += 2;
        let body = request.begin();
        self.write_headers(stream, request, prepared, body.is_none());
        let mut opened = OpenStream {
            place,
            body,
            is_queued: false,
            sent: 0,
            window: i64::from(self.peer.window),
            received: 0,
            keeps_headers,
            has_head: false,
        };
        opened.queue(stream, &mut self.senders);
        self.streams.insert(stream, opened);
        stream
    }

    fn write_headers(
        &mut self,
        stream: u32,
        request: &Http2Request,
        prepared: Option<usize>,
        is_last: bool,
    ) {
        let mut block = std::mem::take(&mut self.block);
        block.clear();
        let known = prepared.and_then(|at| self.blocks.get(at)?.as_ref());
        match known.filter(|known| known.epoch == self.epoch) {
            Some(known) => block.extend_from_slice(&known.bytes),
            None => {
                if self.encoder.encode(&request.headers, &mut block) {
                    self.remember(prepared, &block);
                } else {
                    self.epoch += 1;
                }
            }
        }
        let last = if is_last { frame::END_STREAM } else { 0 };
        let mut parts = block.chunks(frame::PAYLOAD_BYTES_MAX).peekable();
        let (mut kind, mut flags) = (frame::HEADERS, last);
        while let Some(part) = parts.next() {
            let end = if parts.peek().is_none() { frame::END_HEADERS } else { 0 };
            frame::write(&mut self.outbox, kind, flags | end, stream, part);
            (kind, flags) = (frame::CONTINUATION, 0);
        }
        self.block = block;
    }

    fn remember(&mut self, prepared: Option<usize>, block: &[u8]) {
        let Some(at) = prepared.filter(|at| *at < BLOCKS_MAX) else { return };
        if self.blocks.len() <= at {
            self.blocks.resize_with(at + 1, || None);
        }
        self.blocks[at] = Some(KnownBlock { bytes: block.to_vec(), epoch: self.epoch });
    }

    /// Ends a stream, whatever is still to come or to be sent. Returns it.
    pub(super) fn end(&mut self, stream: u32, is_answered: bool) -> Option<OpenStream> {
        let ended = self.streams.remove(&stream)?;
        if ended.body.is_some() || !is_answered {
            self.senders.retain(|it| *it != stream);
            let reason = EndReason::CANCEL.0.to_be_bytes();
            frame::write(&mut self.outbox, frame::RST_STREAM, 0, stream, &reason);
        }
        Some(ended)
    }

    /// Takes a stream that the target has ended.
    pub(super) fn take(&mut self, stream: u32) -> Option<OpenStream> {
        self.senders.retain(|it| *it != stream);
        self.streams.remove(&stream)
    }

    /// Takes all streams from `first` on.
    pub(super) fn take_from(&mut self, first: u32) -> Vec<OpenStream> {
        self.senders.retain(|it| *it < first);
        self.streams.split_off(&first).into_values().collect()
    }

    /// Returns what is to be sent next.
    pub(super) fn unsent(&mut self) -> &[u8] {
        self.fill();
        &self.outbox[self.sent..]
    }

    /// Takes note that so much of it was sent.
    pub(super) fn advance(&mut self, sent: usize) {
        self.sent += sent;
        if self.sent >= READY_BYTES || self.sent == self.outbox.len() {
            self.outbox.drain(..self.sent);
            self.sent = 0;
        }
        self.replies = self.replies.min(self.outbox.len() - self.sent);
    }

    /// Makes parts of bodies ready to be sent, as far as the target takes them.
    fn fill(&mut self) {
        while self.outbox.len() - self.sent < READY_BYTES
            && self.window > 0
            && let Some(stream) = self.senders.pop_front()
        {
            let Some(open) = self.streams.get_mut(&stream) else { continue };
            open.is_queued = false;
            let Some(body) = &mut open.body else { continue };
            let room = usize::try_from(open.window.min(self.window)).unwrap_or(0);
            if room == 0 {
                continue;
            }
            let (part, is_last) = body.take(room.min(frame::PAYLOAD_BYTES_MAX));
            let flags = if is_last { frame::END_STREAM } else { 0 };
            frame::write(&mut self.outbox, frame::DATA, flags, stream, &part);
            let bytes = i64::try_from(part.len()).unwrap_or(i64::MAX);
            open.sent += part.len() as u64;
            open.window -= bytes;
            self.window -= bytes;
            if is_last {
                open.body = None;
            }
            open.queue(stream, &mut self.senders);
        }
    }

    /// Returns the buffer with room for more; what is appended to it is read by [`Self::next`].
    pub(super) fn room(&mut self) -> &mut Vec<u8> {
        if self.inbox.capacity() - self.inbox.len() < ROOM_BYTES_MIN / 2 {
            self.inbox.drain(..self.read);
            self.read = 0;
            let was_small = self.inbox.capacity() > 0;
            let room = if was_small { ROOM_BYTES } else { ROOM_BYTES_MIN };
            if self.inbox.capacity() - self.inbox.len() < ROOM_BYTES_MIN / 2 {
                self.inbox.reserve(room);
            }
        }
        &mut self.inbox
    }

    /// Returns a part of what was received.
    pub(super) fn part(&self, part: Range<usize>) -> &[u8] {
        &self.inbox[part]
    }

    /// Returns the first bytes that came, if they are those of HTTP/1.1.
    fn line(&self) -> Option<String> {
        let line = self.inbox.split(|byte| *byte == b'\r' || *byte == b'\n').next()?;
        line.starts_with(b"HTTP/")
            .then(|| String::from_utf8_lossy(&line[..line.len().min(80)]).into())
    }

    /// Reads what was received up to the next event; none if more has to come first.
    pub(super) fn next(&mut self) -> Result<Option<Http2Event>, ResponseFault> {
        loop {
            if self.replies > REPLIES_BYTES_MAX {
                return Err(violation("it does not read what it asks for"));
            }
            let rest = &self.inbox[self.read..];
            if rest.is_empty() {
                self.inbox.clear();
                self.read = 0;
                return Ok(None);
            }
            let Some(head) = FrameHead::read(rest) else { return Ok(None) };
            if !self.has_settings && (head.kind != frame::SETTINGS || head.has(frame::ACK)) {
                return Err(match self.line() {
                    Some(line) => violation(format!("it answers `{line}`")),
                    None => violation("it does not begin with its settings"),
                });
            }
            if head.length > frame::PAYLOAD_BYTES_MAX {
                return Err(violation(format!("a frame of {} bytes", head.length)));
            }
            let payload =
                self.read + frame::HEAD_BYTES..self.read + frame::HEAD_BYTES + head.length;
            if payload.end > self.inbox.len() {
                return Ok(None);
            }
            self.read = payload.end;
            let is_next = |partial: &PartialBlock| {
                head.kind == frame::CONTINUATION && head.stream == partial.stream
            };
            if !self.partial.as_ref().is_none_or(is_next) {
                return Err(violation("a frame within a block of headers"));
            }
            if let Some(event) = self.frame(head, payload)? {
                return Ok(Some(event));
            }
        }
    }

    fn frame(
        &mut self,
        head: FrameHead,
        payload: Range<usize>,
    ) -> Result<Option<Http2Event>, ResponseFault> {
        let FrameHead { kind, stream, .. } = head;
        match kind {
            frame::DATA => self.data(head, payload),
            frame::HEADERS => {
                let mut block = self.unpadded(head, payload)?;
                if head.has(frame::WITH_PRIORITY) {
                    block.start += 5;
                }
                let bytes =
                    self.inbox.get(block).ok_or_else(|| violation("a frame is too short"))?;
                let is_last = head.has(frame::END_STREAM);
                self.partial = Some(PartialBlock { stream, is_last, bytes: bytes.to_vec() });
                if head.has(frame::END_HEADERS) { self.headers() } else { Ok(None) }
            }
            frame::CONTINUATION => {
                let Some(partial) = &mut self.partial else {
                    return Err(violation("headers go on that did not begin"));
                };
                partial.bytes.extend_from_slice(&self.inbox[payload]);
                if partial.bytes.len() > BLOCK_BYTES_MAX {
                    return Err(violation(format!("headers of more than {BLOCK_BYTES_MAX} bytes")));
                }
                if head.has(frame::END_HEADERS) { self.headers() } else { Ok(None) }
            }
            frame::RST_STREAM => {
                let reason = EndReason(self.number(&payload, 0)?);
                self.check_opened(stream)?;
                Ok(self
                    .streams
                    .contains_key(&stream)
                    .then_some(Http2Event::Reset { stream, reason }))
            }
            frame::SETTINGS | frame::PING if head.has(frame::ACK) => Ok(None),
            frame::SETTINGS => self.settings(payload).map(Some),
            frame::PUSH_PROMISE => Err(violation("a push, which was refused")),
            frame::PING => {
                let echo: [u8; 8] = self.inbox[payload]
                    .try_into()
                    .map_err(|_| violation("a ping that has not 8 bytes"))?;
                self.reply(frame::PING, frame::ACK, 0, &echo);
                Ok(None)
            }
            frame::GOAWAY => {
                let last = self.number(&payload, 0)? & frame::STREAM_MAX;
                let reason = EndReason(self.number(&payload, 4)?);
                self.goodbye = Some(Goodbye { last, reason });
                Ok(Some(Http2Event::Goodbye))
            }
            frame::WINDOW_UPDATE => self.window_update(stream, payload).map(|()| None),
            // Priorities, and kinds that are not known, say nothing here (5.5).
            _ => Ok(None),
        }
    }

    fn number(&self, payload: &Range<usize>, at: usize) -> Result<u32, ResponseFault> {
        frame::number(&self.inbox[payload.clone()], at)
            .ok_or_else(|| violation("a frame is too short"))
    }

    /// Returns where a payload is without what it was filled up with.
    fn unpadded(
        &self,
        head: FrameHead,
        payload: Range<usize>,
    ) -> Result<Range<usize>, ResponseFault> {
        if !head.has(frame::PADDED) {
            return Ok(payload);
        }
        let padding = self.inbox[payload.clone()].first().copied().map(usize::from);
        padding
            .and_then(|padding| payload.end.checked_sub(padding))
            .map(|end| payload.start + 1..end)
            .filter(|inner| inner.start <= inner.end)
            .ok_or_else(|| violation("a frame is filled up beyond its end"))
    }

    /// Refuses a stream that was never opened. One that has ended may still be on the way.
    fn check_opened(&self, stream: u32) -> Result<(), ResponseFault> {
        if stream % 2 == 1 && stream < self.next_stream {
            return Ok(());
        }
        Err(violation(format!("a frame of stream {stream}, which was not opened")))
    }

    fn reply(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        frame::write(&mut self.outbox, kind, flags, stream, payload);
        self.replies += frame::HEAD_BYTES + payload.len();
    }

    fn data(
        &mut self,
        head: FrameHead,
        payload: Range<usize>,
    ) -> Result<Option<Http2Event>, ResponseFault> {
        let stream = head.stream;
        self.check_opened(stream)?;
        let bytes = u32::try_from(head.length).unwrap_or(u32::MAX);
        let part = self.unpadded(head, payload)?;
        let is_last = head.has(frame::END_STREAM);
        self.received += bytes;
        let mut fits = self.received <= WINDOW_BYTES;
        if self.received >= WINDOW_BYTES / 2 {
            let more = std::mem::take(&mut self.received);
            self.reply(frame::WINDOW_UPDATE, 0, 0, &more.to_be_bytes());
        }
        let mut more = 0;
        let known = self.streams.get_mut(&stream);
        let has_head = known.as_ref().is_none_or(|open| open.has_head);
        let is_known = known.is_some();
        if let Some(open) = known {
            open.received += bytes;
            fits &= open.received <= WINDOW_BYTES;
            if open.received >= WINDOW_BYTES / 2 && !is_last {
                more = std::mem::take(&mut open.received);
            }
        }
        if !fits {
            return Err(violation("more than there was room for"));
        }
        if !has_head {
            return Err(violation("a body before its head"));
        }
        if more > 0 {
            self.reply(frame::WINDOW_UPDATE, 0, stream, &more.to_be_bytes());
        }
        Ok(is_known.then_some(Http2Event::Data { stream, part, is_last }))
    }

    /// Reads a block of headers that is whole: a head, or what comes behind a body.
    fn headers(&mut self) -> Result<Option<Http2Event>, ResponseFault> {
        let Some(PartialBlock { stream, is_last, bytes }) = self.partial.take() else {
            return Ok(None);
        };
        self.check_opened(stream)?;
        let open = self.streams.get(&stream);
        let keeps_headers = open.is_some_and(|open| open.keeps_headers);
        let (mut head, mut bytes_heard) = (AnswerHead::default(), 0);
        let read = self.decoder.decode(&bytes, &mut |name, value| {
            bytes_heard += name.len() + value.len() + hpack::ENTRY_BYTES;
            if bytes_heard <= HEAD_BYTES_MAX {
                head.hear(name, value, keeps_headers);
            }
        });
        read.map_err(|error| violation(format!("headers that cannot be read: {error}")))?;
        if bytes_heard > HEAD_BYTES_MAX {
            return Err(violation(format!("a head of more than {HEAD_BYTES_MAX} bytes")));
        }
        let Some(open) = self.streams.get_mut(&stream) else { return Ok(None) };
        if open.has_head {
            let part = 0..0;
            let behind = Http2Event::Data { stream, part, is_last };
            return if is_last { Ok(Some(behind)) } else { Err(violation("a second head")) };
        }
        match head.status {
            100..200 if !is_last => Ok(None),
            200..1000 => {
                open.has_head = true;
                Ok(Some(Http2Event::Head { stream, head, is_last }))
            }
            _ => Err(violation("an answer without a status")),
        }
    }

    fn settings(&mut self, payload: Range<usize>) -> Result<Http2Event, ResponseFault> {
        let settings = self.inbox[payload].to_vec();
        let (pairs, rest) = settings.as_chunks::<6>();
        if !rest.is_empty() {
            return Err(violation("settings that are cut off"));
        }
        for [name @ .., a, b, c, d] in pairs {
            let value = u32::from_be_bytes([*a, *b, *c, *d]);
            match u16::from_be_bytes(*name) {
                frame::HEADER_TABLE_SIZE => {
                    self.epoch += u64::from(self.encoder.resize(value as usize));
                }
                frame::MAX_CONCURRENT_STREAMS => self.peer.streams_max = value,
                frame::INITIAL_WINDOW_SIZE if value > frame::STREAM_MAX => {
                    return Err(violation("a window of more than 2^31 bytes"));
                }
                frame::INITIAL_WINDOW_SIZE => {
                    let more = i64::from(value) - i64::from(self.peer.window);
                    self.peer.window = value;
                    for (stream, open) in &mut self.streams {
                        open.window += more;
                        open.queue(*stream, &mut self.senders);
                    }
                }
                // Larger frames than every peer takes are not sent, so their size says nothing.
                _ => {}
            }
        }
        self.has_settings = true;
        self.reply(frame::SETTINGS, frame::ACK, 0, &[]);
        Ok(Http2Event::Room)
    }

    fn window_update(&mut self, stream: u32, payload: Range<usize>) -> Result<(), ResponseFault> {
        let more = i64::from(self.number(&payload, 0)? & frame::STREAM_MAX);
        let window = if stream == 0 {
            self.window += more;
            self.window
        } else {
            self.check_opened(stream)?;
            let Some(open) = self.streams.get_mut(&stream) else { return Ok(()) };
            open.window += more;
            open.queue(stream, &mut self.senders);
            open.window
        };
        if more == 0 || window > i64::from(frame::STREAM_MAX) {
            return Err(violation("room for no bytes, or for more than 2^31"));
        }
        Ok(())
    }
}

impl OpenStream {
    /// Puts it among the senders, if there is something to send that the target takes.
    fn queue(&mut self, stream: u32, senders: &mut VecDeque<u32>) {
        if self.body.is_some() && self.window > 0 && !self.is_queued {
            self.is_queued = true;
            senders.push_back(stream);
        }
    }
}

impl AnswerHead {
    fn hear(&mut self, name: &[u8], value: &[u8], keeps_headers: bool) {
        match name {
            b":status" => {
                self.status = number(value).and_then(|it| it.try_into().ok()).unwrap_or(0);
            }
            b"content-length" => self.length = number(value),
            b"content-encoding" => self.encoding = ContentEncoding::named(value),
            _ => {}
        }
        let is_wanted = keeps_headers && !name.starts_with(b":");
        if is_wanted && let (Ok(name), Ok(value)) = (str::from_utf8(name), str::from_utf8(value)) {
            self.headers.push((name.to_owned(), value.to_owned()));
        }
    }
}

fn number(value: &[u8]) -> Option<usize> {
    str::from_utf8(value).ok()?.parse().ok()
}
