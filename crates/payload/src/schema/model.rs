//! A schema of XML as it is written, with its names resolved.

use std::collections::BTreeMap;
use std::sync::Arc;

/// The namespace of XML Schema.
pub(super) const SCHEMA_NAMESPACE: &str = "http://www.w3.org/2001/XMLSchema";

/// A name in a namespace, which is empty for none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QualifiedName {
    /// The namespace.
    pub namespace: String,
    /// The name in it.
    pub local: String,
}

/// All that the documents of a schema declare.
#[derive(Debug, Clone, Default)]
pub(super) struct SchemaParts {
    pub(super) elements: BTreeMap<QualifiedName, Arc<ElementDeclaration>>,
    pub(super) types: BTreeMap<QualifiedName, Arc<SchemaType>>,
    pub(super) groups: BTreeMap<QualifiedName, Arc<SchemaParticle>>,
    pub(super) attributes: BTreeMap<QualifiedName, Arc<AttributeUse>>,
    pub(super) attribute_groups: BTreeMap<QualifiedName, Arc<AttributeList>>,
    /// Elements that may stand in the place of another one.
    pub(super) substitutes: BTreeMap<QualifiedName, Vec<QualifiedName>>,
}

#[derive(Debug, Clone)]
pub(super) struct ElementDeclaration {
    pub(super) name: QualifiedName,
    pub(super) of: TypeReference,
    pub(super) value: Option<String>,
    pub(super) is_abstract: bool,
}

/// A type by its name, or as it stands there.
#[derive(Debug, Clone)]
pub(super) enum TypeReference {
    Named(QualifiedName),
    Inline(Arc<SchemaType>),
}

#[derive(Debug, Clone)]
pub(super) enum SchemaType {
    Simple(SimpleType),
    Complex(ComplexType),
}

#[derive(Debug, Clone)]
pub(super) enum SimpleType {
    Restriction(TypeReference, ValueFacets),
    List(TypeReference),
    Union(Vec<TypeReference>),
}

/// What is required of a value.
#[derive(Debug, Clone, Default)]
pub(super) struct ValueFacets {
    pub(super) enumeration: Vec<String>,
    /// Expressions of which one must match.
    pub(super) patterns: Vec<String>,
    pub(super) length_min: Option<u32>,
    pub(super) length_max: Option<u32>,
    pub(super) least: Option<ValueBound>,
    pub(super) most: Option<ValueBound>,
    pub(super) fraction_digits: Option<u32>,
    pub(super) total_digits: Option<u32>,
}

#[derive(Debug, Clone)]
pub(super) struct ValueBound {
    pub(super) value: String,
    pub(super) is_included: bool,
}

#[derive(Debug, Clone, Default)]
pub(super) struct ComplexType {
    pub(super) base: Option<(TypeDerivation, TypeReference)>,
    pub(super) content: Option<SchemaParticle>,
    /// The content is a text of the base.
    pub(super) is_simple: bool,
    pub(super) facets: ValueFacets,
    pub(super) attributes: AttributeList,
    pub(super) is_abstract: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TypeDerivation {
    Extension,
    Restriction,
}

#[derive(Debug, Clone, Default)]
pub(super) struct AttributeList {
    pub(super) own: Vec<AttributeUse>,
    pub(super) groups: Vec<QualifiedName>,
}

#[derive(Debug, Clone)]
pub(super) struct AttributeUse {
    pub(super) name: QualifiedName,
    /// None of a reference, whose declaration has it.
    pub(super) of: Option<TypeReference>,
    pub(super) value: Option<String>,
    pub(super) need: AttributeNeed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AttributeNeed {
    Required,
    Optional,
    Prohibited,
}

/// Something that stands so many times.
#[derive(Debug, Clone)]
pub(super) struct SchemaParticle {
    pub(super) min: u32,
    /// None without an end.
    pub(super) max: Option<u32>,
    pub(super) term: ParticleTerm,
}

#[derive(Debug, Clone)]
pub(super) enum ParticleTerm {
    Reference(QualifiedName),
    Element(Arc<ElementDeclaration>),
    Group(QualifiedName),
    Sequence(Vec<SchemaParticle>),
    Choice(Vec<SchemaParticle>),
    /// Each once at most, in any order.
    All(Vec<SchemaParticle>),
    /// Anything of other namespaces.
    Any,
}

impl QualifiedName {
    /// Returns a name in a namespace.
    pub fn new(namespace: &str, local: &str) -> Self {
        Self { namespace: namespace.to_owned(), local: local.to_owned() }
    }

    /// The name of a type that XML Schema itself has.
    pub(super) fn built_in(local: &str) -> Self {
        Self::new(SCHEMA_NAMESPACE, local)
    }
}
