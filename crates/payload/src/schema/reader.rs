//! Reads documents of XML Schema 1.0 into their parts.

use std::sync::Arc;

use roxmltree::Node;

use super::model::{
    AttributeList, AttributeNeed, AttributeUse, ComplexType, ElementDeclaration, ParticleTerm,
    QualifiedName, SCHEMA_NAMESPACE, SchemaParticle, SchemaParts, SchemaType, SimpleType,
    TypeDerivation, TypeReference, ValueBound, ValueFacets,
};

/// Types within types: a document may be deeper than a stack.
const DEPTH_MAX: usize = 100;

/// A document of a schema, and the namespace that its names are in.
struct SchemaReader<'p> {
    parts: &'p mut SchemaParts,
    namespace: String,
    qualifies_elements: bool,
    qualifies_attributes: bool,
    depth: usize,
}

/// Adds what an element `schema` declares. Returns the places of the documents that it includes and imports.
/// `within` is the namespace of what includes it.
pub(super) fn add(
    parts: &mut SchemaParts,
    schema: Node<'_, '_>,
    within: Option<&str>,
) -> Vec<(String, Option<String>)> {
    let form = |name: &str| schema.attribute(name) == Some("qualified");
    let own = schema.attribute("targetNamespace");
    let namespace = own.or(within).unwrap_or_default().to_owned();
    let mut reader = SchemaReader {
        parts,
        namespace: namespace.clone(),
        qualifies_elements: form("elementFormDefault"),
        qualifies_attributes: form("attributeFormDefault"),
        depth: 0,
    };
    let mut others = Vec::new();
    for child in schema.children().filter(Node::is_element) {
        match child.tag_name().name() {
            "include" | "redefine" => {
                let location = child.attribute("schemaLocation").map(str::to_owned);
                others.extend(location.map(|it| (it, Some(namespace.clone()))));
            }
            "import" => {
                let location = child.attribute("schemaLocation").map(str::to_owned);
                others.extend(location.map(|it| (it, None)));
            }
            _ => reader.declare(child),
        }
    }
    others
}

