//! What is known about an XML pair before anybody compares it.

/// How the second document of an XML pair relates to the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PairClass {
    /// The same bytes.
    Identical,
    /// Written in another way, with the same content; whether a target calls it equal depends on
    /// its [`Semantics`].
    Equal,
    /// Another content, in one place.
    Different,
}

impl PairClass {
    /// Returns the name that manifests use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Identical => "identical",
            Self::Equal => "equal",
            Self::Different => "different",
        }
    }
}

/// What was done to a document to make the second one of a pair.
///
/// Those that change the content are named after the `ComparisonType` under which `XMLUnit` reports
/// them first, those that change the writing in lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DocumentChange {
    /// The attributes of an element stand in another order.
    AttributeOrder,
    /// Attribute values stand in the other kind of quotes.
    QuoteCharacter,
    /// `<a/>` is written `<a></a>`, or the other way round.
    EmptyElement,
    /// A namespace has another prefix.
    NamespacePrefix,
    /// White space between elements comes or goes.
    PrettyPrint,
    /// A text is written as a CDATA section.
    Cdata,
    /// A letter or digit is written as a reference.
    CharacterReference,
    /// The lines of a text end in CR LF.
    LineEnding,
    /// A comment comes before an element.
    Comment,
    /// A text has another letter or digit.
    TextValue,
    /// An attribute has another value.
    AttrValue,
    /// An attribute has another name.
    AttrName,
    /// An element has one more attribute.
    ElementNumAttributes,
    /// An element has another name.
    ElementTagName,
    /// An element has one more child.
    ChildNodelistLength,
    /// An element is gone.
    ChildLookup,
    /// Two neighbours of different names have changed places.
    ChildNodelistSequence,
    /// A prefix stands for another namespace.
    NamespaceUri,
    /// `xsi:schemaLocation` has another value.
    SchemaLocation,
    /// A processing instruction has another target.
    PiTarget,
    /// A processing instruction has other data.
    PiData,
}

impl DocumentChange {
    /// Every change, those of [`PairClass::Equal`] first.
    pub const ALL: [Self; 21] = [
        Self::AttributeOrder,
        Self::QuoteCharacter,
        Self::EmptyElement,
        Self::NamespacePrefix,
        Self::PrettyPrint,
        Self::Cdata,
        Self::CharacterReference,
        Self::LineEnding,
        Self::Comment,
        Self::TextValue,
        Self::AttrValue,
        Self::AttrName,
        Self::ElementNumAttributes,
        Self::ElementTagName,
        Self::ChildNodelistLength,
        Self::ChildLookup,
        Self::ChildNodelistSequence,
        Self::NamespaceUri,
        Self::SchemaLocation,
        Self::PiTarget,
        Self::PiData,
    ];

    /// Returns the name that specs and manifests use.
    pub fn name(self) -> &'static str {
        match self {
            Self::AttributeOrder => "attribute-order",
            Self::QuoteCharacter => "quote-character",
            Self::EmptyElement => "empty-element",
            Self::NamespacePrefix => "namespace-prefix",
            Self::PrettyPrint => "pretty-print",
            Self::Cdata => "cdata",
            Self::CharacterReference => "character-reference",
            Self::LineEnding => "line-ending",
            Self::Comment => "comment",
            Self::TextValue => "TEXT_VALUE",
            Self::AttrValue => "ATTR_VALUE",
            Self::AttrName => "ATTR_NAME_LOOKUP",
            Self::ElementNumAttributes => "ELEMENT_NUM_ATTRIBUTES",
            Self::ElementTagName => "ELEMENT_TAG_NAME",
            Self::ChildNodelistLength => "CHILD_NODELIST_LENGTH",
            Self::ChildLookup => "CHILD_LOOKUP",
            Self::ChildNodelistSequence => "CHILD_NODELIST_SEQUENCE",
            Self::NamespaceUri => "NAMESPACE_URI",
            Self::SchemaLocation => "SCHEMA_LOCATION",
            Self::PiTarget => "PROCESSING_INSTRUCTION_TARGET",
            Self::PiData => "PROCESSING_INSTRUCTION_DATA",
        }
    }

    /// Returns the change of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|change| change.name() == name)
    }

    /// Returns what the change makes of a pair.
    pub fn class(self) -> PairClass {
        match self {
            Self::AttributeOrder
            | Self::QuoteCharacter
            | Self::EmptyElement
            | Self::NamespacePrefix
            | Self::PrettyPrint
            | Self::Cdata
            | Self::CharacterReference
            | Self::LineEnding
            | Self::Comment => PairClass::Equal,
            Self::TextValue
            | Self::AttrValue
            | Self::AttrName
            | Self::ElementNumAttributes
            | Self::ElementTagName
            | Self::ChildNodelistLength
            | Self::ChildLookup
            | Self::ChildNodelistSequence
            | Self::NamespaceUri
            | Self::SchemaLocation
            | Self::PiTarget
            | Self::PiData => PairClass::Different,
        }
    }

    /// Returns whether the XML-Compare-API looks at this kind of thing at all; if so, the place
    /// decides whether it sees the change.
    pub(super) fn is_seen_by_api(self) -> bool {
        match self {
            Self::AttributeOrder
            | Self::QuoteCharacter
            | Self::PrettyPrint
            | Self::Comment
            | Self::ChildNodelistSequence
            | Self::PiTarget
            | Self::PiData => false,
            Self::EmptyElement
            | Self::NamespacePrefix
            | Self::Cdata
            | Self::CharacterReference
            | Self::LineEnding
            | Self::TextValue
            | Self::AttrValue
            | Self::AttrName
            | Self::ElementNumAttributes
            | Self::ElementTagName
            | Self::ChildNodelistLength
            | Self::ChildLookup
            | Self::NamespaceUri
            | Self::SchemaLocation => true,
        }
    }

    /// Returns whether the canonical forms, without comments, stay the same.
    fn keeps_canonical_form(self) -> bool {
        match self {
            Self::NamespacePrefix | Self::PrettyPrint => false,
            change => change.class() == PairClass::Equal,
        }
    }

    /// Returns whether `XMLUnit` calls the documents similar: its default evaluator forgives the
    /// prefix and the schema's location, and its default filter hides no comment.
    fn keeps_similarity(self) -> bool {
        match self {
            Self::PrettyPrint | Self::Comment => false,
            Self::SchemaLocation => true,
            change => change.class() == PairClass::Equal,
        }
    }
}

