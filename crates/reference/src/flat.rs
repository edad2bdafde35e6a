//! Compares two documents as the XML-Compare-API does: as maps from a path to an element.
//!
//! That makes repeated siblings collapse to one path, of which the last counts, and knows neither
//! self-closing elements nor CDATA. These are faults of that service, kept here on purpose: a load
//! tool that expects something else would call the real one wrong.

use std::collections::BTreeMap;
use std::iter;

use crate::ignore::IgnoreRules;
use crate::merge;
use crate::verdict::{DiffType, Diffs, Score};
use crate::xml::{
    self, AttributeRange, AttributeSpan, DocumentError, PairMember, Span, StartTag, TokenSink,
    Tokens, XmlFlaw, narrow, wide,
};

/// Two documents together may have this many different paths; a path takes about 250 bytes.
const PATHS_MAX: usize = 1_000_000;
/// Up to here a child is found by looking at all of its siblings.
const CHILDREN_FEW: u32 = 24;

const NONE: u32 = u32::MAX;

/// The memory for comparing pairs, one after the other.
#[derive(Debug, Default)]
pub(super) struct FlatComparer {
    paths: PathTable,
    sides: [DocumentSide; 2],
    path: Vec<u8>,
}

/// What is kept of one document beside its paths.
#[derive(Debug, Default)]
struct DocumentSide {
    tokens: Tokens,
    pieces: Vec<TextPiece>,
    /// Attributes of one element, by name.
    sorted: Vec<AttributeSpan>,
}

/// A stretch of text and the one after it in the same element.
#[derive(Debug, Clone, Copy)]
struct TextPiece {
    text: Span,
    next: u32,
}

/// All paths of both documents, in the order in which they first appear, after the empty one.
#[derive(Debug, Default)]
struct PathTable {
    nodes: Vec<PathNode>,
    /// Children by parent and name, where there are more than [`CHILDREN_FEW`]. Ordered instead of
    /// hashed, so that no choice of names makes it slow.
    index: BTreeMap<(u32, Box<[u8]>), u32>,
}

#[derive(Debug, Clone, Copy)]
struct PathNode {
    parent: u32,
    /// In the document that had the path first.
    name: Span,
    name_side: usize,
    children: u32,
    first_child: u32,
    /// The child before this one; the first child is the latest.
    next_sibling: u32,
    /// The child that was looked up last: siblings of one name mostly follow each other.
    recent_child: u32,
    last: [Option<PathElement>; 2],
}

/// The last element at a path, with the ends of its chain of text pieces.
#[derive(Debug, Clone, Copy)]
struct PathElement {
    attributes: AttributeRange,
    first_piece: u32,
    last_piece: u32,
}

impl FlatComparer {
    /// Compares two documents that are byte for byte the same; they still have to be well-formed.
    pub(super) fn same(
        &mut self,
        document: &[u8],
        ignore: &IgnoreRules,
    ) -> Result<Score, DocumentError> {
        self.paths.clear();
        self.read([document, document], 0)?;
        let mut elements = self.paths.nodes.len() - 1;
        if !ignore.is_empty() {
            let documents = [document, document];
            let nodes = 1..self.paths.nodes.len();
            elements = nodes.filter(|node| !self.is_ignored(*node, documents, ignore)).count();
        }
        Ok(Score { elements, equal: elements })
    }

    /// Compares two documents and puts their differences into `diffs`, in document order, those
    /// that only the second has last.
    pub(super) fn compare(
        &mut self,
        documents: [&[u8]; 2],
        ignore: &IgnoreRules,
        diffs: &mut Diffs,
    ) -> Result<Score, (PairMember, DocumentError)> {
        self.paths.clear();
        self.read(documents, 0).map_err(|malformed| (PairMember::First, malformed))?;
        self.read(documents, 1).map_err(|malformed| (PairMember::Second, malformed))?;
        let (mut elements, mut equal) = ([0, 0], 0);
        for index in 1..self.paths.nodes.len() {
            if !ignore.is_empty() && self.is_ignored(index, documents, ignore) {
                continue;
            }
            let last = self.paths.nodes[index].last;
            elements[0] += usize::from(last[0].is_some());
            elements[1] += usize::from(last[1].is_some());
            equal += usize::from(self.is_equal(index, documents, ignore, diffs));
        }
        Ok(Score { elements: elements[0].max(elements[1]), equal })
    }

