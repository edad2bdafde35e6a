//! Changes one thing in a document, in a place where every verdict is certain.
//!
//! A change is only made where it is known what each [`Semantics`](super::Semantics) says of it.
//! The XML-Compare-API keeps one entry for each path of element names, that of the last element
//! which is not self-closing; so a place may be *seen*, or *hidden* behind a later element of the
//! same path, and where neither is certain nothing is changed.

use std::ops::Range;

use super::draws::Draws;
use super::truth::{Change, Class, Truth};
use super::xml::{Attribute, Content, Document, Element, is_space};

/// A place in the text, and what stands there afterwards.
type Edit = (Range<usize>, String);

/// A change in one place.
struct Made {
    edits: Vec<Edit>,
    is_seen_by_api: bool,
}

/// Writes `document` to `out` with one change, and returns what is true of the pair.
///
/// Where `wanted` cannot be made, the next of `all` of the same class is, and at the end one that
/// is possible in any document.
pub(super) fn apply(
    document: &Document<'_>,
    wanted: Change,
    all: &[Change],
    draws: &mut Draws,
    out: &mut Vec<u8>,
) -> Truth {
    let last = match wanted.class() {
        Class::Identical | Class::Equal => [Change::Comment, Change::Comment],
        Class::Different => [Change::ElementTagName, Change::ElementNumAttributes],
    };
    // From the wanted one round, so that what takes its place is not always the same.
    let start = all.iter().position(|change| *change == wanted).unwrap_or(0);
    let round = all[start..].iter().chain(&all[..start]).copied();
    let place = Place::new(document);
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
    Truth { change: Some(change), is_seen_by_api }
}

/// What the XML-Compare-API sees of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sight {
    /// It is the last of its path.
    Seen,
    /// A later one stands for it, or it is self-closing.
    Hidden,
}

/// A document, and which elements of a path come last.
struct Place<'a> {
    document: &'a Document<'a>,
    /// By path: the last element that is not self-closing, and how many there are.
    last: Vec<(Option<usize>, usize)>,
}

impl<'a> Place<'a> {
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

    fn make(&self, change: Change, draws: &mut Draws) -> Option<Made> {
        match change {
            Change::AttributeOrder => self.attribute_order(draws),
            Change::QuoteCharacter => self.quote_character(draws),
            Change::EmptyElement => self.empty_element(draws),
            Change::NamespacePrefix => self.namespace_prefix(draws),
            Change::PrettyPrint => self.pretty_print(),
            Change::Cdata => self.text(draws, has_no_reference, cdata),
            Change::CharacterReference => self.text(draws, has_letters, character_reference),
            Change::LineEnding => self.text(draws, has_lines, line_ending),
            Change::Comment => Some(self.comment(draws)),
            Change::TextValue => self.text(draws, is_any, other_text),
            Change::AttrValue => self.attr_value(draws),
            Change::AttrName => self.attr_name(draws),
            Change::ElementNumAttributes => self.one_more_attribute(draws),
            Change::ElementTagName => self.element_name(draws),
            Change::ChildNodelistLength => self.one_more_child(draws),
            Change::ChildLookup => self.one_child_less(draws),
            Change::ChildNodelistSequence => self.swapped(draws),
            Change::NamespaceUri => self.namespace_uri(draws),
            Change::SchemaLocation => self.schema_location(draws),
            Change::PiTarget | Change::PiData => self.instruction(change, draws),
        }
    }

    fn is_last(&self, index: usize) -> bool {
        self.last[self.document.elements[index].path].0 == Some(index)
    }

    /// What is seen of an element's attributes.
    fn sight(&self, index: usize) -> Sight {
        if self.is_last(index) { Sight::Seen } else { Sight::Hidden }
    }

    /// What is seen of an element's text: hidden for certain only behind another text.
    fn sight_of_text(&self, index: usize) -> Option<Sight> {
        match self.last[self.document.elements[index].path].0 {
            Some(last) if last == index => Some(Sight::Seen),
            Some(last) if self.document.elements[last].content == Content::Text => {
                Some(Sight::Hidden)
            }
            Some(_) | None => None,
        }
    }

