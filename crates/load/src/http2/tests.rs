//! A connection against a peer whose frames are written by hand.

use std::sync::Arc;

use super::connection::{AnswerHead, Goodbye, Http2Connection, Http2Event};
use super::frame::{self, EndReason, FrameHead};
use super::fuzz;
use super::hpack::{HeaderDecoder, HeaderEncoder, RequestHeader};
use super::request::Http2Request;
use crate::request::{LoadRequest, SuccessCheck};
use crate::response::ContentEncoding;

fn get(headers: &[(&str, &str)]) -> Http2Request {
    let request = LoadRequest::get("/a", "test", headers, Arc::new(SuccessCheck)).unwrap();
    Http2Request::new(&request, "http").unwrap()
}

fn post(bytes: usize) -> Http2Request {
    let body = vec![b'x'; bytes];
    let request = LoadRequest::post("/a", "test", "text/xml", &[], body, Arc::new(SuccessCheck));
    Http2Request::new(&request.unwrap(), "http").unwrap()
}

/// What a connection has to send, as frames.
fn sent(connection: &mut Http2Connection) -> Vec<(FrameHead, Vec<u8>)> {
    let mut bytes = Vec::new();
    loop {
        let part = connection.unsent().to_vec();
        if part.is_empty() {
            break;
        }
        connection.advance(part.len());
        bytes.extend_from_slice(&part);
    }
    let mut rest = bytes.strip_prefix(frame::PREFACE).unwrap_or(&bytes);
    let mut frames = Vec::new();
    while let Some(head) = FrameHead::read(rest) {
        let (payload, behind) = rest[frame::HEAD_BYTES..].split_at(head.length);
        frames.push((head, payload.to_vec()));
        rest = behind;
    }
    assert!(rest.is_empty(), "{rest:?}");
    frames
}

fn settings(settings: &[(u16, u32)]) -> Vec<u8> {
    let mut out = Vec::new();
    frame::write_settings(&mut out, settings);
    out
}

fn framed(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    frame::write(&mut out, kind, flags, stream, payload);
    out
}

fn block(headers: &[(&str, &str)]) -> Vec<u8> {
    let header = |(name, value): &(&str, &str)| RequestHeader {
        name: name.as_bytes().to_vec(),
        value: value.as_bytes().to_vec(),
    };
    let headers: Vec<_> = headers.iter().map(header).collect();
    let mut out = Vec::new();
    HeaderEncoder::default().encode(&headers, &mut out);
    out
}

/// Gives it bytes, and returns what it says, with the bytes of each body.
fn hear(connection: &mut Http2Connection, bytes: &[u8]) -> Result<Vec<String>, String> {
    connection.room().extend_from_slice(bytes);
    let mut said = Vec::new();
    while let Some(event) = connection.next().map_err(|fault| fault.detail)? {
        said.push(match event {
            Http2Event::Data { stream, part, is_last } => {
                let part = connection.part(part);
                format!("{stream}: {} bytes, last {is_last}", part.len())
            }
            Http2Event::Head { stream, head, is_last } => {
                format!("{stream}: status {}, last {is_last}", head.status)
            }
            other => format!("{other:?}"),
        });
    }
    Ok(said)
}

/// One that has its settings, and has said its own.
fn ready(peer: &[(u16, u32)]) -> Http2Connection {
    let mut connection = Http2Connection::new();
    assert_eq!(hear(&mut connection, &settings(peer)).unwrap(), ["Room"]);
    sent(&mut connection);
    connection
}

#[test]
fn it_says_who_it_is_and_opens_no_stream_before_it_knows_the_target() {
    let mut connection = Http2Connection::new();
    assert!(connection.unsent().starts_with(frame::PREFACE));
    let kinds: Vec<_> = sent(&mut connection).iter().map(|(head, _)| head.kind).collect();
    assert_eq!(kinds, [frame::SETTINGS, frame::WINDOW_UPDATE]);
    assert!(!connection.has_room());
    hear(&mut connection, &settings(&[(frame::MAX_CONCURRENT_STREAMS, 1)])).unwrap();
    assert!(connection.has_room());
    connection.open(7, &get(&[]), None, false);
    assert!(!connection.has_room());
    assert_eq!(connection.place(1), Some(7));
    let frames = sent(&mut connection);
    assert!(frames[0].0.kind == frame::SETTINGS && frames[0].0.has(frame::ACK));
    let head = frames[1].0;
    assert_eq!((head.kind, head.stream), (frame::HEADERS, 1));
    assert!(head.has(frame::END_STREAM) && head.has(frame::END_HEADERS));
}

