//! Reads one XML 1.0 document and refuses it unless it is well-formed.
//!
//! Written for this service because the check has to be real: the fast parsers at hand accept much
//! that the recommendation forbids. One pass, no allocation of its own once its [`Tokens`] are warm;
//! a DOCTYPE is refused, so there is no entity beyond the five predefined ones and nothing expands.
//!
//! Works on bytes that the caller knows to be UTF-8; anything else is refused or read as garbage,
//! never unsafe.

use thiserror::Error;

/// Elements may be nested this deep.
pub(super) const DEPTH_MAX: usize = 256;
/// One element may have this many attributes.
pub(super) const ATTRIBUTES_MAX: usize = 1_000;

/// The names of an element and of all those around it may have this many bytes together. Each
/// difference is reported with its path.
pub(super) const PATH_BYTES_MAX: usize = 16 << 10;
/// This many namespace declarations may be in scope at a place, where namespaces count.
pub(super) const NAMESPACES_MAX: usize = 256;

/// A stretch of a document, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// Before everything else.
    pub(super) const EMPTY: Self = Self { start: 0, end: 0 };

    pub(super) fn new(start: usize, end: usize) -> Self {
        Self { start: narrow(start), end: narrow(end) }
    }

    #[inline]
    pub(super) fn of(self, document: &[u8]) -> &[u8] {
        &document[wide(self.start)..wide(self.end)]
    }

    pub(super) fn is_empty(self) -> bool {
        self.start == self.end
    }

    #[inline]
    pub(super) fn len(self) -> usize {
        wide(self.end - self.start)
    }

    /// Leaves out the first `bytes`.
    pub(super) fn skip(self, bytes: usize) -> Self {
        Self { start: self.start + narrow(bytes), end: self.end }
    }

    /// Keeps the first `bytes` only.
    pub(super) fn first(self, bytes: usize) -> Self {
        Self { start: self.start, end: self.start + narrow(bytes) }
    }

    /// Ends at `end` instead.
    pub(super) fn up_to(self, end: usize) -> Self {
        Self { start: self.start, end: narrow(end) }
    }

    /// Leaves out white space at the start.
    pub(super) fn trimmed_start(self, document: &[u8]) -> Self {
        let kept = self.of(document).trim_ascii_start().len();
        Self { start: self.end - narrow(kept), end: self.end }
    }

    /// Leaves out white space at the end.
    pub(super) fn trimmed_end(self, document: &[u8]) -> Self {
        let kept = self.of(document).trim_ascii_end().len();
        Self { start: self.start, end: self.start + narrow(kept) }
    }
}

/// The server's body limit keeps documents below 4 GiB, and half-size spans keep them in cache.
#[inline]
pub(super) fn narrow(index: usize) -> u32 {
    u32::try_from(index).expect("a body is shorter than 4 GiB")
}

#[inline]
pub(super) fn wide(index: u32) -> usize {
    usize::try_from(index).expect("pointers have 32 bits or more")
}

/// An attribute as written: entities are not replaced, white space is not normalised.
#[derive(Debug, Clone, Copy)]
pub(super) struct AttributeSpan {
    pub(super) name: Span,
    pub(super) value: Span,
}

/// What a document is made of, in its order. Comments, instructions and CDATA come without their
/// delimiters; text comes as written and may come in several pieces.
pub(super) trait TokenSink {
    /// An element that has an end tag.
    fn start(&mut self, tag: StartTag<'_>) -> Result<(), XmlFlaw>;
    /// An element without an end tag, `<a/>`.
    fn empty(&mut self, tag: StartTag<'_>) -> Result<(), XmlFlaw>;
    /// The end of the innermost open element.
    fn end(&mut self);
    /// Character data inside the root element.
    fn text(&mut self, text: Span);
    /// A CDATA section.
    fn cdata(&mut self, text: Span);
    /// A comment, also one beside the root element.
    fn comment(&mut self, text: Span);
    /// A processing instruction, also one beside the root element.
    fn instruction(&mut self, target: Span, data: Span) -> Result<(), XmlFlaw>;
    /// What an XML declaration says, with an empty span for what it does not say.
    fn declaration(&mut self, version: Span, standalone: Span);
}

/// A start tag.
#[derive(Debug, Clone, Copy)]
pub(super) struct StartTag<'a> {
    pub(super) name: Span,
    pub(super) range: AttributeRange,
    attributes: &'a [AttributeSpan],
}

impl<'a> StartTag<'a> {
    pub(super) fn attributes(&self) -> &'a [AttributeSpan] {
        self.range.of(self.attributes)
    }
}

