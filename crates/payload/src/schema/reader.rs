//! Reads documents of XML Schema 1.0 into their parts.

use std::sync::Arc;

use roxmltree::Node;

use super::identity_path::paths;
use super::model::{
    AttributeList, AttributeNeed, AttributeUse, ComplexType, DeclaredValue, DerivationBlock,
    ElementDeclaration, ElementWildcard, EnumeratedValue, IdentityConstraint, IdentityRule,
    ParticleTerm, QualifiedName, SCHEMA_NAMESPACE, SchemaParticle, SchemaParts, SchemaType,
    SimpleType, TypeDerivation, TypeReference, ValueBound, ValueFacets, WildcardNamespaces,
    XML_NAMESPACE,
};

/// Types within types: a document may be deeper than a stack.
const DEPTH_MAX: usize = 100;

/// Ends the name of what a redefinition took the place of: no name that is written has it.
const REDEFINED: &str = "#redefined";

/// A document of a schema, and the namespace that its names are in.
struct SchemaReader<'p> {
    parts: &'p mut SchemaParts,
    namespace: String,
    qualifies_elements: bool,
    qualifies_attributes: bool,
    /// What may not stand in the place of elements and types that say nothing of it.
    block: DerivationBlock,
    depth: usize,
    /// What is being redefined: within, its name is that of what was there before.
    redefined: Option<QualifiedName>,
}

