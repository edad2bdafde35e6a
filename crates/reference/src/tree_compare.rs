//! Compares two documents as trees: by canonical form, or as XMLUnit does when it says "similar".
//!
//! Which documents count as equal is decided in one place each: for C14N by the bytes of the
//! canonical form, for XMLUnit by the walk. The walk also finds where documents differ, and pairs
//! the children of an element by name, so that one element more does not make all later ones
//! different.

use std::collections::BTreeMap;

use crate::canonical;
use crate::ignore::IgnoreRules;
use crate::merge;
use crate::tree::{
    CommentMode, DocumentTree, NameSpan, NodeKind, PropertyRange, TreeView, XSI_NAMESPACE,
};
use crate::verdict::{DiffType, Diffs, Score};
use crate::xml::{DocumentError, PairMember};

/// How far ahead an element's partner is looked for among its siblings.
const WINDOW: usize = 32;

/// What two trees have to have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Likeness {
    /// The same canonical form.
    Canonical,
    /// XMLUnit's "similar": prefixes do not count, comments do.
    Similar,
}

/// The memory for comparing pairs, one after the other.
#[derive(Debug)]
pub(super) struct TreeComparer {
    likeness: Likeness,
    trees: [DocumentTree; 2],
    forms: [Vec<u8>; 2],
}

impl TreeComparer {
    pub(super) fn new(likeness: Likeness) -> Self {
        Self { likeness, trees: Default::default(), forms: Default::default() }
    }

    /// Compares two documents that are byte for byte the same; they still have to be well-formed.
    pub(super) fn same(
        &mut self,
        document: &[u8],
        ignore: &IgnoreRules,
    ) -> Result<Score, DocumentError> {
        self.trees[0].read(document, self.comments(), ignore)?;
        let elements = self.trees[0].elements;
        Ok(Score { elements, equal: elements })
    }

    /// Compares two documents and puts their differences into `diffs`, in document order.
    pub(super) fn compare(
        &mut self,
        documents: [&[u8]; 2],
        ignore: &IgnoreRules,
        diffs: &mut Diffs,
    ) -> Result<Score, (PairMember, DocumentError)> {
        let comments = self.comments();
        for (side, which) in [PairMember::First, PairMember::Second].into_iter().enumerate() {
            let read = self.trees[side].read(documents[side], comments, ignore);
            read.map_err(|malformed| (which, malformed))?;
        }
        let [left, right] = &self.trees;
        let elements = left.elements.max(right.elements);
        let views = [
            TreeView { tree: left, document: documents[0] },
            TreeView { tree: right, document: documents[1] },
        ];
        if self.likeness == Likeness::Canonical {
            for (view, form) in views.into_iter().zip(&mut self.forms) {
                form.clear();
                canonical::write(view, form);
            }
            if self.forms[0] == self.forms[1] {
                return Ok(Score { elements, equal: elements });
            }
        }
        let likeness = self.likeness;
        let mut walk = TreeWalk { views, likeness, diffs, path: Vec::new(), equal: 0 };
        walk.documents();
        Ok(Score { elements, equal: walk.equal })
    }

    fn comments(&self) -> CommentMode {
        match self.likeness {
            Likeness::Canonical => CommentMode::Dropped,
            Likeness::Similar => CommentMode::Kept,
        }
    }
}

struct TreeWalk<'a> {
    views: [TreeView<'a>; 2],
    likeness: Likeness,
    diffs: &'a mut Diffs,
    path: Vec<u8>,
    /// Elements found equal.
    equal: usize,
}

impl<'a> TreeWalk<'a> {
    fn documents(&mut self) {
        if self.likeness == Likeness::Similar {
            self.declarations();
        }
        self.content([0, 0]);
        self.children([0, 0]);
    }

