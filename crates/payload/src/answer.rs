//! Reads a JSON answer without building it.
//!
//! The check of an answer runs on the core that makes the load, so it must cost next to nothing: no
//! tree, no allocation, strings skipped rather than decoded. It accepts some text that is not JSON
//! (`[1 2}`), and never refuses any that is.

use memchr::memchr2;

/// A place in a JSON text. Every method returns `None` where the text cannot be read on.
#[derive(Debug)]
pub(super) struct JsonCursor<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> JsonCursor<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0 }
    }

    /// Returns how many bytes have been read.
    pub(super) fn offset(&self) -> usize {
        self.at
    }

    /// Returns the next byte that is not white space, without going past it.
    fn peek(&mut self) -> Option<u8> {
        loop {
            match *self.text.get(self.at)? {
                b' ' | b'\t' | b'\n' | b'\r' => self.at += 1,
                byte => return Some(byte),
            }
        }
    }

    fn eat(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// Reads an object; `member` is called with each key, as written, and must read its value.
    pub(super) fn object(
        &mut self,
        mut member: impl FnMut(&mut Self, &'a [u8]) -> Option<()>,
    ) -> Option<()> {
        self.eat(b'{')?;
        if self.peek()? == b'}' {
            return self.eat(b'}');
        }
        loop {
            let key = self.string()?;
            self.eat(b':')?;
            member(self, key)?;
            match self.peek()? {
                b',' => self.at += 1,
                _ => return self.eat(b'}'),
            }
        }
    }

    /// Reads an array; `item` is called before each value and must read it.
    pub(super) fn array(&mut self, mut item: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.eat(b'[')?;
        if self.peek()? == b']' {
            return self.eat(b']');
        }
        loop {
            item(self)?;
            match self.peek()? {
                b',' => self.at += 1,
                _ => return self.eat(b']'),
            }
        }
    }

    /// Reads a string, and returns what stands between its quotes.
    fn string(&mut self) -> Option<&'a [u8]> {
        self.eat(b'"')?;
        let start = self.at;
        loop {
            self.at += memchr2(b'"', b'\\', self.text.get(self.at..)?)?;
            if self.text[self.at] == b'"' {
                self.at += 1;
                return Some(&self.text[start..self.at - 1]);
            }
            self.at += 2;
        }
    }

    /// Reads `true` or `false`.
    pub(super) fn boolean(&mut self) -> Option<bool> {
        match self.word()? {
            b"true" => Some(true),
            b"false" => Some(false),
            _ => None,
        }
    }

    /// Reads a whole number from 0 on.
    pub(super) fn count(&mut self) -> Option<u64> {
        let digits = std::str::from_utf8(self.word()?).ok()?;
        digits.parse().ok()
    }

    /// Reads what stands before the next white space or sign of punctuation: a number, or a name.
    fn word(&mut self) -> Option<&'a [u8]> {
        self.peek()?;
        let start = self.at;
        let ends = |byte: &u8| !matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'+' | b'-' | b'.');
        let rest = &self.text[start..];
        let length = rest.iter().position(ends).unwrap_or(rest.len());
        self.at += length;
        (length > 0).then(|| &rest[..length])
    }

    /// Reads a value of any kind and depth, in constant memory.
    pub(super) fn skip(&mut self) -> Option<()> {
        let mut open = 0_usize;
        loop {
            match self.peek()? {
                b'"' => {
                    self.string()?;
                }
                b'{' | b'[' => {
                    self.at += 1;
                    open += 1;
                }
                b'}' | b']' => {
                    self.at += 1;
                    open = open.checked_sub(1)?;
                }
                b',' | b':' if open > 0 => self.at += 1,
                _ => {
                    self.word()?;
                }
            }
            if open == 0 {
                return Some(());
            }
        }
    }

    /// Reads the white space after the last value; anything else is too much.
    pub(super) fn end(&mut self) -> Option<()> {
        self.peek().is_none().then_some(())
    }
}
