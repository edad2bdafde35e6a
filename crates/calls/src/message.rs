//! Cuts a stream into messages that begin with their length, and keeps the beginning of each.

use crate::StreamFault;

/// The message under way. Its memory is bounded, whatever length a message claims.
#[derive(Debug)]
pub(crate) struct MessageReader {
    header: Vec<u8>,
    header_bytes: usize,
    body: Vec<u8>,
    /// Bytes of the body that are still to come.
    left: usize,
    kept_bytes_max: usize,
}

impl MessageReader {
    /// Returns a reader of messages whose header has so many bytes.
    pub(crate) fn new(header_bytes: usize, kept_bytes_max: usize) -> Self {
        Self { header: Vec::new(), header_bytes, body: Vec::new(), left: 0, kept_bytes_max }
    }

    /// Takes bytes off the front until a message is whole, and returns whether one is. `body_bytes` reads the length
    /// of the body from the header.
    pub(crate) fn take(
        &mut self,
        bytes: &mut &[u8],
        body_bytes: impl Fn(&[u8]) -> Option<usize>,
    ) -> Result<bool, StreamFault> {
        if self.header.len() < self.header_bytes {
            let missing = self.header_bytes - self.header.len();
            self.header.extend_from_slice(split_front(bytes, missing));
            if self.header.len() < self.header_bytes {
                return Ok(false);
            }
            self.left = body_bytes(&self.header).ok_or(StreamFault)?;
        }
        let taken = split_front(bytes, self.left);
        self.left -= taken.len();
        let room = self.kept_bytes_max.saturating_sub(self.body.len());
        self.body.extend_from_slice(&taken[..taken.len().min(room)]);
        Ok(self.left == 0)
    }

    /// Returns header and body of the message that is whole; of a long body, its beginning.
    pub(crate) fn message(&self) -> (&[u8], &[u8]) {
        (&self.header, &self.body)
    }

    /// Makes room for the next message, whose header has so many bytes.
    pub(crate) fn next(&mut self, header_bytes: usize) {
        self.header.clear();
        self.body.clear();
        self.header_bytes = header_bytes;
    }
}

/// Takes at most so many bytes off the front.
pub(crate) fn split_front<'a>(bytes: &mut &'a [u8], most: usize) -> &'a [u8] {
    let (front, rest) = bytes.split_at(most.min(bytes.len()));
    *bytes = rest;
    front
}
