//! Finds the parts of an XML document, and refuses what is not well-formed.
//!
//! quick-xml tokenizes. Mutations work on places in the text, so places are kept and no values; a
//! document is read only when something in it is to be changed, or when it comes from a user. What
//! quick-xml leaves to its callers is checked here: names, characters, references, the order of
//! declarations. A document type with declarations of its own is refused, as the truth about a pair
//! would then depend on entities and defaults.

use std::collections::HashMap;
use std::ops::Range;

use quick_xml::errors::{Error, IllFormedError, SyntaxError};
use quick_xml::events::attributes::AttrError;
use quick_xml::events::{BytesDecl, BytesStart, Event};
use quick_xml::reader::Reader;

/// Why a text is not a document that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct XmlFault {
    /// Where, in bytes.
    pub(super) at: usize,
    /// What is wrong there.
    pub(super) what: &'static str,
}

/// What stands between an element's tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ElementContent {
    /// Nothing at all, or a self-closing tag.
    Empty,
    /// One run of characters and references, not all of them white space.
    Text,
    /// Elements, with white space, comments and instructions between them.
    Elements,
    /// Anything else.
    Mixed,
}

/// An attribute, namespace declarations included.
#[derive(Debug, Clone)]
pub(super) struct Attribute {
    /// From the name to the closing quote.
    pub(super) whole: Range<usize>,
    pub(super) name: Range<usize>,
    /// Without the quotes.
    pub(super) value: Range<usize>,
}

/// An element.
#[derive(Debug, Clone)]
pub(super) struct Element {
    pub(super) parent: Option<usize>,
    /// From `<` to `>`.
    pub(super) start: Range<usize>,
    pub(super) name: Range<usize>,
    /// From `</` to `>`; none for a self-closing tag.
    pub(super) end: Option<Range<usize>>,
    /// Indices into the document's attributes.
    pub(super) attributes: Range<usize>,
    pub(super) content: ElementContent,
    /// The root is 1.
    pub(super) depth: u32,
    /// Which of the different paths of names it has.
    pub(super) path: usize,
    /// The element before it under the same parent.
    pub(super) previous: Option<usize>,
}

impl Element {
    /// Returns the place between the tags.
    pub(super) fn inside(&self) -> Range<usize> {
        self.start.end..self.end.as_ref().map_or(self.start.end, |end| end.start)
    }

    /// Returns the place of the element, tags included.
    pub(super) fn whole(&self) -> Range<usize> {
        self.start.start..self.end.as_ref().map_or(self.start.end, |end| end.end)
    }

    /// Returns whether it is written as one tag.
    pub(super) fn is_self_closing(&self) -> bool {
        self.end.is_none()
    }
}

/// A processing instruction.
#[derive(Debug, Clone)]
pub(super) struct Instruction {
    pub(super) target: Range<usize>,
    pub(super) data: Range<usize>,
}

/// The parts of a document.
#[derive(Debug, Clone)]
pub(super) struct Document<'a> {
    pub(super) text: &'a str,
    /// In the order of their start tags; the root is the first.
    pub(super) elements: Vec<Element>,
    pub(super) attributes: Vec<Attribute>,
    pub(super) instructions: Vec<Instruction>,
    /// White space alone between two tags, where the parent holds no other text.
    pub(super) gaps: Vec<Range<usize>>,
}

impl<'a> Document<'a> {
    /// Finds the parts of `text`.
    pub(super) fn parse(text: &'a str) -> Result<Self, XmlFault> {
        let document = Self {
            text,
            elements: Vec::new(),
            attributes: Vec::new(),
            instructions: Vec::new(),
            gaps: Vec::new(),
        };
        let mut indexer = XmlIndexer {
            document,
            open: Vec::new(),
            run: None,
            paths: HashMap::new(),
            gaps: Vec::new(),
            has_doctype: false,
        };
        indexer.document()?;
        let mut document = indexer.document;
        let elements = &document.elements;
        let kept = |&(parent, _): &(usize, _)| elements[parent].content == ElementContent::Elements;
        document.gaps = indexer.gaps.into_iter().filter(kept).map(|(_, gap)| gap).collect();
        Ok(document)
    }

    /// Returns what stands at a place.
    pub(super) fn at(&self, place: &Range<usize>) -> &'a str {
        &self.text[place.clone()]
    }

    /// Returns the attributes of an element.
    pub(super) fn attributes_of(&self, element: &Element) -> &[Attribute] {
        &self.attributes[element.attributes.clone()]
    }
}

