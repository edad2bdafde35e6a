//! Looks up what stands at a place in a response of a user's own format.

use std::borrow::Cow;
use std::{mem, str};

use quick_xml::encoding::{self, DetectedEncoding};
use quick_xml::escape;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::QName;
use quick_xml::reader::Reader;
use serde_json::Value;

/// Returns what stands at a JSON pointer, where a part `*` stands for every item: the characters of
/// strings, and other values as JSON. Nothing stands in a text that is not JSON.
pub(super) fn json(text: &[u8], pointer: &str) -> Vec<String> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let Ok(root) = serde_json::from_slice::<Value>(text) else { return Vec::new() };
    let mut values = vec![&root];
    for part in pointer.split('/').skip(1) {
        let name = part.replace("~1", "/").replace("~0", "~");
        values = values.into_iter().flat_map(|value| inside(value, part, &name)).collect();
    }
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    values.into_iter().map(text).collect()
}

fn inside<'a>(value: &'a Value, part: &str, name: &str) -> Vec<&'a Value> {
    match (value, part) {
        (Value::Array(items), "*") => items.iter().collect(),
        (Value::Array(items), _) => {
            name.parse::<usize>().ok().and_then(|index| items.get(index)).into_iter().collect()
        }
        (Value::Object(members), "*") => members.values().collect(),
        (Value::Object(members), _) => members.get(name).into_iter().collect(),
        _ => Vec::new(),
    }
}

/// A path of element names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ElementPath<'a> {
    steps: Vec<(&'a str, ChildSelector)>,
    attribute: Option<&'a str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ChildSelector {
    /// The one with this number among the children of that name, from 0.
    One(usize),
    Every,
}

impl<'a> ElementPath<'a> {
    /// Reads `/Envelope/Body/Item[2]/@id`; items count from 1.
    pub(super) fn parse(path: &'a str) -> Option<Self> {
        let mut parts: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
        let attribute = parts.last().and_then(|last| last.strip_prefix('@'));
        if attribute.is_some() {
            parts.pop();
        }
        let steps: Vec<_> = parts.into_iter().map(step).collect::<Option<_>>()?;
        let is_path = !steps.is_empty() && attribute.is_none_or(is_name);
        is_path.then_some(Self { steps, attribute })
    }
}

fn step(part: &str) -> Option<(&str, ChildSelector)> {
    let (name, which) = match part.strip_suffix(']').map(|part| part.split_once('[')) {
        None => (part, ChildSelector::One(0)),
        Some(Some((name, "*"))) => (name, ChildSelector::Every),
        Some(Some((name, number))) => {
            (name, ChildSelector::One(number.parse::<usize>().ok()?.checked_sub(1)?))
        }
        Some(None) => return None,
    };
    is_name(name).then_some((name, which))
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(['[', ']', '@', '*', '(', ' '])
}

/// Returns the texts that stand at a path; nothing, where there is no such element or attribute,
/// or the text is not an XML document.
pub(super) fn xml(text: &[u8], path: &str) -> Vec<String> {
    let Some(path) = ElementPath::parse(path) else { return Vec::new() };
    find(text, [path]).map_or_else(Vec::new, |[found]| found)
}