/// Which of the attributes in [`Tokens`] belong to an element.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct AttributeRange {
    start: u32,
    end: u32,
}

impl AttributeRange {
    pub(super) fn of(self, attributes: &[AttributeSpan]) -> &[AttributeSpan] {
        &attributes[wide(self.start)..wide(self.end)]
    }
}

/// What a document leaves behind, and the memory that the next one uses again.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    /// All attributes of the document, in its order.
    pub(super) attributes: Vec<AttributeSpan>,
    open: Vec<Span>,
    order: Vec<u32>,
}

/// Why a document was refused, and where: bytes from its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{flaw} at byte {at}")]
pub(super) struct DocumentError {
    /// Bytes before the fault.
    pub(super) at: usize,
    /// What is wrong.
    pub(super) flaw: XmlFlaw,
}

/// Which of the two documents of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PairMember {
    First,
    Second,
}

/// What is wrong with a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(super) enum XmlFlaw {
    #[error("the document has no root element")]
    NoRoot,
    #[error("the document ends before its root element does")]
    Unclosed,
    #[error("content after the root element")]
    AfterRoot,
    #[error("a DOCTYPE, which this service refuses")]
    Doctype,
    #[error("elements nested deeper than {DEPTH_MAX}")]
    TooDeep,
    #[error("a path of names longer than {PATH_BYTES_MAX} bytes")]
    LongPath,
    #[error("more than {ATTRIBUTES_MAX} attributes on one element")]
    TooManyAttributes,
    #[error("more than 1 000 000 different element paths")]
    TooManyPaths,
    #[error("a character that XML does not allow")]
    Character,
    #[error("a name was expected")]
    Name,
    #[error("a malformed start tag")]
    StartTag,
    #[error("an end tag that does not match its start tag")]
    EndTag,
    #[error("an attribute without a quoted value")]
    AttributeValue,
    #[error("white space was expected before an attribute")]
    AttributeSpace,
    #[error("`<` in an attribute value")]
    LessThanInValue,
    #[error("an attribute that the element already has")]
    RepeatedAttribute,
    #[error("a malformed or undefined entity reference")]
    Reference,
    #[error("a character reference to a character that XML does not allow")]
    CharacterReference,
    #[error("`]]>` in text")]
    CdataEnd,
    #[error("an unclosed or misplaced CDATA section")]
    Cdata,
    #[error("a malformed comment")]
    Comment,
    #[error("a malformed processing instruction")]
    Instruction,
    #[error("a malformed XML declaration")]
    Declaration,
    #[error("unknown markup after `<!`")]
    Markup,
    #[error("a namespace prefix that is not declared")]
    Prefix,
    #[error("a name with more than one colon, or with nothing before or after it")]
    Colon,
    #[error("a namespace declaration that is not allowed")]
    NamespaceDeclaration,
    #[error("more than {NAMESPACES_MAX} namespace declarations in scope")]
    TooManyNamespaces,
}

const NAME_START: u8 = 1;
const NAME: u8 = 2;
const TEXT: u8 = 4;
const VALUE: u8 = 8;
const SPACE: u8 = 16;

/// What an ASCII byte may be part of without a closer look. Bytes of longer characters are left to
/// the slow paths in names; in text only 0xEF needs a look, for U+FFFE and U+FFFF.
const CLASS: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut class = [0; 256];
    let mut byte: u8 = 0;
    loop {
        let mut bits = 0;
        if byte.is_ascii_alphabetic() || matches!(byte, b'_' | b':') {
            bits |= NAME_START | NAME;
        }
        if byte.is_ascii_digit() || matches!(byte, b'-' | b'.') {
            bits |= NAME;
        }
        if matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
            bits |= SPACE;
        }
        if bits & SPACE != 0 || (byte >= 0x20 && byte != 0xEF) {
            if !matches!(byte, b'<' | b'&' | b']') {
                bits |= TEXT;
            }
            if !matches!(byte, b'<' | b'&' | b'"' | b'\'') {
                bits |= VALUE;
            }
        }
        class[byte as usize] = bits;
        if byte == u8::MAX {
            return class;
        }
        byte += 1;
    }
}