/// The seed that `fuzz/` begins with; its first byte is the size of the pieces.
#[test]
fn the_answer_that_fuzzing_begins_with_is_one() {
    let seed = include_bytes!("../../../../fuzz/seeds/http2_answer/ok");
    assert_eq!(fuzz::read_answer(&seed[1..], seed[0].into()), Some((200, 2)));
}

#[test]
fn a_ping_is_answered_and_what_is_unknown_is_left_alone() {
    let mut connection = ready(&[]);
    let unknown = [framed(0x42, 0xff, 9, b"?"), framed(2, 0, 3, &[0; 5])].concat();
    let pings = framed(frame::PING, 0, 0, b"12345678");
    assert_eq!(hear(&mut connection, &[unknown, pings].concat()), Ok(Vec::new()));
    let frames = sent(&mut connection);
    assert_eq!(frames.len(), 1);
    assert!(frames[0].0.has(frame::ACK) && frames[0].1 == b"12345678");
}

#[test]
fn an_answer_is_its_head_its_body_and_nothing_of_what_is_around_it() {
    let mut connection = ready(&[]);
    for place in 0..2 {
        connection.open(place, &get(&[]), None, true);
    }
    let head = block(&[
        (":status", "200"),
        ("content-length", "3"),
        ("content-encoding", "gzip"),
        ("x", "y"),
    ]);
    let (first, rest) = head.split_at(4);
    let bytes = [
        framed(frame::HEADERS, frame::END_HEADERS, 3, &block(&[(":status", "103")])),
        // Filled up, with a priority, and in two parts.
        framed(
            frame::HEADERS,
            frame::PADDED | frame::WITH_PRIORITY,
            3,
            &[&[2], &[0; 5][..], first, &[0; 2]].concat(),
        ),
        framed(frame::CONTINUATION, frame::END_HEADERS, 3, rest),
        framed(frame::DATA, frame::PADDED, 3, b"\x02ab\0\0"),
        framed(frame::HEADERS, frame::END_HEADERS | frame::END_STREAM, 1, &[0x89]),
        framed(frame::DATA, 0, 3, b"c"),
        framed(
            frame::HEADERS,
            frame::END_HEADERS | frame::END_STREAM,
            3,
            &block(&[("trailer", "t")]),
        ),
    ];
    connection.room().extend_from_slice(&bytes.concat());
    let Ok(Some(Http2Event::Head { stream: 3, head, is_last: false })) = connection.next() else {
        panic!("a head")
    };
    let headers = [("content-length", "3"), ("content-encoding", "gzip"), ("x", "y")];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let (status, encoding, length) = (200, ContentEncoding::Gzip, Some(3));
    assert_eq!(head, AnswerHead { status, encoding, length, headers });
    assert_eq!(
        hear(&mut connection, &[]),
        Ok(vec![
            "3: 2 bytes, last false".to_owned(),
            "1: status 204, last true".to_owned(),
            "3: 1 bytes, last false".to_owned(),
            "3: 0 bytes, last true".to_owned(),
        ])
    );
}

#[test]
fn headers_are_numbers_from_the_second_time_on() {
    let mut connection = ready(&[]);
    let request = get(&[("x-tenant", "one"), ("authorization", "secret")]);
    let mut decoder = HeaderDecoder::default();
    let mut sizes = Vec::new();
    for _ in 0..4 {
        connection.open(0, &request, Some(0), false);
        let (_, block) = sent(&mut connection).remove(0);
        let mut names = Vec::new();
        decoder.decode(&block, &mut |name, _| names.push(name.to_vec())).unwrap();
        let expected = [":method", ":scheme", ":authority", ":path", "x-tenant", "authorization"];
        assert_eq!(names, expected.map(|name| name.as_bytes().to_vec()));
        sizes.push(block.len());
    }
    assert!(sizes[0] > sizes[1] + 10 && sizes[1..] == [sizes[1]; 3], "{sizes:?}");
    // A target without a table is sent all of them each time.
    hear(&mut connection, &settings(&[(frame::HEADER_TABLE_SIZE, 0)])).unwrap();
    sent(&mut connection);
    for _ in 0..2 {
        connection.open(0, &request, Some(0), false);
        assert!(sent(&mut connection)[0].1.len() >= sizes[0]);
    }
}