    /// Picks an element for which `can` returns something. Three times in four it is one that the
    /// XML-Compare-API sees, where there is one, so that documents of repeated elements do not make
    /// most changes invisible to it.
    fn pick<T>(
        &self,
        draws: &mut Draws,
        can: impl Fn(usize, &Element) -> Option<(Sight, T)>,
    ) -> Option<(usize, Sight, T)> {
        let elements = self.document.elements.iter().enumerate();
        let (seen, hidden): (Vec<_>, Vec<_>) = elements
            .filter_map(|(index, element)| can(index, element).map(|(s, value)| (index, s, value)))
            .partition(|(_, sight, _)| *sight == Sight::Seen);
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
        draws: &mut Draws,
        sight: Sight,
        can: impl Fn(&Element) -> bool,
    ) -> Option<usize> {
        let can = |_, element: &Element| can(element).then_some((sight, ()));
        self.pick(draws, can).map(|(index, ..)| index)
    }

    fn attributes(&self, index: usize) -> &'a [Attribute] {
        self.document.attributes_of(&self.document.elements[index])
    }

    fn attribute_order(&self, draws: &mut Draws) -> Option<Made> {
        let index = self.pick_any(draws, Sight::Hidden, |e| e.attributes.len() > 1)?;
        let attributes = self.attributes(index);
        let reversed = attributes.iter().rev().map(|a| self.document.at(&a.whole).to_owned());
        let places = attributes.iter().map(|attribute| attribute.whole.clone());
        Some(hidden(places.zip(reversed).collect()))
    }

    fn quote_character(&self, draws: &mut Draws) -> Option<Made> {
        let plain = |a: &&Attribute| !self.document.at(&a.value).contains(['"', '\'']);
        let can = |e: &Element| self.document.attributes_of(e).iter().any(|a| plain(&a));
        let index = self.pick_any(draws, Sight::Hidden, can)?;
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
    fn empty_element(&self, draws: &mut Draws) -> Option<Made> {
        let can = |index: usize, element: &Element| {
            if element.content != Content::Empty {
                return None;
            }
            let (last, count) = self.last[element.path];
            let others = count - usize::from(!element.is_self_closing());
            match last {
                _ if others == 0 => Some((Sight::Seen, ())),
                Some(last) if last > index => Some((Sight::Hidden, ())),
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
        Some(Made { edits, is_seen_by_api: sight == Sight::Seen })
    }

    /// Renames a prefix that is declared once and never written in a value or a text.
    fn namespace_prefix(&self, draws: &mut Draws) -> Option<Made> {
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
        let simple = |e: &&Element| matches!(e.content, Content::Text | Content::Mixed);
        let texts = self.document.elements.iter().filter(simple).map(Element::inside);
        values.cloned().chain(texts).any(|place| self.document.at(&place).contains(&name))
    }

    /// Returns a name like `name` that is nowhere in the document.
    fn fresh(&self, name: &str) -> String {
        let name = format!("{name}x");
        if self.document.text.contains(&name) { self.fresh(&name) } else { name }
    }

    /// Takes away the white space between elements, or puts some there, where there is none.
    fn pretty_print(&self) -> Option<Made> {
        let gaps = &self.document.gaps;
        if !gaps.is_empty() {
            return Some(hidden(gaps.iter().map(|gap| (gap.clone(), String::new())).collect()));
        }
        let mut edits = Vec::new();
        let line = |depth: u32| format!("\n{:1$}", "", usize::try_from(depth).unwrap_or(0));
        for element in &self.document.elements {
            let parent = element.parent.map(|parent| &self.document.elements[parent]);
            if parent.is_some_and(|parent| parent.content == Content::Elements) {
                edits.push((element.start.start..element.start.start, line(element.depth - 1)));
            }
            if let (Content::Elements, Some(end)) = (element.content, &element.end) {
                edits.push((end.start..end.start, line(element.depth - 1)));
            }
        }
        (!edits.is_empty()).then(|| hidden(edits))
    }

    fn comment(&self, draws: &mut Draws) -> Made {
        let can = |element: &Element| {
            let parent = element.parent.map(|parent| &self.document.elements[parent]);
            parent.is_none_or(|parent| parent.content == Content::Elements)
        };
        let index = self.pick_any(draws, Sight::Hidden, can);
        let index = index.expect("a comment can stand before the root");
        let at = self.document.elements[index].start.start;
        hidden(vec![(at..at, "<!-- checked -->".to_owned())])
    }

    /// Changes the text of an element that holds nothing else.
    fn text(
        &self,
        draws: &mut Draws,
        can: fn(&str) -> bool,
        edits: fn(&str, usize, &mut Draws) -> Vec<Edit>,
    ) -> Option<Made> {
        let can = |index: usize, element: &Element| {
            let possible =
                element.content == Content::Text && can(self.document.at(&element.inside()));
            possible.then(|| self.sight_of_text(index)).flatten().map(|sight| (sight, ()))
        };
        let (index, sight, ()) = self.pick(draws, can)?;
        let inside = self.document.elements[index].inside();
        let edits = edits(self.document.at(&inside), inside.start, draws);
        Some(Made { edits, is_seen_by_api: sight == Sight::Seen })
    }

    /// Picks an attribute of an element, with what is seen of it.
    fn pick_attribute(
        &self,
        draws: &mut Draws,
        can: impl Fn(&Element, &Attribute) -> bool,
    ) -> Option<(Sight, &'a Attribute)> {
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

    fn attr_value(&self, draws: &mut Draws) -> Option<Made> {
        let (sight, attribute) = self.pick_attribute(draws, |_, a| self.is_plain(a))?;
        let value = self.document.at(&attribute.value);
        let edits = other_text(value, attribute.value.start, draws);
        Some(Made { edits, is_seen_by_api: sight == Sight::Seen })
    }

    fn attr_name(&self, draws: &mut Draws) -> Option<Made> {
        let (sight, attribute) = self.pick_attribute(draws, |_, a| self.is_plain(a))?;
        let name = self.fresh(self.document.at(&attribute.name));
        let edits = vec![(attribute.name.clone(), name)];
        Some(Made { edits, is_seen_by_api: sight == Sight::Seen })
    }

    fn one_more_attribute(&self, draws: &mut Draws) -> Option<Made> {
        let (index, sight, ()) = self.pick(draws, |index, _| Some((self.sight(index), ())))?;
        let at = self.document.elements[index].name.end;
        let edits = vec![(at..at, format!(" {}=\"1\"", self.fresh("extra")))];
        Some(Made { edits, is_seen_by_api: sight == Sight::Seen })
    }

    /// The new name makes a new path, whatever else has the old one.
    fn element_name(&self, draws: &mut Draws) -> Option<Made> {
        let index = self.pick_any(draws, Sight::Seen, |element| !element.is_self_closing())?;
        let element = &self.document.elements[index];
        let name = self.fresh(self.document.at(&element.name));
        let end = element.end.as_ref()?.start + 2;
        let length = element.name.len();
        Some(seen(vec![(element.name.clone(), name.clone()), (end..end + length, name)]))
    }

    /// The new child has a new name, and so a new path.
    fn one_more_child(&self, draws: &mut Draws) -> Option<Made> {
        let can = |element: &Element| element.content == Content::Elements;
        let index = self.pick_any(draws, Sight::Seen, can)?;
        let at = self.document.elements[index].start.end;
        let name = self.fresh("added");
        Some(seen(vec![(at..at, format!("<{name}>1</{name}>"))]))
    }

    /// An element that is the only one of its path, or a leaf that nobody sees.
    fn one_child_less(&self, draws: &mut Draws) -> Option<Made> {
        let can = |index: usize, element: &Element| {
            let parent = &self.document.elements[element.parent?];
            if parent.content != Content::Elements {
                return None;
            }
            let is_leaf = matches!(element.content, Content::Empty | Content::Text);
            match (self.sight(index), self.last[element.path].1) {
                (Sight::Seen, 1) => Some((Sight::Seen, ())),
                (Sight::Hidden, _) if is_leaf => Some((Sight::Hidden, ())),
                (Sight::Seen | Sight::Hidden, _) => None,
            }
        };
        let (index, sight, ()) = self.pick(draws, can)?;
        let edits = vec![(self.document.elements[index].whole(), String::new())];
        Some(Made { edits, is_seen_by_api: sight == Sight::Seen })
    }

    /// Two neighbours of different names, so that those of one name stay in their order.
    fn swapped(&self, draws: &mut Draws) -> Option<Made> {
        let document = self.document;
        let local = |element: &Element| {
            let name = document.at(&element.name);
            name.split_once(':').map_or(name, |(_, local)| local)
        };
        let can = |element: &Element| {
            let (Some(parent), Some(previous)) = (element.parent, element.previous) else {
                return false;
            };
            document.elements[parent].content == Content::Elements
                && local(element) != local(&document.elements[previous])
        };
        let index = self.pick_any(draws, Sight::Hidden, can)?;
        let element = &document.elements[index];
        let (first, second) = (document.elements[element.previous?].whole(), element.whole());
        let text = |place: &Range<usize>| document.at(place).to_owned();
        Some(hidden(vec![(first.clone(), text(&second)), (second, text(&first))]))
    }

    /// The namespace of an element that declares it itself, so that every comparison must see it.
    fn namespace_uri(&self, draws: &mut Draws) -> Option<Made> {
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
        Some(Made { edits, is_seen_by_api: sight == Sight::Seen })
    }

    fn schema_location(&self, draws: &mut Draws) -> Option<Made> {
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
        Some(Made { edits, is_seen_by_api: sight == Sight::Seen })
    }

    fn instruction(&self, change: Change, draws: &mut Draws) -> Option<Made> {
        let instructions = &self.document.instructions;
        if instructions.is_empty() {
            return None;
        }
        let instruction = draws.pick(instructions);
        let at = if change == Change::PiTarget {
            instruction.target.end..instruction.target.end
        } else {
            instruction.data.end..instruction.data.end
        };
        let text = match (change == Change::PiTarget, instruction.data.is_empty()) {
            (true, _) | (false, false) => "x",
            (false, true) => " x",
        };
        Some(hidden(vec![(at, text.to_owned())]))
    }
}

fn seen(edits: Vec<Edit>) -> Made {
    Made { edits, is_seen_by_api: true }
}

fn hidden(edits: Vec<Edit>) -> Made {
    Made { edits, is_seen_by_api: false }
}

/// The places of the letters and digits of a text that belong to no reference.
fn letters(text: &str) -> impl Iterator<Item = usize> {
    let mut in_reference = false;
    text.bytes().enumerate().filter_map(move |(at, byte)| {
        in_reference = byte == b'&' || (in_reference && byte != b';');
        (!in_reference && byte.is_ascii_alphanumeric()).then_some(at)
    })
}

fn pick_letter(text: &str, draws: &mut Draws) -> Option<usize> {
    match letters(text).count() {
        0 => None,
        count => letters(text).nth(draws.index(count)),
    }
}

/// Turns one letter or digit into another; where there is none, puts one in.
fn other_text(text: &str, start: usize, draws: &mut Draws) -> Vec<Edit> {
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

fn cdata(text: &str, start: usize, _: &mut Draws) -> Vec<Edit> {
    let end = start + text.len();
    vec![(start..start, "<![CDATA[".to_owned()), (end..end, "]]>".to_owned())]
}

fn character_reference(text: &str, start: usize, draws: &mut Draws) -> Vec<Edit> {
    let at = pick_letter(text, draws).expect("only asked of a text with letters");
    vec![(start + at..start + at + 1, format!("&#{};", text.as_bytes()[at]))]
}

fn line_ending(text: &str, start: usize, _: &mut Draws) -> Vec<Edit> {
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