    /// Compares what the XML declarations say, where saying nothing means version 1.0 and not
    /// alone.
    fn declarations(&mut self) {
        let [left, right] = self.views.map(|view| {
            let (version, standalone) = view.tree.declared;
            let version = if version.is_empty() { b"1.0" } else { view.value(version) };
            let alone: &[u8] = if view.value(standalone) == b"yes" { b" standalone" } else { b"" };
            [version, alone].concat()
        });
        if left != right {
            self.diffs.push(DiffType::ContentDifferent, b"/", Some(&left), Some(&right));
        }
    }

    /// Compares two elements of one name and everything in them.
    fn elements(&mut self, places: [u32; 2]) {
        let attributes = self.attributes(places);
        let content = self.content(places);
        self.equal += usize::from(attributes && content);
        self.children(places);
    }

    /// Compares attributes, and for a canonical form what its namespace declarations would be.
    fn attributes(&mut self, places: [u32; 2]) -> bool {
        let ranges = [0, 1].map(|side| {
            let view: TreeView<'a> = self.views[side];
            match view.node(places[side]).kind {
                NodeKind::Element { declarations, attributes, .. } => [declarations, attributes],
                NodeKind::Document
                | NodeKind::Text(_)
                | NodeKind::Comment(_)
                | NodeKind::Instruction { .. } => [PropertyRange::EMPTY; 2],
            }
        });
        let declarations =
            self.likeness == Likeness::Similar || self.properties([ranges[0][0], ranges[1][0]]);
        let attributes = self.properties([ranges[0][1], ranges[1][1]]);
        declarations && attributes
    }

    fn properties(&mut self, ranges: [PropertyRange; 2]) -> bool {
        let likeness = self.likeness;
        let [left, right] = [0, 1].map(|side| {
            let view: TreeView<'a> = self.views[side];
            let counted = view.properties(ranges[side]).iter().filter(move |property| {
                likeness == Likeness::Canonical || !is_schema_location(view, property.name)
            });
            counted.map(move |property| {
                let qualified = view.qualified(property.name);
                let prefix = if likeness == Likeness::Canonical { qualified } else { b"" };
                let key = (view.namespace(property.name), view.local(property.name), prefix);
                let value = view.value(property.value);
                // Under which prefix a type is named does not matter where prefixes do not.
                let meaning = if likeness == Likeness::Similar && view.is_schema_type(property.name)
                {
                    view.named_type(*property)
                } else {
                    (&b""[..], value)
                };
                (key, (qualified, value, meaning))
            })
        });
        let (length, mut equal) = (self.path.len(), true);
        for (_, both) in merge::merge(left, right) {
            let [left, right] = both.map(|side| side.map(|(_, _, meaning)| meaning));
            if left != right {
                equal = false;
                let [expected, actual] = both.map(|side| side.map(|(_, value, _)| value));
                let name = both.into_iter().flatten().next().map_or(&b""[..], |(name, ..)| name);
                self.path.extend_from_slice(b"/@");
                self.path.extend_from_slice(name);
                self.diffs.push(DiffType::AttributeDifferent, &self.path, expected, actual);
                self.path.truncate(length);
            }
        }
        equal
    }

    /// Compares the text, comments and instructions directly in two nodes, and where they stand
    /// among the elements there.
    fn content(&mut self, places: [u32; 2]) -> bool {
        let [left, right] = self.views;
        if marks(left, places[0]).eq(marks(right, places[1])) {
            return true;
        }
        let [expected, actual] = [text(left, places[0]), text(right, places[1])];
        let path: &[u8] = if self.path.is_empty() { b"/" } else { &self.path };
        self.diffs.push(DiffType::ContentDifferent, path, Some(&expected), Some(&actual));
        false
    }

