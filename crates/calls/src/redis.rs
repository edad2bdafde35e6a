//! Reads RESP, as far as it says which commands are sent. Keys and values are not kept.

use crate::StreamFault;
use crate::message::split_front;
use crate::protocol::{CallDirection, StreamProgress};
use crate::tally::CallTally;

/// The server's own limits: of a line, of the words of a command and of the bytes of a word.
const LINE_BYTES_MAX: usize = 64 << 10;
const WORDS_MAX: u64 = 1 << 20;
const WORD_BYTES_MAX: u64 = 512 << 20;

/// Bytes of a word that are kept: the longest name of a command is shorter.
const NAME_BYTES_MAX: usize = 32;

/// Commands whose second word is part of the name.
const WITH_SUBCOMMAND: [&str; 14] = [
    "ACL", "CLIENT", "CLUSTER", "COMMAND", "CONFIG", "FUNCTION", "LATENCY", "MEMORY", "MODULE",
    "OBJECT", "PUBSUB", "SCRIPT", "XGROUP", "XINFO",
];

/// One connection to Redis.
#[derive(Debug, Default)]
pub(crate) struct RedisStream {
    /// The line under way.
    line: Vec<u8>,
    /// Words of the command that are still to come.
    words_left: u64,
    /// Bytes of the word under way, and of the line's end behind it.
    word_left: Option<u64>,
    /// The first two words, as far as they are kept.
    words: Vec<Vec<u8>>,
    /// The place of the word under way.
    place: usize,
}

impl RedisStream {
    pub(crate) fn see(
        &mut self,
        direction: CallDirection,
        mut bytes: &[u8],
        tally: &mut CallTally,
    ) -> Result<StreamProgress, StreamFault> {
        while direction == CallDirection::Request && !bytes.is_empty() {
            match self.word_left {
                Some(left) => self.word(left, &mut bytes, tally),
                None => self.line(&mut bytes, tally)?,
            }
        }
        Ok(StreamProgress::Readable)
    }

    /// Takes bytes of a word.
    fn word(&mut self, left: u64, bytes: &mut &[u8], tally: &mut CallTally) {
        const END: u64 = 2;
        let taken = split_front(bytes, usize::try_from(left).unwrap_or(usize::MAX));
        let taken_bytes = taken.len() as u64;
        if let Some(word) = self.words.get_mut(self.place) {
            let of_word = usize::try_from(left.saturating_sub(END)).unwrap_or(usize::MAX);
            let room = NAME_BYTES_MAX.saturating_sub(word.len());
            word.extend_from_slice(&taken[..taken.len().min(of_word).min(room)]);
        }
        self.word_left = Some(left - taken_bytes).filter(|left| *left > 0);
        if self.word_left.is_none() {
            self.words_left -= 1;
            self.place += 1;
            if self.words_left == 0 {
                self.count(tally);
            }
        }
    }

    /// Takes bytes up to the end of a line, and reads it.
    fn line(&mut self, bytes: &mut &[u8], tally: &mut CallTally) -> Result<(), StreamFault> {
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let taken = split_front(bytes, end.map_or(bytes.len(), |end| end + 1));
        self.line.extend_from_slice(taken);
        if self.line.len() > LINE_BYTES_MAX {
            return Err(StreamFault);
        }
        if end.is_none() {
            return Ok(());
        }
        let line = std::mem::take(&mut self.line);
        let line = line.trim_ascii_end();
        match (line.split_first(), self.words_left) {
            (Some((b'*', number)), 0) => {
                self.words_left = decimal(number, WORDS_MAX)?;
                self.place = 0;
                Ok(())
            }
            (None, 0) => Ok(()),
            (Some((first, _)), 0) if first.is_ascii_alphabetic() => {
                self.words = line.split(u8::is_ascii_whitespace).take(2).map(kept).collect();
                self.count(tally);
                Ok(())
            }
            (Some((b'$', length)), 1..) => {
                self.word_left = Some(decimal(length, WORD_BYTES_MAX)? + 2);
                if self.words.len() < 2 {
                    self.words.push(Vec::new());
                }
                Ok(())
            }
            _ => Err(StreamFault),
        }
    }

    fn count(&mut self, tally: &mut CallTally) {
        let words = std::mem::take(&mut self.words);
        let mut names = words.iter().take(2).map(|word| name(word));
        let text = match (names.next().flatten(), names.next().flatten()) {
            (Some(name), Some(of)) if WITH_SUBCOMMAND.contains(&name.as_str()) => {
                format!("{name} {of}")
            }
            (Some(name), _) => name,
            (None, _) => "(unknown command)".to_owned(),
        };
        tally.count_text(&text);
    }
}

fn kept(word: &[u8]) -> Vec<u8> {
    word[..word.len().min(NAME_BYTES_MAX)].to_vec()
}

/// Returns a word as the name of a command, if it can be one.
fn name(word: &[u8]) -> Option<String> {
    let is_letter = |byte: &u8| byte.is_ascii_alphabetic() || matches!(byte, b'.' | b'-' | b'_');
    let is_name = !word.is_empty() && word.len() < NAME_BYTES_MAX && word.iter().all(is_letter);
    is_name.then(|| String::from_utf8_lossy(word).to_ascii_uppercase())
}

fn decimal(digits: &[u8], most: u64) -> Result<u64, StreamFault> {
    let text = std::str::from_utf8(digits).map_err(|_| StreamFault)?;
    text.parse().ok().filter(|number| *number <= most).ok_or(StreamFault)
}