#[inline]
fn has(byte: u8, class: u8) -> bool {
    CLASS[usize::from(byte)] & class != 0
}

#[inline]
pub(super) fn is_space(byte: u8) -> bool {
    has(byte, SPACE)
}

/// Tells `sink` what `document` is made of, up to its end or its first fault.
pub(super) fn read(
    document: &[u8],
    tokens: &mut Tokens,
    sink: &mut impl TokenSink,
) -> Result<(), DocumentError> {
    tokens.attributes.clear();
    tokens.open.clear();
    let mut reader = XmlReader { bytes: document, at: 0, path_bytes: 0, tokens };
    reader.document(sink).map_err(|flaw| DocumentError { at: reader.at, flaw })
}

struct XmlReader<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The names of all open elements together.
    path_bytes: usize,
    tokens: &'a mut Tokens,
}

impl XmlReader<'_> {
    fn document(&mut self, sink: &mut impl TokenSink) -> Result<(), XmlFlaw> {
        self.skip_if(b"\xEF\xBB\xBF");
        if self.rest().starts_with(b"<?xml") && self.byte_at(5).is_some_and(is_space) {
            self.declaration(sink)?;
        }
        self.beside_root(sink)?;
        match self.byte() {
            Some(b'<') if self.rest().starts_with(b"<!DOCTYPE") => return Err(XmlFlaw::Doctype),
            Some(b'<') => self.start_tag(sink)?,
            Some(_) | None => return Err(XmlFlaw::NoRoot),
        }
        while !self.tokens.open.is_empty() {
            self.text(sink)?;
            match self.byte_at(1) {
                Some(b'/') => self.end_tag(sink)?,
                Some(b'!') => self.comment_or_cdata(sink)?,
                Some(b'?') => self.instruction(sink)?,
                Some(_) => self.start_tag(sink)?,
                None => return Err(XmlFlaw::Unclosed),
            }
        }
        self.beside_root(sink)?;
        if self.at == self.bytes.len() { Ok(()) } else { Err(XmlFlaw::AfterRoot) }
    }

    /// Comments, instructions and white space, before or after the root element.
    fn beside_root(&mut self, sink: &mut impl TokenSink) -> Result<(), XmlFlaw> {
        loop {
            self.skip_space();
            if self.rest().starts_with(b"<!--") {
                self.comment(sink)?;
            } else if self.rest().starts_with(b"<?") {
                self.instruction(sink)?;
            } else {
                return Ok(());
            }
        }
    }

    #[inline]
    fn start_tag(&mut self, sink: &mut impl TokenSink) -> Result<(), XmlFlaw> {
        self.at += 1;
        let name = self.name()?;
        let first = self.tokens.attributes.len();
        loop {
            let spaced = self.skip_space();
            match self.byte() {
                Some(b'>') => {
                    self.at += 1;
                    if self.tokens.open.len() == DEPTH_MAX {
                        return Err(XmlFlaw::TooDeep);
                    }
                    let range = self.attributes_since(first)?;
                    self.path_bytes += name.len();
                    if self.path_bytes > PATH_BYTES_MAX {
                        return Err(XmlFlaw::LongPath);
                    }
                    self.tokens.open.push(name);
                    return sink.start(StartTag {
                        name,
                        range,
                        attributes: &self.tokens.attributes,
                    });
                }
                Some(b'/') if self.byte_at(1) == Some(b'>') => {
                    self.at += 2;
                    if self.tokens.open.len() == DEPTH_MAX {
                        return Err(XmlFlaw::TooDeep);
                    }
                    let range = self.attributes_since(first)?;
                    return sink.empty(StartTag {
                        name,
                        range,
                        attributes: &self.tokens.attributes,
                    });
                }
                Some(b'/') => return Err(XmlFlaw::StartTag),
                Some(_) if !spaced => return Err(XmlFlaw::AttributeSpace),
                Some(_) if self.tokens.attributes.len() - first == ATTRIBUTES_MAX => {
                    return Err(XmlFlaw::TooManyAttributes);
                }
                Some(_) => self.attribute()?,
                None => return Err(XmlFlaw::Unclosed),
            }
        }
    }

    #[inline]
    fn attribute(&mut self) -> Result<(), XmlFlaw> {
        let name = self.name()?;
        self.skip_space();
        if self.byte() != Some(b'=') {
            return Err(XmlFlaw::AttributeValue);
        }
        self.at += 1;
        self.skip_space();
        let Some(quote @ (b'"' | b'\'')) = self.byte() else {
            return Err(XmlFlaw::AttributeValue);
        };
        self.at += 1;
        let value = self.value(quote)?;
        self.tokens.attributes.push(AttributeSpan { name, value });
        Ok(())
    }

    /// What stands before the closing `quote`, which is passed over.
    #[inline]
    fn value(&mut self, quote: u8) -> Result<Span, XmlFlaw> {
        let start = self.at;
        loop {
            self.skip_class(VALUE);
            match self.byte() {
                Some(byte) if byte == quote => break,
                Some(b'"' | b'\'') => self.at += 1,
                Some(b'<') => return Err(XmlFlaw::LessThanInValue),
                Some(b'&') => self.reference()?,
                Some(_) => self.unusual_character()?,
                None => return Err(XmlFlaw::AttributeValue),
            }
        }
        let value = Span::new(start, self.at);
        self.at += 1;
        Ok(value)
    }

    #[inline]
    fn attributes_since(&mut self, first: usize) -> Result<AttributeRange, XmlFlaw> {
        let own = &self.tokens.attributes[first..];
        // Most elements have few attributes; beyond that, sorting keeps a hostile one cheap.
        let repeated = if own.len() <= 8 {
            (1..own.len()).any(|i| {
                let name = own[i].name.of(self.bytes);
                own[..i].iter().any(|other| other.name.of(self.bytes) == name)
            })
        } else {
            let order = &mut self.tokens.order;
            order.clear();
            order.extend(0..narrow(own.len()));
            order.sort_unstable_by_key(|index| own[wide(*index)].name.of(self.bytes));
            order.windows(2).any(|two| {
                own[wide(two[0])].name.of(self.bytes) == own[wide(two[1])].name.of(self.bytes)
            })
        };
        if repeated {
            return Err(XmlFlaw::RepeatedAttribute);
        }
        Ok(AttributeRange { start: narrow(first), end: narrow(self.tokens.attributes.len()) })
    }

    #[inline]
    fn end_tag(&mut self, sink: &mut impl TokenSink) -> Result<(), XmlFlaw> {
        self.at += 2;
        let name = self.tokens.open.pop().expect("only called while an element is open");
        self.path_bytes -= name.len();
        let name = name.of(self.bytes);
        if !self.rest().starts_with(name) {
            return Err(XmlFlaw::EndTag);
        }
        self.at += name.len();
        if self.byte() != Some(b'>') {
            self.skip_space();
            if self.byte() != Some(b'>') {
                return Err(XmlFlaw::EndTag);
            }
        }
        self.at += 1;
        sink.end();
        Ok(())
    }

    /// Character data up to the next `<`.
    #[inline]
    fn text(&mut self, sink: &mut impl TokenSink) -> Result<(), XmlFlaw> {
        let start = self.at;
        loop {
            self.skip_class(TEXT);
            match self.byte() {
                Some(b'<') => break,
                Some(b'&') => self.reference()?,
                Some(b']') if self.rest().starts_with(b"]]>") => return Err(XmlFlaw::CdataEnd),
                Some(b']') => self.at += 1,
                Some(_) => self.unusual_character()?,
                None => return Err(XmlFlaw::Unclosed),
            }
        }
        if self.at > start {
            sink.text(Span::new(start, self.at));
        }
        Ok(())
    }

    fn comment_or_cdata(&mut self, sink: &mut impl TokenSink) -> Result<(), XmlFlaw> {
        const CDATA: &[u8] = b"<![CDATA[";
        if self.rest().starts_with(b"<!--") {
            return self.comment(sink);
        }
        if self.rest().starts_with(b"<!DOCTYPE") {
            return Err(XmlFlaw::Doctype);
        }
        if !self.rest().starts_with(CDATA) {
            return Err(XmlFlaw::Markup);
        }
        self.at += CDATA.len();
        let text = self.until(b"]]>", XmlFlaw::Cdata)?;
        sink.cdata(text);
        Ok(())
    }

    fn comment(&mut self, sink: &mut impl TokenSink) -> Result<(), XmlFlaw> {
        self.at += 4;
        let text = self.until(b"--", XmlFlaw::Comment)?;
        if self.byte() != Some(b'>') {
            return Err(XmlFlaw::Comment);
        }
        self.at += 1;
        sink.comment(text);
        Ok(())
    }

    fn instruction(&mut self, sink: &mut impl TokenSink) -> Result<(), XmlFlaw> {
        self.at += 2;
        let target = self.name()?;
        if target.of(self.bytes).eq_ignore_ascii_case(b"xml") {
            return Err(XmlFlaw::Instruction);
        }
        let spaced = self.skip_space();
        if !spaced && !self.rest().starts_with(b"?>") {
            return Err(XmlFlaw::Instruction);
        }
        let data = self.until(b"?>", XmlFlaw::Instruction)?;
        sink.instruction(target, data)
    }

    /// Allowed characters up to `end`, which is passed over.
    fn until(&mut self, end: &[u8], flaw: XmlFlaw) -> Result<Span, XmlFlaw> {
        let start = self.at;
        loop {
            match self.byte() {
                None => return Err(flaw),
                Some(byte) if byte == end[0] && self.rest().starts_with(end) => break,
                Some(byte) if has(byte, TEXT) || matches!(byte, b'<' | b'&' | b']') => self.at += 1,
                Some(_) => self.unusual_character()?,
            }
        }
        let found = Span::new(start, self.at);
        self.at += end.len();
        Ok(found)
    }

    fn declaration(&mut self, sink: &mut impl TokenSink) -> Result<(), XmlFlaw> {
        self.at += 5;
        let version = self.pseudo_attribute(b"version")?.ok_or(XmlFlaw::Declaration)?;
        let minor = version.of(self.bytes).strip_prefix(b"1.").ok_or(XmlFlaw::Declaration)?;
        if minor.is_empty() || !minor.iter().all(u8::is_ascii_digit) {
            return Err(XmlFlaw::Declaration);
        }
        if let Some(encoding) = self.pseudo_attribute(b"encoding")? {
            let name = encoding.of(self.bytes);
            let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
            if !name.first().is_some_and(u8::is_ascii_alphabetic) || !name.iter().all(allowed) {
                return Err(XmlFlaw::Declaration);
            }
        }
        let standalone = self.pseudo_attribute(b"standalone")?;
        if standalone.is_some_and(|said| !matches!(said.of(self.bytes), b"yes" | b"no")) {
            return Err(XmlFlaw::Declaration);
        }
        self.skip_space();
        if !self.skip_if(b"?>") {
            return Err(XmlFlaw::Declaration);
        }
        sink.declaration(version, standalone.unwrap_or_default());
        Ok(())
    }

    /// The value of ` name="…"`, if that comes next.
    fn pseudo_attribute(&mut self, name: &[u8]) -> Result<Option<Span>, XmlFlaw> {
        let before = self.at;
        if !self.skip_space() || !self.skip_if(name) {
            self.at = before;
            return Ok(None);
        }
        self.skip_space();
        if !self.skip_if(b"=") {
            return Err(XmlFlaw::Declaration);
        }
        self.skip_space();
        match self.byte() {
            Some(quote @ (b'"' | b'\'')) => {
                self.at += 1;
                self.until(&[quote], XmlFlaw::Declaration).map(Some)
            }
            Some(_) | None => Err(XmlFlaw::Declaration),
        }
    }

    /// A predefined entity or a character reference, at `&`.
    fn reference(&mut self) -> Result<(), XmlFlaw> {
        let rest = self.rest();
        let in_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'#';
        let length = 1 + rest[1..].iter().take_while(|byte| in_name(byte)).count();
        if rest.get(length) != Some(&b';') {
            return Err(XmlFlaw::Reference);
        }
        let name = &rest[1..length];
        if let Some(number) = name.strip_prefix(b"#") {
            character_reference(number).ok_or(XmlFlaw::CharacterReference)?;
        } else if predefined(name).is_none() {
            return Err(XmlFlaw::Reference);
        }
        self.at += length + 1;
        Ok(())
    }

    /// A byte that no class covers: 0xEF may begin U+FFFE or U+FFFF, the rest are control
    /// characters.
    fn unusual_character(&mut self) -> Result<(), XmlFlaw> {
        match self.rest() {
            [0xEF, 0xBF, 0xBE | 0xBF, ..] => Err(XmlFlaw::Character),
            [0xEF, ..] => {
                self.at += 1;
                Ok(())
            }
            _ => Err(XmlFlaw::Character),
        }
    }

    #[inline]
    fn name(&mut self) -> Result<Span, XmlFlaw> {
        let start = self.at;
        match self.byte() {
            Some(byte) if has(byte, NAME_START) => self.at += 1,
            Some(byte) if byte >= 0x80 => self.name_character(is_name_start)?,
            Some(_) | None => return Err(XmlFlaw::Name),
        }
        loop {
            self.skip_class(NAME);
            match self.byte() {
                Some(byte) if byte >= 0x80 => self.name_character(is_name)?,
                Some(_) | None if self.at - start > PATH_BYTES_MAX => {
                    return Err(XmlFlaw::LongPath);
                }
                Some(_) | None => return Ok(Span::new(start, self.at)),
            }
        }
    }

    #[cold]
    fn name_character(&mut self, allowed: fn(char) -> bool) -> Result<(), XmlFlaw> {
        let rest = self.rest();
        let character = rest[..rest.len().min(4)].utf8_chunks().next();
        match character.and_then(|chunk| chunk.valid().chars().next()) {
            Some(character) if allowed(character) => {
                self.at += character.len_utf8();
                Ok(())
            }
            Some(_) | None => Err(XmlFlaw::Name),
        }
    }

    #[inline]
    fn rest(&self) -> &[u8] {
        &self.bytes[self.at..]
    }

    #[inline]
    fn byte(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline]
    fn byte_at(&self, offset: usize) -> Option<u8> {
        self.bytes.get(self.at + offset).copied()
    }

    #[inline]
    fn skip_class(&mut self, class: u8) {
        while let Some(byte) = self.bytes.get(self.at)
            && has(*byte, class)
        {
            self.at += 1;
        }
    }

    /// Returns whether there was any white space.
    #[inline]
    fn skip_space(&mut self) -> bool {
        let before = self.at;
        self.skip_class(SPACE);
        self.at > before
    }

    fn skip_if(&mut self, expected: &[u8]) -> bool {
        let found = self.rest().starts_with(expected);
        if found {
            self.at += expected.len();
        }
        found
    }
}

