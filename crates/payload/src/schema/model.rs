//! A schema of XML as it is written, with its names resolved.

use std::collections::BTreeMap;
use std::sync::Arc;

/// The namespace of XML Schema.
pub(super) const SCHEMA_NAMESPACE: &str = "http://www.w3.org/2001/XMLSchema";

/// The namespace of `xml:lang`, whose prefix needs no declaration.
pub(super) const XML_NAMESPACE: &str = "http://www.w3.org/XML/1998/namespace";

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
    /// Prefixes that the documents of the schema have for namespaces.
    pub(super) prefixes: BTreeMap<String, String>,
}

#[derive(Debug, Clone)]
pub(super) struct ElementDeclaration {
    pub(super) name: QualifiedName,
    pub(super) of: TypeReference,
    pub(super) value: Option<DeclaredValue>,
    pub(super) is_abstract: bool,
    pub(super) is_nillable: bool,
    pub(super) block: DerivationBlock,
    pub(super) identities: Vec<IdentityConstraint>,
    /// What is required of it and cannot be met.
    pub(super) refused: Option<&'static str>,
}

/// A value that an element or attribute has where it says nothing, or always.
#[derive(Debug, Clone)]
pub(super) struct DeclaredValue {
    pub(super) text: String,
    pub(super) is_fixed: bool,
}

/// In which ways nothing may stand in the place of an element.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct DerivationBlock {
    pub(super) substitution: bool,
    pub(super) extension: bool,
    pub(super) restriction: bool,
}

/// A key, values that are there once, or references to a key.
#[derive(Debug, Clone)]
pub(super) struct IdentityConstraint {
    pub(super) name: QualifiedName,
    pub(super) rule: IdentityRule,
    /// The elements that it is about, from the one that declares it.
    pub(super) selector: Vec<NamePath>,
    /// What is compared of each of them.
    pub(super) fields: Vec<Vec<NamePath>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum IdentityRule {
    Key,
    Unique,
    Reference(QualifiedName),
}

/// A path of the part of `XPath` that schemas may use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct NamePath {
    /// Whether it begins at any depth.
    pub(super) is_deep: bool,
    pub(super) children: Vec<NameTest>,
    pub(super) attribute: Option<NameTest>,
}

/// A name of a path; none for any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NameTest {
    pub(super) namespace: Option<String>,
    pub(super) local: Option<String>,
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
    Complex(Box<ComplexType>),
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
    pub(super) enumeration: Vec<EnumeratedValue>,
    /// Expressions of which one of each group must match: a group of each type that restricts another.
    pub(super) patterns: Vec<Vec<String>>,
    pub(super) length_min: Option<u32>,
    pub(super) length_max: Option<u32>,
    pub(super) least: Option<ValueBound>,
    pub(super) most: Option<ValueBound>,
    pub(super) fraction_digits: Option<u32>,
    pub(super) total_digits: Option<u32>,
    /// What is required and cannot be met.
    pub(super) refused: Option<&'static str>,
}

/// A value of an enumeration, and the name that it is if values of its type are names.
#[derive(Debug, Clone)]
pub(super) struct EnumeratedValue {
    pub(super) text: String,
    pub(super) name: QualifiedName,
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
    /// Text may stand between the elements.
    pub(super) is_mixed: bool,
    /// The type of the text, where a restriction has one within.
    pub(super) text: Option<TypeReference>,
    pub(super) facets: ValueFacets,
    pub(super) attributes: AttributeList,
    pub(super) is_abstract: bool,
    pub(super) block: DerivationBlock,
    /// What is required and cannot be met.
    pub(super) refused: Option<&'static str>,
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
    pub(super) value: Option<DeclaredValue>,
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
    /// Any element of some namespaces.
    Any(ElementWildcard),
}

/// Which elements may stand somewhere.
#[derive(Debug, Clone)]
pub(super) struct ElementWildcard {
    pub(super) namespaces: WildcardNamespaces,
    /// Whether an element has to be declared.
    pub(super) is_strict: bool,
}

#[derive(Debug, Clone)]
pub(super) enum WildcardNamespaces {
    Any,
    /// All but none and this one.
    Other(String),
    /// These, none of them empty but for no namespace.
    Listed(Vec<String>),
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

impl NameTest {
    pub(super) fn fits(&self, name: &QualifiedName) -> bool {
        self.namespace.as_ref().is_none_or(|namespace| *namespace == name.namespace)
            && self.local.as_ref().is_none_or(|local| *local == name.local)
    }
}

impl WildcardNamespaces {
    pub(super) fn has(&self, namespace: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Other(own) => !namespace.is_empty() && namespace != own,
            Self::Listed(all) => all.iter().any(|it| it == namespace),
        }
    }
}

impl ValueFacets {
    /// Whether nothing is required.
    pub(super) fn is_empty(&self) -> bool {
        self.enumeration.is_empty()
            && self.patterns.is_empty()
            && self.refused.is_none()
            && self.length_min.is_none()
            && self.length_max.is_none()
            && self.least.is_none()
            && self.most.is_none()
            && self.fraction_digits.is_none()
            && self.total_digits.is_none()
    }

    /// Returns these facets, and those of a base where these say nothing.
    pub(super) fn over(self, base: &Self) -> Self {
        let mut patterns = self.patterns;
        patterns.extend(base.patterns.iter().cloned());
        let enumeration =
            if self.enumeration.is_empty() { base.enumeration.clone() } else { self.enumeration };
        Self {
            enumeration,
            patterns,
            length_min: self.length_min.or(base.length_min),
            length_max: self.length_max.or(base.length_max),
            least: self.least.or_else(|| base.least.clone()),
            most: self.most.or_else(|| base.most.clone()),
            fraction_digits: self.fraction_digits.or(base.fraction_digits),
            total_digits: self.total_digits.or(base.total_digits),
            refused: self.refused.or(base.refused),
        }
    }
}
