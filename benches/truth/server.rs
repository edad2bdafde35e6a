//! A small HTTP service to make innocent changes in: it counts the words of a body, parses numbers,
//! sorts and formats, so that its work is spread over many functions. APP_PORT is the port to listen on.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read, Result, Write};
use std::net::{TcpListener, TcpStream};

#[inline(never)]
fn words(text: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        *counts.entry(word.to_lowercase()).or_default() += 1;
    }
    counts
}

#[inline(never)]
fn numbers(text: &str) -> Vec<f64> {
    let mut found: Vec<f64> = text.split(['<', '>', ' ', '"']).filter_map(|it| it.parse().ok()).collect();
    found.sort_by(f64::total_cmp);
    found
}

#[inline(never)]
fn summary(text: &str) -> String {
    let (words, numbers) = (words(text), numbers(text));
    let mut shown = String::new();
    for (word, count) in &words {
        let _ = write!(shown, "{word}:{count};");
    }
    let _ = write!(shown, "{:.3}", numbers.iter().sum::<f64>());
    shown
}

#[inline(never)]
fn respond(body: &str) -> String {
    // The work of a request is this many times that of its body.
    let bytes: usize = (0..4).map(|_| summary(body).len()).sum();
    let items = body.strip_prefix("items=").and_then(|rest| rest.lines().next()).unwrap_or("0");
    let text = format!("{{\"items\": {items}, \"bytes\": {}}}", bytes % 7);
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{text}", text.len())
}

/// The length of the body, by the head of its request.
#[inline(never)]
fn length(head: &str) -> usize {
    let lower = head.to_ascii_lowercase();
    let value = lower.lines().find_map(|line| line.strip_prefix("content-length:"));
    value.and_then(|value| value.trim().parse().ok()).unwrap_or(0)
}

fn serve(mut stream: TcpStream) -> Result<()> {
    let (mut bytes, mut part) = (Vec::new(), vec![0; 65536]);
    stream.set_nodelay(true)?;
    loop {
        let end = bytes.windows(4).position(|it| it == b"\r\n\r\n").map(|at| at + 4);
        if let Some(end) = end {
            let whole = end + length(&String::from_utf8_lossy(&bytes[..end]));
            if bytes.len() >= whole {
                let answer = respond(&String::from_utf8_lossy(&bytes[end..whole]));
                stream.write_all(answer.as_bytes())?;
                bytes.drain(..whole);
                continue;
            }
        }
        match stream.read(&mut part)? {
            0 => return Ok(()),
            read => bytes.extend_from_slice(&part[..read]),
        }
    }
}

fn main() -> Result<()> {
    let port = std::env::var("APP_PORT").ok().and_then(|port| port.parse().ok()).unwrap_or(8080);
    for stream in TcpListener::bind(("127.0.0.1", port))?.incoming() {
        let stream = stream?;
        std::thread::spawn(move || serve(stream));
    }
    Ok(())
}