#[test]
fn headers_that_are_larger_than_a_frame_take_several() {
    let mut connection = ready(&[]);
    let long = "x".repeat(40_000);
    connection.open(0, &get(&[("x-long", &long)]), None, false);
    let frames = sent(&mut connection);
    let kinds: Vec<_> = frames.iter().map(|(head, _)| head.kind).collect();
    assert_eq!(kinds, [frame::HEADERS, frame::CONTINUATION, frame::CONTINUATION]);
    let ends = frames.iter().map(|(head, _)| head.has(frame::END_HEADERS));
    assert_eq!(ends.collect::<Vec<_>>(), [false, false, true]);
    assert!(frames[0].0.has(frame::END_STREAM));
}

#[test]
fn a_goodbye_and_a_reset_end_streams_and_late_frames_are_no_fault() {
    let mut connection = ready(&[]);
    for place in 0..4 {
        connection.open(place, &get(&[]), None, false);
    }
    let refused = framed(frame::RST_STREAM, 0, 3, &7_u32.to_be_bytes());
    assert_eq!(
        hear(&mut connection, &refused),
        Ok(vec!["Reset { stream: 3, reason: EndReason(7) }".to_owned()])
    );
    assert_eq!(connection.take(3).unwrap().place, 1);
    let goodbye = [5_u32.to_be_bytes(), 11_u32.to_be_bytes()].concat();
    hear(&mut connection, &framed(frame::GOAWAY, 0, 0, &goodbye)).unwrap();
    let reason = EndReason(11);
    assert_eq!(connection.goodbye(), Some(Goodbye { last: 5, reason }));
    assert_eq!(reason.to_string(), "ENHANCE_YOUR_CALM");
    assert!(connection.is_leaving() && !connection.has_room());
    let beyond: Vec<_> = connection.take_from(6).iter().map(|it| it.place).collect();
    assert_eq!(beyond, [3]);
    // What is not wanted any more is cancelled, and may have been answered meanwhile.
    assert_eq!(connection.end(5, false).unwrap().place, 2);
    let cancelled = sent(&mut connection).pop().unwrap();
    assert_eq!((cancelled.0.kind, cancelled.0.stream), (frame::RST_STREAM, 5));
    let late = [
        framed(frame::HEADERS, frame::END_HEADERS, 5, &[0x88]),
        framed(frame::DATA, frame::END_STREAM, 5, b"late"),
        framed(frame::WINDOW_UPDATE, 0, 7, &9_u32.to_be_bytes()),
        framed(frame::RST_STREAM, 0, 7, &[0; 4]),
        framed(frame::HEADERS, frame::END_HEADERS | frame::END_STREAM, 1, &[0x88]),
    ];
    assert_eq!(
        hear(&mut connection, &late.concat()),
        Ok(vec!["1: status 200, last true".to_owned()])
    );
}

