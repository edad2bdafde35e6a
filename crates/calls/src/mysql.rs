//! Reads the protocol of MySQL and MariaDB, as far as it says what is executed.
//!
//! A client packet with number 0 begins a command, in whatever state the session is; those of authentication have
//! other numbers. Of the server's packets only two matter: the greeting, which tells what can be negotiated, and the
//! answer to `PREPARE`, which gives the number that `EXECUTE` then has.

use std::collections::{HashMap, VecDeque};

use crate::StreamFault;
use crate::message::MessageReader;
use crate::protocol::{CallDirection, CallObstacle, StreamProgress};
use crate::statement::SqlDialect;
use crate::tally::{CallTally, StatementId};

const PACKET_BYTES_MAX: usize = 16 << 10;

/// Three bytes of length, one of number.
const PACKET_HEADER: usize = 4;

/// Prepared statements that are known at once, and those whose numbers are still to come.
const PREPARED_MAX: usize = 10_000;
const PENDING_MAX: usize = 1_000;

/// What both sides can do, each a bit.
const COMPRESSION: u32 = 1 << 5;
const TLS: u32 = 1 << 11;
const ZSTD: u32 = 1 << 26;
const QUERY_ATTRIBUTES: u32 = 1 << 27;

/// MariaDB's number of the statement that was prepared last.
const LAST_PREPARED: u32 = u32::MAX;

/// Length of a packet of a client that asks for TLS.
const TLS_REQUEST_BYTES: usize = 32;

/// Length of the packet that a prepared statement is answered by.
const PREPARED_BYTES: usize = 12;

/// One connection to MySQL or MariaDB.
#[derive(Debug)]
pub(crate) struct MySqlStream {
    requests: MessageReader,
    replies: MessageReader,
    /// What the server can do; none before its greeting.
    offered: Option<u32>,
    /// What is agreed on; none before the client's first packet.
    agreed: Option<u32>,
    prepared: HashMap<u32, Option<StatementId>>,
    last_prepared: Option<StatementId>,
    /// Statements that the server has still to give numbers to.
    pending: VecDeque<Option<StatementId>>,
}

impl Default for MySqlStream {
    fn default() -> Self {
        Self {
            requests: MessageReader::new(PACKET_HEADER, PACKET_BYTES_MAX),
            // Rows pass by without being kept.
            replies: MessageReader::new(PACKET_HEADER, 256),
            offered: None,
            agreed: None,
            prepared: HashMap::new(),
            last_prepared: None,
            pending: VecDeque::new(),
        }
    }
}

impl MySqlStream {
    pub(crate) fn see(
        &mut self,
        direction: CallDirection,
        mut bytes: &[u8],
        tally: &mut CallTally,
    ) -> Result<StreamProgress, StreamFault> {
        match direction {
            CallDirection::Request => {
                while self.requests.take(&mut bytes, body_bytes)? {
                    let progress = self.request(tally);
                    if progress != StreamProgress::Readable {
                        return Ok(progress);
                    }
                    self.requests.next(PACKET_HEADER);
                }
            }
            CallDirection::Reply => {
                while self.replies.take(&mut bytes, body_bytes)? {
                    self.reply();
                    self.replies.next(PACKET_HEADER);
                }
            }
        }
        Ok(StreamProgress::Readable)
    }

    fn request(&mut self, tally: &mut CallTally) -> StreamProgress {
        let (header, body) = self.requests.message();
        if self.agreed.is_none() {
            let wanted = body.first_chunk().map_or(0, |flags| u32::from_le_bytes(*flags));
            // Without a greeting nothing is known of the server, and what the client wants is what there is.
            let agreed = wanted & self.offered.unwrap_or(u32::MAX);
            self.agreed = Some(agreed);
            return if wanted & TLS != 0 && body.len() == TLS_REQUEST_BYTES {
                StreamProgress::Hidden(CallObstacle::Encrypted)
            } else if agreed & (COMPRESSION | ZSTD) != 0 {
                StreamProgress::Hidden(CallObstacle::Compressed)
            } else {
                StreamProgress::Readable
            };
        }
        if header[3] == 0
            && let Some((&command, body)) = body.split_first()
        {
            let body = body.to_vec();
            self.command(command, &body, tally);
        }
        StreamProgress::Readable
    }