    fn children(&mut self, places: [u32; 2]) {
        let [left, right] = [0, 1].map(|side| element_children(self.views[side], places[side]));
        let (mut left, mut right) = (&left[..], &right[..]);
        let mut counts = [ChildCounts::new(), ChildCounts::new()];
        while !left.is_empty() || !right.is_empty() {
            let length = self.path.len();
            match self.pair(left, right) {
                (Some(one), Some(other)) => {
                    self.enter(&mut counts[1], 1, other);
                    self.path.truncate(length);
                    self.enter(&mut counts[0], 0, one);
                    self.elements([one.place, other.place]);
                    (left, right) = (&left[1..], &right[1..]);
                }
                (Some(one), None) => {
                    self.enter(&mut counts[0], 0, one);
                    let expected = text(self.views[0], one.place);
                    self.diffs.push(DiffType::ElementMissing, &self.path, Some(&expected), None);
                    left = &left[1..];
                }
                (None, other) => {
                    let Some(other) = other else { return };
                    self.enter(&mut counts[1], 1, other);
                    let actual = text(self.views[1], other.place);
                    self.diffs.push(DiffType::ElementExtra, &self.path, None, Some(&actual));
                    right = &right[1..];
                }
            }
            self.path.truncate(length);
        }
    }

    /// Returns the next elements to compare with each other, or the one that has no partner.
    fn pair(
        &self,
        left: &[ChildElement],
        right: &[ChildElement],
    ) -> (Option<ChildElement>, Option<ChildElement>) {
        let (Some(one), Some(other)) = (left.first(), right.first()) else {
            return (left.first().copied(), right.first().copied());
        };
        if self.is_partner(*one, *other) {
            (Some(*one), Some(*other))
        } else if right.iter().take(WINDOW).any(|later| self.is_partner(*one, *later)) {
            (None, Some(*other))
        } else {
            (Some(*one), None)
        }
    }

    fn is_partner(&self, left: ChildElement, right: ChildElement) -> bool {
        let [one, other] = self.views;
        match self.likeness {
            Likeness::Canonical => one.qualified(left.name) == other.qualified(right.name),
            Likeness::Similar => {
                one.local(left.name) == other.local(right.name)
                    && one.namespace(left.name) == other.namespace(right.name)
            }
        }
    }

    /// Adds an element to the path, with its number if it is not the first of its name.
    fn enter(&mut self, counts: &mut ChildCounts<'a>, side: usize, child: ChildElement) {
        let view: TreeView<'a> = self.views[side];
        let name = view.qualified(child.name);
        let count = counts.entry(name).or_insert(0);
        *count += 1;
        self.path.push(b'/');
        self.path.extend_from_slice(name);
        if *count > 1 {
            self.path.push(b'[');
            self.path.extend_from_slice(itoa::Buffer::new().format(*count).as_bytes());
            self.path.push(b']');
        }
    }
}

/// How many children of each name were seen.
type ChildCounts<'a> = BTreeMap<&'a [u8], u32>;

#[derive(Debug, Clone, Copy)]
struct ChildElement {
    place: u32,
    name: NameSpan,
}

fn element_children(view: TreeView<'_>, parent: u32) -> Vec<ChildElement> {
    let named = |place| match view.node(place).kind {
        NodeKind::Element { name, .. } => Some(ChildElement { place, name }),
        NodeKind::Document
        | NodeKind::Text(_)
        | NodeKind::Comment(_)
        | NodeKind::Instruction { .. } => None,
    };
    view.children(parent).filter_map(named).collect()
}