impl SchemaReader<'_> {
    fn declare(&mut self, node: Node<'_, '_>) {
        let Some(name) = node.attribute("name") else { return };
        let name = QualifiedName::new(&self.namespace, name);
        match node.tag_name().name() {
            "element" => {
                let element = self.element(node, name.clone());
                if let Some(head) = node.attribute("substitutionGroup") {
                    let head = self.name(node, head);
                    self.parts.substitutes.entry(head).or_default().push(name.clone());
                }
                self.parts.elements.insert(name, Arc::new(element));
            }
            "complexType" => {
                let complex = self.complex(node);
                self.parts.types.insert(name, Arc::new(SchemaType::Complex(complex)));
            }
            "simpleType" => {
                let simple = self.simple(node);
                self.parts.types.insert(name, Arc::new(SchemaType::Simple(simple)));
            }
            "group" => {
                if let Some(particle) = self.content(node) {
                    self.parts.groups.insert(name, Arc::new(particle));
                }
            }
            "attributeGroup" => {
                let attributes = self.attributes(node);
                self.parts.attribute_groups.insert(name, Arc::new(attributes));
            }
            "attribute" => {
                let attribute = self.attribute(node, name.clone());
                self.parts.attributes.insert(name, Arc::new(attribute));
            }
            _ => {}
        }
    }

    /// A name with a prefix, in its namespace. Without a declaration it is one of this document: that of a
    /// schema without a namespace which is included elsewhere.
    fn name(&self, node: Node<'_, '_>, text: &str) -> QualifiedName {
        let (prefix, local) = match text.trim().split_once(':') {
            Some((prefix, local)) => (Some(prefix), local),
            None => (None, text.trim()),
        };
        let namespace = node.lookup_namespace_uri(prefix).unwrap_or(&self.namespace);
        QualifiedName::new(namespace, local)
    }

    fn element(&mut self, node: Node<'_, '_>, name: QualifiedName) -> ElementDeclaration {
        let value = node.attribute("fixed").or(node.attribute("default"));
        ElementDeclaration {
            name,
            of: self.type_of(node).unwrap_or_else(any_type),
            value: value.map(str::to_owned),
            is_abstract: is_true(node, "abstract"),
        }
    }

    /// The type that an element or attribute names, or has within.
    fn type_of(&mut self, node: Node<'_, '_>) -> Option<TypeReference> {
        if let Some(name) = node.attribute("type") {
            return Some(TypeReference::Named(self.name(node, name)));
        }
        if self.depth >= DEPTH_MAX {
            return None;
        }
        self.depth += 1;
        let of = children(node).find_map(|child| match child.tag_name().name() {
            "complexType" => Some(SchemaType::Complex(self.complex(child))),
            "simpleType" => Some(SchemaType::Simple(self.simple(child))),
            _ => None,
        });
        self.depth -= 1;
        of.map(|of| TypeReference::Inline(Arc::new(of)))
    }

    fn simple(&mut self, node: Node<'_, '_>) -> SimpleType {
        for child in children(node) {
            match child.tag_name().name() {
                "restriction" => {
                    let base = self.base(child);
                    return SimpleType::Restriction(base, facets(child));
                }
                "list" => {
                    let named = child.attribute("itemType").map(|it| self.name(child, it));
                    let item = named.map(TypeReference::Named).or_else(|| self.type_of(child));
                    let item = item.unwrap_or_else(plain_text);
                    return SimpleType::List(item);
                }
                "union" => {
                    let names = child.attribute("memberTypes").unwrap_or_default();
                    let names = names.split_whitespace().map(|it| self.name(child, it));
                    let mut members: Vec<_> = names.map(TypeReference::Named).collect();
                    for inner in children(child).filter(|it| it.tag_name().name() == "simpleType") {
                        if self.depth < DEPTH_MAX {
                            self.depth += 1;
                            let inner = SchemaType::Simple(self.simple(inner));
                            members.push(TypeReference::Inline(Arc::new(inner)));
                            self.depth -= 1;
                        }
                    }
                    return SimpleType::Union(members);
                }
                _ => {}
            }
        }
        SimpleType::Restriction(plain_text(), ValueFacets::default())
    }

    /// The base of a restriction or an extension.
    fn base(&mut self, node: Node<'_, '_>) -> TypeReference {
        let named = node.attribute("base").map(|it| TypeReference::Named(self.name(node, it)));
        named.or_else(|| self.type_of(node)).unwrap_or_else(plain_text)
    }

    fn complex(&mut self, node: Node<'_, '_>) -> ComplexType {
        let is_abstract = is_true(node, "abstract");
        for child in children(node) {
            let kind = child.tag_name().name();
            if kind != "simpleContent" && kind != "complexContent" {
                continue;
            }
            let derived = children(child)
                .find(|it| matches!(it.tag_name().name(), "extension" | "restriction"));
            let Some(derived) = derived else { continue };
            let derivation = match derived.tag_name().name() {
                "extension" => TypeDerivation::Extension,
                _ => TypeDerivation::Restriction,
            };
            let named = derived.attribute("base").map(|it| self.name(derived, it));
            let base = named.map_or_else(any_type, TypeReference::Named);
            return ComplexType {
                base: Some((derivation, base)),
                content: self.content(derived),
                is_simple: kind == "simpleContent",
                facets: facets(derived),
                attributes: self.attributes(derived),
                is_abstract,
            };
        }
        let (content, attributes) = (self.content(node), self.attributes(node));
        ComplexType { content, attributes, is_abstract, ..ComplexType::default() }
    }

    /// The one particle of a type or a group, if it has one.
    fn content(&mut self, node: Node<'_, '_>) -> Option<SchemaParticle> {
        let kinds = ["sequence", "choice", "all", "group"];
        let child = children(node).find(|it| kinds.contains(&it.tag_name().name()))?;
        self.particle(child)
    }

    fn particle(&mut self, node: Node<'_, '_>) -> Option<SchemaParticle> {
        if self.depth >= DEPTH_MAX {
            return None;
        }
        self.depth += 1;
        let term = self.term(node);
        self.depth -= 1;
        let bound = |name: &str| node.attribute(name).map(|text| text.trim().parse::<u32>());
        let max = match bound("maxOccurs") {
            Some(Ok(max)) => Some(max),
            Some(Err(_)) => None,
            None => Some(1),
        };
        let min = bound("minOccurs").and_then(Result::ok).unwrap_or(1);
        Some(SchemaParticle { min, max, term: term? })
    }

    fn term(&mut self, node: Node<'_, '_>) -> Option<ParticleTerm> {
        let inner = |reader: &mut Self| {
            children(node).filter_map(|child| reader.particle(child)).collect::<Vec<_>>()
        };
        match node.tag_name().name() {
            "sequence" => Some(ParticleTerm::Sequence(inner(self))),
            "choice" => Some(ParticleTerm::Choice(inner(self))),
            "all" => Some(ParticleTerm::All(inner(self))),
            "group" => {
                let name = node.attribute("ref")?;
                Some(ParticleTerm::Group(self.name(node, name)))
            }
            "any" => Some(ParticleTerm::Any),
            "element" => match (node.attribute("ref"), node.attribute("name")) {
                (Some(name), _) => Some(ParticleTerm::Reference(self.name(node, name))),
                (None, Some(name)) => {
                    let is_qualified = match node.attribute("form") {
                        Some(form) => form == "qualified",
                        None => self.qualifies_elements,
                    };
                    let namespace = if is_qualified { self.namespace.as_str() } else { "" };
                    let name = QualifiedName::new(namespace, name);
                    Some(ParticleTerm::Element(Arc::new(self.element(node, name))))
                }
                (None, None) => None,
            },
            _ => None,
        }
    }

    fn attributes(&mut self, node: Node<'_, '_>) -> AttributeList {
        let mut list = AttributeList::default();
        for child in children(node) {
            match (child.tag_name().name(), child.attribute("ref"), child.attribute("name")) {
                ("attributeGroup", Some(name), _) => list.groups.push(self.name(child, name)),
                ("attribute", Some(name), _) => {
                    let name = self.name(child, name);
                    let attribute = self.attribute(child, name);
                    list.own.push(AttributeUse { of: None, ..attribute });
                }
                ("attribute", None, Some(name)) => {
                    let is_qualified = match child.attribute("form") {
                        Some(form) => form == "qualified",
                        None => self.qualifies_attributes,
                    };
                    let namespace =
                        if is_qualified { self.namespace.clone() } else { String::new() };
                    let attribute = self.attribute(child, QualifiedName::new(&namespace, name));
                    list.own.push(attribute);
                }
                _ => {}
            }
        }
        list
    }

    fn attribute(&mut self, node: Node<'_, '_>, name: QualifiedName) -> AttributeUse {
        let value = node.attribute("fixed").or(node.attribute("default"));
        AttributeUse {
            name,
            of: Some(self.type_of(node).unwrap_or_else(plain_text)),
            value: value.map(str::to_owned),
            need: match node.attribute("use") {
                Some("required") => AttributeNeed::Required,
                Some("prohibited") => AttributeNeed::Prohibited,
                _ => AttributeNeed::Optional,
            },
        }
    }
}