/// Returns the texts at each of several paths, unless the text is not an XML document.
///
/// One pass without an index: it runs on the core that makes the load.
pub(super) fn find<const N: usize>(
    text: &[u8],
    paths: [ElementPath<'_>; N],
) -> Option<[Vec<String>; N]> {
    let text = decode(text)?;
    let mut reader = Reader::from_str(&text);
    reader.config_mut().check_comments = true;
    let mut searches = paths.map(PathSearch::new);
    let mut depth = 0_usize;
    let mut has_root = false;
    loop {
        let event = reader.read_event().ok()?;
        match &event {
            Event::Start(tag) | Event::Empty(tag) => {
                if depth == 0 && mem::replace(&mut has_root, true) {
                    return None;
                }
                for search in &mut searches {
                    search.open(depth, tag);
                }
                if matches!(event, Event::Start(_)) {
                    depth += 1;
                } else {
                    for search in &mut searches {
                        search.close(depth);
                    }
                }
            }
            Event::End(_) => {
                depth = depth.checked_sub(1)?;
                for search in &mut searches {
                    search.close(depth);
                }
            }
            Event::Text(_) | Event::CData(_) | Event::GeneralRef(_) => {
                let part = characters(&event)?;
                if depth == 0 && !part.trim().is_empty() {
                    return None;
                }
                for search in &mut searches {
                    search.characters(depth, &part);
                }
            }
            Event::Comment(_) | Event::PI(_) | Event::Decl(_) | Event::DocType(_) => {}
            Event::Eof => break,
        }
    }
    (has_root && depth == 0).then(|| searches.map(|search| search.found))
}

/// What a piece of text stands for.
pub(super) fn characters<'a>(event: &'a Event<'_>) -> Option<Cow<'a, str>> {
    match event {
        Event::Text(text) => str::from_utf8(text).ok().map(Cow::Borrowed),
        Event::CData(text) => str::from_utf8(text).ok().map(Cow::Borrowed),
        Event::GeneralRef(reference) => {
            let name = str::from_utf8(reference).ok()?;
            super::xml::referred(name).map(|character| Cow::Owned(character.to_string()))
        }
        _ => None,
    }
}

/// How far one path is followed while a document goes by.
struct PathSearch<'a> {
    path: ElementPath<'a>,
    /// How many steps lead to the innermost open element that is on the path.
    reached: usize,
    /// By step, how many children of that name were seen under the open element before it.
    seen: Vec<usize>,
    /// The text of the element at the end of the path, while it is open.
    text: String,
    found: Vec<String>,
}

impl<'a> PathSearch<'a> {
    fn new(path: ElementPath<'a>) -> Self {
        let seen = vec![0; path.steps.len()];
        Self { path, reached: 0, seen, text: String::new(), found: Vec::new() }
    }

    /// Notes that an element begins, with `depth` others around it.
    fn open(&mut self, depth: usize, tag: &BytesStart<'_>) {
        if depth != self.reached {
            return;
        }
        let Some((name, which)) = self.path.steps.get(depth) else { return };
        if !is_called(tag.name(), name) {
            return;
        }
        let number = self.seen[depth];
        self.seen[depth] += 1;
        if !matches!(which, ChildSelector::Every) && *which != ChildSelector::One(number) {
            return;
        }
        self.reached += 1;
        if let Some(inner) = self.seen.get_mut(self.reached) {
            *inner = 0;
        } else if let Some(name) = self.path.attribute {
            self.found.extend(attribute(tag, name));
        }
    }

    /// Notes that an element ends, with `depth` others around it.
    fn close(&mut self, depth: usize) {
        if depth + 1 != self.reached {
            return;
        }
        if self.reached == self.path.steps.len() && self.path.attribute.is_none() {
            self.found.push(self.text.trim().to_owned());
            self.text.clear();
        }
        self.reached -= 1;
    }

    /// Takes characters that stand directly in an element, with `depth` elements around them.
    fn characters(&mut self, depth: usize, part: &str) {
        if depth == self.reached && depth == self.path.steps.len() {
            self.text.push_str(part);
        }
    }
}

/// The value of an attribute, if the tag has it.
fn attribute(tag: &BytesStart<'_>, name: &str) -> Option<String> {
    let mut attributes = tag.attributes().filter_map(Result::ok);
    let found = attributes.find(|attribute| is_called(attribute.key, name))?;
    let value = str::from_utf8(&found.value).ok()?;
    Some(escape::unescape(value).ok()?.into_owned())
}

/// A name without a prefix matches any prefix: which one it is, is the sender's choice.
fn is_called(written: QName<'_>, name: &str) -> bool {
    written.0 == name.as_bytes() || written.local_name().as_ref() == name.as_bytes()
}

