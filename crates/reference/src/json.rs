//! Reads JSON strictly from a slice that may end too early.
//!
//! Own code because a batch of a million pairs arrives in pieces and has to be read in pieces:
//! [`JsonStop::Incomplete`] says "not wrong so far". What is accepted and refused is what `serde_json`
//! accepts and refuses; a property test holds the two together.

/// Values may be nested this deep, as in `serde_json`.
const DEPTH_MAX: usize = 128;

/// Why reading stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum JsonStop {
    /// The slice ended inside a value.
    Incomplete,
    /// Not JSON, at this byte.
    Syntax(usize),
    /// JSON, but not what the contract has at this byte.
    Shape(usize, &'static str),
}

/// A position in a slice of JSON.
#[derive(Debug, Clone)]
pub(super) struct JsonReader<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
}

impl<'a> JsonReader<'a> {
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    /// Returns the next byte that is not white space, without passing it.
    #[inline]
    pub(super) fn peek(&mut self) -> Result<u8, JsonStop> {
        while let Some(byte) = self.bytes.get(self.at) {
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Ok(*byte);
            }
            self.at += 1;
        }
        Err(JsonStop::Incomplete)
    }

    /// Refuses anything but white space from here to the end.
    pub(super) fn end(&mut self) -> Result<(), JsonStop> {
        match self.peek() {
            Ok(_) => Err(JsonStop::Syntax(self.at)),
            Err(_) => Ok(()),
        }
    }

    pub(super) fn expect(&mut self, expected: u8) -> Result<(), JsonStop> {
        if self.peek()? == expected {
            self.at += 1;
            Ok(())
        } else {
            Err(JsonStop::Syntax(self.at))
        }
    }

    /// Returns whether the slice goes on with `expected`, which is then passed.
    #[inline]
    pub(super) fn skip_if(&mut self, expected: &[u8]) -> bool {
        let found = self.bytes[self.at..].starts_with(expected);
        if found {
            self.at += expected.len();
        }
        found
    }

    /// Reads the members of an object, whose `{` is next. `member` gets the key and the reader behind
    /// it, and has to read the colon and the value.
    pub(super) fn object(
        &mut self,
        mut member: impl FnMut(&mut Self, &[u8]) -> Result<(), JsonStop>,
    ) -> Result<(), JsonStop> {
        self.expect(b'{')?;
        let mut key = Vec::new();
        if self.peek()? == b'}' {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.key(&mut key)?;
            member(self, &key)?;
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(JsonStop::Syntax(self.at)),
            }
        }
    }

    /// Reads the name of a member.
    pub(super) fn key(&mut self, key: &mut Vec<u8>) -> Result<(), JsonStop> {
        if self.peek()? != b'"' {
            return Err(JsonStop::Syntax(self.at));
        }
        key.clear();
        self.string(key)
    }

    /// Reads the items of an array, whose `[` is next.
    pub(super) fn array(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<(), JsonStop>,
    ) -> Result<(), JsonStop> {
        self.expect(b'[')?;
        if self.peek()? == b']' {
            self.at += 1;
            return Ok(());
        }
        loop {
            item(self)?;
            match self.peek()? {
                b',' => self.at += 1,
                b']' => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(JsonStop::Syntax(self.at)),
            }
        }
    }

    /// Reads a value that has to be a string, and appends what it stands for to `out`.
    pub(super) fn expect_string(
        &mut self,
        out: &mut Vec<u8>,
        otherwise: &'static str,
    ) -> Result<(), JsonStop> {
        if self.peek()? != b'"' {
            return Err(self.not_this(otherwise));
        }
        self.string(out)
    }

    /// Says that the next value is of the wrong kind, or that it is no value at all.
    pub(super) fn not_this(&mut self, otherwise: &'static str) -> JsonStop {
        let at = self.at;
        match self.peek() {
            Ok(b'{' | b'[') => JsonStop::Shape(at, otherwise),
            Ok(_) => match self.skip(0) {
                Ok(()) => JsonStop::Shape(at, otherwise),
                Err(stop) => stop,
            },
            Err(stop) => stop,
        }
    }

    /// Reads a string at its opening quote, and appends what it stands for to `out`.
    pub(super) fn string(&mut self, out: &mut Vec<u8>) -> Result<(), JsonStop> {
        self.at += 1;
        let mut plain = self.at;
        loop {
            match self.bytes.get(self.at) {
                Some(b'"') => {
                    out.extend_from_slice(&self.bytes[plain..self.at]);
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => {
                    out.extend_from_slice(&self.bytes[plain..self.at]);
                    self.escape(out)?;
                    plain = self.at;
                }
                Some(0..0x20) => return Err(JsonStop::Syntax(self.at)),
                Some(_) => self.at += 1,
                None => return Err(JsonStop::Incomplete),
            }
        }
    }

    /// Reads an escape at its backslash.
    fn escape(&mut self, out: &mut Vec<u8>) -> Result<(), JsonStop> {
        let kind = *self.bytes.get(self.at + 1).ok_or(JsonStop::Incomplete)?;
        match SIMPLE_ESCAPES[usize::from(kind)] {
            0 if kind == b'u' => return self.unicode_escape(out),
            0 => return Err(JsonStop::Syntax(self.at + 1)),
            byte => out.push(byte),
        }
        self.at += 2;
        Ok(())
    }

    fn unicode_escape(&mut self, out: &mut Vec<u8>) -> Result<(), JsonStop> {
        let first = self.hexadecimal()?;
        let code = match first {
            0xD800..0xDC00 => {
                match self.bytes.get(self.at..).unwrap_or_default() {
                    [] | [b'\\'] => return Err(JsonStop::Incomplete),
                    [b'\\', b'u', ..] => {}
                    _ => return Err(JsonStop::Syntax(self.at)),
                }
                let second = self.hexadecimal()?;
                if !(0xDC00..0xE000).contains(&second) {
                    return Err(JsonStop::Syntax(self.at));
                }
                0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00)
            }
            _ => first,
        };
        let character = char::from_u32(code).ok_or(JsonStop::Syntax(self.at))?;
        out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        Ok(())
    }

    /// Reads `\uXXXX`.
    fn hexadecimal(&mut self) -> Result<u32, JsonStop> {
        let mut code = 0;
        for place in self.at + 2..self.at + 6 {
            let digit = *self.bytes.get(place).ok_or(JsonStop::Incomplete)?;
            let digit = char::from(digit).to_digit(16).ok_or(JsonStop::Syntax(place))?;
            code = code * 16 + digit;
        }
        self.at += 6;
        Ok(code)
    }

    /// Passes over any value; `depth` values are open around it.
    pub(super) fn skip(&mut self, depth: usize) -> Result<(), JsonStop> {
        match self.peek()? {
            b'{' | b'[' if depth + 1 >= DEPTH_MAX => Err(JsonStop::Syntax(self.at)),
            b'{' => self.object(|reader, _| reader.skip_member(depth + 1)),
            b'[' => self.array(|reader| reader.skip(depth + 1)),
            b'"' => self.skip_string(),
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            _ => Err(JsonStop::Syntax(self.at)),
        }
    }

    /// Passes over a string that is not wanted, so that half a surrogate pair in it does no harm.
    fn skip_string(&mut self) -> Result<(), JsonStop> {
        self.at += 1;
        loop {
            match self.bytes.get(self.at).ok_or(JsonStop::Incomplete)? {
                b'"' => break,
                b'\\' => match self.bytes.get(self.at + 1).ok_or(JsonStop::Incomplete)? {
                    b'u' => {
                        self.hexadecimal()?;
                    }
                    kind if SIMPLE_ESCAPES[usize::from(*kind)] != 0 => self.at += 2,
                    _ => return Err(JsonStop::Syntax(self.at + 1)),
                },
                0..0x20 => return Err(JsonStop::Syntax(self.at)),
                _ => self.at += 1,
            }
        }
        self.at += 1;
        Ok(())
    }

    /// Passes over a colon and any value.
    pub(super) fn skip_member(&mut self, depth: usize) -> Result<(), JsonStop> {
        self.expect(b':')?;
        self.skip(depth)
    }

    /// Passes over a word, which the slice may cut short.
    pub(super) fn word(&mut self, word: &[u8]) -> Result<(), JsonStop> {
        for expected in word {
            match self.bytes.get(self.at) {
                Some(byte) if byte == expected => self.at += 1,
                Some(_) => return Err(JsonStop::Syntax(self.at)),
                None => return Err(JsonStop::Incomplete),
            }
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), JsonStop> {
        if self.bytes.get(self.at) == Some(&b'-') {
            self.at += 1;
        }
        if self.bytes.get(self.at) == Some(&b'0') {
            self.at += 1;
            if self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
                return Err(JsonStop::Syntax(self.at));
            }
        } else {
            self.digits()?;
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.bytes.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.bytes.get(self.at), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    /// Passes over one digit or more.
    fn digits(&mut self) -> Result<(), JsonStop> {
        let first = self.at;
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        match self.bytes.get(self.at) {
            _ if self.at > first => Ok(()),
            Some(_) => Err(JsonStop::Syntax(self.at)),
            None => Err(JsonStop::Incomplete),
        }
    }
}

/// What the letter after a backslash stands for; 0 where it stands for nothing.
const SIMPLE_ESCAPES: [u8; 256] = {
    let mut table = [0; 256];
    table[b'"' as usize] = b'"';
    table[b'\\' as usize] = b'\\';
    table[b'/' as usize] = b'/';
    table[b'b' as usize] = 0x08;
    table[b'f' as usize] = 0x0C;
    table[b'n' as usize] = b'\n';
    table[b'r' as usize] = b'\r';
    table[b't' as usize] = b'\t';
    table
};
