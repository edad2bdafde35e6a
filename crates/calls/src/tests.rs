//! Sessions as programs hold them, cut and damaged in every way.

use proptest::prelude::*;

use super::*;

/// What passes, in order.
type Session = Vec<(CallDirection, Vec<u8>)>;

fn request(bytes: impl Into<Vec<u8>>) -> (CallDirection, Vec<u8>) {
    (CallDirection::Request, bytes.into())
}

fn reply(bytes: impl Into<Vec<u8>>) -> (CallDirection, Vec<u8>) {
    (CallDirection::Reply, bytes.into())
}

/// What is known of a session whose pieces are cut once more after each of `cuts` bytes, in turn.
fn tally_of(session: &Session, counting: CallCounting, cuts: &[usize]) -> CallTally {
    let mut tally = CallTally::default();
    let mut stream = CallStream::begin(counting, &mut tally);
    let mut cuts = cuts.iter().cycle();
    for (direction, bytes) in session {
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let cut = cuts.next().copied().unwrap_or(usize::MAX).max(1);
            let (piece, after) = rest.split_at(cut.min(rest.len()));
            stream.see(*direction, piece, &mut tally);
            rest = after;
        }
    }
    tally
}

fn counts(tally: &CallTally) -> Vec<(&str, u64)> {
    let executed = tally.statements().iter().filter(|it| it.count > 0);
    executed.map(|it| (it.statement.as_str(), it.count)).collect()
}

/// A message of PostgreSQL.
fn message(letter: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
    [&[letter], length.as_slice(), body].concat()
}

fn startup(code: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 8).unwrap().to_be_bytes();
    [length.as_slice(), &code.to_be_bytes(), body].concat()
}

fn postgresql() -> Session {
    let execute = |portal: &[u8]| message(b'E', &[portal, &[0, 0, 0, 0, 0]].concat());
    let bind = |portal: &str, name: &str| {
        message(b'B', format!("{portal}\0{name}\0\0\0\0\x01\0\0\0\x0242\0\0").as_bytes())
    };
    let parse = |name: &str, text: &str| message(b'P', format!("{name}\0{text}\0\0\0").as_bytes());
    let sync = || message(b'S', &[]);
    vec![
        request(startup(80_877_103, &[])),
        reply(b"N"),
        request(startup(196_608, b"user\0app\0\0")),
        reply(message(b'R', &[0, 0, 0, 3])),
        request(message(b'p', b"secret\0")),
        reply(message(b'Z', b"I")),
        request(message(b'Q', b"BEGIN; SELECT name FROM item WHERE id = 7\0")),
        reply(message(b'D', &[0; 300])),
        request(
            [parse("s1", "SELECT a FROM t WHERE id = $1"), message(b'D', b"Ss1\0"), sync()]
                .concat(),
        ),
        reply(message(b'1', &[])),
        request([bind("", "s1"), execute(b""), sync()].concat()),
        reply(message(b'2', &[])),
        // A pipeline: two statements, one round trip.
        request([bind("", "s1"), execute(b""), bind("c", "s1"), execute(b"c"), sync()].concat()),
        reply(message(b's', &[])),
        // More rows of the second one.
        request([execute(b"c"), sync()].concat()),
        reply(message(b'C', b"SELECT 1\0")),
        request([message(b'C', b"Ss1\0"), bind("", "s1"), execute(b""), sync()].concat()),
        reply(message(b'E', &[0])),
        request([parse("", ""), bind("", ""), execute(b""), message(b'X', &[])].concat()),
    ]
}

/// A packet of MySQL.
fn packet(number: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_le_bytes();
    [&length[..3], &[number], body].concat()
}

fn greeting(offered: u32) -> Vec<u8> {
    let [a, b, c, d] = offered.to_le_bytes();
    let body = [b"\x0a8.0.1\0".as_slice(), &[1, 0, 0, 0], b"saltsalt\0", &[a, b, 45, 2, 0, c, d]];
    packet(0, &body.concat())
}

fn mysql(offered: u32, wanted: u32, query_prefix: &[u8]) -> Session {
    let query = |text: &str| packet(0, &[b"\x03", query_prefix, text.as_bytes()].concat());
    let numbered = |command: u8, number: u32| {
        packet(0, &[[command].as_slice(), &number.to_le_bytes(), &[0, 1, 0, 0, 0]].concat())
    };
    let prepared = [[0].as_slice(), &9_u32.to_le_bytes(), &[1, 0, 1, 0, 0, 0, 0]].concat();
    vec![
        reply(greeting(offered)),
        request(packet(
            1,
            &[wanted.to_le_bytes().as_slice(), &[0; 28], b"app\0\x06secret"].concat(),
        )),
        reply(packet(2, &[0xfe, b'm', 0])),
        request(packet(3, b"more secret")),
        reply(packet(4, &[0, 0, 0, 2, 0, 0, 0])),
        request(query("SELECT name FROM item WHERE id = \"x\"; COMMIT")),
        reply(packet(1, &[1])),
        request(packet(0, b"\x16SELECT a FROM t WHERE id = ?")),
        reply(packet(1, &prepared)),
        request(numbered(0x17, 9)),
        reply(packet(1, &[1])),
        // Closing has no answer, so that the next command is in the same round trip.
        request([numbered(0x17, u32::MAX), numbered(0x19, 9), packet(0, b"\x0e")].concat()),
        reply(packet(1, &[0, 0, 0, 2, 0, 0, 0])),
        request(packet(0, b"\x01")),
    ]
}