/// Adds what an element `schema` declares. Returns the places of the documents that it includes and imports.
/// `within` is the namespace of what includes it.
pub(super) fn add(
    parts: &mut SchemaParts,
    schema: Node<'_, '_>,
    within: Option<&str>,
) -> Vec<(String, Option<String>)> {
    let mut reader = SchemaReader::new(parts, schema, within);
    for namespace in schema.namespaces() {
        let Some(prefix) = namespace.name().filter(|it| !it.starts_with("xml")) else { continue };
        let known = reader.parts.prefixes.entry(namespace.uri().to_owned());
        known.or_insert_with(|| prefix.to_owned());
    }
    let mut others = Vec::new();
    for child in children(schema) {
        match child.tag_name().name() {
            "include" | "redefine" => {
                let location = child.attribute("schemaLocation").map(str::to_owned);
                others.extend(location.map(|it| (it, Some(reader.namespace.clone()))));
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

/// Whether a schema redefines what another one declares.
pub(super) fn redefines(schema: Node<'_, '_>) -> bool {
    children(schema).any(|child| child.tag_name().name() == "redefine")
}

/// Puts what a schema redefines in the place of what it includes, all of which has been added.
pub(super) fn redefine(parts: &mut SchemaParts, schema: Node<'_, '_>, within: Option<&str>) {
    let mut reader = SchemaReader::new(parts, schema, within);
    let redefinitions = children(schema).filter(|child| child.tag_name().name() == "redefine");
    for child in redefinitions.flat_map(children) {
        let Some(name) = child.attribute("name") else { continue };
        let name = QualifiedName::new(&reader.namespace, name);
        reader.put_aside(&name, child.tag_name().name());
        reader.redefined = Some(name);
        reader.declare(child);
        reader.redefined = None;
    }
}

impl<'p> SchemaReader<'p> {
    fn new(parts: &'p mut SchemaParts, schema: Node<'_, '_>, within: Option<&str>) -> Self {
        let form = |name: &str| schema.attribute(name) == Some("qualified");
        let own = schema.attribute("targetNamespace");
        Self {
            parts,
            namespace: own.or(within).unwrap_or_default().to_owned(),
            qualifies_elements: form("elementFormDefault"),
            qualifies_attributes: form("attributeFormDefault"),
            block: block(schema.attribute("blockDefault").unwrap_or_default()),
            depth: 0,
            redefined: None,
        }
    }
}

impl SchemaReader<'_> {
    /// Renames what a redefinition takes the place of.
    fn put_aside(&mut self, name: &QualifiedName, kind: &str) {
        let aside = redefined_name(name);
        match kind {
            "complexType" | "simpleType" => {
                let old = self.parts.types.remove(name);
                self.parts.types.extend(old.map(|old| (aside, old)));
            }
            "group" => {
                let old = self.parts.groups.remove(name);
                self.parts.groups.extend(old.map(|old| (aside, old)));
            }
            "attributeGroup" => {
                let old = self.parts.attribute_groups.remove(name);
                self.parts.attribute_groups.extend(old.map(|old| (aside, old)));
            }
            _ => {}
        }
    }

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
                let complex = SchemaType::Complex(Box::new(self.complex(node)));
                self.parts.types.insert(name, Arc::new(complex));
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
        let is_xml = prefix == Some("xml");
        let known = node.lookup_namespace_uri(prefix).or(is_xml.then_some(XML_NAMESPACE));
        let namespace = known.unwrap_or(&self.namespace);
        let name = QualifiedName::new(namespace, local);
        if self.redefined.as_ref() == Some(&name) { redefined_name(&name) } else { name }
    }

    fn element(&mut self, node: Node<'_, '_>, name: QualifiedName) -> ElementDeclaration {
        let refused = children(node).any(|it| it.tag_name().name() == "alternative");
        ElementDeclaration {
            name,
            of: self.type_of(node).unwrap_or_else(any_type),
            value: declared_value(node),
            is_abstract: is_true(node, "abstract"),
            is_nillable: is_true(node, "nillable"),
            block: node.attribute("block").map_or(self.block, block),
            identities: children(node).filter_map(|it| self.identity(it)).collect(),
            refused: refused.then_some("xs:alternative"),
        }
    }

    fn identity(&self, node: Node<'_, '_>) -> Option<IdentityConstraint> {
        let rule = match node.tag_name().name() {
            "key" => IdentityRule::Key,
            "unique" => IdentityRule::Unique,
            "keyref" => IdentityRule::Reference(self.name(node, node.attribute("refer")?)),
            _ => return None,
        };
        let path = |child: Node<'_, '_>| paths(child, child.attribute("xpath").unwrap_or_default());
        let of = |name: &'static str| children(node).filter(move |it| it.tag_name().name() == name);
        Some(IdentityConstraint {
            name: QualifiedName::new(&self.namespace, node.attribute("name")?),
            rule,
            selector: of("selector").next().map(path)?,
            fields: of("field").map(path).collect(),
        })
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
            "complexType" => Some(SchemaType::Complex(Box::new(self.complex(child)))),
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
                    return SimpleType::Restriction(base, self.facets(child));
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
        let asserts = |node: Node<'_, '_>| {
            children(node).find_map(|it| match it.tag_name().name() {
                "assert" => Some("xs:assert"),
                "openContent" => Some("xs:openContent"),
                _ => None,
            })
        };
        let own = ComplexType {
            is_mixed: is_true(node, "mixed"),
            is_abstract: is_true(node, "abstract"),
            block: node.attribute("block").map_or(self.block, block),
            refused: asserts(node),
            ..ComplexType::default()
        };
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
            let is_simple = kind == "simpleContent";
            return ComplexType {
                base: Some((derivation, base)),
                content: self.content(derived),
                is_simple,
                is_mixed: own.is_mixed || is_true(child, "mixed"),
                text: if is_simple { self.type_of(derived) } else { None },
                facets: self.facets(derived),
                attributes: self.attributes(derived),
                refused: own.refused.or_else(|| asserts(derived)),
                ..own
            };
        }
        ComplexType { content: self.content(node), attributes: self.attributes(node), ..own }
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
            "any" => Some(ParticleTerm::Any(self.wildcard(node))),
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

    fn wildcard(&self, node: Node<'_, '_>) -> ElementWildcard {
        let listed = |text: &str| match text {
            "##targetNamespace" => self.namespace.clone(),
            "##local" => String::new(),
            other => other.to_owned(),
        };
        let namespaces = match node.attribute("namespace").map(str::trim) {
            None | Some("##any") => WildcardNamespaces::Any,
            Some("##other") => WildcardNamespaces::Other(self.namespace.clone()),
            Some(list) => WildcardNamespaces::Listed(list.split_whitespace().map(listed).collect()),
        };
        let is_strict = !matches!(node.attribute("processContents"), Some("lax" | "skip"));
        ElementWildcard { namespaces, is_strict }
    }

    fn facets(&self, node: Node<'_, '_>) -> ValueFacets {
        let mut facets = ValueFacets::default();
        let mut patterns = Vec::new();
        for child in children(node) {
            let Some(value) = child.attribute("value") else {
                if child.tag_name().name() == "assertion" {
                    facets.refused = Some("xs:assertion");
                }
                continue;
            };
            let number = || value.trim().parse::<u32>().ok();
            let bound =
                |is_included| Some(ValueBound { value: value.trim().to_owned(), is_included });
            match child.tag_name().name() {
                "enumeration" => {
                    let name = self.name(child, value);
                    facets.enumeration.push(EnumeratedValue { text: value.to_owned(), name });
                }
                "pattern" => patterns.push(value.to_owned()),
                "length" => (facets.length_min, facets.length_max) = (number(), number()),
                "minLength" => facets.length_min = number(),
                "maxLength" => facets.length_max = number(),
                "minInclusive" => facets.least = bound(true),
                "minExclusive" => facets.least = bound(false),
                "maxInclusive" => facets.most = bound(true),
                "maxExclusive" => facets.most = bound(false),
                "fractionDigits" => facets.fraction_digits = number(),
                "totalDigits" => facets.total_digits = number(),
                "explicitTimezone" => facets.refused = Some("xs:explicitTimezone"),
                _ => {}
            }
        }
        if !patterns.is_empty() {
            facets.patterns.push(patterns);
        }
        facets
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
        AttributeUse {
            name,
            of: Some(self.type_of(node).unwrap_or_else(plain_text)),
            value: declared_value(node),
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

fn redefined_name(name: &QualifiedName) -> QualifiedName {
    QualifiedName::new(&name.namespace, &format!("{}{REDEFINED}", name.local))
}

fn declared_value(node: Node<'_, '_>) -> Option<DeclaredValue> {
    let (fixed, default) = (node.attribute("fixed"), node.attribute("default"));
    let text = fixed.or(default)?.to_owned();
    Some(DeclaredValue { text, is_fixed: fixed.is_some() })
}

fn block(text: &str) -> DerivationBlock {
    let has = |word: &str| text.split_whitespace().any(|it| it == word || it == "#all");
    DerivationBlock {
        substitution: has("substitution"),
        extension: has("extension"),
        restriction: has("restriction"),
    }
}