/// Returns a document as text: by its byte order mark, else by the encoding that it declares, else as
/// UTF-8. Nothing, if it is not in that encoding.
pub(super) fn decode(bytes: &[u8]) -> Option<Cow<'_, str>> {
    let detected = encoding::detect_encoding(bytes);
    let declared = match detected {
        Some(DetectedEncoding::AsciiCompatible) => {
            let mut reader = Reader::from_reader(bytes);
            match reader.read_event().ok()? {
                Event::Decl(declaration) => declaration.encoder(),
                _ => None,
            }
        }
        _ => None,
    };
    let encoding = declared.or(detected.as_ref().map(DetectedEncoding::encoding));
    let bytes = &bytes[detected.map_or(0, |detected| detected.bom_len())..];
    match encoding {
        Some(encoding) => encoding::decode(bytes, encoding).ok(),
        None => str::from_utf8(bytes).ok().map(Cow::Borrowed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_found_by_pointer() {
        let check = |pointer: &str, expected: &[&str]| {
            let text = br#"{"a/b": [1, {"c": "x"}, {"c": null}], "d": {"*": true}}"#;
            assert_eq!(json(text, pointer), expected, "{pointer}");
        };
        check("/a~1b/0", &["1"]);
        check("/a~1b/1/c", &["x"]);
        check("/a~1b/*/c", &["x", "null"]);
        check("/d", &[r#"{"*":true}"#]);
        check("/d/*", &["true"]);
        check("/a~1b/7", &[]);
        check("/a~1b/x", &[]);
        check("/none", &[]);
        assert_eq!(json(b"no json", ""), Vec::<String>::new());
        assert_eq!(json(b"\xef\xbb\xbf[1]", "/0"), ["1"]);
    }

    #[test]
    fn xml_is_found_by_path() {
        let text = "<s:Env xmlns:s='urn:s'><s:Body at='1 &lt; 2'><Item>one</Item><Item> t&#119;o </Item>\
            <Mixed>a <b>not <i/> this</b><![CDATA[&b]]><!-- c --> c</Mixed></s:Body></s:Env>";
        let check = |path: &str, expected: &[&str]| {
            assert_eq!(xml(text.as_bytes(), path), expected, "{path}");
        };
        check("/Env/Body/Item", &["one"]);
        check("/s:Env/s:Body/Item[2]", &["two"]);
        check("/Env/Body/Item[*]", &["one", "two"]);
        check("/Env/Body/@at", &["1 < 2"]);
        check("/Env/Body/Mixed", &["a &b c"]);
        check("/Env/Item", &[]);
        check("/Env/Body/Item[3]", &[]);
        check("/Env/Body/@none", &[]);
        assert_eq!(xml(b"no xml", "/a"), Vec::<String>::new());
        for wrong in ["", "a", "/", "/a//b", "/a/@b/c", "/a[0]", "/a[x]", "/a]", "/@", "/text()"] {
            assert_eq!(ElementPath::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn items_are_counted_anew_under_each_parent() {
        let text = b"<r><g><i>1</i><i>2</i></g><o/><g><i>3</i><h><i>4</i></h><i/></g></r>";
        let check = |path: &str, expected: &[&str]| {
            assert_eq!(xml(text, path), expected, "{path}");
        };
        check("/r/g[*]/i[2]", &["2", ""]);
        check("/r/g[*]/i[*]", &["1", "2", "3", ""]);
        check("/r/g[2]/h/i", &["4"]);
        check("/r/o", &[""]);
    }

    #[test]
    fn a_text_that_is_not_one_document_has_nothing() {
        for text in ["<a>", "<a></b>", "<a/><a/>", "<a/>x", "x<a/>", "<a>&no;</a>", "<a><a/>", ""] {
            assert_eq!(xml(text.as_bytes(), "/a"), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn a_document_is_read_in_its_own_encoding() {
        let check =
            |bytes: &[u8]| assert_eq!(xml(bytes, "/r/n"), ["Jos\u{e9} \u{20ac}"], "{bytes:?}");
        let document = |encoding: &str| {
            format!("<?xml version='1.0' encoding='{encoding}'?><r><n>Jos\u{e9} \u{20ac}</n></r>")
        };
        check(document("UTF-8").as_bytes());
        check(format!("\u{feff}{}", document("utf-8")).as_bytes());
        check("\u{feff}<r><n>Jos\u{e9} \u{20ac}</n></r>".as_bytes());
        let single = |encoding: &str, euro: u8| {
            let byte = |c| if c == '\u{20ac}' { euro } else { u8::try_from(c).unwrap() };
            document(encoding).chars().map(byte).collect::<Vec<u8>>()
        };
        check(&single("windows-1252", 0x80));
        check(&single("ISO-8859-15", 0xa4));
        let wide = |mark: &str, unit: fn(u16) -> [u8; 2]| {
            let text = format!("{mark}{}", document("UTF-16"));
            text.encode_utf16().flat_map(unit).collect::<Vec<u8>>()
        };
        check(&wide("\u{feff}", u16::to_le_bytes));
        check(&wide("\u{feff}", u16::to_be_bytes));
        check(&wide("", u16::to_le_bytes));
        assert_eq!(xml(b"<r><n>Jos\xe9</n></r>", "/r/n"), Vec::<String>::new());
    }
}
