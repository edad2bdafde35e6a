//! Carries messages between the process's own streams and the protocol.
//!
//! The protocol's library takes a message of any length. Lines that are too long, or not JSON, are answered here
//! and go no further.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};
use tokio::io::{
    AsyncBufReadExt as _, AsyncWriteExt as _, DuplexStream, Lines, ReadHalf, WriteHalf,
};
use tokio::runtime::{Handle, Runtime};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::time;
use units::cancel::Cancel;

/// Bytes of a message from the client: the longest honest one has some hundreds.
const MESSAGE_BYTES_MAX: u64 = 64 << 10;

/// Bytes between the streams and the protocol.
const PIPE_BYTES: usize = 64 << 10;

/// How often a wish to stop is looked for.
const TICK: Duration = Duration::from_millis(200);

/// Codes of JSON-RPC 2.0.
const PARSE_ERROR: i32 = -32_700;
const INVALID_REQUEST: i32 = -32_600;

/// The protocol's answers, a line each.
type AnswerLines = Lines<tokio::io::BufReader<ReadHalf<DuplexStream>>>;

/// What ends the carrying, and what it ends.
#[derive(Clone, Copy)]
pub(super) struct WireFlags<'a> {
    /// Raised by a signal.
    pub(super) cancel: &'a Cancel,
    /// To be raised when the input has ended.
    pub(super) closing: &'a Cancel,
}

/// Gives the protocol its end of a stream, and carries lines between the other end and `input` and `out` until one of
/// them ends or a signal says so.
pub(super) fn connect(
    runtime: &Runtime,
    input: impl Read + Send + 'static,
    out: &mut impl Write,
    flags: WireFlags<'_>,
    start: impl FnOnce(DuplexStream),
) -> anyhow::Result<()> {
    let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
    let (answers, messages) = tokio::io::split(ours);
    let (refusals, refused) = mpsc::unbounded_channel();
    let handle = runtime.handle().clone();
    // Not joined: it waits for a line, for as long as the client likes.
    let closing = flags.closing.clone();
    let receive = move || {
        forward(input, messages, &handle, &refusals);
        // The protocol waits for calls that go on, and the client does not.
        closing.raise();
    };
    threads::spawn(receive).context("failed to listen to the client")?;
    start(theirs);
    let answers = tokio::io::BufReader::new(answers).lines();
    carry(runtime, answers, refused, out, flags.cancel)
}

/// Hands on every line that can be a message, and refuses the others.
fn forward(
    input: impl Read,
    mut messages: WriteHalf<DuplexStream>,
    handle: &Handle,
    refusals: &UnboundedSender<String>,
) {
    let mut input = BufReader::new(input);
    while let Ok(Some(line)) = next_line(&mut input) {
        let sent = match message(&line) {
            Ok(message) => handle.block_on(messages.write_all(&message)).is_ok(),
            Err(refusal) => refusals.send(refusal).is_ok(),
        };
        if !sent {
            return;
        }
    }
    // The protocol ends with its input; where it has ended already, there is nothing to say.
    let _ = handle.block_on(messages.shutdown());
}

/// Writes lines as they come.
fn carry(
    runtime: &Runtime,
    mut answers: AnswerLines,
    mut refused: UnboundedReceiver<String>,
    out: &mut impl Write,
    cancel: &Cancel,
) -> anyhow::Result<()> {
    while !cancel.is_raised() {
        let next = runtime.block_on(async {
            tokio::select! {
                answer = answers.next_line() => Some(answer),
                Some(refusal) = refused.recv() => Some(Ok(Some(refusal))),
                () = time::sleep(TICK) => None,
            }
        });
        let Some(line) = next else { continue };
        let Some(line) = line.context("failed to read an answer of the server")? else { break };
        write_line(out, &line)?;
    }
    // What was refused before the protocol ended.
    while let Ok(refusal) = refused.try_recv() {
        write_line(out, &refusal)?;
    }
    Ok(())
}

fn write_line(out: &mut impl Write, line: &str) -> anyhow::Result<()> {
    writeln!(out, "{line}").and_then(|()| out.flush()).context("failed to write an answer")
}

/// Reads a line, and of one that is too long as much as shows that it is.
fn next_line(input: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    input.take(MESSAGE_BYTES_MAX + 1).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(None);
    }
    if line.len() as u64 > MESSAGE_BYTES_MAX && !line.ends_with(b"\n") {
        skip_line(input)?;
    }
    Ok(Some(line))
}

