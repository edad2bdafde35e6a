//! Changes one thing in a document, in a place where every verdict is certain.
//!
//! A change is only made where it is known what each [`Semantics`](super::Semantics) says of it.
//! The XML-Compare-API keeps one entry for each path of element names, that of the last element
//! which is not self-closing; so a place may be *seen*, or *hidden* behind a later element of the
//! same path, and where neither is certain nothing is changed.

use std::ops::Range;

use super::draws::PairRng;
use super::truth::{DocumentChange, PairClass, PairTruth};
use super::xml::{Attribute, Document, Element, ElementContent, is_space};

/// A place in the text, and what stands there afterwards.
type TextEdit = (Range<usize>, String);

/// A change in one place.
struct ChangeEdits {
    edits: Vec<TextEdit>,
    is_seen_by_api: bool,
}

/// Writes `document` to `out` with one change, and returns what is true of the pair.
///
/// Where `wanted` cannot be made, the next of `all` of the same class is, and at the end one that
/// is possible in any document.
pub(super) fn apply(
    document: &Document<'_>,
    wanted: DocumentChange,
    all: &[DocumentChange],
    draws: &mut PairRng,
    out: &mut Vec<u8>,
) -> PairTruth {
    let last = match wanted.class() {
        PairClass::Identical | PairClass::Equal => {
            [DocumentChange::Comment, DocumentChange::Comment]
        }
        PairClass::Different => {
            [DocumentChange::ElementTagName, DocumentChange::ElementNumAttributes]
        }
    };
    // From the wanted one round, so that what takes its place is not always the same.
    let start = all.iter().position(|change| *change == wanted).unwrap_or(0);
    let round = all[start..].iter().chain(&all[..start]).copied();
    let place = ChangeSite::new(document);
    let (change, mut made) = round
        .filter(|change| change.class() == wanted.class())
        .chain(last)
        .find_map(|change| Some((change, place.make(change, draws)?)))
        .expect("a comment can stand before any root, and any tag can be changed");
    made.edits.sort_by_key(|(place, _)| place.start);
    let mut at = 0;
    for (place, text) in made.edits {
        out.extend_from_slice(&document.text.as_bytes()[at..place.start]);
        out.extend_from_slice(text.as_bytes());
        at = place.end;
    }
    out.extend_from_slice(&document.text.as_bytes()[at..]);
    let is_seen_by_api = made.is_seen_by_api;
    PairTruth { change: Some(change), is_seen_by_api }
}

/// What the XML-Compare-API sees of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ApiVisibility {
    /// It is the last of its path.
    Seen,
    /// A later one stands for it, or it is self-closing.
    Hidden,
}

/// A document, and which elements of a path come last.
struct ChangeSite<'a> {
    document: &'a Document<'a>,
    /// By path: the last element that is not self-closing, and how many there are.
    last: Vec<(Option<usize>, usize)>,
}

impl<'a> ChangeSite<'a> {
    fn new(document: &'a Document<'a>) -> Self {
        let paths = document.elements.iter().map(|element| element.path).max().unwrap_or(0);
        let mut last = vec![(None, 0); paths + 1];
        for (index, element) in document.elements.iter().enumerate() {
            if !element.is_self_closing() {
                last[element.path] = (Some(index), last[element.path].1 + 1);
            }
        }
        Self { document, last }
    }