/// The elements of XML Schema within one.
fn children<'a, 'i>(node: Node<'a, 'i>) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children().filter(|child| child.tag_name().namespace() == Some(SCHEMA_NAMESPACE))
}

fn is_true(node: Node<'_, '_>, name: &str) -> bool {
    matches!(node.attribute(name), Some("true" | "1"))
}

fn any_type() -> TypeReference {
    TypeReference::Named(QualifiedName::built_in("anyType"))
}

fn plain_text() -> TypeReference {
    TypeReference::Named(QualifiedName::built_in("string"))
}

fn facets(node: Node<'_, '_>) -> ValueFacets {
    let mut facets = ValueFacets::default();
    for child in children(node) {
        let Some(value) = child.attribute("value") else { continue };
        let number = || value.trim().parse::<u32>().ok();
        let bound = |is_included| Some(ValueBound { value: value.trim().to_owned(), is_included });
        match child.tag_name().name() {
            "enumeration" => facets.enumeration.push(value.to_owned()),
            "pattern" => facets.patterns.push(value.to_owned()),
            "length" => (facets.length_min, facets.length_max) = (number(), number()),
            "minLength" => facets.length_min = number(),
            "maxLength" => facets.length_max = number(),
            "minInclusive" => facets.least = bound(true),
            "minExclusive" => facets.least = bound(false),
            "maxInclusive" => facets.most = bound(true),
            "maxExclusive" => facets.most = bound(false),
            "fractionDigits" => facets.fraction_digits = number(),
            "totalDigits" => facets.total_digits = number(),
            _ => {}
        }
    }
    facets
}