/// Returns the character that a predefined entity stands for.
pub(super) fn predefined(name: &[u8]) -> Option<char> {
    match name {
        b"lt" => Some('<'),
        b"gt" => Some('>'),
        b"amp" => Some('&'),
        b"quot" => Some('"'),
        b"apos" => Some('\''),
        _ => None,
    }
}

/// Returns the character that `&#number;` stands for: `number` is decimal, or `x` and hexadecimal.
pub(super) fn character_reference(number: &[u8]) -> Option<char> {
    let (digits, radix) = match number.strip_prefix(b"x") {
        Some(digits) => (digits, 16),
        None => (number, 10),
    };
    let mut code = 0_u32;
    for digit in digits {
        code = code.checked_mul(radix)?.checked_add(char::from(*digit).to_digit(radix)?)?;
    }
    let allowed = |c: &char| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{FFFD}' | '\u{10000}'..='\u{10FFFF}');
    char::from_u32(code).filter(allowed).filter(|_| !digits.is_empty())
}

/// Returns whether a name may begin like `text`.
pub(super) fn begins_name(text: &[u8]) -> bool {
    let first = text.utf8_chunks().next().and_then(|chunk| chunk.valid().chars().next());
    first.is_some_and(is_name_start)
}

fn is_name_start(c: char) -> bool {
    matches!(c, ':' | '_' | 'A'..='Z' | 'a'..='z'
        | '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{2FF}'
        | '\u{370}'..='\u{37D}' | '\u{37F}'..='\u{1FFF}' | '\u{200C}'..='\u{200D}'
        | '\u{2070}'..='\u{218F}' | '\u{2C00}'..='\u{2FEF}' | '\u{3001}'..='\u{D7FF}'
        | '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FFFD}' | '\u{10000}'..='\u{EFFFF}')
}