    fn read(&mut self, documents: [&[u8]; 2], side: usize) -> Result<(), DocumentError> {
        let DocumentSide { tokens, pieces, .. } = &mut self.sides[side];
        pieces.clear();
        let paths = &mut self.paths;
        let mut builder = PathBuilder { documents, side, paths, pieces, run: 0, current: ROOT };
        xml::read(documents[side], tokens, &mut builder)
    }

    /// Compares what both documents have at a path, and notes what differs.
    fn is_equal(
        &mut self,
        index: usize,
        documents: [&[u8]; 2],
        ignore: &IgnoreRules,
        diffs: &mut Diffs,
    ) -> bool {
        let (left, right) = match self.paths.nodes[index].last {
            [Some(left), Some(right)] => (left, right),
            sides => {
                let kind = match sides {
                    [Some(_), _] => DiffType::ElementMissing,
                    [None, _] => DiffType::ElementExtra,
                };
                let [expected, actual] = [0, 1]
                    .map(|side| sides[side].map(|found| self.text(side, found, documents[side])));
                self.paths.write(index, documents, &mut self.path);
                diffs.push(kind, &self.path, expected.as_deref(), actual.as_deref());
                return false;
            }
        };
        let attributes = self.attributes_are_equal(index, [left, right], documents, ignore, diffs);
        let content = self.texts_are_equal([left, right], documents);
        if !content {
            let expected = self.text(0, left, documents[0]);
            let actual = self.text(1, right, documents[1]);
            self.paths.write(index, documents, &mut self.path);
            diffs.push(DiffType::ContentDifferent, &self.path, Some(&expected), Some(&actual));
        }
        attributes && content
    }

    fn attributes_are_equal(
        &mut self,
        index: usize,
        elements: [PathElement; 2],
        [left, right]: [&[u8]; 2],
        ignore: &IgnoreRules,
        diffs: &mut Diffs,
    ) -> bool {
        let [a, b] = &self.sides;
        let a = elements[0].attributes.of(&a.tokens.attributes);
        let b = elements[1].attributes.of(&b.tokens.attributes);
        let equal = |(a, b): (&AttributeSpan, &AttributeSpan)| {
            a.name.of(left) == b.name.of(right) && a.value.of(left) == b.value.of(right)
        };
        a.len() == b.len() && iter::zip(a, b).all(equal)
            || self.sorted_attributes_are_equal(index, elements, [left, right], ignore, diffs)
    }

    /// Notes the attributes that differ, in the order of their names.
    fn sorted_attributes_are_equal(
        &mut self,
        index: usize,
        elements: [PathElement; 2],
        documents: [&[u8]; 2],
        ignore: &IgnoreRules,
        diffs: &mut Diffs,
    ) -> bool {
        for (side, element) in elements.into_iter().enumerate() {
            let DocumentSide { tokens, sorted, .. } = &mut self.sides[side];
            let own = element.attributes.of(&tokens.attributes).iter();
            sorted.clear();
            sorted.extend(own.filter(|one| !ignore.has_property(one.name.of(documents[side]))));
            sorted.sort_unstable_by_key(|attribute| attribute.name.of(documents[side]));
        }
        self.paths.write(index, documents, &mut self.path);
        self.path.extend_from_slice(b"/@");
        let length = self.path.len();
        let [left, right] = [0, 1].map(|side| {
            let document: &[u8] = documents[side];
            let sorted = self.sides[side].sorted.iter();
            sorted.map(move |attribute| (attribute.name.of(document), attribute.value.of(document)))
        });
        let mut equal = true;
        for (name, [expected, actual]) in merge::merge(left, right) {
            self.path.truncate(length);
            self.path.extend_from_slice(name);
            if expected != actual && !ignore.has_path(&self.path) {
                equal = false;
                diffs.push(DiffType::AttributeDifferent, &self.path, expected, actual);
            }
        }
        equal
    }

    fn texts_are_equal(&self, elements: [PathElement; 2], documents: [&[u8]; 2]) -> bool {
        if elements.iter().all(|element| element.first_piece == element.last_piece) {
            let [left, right] = [0, 1].map(|side| {
                let piece = elements[side].first_piece;
                (piece != NONE).then(|| self.sides[side].pieces[wide(piece)].text)
            });
            let [left, right] =
                [left.map(|s| s.of(documents[0])), right.map(|s| s.of(documents[1]))];
            return left == right;
        }
        let left = self.pieces(0, elements[0], documents[0]).flatten();
        left.eq(self.pieces(1, elements[1], documents[1]).flatten())
    }