    fn make(&self, change: DocumentChange, draws: &mut PairRng) -> Option<ChangeEdits> {
        match change {
            DocumentChange::AttributeOrder => self.attribute_order(draws),
            DocumentChange::QuoteCharacter => self.quote_character(draws),
            DocumentChange::EmptyElement => self.empty_element(draws),
            DocumentChange::NamespacePrefix => self.namespace_prefix(draws),
            DocumentChange::PrettyPrint => self.pretty_print(),
            DocumentChange::Cdata => self.text(draws, has_no_reference, cdata),
            DocumentChange::CharacterReference => {
                self.text(draws, has_letters, character_reference)
            }
            DocumentChange::LineEnding => self.text(draws, has_lines, line_ending),
            DocumentChange::Comment => Some(self.comment(draws)),
            DocumentChange::TextValue => self.text(draws, is_any, other_text),
            DocumentChange::AttrValue => self.attr_value(draws),
            DocumentChange::AttrName => self.attr_name(draws),
            DocumentChange::ElementNumAttributes => self.one_more_attribute(draws),
            DocumentChange::ElementTagName => self.element_name(draws),
            DocumentChange::ChildNodelistLength => self.one_more_child(draws),
            DocumentChange::ChildLookup => self.one_child_less(draws),
            DocumentChange::ChildNodelistSequence => self.swapped(draws),
            DocumentChange::NamespaceUri => self.namespace_uri(draws),
            DocumentChange::SchemaLocation => self.schema_location(draws),
            DocumentChange::PiTarget | DocumentChange::PiData => self.instruction(change, draws),
        }
    }

    fn is_last(&self, index: usize) -> bool {
        self.last[self.document.elements[index].path].0 == Some(index)
    }

    /// What is seen of an element's attributes.
    fn sight(&self, index: usize) -> ApiVisibility {
        if self.is_last(index) { ApiVisibility::Seen } else { ApiVisibility::Hidden }
    }

    /// What is seen of an element's text: hidden for certain only behind another text.
    fn sight_of_text(&self, index: usize) -> Option<ApiVisibility> {
        match self.last[self.document.elements[index].path].0 {
            Some(last) if last == index => Some(ApiVisibility::Seen),
            Some(last) if self.document.elements[last].content == ElementContent::Text => {
                Some(ApiVisibility::Hidden)
            }
            Some(_) | None => None,
        }
    }

    /// Picks an element for which `can` returns something. Three times in four it is one that the
    /// XML-Compare-API sees, where there is one, so that documents of repeated elements do not make
    /// most changes invisible to it.
    fn pick<T>(
        &self,
        draws: &mut PairRng,
        can: impl Fn(usize, &Element) -> Option<(ApiVisibility, T)>,
    ) -> Option<(usize, ApiVisibility, T)> {
        let elements = self.document.elements.iter().enumerate();
        let (seen, hidden): (Vec<_>, Vec<_>) = elements
            .filter_map(|(index, element)| can(index, element).map(|(s, value)| (index, s, value)))
            .partition(|(_, sight, _)| *sight == ApiVisibility::Seen);
        let wants_hidden = draws.once_in(4);
        let mut from = match (seen.is_empty(), hidden.is_empty(), wants_hidden) {
            (true, true, _) => return None,
            (true, false, _) | (false, false, true) => hidden,
            (false, true, _) | (false, false, false) => seen,
        };
        let index = draws.index(from.len());
        Some(from.swap_remove(index))
    }

    /// As [`pick`](Self::pick), where the XML-Compare-API never sees the change or always does.
    fn pick_any(
        &self,
        draws: &mut PairRng,
        sight: ApiVisibility,
        can: impl Fn(&Element) -> bool,
    ) -> Option<usize> {
        let can = |_, element: &Element| can(element).then_some((sight, ()));
        self.pick(draws, can).map(|(index, ..)| index)
    }