/// Something that is no element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LeafNode<'a> {
    Text(&'a [u8]),
    Comment(&'a [u8]),
    Instruction(&'a [u8], &'a [u8]),
}

/// Returns what stands between a node's child elements, with how many of these come before.
fn marks(view: TreeView<'_>, parent: u32) -> impl Iterator<Item = (usize, LeafNode<'_>)> {
    let mut before = 0;
    view.children(parent).filter_map(move |child| {
        let mark = match view.node(child).kind {
            NodeKind::Document | NodeKind::Element { .. } => {
                before += 1;
                return None;
            }
            NodeKind::Text(text) => LeafNode::Text(view.value(text)),
            NodeKind::Comment(text) => LeafNode::Comment(view.value(text)),
            NodeKind::Instruction { target, data } => {
                LeafNode::Instruction(view.written(target), view.value(data))
            }
        };
        Some((before, mark))
    })
}

/// Returns the text directly in a node, with comments and instructions as they are written.
fn text(view: TreeView<'_>, parent: u32) -> Vec<u8> {
    let parts = marks(view, parent).flat_map(|(_, mark)| match mark {
        LeafNode::Text(text) => [&b""[..], text, b"", b""],
        LeafNode::Comment(text) => [&b"<!--"[..], text, b"", b"-->"],
        LeafNode::Instruction(target, data) => [&b"<?"[..], target, data, b"?>"],
    });
    parts.flatten().copied().collect()
}

/// Where a schema is to be found does not change what a document says.
fn is_schema_location(view: TreeView<'_>, name: NameSpan) -> bool {
    view.namespace(name) == XSI_NAMESPACE
        && matches!(view.local(name), b"schemaLocation" | b"noNamespaceSchemaLocation")
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use proptest::prelude::*;

    use super::*;
    use crate::verdict::VerdictLog;

    fn answer(likeness: Likeness, documents: [&str; 2], ignore: &IgnoreRules) -> String {
        let (mut comparer, mut diffs) = (TreeComparer::new(likeness), Diffs::default());
        let score = comparer.compare(documents.map(str::as_bytes), ignore, &mut diffs).unwrap();
        let (mut log, mut json) = (VerdictLog::default(), Vec::new());
        log.push(score, &diffs);
        log.cursor().write_next(&mut json);
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        let mut text = format!("{}/{}", json["matched_elements"], json["total_elements"]);
        for diff in json["diffs"].as_array().unwrap() {
            let [kind, path] = ["diff_type", "path"].map(|key| diff[key].as_str().unwrap());
            let (expected, actual) = (&diff["expected"], &diff["actual"]);
            write!(text, "\n{kind} {path} {expected}→{actual}").unwrap();
        }
        text
    }

    fn are_equal(likeness: Likeness, documents: [&str; 2]) -> bool {
        !answer(likeness, documents, &IgnoreRules::default()).contains('\n')
    }

    #[test]
    fn the_table_of_what_counts_as_equal_holds() {
        for (left, right, canonical, similar) in [
            ("<a x='1' y='2'/>", r#"<a y="2" x="1"/>"#, true, true),
            ("<a/>", "<a></a>", true, true),
            ("<p:a xmlns:p='u' p:x=''/>", "<q:a xmlns:q='u' q:x=''/>", false, true),
            ("<a xmlns='u'/>", "<q:a xmlns:q='u'/>", false, true),
            ("<a xmlns='u'/>", "<a xmlns='v'/>", false, false),
            ("<a><b/></a>", "<a>\n  <b/>\n</a>", false, false),
            ("<a>&#65;&lt;\n</a>", "<a>A<![CDATA[<]]>\r\n</a>", true, true),
            ("<a b=' \t&#9;&quot;'/>", "<a b='  &#x09;\"'/>", true, true),
            ("<a/>", "<a><!-- c --></a>", true, false),
            ("<a/>", "<!-- c --><a/>", true, false),
            ("<a/>", "<?p?><a/>", false, false),
            ("<a/><?p?>", "<?p?><a/>", false, false),
            ("<a><b/><c/></a>", "<a><c/><b/></a>", false, false),
            ("<a><b>1</b><b>2</b></a>", "<a><b>0</b><b>2</b></a>", false, false),
            ("<a>t<b/></a>", "<a><b/>t</a>", false, false),
            ("<a>1</a>", "<a>2</a>", false, false),
            ("<a x='1'/>", "<a x='2'/>", false, false),
            ("<a/>", "<b/>", false, false),
            ("<a/>", "<?xml version='1.0' encoding='UTF-8' standalone='no'?>\n<a/>\n", true, true),
            ("<a/>", "<?xml version='1.0' standalone='yes'?><a/>", true, false),
            (
                "<a xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'/>",
                "<a xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xsi:schemaLocation='u v'/>",
                false,
                true,
            ),
            (
                "<a xmlns:i='http://www.w3.org/2001/XMLSchema-instance' xmlns:p='u' i:type='p:T'/>",
                "<a xmlns:j='http://www.w3.org/2001/XMLSchema-instance' xmlns='u' j:type='T'/>",
                false,
                false,
            ),
            (
                "<x:a xmlns:x='v' xmlns:i='http://www.w3.org/2001/XMLSchema-instance' xmlns:p='u' i:type='p:T'/>",
                "<x:a xmlns:x='v' xmlns:i='http://www.w3.org/2001/XMLSchema-instance' xmlns='u' i:type='T'/>",
                false,
                true,
            ),
            (
                "<a xmlns:i='http://www.w3.org/2001/XMLSchema-instance' xmlns:p='u' i:type='p:T'/>",
                "<a xmlns:i='http://www.w3.org/2001/XMLSchema-instance' xmlns:p='v' i:type='p:T'/>",
                false,
                false,
            ),
            (
                "<a xmlns:i='http://www.w3.org/2001/XMLSchema-instance' i:type='p:T'/>",
                "<a xmlns:i='http://www.w3.org/2001/XMLSchema-instance' i:type='q:T'/>",
                false,
                false,
            ),
            (
                "<a xmlns:i='http://www.w3.org/2001/XMLSchema-instance' xmlns:p='u' i:nil='p:T'/>",
                "<a xmlns:i='http://www.w3.org/2001/XMLSchema-instance' xmlns:q='u' i:nil='q:T'/>",
                false,
                false,
            ),
            ("<a xmlns:p='u'><b xmlns:p='u'/></a>", "<a xmlns:p='u'><b/></a>", true, true),
            ("<a xmlns:p='u'/>", "<a/>", false, true),
            ("<a xmlns=''/>", "<a/>", true, true),
            (
                "<a xml:lang='en'/>",
                "<a xmlns:xml='http://www.w3.org/XML/1998/namespace' xml:lang='en'/>",
                true,
                true,
            ),
        ] {
            assert_eq!(are_equal(Likeness::Canonical, [left, right]), canonical, "{left} {right}");
            assert_eq!(are_equal(Likeness::Similar, [left, right]), similar, "{left} {right}");
        }
    }

    #[test]
    fn an_element_more_does_not_make_the_later_ones_different() {
        let left = "<r><i>1</i><i>2</i><gone/><x a='1'><deep>t</deep></x></r>";
        let right = "<r><i>1</i><new>n</new><i>3</i><x a='2'><deep>t</deep></x></r>";
        insta::assert_snapshot!(answer(Likeness::Canonical, [left, right], &IgnoreRules::default()), @r#"
        3/6
        ElementExtra /r/new null→"n"
        ContentDifferent /r/i[2] "2"→"3"
        ElementMissing /r/gone ""→null
        AttributeDifferent /r/x/@a "1"→"2"
        "#);
    }

    #[test]
    fn what_a_request_ignores_does_not_count() {
        let left = "<r xmlns:p='u'>te<i p:k='1'><j>1</j></i>xt<k x='1' y='1'/></r>";
        let right = "<r xmlns:p='u'>text<k x='2' y='1'/></r>";
        let ignore = |paths: &[&str], properties: &[&str]| {
            let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
            let paths: Vec<String> = owned(paths);
            IgnoreRules::new(&paths, owned(properties))
        };
        for ignore in [
            ignore(&["/r/i", "/r/k/@x"], &[]),
            ignore(&[], &["i", "x"]),
            ignore(&["/r/"], &[]),
            ignore(&["/r/*"], &[]),
        ] {
            for likeness in [Likeness::Canonical, Likeness::Similar] {
                let text = answer(likeness, [left, right], &ignore);
                assert!(!text.contains('\n'), "{ignore:?}: {text}");
            }
        }
    }

    #[test]
    fn namespaces_have_to_be_right() {
        for document in [
            "<p:a/>",
            "<a p:b=''/>",
            "<a:b:c xmlns:a='u'/>",
            "<:a/>",
            "<a:/>",
            "<a:1 xmlns:a='u'/>",
            "<a xmlns:p=''/>",
            "<a xmlns:=''/>",
            "<a xmlns:xmlns='u'/>",
            "<a xmlns:xml='u'/>",
            "<a xmlns='http://www.w3.org/2000/xmlns/'/>",
            "<a xmlns:p='u' xmlns:q='u' p:b='' q:b=''/>",
            "<a><?p:q?></a>",
        ] {
            let mut comparer = TreeComparer::new(Likeness::Canonical);
            assert!(
                comparer.same(document.as_bytes(), &IgnoreRules::default()).is_err(),
                "{document}"
            );
        }
    }

    /// Canonical XML as another parser leads to it.
    fn their_form(document: &str) -> String {
        let parsed = roxmltree::Document::parse(document).unwrap();
        let mut out = String::new();
        let mut root_seen = false;
        for child in parsed.root().children() {
            root_seen |= child.is_element();
            let [before, after] = if !child.is_pi() {
                ["", ""]
            } else if root_seen {
                ["\n", ""]
            } else {
                ["", "\n"]
            };
            out += before;
            their_node(child, document, &mut out);
            out += after;
        }
        out
    }

    fn their_node(node: roxmltree::Node<'_, '_>, document: &str, out: &mut String) {
        if let Some(pi) = node.pi() {
            let space = if pi.value.is_some() { " " } else { "" };
            write!(out, "<?{}{space}{}?>", pi.target, pi.value.unwrap_or_default()).unwrap();
        } else if node.is_text() {
            let text = node.text().unwrap().replace('&', "&amp;").replace('<', "&lt;");
            *out += &text.replace('>', "&gt;").replace('\r', "&#xD;");
        } else if node.is_element() {
            let tag = &document[node.range()][1..];
            let name = tag.split([' ', '\t', '\n', '\r', '/', '>']).next().unwrap();
            write!(out, "<{name}").unwrap();
            for (name, value) in their_attributes(node, document) {
                let value = value.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
                let value = value.replace('\t', "&#x9;").replace('\n', "&#xA;");
                write!(out, " {name}=\"{}\"", value.replace('\r', "&#xD;")).unwrap();
            }
            *out += ">";
            node.children().for_each(|child| their_node(child, document, out));
            write!(out, "</{name}>").unwrap();
        }
    }

    fn their_attributes(node: roxmltree::Node<'_, '_>, document: &str) -> Vec<(String, String)> {
        let in_scope = |node: Option<roxmltree::Node<'_, '_>>| {
            let namespaces = node.into_iter().flat_map(|node| {
                let namespaces: Vec<_> = node.namespaces().collect();
                namespaces
            });
            let pairs = namespaces
                .map(|one| (one.name().unwrap_or_default().to_owned(), one.uri().to_owned()));
            pairs.filter(|(name, uri)| name != "xml" && !uri.is_empty()).collect::<BTreeMap<_, _>>()
        };
        let (outer, inner) = (in_scope(node.parent_element()), in_scope(Some(node)));
        let mut all = Vec::new();
        if outer.contains_key("") && !inner.contains_key("") {
            all.push(("xmlns".to_owned(), String::new()));
        }
        for (prefix, uri) in inner.into_iter().filter(|(name, uri)| outer.get(name) != Some(uri)) {
            let colon = if prefix.is_empty() { "" } else { ":" };
            all.push((format!("xmlns{colon}{prefix}"), uri));
        }
        let mut attributes: Vec<_> = node.attributes().collect();
        attributes.sort_by_key(|one| (one.namespace().unwrap_or_default(), one.name()));
        all.extend(attributes.into_iter().map(|attribute| {
            (document[attribute.range_qname()].to_owned(), attribute.value().to_owned())
        }));
        all
    }

    /// Three spellings each: two with one canonical form, and one with another.
    const SPELLINGS: &[[&str; 3]] = &[
        ["A&lt;", "&#65;<![CDATA[<]]>", "B"],
        ["\r\n", "\n", "&#13;\n"],
        ["<b x='1' y='2'/>", "<b  y=\"2\" x='1'></b >", "<b x='1' y=''/>"],
        ["<p:b/>", "<p:b xmlns:p='u'/>", "<q:b/>"],
        [
            "<b xmlns='v'><c xmlns='v'/></b>",
            "<b xmlns='v'><c/></b>",
            "<b xmlns='v'><c xmlns=''/></b>",
        ],
        ["<!-- c -->", "", "<?c?>"],
        ["<?p  d ?>", "<?p\td ?>", "<?p d?>"],
        ["<b a='\t&#9;\"\r\n'/>", "<b a=' &#x9;&quot; '/>", "<b a=' &#xA;&quot; '/>"],
        [
            "<p:b r:a='1' p:a='1' a='1'/>",
            "<p:b a='1' p:a='1' r:a='1'/>",
            "<p:b a='1' q:a='1' r:a='1'/>",
        ],
        ["]]&gt;&apos;", "]]<![CDATA[>]]>'", "]<![CDATA[]]]>&gt;"],
        [
            "<p:w xmlns:p='w'><p:b xmlns:p='u'/></p:w>",
            "<p:w xmlns:p='w'  ><p:b xmlns:p='u'></p:b></p:w>",
            "<p:w xmlns:p='w'><p:b/></p:w>",
        ],
        ["<w>", "<w >", "<w a=''>"],
        ["</w>", "</w\n>", "</w><w/>"],
        ["é\u{10000}", "&#233;&#x10000;", "e"],
        ["<b xmlns:z='z'/>", "<b  xmlns:z='z'/>", "<b/>"],
    ];

    fn documents() -> impl Strategy<Value = [String; 2]> {
        let piece = (0..SPELLINGS.len(), prop_oneof![30 => 0..2_usize, 1 => Just(2)]);
        prop::collection::vec(piece, 0..10).prop_map(|pieces| {
            [false, true].map(|varied| {
                let mut text = "<r xmlns:p='u' xmlns:q='u2' xmlns:r='r'>".to_owned();
                let mut open = 0;
                for (kind, spelling) in &pieces {
                    let spellings = &SPELLINGS[*kind];
                    match spellings[0] {
                        "<w>" => open += 1,
                        "</w>" if open == 0 => continue,
                        "</w>" => open -= 1,
                        _ => {}
                    }
                    text += if varied { spellings[*spelling] } else { spellings[0] };
                }
                text + &"</w>".repeat(open) + "</r>"
            })
        })
    }

    proptest! {
        #[test]
        fn equality_is_that_of_another_implementations_canonical_forms(documents in documents()) {
            let [left, right] = &documents;
            let (mut comparer, mut diffs) = (TreeComparer::new(Likeness::Canonical), Diffs::default());
            let bytes = [left.as_bytes(), right.as_bytes()];
            comparer.compare(bytes, &IgnoreRules::default(), &mut diffs).unwrap();
            let theirs = [their_form(left), their_form(right)];
            prop_assert_eq!(diffs.is_empty(), theirs[0] == theirs[1]);
            prop_assert_eq!(comparer.forms.map(|form| String::from_utf8(form).unwrap()), theirs);
        }

        #[test]
        fn the_walk_finds_a_difference_where_there_is_one(documents in documents()) {
            let [left, right] = &documents;
            let mut comparer = TreeComparer::new(Likeness::Canonical);
            let mut diffs = Diffs::default();
            let bytes = [left.as_bytes(), right.as_bytes()];
            comparer.compare(bytes, &IgnoreRules::default(), &mut diffs).unwrap();
            let [one, other] = &comparer.trees;
            let views = [TreeView { tree: one, document: bytes[0] }, TreeView { tree: other, document: bytes[1] }];
            let mut again = Diffs::default();
            let likeness = Likeness::Canonical;
            let mut walk =
                TreeWalk { views, likeness, diffs: &mut again, path: Vec::new(), equal: 0 };
            walk.documents();
            prop_assert_eq!(again.is_empty(), comparer.forms[0] == comparer.forms[1]);
        }
    }
}