    fn text(&self, side: usize, element: PathElement, document: &[u8]) -> Vec<u8> {
        self.pieces(side, element, document).flatten().copied().collect()
    }

    fn pieces<'a>(
        &'a self,
        side: usize,
        element: PathElement,
        document: &'a [u8],
    ) -> impl Iterator<Item = &'a [u8]> {
        let pieces = &self.sides[side].pieces;
        let mut next = element.first_piece;
        iter::from_fn(move || {
            let piece = (next != NONE).then(|| pieces[wide(next)])?;
            next = piece.next;
            Some(piece.text.of(document))
        })
    }

    fn is_ignored(&mut self, index: usize, documents: [&[u8]; 2], ignore: &IgnoreRules) -> bool {
        self.paths.write(index, documents, &mut self.path);
        let node = &self.paths.nodes[index];
        ignore.has_property(node.name.of(documents[node.name_side])) || ignore.has_path(&self.path)
    }
}

/// The place of the empty path, which stands for the documents.
const ROOT: u32 = 0;

impl PathTable {
    fn clear(&mut self) {
        self.nodes.clear();
        self.nodes.push(PathNode::new(ROOT, Span::EMPTY, 0));
        if !self.index.is_empty() {
            self.index.clear();
        }
    }

    /// Returns the place of the path `parent`/`name`, a new one if it is not known.
    #[inline]
    fn child(
        &mut self,
        parent: u32,
        name: Span,
        documents: [&[u8]; 2],
        side: usize,
    ) -> Result<u32, XmlFlaw> {
        let recent = self.nodes[wide(parent)].recent_child;
        let text = name.of(documents[side]);
        if recent != NONE && self.name(recent, documents) == text {
            return Ok(recent);
        }
        let child = match self.find(parent, text, documents) {
            Some(child) => child,
            None if self.nodes.len() > PATHS_MAX => return Err(XmlFlaw::TooManyPaths),
            None => self.add(parent, name, documents, side),
        };
        self.nodes[wide(parent)].recent_child = child;
        Ok(child)
    }

    fn find(&self, parent: u32, name: &[u8], documents: [&[u8]; 2]) -> Option<u32> {
        if self.nodes[wide(parent)].children > CHILDREN_FEW {
            return self.index.get(&(parent, Box::from(name))).copied();
        }
        self.children(parent).find(|child| self.name(*child, documents) == name)
    }

    fn add(&mut self, parent: u32, name: Span, documents: [&[u8]; 2], side: usize) -> u32 {
        let child = narrow(self.nodes.len());
        let mut node = PathNode::new(parent, name, side);
        let above = &mut self.nodes[wide(parent)];
        node.next_sibling = above.first_child;
        above.first_child = child;
        above.children += 1;
        let children = above.children;
        self.nodes.push(node);
        if children > CHILDREN_FEW {
            let late = if children == CHILDREN_FEW + 1 { children } else { 1 };
            for child in self.children(parent).take(wide(late)).collect::<Vec<_>>() {
                let name = Box::from(self.name(child, documents));
                self.index.insert((parent, name), child);
            }
        }
        child
    }

    fn name<'a>(&self, place: u32, documents: [&'a [u8]; 2]) -> &'a [u8] {
        let node = &self.nodes[wide(place)];
        node.name.of(documents[node.name_side])
    }

    fn children(&self, parent: u32) -> impl Iterator<Item = u32> {
        let mut next = self.nodes[wide(parent)].first_child;
        iter::from_fn(move || {
            let child = (next != NONE).then_some(next)?;
            next = self.nodes[wide(child)].next_sibling;
            Some(child)
        })
    }

    /// Writes a path as `/a/b`.
    fn write(&self, index: usize, documents: [&[u8]; 2], path: &mut Vec<u8>) {
        path.clear();
        // Backwards, because a node knows its parent only.
        let mut node = &self.nodes[index];
        loop {
            path.extend(node.name.of(documents[node.name_side]).iter().rev());
            path.push(b'/');
            if node.parent == ROOT {
                break;
            }
            node = &self.nodes[wide(node.parent)];
        }
        path.reverse();
    }
}

