//! Finds the parts of an XML document, and refuses what is not well-formed.
//!
//! The mutations work on places in the text, so this keeps places and no values; a document is
//! read only when something in it is to be changed, or when it comes from a user. It is not a
//! general parser: a document type with declarations of its own is refused, as the truth about a
//! pair would then depend on entities and defaults.

use std::collections::HashMap;
use std::ops::Range;

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
        let mut parser = XmlParser {
            at: 0,
            document,
            open: Vec::new(),
            paths: HashMap::new(),
            gaps: Vec::new(),
            has_doctype: false,
        };
        parser.document()?;
        let mut document = parser.document;
        let elements = &document.elements;
        let kept = |&(parent, _): &(usize, _)| elements[parent].content == ElementContent::Elements;
        document.gaps = parser.gaps.into_iter().filter(kept).map(|(_, gap)| gap).collect();
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

struct XmlParser<'a> {
    at: usize,
    document: Document<'a>,
    open: Vec<OpenTag>,
    paths: HashMap<(usize, &'a str), usize>,
    gaps: Vec<(usize, Range<usize>)>,
    has_doctype: bool,
}

impl<'a> XmlParser<'a> {
    fn rest(&self) -> &'a str {
        &self.document.text[self.at..]
    }

    fn fault<T>(&self, what: &'static str) -> Result<T, XmlFault> {
        Err(XmlFault { at: self.at, what })
    }

    fn starts(&self, with: &str) -> bool {
        self.rest().starts_with(with)
    }

    /// Goes past the next `end`, and returns what stands before it.
    fn until(&mut self, end: &str, what: &'static str) -> Result<Range<usize>, XmlFault> {
        let Some(length) = self.rest().find(end) else { return self.fault(what) };
        let place = self.at..self.at + length;
        self.at = place.end + end.len();
        Ok(place)
    }

    fn document(&mut self) -> Result<(), XmlFault> {
        if let Some(at) = self.document.text.find(|c: char| !is_char(c)) {
            return Err(XmlFault { at, what: "a character that XML does not allow" });
        }
        if self.starts("<?xml") && self.rest()[5..].starts_with(is_space) {
            self.declaration()?;
        }
        loop {
            if self.at == self.document.text.len() {
                break;
            } else if self.starts("</") {
                self.end_tag()?;
            } else if self.starts("<!--") {
                self.comment()?;
            } else if self.starts("<![CDATA[") {
                self.cdata()?;
            } else if self.starts("<!") {
                self.doctype()?;
            } else if self.starts("<?") {
                self.instruction()?;
            } else if self.starts("<") {
                self.start_tag()?;
            } else {
                self.characters()?;
            }
        }
        match (self.open.is_empty(), self.document.elements.is_empty()) {
            (false, _) => self.fault("an element that is not closed"),
            (true, true) => self.fault("no element"),
            (true, false) => Ok(()),
        }
    }

    /// Versions other than 1.0 have other names and characters; other encodings are not UTF-8.
    fn declaration(&mut self) -> Result<(), XmlFault> {
        self.at += "<?xml".len();
        let mut known = ["version", "encoding", "standalone"].into_iter();
        loop {
            let spaced = self.space();
            if self.starts("?>") && known.len() < 3 {
                self.at += 2;
                return Ok(());
            }
            let name = self.name()?;
            let name = self.document.at(&name);
            // `any` goes past what it has seen, so that the three come once each and in this order.
            if !spaced || (known.len() == 3) != (name == "version") || !known.any(|k| k == name) {
                return self.fault("an XML declaration that XML does not know");
            }
            let value = self.quoted()?;
            let value = self.document.at(&value).to_ascii_lowercase();
            let allowed: &[&str] = match name {
                "version" => &["1.0"],
                "encoding" => &["utf-8", "us-ascii"],
                _ => &["yes", "no"],
            };
            if !allowed.contains(&value.as_str()) {
                return self.fault("an XML declaration of another version or encoding than UTF-8");
            }
        }
    }

    /// Goes past `=` and a value in quotes, and returns the value.
    fn quoted(&mut self) -> Result<Range<usize>, XmlFault> {
        self.space();
        if !self.starts("=") {
            return self.fault("an attribute without `=`");
        }
        self.at += 1;
        self.space();
        self.literal()
    }

    fn literal(&mut self) -> Result<Range<usize>, XmlFault> {
        let quote = match self.rest().as_bytes().first() {
            Some(b'"') => "\"",
            Some(b'\'') => "'",
            Some(_) | None => return self.fault("a value without quotes"),
        };
        self.at += 1;
        self.until(quote, "a value without its closing quote")
    }

    fn comment(&mut self) -> Result<(), XmlFault> {
        self.at += 4;
        self.until("--", "a comment without `-->`")?;
        if !self.starts(">") {
            return self.fault("`--` in a comment");
        }
        self.at += 1;
        if let Some(open) = self.open.last_mut() {
            open.runs += 1;
        }
        Ok(())
    }

    fn cdata(&mut self) -> Result<(), XmlFault> {
        self.at += 9;
        let Some(open) = self.open.last_mut() else {
            return self.fault("a CDATA section outside the root element");
        };
        open.has_other = true;
        self.until("]]>", "a CDATA section without `]]>`").map(drop)
    }

    fn doctype(&mut self) -> Result<(), XmlFault> {
        if !self.starts("<!DOCTYPE") || self.has_doctype || !self.document.elements.is_empty() {
            return self.fault("markup that cannot stand here");
        }
        self.has_doctype = true;
        self.at += "<!DOCTYPE".len();
        if !self.space() {
            return self.fault("a document type without a name");
        }
        self.name()?;
        self.space();
        let literals = match self.rest() {
            rest if rest.starts_with("SYSTEM") => 1,
            rest if rest.starts_with("PUBLIC") => 2,
            _ => 0,
        };
        if literals > 0 {
            self.at += "SYSTEM".len();
        }
        for _ in 0..literals {
            if !self.space() {
                return self.fault("a document type without an identifier");
            }
            self.literal()?;
        }
        self.space();
        if !self.starts(">") {
            return self.fault("a document type with declarations of its own");
        }
        self.at += 1;
        Ok(())
    }

    fn instruction(&mut self) -> Result<(), XmlFault> {
        self.at += 2;
        let target = self.name()?;
        if self.document.at(&target).eq_ignore_ascii_case("xml") {
            return self.fault("an XML declaration that is not at the beginning");
        }
        self.space();
        let data = self.until("?>", "an instruction without `?>`")?;
        self.document.instructions.push(Instruction { target, data });
        if let Some(open) = self.open.last_mut() {
            open.runs += 1;
        }
        Ok(())
    }

    fn space(&mut self) -> bool {
        let length = self.rest().len() - self.rest().trim_start_matches(is_space).len();
        self.at += length;
        length > 0
    }

    fn name(&mut self) -> Result<Range<usize>, XmlFault> {
        let rest = self.rest();
        let length = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
        if !rest.starts_with(is_name_start) {
            return self.fault("no name where one must stand");
        }
        let mut parts = rest[..length].split(':');
        let local = parts.nth(1).unwrap_or("x");
        if rest.starts_with(':') || !local.starts_with(is_name_start) || parts.next().is_some() {
            return self.fault("a name with a colon in the wrong place");
        }
        let place = self.at..self.at + length;
        self.at = place.end;
        Ok(place)
    }

    fn start_tag(&mut self) -> Result<(), XmlFault> {
        let start = self.at;
        if self.open.is_empty() && !self.document.elements.is_empty() {
            return self.fault("a second root element");
        }
        self.at += 1;
        let name = self.name()?;
        let first = self.document.attributes.len();
        loop {
            let spaced = self.space();
            if self.starts(">") || self.starts("/>") {
                break;
            }
            if !spaced {
                return self.fault("no space before an attribute");
            }
            self.attribute(first)?;
        }
        let is_self_closing = self.starts("/");
        self.at += 1 + usize::from(is_self_closing);
        let attributes = first..self.document.attributes.len();
        self.opened(start..self.at, name, attributes);
        self.bound(start)?;
        if is_self_closing {
            self.open.pop();
        }
        Ok(())
    }

    fn attribute(&mut self, first: usize) -> Result<(), XmlFault> {
        let name = self.name()?;
        let value = self.quoted()?;
        if self.document.at(&value).contains('<') {
            return Err(XmlFault { at: value.start, what: "`<` in an attribute value" });
        }
        self.references(&value)?;
        let text = self.document.at(&name);
        let same = |other: &Attribute| self.document.at(&other.name) == text;
        if self.document.attributes[first..].iter().any(same) {
            return Err(XmlFault { at: name.start, what: "an attribute given twice" });
        }
        self.document.attributes.push(Attribute { whole: name.start..self.at, name, value });
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
                return Err(XmlFault { at, what: "a prefix that is not declared" });
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

    fn end_tag(&mut self) -> Result<(), XmlFault> {
        let start = self.at;
        self.at += 2;
        let name = self.name()?;
        self.space();
        let Some(open) = self.open.pop() else {
            return Err(XmlFault { at: start, what: "an end tag without its start tag" });
        };
        let same = {
            let element = &self.document.elements[open.element];
            self.document.at(&element.name) == self.document.at(&name)
        };
        if !same || !self.starts(">") {
            return Err(XmlFault { at: start, what: "an end tag that does not fit its start tag" });
        }
        self.at += 1;
        let element = &mut self.document.elements[open.element];
        element.end = Some(start..self.at);
        element.content = match open {
            OpenTag { has_other: true, .. }
            | OpenTag { has_text: true, has_elements: true, .. } => ElementContent::Mixed,
            OpenTag { has_elements: true, .. } => ElementContent::Elements,
            OpenTag { has_text: true, runs: 1, .. } => ElementContent::Text,
            OpenTag { runs: 0, .. } => ElementContent::Empty,
            OpenTag { .. } => ElementContent::Mixed,
        };
        Ok(())
    }

    fn characters(&mut self) -> Result<(), XmlFault> {
        let length = self.rest().find('<').unwrap_or(self.rest().len());
        let place = self.at..self.at + length;
        let text = self.document.at(&place);
        let is_blank = text.trim_start_matches(is_space).is_empty();
        let Some(open) = self.open.last_mut() else {
            return if is_blank {
                self.at = place.end;
                Ok(())
            } else {
                self.fault("text outside the root element")
            };
        };
        open.runs += 1;
        open.has_text |= !is_blank;
        let parent = open.element;
        if is_blank {
            self.gaps.push((parent, place.clone()));
        }
        if let Some(at) = text.find("]]>") {
            return Err(XmlFault { at: place.start + at, what: "`]]>` in text" });
        }
        self.references(&place)?;
        self.at = place.end;
        Ok(())
    }

    /// Requires that every `&` begins a reference that needs no declaration.
    fn references(&self, place: &Range<usize>) -> Result<(), XmlFault> {
        let text = self.document.at(place);
        for (at, _) in text.match_indices('&') {
            let reference = text[at + 1..].split_once(';').map_or("", |(name, _)| name);
            if referred(reference).is_none() {
                return Err(XmlFault {
                    at: place.start + at,
                    what: "`&` that begins no reference",
                });
            }
        }
        Ok(())
    }
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
        ':' | 'A'..='Z' | '_' | 'a'..='z' | '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}'
        | '\u{f8}'..='\u{2ff}' | '\u{370}'..='\u{37d}' | '\u{37f}'..='\u{1fff}'
        | '\u{200c}'..='\u{200d}' | '\u{2070}'..='\u{218f}' | '\u{2c00}'..='\u{2fef}'
        | '\u{3001}'..='\u{d7ff}' | '\u{f900}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fffd}'
        | '\u{10000}'..='\u{effff}')
}

fn is_name(c: char) -> bool {
    is_name_start(c)
        || matches!(c,
            '-' | '.' | '0'..='9' | '\u{b7}' | '\u{300}'..='\u{36f}' | '\u{203f}'..='\u{2040}')
}