/// An element whose end tag has not been seen.
#[derive(Debug)]
struct OpenTag {
    element: usize,
    last_child: Option<usize>,
    runs: usize,
    has_text: bool,
    has_other: bool,
    has_elements: bool,
}

struct XmlIndexer<'a> {
    document: Document<'a>,
    open: Vec<OpenTag>,
    /// Characters and references since the last markup.
    run: Option<Range<usize>>,
    paths: HashMap<(usize, &'a str), usize>,
    gaps: Vec<(usize, Range<usize>)>,
    has_doctype: bool,
}

fn fault<T>(at: usize, what: &'static str) -> Result<T, XmlFault> {
    Err(XmlFault { at, what })
}

impl XmlIndexer<'_> {
    fn document(&mut self) -> Result<(), XmlFault> {
        let text = self.document.text;
        if let Some(at) = text.find(|c: char| !is_char(c)) {
            return fault(at, "a character that XML does not allow");
        }
        // quick-xml would skip it, and count places from behind it.
        if text.starts_with('\u{feff}') {
            return fault(0, "text outside the root element");
        }
        let mut reader = Reader::from_str(text);
        reader.config_mut().check_comments = true;
        loop {
            let start = position(reader.buffer_position());
            let event = reader.read_event();
            let place = start..position(reader.buffer_position());
            let event = event.map_err(|error| XmlFault {
                at: position(reader.error_position()).min(text.len()),
                what: words(&error),
            })?;
            match event {
                // quick-xml reports each reference by itself.
                Event::Text(_) | Event::GeneralRef(_) => {
                    self.run.get_or_insert(place.start..place.end).end = place.end;
                }
                event => {
                    if let Some(run) = self.run.take() {
                        self.characters(&run)?;
                    }
                    if matches!(event, Event::Eof) {
                        break;
                    }
                    self.markup(&event, place)?;
                }
            }
        }
        if self.document.elements.is_empty() {
            return fault(text.len(), "no element");
        }
        if !self.open.is_empty() {
            return fault(text.len(), "an element that is not closed");
        }
        Ok(())
    }

    fn markup(&mut self, event: &Event<'_>, place: Range<usize>) -> Result<(), XmlFault> {
        match event {
            Event::Start(tag) => self.start_tag(place, tag, false),
            Event::Empty(tag) => self.start_tag(place, tag, true),
            Event::End(_) => {
                self.end_tag(place);
                Ok(())
            }
            Event::Comment(_) => {
                self.count_run();
                Ok(())
            }
            Event::CData(_) => self.cdata(place.start),
            Event::Decl(_) if place.start > 0 => {
                fault(place.start, "an XML declaration that is not at the beginning")
            }
            Event::Decl(declaration) => declared(declaration, place.start),
            Event::PI(_) => self.instruction(&place),
            Event::DocType(_) => self.doctype(&place),
            Event::Text(_) | Event::GeneralRef(_) | Event::Eof => Ok(()),
        }
    }

    fn count_run(&mut self) {
        if let Some(open) = self.open.last_mut() {
            open.runs += 1;
        }
    }

    fn cdata(&mut self, at: usize) -> Result<(), XmlFault> {
        let Some(open) = self.open.last_mut() else {
            return fault(at, "a CDATA section outside the root element");
        };
        open.has_other = true;
        Ok(())
    }

    /// quick-xml returns what stands between `<!DOCTYPE` and `>` unread.
    fn doctype(&mut self, place: &Range<usize>) -> Result<(), XmlFault> {
        let inside = self.document.at(&(place.start + "<!DOCTYPE".len()..place.end - 1));
        if self.has_doctype
            || !self.document.elements.is_empty()
            || !self.document.at(place).starts_with("<!DOCTYPE")
        {
            return fault(place.start, "markup that cannot stand here");
        }
        self.has_doctype = true;
        if !inside.starts_with(is_space) {
            return fault(place.start, "a document type without a name");
        }
        let (name, mut rest) = split_name(inside.trim_start_matches(is_space));
        if !is_qualified(name) {
            return fault(place.start, "a document type without a name");
        }
        rest = rest.trim_matches(is_space);
        let literals = match rest.get(..6) {
            Some("SYSTEM") => 1,
            Some("PUBLIC") => 2,
            _ => 0,
        };
        if literals > 0 {
            rest = &rest[6..];
        }
        for _ in 0..literals {
            let quote = rest.trim_start_matches(is_space);
            let literal = quote.chars().next().filter(|c| matches!(c, '"' | '\''));
            let after = literal.and_then(|q| quote[1..].split_once(q)).map(|(_, after)| after);
            match after {
                Some(after) if quote.len() < rest.len() => rest = after,
                _ => return fault(place.start, "a document type without an identifier"),
            }
        }
        if rest.is_empty() {
            return Ok(());
        }
        fault(place.start, "a document type with declarations of its own")
    }

    fn instruction(&mut self, place: &Range<usize>) -> Result<(), XmlFault> {
        let inside = place.start + 2..place.end - 2;
        let (target, rest) = split_name(self.document.at(&inside));
        if !is_qualified(target) || !(rest.is_empty() || rest.starts_with(is_space)) {
            return fault(inside.start, "no name where one must stand");
        }
        if target.eq_ignore_ascii_case("xml") {
            return fault(place.start, "an XML declaration that is not at the beginning");
        }
        let data = inside.end - rest.trim_start_matches(is_space).len()..inside.end;
        let target = inside.start..inside.start + target.len();
        self.document.instructions.push(Instruction { target, data });
        self.count_run();
        Ok(())
    }

    fn start_tag(
        &mut self,
        place: Range<usize>,
        tag: &BytesStart<'_>,
        is_self_closing: bool,
    ) -> Result<(), XmlFault> {
        if self.open.is_empty() && !self.document.elements.is_empty() {
            return fault(place.start, "a second root element");
        }
        let name = place.start + 1..place.start + 1 + tag.name().0.len();
        if !is_qualified(self.document.at(&name)) {
            return fault(name.start, "no name where one must stand");
        }
        let first = self.document.attributes.len();
        self.attributes(tag, name.end)?;
        let attributes = first..self.document.attributes.len();
        let start = place.start;
        self.opened(place, name, attributes);
        self.bound(start)?;
        if is_self_closing {
            self.open.pop();
        }
        Ok(())
    }

    /// Notes the attributes of a tag whose name ends at `end`.
    fn attributes(&mut self, tag: &BytesStart<'_>, mut end: usize) -> Result<(), XmlFault> {
        let begin = end - tag.name().0.len();
        for attribute in tag.attributes() {
            let attribute = attribute.map_err(|error| attribute_fault(&error, begin))?;
            let name = offset(tag, attribute.key.0, begin);
            let value = offset(tag, &attribute.value, begin);
            let before = self.document.at(&(end..name.start));
            if before.is_empty() {
                return fault(name.start, "no space before an attribute");
            }
            if !is_qualified(self.document.at(&name)) {
                return fault(name.start, "no name where one must stand");
            }
            if self.document.at(&value).contains('<') {
                return fault(value.start, "`<` in an attribute value");
            }
            self.references(&value)?;
            end = value.end + 1;
            self.document.attributes.push(Attribute { whole: name.start..end, name, value });
        }
        Ok(())
    }

    /// Notes an element whose start tag has been read.
    fn opened(&mut self, start: Range<usize>, name: Range<usize>, attributes: Range<usize>) {
        let element = self.document.elements.len();
        let parent = self.open.last_mut();
        let (parent, previous) = match parent {
            None => (None, None),
            Some(open) => {
                open.has_elements = true;
                open.runs += 1;
                (Some(open.element), open.last_child.replace(element))
            }
        };
        let above = parent.map(|parent| &self.document.elements[parent]);
        let depth = above.map_or(1, |above| above.depth + 1);
        // Paths are numbered from 1; 0 stands above the root.
        let key = (above.map_or(0, |above| above.path), self.document.at(&name));
        let fresh = self.paths.len() + 1;
        let path = *self.paths.entry(key).or_insert(fresh);
        self.document.elements.push(Element {
            parent,
            start,
            name,
            end: None,
            attributes,
            content: ElementContent::Empty,
            depth,
            path,
            previous,
        });
        self.open.push(OpenTag {
            element,
            last_child: None,
            runs: 0,
            has_text: false,
            has_other: false,
            has_elements: false,
        });
    }

    /// Requires that the prefixes of a start tag are declared.
    fn bound(&self, at: usize) -> Result<(), XmlFault> {
        let element = self.document.elements.last().expect("a tag was just read");
        let attributes = self.document.attributes_of(element).iter().map(|a| &a.name);
        for name in attributes.chain([&element.name]) {
            let Some((prefix, _)) = self.document.at(name).split_once(':') else { continue };
            if !["xml", "xmlns"].contains(&prefix) && !self.declares(prefix) {
                return fault(at, "a prefix that is not declared");
            }
        }
        Ok(())
    }

    fn declares(&self, prefix: &str) -> bool {
        let here = |open: &OpenTag| {
            let element = &self.document.elements[open.element];
            self.document.attributes_of(element).iter().any(|attribute| {
                self.document.at(&attribute.name).strip_prefix("xmlns:") == Some(prefix)
            })
        };
        self.open.iter().rev().any(here)
    }

    /// Notes an end tag; that it fits its start tag is quick-xml's business.
    fn end_tag(&mut self, place: Range<usize>) {
        let Some(open) = self.open.pop() else { return };
        let element = &mut self.document.elements[open.element];
        element.end = Some(place);
        element.content = match open {
            OpenTag { has_other: true, .. }
            | OpenTag { has_text: true, has_elements: true, .. } => ElementContent::Mixed,
            OpenTag { has_elements: true, .. } => ElementContent::Elements,
            OpenTag { has_text: true, runs: 1, .. } => ElementContent::Text,
            OpenTag { runs: 0, .. } => ElementContent::Empty,
            OpenTag { .. } => ElementContent::Mixed,
        };
    }

    /// Notes the text between two tags.
    fn characters(&mut self, place: &Range<usize>) -> Result<(), XmlFault> {
        let text = self.document.at(place);
        let is_blank = text.trim_start_matches(is_space).is_empty();
        let Some(open) = self.open.last_mut() else {
            return if is_blank {
                Ok(())
            } else {
                fault(place.start, "text outside the root element")
            };
        };
        open.runs += 1;
        open.has_text |= !is_blank;
        if is_blank {
            self.gaps.push((open.element, place.clone()));
        }
        if let Some(at) = text.find("]]>") {
            return fault(place.start + at, "`]]>` in text");
        }
        self.references(place)
    }

    /// Requires that every `&` begins a reference that needs no declaration.
    fn references(&self, place: &Range<usize>) -> Result<(), XmlFault> {
        let text = self.document.at(place);
        for (at, _) in text.match_indices('&') {
            let reference = text[at + 1..].split_once(';').map_or("", |(name, _)| name);
            if referred(reference).is_none() {
                return fault(place.start + at, "`&` that begins no reference");
            }
        }
        Ok(())
    }
}

