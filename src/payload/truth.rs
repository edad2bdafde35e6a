//! What is known about an XML pair before anybody compares it.

/// How the second document of an XML pair relates to the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The same bytes.
    Identical,
    /// Other bytes, the same document; whether a target says so depends on its [`Semantics`].
    Equal,
    /// Another document.
    Different,
}

impl Class {
    /// Returns the name that manifests use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Identical => "identical",
            Self::Equal => "equal",
            Self::Different => "different",
        }
    }
}

/// The one place in which two documents differ, named after `XMLUnit`'s `ComparisonType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference {
    /// An attribute has another value.
    AttrValue,
    /// A text has other characters.
    TextValue,
}

impl Difference {
    /// Returns the name that manifests use: `XMLUnit`'s constant.
    pub fn name(self) -> &'static str {
        match self {
            Self::AttrValue => "ATTR_VALUE",
            Self::TextValue => "TEXT_VALUE",
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
pub struct Truth {
    /// How deep the elements nest; the root alone is 1.
    pub depth: u32,
    /// The difference, where there is one.
    pub difference: Option<Difference>,
}

impl Truth {
    /// Returns how the documents relate.
    pub fn class(self) -> Class {
        match self.difference {
            None => Class::Identical,
            Some(Difference::AttrValue | Difference::TextValue) => Class::Different,
        }
    }

    /// Returns whether a target of these semantics should call the documents equal.
    pub fn matched(self, semantics: Semantics) -> bool {
        match semantics {
            Semantics::XmlCompareApi | Semantics::C14n | Semantics::XmlunitSimilar => {
                self.class() == Class::Identical
            }
        }
    }
}