    fn command(&mut self, command: u8, body: &[u8], tally: &mut CallTally) {
        match command {
            0x03 => match self.query(body) {
                Some(text) => tally.count_sql(text, SqlDialect::MySql),
                None => tally.count_text("(query with attributes)"),
            },
            0x16 => {
                let statement = tally.sql(body, SqlDialect::MySql).first().copied();
                self.last_prepared = statement;
                if self.pending.len() < PENDING_MAX {
                    self.pending.push_back(statement);
                }
            }
            // Execution, one by one or in bulk.
            0x17 | 0xfa => {
                let number = body.first_chunk().map_or(0, |number| u32::from_le_bytes(*number));
                let statement = match number {
                    LAST_PREPARED => self.last_prepared,
                    number => self.prepared.get(&number).copied().flatten(),
                };
                match statement {
                    Some(statement) => tally.count(statement),
                    None => tally.count_text("EXECUTE"),
                }
            }
            0x19 => {
                let number = body.first_chunk().map_or(0, |number| u32::from_le_bytes(*number));
                self.prepared.remove(&number);
            }
            command => {
                if let Some(name) = other_command(command) {
                    tally.count_text(name);
                }
            }
        }
    }

    /// Returns the text of a query; none where values stand before it.
    fn query<'a>(&self, body: &'a [u8]) -> Option<&'a [u8]> {
        if self.agreed.is_some_and(|agreed| agreed & QUERY_ATTRIBUTES != 0) {
            // The number of attributes, and of sets of them, which is always one.
            body.strip_prefix(&[0, 1])
        } else {
            Some(body)
        }
    }

    fn reply(&mut self) {
        let (header, body) = self.replies.message();
        if self.offered.is_none() {
            self.offered = Some(offered(body).unwrap_or(u32::MAX));
            return;
        }
        // The first packet of an answer has number 1. No other one of this length begins so, or is so rare that a
        // statement without a name is the worst that follows.
        let is_first = header[3] == 1 && !self.pending.is_empty();
        match *body {
            [0, a, b, c, d, ..] if is_first && body.len() == PREPARED_BYTES => {
                let statement = self.pending.pop_front().flatten();
                if self.prepared.len() >= PREPARED_MAX {
                    self.prepared.clear();
                }
                self.prepared.insert(u32::from_le_bytes([a, b, c, d]), statement);
            }
            [0xff, ..] if is_first => {
                self.pending.pop_front();
            }
            _ => {}
        }
    }
}

/// Returns what a greeting says that the server can do.
fn offered(greeting: &[u8]) -> Option<u32> {
    // A version, its text, a number, eight bytes of salt and a zero.
    let text = greeting.get(1..)?;
    let rest = &text[text.iter().position(|byte| *byte == 0)? + 1..];
    let low = rest.get(13..15)?.first_chunk().map(|bytes| u16::from_le_bytes(*bytes))?;
    // A character set and two bytes of state lie between.
    let high = rest.get(18..20).and_then(|bytes| bytes.first_chunk());
    let high = high.map_or(0, |bytes| u16::from_le_bytes(*bytes));
    Some(u32::from(low) | u32::from(high) << 16)
}

/// Returns the name of a command that a program waits for; none of what is part of another.
fn other_command(command: u8) -> Option<&'static str> {
    match command {
        0x02 => Some("USE"),
        0x04 => Some("FIELD LIST"),
        0x09 => Some("STATISTICS"),
        0x0e => Some("PING"),
        0x11 => Some("CHANGE USER"),
        0x1b => Some("SET OPTION"),
        0x1f => Some("RESET CONNECTION"),
        _ => None,
    }
}

fn body_bytes(header: &[u8]) -> Option<usize> {
    let [a, b, c] = *header.first_chunk()?;
    usize::try_from(u32::from_le_bytes([a, b, c, 0])).ok()
}