impl PathNode {
    fn new(parent: u32, name: Span, name_side: usize) -> Self {
        Self {
            parent,
            name,
            name_side,
            children: 0,
            first_child: NONE,
            next_sibling: NONE,
            recent_child: NONE,
            last: [None; 2],
        }
    }
}

/// Enters one document into the paths.
struct PathBuilder<'a> {
    documents: [&'a [u8]; 2],
    side: usize,
    paths: &'a mut PathTable,
    pieces: &'a mut Vec<TextPiece>,
    /// Where the text since the last tag begins in `pieces`.
    run: usize,
    current: u32,
}

impl PathBuilder<'_> {
    /// Ends a run of text at a tag. White space around it does not count, so that documents differ
    /// neither by pretty printing nor by a comment inside of the text.
    #[inline]
    fn end_run(&mut self) {
        let document = self.documents[self.side];
        while let Some(piece) = self.pieces[self.run..].last() {
            let trimmed = piece.text.trimmed_end(document);
            if trimmed.is_empty() {
                self.pieces.pop();
            } else {
                self.pieces.last_mut().expect("just seen").text = trimmed;
                break;
            }
        }
        let mut first = self.run;
        while let Some(piece) = self.pieces.get_mut(first) {
            piece.text = piece.text.trimmed_start(document);
            if !piece.text.is_empty() {
                break;
            }
            first += 1;
        }
        if first < self.pieces.len() {
            self.link(first);
        }
        self.run = self.pieces.len();
    }

    /// Adds the pieces from `first` on to the text of the current element.
    fn link(&mut self, first: usize) {
        for place in first + 1..self.pieces.len() {
            self.pieces[place - 1].next = narrow(place);
        }
        let node = &mut self.paths.nodes[wide(self.current)];
        let element = node.last[self.side].as_mut().expect("entered at its start tag");
        if element.last_piece == NONE {
            element.first_piece = narrow(first);
        } else {
            self.pieces[wide(element.last_piece)].next = narrow(first);
        }
        element.last_piece = narrow(self.pieces.len() - 1);
    }
}

