//! What a schema requires and documents cannot have.

use thiserror::Error;

/// A construct of a schema for which no document is made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SchemaConstruct {
    /// A part of XML Schema that is not followed, such as `xs:assert` of version 1.1.
    #[error("`{0}`")]
    Feature(&'static str),
    /// Values of a type of XML Schema that need more than the document.
    #[error("values of `xs:{0}`")]
    BuiltIn(String),
    /// An expression that is not read, or contradicts what else is required of the value.
    #[error("the pattern `{0}`")]
    Pattern(String),
    /// What is required of values of a type.
    #[error("facets of `xs:{0}` that no value is known to meet")]
    Facets(String),
    /// A type that is named and not declared.
    #[error("the type `{0}`, which is not declared")]
    MissingType(String),
    /// An element that is named and not declared.
    #[error("the element `{0}`, which is not declared")]
    MissingElement(String),
    /// An attribute that is named and not declared.
    #[error("the attribute `{0}`, which is not declared")]
    MissingAttribute(String),
    /// A group that is named and not declared.
    #[error("the group `{0}`, which is not declared")]
    MissingGroup(String),
    /// An abstract element or type that nothing stands in for.
    #[error("the abstract `{0}`, in whose place nothing may stand")]
    Abstract(String),
    /// An element of a wildcard, of which none is declared.
    #[error("`xs:any` where no element is declared that may stand there")]
    Wildcard,
    /// A least number that is too large.
    #[error("`minOccurs=\"{0}\"`")]
    Repetition(u32),
    /// Content that never ends.
    #[error("content that leads back to itself without an end")]
    Endless,
    /// Documents that grow too large or too deep.
    #[error("documents of more than {0}")]
    Size(&'static str),
    /// Keys of a type that has too few values.
    #[error("keys (`xs:key`, `xs:unique`, `xs:ID`) of a type that has too few values")]
    Keys,
    /// References to what need not be there.
    #[error("references (`xs:keyref`, `xs:IDREF`) to what no document has to hold")]
    References,
    /// Types, groups or lists that are too deep within each other, or lead back to themselves.
    #[error("types within types without an end")]
    Nesting,
}