/// What a target means by "equal".
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Semantics {
    /// As the XML-Compare-API does it, its faults included.
    #[default]
    XmlCompareApi,
    /// Equal canonical forms (Canonical XML 1.0, without comments).
    C14n,
    /// What `XMLUnit` calls similar.
    XmlunitSimilar,
}

impl Semantics {
    /// Every semantics, in the order in which they are offered.
    pub const ALL: [Self; 3] = [Self::XmlCompareApi, Self::C14n, Self::XmlunitSimilar];

    /// Returns the name that configuration and manifests use.
    pub fn name(self) -> &'static str {
        match self {
            Self::XmlCompareApi => "xml-compare-api",
            Self::C14n => "c14n",
            Self::XmlunitSimilar => "xmlunit-similar",
        }
    }

    /// Returns the semantics of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|semantics| semantics.name() == name)
    }
}

/// What is true of an XML pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PairTruth {
    /// What was done to the second document, if anything.
    pub change: Option<DocumentChange>,
    /// Whether the XML-Compare-API looks at the changed place. It does not see self-closing
    /// elements, nor any but the last of those with the same path.
    pub is_seen_by_api: bool,
}

impl PairTruth {
    /// Returns what is true of a pair of the same bytes.
    pub(super) fn identical() -> Self {
        Self { change: None, is_seen_by_api: true }
    }

    /// Returns how the documents relate.
    pub fn class(self) -> PairClass {
        self.change.map_or(PairClass::Identical, DocumentChange::class)
    }

    /// Returns whether a target of these semantics should call the documents equal.
    pub fn matched(self, semantics: Semantics) -> bool {
        let Some(change) = self.change else { return true };
        match semantics {
            Semantics::XmlCompareApi => !(change.is_seen_by_api() && self.is_seen_by_api),
            Semantics::C14n => change.keeps_canonical_form(),
            Semantics::XmlunitSimilar => change.keeps_similarity(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The design's table "what counts as equal", and the changes that it does not list.
    #[test]
    fn every_change_has_a_verdict_under_every_semantics() {
        let line = |change| {
            let seen = PairTruth { change: Some(change), is_seen_by_api: true };
            let hidden = PairTruth { is_seen_by_api: false, ..seen };
            let sign =
                |truth: PairTruth, semantics| if truth.matched(semantics) { '=' } else { '≠' };
            format!(
                "{:30}{} {} {} {}",
                change.name(),
                sign(seen, Semantics::XmlCompareApi),
                sign(hidden, Semantics::XmlCompareApi),
                sign(seen, Semantics::C14n),
                sign(seen, Semantics::XmlunitSimilar),
            )
        };
        let lines: Vec<_> = DocumentChange::ALL.into_iter().map(line).collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
        attribute-order               = = = =
        quote-character               = = = =
        empty-element                 ≠ = = =
        namespace-prefix              ≠ = ≠ =
        pretty-print                  = = ≠ ≠
        cdata                         ≠ = = =
        character-reference           ≠ = = =
        line-ending                   ≠ = = =
        comment                       = = = ≠
        TEXT_VALUE                    ≠ = ≠ ≠
        ATTR_VALUE                    ≠ = ≠ ≠
        ATTR_NAME_LOOKUP              ≠ = ≠ ≠
        ELEMENT_NUM_ATTRIBUTES        ≠ = ≠ ≠
        ELEMENT_TAG_NAME              ≠ = ≠ ≠
        CHILD_NODELIST_LENGTH         ≠ = ≠ ≠
        CHILD_LOOKUP                  ≠ = ≠ ≠
        CHILD_NODELIST_SEQUENCE       = = ≠ ≠
        NAMESPACE_URI                 ≠ = ≠ ≠
        SCHEMA_LOCATION               ≠ = ≠ =
        PROCESSING_INSTRUCTION_TARGET = = ≠ ≠
        PROCESSING_INSTRUCTION_DATA   = = ≠ ≠
        ");
        for change in DocumentChange::ALL {
            assert_eq!(DocumentChange::from_name(change.name()), Some(change));
        }
    }
}