impl TokenSink for PathBuilder<'_> {
    #[inline]
    fn start(&mut self, tag: StartTag<'_>) -> Result<(), XmlFlaw> {
        self.end_run();
        self.current = self.paths.child(self.current, tag.name, self.documents, self.side)?;
        let element = PathElement { attributes: tag.range, first_piece: NONE, last_piece: NONE };
        self.paths.nodes[wide(self.current)].last[self.side] = Some(element);
        Ok(())
    }

    fn empty(&mut self, _: StartTag<'_>) -> Result<(), XmlFlaw> {
        Ok(())
    }

    #[inline]
    fn end(&mut self) {
        self.end_run();
        self.current = self.paths.nodes[wide(self.current)].parent;
    }

    #[inline]
    fn text(&mut self, text: Span) {
        self.pieces.push(TextPiece { text, next: NONE });
    }

    fn cdata(&mut self, _: Span) {}

    fn comment(&mut self, _: Span) {}

    fn instruction(&mut self, _: Span, _: Span) -> Result<(), XmlFlaw> {
        Ok(())
    }

    fn declaration(&mut self, _: Span, _: Span) {}
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;
    use crate::verdict::VerdictLog;

    fn answer(left: &str, right: &str, ignore: &IgnoreRules) -> String {
        let (mut comparer, mut diffs) = (FlatComparer::default(), Diffs::default());
        let documents = [left.as_bytes(), right.as_bytes()];
        let score = comparer.compare(documents, ignore, &mut diffs).unwrap();
        let (mut log, mut json) = (VerdictLog::default(), Vec::new());
        log.push(score, &diffs);
        log.cursor().write_next(&mut json);
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(json["matched"] == true, json["diffs"].as_array().unwrap().is_empty());
        let mut text = format!("{}/{}", json["matched_elements"], json["total_elements"]);
        for diff in json["diffs"].as_array().unwrap() {
            let [kind, path] = ["diff_type", "path"].map(|key| diff[key].as_str().unwrap());
            let (expected, actual) = (&diff["expected"], &diff["actual"]);
            write!(text, " {kind} {path} {expected}→{actual}").unwrap();
        }
        text
    }

    fn equal(left: &str, right: &str) -> bool {
        !answer(left, right, &IgnoreRules::default()).contains(' ')
    }

    #[test]
    fn the_table_of_what_counts_as_equal_holds() {
        assert!(equal("<a x='1' y='2'>t</a>", r#"<a y="2" x="1">t</a>"#));
        assert!(!equal("<a/>", "<a></a>"));
        assert!(!equal("<p:a xmlns:p='u'>t</p:a>", "<a xmlns='u'>t</a>"));
        assert!(equal("<a><b>t</b><c>u</c></a>", "<a>\n  <b> t\n</b>\n  <c>u</c>\n</a>"));
        assert!(!equal("<a>t</a>", "<a><![CDATA[t]]></a>"));
        assert!(!equal("<a>A</a>", "<a>&#65;</a>"));
        assert!(!equal("<a>1\n2</a>", "<a>1\r\n2</a>"));
        assert!(equal("<a>te<b>t</b>xt</a>", "<!-- c --><a>te<b>t<!-- c --></b><!-- c -->xt</a>"));
        assert!(equal("<a>two words</a>", "<a>two <!-- c -->words</a>"));
        assert!(equal("<a><b>1</b><c>2</c></a>", "<a><c>2</c><b>1</b></a>"));
        assert!(equal("<a><b>1</b><b>2</b></a>", "<a><b>0</b><b>2</b></a>"));
        assert!(!equal("<a><b>1</b><b>2</b></a>", "<a><b>1</b><b>0</b></a>"));
    }

    #[test]
    fn differences_come_in_document_order_with_both_sides() {
        let (left, right) = (
            "<r><gone>1</gone><a y='1' x='1' only='l'>t</a><same>s</same></r>",
            "<r><a x='2' y='1' also='r'>u<new>n</new></a><same>s</same></r>",
        );
        insta::assert_snapshot!(answer(left, right, &IgnoreRules::default()).replace(" Att", "\nAtt").replace(" Ele", "\nEle").replace(" Con", "\nCon"), @r#"
        2/4
        ElementMissing /r/gone "1"→null
        AttributeDifferent /r/a/@also null→"r"
        AttributeDifferent /r/a/@only "l"→null
        AttributeDifferent /r/a/@x "1"→"2"
        ContentDifferent /r/a "t"→"u"
        ElementExtra /r/a/new null→"n"
        "#);
    }

    #[test]
    fn what_a_request_ignores_does_not_count() {
        let (left, right) = ("<r><a x='1'>1<b>1</b></a></r>", "<r><a x='2'>2<b>2</b></a></r>");
        let with = |paths: &[&str], properties: &[&str]| {
            let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
            let paths: Vec<String> = owned(paths);
            answer(left, right, &IgnoreRules::new(&paths, owned(properties)))
        };
        let all = r#"1/3 AttributeDifferent /r/a/@x "1"→"2" ContentDifferent /r/a "1"→"2" ContentDifferent /r/a/b "1"→"2""#;
        assert_eq!(with(&[], &[]), all);
        assert_eq!(with(&["/r/c", "/a", "r/a"], &["r2"]), all);
        assert_eq!(with(&["/r/a"], &[]), r#"1/2 ContentDifferent /r/a/b "1"→"2""#);
        assert_eq!(with(&["/r/"], &[]), "1/1");
        assert_eq!(with(&["/r/*"], &[]), r#"1/2 ContentDifferent /r/a/b "1"→"2""#);
        assert_eq!(with(&["/*/a/*"], &["a"]), "1/1");
        assert_eq!(with(&["/r/a/@x", "/r/a/b"], &[]), r#"1/2 ContentDifferent /r/a "1"→"2""#);
        assert_eq!(with(&["/r/a/b"], &["x"]), r#"1/2 ContentDifferent /r/a "1"→"2""#);
    }

    #[test]
    fn many_paths_and_few_paths_are_compared_alike() {
        let document = |n: usize, changed: usize| {
            let item = |i| format!("<e{i}><v>{}</v></e{i}>", if i == changed { n } else { i });
            let items: Vec<_> = (0..n).map(item).collect();
            let items = items.concat();
            format!("<r>{items}</r>")
        };
        for n in [1, 5, 24, 25, 26, 100] {
            let (left, right) = (document(n, n), document(n, n - 1));
            let expected = format!(
                "{}/{} ContentDifferent /r/e{}/v \"{}\"→\"{n}\"",
                2 * n,
                2 * n + 1,
                n - 1,
                n - 1
            );
            assert_eq!(answer(&left, &right, &IgnoreRules::default()), expected);
        }
    }
}