fn is_name(c: char) -> bool {
    is_name_start(c)
        || matches!(c, '-' | '.' | '0'..='9' | '\u{B7}' | '\u{300}'..='\u{36F}'
            | '\u{203F}'..='\u{2040}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    struct NullSink;

    impl TokenSink for NullSink {
        fn start(&mut self, _: StartTag<'_>) -> Result<(), XmlFlaw> {
            Ok(())
        }
        fn empty(&mut self, _: StartTag<'_>) -> Result<(), XmlFlaw> {
            Ok(())
        }
        fn end(&mut self) {}
        fn text(&mut self, _: Span) {}
        fn cdata(&mut self, _: Span) {}
        fn comment(&mut self, _: Span) {}
        fn instruction(&mut self, _: Span, _: Span) -> Result<(), XmlFlaw> {
            Ok(())
        }
        fn declaration(&mut self, _: Span, _: Span) {}
    }

    fn check(document: impl AsRef<[u8]>) -> Result<(), DocumentError> {
        read(document.as_ref(), &mut Tokens::default(), &mut NullSink)
    }

    #[test]
    fn well_formed_documents_are_read() {
        for document in [
            "<a/>",
            "<a />",
            "<a></a >",
            "\u{FEFF}<a/>",
            "<?xml version='1.0'?><a/>",
            "<?xml version = \"1.1\" encoding='UTF-8' standalone='yes' ?>\n<a/>\n",
            "<!-- - --><?p?><?p q?><a/><!----><?xmlq?>",
            "<a b = '\"' c=\"'\" d:e='>]]>'><b/></a>",
            "<a>&lt;&gt;&amp;&quot;&apos;&#65;&#x41;&#0000000000000000000065;&#x10FFFF;</a>",
            "<a>]] ]> > ' \" \t\r\n</a>",
            "<a><![CDATA[<&]]]]><![CDATA[>]]></a>",
            "<é·‿ xmlns:ß='x' 𐀀='y'>\u{FFFD}\u{EFFF}\u{7F}\u{85}</é·‿>",
            "<:/>",
        ] {
            assert_eq!(check(document), Ok(()), "{document}");
        }
    }

    #[test]
    fn each_rule_of_the_recommendation_is_enforced() {
        use XmlFlaw as F;
        for (document, at, flaw) in [
            ("", 0, F::NoRoot),
            (" text", 1, F::NoRoot),
            ("<!-- c -->", 10, F::NoRoot),
            (" <?xml version='1.0'?><a/>", 6, F::Instruction),
            ("<?xml?><a/>", 5, F::Instruction),
            ("<?xml encoding='UTF-8'?><a/>", 5, F::Declaration),
            ("<?xml version='2.0'?><a/>", 19, F::Declaration),
            ("<?xml version='1.0' standalone='maybe'?><a/>", 38, F::Declaration),
            ("<?xml version='1.0'encoding='UTF-8'?><a/>", 19, F::Declaration),
            ("<?xml version='1.0' encoding=''?><a/>", 31, F::Declaration),
            ("<!DOCTYPE a><a/>", 0, F::Doctype),
            ("<a>", 3, F::Unclosed),
            ("<a", 2, F::Unclosed),
            ("<a>text", 7, F::Unclosed),
            ("<a><", 3, F::Unclosed),
            ("<a/><b/>", 4, F::AfterRoot),
            ("<a/>text", 4, F::AfterRoot),
            ("<a></b>", 5, F::EndTag),
            ("<a></ab>", 6, F::EndTag),
            ("<ab></a>", 6, F::EndTag),
            ("<a><b></a></b>", 8, F::EndTag),
            ("< a/>", 1, F::Name),
            ("<1/>", 1, F::Name),
            ("<\u{B7}/>", 1, F::Name),
            ("<a b/>", 4, F::AttributeValue),
            ("<a b=c/>", 5, F::AttributeValue),
            ("<a b='c/>", 9, F::AttributeValue),
            ("<a b='1'c='2'/>", 8, F::AttributeSpace),
            ("<a/ >", 2, F::StartTag),
            ("<a b='<'/>", 6, F::LessThanInValue),
            ("<a b='' b=''/>", 14, F::RepeatedAttribute),
            ("<a>&</a>", 3, F::Reference),
            ("<a>&amp</a>", 3, F::Reference),
            ("<a>&nbsp;</a>", 3, F::Reference),
            ("<a>&;</a>", 3, F::Reference),
            ("<a>&#;</a>", 3, F::CharacterReference),
            ("<a>&#x;</a>", 3, F::CharacterReference),
            ("<a>&#0;</a>", 3, F::CharacterReference),
            ("<a>&#xFFFE;</a>", 3, F::CharacterReference),
            ("<a>&#xD800;</a>", 3, F::CharacterReference),
            ("<a>&#99999999999;</a>", 3, F::CharacterReference),
            ("<a>]]></a>", 3, F::CdataEnd),
            ("<a><![CDATA[</a>", 16, F::Cdata),
            ("<![CDATA[]]><a/>", 1, F::Name),
            ("<a><!ELEMENT></a>", 3, F::Markup),
            ("<a><!-- -- --></a>", 10, F::Comment),
            ("<a><!-- ---></a>", 10, F::Comment),
            ("<a><?xMl ?></a>", 8, F::Instruction),
            ("<a><?p+?></a>", 6, F::Instruction),
            ("<a>\u{1}</a>", 3, F::Character),
            ("<a b='\u{FFFE}'/>", 6, F::Character),
            ("<a><!--\u{FFFF}--></a>", 7, F::Character),
        ] {
            assert_eq!(check(document), Err(DocumentError { at, flaw }), "{document}");
        }
    }

    #[test]
    fn limits_are_where_they_are_said_to_be() {
        let nested = |depth: usize| "<a>".repeat(depth) + &"</a>".repeat(depth);
        assert_eq!(check(nested(DEPTH_MAX)), Ok(()));
        assert_eq!(check(nested(DEPTH_MAX + 1)).unwrap_err().flaw, XmlFlaw::TooDeep);
        let wide = |n: usize| {
            let attributes: Vec<_> = (0..n).map(|i| format!(" x{i}=''")).collect();
            format!("<a{}/>", attributes.concat())
        };
        assert_eq!(check(wide(ATTRIBUTES_MAX)), Ok(()));
        assert_eq!(check(wide(ATTRIBUTES_MAX + 1)).unwrap_err().flaw, XmlFlaw::TooManyAttributes);
        let twice = wide(ATTRIBUTES_MAX - 1).replace("/>", " x7=''/>");
        assert_eq!(check(twice).unwrap_err().flaw, XmlFlaw::RepeatedAttribute);
        let named = |bytes: usize| format!("<a><{0}></{0}></a>", "b".repeat(bytes));
        assert_eq!(check(named(PATH_BYTES_MAX - 1)), Ok(()));
        assert_eq!(check(named(PATH_BYTES_MAX)).unwrap_err().flaw, XmlFlaw::LongPath);
        let attribute = format!("<a {}=''/>", "b".repeat(PATH_BYTES_MAX + 1));
        assert_eq!(check(attribute).unwrap_err().flaw, XmlFlaw::LongPath);
    }

    /// Pieces that make nearly well-formed documents more likely than arbitrary characters do.
    fn nearly_xml() -> impl Strategy<Value = String> {
        let pieces = prop::sample::select(vec![
            "<a>",
            "</a>",
            "<a",
            ">",
            "/>",
            " x='1'",
            " y=\"&lt;\"",
            "<b/>",
            "text",
            "&amp;",
            "&#9;",
            "<![CDATA[",
            "]]>",
            "<!--",
            "-->",
            "<?p ",
            "?>",
            "é",
            " ",
            "\n",
            "<é>",
            "</é>",
            "<p:a>",
            "</p:a>",
            "--",
            "]]",
            "&",
            "\u{FFFE}",
            "<?xml version='1.0'?>",
        ]);
        prop::collection::vec(pieces, 0..12)
            .prop_map(|pieces| format!("<a>{}</a>", pieces.concat()))
    }

    proptest! {
        #[test]
        fn an_independent_parser_agrees(document in nearly_xml()) {
            let theirs = roxmltree::Document::parse(&document);
            // That parser knows namespaces, which XML 1.0 alone does not.
            if !matches!(theirs, Err(roxmltree::Error::UnknownNamespace(..))) {
                prop_assert_eq!(check(&document).is_ok(), theirs.is_ok(), "{:?}", theirs);
            }
        }

        #[test]
        fn arbitrary_bytes_are_read_or_refused(document: Vec<u8>) {
            let _ = check(&document);
            let _ = check([b"<a>", &document[..], b"</a>"].concat());
            let _ = check([b"<a ", &document[..], b"='1'/>"].concat());
        }
    }
}
