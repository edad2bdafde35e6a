//! Finds out from the first bytes of a connection what is spoken on it.

use crate::protocol::{CallDirection, CallProtocol};

/// Bytes that tell every protocol from the others.
const BYTES_MAX: usize = 16;

/// The longest method of HTTP that is recognised, with the space behind it.
const METHODS: [&str; 10] =
    ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "PRI"];

/// PostgreSQL's requests for a cancellation, TLS and GSSAPI, in the place of a version.
const POSTGRESQL_CODES: std::ops::RangeInclusive<u32> = 80_877_102..=80_877_104;

/// What the first bytes have shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DetectionResult {
    /// TLS, from its first byte.
    Encrypted,
    /// A protocol.
    Speaks(CallProtocol),
}

/// The first bytes of a connection, until they are enough.
#[derive(Debug, Default)]
pub(crate) struct Detection {
    expected: Option<CallProtocol>,
    seen: FirstBytes,
}

/// All that has passed in each direction.
#[derive(Debug, Default)]
pub(crate) struct FirstBytes {
    pub(crate) requests: Vec<u8>,
    pub(crate) replies: Vec<u8>,
}

impl Detection {
    /// Returns a connection on which a protocol is `expected`, if it is known.
    pub(crate) fn new(expected: Option<CallProtocol>) -> Self {
        Self { expected, ..Self::default() }
    }

    /// Keeps bytes, and says what is spoken once that is clear.
    pub(crate) fn see(
        &mut self,
        direction: CallDirection,
        bytes: &[u8],
    ) -> Option<DetectionResult> {
        match direction {
            CallDirection::Request => self.seen.requests.extend_from_slice(bytes),
            CallDirection::Reply => self.seen.replies.extend_from_slice(bytes),
        }
        if let Some(protocol) = self.expected {
            // No protocol begins with this byte, so that it is a record of TLS.
            let is_encrypted = self.seen.requests.first() == Some(&0x16)
                && matches!(
                    protocol,
                    CallProtocol::PostgreSql | CallProtocol::Redis | CallProtocol::Http
                );
            return Some(if is_encrypted {
                DetectionResult::Encrypted
            } else {
                DetectionResult::Speaks(protocol)
            });
        }
        if self.seen.replies.is_empty() {
            of_request(&self.seen.requests)
        } else {
            of_greeting(&self.seen.replies).map(DetectionResult::Speaks)
        }
    }

    /// Returns what has passed, to be read from the beginning.
    pub(crate) fn take(&mut self) -> FirstBytes {
        std::mem::take(&mut self.seen)
    }
}

/// What a program that speaks first speaks; none where more bytes are needed.
fn of_request(bytes: &[u8]) -> Option<DetectionResult> {
    let speaks = |protocol| Some(DetectionResult::Speaks(protocol));
    let unknown = speaks(CallProtocol::Bytes);
    match *bytes {
        [0x16, 3, ..] => Some(DetectionResult::Encrypted),
        [b'*', b'0'..=b'9', ..] => speaks(CallProtocol::Redis),
        [0, _, _, _, a, b, c, d, ..] => {
            let code = u32::from_be_bytes([a, b, c, d]);
            let is_startup = code >> 16 == 3 || POSTGRESQL_CODES.contains(&code);
            if is_startup { speaks(CallProtocol::PostgreSql) } else { unknown }
        }
        [] | [0x16 | b'*'] | [0, ..] => None,
        [b'A'..=b'Z', ..] => match bytes.iter().position(|byte| !byte.is_ascii_uppercase()) {
            None if bytes.len() < BYTES_MAX => None,
            Some(end) if METHODS.iter().any(|method| method.as_bytes() == &bytes[..end]) => {
                if bytes[end] == b' ' { speaks(CallProtocol::Http) } else { unknown }
            }
            Some(_) | None => unknown,
        },
        _ => unknown,
    }
}

/// What a service that speaks first speaks: a packet of MySQL with number 0, which begins with its version.
fn of_greeting(bytes: &[u8]) -> Option<CallProtocol> {
    match *bytes {
        [_, _, _, 0, 10, ..] => Some(CallProtocol::MySql),
        _ if bytes.len() < 5 => None,
        _ => Some(CallProtocol::Bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell_what_is_spoken() {
        let check = |direction, bytes: &[u8], expected| {
            assert_eq!(Detection::new(None).see(direction, bytes), expected, "{bytes:?}");
        };
        let request = |bytes: &[u8], expected| check(CallDirection::Request, bytes, expected);
        let speaks = |protocol| Some(DetectionResult::Speaks(protocol));
        request(b"*2\r\n", speaks(CallProtocol::Redis));
        request(b"GET / HTTP/1.1\r\n", speaks(CallProtocol::Http));
        request(b"PRI * HTTP/2.0\r\n", speaks(CallProtocol::Http));
        request(b"GETS key\r\n", speaks(CallProtocol::Bytes));
        request(b"GET", None);
        request(&[0, 0, 0, 8, 4, 210, 22, 47], speaks(CallProtocol::PostgreSql));
        request(&[0, 0, 0, 40, 0, 3, 0, 0, b'u'], speaks(CallProtocol::PostgreSql));
        request(&[0, 0, 0, 40, 0], None);
        request(&[0, 0, 0, 40, 0, 9, 0, 0], speaks(CallProtocol::Bytes));
        request(&[0x16, 3, 1, 2, 0, 1], Some(DetectionResult::Encrypted));
        request(&[7, 7], speaks(CallProtocol::Bytes));
        let reply = |bytes: &[u8], expected| check(CallDirection::Reply, bytes, expected);
        reply(&[74, 0, 0, 0, 10, b'8'], speaks(CallProtocol::MySql));
        reply(&[74, 0, 0], None);
        reply(b"220 mail ready\r\n", speaks(CallProtocol::Bytes));
    }

    #[test]
    fn an_expected_protocol_is_not_guessed_and_tls_is_seen() {
        let see = |protocol, bytes: &[u8]| {
            Detection::new(Some(protocol)).see(CallDirection::Request, bytes)
        };
        assert_eq!(
            see(CallProtocol::Redis, b"PING\r\n"),
            Some(DetectionResult::Speaks(CallProtocol::Redis))
        );
        assert_eq!(see(CallProtocol::Redis, &[0x16, 3]), Some(DetectionResult::Encrypted));
    }
}