fn position(bytes: u64) -> usize {
    usize::try_from(bytes).expect("a text in memory")
}

/// Where a part of a tag stands, whose content begins at `begin`.
fn offset(tag: &BytesStart<'_>, part: &[u8], begin: usize) -> Range<usize> {
    let start = begin + part.as_ptr().addr() - tag.as_ptr().addr();
    start..start + part.len()
}

/// Versions other than 1.0 have other names and characters; other encodings are not UTF-8.
fn declared(declaration: &BytesDecl<'_>, at: usize) -> Result<(), XmlFault> {
    const UNKNOWN: &str = "an XML declaration that XML does not know";
    const OTHER: &str = "an XML declaration of another version or encoding than UTF-8";
    let content = std::str::from_utf8(declaration).unwrap_or_default();
    let tag = BytesStart::from_content(content, "xml".len());
    // `any` goes past what it has seen, so that the three come once each and in this order.
    let mut known = ["version", "encoding", "standalone"].into_iter();
    let mut is_first = true;
    let mut end = "xml".len();
    for attribute in tag.attributes() {
        let Ok(attribute) = attribute else { return fault(at, UNKNOWN) };
        // quick-xml does without the space before an attribute, XML does not.
        if offset(&tag, attribute.key.0, 0).start == end {
            return fault(at, UNKNOWN);
        }
        end = offset(&tag, &attribute.value, 0).end + "'".len();
        let name = std::str::from_utf8(attribute.key.0).unwrap_or_default();
        if is_first != (name == "version") || !known.any(|it| it == name) {
            return fault(at, UNKNOWN);
        }
        is_first = false;
        let value = attribute.value.to_ascii_lowercase();
        let allowed: &[&[u8]] = match name {
            "version" => &[b"1.0"],
            "encoding" => &[b"utf-8", b"us-ascii"],
            _ => &[b"yes", b"no"],
        };
        if !allowed.contains(&&value[..]) {
            return fault(at, OTHER);
        }
    }
    if is_first { fault(at, UNKNOWN) } else { Ok(()) }
}