    fn attributes(&self, index: usize) -> &'a [Attribute] {
        self.document.attributes_of(&self.document.elements[index])
    }

    fn attribute_order(&self, draws: &mut PairRng) -> Option<ChangeEdits> {
        let index = self.pick_any(draws, ApiVisibility::Hidden, |e| e.attributes.len() > 1)?;
        let attributes = self.attributes(index);
        let reversed = attributes.iter().rev().map(|a| self.document.at(&a.whole).to_owned());
        let places = attributes.iter().map(|attribute| attribute.whole.clone());
        Some(hidden(places.zip(reversed).collect()))
    }

    fn quote_character(&self, draws: &mut PairRng) -> Option<ChangeEdits> {
        let plain = |a: &&Attribute| !self.document.at(&a.value).contains(['"', '\'']);
        let can = |e: &Element| self.document.attributes_of(e).iter().any(|a| plain(&a));
        let index = self.pick_any(draws, ApiVisibility::Hidden, can)?;
        let turn = |attribute: &Attribute| {
            let value = &attribute.value;
            let old = &self.document.text[value.end..=value.end];
            let new = if old == "'" { "\"" } else { "'" };
            [
                (value.start - 1..value.start, new.to_owned()),
                (value.end..value.end + 1, new.to_owned()),
            ]
        };
        Some(hidden(self.attributes(index).iter().filter(plain).flat_map(turn).collect()))
    }

    /// An element without content, which is the only one of its path or has a later one that
    /// stands for both ways of writing it.
    fn empty_element(&self, draws: &mut PairRng) -> Option<ChangeEdits> {
        let can = |index: usize, element: &Element| {
            if element.content != ElementContent::Empty {
                return None;
            }
            let (last, count) = self.last[element.path];
            let others = count - usize::from(!element.is_self_closing());
            match last {
                _ if others == 0 => Some((ApiVisibility::Seen, ())),
                Some(last) if last > index => Some((ApiVisibility::Hidden, ())),
                Some(_) | None => None,
            }
        };
        let (index, sight, ()) = self.pick(draws, can)?;
        let element = &self.document.elements[index];
        let start = &element.start;
        let edits = match &element.end {
            None => {
                let name = self.document.at(&element.name);
                vec![(start.end - 2..start.end, format!("></{name}>"))]
            }
            Some(end) => vec![(start.end - 1..end.end, "/>".to_owned())],
        };
        Some(ChangeEdits { edits, is_seen_by_api: sight == ApiVisibility::Seen })
    }

    /// Renames a prefix that is declared once and never written in a value or a text.
    fn namespace_prefix(&self, draws: &mut PairRng) -> Option<ChangeEdits> {
        let document = self.document;
        let declared = |attribute: &Attribute| document.at(&attribute.name).strip_prefix("xmlns:");
        let all: Vec<&str> = document.attributes.iter().filter_map(declared).collect();
        let of = |name: &Range<usize>| document.at(name).split_once(':').map(|(prefix, _)| prefix);
        let can = |prefix: &str| {
            let once = all.iter().filter(|other| **other == prefix).count() == 1;
            let mut seen = document.elements.iter().filter(|e| !e.is_self_closing());
            once && seen.any(|e| of(&e.name) == Some(prefix)) && !self.is_in_a_value(prefix)
        };
        let able: Vec<&str> = all.iter().copied().filter(|prefix| can(prefix)).collect();
        let prefix = if able.is_empty() { return None } else { *draws.pick(&able) };
        let fresh = self.fresh(prefix);
        let mut edits = Vec::new();
        let mut rename = |at: usize| edits.push((at..at + prefix.len(), fresh.clone()));
        for element in &document.elements {
            if of(&element.name) == Some(prefix) {
                rename(element.name.start);
                if let Some(end) = &element.end {
                    rename(end.start + 2);
                }
            }
        }
        for attribute in &document.attributes {
            if declared(attribute) == Some(prefix) {
                rename(attribute.name.start + "xmlns:".len());
            } else if of(&attribute.name) == Some(prefix) {
                rename(attribute.name.start);
            }
        }
        Some(seen(edits))
    }

    /// Returns whether a value or a text might hold a name with the prefix.
    fn is_in_a_value(&self, prefix: &str) -> bool {
        let name = format!("{prefix}:");
        let values = self.document.attributes.iter().map(|attribute| &attribute.value);
        let simple =
            |e: &&Element| matches!(e.content, ElementContent::Text | ElementContent::Mixed);
        let texts = self.document.elements.iter().filter(simple).map(Element::inside);
        values.cloned().chain(texts).any(|place| self.document.at(&place).contains(&name))
    }

    /// Returns a name like `name` that is nowhere in the document.
    fn fresh(&self, name: &str) -> String {
        let name = format!("{name}x");
        if self.document.text.contains(&name) { self.fresh(&name) } else { name }
    }

    /// Takes away the white space between elements, or puts some there, where there is none.
    fn pretty_print(&self) -> Option<ChangeEdits> {
        let gaps = &self.document.gaps;
        if !gaps.is_empty() {
            return Some(hidden(gaps.iter().map(|gap| (gap.clone(), String::new())).collect()));
        }
        let mut edits = Vec::new();
        let line = |depth: u32| format!("\n{:1$}", "", usize::try_from(depth).unwrap_or(0));
        for element in &self.document.elements {
            let parent = element.parent.map(|parent| &self.document.elements[parent]);
            if parent.is_some_and(|parent| parent.content == ElementContent::Elements) {
                edits.push((element.start.start..element.start.start, line(element.depth - 1)));
            }
            if let (ElementContent::Elements, Some(end)) = (element.content, &element.end) {
                edits.push((end.start..end.start, line(element.depth - 1)));
            }
        }
        (!edits.is_empty()).then(|| hidden(edits))
    }

    fn comment(&self, draws: &mut PairRng) -> ChangeEdits {
        let can = |element: &Element| {
            let parent = element.parent.map(|parent| &self.document.elements[parent]);
            parent.is_none_or(|parent| parent.content == ElementContent::Elements)
        };
        let index = self.pick_any(draws, ApiVisibility::Hidden, can);
        let index = index.expect("a comment can stand before the root");
        let at = self.document.elements[index].start.start;
        hidden(vec![(at..at, "<!-- checked -->".to_owned())])
    }

    /// Changes the text of an element that holds nothing else.
    fn text(
        &self,
        draws: &mut PairRng,
        can: fn(&str) -> bool,
        edits: fn(&str, usize, &mut PairRng) -> Vec<TextEdit>,
    ) -> Option<ChangeEdits> {
        let can = |index: usize, element: &Element| {
            let possible =
                element.content == ElementContent::Text && can(self.document.at(&element.inside()));
            possible.then(|| self.sight_of_text(index)).flatten().map(|sight| (sight, ()))
        };
        let (index, sight, ()) = self.pick(draws, can)?;
        let inside = self.document.elements[index].inside();
        let edits = edits(self.document.at(&inside), inside.start, draws);
        Some(ChangeEdits { edits, is_seen_by_api: sight == ApiVisibility::Seen })
    }

    /// Picks an attribute of an element, with what is seen of it.
    fn pick_attribute(
        &self,
        draws: &mut PairRng,
        can: impl Fn(&Element, &Attribute) -> bool,
    ) -> Option<(ApiVisibility, &'a Attribute)> {
        let any = |index: usize, element: &Element| {
            let attributes = self.document.attributes_of(element);
            attributes.iter().any(|a| can(element, a)).then(|| (self.sight(index), ()))
        };
        let (index, sight, ()) = self.pick(draws, any)?;
        let element = &self.document.elements[index];
        let able: Vec<_> = self.attributes(index).iter().filter(|a| can(element, a)).collect();
        Some((sight, *draws.pick(&able)))
    }

    /// Neither declares a namespace nor says where a schema is.
    fn is_plain(&self, attribute: &Attribute) -> bool {
        let name = self.document.at(&attribute.name);
        !(name.starts_with("xmlns") || name.starts_with("xsi:") || name.starts_with("xml:"))
    }

    fn attr_value(&self, draws: &mut PairRng) -> Option<ChangeEdits> {
        let (sight, attribute) = self.pick_attribute(draws, |_, a| self.is_plain(a))?;
        let value = self.document.at(&attribute.value);
        let edits = other_text(value, attribute.value.start, draws);
        Some(ChangeEdits { edits, is_seen_by_api: sight == ApiVisibility::Seen })
    }

    fn attr_name(&self, draws: &mut PairRng) -> Option<ChangeEdits> {
        let (sight, attribute) = self.pick_attribute(draws, |_, a| self.is_plain(a))?;
        let name = self.fresh(self.document.at(&attribute.name));
        let edits = vec![(attribute.name.clone(), name)];
        Some(ChangeEdits { edits, is_seen_by_api: sight == ApiVisibility::Seen })
    }

    fn one_more_attribute(&self, draws: &mut PairRng) -> Option<ChangeEdits> {
        let (index, sight, ()) = self.pick(draws, |index, _| Some((self.sight(index), ())))?;
        let at = self.document.elements[index].name.end;
        let edits = vec![(at..at, format!(" {}=\"1\"", self.fresh("extra")))];
        Some(ChangeEdits { edits, is_seen_by_api: sight == ApiVisibility::Seen })
    }

    /// The new name makes a new path, whatever else has the old one.
    fn element_name(&self, draws: &mut PairRng) -> Option<ChangeEdits> {
        let index =
            self.pick_any(draws, ApiVisibility::Seen, |element| !element.is_self_closing())?;
        let element = &self.document.elements[index];
        let name = self.fresh(self.document.at(&element.name));
        let end = element.end.as_ref()?.start + 2;
        let length = element.name.len();
        Some(seen(vec![(element.name.clone(), name.clone()), (end..end + length, name)]))
    }

    /// The new child has a new name, and so a new path.
    fn one_more_child(&self, draws: &mut PairRng) -> Option<ChangeEdits> {
        let can = |element: &Element| element.content == ElementContent::Elements;
        let index = self.pick_any(draws, ApiVisibility::Seen, can)?;
        let at = self.document.elements[index].start.end;
        let name = self.fresh("added");
        Some(seen(vec![(at..at, format!("<{name}>1</{name}>"))]))
    }

    /// An element that is the only one of its path, or a leaf that no rule sees.
    fn one_child_less(&self, draws: &mut PairRng) -> Option<ChangeEdits> {
        let can = |index: usize, element: &Element| {
            let parent = &self.document.elements[element.parent?];
            if parent.content != ElementContent::Elements {
                return None;
            }
            let is_leaf = matches!(element.content, ElementContent::Empty | ElementContent::Text);
            match (self.sight(index), self.last[element.path].1) {
                (ApiVisibility::Seen, 1) => Some((ApiVisibility::Seen, ())),
                (ApiVisibility::Hidden, _) if is_leaf => Some((ApiVisibility::Hidden, ())),
                (ApiVisibility::Seen | ApiVisibility::Hidden, _) => None,
            }
        };
        let (index, sight, ()) = self.pick(draws, can)?;
        let edits = vec![(self.document.elements[index].whole(), String::new())];
        Some(ChangeEdits { edits, is_seen_by_api: sight == ApiVisibility::Seen })
    }

    /// Two neighbours of different names, so that those of one name stay in their order.
    fn swapped(&self, draws: &mut PairRng) -> Option<ChangeEdits> {
        let document = self.document;
        let local = |element: &Element| {
            let name = document.at(&element.name);
            name.split_once(':').map_or(name, |(_, local)| local)
        };
        let can = |element: &Element| {
            let (Some(parent), Some(previous)) = (element.parent, element.previous) else {
                return false;
            };
            document.elements[parent].content == ElementContent::Elements
                && local(element) != local(&document.elements[previous])
        };
        let index = self.pick_any(draws, ApiVisibility::Hidden, can)?;
        let element = &document.elements[index];
        let (first, second) = (document.elements[element.previous?].whole(), element.whole());
        let text = |place: &Range<usize>| document.at(place).to_owned();
        Some(hidden(vec![(first.clone(), text(&second)), (second, text(&first))]))
    }

    /// The namespace of an element that declares it itself, so that every comparison must see it.
    fn namespace_uri(&self, draws: &mut PairRng) -> Option<ChangeEdits> {
        let document = self.document;
        let can = |element: &Element, attribute: &Attribute| {
            let declared = document.at(&attribute.name);
            let is_own = match document.at(&element.name).split_once(':') {
                None => declared == "xmlns",
                Some((prefix, _)) => declared.strip_prefix("xmlns:") == Some(prefix),
            };
            is_own && !attribute.value.is_empty()
        };
        let (sight, attribute) = self.pick_attribute(draws, can)?;
        let at = attribute.value.end;
        let edits = vec![(at..at, "/other".to_owned())];
        Some(ChangeEdits { edits, is_seen_by_api: sight == ApiVisibility::Seen })
    }

    fn schema_location(&self, draws: &mut PairRng) -> Option<ChangeEdits> {
        let document = self.document;
        let is_declared = document.attributes.iter().any(|attribute| {
            document.at(&attribute.name) == "xmlns:xsi"
                && document.at(&attribute.value) == "http://www.w3.org/2001/XMLSchema-instance"
        });
        let can = |_: &Element, attribute: &Attribute| {
            is_declared && document.at(&attribute.name) == "xsi:schemaLocation"
        };
        let (sight, attribute) = self.pick_attribute(draws, can)?;
        let at = attribute.value.end;
        let edits = vec![(at..at, ".other".to_owned())];
        Some(ChangeEdits { edits, is_seen_by_api: sight == ApiVisibility::Seen })
    }

    fn instruction(&self, change: DocumentChange, draws: &mut PairRng) -> Option<ChangeEdits> {
        let instructions = &self.document.instructions;
        if instructions.is_empty() {
            return None;
        }
        let instruction = draws.pick(instructions);
        let at = if change == DocumentChange::PiTarget {
            instruction.target.end..instruction.target.end
        } else {
            instruction.data.end..instruction.data.end
        };
        let text = match (change == DocumentChange::PiTarget, instruction.data.is_empty()) {
            (true, _) | (false, false) => "x",
            (false, true) => " x",
        };
        Some(hidden(vec![(at, text.to_owned())]))
    }
}

