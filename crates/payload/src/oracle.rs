//! Compares documents under each semantics, by another parser than the generator's own.
//!
//! Only for tests: the generator says what is true of a pair without comparing anything, and this
//! is what it is held against.

use std::collections::BTreeMap;

use roxmltree::{Document, Node, NodeType, ParsingOptions};

use super::truth::Semantics;

const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// Parses a document, or says why it is not well-formed.
pub(super) fn parse(text: &str) -> Result<Document<'_>, roxmltree::Error> {
    Document::parse_with_options(
        text,
        ParsingOptions { allow_dtd: true, ..ParsingOptions::default() },
    )
}

/// Returns whether two well-formed documents are equal.
pub(super) fn matched(semantics: Semantics, first: &str, second: &str) -> bool {
    match semantics {
        Semantics::XmlCompareApi => entries(first) == entries(second),
        Semantics::C14n => nodes(first, true) == nodes(second, true),
        Semantics::XmlunitSimilar => nodes(first, false) == nodes(second, false),
    }
}

/// One line a node, in document order. For the canonical form with the prefixes of names and
/// without comments; otherwise the other way round, and without the schema's location.
fn nodes(text: &str, is_canonical: bool) -> Vec<String> {
    let document = parse(text).unwrap();
    let line = |node: Node| {
        let depth = node.ancestors().count();
        let line = match node.node_type() {
            NodeType::Root => return None,
            NodeType::Element => element(node, is_canonical),
            NodeType::PI => format!("{:?}", node.pi().unwrap()),
            NodeType::Comment if is_canonical => return None,
            NodeType::Comment | NodeType::Text => {
                format!("{:?} {:?}", node.node_type(), node.text())
            }
        };
        Some(format!("{depth} {line}"))
    };
    document.descendants().filter_map(line).collect()
}

fn element(node: Node, is_canonical: bool) -> String {
    let name = if is_canonical { raw_name(start_tag(node)) } else { node.tag_name().name() };
    let is_kept = |a: &roxmltree::Attribute| is_canonical || a.namespace() != Some(XSI);
    let mut attributes: Vec<_> = node
        .attributes()
        .filter(is_kept)
        .map(|a| format!("{:?} {} {:?}", a.namespace(), a.name(), a.value()))
        .collect();
    attributes.sort();
    let mut namespaces: Vec<_> = node.namespaces().map(|n| format!("{n:?}")).collect();
    namespaces.sort();
    let namespaces = if is_canonical { namespaces } else { Vec::new() };
    format!("{name} {:?} {attributes:?} {namespaces:?}", node.tag_name().namespace())
}

/// What the XML-Compare-API keeps of an element: its attributes and its text, both as written.
type OracleEntry = (BTreeMap<String, String>, String);

/// The last element of each path that is not self-closing.
fn entries(text: &str) -> BTreeMap<String, OracleEntry> {
    let document = parse(text).unwrap();
    let mut entries = BTreeMap::new();
    for node in document.descendants().filter(Node::is_element) {
        let tag = start_tag(node);
        if !tag.ends_with("/>") {
            let names = node.ancestors().filter(Node::is_element).map(|n| raw_name(start_tag(n)));
            let path: Vec<_> = names.collect();
            entries.insert(path.join("<"), (raw_attributes(tag), raw_text(node)));
        }
    }
    entries
}

/// From `<` to `>`, which no attribute value of the tests contains.
fn start_tag<'a>(node: Node<'a, 'a>) -> &'a str {
    let text = &node.document().input_text()[node.range()];
    &text[..=text.find('>').unwrap()]
}

fn raw_name(tag: &str) -> &str {
    tag[1..].split(|c: char| c.is_whitespace() || c == '/' || c == '>').next().unwrap()
}

fn raw_attributes(tag: &str) -> BTreeMap<String, String> {
    let mut attributes = BTreeMap::new();
    let mut rest = &tag[1 + raw_name(tag).len()..];
    while let Some((name, tail)) = rest.split_once('=') {
        let tail = tail.trim_start();
        let (value, tail) = tail[1..].split_once(&tail[..1]).unwrap();
        attributes.insert(name.trim().to_owned(), value.to_owned());
        rest = tail;
    }
    attributes
}

/// The text without what the XML-Compare-API does not see, and without white space around it.
fn raw_text(node: Node) -> String {
    let text = node.document().input_text();
    let (start, end) = (node.range().start + start_tag(node).len(), node.range().end);
    let mut inside = text[start..end].rsplit_once("</").unwrap().0.to_owned();
    for child in node.children().filter(|child| !child.is_text()) {
        inside = inside.replacen(&text[child.range()], "", 1);
    }
    while let Some((before, rest)) = inside.split_once("<![CDATA[") {
        inside = format!("{before}{}", rest.split_once("]]>").unwrap().1);
    }
    inside.trim().to_owned()
}
