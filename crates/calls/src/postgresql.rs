//! Reads PostgreSQL's protocol, version 3, as far as it says what is executed.
//!
//! A statement counts when it is sent to be executed: each one of a simple query, and the first `Execute` of each
//! portal, as later ones only fetch more rows of it. `Parse` and `Bind` are no statements of their own.

use std::collections::HashMap;

use crate::StreamFault;
use crate::message::MessageReader;
use crate::protocol::{CallDirection, CallObstacle, StreamProgress};
use crate::statement::SqlDialect;
use crate::tally::{CallTally, StatementId};

/// Bytes of a message that are read: of a longer statement, the beginning.
const MESSAGE_BYTES_MAX: usize = 16 << 10;

/// The longest packet before the first message, by the server's own rule.
const STARTUP_BYTES_MAX: u32 = 10_000;

/// Names of statements and portals that are known at once. A program that never closes them has no end of them.
const NAMES_MAX: usize = 10_000;

/// Headers of a packet before the first message, and of a message: a letter more.
const STARTUP_HEADER: usize = 4;
const MESSAGE_HEADER: usize = 5;

const TLS_REQUEST: u32 = 80_877_103;
const GSSAPI_REQUEST: u32 = 80_877_104;

/// How far a connection is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum SessionPhase {
    #[default]
    Startup,
    /// The server says by one byte whether it will encrypt.
    Negotiation,
    Messages,
}

/// A statement with its values, about to be executed.
#[derive(Debug)]
struct Portal {
    statement: Option<StatementId>,
    is_executed: bool,
}

/// One connection to PostgreSQL.
#[derive(Debug)]
pub(crate) struct PostgreSqlStream {
    phase: SessionPhase,
    reader: MessageReader,
    /// Statements by name; none of an empty one.
    prepared: HashMap<Vec<u8>, Option<StatementId>>,
    portals: HashMap<Vec<u8>, Portal>,
}

impl Default for PostgreSqlStream {
    fn default() -> Self {
        Self {
            phase: SessionPhase::default(),
            reader: MessageReader::new(STARTUP_HEADER, MESSAGE_BYTES_MAX),
            prepared: HashMap::new(),
            portals: HashMap::new(),
        }
    }
}

impl PostgreSqlStream {
    pub(crate) fn see(
        &mut self,
        direction: CallDirection,
        bytes: &[u8],
        tally: &mut CallTally,
    ) -> Result<StreamProgress, StreamFault> {
        match (direction, self.phase) {
            (CallDirection::Request, _) => self.requests(bytes, tally),
            (CallDirection::Reply, SessionPhase::Negotiation) => {
                if let Some(b'S' | b'G') = bytes.first() {
                    return Ok(StreamProgress::Hidden(CallObstacle::Encrypted));
                }
                self.phase = SessionPhase::Startup;
                Ok(StreamProgress::Readable)
            }
            (CallDirection::Reply, SessionPhase::Startup | SessionPhase::Messages) => {
                Ok(StreamProgress::Readable)
            }
        }
    }

    fn requests(
        &mut self,
        mut bytes: &[u8],
        tally: &mut CallTally,
    ) -> Result<StreamProgress, StreamFault> {
        loop {
            let phase = self.phase;
            let is_whole = match phase {
                SessionPhase::Startup => self.reader.take(&mut bytes, startup_bytes)?,
                SessionPhase::Messages => self.reader.take(&mut bytes, message_bytes)?,
                // Nothing may be sent before the answer.
                SessionPhase::Negotiation if bytes.is_empty() => false,
                SessionPhase::Negotiation => return Err(StreamFault),
            };
            if !is_whole {
                return Ok(StreamProgress::Readable);
            }
            if phase == SessionPhase::Startup {
                self.start();
            } else {
                self.message(tally);
                self.reader.next(MESSAGE_HEADER);
            }
        }
    }

    fn start(&mut self) {
        let (_, body) = self.reader.message();
        let code = body.first_chunk().map_or(0, |code| u32::from_be_bytes(*code));
        let is_negotiation = matches!(code, TLS_REQUEST | GSSAPI_REQUEST);
        self.phase =
            if is_negotiation { SessionPhase::Negotiation } else { SessionPhase::Messages };
        self.reader.next(if is_negotiation { STARTUP_HEADER } else { MESSAGE_HEADER });
    }

    fn message(&mut self, tally: &mut CallTally) {
        let (header, body) = self.reader.message();
        match header[0] {
            b'Q' => tally.count_sql(text(body).0, SqlDialect::PostgreSql),
            b'P' => {
                let (name, rest) = text(body);
                let statement = tally.sql(text(rest).0, SqlDialect::PostgreSql).first().copied();
                insert(&mut self.prepared, name, statement);
            }
            b'B' => {
                let (portal, rest) = text(body);
                let statement = match self.prepared.get(text(rest).0) {
                    Some(statement) => *statement,
                    // Prepared by a statement in SQL, or on another connection behind a pooler.
                    None => tally.sql(b"EXECUTE", SqlDialect::PostgreSql).first().copied(),
                };
                insert(&mut self.portals, portal, Portal { statement, is_executed: false });
            }
            b'E' => {
                if let Some(portal) = self.portals.get_mut(text(body).0)
                    && !std::mem::replace(&mut portal.is_executed, true)
                    && let Some(statement) = portal.statement
                {
                    tally.count(statement);
                }
            }
            b'C' => match body.split_first() {
                Some((b'S', name)) => {
                    self.prepared.remove(text(name).0);
                }
                Some((_, name)) => {
                    self.portals.remove(text(name).0);
                }
                None => {}
            },
            b'F' => tally.count_text("FUNCTION CALL"),
            _ => {}
        }
    }
}

fn insert<T>(names: &mut HashMap<Vec<u8>, T>, name: &[u8], of: T) {
    if names.len() >= NAMES_MAX {
        names.clear();
    }
    names.insert(name.to_vec(), of);
}

/// Returns a text up to its zero byte, and what follows; all of one that was cut.
fn text(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.iter().position(|byte| *byte == 0) {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (bytes, &[]),
    }
}

fn startup_bytes(header: &[u8]) -> Option<usize> {
    let length = u32::from_be_bytes(*header.first_chunk()?);
    let body = length.checked_sub(4).filter(|body| (4..STARTUP_BYTES_MAX).contains(body))?;
    usize::try_from(body).ok()
}

fn message_bytes(header: &[u8]) -> Option<usize> {
    let (letter, length) = header.split_first()?;
    let length = i32::from_be_bytes(*length.first_chunk()?);
    // The length counts itself.
    letter.is_ascii_alphabetic().then(|| usize::try_from(length.checked_sub(4)?).ok())?
}