fn redis() -> Session {
    vec![
        request("*2\r\n$6\r\nCLIENT\r\n$5\r\nGETID\r\n"),
        reply(":1\r\n"),
        request(
            "*2\r\n$3\r\nget\r\n$7\r\nuser:42\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$4\r\n\r\n*1\r\n",
        ),
        reply("$-1\r\n"),
        reply("+OK\r\n"),
        request("PING\r\n"),
        reply("+PONG\r\n"),
        request("*3\r\n$3\r\nGET\r\n$0\r\n\r\n$1\r\nx\r\n*0\r\n"),
        reply("$-1\r\n"),
        request("*1\r\n$6\r\nS\u{e9}CRE\r\n"),
    ]
}

fn http() -> Session {
    vec![
        request("POST /items/42?x=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nGET /"),
        reply("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        request(
            "PUT /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nT: 1\r\n\r\n\
             GET /items HTTP/1.1\r\nUpgrade: h2c\r\n\r\n",
        ),
        reply("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        reply("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        request("GET /items HTTP/1.1\r\n\r\n"),
    ]
}

fn http2() -> Session {
    let frame = |of: u8, stream: u8, body: &[u8]| {
        let length = u8::try_from(body.len()).unwrap();
        [&[0, 0, length, of, 4, 0, 0, 0, stream], body].concat()
    };
    let begin = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    vec![
        request([begin, frame(4, 0, &[]), frame(1, 1, &[0x82]), frame(0, 1, b"body")].concat()),
        reply(frame(4, 0, &[])),
        // Two more, and the trailer of the first of them.
        request([frame(1, 3, &[0x82]), frame(1, 5, &[0x82]), frame(1, 3, &[0x82])].concat()),
    ]
}

fn sessions() -> Vec<Session> {
    let plain = 0x000f_a685;
    let attributes = 1 << 27 | plain;
    vec![
        postgresql(),
        mysql(plain, plain, b""),
        mysql(attributes, attributes, &[0, 1]),
        redis(),
        http(),
        http2(),
    ]
}

#[test]
fn postgresql_counts_what_is_executed_and_pipelines_are_one_round_trip() {
    let tally = tally_of(&postgresql(), CallCounting::Detected, &[]);
    let expected = [
        ("BEGIN", 1),
        ("SELECT name FROM item WHERE id = ?", 1),
        ("SELECT a FROM t WHERE id = ?", 3),
        ("EXECUTE", 1),
    ];
    assert_eq!(counts(&tally), expected);
    assert_eq!((tally.totals().queries, tally.totals().round_trips), (6, 10));
    assert_eq!((tally.protocol(), tally.obstacle()), (Some(CallProtocol::PostgreSql), None));
}

#[test]
fn mysql_counts_statements_by_text_and_by_number() {
    let expected = [
        ("SELECT name FROM item WHERE id = ?", 1),
        ("COMMIT", 1),
        ("SELECT a FROM t WHERE id = ?", 2),
        ("PING", 1),
    ];
    for session in &sessions()[1..3] {
        let tally = tally_of(session, CallCounting::Detected, &[]);
        assert_eq!(counts(&tally), expected);
        assert_eq!(tally.totals().round_trips, 7);
        assert_eq!(tally.protocol(), Some(CallProtocol::MySql));
    }
}

#[test]
fn redis_counts_commands_and_keeps_no_key() {
    let tally = tally_of(&redis(), CallCounting::Detected, &[]);
    let expected =
        [("CLIENT GETID", 1), ("GET", 2), ("SET", 1), ("PING", 1), ("(unknown command)", 1)];
    assert_eq!(counts(&tally), expected);
    assert_eq!(tally.totals().round_trips, 5);
}

#[test]
fn http_counts_requests_by_method_and_path() {
    let tally = tally_of(&http(), CallCounting::Detected, &[]);
    assert_eq!(counts(&tally), [("POST /items/{}?…", 1), ("PUT /a", 1), ("GET /items", 2)]);
    assert_eq!(tally.totals().round_trips, 3);
    let tally = tally_of(&http2(), CallCounting::Detected, &[]);
    assert_eq!(counts(&tally), [("HTTP/2 request", 3)]);
}

#[test]
fn what_is_encrypted_or_compressed_is_said_and_not_counted() {
    let check = |session: &Session, counting, obstacle| {
        let tally = tally_of(session, counting, &[]);
        assert_eq!((tally.totals().queries, tally.obstacle()), (0, Some(obstacle)));
        assert!(tally.totals().round_trips > 0);
    };
    let hello = request([0x16, 3, 1, 0, 5]);
    let encrypted = CallObstacle::Encrypted;
    check(&vec![hello.clone()], CallCounting::Detected, encrypted);
    check(&vec![hello.clone()], CallCounting::As(CallProtocol::Http), encrypted);
    let agreed = vec![request(startup(80_877_103, &[])), reply(b"S"), hello];
    check(&agreed, CallCounting::Detected, encrypted);
    let asks = packet(1, &[(1_u32 << 11).to_le_bytes().as_slice(), &[0; 28]].concat());
    let asks = vec![reply(greeting(u32::MAX)), request(asks)];
    check(&asks, CallCounting::Detected, encrypted);
    check(&mysql(1 << 5, 1 << 5, b""), CallCounting::Detected, CallObstacle::Compressed);
}

#[test]
fn requests_are_counted_on_where_http_1_becomes_http_2() {
    let asks = request("GET /items HTTP/1.1\r\nUpgrade: h2c\r\n\r\n");
    let agrees = reply("HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n");
    let session = [asks, agrees].into_iter().chain(http2()).collect();
    let tally = tally_of(&session, CallCounting::Detected, &[]);
    assert_eq!(counts(&tally), [("GET /items", 1), ("HTTP/2 request", 3)]);
    assert_eq!(tally.obstacle(), None);
}

#[test]
fn an_upgrade_ends_what_is_read_without_a_fault() {
    let session = vec![
        request("GET /live HTTP/1.1\r\nUpgrade: websocket\r\n\r\n"),
        reply("HTTP/1.1 101 Switching Protocols\r\n\r\n"),
        request([0x81, 1, b'x']),
    ];
    let tally = tally_of(&session, CallCounting::Detected, &[]);
    assert_eq!((counts(&tally), tally.obstacle()), (vec![("GET /live", 1)], None));
}

#[test]
fn a_program_with_endless_statements_takes_bounded_memory() {
    let texts = (0..3_000).map(|it| message(b'Q', format!("SELECT c{it}x\0").as_bytes()));
    let begin = startup(196_608, b"user\0app\0\0");
    let session = vec![request([begin].into_iter().chain(texts).collect::<Vec<_>>().concat())];
    let tally = tally_of(&session, CallCounting::Detected, &[]);
    assert_eq!(tally.totals().queries, 3_000);
    assert_eq!(tally.statements().iter().map(|it| it.count).sum::<u64>(), 3_000);
    assert!(tally.statements().len() <= 501);
}

/// What may not depend on how a stream is cut.
fn facts(tally: &CallTally) -> impl PartialEq + std::fmt::Debug {
    (tally.totals(), tally.statements().to_vec(), tally.protocol(), tally.obstacle())
}

fn damaged(mut session: Session, damage: &[(usize, usize, u8)]) -> Session {
    for (piece, at, byte) in damage {
        let number = session.len();
        let bytes = &mut session[piece % number].1;
        let length = bytes.len();
        bytes[at % length] = *byte;
    }
    session
}

proptest! {
    #[test]
    fn any_cut_of_a_session_gives_the_same_counts(
        which in 0..6_usize,
        cuts in prop::collection::vec(1..40_usize, 1..12),
        damage in prop::collection::vec((any::<usize>(), any::<usize>(), any::<u8>()), 0..4),
    ) {
        let session = damaged(sessions().swap_remove(which), &damage);
        let whole = tally_of(&session, CallCounting::Detected, &[]);
        let cut = tally_of(&session, CallCounting::Detected, &cuts);
        prop_assert_eq!(facts(&whole), facts(&cut));
    }

    #[test]
    fn no_stream_is_refused_and_all_its_bytes_are_counted(
        session in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 1..60)), 1..20),
        protocol in prop::sample::select(CallProtocol::ALL.to_vec()),
    ) {
        let way = |is_request| if is_request { CallDirection::Request } else { CallDirection::Reply };
        let session: Session = session.into_iter().map(|(is_request, bytes)| (way(is_request), bytes)).collect();
        let bytes: usize = session.iter().map(|(_, bytes)| bytes.len()).sum();
        for counting in [CallCounting::As(protocol), CallCounting::Detected] {
            let whole = tally_of(&session, counting, &[]);
            prop_assert_eq!(whole.totals().bytes, bytes as u64);
            let cut = tally_of(&session, counting, &[1]);
            prop_assert_eq!(facts(&whole), facts(&cut));
        }
    }

    #[test]
    fn no_digit_or_quoted_text_of_a_statement_is_kept(number in 100_u32..1_000_000, word in "[a-z]{6,12}") {
        let text = format!("SELECT a FROM t WHERE x = {number} AND y = 'secret{word}' /* {word}99 */\0");
        let begin = startup(196_608, b"user\0app\0\0");
        let session = vec![request([begin, message(b'Q', text.as_bytes())].concat())];
        let tally = tally_of(&session, CallCounting::Detected, &[]);
        prop_assert_eq!(counts(&tally), [("SELECT a FROM t WHERE x = ? AND y = ?", 1)]);
    }
}