fn seen(edits: Vec<TextEdit>) -> ChangeEdits {
    ChangeEdits { edits, is_seen_by_api: true }
}

fn hidden(edits: Vec<TextEdit>) -> ChangeEdits {
    ChangeEdits { edits, is_seen_by_api: false }
}

/// The places of the letters and digits of a text that belong to no reference.
fn letters(text: &str) -> impl Iterator<Item = usize> {
    let mut in_reference = false;
    text.bytes().enumerate().filter_map(move |(at, byte)| {
        in_reference = byte == b'&' || (in_reference && byte != b';');
        (!in_reference && byte.is_ascii_alphanumeric()).then_some(at)
    })
}

fn pick_letter(text: &str, draws: &mut PairRng) -> Option<usize> {
    match letters(text).count() {
        0 => None,
        count => letters(text).nth(draws.index(count)),
    }
}

/// Turns one letter or digit into another; where there is none, puts one in.
fn other_text(text: &str, start: usize, draws: &mut PairRng) -> Vec<TextEdit> {
    let Some(at) = pick_letter(text, draws) else {
        let at = start + text.len() - text.trim_start_matches(is_space).len();
        return vec![(at..at, "0".to_owned())];
    };
    let turned = match text.as_bytes()[at] {
        b'9' => '0',
        b'z' => 'a',
        b'Z' => 'A',
        byte => char::from(byte + 1),
    };
    vec![(start + at..start + at + 1, turned.to_string())]
}

fn cdata(text: &str, start: usize, _: &mut PairRng) -> Vec<TextEdit> {
    let end = start + text.len();
    vec![(start..start, "<![CDATA[".to_owned()), (end..end, "]]>".to_owned())]
}

fn character_reference(text: &str, start: usize, draws: &mut PairRng) -> Vec<TextEdit> {
    let at = pick_letter(text, draws).expect("only called for a text with letters");
    vec![(start + at..start + at + 1, format!("&#{};", text.as_bytes()[at]))]
}

fn line_ending(text: &str, start: usize, _: &mut PairRng) -> Vec<TextEdit> {
    let ends = text.match_indices('\n');
    ends.map(|(at, _)| (start + at..start + at, "\r".to_owned())).collect()
}

fn has_no_reference(text: &str) -> bool {
    !text.contains('&')
}

fn has_letters(text: &str) -> bool {
    letters(text).next().is_some()
}

/// The line ends that the XML-Compare-API does not trim away must be plain.
fn has_lines(text: &str) -> bool {
    text.trim_matches(is_space).contains('\n') && !text.contains('\r')
}

fn is_any(_: &str) -> bool {
    true
}
