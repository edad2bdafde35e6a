//! Follows one connection, whatever it speaks.

use crate::StreamFault;
use crate::detection::{Detection, DetectionResult};
use crate::http::HttpStream;
use crate::mysql::MySqlStream;
use crate::postgresql::PostgreSqlStream;
use crate::protocol::{CallCounting, CallDirection, CallObstacle, CallProtocol, StreamProgress};
use crate::redis::RedisStream;
use crate::tally::CallTally;

/// One connection to a service.
#[derive(Debug)]
pub struct CallStream {
    reader: StreamReader,
    last: Option<CallDirection>,
}

/// What reads the bytes.
#[derive(Debug)]
enum StreamReader {
    Detection(Detection),
    PostgreSql(PostgreSqlStream),
    MySql(MySqlStream),
    Redis(RedisStream),
    Http(HttpStream),
    /// Only bytes and round trips are known.
    Bytes,
}

impl CallStream {
    /// Returns a connection of which nothing has been seen, and counts it.
    pub fn begin(counting: CallCounting, tally: &mut CallTally) -> Self {
        tally.totals.connections += 1;
        let reader = match counting {
            CallCounting::Detected => StreamReader::Detection(Detection::new(None)),
            CallCounting::As(CallProtocol::Bytes) => {
                tally.set_protocol(CallProtocol::Bytes);
                StreamReader::Bytes
            }
            CallCounting::As(protocol) => StreamReader::Detection(Detection::new(Some(protocol))),
            CallCounting::Off => StreamReader::Bytes,
        };
        Self { reader, last: None }
    }

    /// Counts what bytes say, in the order in which they pass.
    pub fn see(&mut self, direction: CallDirection, bytes: &[u8], tally: &mut CallTally) {
        if bytes.is_empty() {
            return;
        }
        tally.totals.bytes += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if direction == CallDirection::Request && self.last != Some(CallDirection::Request) {
            tally.totals.round_trips += 1;
        }
        self.last = Some(direction);
        self.read(direction, bytes, tally);
    }

    fn read(&mut self, direction: CallDirection, bytes: &[u8], tally: &mut CallTally) {
        if let StreamReader::Detection(detection) = &mut self.reader {
            if let Some(result) = detection.see(direction, bytes) {
                let seen = detection.take();
                self.detected(result, tally);
                // A service that speaks first does so before anything is sent.
                self.read(CallDirection::Reply, &seen.replies, tally);
                self.read(CallDirection::Request, &seen.requests, tally);
            }
            return;
        }
        let progress = match &mut self.reader {
            StreamReader::PostgreSql(stream) => stream.see(direction, bytes, tally),
            StreamReader::MySql(stream) => stream.see(direction, bytes, tally),
            StreamReader::Redis(stream) => stream.see(direction, bytes, tally),
            StreamReader::Http(stream) => stream.see(direction, bytes, tally),
            StreamReader::Bytes | StreamReader::Detection(_) => return,
        };
        match progress {
            Ok(StreamProgress::Readable) => return,
            Ok(StreamProgress::Hidden(obstacle)) => tally.set_obstacle(obstacle),
            Ok(StreamProgress::Foreign) => {}
            Err(StreamFault) => tally.set_obstacle(CallObstacle::Unreadable),
        }
        self.reader = StreamReader::Bytes;
    }

    fn detected(&mut self, result: DetectionResult, tally: &mut CallTally) {
        let protocol = match result {
            DetectionResult::Encrypted => {
                tally.set_obstacle(CallObstacle::Encrypted);
                self.reader = StreamReader::Bytes;
                return;
            }
            DetectionResult::Speaks(protocol) => protocol,
        };
        tally.set_protocol(protocol);
        self.reader = match protocol {
            CallProtocol::PostgreSql => StreamReader::PostgreSql(PostgreSqlStream::default()),
            CallProtocol::MySql => StreamReader::MySql(MySqlStream::default()),
            CallProtocol::Redis => StreamReader::Redis(RedisStream::default()),
            CallProtocol::Http => StreamReader::Http(HttpStream::default()),
            CallProtocol::Bytes => StreamReader::Bytes,
        };
    }
}
