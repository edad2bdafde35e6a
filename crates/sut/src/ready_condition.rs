//! What makes a target ready: an answer, a listener, or a line of its log.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::Duration;

use regex::Regex;
use rustix::fs::{Mode, OFlags};

/// When a target counts as ready.
#[derive(Debug, Clone)]
pub struct ReadyCondition {
    /// What shows it.
    pub sign: ReadySign,
    /// Name of the further port on which it shows; without one, the target's own.
    pub port: Option<String>,
    /// How long one probe may take. Without it, each that is not answered in time is followed by one that
    /// may take twice as long.
    pub probe_timeout: Option<Duration>,
}

/// What shows that a target is ready.
#[derive(Debug, Clone)]
pub enum ReadySign {
    /// It answers a `GET`.
    Answer {
        /// What is got, with its leading slash.
        path: String,
        /// The statuses that show it; empty for every 2xx.
        statuses: Vec<u16>,
    },
    /// It takes a connection.
    Listener,
    /// It writes a line.
    LogLine(LogPattern),
}

/// What a line of a log has in it.
#[derive(Debug, Clone)]
pub enum LogPattern {
    /// This text.
    Text(String),
    /// A match of this expression.
    Regex(Regex),
}

impl From<&str> for ReadyCondition {
    /// Returns the condition that a path answers 2xx.
    fn from(path: &str) -> Self {
        let sign = ReadySign::Answer { path: path.to_owned(), statuses: Vec::new() };
        Self { sign, port: None, probe_timeout: None }
    }
}

impl ReadyCondition {
    /// Whether the target's own port shows it.
    pub(super) fn is_on_own_port(&self) -> bool {
        match self.sign {
            ReadySign::Answer { .. } | ReadySign::Listener => self.port.is_none(),
            ReadySign::LogLine(_) => false,
        }
    }
}

impl LogPattern {
    fn is_in(&self, line: &str) -> bool {
        match self {
            Self::Text(text) => line.contains(text.as_str()),
            Self::Regex(regex) => regex.is_match(line),
        }
    }
}

impl fmt::Display for LogPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "`{text}`"),
            Self::Regex(regex) => write!(f, "a match of `{regex}`"),
        }
    }
}

/// Reads a log while it grows, each byte once.
#[derive(Debug, Default)]
pub(super) struct LogWatch {
    offset: u64,
    /// The beginning of a line whose end is not written yet.
    partial: Vec<u8>,
}

impl LogWatch {
    /// Bytes that are read at once: a target may write faster than it is polled.
    const READ_BYTES_MAX: u64 = 1 << 20;
    /// Of a longer line, only the end is looked at.
    const LINE_BYTES_MAX: usize = 64 << 10;

    /// Returns whether a line that was written since the last look has the pattern in it.
    pub(super) fn sees(&mut self, log: &Path, pattern: &LogPattern) -> bool {
        // A target may have removed its log; it is not ready then.
        let Ok(more) = self.more(log) else { return false };
        self.partial.extend(more);
        let text = String::from_utf8_lossy(&self.partial);
        if text.lines().any(|line| pattern.is_in(line)) {
            return true;
        }
        let last_line = self.partial.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let longest = self.partial.len().saturating_sub(Self::LINE_BYTES_MAX);
        self.partial.drain(..last_line.max(longest));
        false
    }

    fn more(&mut self, log: &Path) -> io::Result<Vec<u8>> {
        // A target may have put a FIFO in the place of its log, and a reader would wait for a writer.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let mut file = File::from(rustix::fs::open(log, flags, Mode::empty())?);
        file.seek(SeekFrom::Start(self.offset))?;
        let mut bytes = Vec::new();
        file.take(Self::READ_BYTES_MAX).read_to_end(&mut bytes)?;
        self.offset += bytes.len() as u64;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_line_is_found_however_it_is_cut_into_pieces() {
        let log = tempfile::NamedTempFile::new().unwrap();
        let write = |text: &str| {
            let mut file = OpenOptions::new().append(true).open(log.path()).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        };
        let started = LogPattern::Regex(Regex::new("^Started in [0-9.]+ s").unwrap());
        let mut watch = LogWatch::default();
        let mut look = || watch.sees(log.path(), &started);
        for piece in ["", "Not Started in 1 s\n", "Sta", "rted in ", "0.5"] {
            write(piece);
            assert!(!look(), "{piece}");
        }
        write(" s (JVM running)\n");
        assert!(look());
    }

    #[test]
    fn a_text_is_found_in_a_long_line_and_not_in_a_missing_log() {
        let log = tempfile::NamedTempFile::new().unwrap();
        let text = LogPattern::Text("(ready".to_owned());
        std::fs::write(log.path(), format!("{}(ready)", "x".repeat(200_000))).unwrap();
        assert!(LogWatch::default().sees(log.path(), &text));
        assert!(!LogWatch::default().sees(Path::new("/no/such/log"), &text));
    }
}
