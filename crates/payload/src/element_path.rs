//! Looks up what stands at a place in an answer of a user's own format.

use serde_json::Value;

use super::xml::{Document, Element, ElementContent};

/// Returns what stands at a JSON pointer, where a part `*` stands for every item: the characters of
/// strings, and other values as JSON. Nothing stands in a text that is not JSON.
pub(super) fn json(text: &[u8], pointer: &str) -> Vec<String> {
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
    let text = std::str::from_utf8(text).unwrap_or_default();
    let (Ok(document), Some(path)) = (Document::parse(text), ElementPath::parse(path)) else {
        return Vec::new();
    };
    let mut at: Vec<Option<usize>> = vec![None];
    for (name, which) in &path.steps {
        at = at.into_iter().flat_map(|parent| children(&document, parent, name, *which)).collect();
    }
    let elements = at.into_iter().flatten().map(|index| &document.elements[index]);
    elements.filter_map(|element| value(&document, element, path.attribute)).collect()
}

/// The children of an element that are meant; the root element has no parent.
fn children(
    document: &Document<'_>,
    parent: Option<usize>,
    name: &str,
    which: ChildSelector,
) -> Vec<Option<usize>> {
    let elements = document.elements.iter().enumerate();
    let named = elements
        .filter(|(_, e)| e.parent == parent && is_called(document.at(&e.name), name))
        .map(|(index, _)| Some(index));
    match which {
        ChildSelector::One(number) => named.skip(number).take(1).collect(),
        ChildSelector::Every => named.collect(),
    }
}

fn is_called(written: &str, name: &str) -> bool {
    written == name || written.split_once(':').is_some_and(|(_, local)| local == name)
}

fn value(document: &Document<'_>, element: &Element, attribute: Option<&str>) -> Option<String> {
    match attribute {
        Some(name) => {
            let mut attributes = document.attributes_of(element).iter();
            let found = attributes.find(|a| is_called(document.at(&a.name), name))?;
            Some(unescaped(document.at(&found.value)))
        }
        None => Some(text_of(document, element)),
    }
}

/// The characters between an element's tags, without those of the elements in it.
fn text_of(document: &Document<'_>, element: &Element) -> String {
    let inside = document.at(&element.inside());
    if element.content == ElementContent::Text {
        return unescaped(inside).trim().to_owned();
    }
    let (mut text, mut rest) = (String::new(), inside);
    let mut depth = 0_usize;
    while let Some((before, markup)) = rest.split_once('<') {
        if depth == 0 {
            text.push_str(&unescaped(before));
        }
        let (marks, end) = match markup {
            _ if markup.starts_with("!--") => (3, "-->"),
            _ if markup.starts_with("![CDATA[") => (8, "]]>"),
            _ if markup.starts_with('?') => (1, "?>"),
            _ => (0, ">"),
        };
        // The document has been read, so what is opened is closed; `>` in a value is not expected.
        let (inner, after) = markup[marks..].split_once(end).unwrap_or((&markup[marks..], ""));
        match (marks, depth) {
            (8, 0) => text.push_str(inner),
            (0, _) if inner.starts_with('/') => depth = depth.saturating_sub(1),
            (0, _) if !inner.ends_with('/') => depth += 1,
            _ => {}
        }
        rest = after;
    }
    text.push_str(&unescaped(rest));
    text.trim().to_owned()
}

fn unescaped(text: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, reference)) = rest.split_once('&') {
        out.push_str(before);
        let (name, after) = reference.split_once(';').unwrap_or((reference, ""));
        out.extend(super::xml::referred(name));
        rest = after;
    }
    out + rest
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
}