#[test]
fn what_is_no_http2_is_named() {
    let open = |bytes: &[u8]| {
        let mut connection = ready(&[]);
        connection.open(0, &get(&[]), None, false);
        hear(&mut connection, bytes).unwrap_err()
    };
    let headers = |payload: &[u8]| framed(frame::HEADERS, frame::END_HEADERS, 1, payload);
    for (bytes, fault) in [
        (framed(frame::DATA, 0, 1, b"x"), "a body before its head"),
        (framed(frame::DATA, 0, 3, b"x"), "a frame of stream 3, which was not opened"),
        (framed(frame::DATA, 0, 2, b"x"), "a frame of stream 2, which was not opened"),
        (framed(frame::DATA, frame::PADDED, 1, b"\x09x"), "filled up beyond its end"),
        (headers(&[0xff]), "headers that cannot be read: it ends within a header"),
        (headers(&block(&[("x", "y")])), "an answer without a status"),
        ([headers(&[0x88]), headers(&[0x88])].concat(), "a second head"),
        (framed(frame::CONTINUATION, 0, 1, b""), "headers go on that did not begin"),
        (
            [framed(frame::HEADERS, 0, 1, &[]), framed(frame::PING, 0, 0, &[0; 8])].concat(),
            "a frame within a block of headers",
        ),
        (framed(frame::PUSH_PROMISE, 0, 1, &[]), "a push, which was refused"),
        (framed(frame::PING, 0, 0, &[]), "a ping that has not 8 bytes"),
        (framed(frame::SETTINGS, 0, 0, &[0; 5]), "settings that are cut off"),
        (settings(&[(frame::INITIAL_WINDOW_SIZE, u32::MAX)]), "a window of more than 2^31 bytes"),
        (framed(frame::WINDOW_UPDATE, 0, 0, &[0; 4]), "room for no bytes"),
        (framed(frame::WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff]), "or for more than 2^31"),
        (framed(frame::GOAWAY, 0, 0, &[0; 4]), "a frame is too short"),
        (framed(frame::DATA, 0, 1, &vec![0; 20_000]), "a frame of 20000 bytes"),
        (framed(frame::PING, 0, 0, &[0; 8]).repeat(70_000), "it does not read what it asks for"),
    ] {
        let found = open(&bytes);
        assert!(found.starts_with("no HTTP/2: ") && found.contains(fault), "{fault}: {found}");
    }
    for (bytes, fault) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], "it answers `HTTP/1.1 400 Bad Request`"),
        (b"220 mail.example ESMTP\r\n", "it does not begin with its settings"),
    ] {
        let found = hear(&mut Http2Connection::new(), bytes).unwrap_err();
        assert!(found.contains(fault), "{found}");
    }
}

#[test]
fn a_target_that_sends_on_is_given_room_again() {
    let mut connection = ready(&[]);
    connection.open(0, &get(&[]), None, false);
    hear(&mut connection, &framed(frame::HEADERS, frame::END_HEADERS, 1, &[0x88])).unwrap();
    let part = framed(frame::DATA, 0, 1, &[0; 16_384]);
    let mut given = [0_u64; 2];
    sent(&mut connection);
    for _ in 0..3_000 {
        hear(&mut connection, &part).unwrap();
        for (head, payload) in sent(&mut connection) {
            assert_eq!(head.kind, frame::WINDOW_UPDATE);
            given[head.stream as usize] += u64::from(frame::number(&payload, 0).unwrap());
        }
    }
    // As much as came, but for what is not worth a frame yet.
    let came = 3_000 * 16_384;
    assert!(given.iter().all(|it| (came - (8 << 20)..=came).contains(it)), "{given:?}");
}

#[test]
fn a_head_that_is_one_large_header_again_and_again_is_refused() {
    let mut connection = ready(&[]);
    connection.open(0, &get(&[]), None, true);
    let mut head = block(&[(":status", "200"), ("x-large", &"~".repeat(3_000))]);
    head.resize(head.len() + 5_000, 0xbe);
    let found = hear(&mut connection, &framed(frame::HEADERS, frame::END_HEADERS, 1, &head));
    assert_eq!(found, Err("no HTTP/2: a head of more than 262144 bytes".to_owned()));
}

/// As secured connections take it: never as much as is ready.
#[test]
fn a_long_upload_through_a_socket_that_takes_parts_answers_every_ping() {
    let mut connection = ready(&[(frame::INITIAL_WINDOW_SIZE, frame::STREAM_MAX)]);
    let more = (frame::STREAM_MAX - 65_535).to_be_bytes();
    hear(&mut connection, &framed(frame::WINDOW_UPDATE, 0, 0, &more)).unwrap();
    connection.open(0, &post(30_000_000), None, false);
    let pings = framed(frame::PING, 0, 0, &[0; 8]).repeat(200);
    let mut sent = 0;
    while !connection.unsent().is_empty() {
        let ready = connection.unsent().len();
        assert!(ready < 200_000, "{ready}");
        connection.advance(ready.min(65_536));
        sent += ready.min(65_536);
        if sent < 30_000_000 {
            hear(&mut connection, &pings).unwrap();
        }
    }
    assert!(sent > 31_000_000, "{sent}");
}