fn skip_line(input: &mut impl BufRead) -> io::Result<()> {
    loop {
        let part = input.fill_buf()?;
        let end = part.iter().position(|byte| *byte == b'\n');
        let (length, is_over) =
            (end.map_or(part.len(), |end| end + 1), end.is_some() || part.is_empty());
        input.consume(length);
        if is_over {
            return Ok(());
        }
    }
}

/// Returns a line as a message, or the answer that refuses it.
fn message(line: &[u8]) -> Result<Vec<u8>, String> {
    if line.len() as u64 > MESSAGE_BYTES_MAX {
        let text = format!("a message has more than {MESSAGE_BYTES_MAX} bytes");
        return Err(refusal(INVALID_REQUEST, &text));
    }
    let line = line.trim_ascii();
    if line.is_empty() {
        return Ok(Vec::new());
    }
    // Into a value, which bounds how deep it may be.
    match serde_json::from_slice::<Value>(line) {
        Ok(_) => Ok([line, b"\n"].concat()),
        Err(error) => Err(refusal(PARSE_ERROR, &format!("not JSON: {error}"))),
    }
}

/// An error whose request is not known.
fn refusal(code: i32, message: &str) -> String {
    json!({"jsonrpc": "2.0", "id": null, "error": {"code": code, "message": message}}).to_string()
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use tokio::runtime::Builder;

    use super::*;

    fn lines(input: &[u8]) -> Vec<Result<Vec<u8>, String>> {
        let mut input = BufReader::with_capacity(1_000, Cursor::new(input.to_vec()));
        let mut lines = Vec::new();
        while let Some(line) = next_line(&mut input).unwrap() {
            lines.push(message(&line));
        }
        lines
    }

    #[test]
    fn what_is_no_message_is_answered_and_what_follows_is_read() {
        let long = format!("\"{}\"\n", "x".repeat(200_000));
        let deep = format!("{}{}\n", "[".repeat(5_000), "]".repeat(5_000));
        let input = format!("{{\"a\":1}}\r\n{long}{deep}nonsense\n{{\"b\":2}}");
        let found = lines(input.as_bytes());
        assert_eq!(found.len(), 5);
        assert_eq!(found[0], Ok(b"{\"a\":1}\n".to_vec()));
        assert!(found[1].as_ref().unwrap_err().contains("-32600"), "{:?}", found[1]);
        assert!(found[2].as_ref().unwrap_err().contains("-32700"), "{:?}", found[2]);
        assert!(found[3].as_ref().unwrap_err().contains("-32700"), "{:?}", found[3]);
        assert_eq!(found[4], Ok(b"{\"b\":2}\n".to_vec()));
    }

    #[test]
    fn the_longest_message_that_is_taken_is_taken_whole() {
        let length = usize::try_from(MESSAGE_BYTES_MAX).unwrap() - 3;
        let fits = format!("\"{}\"\n", "x".repeat(length));
        assert_eq!(lines(fits.as_bytes()), [Ok(fits.clone().into_bytes())]);
        let too_long = format!("\"{}\"\n1\n", "x".repeat(length + 1));
        let found = lines(too_long.as_bytes());
        assert!(found[0].is_err());
        assert_eq!(found[1], Ok(b"1\n".to_vec()));
    }

    #[test]
    fn lines_are_carried_both_ways_and_refusals_beside_them() {
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        let input = Cursor::new(b"1\nnonsense\n2\n".to_vec());
        let mut out = Vec::new();
        // An echo in place of the protocol.
        let (cancel, closing) = (Cancel::default(), Cancel::default());
        let flags = WireFlags { cancel: &cancel, closing: &closing };
        connect(&runtime, input, &mut out, flags, |stream| {
            let (mut read, mut write) = tokio::io::split(stream);
            runtime.spawn(async move { tokio::io::copy(&mut read, &mut write).await });
        })
        .unwrap();
        let text = String::from_utf8(out).unwrap();
        let mut lines: Vec<_> = text.lines().collect();
        lines.sort_unstable();
        assert_eq!((lines.len(), lines[0], lines[1]), (3, "1", "2"), "{text}");
        assert!(lines[2].contains("not JSON"), "{text}");
    }
}
