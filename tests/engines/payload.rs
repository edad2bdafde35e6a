//! The generator and the reference API know nothing of each other: one says what is true of a pair
//! because it made it, the other because it compared it. Here they must agree.

#![expect(clippy::unwrap_used, reason = "a test that cannot reach the service must fail")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;

use payload::{self, PairRecipe, PayloadKind, PayloadMessage, PayloadPreset, PayloadSpec};
use reference::{EqualitySemantics, ReferenceServer, ServerSettings};

/// Starts the service; it ends with the process.
fn serve(semantics: EqualitySemantics) -> SocketAddr {
    let server = ReferenceServer::bind(&ServerSettings { semantics, ..ServerSettings::default() });
    let server = server.unwrap();
    let address = server.address();
    thread::spawn(|| server.run());
    address
}

/// Sends a request as HTTP/1.0, whose answers end with the connection, and returns the answer.
fn post(address: SocketAddr, path: &str, message: &PayloadMessage) -> (u16, Vec<u8>) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "POST /xml-compare-api/api/compare/{path} HTTP/1.0\r\nContent-Type: {}\r\n\
         Content-Length: {}\r\n\r\n",
        message.content_type,
        message.body.len()
    )
    .unwrap();
    stream.write_all(&message.body).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let status = std::str::from_utf8(&answer[9..12]).unwrap().parse().unwrap();
    (status, answer.split_off(end + 4))
}

#[test]
fn generator_and_reference_agree_on_every_pair_under_every_semantics() {
    let all = payload::Semantics::ALL.into_iter();
    for (claimed, served) in
        all.zip(EqualitySemantics::NAMES.iter().map(|(_, semantics)| *semantics))
    {
        let address = serve(served);
        for preset in PayloadPreset::ALL {
            let pairs = if preset == PayloadPreset::WideFlat { 40 } else { 400 };
            let mut spec = PayloadSpec::preset(preset, 42, pairs);
            if preset != PayloadPreset::DepthMix {
                let mut recipe = PairRecipe::default();
                recipe.set("classes", "1:2:2").unwrap();
                spec = spec.with_recipe(recipe).unwrap();
            }
            spec.semantics = claimed;
            for (kind, path) in
                [(PayloadKind::XmlCompareBatch, "xml/batch"), (PayloadKind::XmlCompare, "xml")]
            {
                let message = payload::message(&spec, kind, 1);
                let (status, body) = post(address, path, &message);
                if let Err(mismatch) = message.expected.check(status, &body) {
                    panic!("{} as {}: {mismatch}", preset.name(), claimed.name());
                }
            }
        }
    }
}

#[test]
fn the_reference_survives_what_is_hostile() {
    let address = serve(EqualitySemantics::XmlCompareApi);
    for (kind, path) in
        [(PayloadKind::XmlCompare, "xml"), (PayloadKind::XmlCompareBatch, "xml/batch")]
    {
        for index in 0..10 {
            let message =
                payload::message(&PayloadSpec::preset(PayloadPreset::Hostile, 42, 1), kind, index);
            let (status, body) = post(address, path, &message);
            message.expected.check(status, &body).unwrap();
        }
    }
}