proptest::proptest! {
    #[test]
    fn answers_are_the_same_in_whatever_pieces_they_come(
        parts in proptest::collection::vec((0_u8..8, 0_u8..40), 0..30),
        piece in 1_usize..50,
    ) {
        let mut bytes = settings(&[]);
        for (kind, size) in parts {
            let payload = vec![0x88; usize::from(size)];
            bytes.extend(match kind {
                0 => framed(frame::HEADERS, frame::END_HEADERS, 1, &[0x88]),
                1 => framed(frame::DATA, 0, 1, &payload),
                2 => framed(frame::DATA, frame::PADDED, 1, &[&[3], &payload[..], &[0; 3]].concat()),
                3 => framed(frame::PING, 0, 0, &[0; 8]),
                4 => framed(frame::HEADERS, 0, 1, &payload),
                5 => framed(frame::CONTINUATION, frame::END_HEADERS, 1, &[0x88]),
                6 => framed(frame::WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1]),
                _ => framed(frame::DATA, frame::END_STREAM, 1, &payload),
            });
        }
        let hear_in = |size: usize| {
            let mut connection = ready(&[]);
            connection.open(0, &get(&[]), None, true);
            let pieces = bytes.chunks(size).map(|piece| hear(&mut connection, piece));
            pieces.collect::<Result<Vec<_>, _>>().map(|said| said.concat())
        };
        proptest::prop_assert_eq!(hear_in(piece), hear_in(bytes.len()));
    }

    /// Windows that open and close at any time, of the connection and of each stream.
    #[test]
    fn bodies_arrive_whole_and_never_ahead_of_the_room_for_them(
        bodies in proptest::collection::vec(1_usize..200_000, 1..5),
        first_window in 0_u32..100_000,
        steps in proptest::collection::vec((0_u32..5, 1_u32..90_000), 0..60),
    ) {
        let mut connection = ready(&[(frame::INITIAL_WINDOW_SIZE, first_window)]);
        let mut initial = i64::from(first_window);
        let mut windows = vec![65_535_i64];
        for (place, bytes) in bodies.iter().enumerate() {
            connection.open(place, &post(*bytes), Some(place), false);
            windows.push(initial);
        }
        let mut arrived = vec![0; bodies.len()];
        let mut whole = 0;
        // Every window is opened wide in the end.
        let wide = (0..=4).map(|stream| (stream, 1_000_000));
        for (stream, more) in steps.into_iter().chain(wide) {
            let number = stream as usize;
            if number < windows.len() {
                let named = if stream == 0 { 0 } else { 2 * stream - 1 };
                let update = framed(frame::WINDOW_UPDATE, 0, named, &more.to_be_bytes());
                hear(&mut connection, &update).unwrap();
                windows[number] += i64::from(more);
            } else if more < 60_000 {
                hear(&mut connection, &settings(&[(frame::INITIAL_WINDOW_SIZE, more)])).unwrap();
                windows[1..].iter_mut().for_each(|window| *window += i64::from(more) - initial);
                initial = i64::from(more);
            }
            for (head, payload) in sent(&mut connection) {
                if head.kind != frame::DATA {
                    continue;
                }
                let number = head.stream.div_ceil(2) as usize;
                let bytes = i64::try_from(payload.len()).unwrap();
                windows[0] -= bytes;
                windows[number] -= bytes;
                proptest::prop_assert!(windows[0] >= 0 && windows[number] >= 0);
                arrived[number - 1] += payload.len();
                whole += usize::from(head.has(frame::END_STREAM));
            }
        }
        proptest::prop_assert_eq!((arrived, whole), (bodies.clone(), bodies.len()));
    }

    #[test]
    fn no_bytes_are_too_much(bytes: Vec<u8>) {
        let mut connection = ready(&[]);
        connection.open(0, &get(&[]), None, true);
        let _ = hear(&mut connection, &bytes);
    }
}