fn attribute_fault(error: &AttrError, begin: usize) -> XmlFault {
    match error {
        AttrError::ExpectedEq(at) => XmlFault { at: begin + at, what: "an attribute without `=`" },
        AttrError::ExpectedValue(at) | AttrError::UnquotedValue(at) => {
            XmlFault { at: begin + at, what: "a value without quotes" }
        }
        AttrError::ExpectedQuote(at, _) => {
            XmlFault { at: begin + at, what: "a value without its closing quote" }
        }
        AttrError::Duplicated(at, _) => {
            XmlFault { at: begin + at, what: "an attribute given twice" }
        }
    }
}

fn words(error: &Error) -> &'static str {
    match error {
        Error::Syntax(error) => match error {
            SyntaxError::InvalidBangMarkup | SyntaxError::UnclosedDoctype => {
                "markup that cannot stand here"
            }
            SyntaxError::UnclosedPI | SyntaxError::UnclosedXmlDecl => "an instruction without `?>`",
            SyntaxError::UnclosedComment => "a comment without `-->`",
            SyntaxError::UnclosedCData => "a CDATA section without `]]>`",
            SyntaxError::UnclosedTag => "a tag without `>`",
            SyntaxError::UnclosedSingleQuotedAttributeValue
            | SyntaxError::UnclosedDoubleQuotedAttributeValue => {
                "a value without its closing quote"
            }
        },
        Error::IllFormed(error) => match error {
            IllFormedError::MissingEndTag(_) => "an element that is not closed",
            IllFormedError::UnmatchedEndTag(_) => "an end tag without its start tag",
            IllFormedError::MismatchedEndTag { .. } => "an end tag that does not fit its start tag",
            IllFormedError::DoubleHyphenInComment => "`--` in a comment",
            IllFormedError::UnclosedReference => "`&` that begins no reference",
            IllFormedError::MissingDoctypeName => "a document type without a name",
            IllFormedError::MissingDeclVersion(_) | IllFormedError::UnknownVersion => {
                "an XML declaration that XML does not know"
            }
        },
        _ => "something that is not XML",
    }
}

/// Splits off the longest name that a text begins with.
fn split_name(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c| !is_name(c)).unwrap_or(text.len()))
}

/// Returns whether a text is a name, with at most one colon in a place where a prefix can end.
fn is_qualified(name: &str) -> bool {
    let mut parts = name.split(':');
    let is_part = |part: &str| part.starts_with(is_name_start) && part.chars().all(is_name);
    let (first, second) = (parts.next(), parts.next());
    first.is_some_and(is_part) && second.is_none_or(is_part) && parts.next().is_none()
}

/// Returns the character that a reference stands for, without a declaration: `lt`, `#65`, `#x41`.
pub(super) fn referred(name: &str) -> Option<char> {
    let number = |digits: &str, radix| {
        let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit());
        let code = is_number.then(|| u32::from_str_radix(digits, radix).ok()).flatten();
        code.and_then(char::from_u32).filter(|c| is_char(*c))
    };
    match name {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => match name.strip_prefix("#x") {
            Some(digits) => number(digits, 16),
            None => number(name.strip_prefix('#')?, 10),
        },
    }
}

/// Returns whether XML calls this white space.
pub(super) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

fn is_char(c: char) -> bool {
    is_space(c) || (c >= ' ' && !matches!(c, '\u{fffe}' | '\u{ffff}'))
}

fn is_name_start(c: char) -> bool {
    matches!(c,
        'A'..='Z' | '_' | 'a'..='z' | '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}'
        | '\u{f8}'..='\u{2ff}' | '\u{370}'..='\u{37d}' | '\u{37f}'..='\u{1fff}'
        | '\u{200c}'..='\u{200d}' | '\u{2070}'..='\u{218f}' | '\u{2c00}'..='\u{2fef}'
        | '\u{3001}'..='\u{d7ff}' | '\u{f900}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fffd}'
        | '\u{10000}'..='\u{effff}')
}

fn is_name(c: char) -> bool {
    is_name_start(c)
        || matches!(c,
            ':' | '-' | '.' | '0'..='9' | '\u{b7}' | '\u{300}'..='\u{36f}' | '\u{203f}'..='\u{2040}')
}

/// Returns the root element of a document, without what an envelope cannot hold; a document that
/// cannot be read is left as it is.
pub(super) fn root(document: &[u8]) -> &[u8] {
    let parsed = str::from_utf8(document).ok().and_then(|text| Document::parse(text).ok());
    parsed.map_or(document, |parsed| &document[parsed.elements[0].whole()])
}
