//! Writes a document of a schema.

use std::sync::Arc;

use quick_xml::escape::escape;

use super::model::{
    AttributeList, AttributeNeed, AttributeUse, ComplexType, ElementDeclaration, ParticleTerm,
    QualifiedName, SCHEMA_NAMESPACE, SchemaParticle, SchemaParts, SchemaType, TypeDerivation,
    TypeReference, ValueFacets,
};
use super::values::{TypePlace, ValueMaker};

/// Elements within elements.
const DEPTH_MAX: usize = 40;
/// Elements within elements as long as optional ones are written.
const OPTIONAL_DEPTH_MAX: usize = 12;
/// Bytes of a document, at most.
const BYTES_MAX: usize = 1 << 20;
/// Bytes as long as optional elements are written.
const OPTIONAL_BYTES_MAX: usize = 32 << 10;
/// Steps of one document: choices that end nowhere cost them without a byte.
const STEPS_MAX: usize = 200_000;

/// Writes one document.
pub(super) struct DocumentWriter<'p> {
    values: ValueMaker<'p>,
    parts: &'p SchemaParts,
    out: String,
    /// Namespaces by the number of their prefix.
    namespaces: Vec<String>,
    depth: usize,
    /// Types that the current element stands in, by their address.
    open: Vec<*const SchemaType>,
    steps: usize,
}

/// The parts of an element's type, with those of its bases.
#[derive(Default)]
struct ContentBuilder<'p> {
    /// In the order of the document.
    particles: Vec<&'p SchemaParticle>,
    attributes: Vec<&'p AttributeUse>,
    /// Groups of attributes that were gathered.
    groups: Vec<&'p QualifiedName>,
    /// The type of the text, if it has one.
    text: Option<(&'p TypeReference, ValueFacets)>,
}

impl<'p> DocumentWriter<'p> {
    pub(super) fn new(parts: &'p SchemaParts) -> Self {
        Self {
            values: ValueMaker::new(parts),
            parts,
            out: String::new(),
            namespaces: Vec::new(),
            depth: 0,
            open: Vec::new(),
            steps: 0,
        }
    }

    pub(super) fn document(mut self, root: &QualifiedName) -> Option<String> {
        let root = self.parts.elements.get(root)?;
        self.write_element(root)?;
        Some(self.finish())
    }

    pub(super) fn element(mut self, name: &QualifiedName, of: &'p QualifiedName) -> Option<String> {
        let of = if of.namespace == SCHEMA_NAMESPACE {
            TypePlace::BuiltIn(&of.local)
        } else {
            TypePlace::Own(self.parts.types.get(of)?)
        };
        self.write_typed(name, None, of)?;
        Some(self.finish())
    }

    /// The text, with the prefixes declared on its first element.
    fn finish(self) -> String {
        let end = self.out.find([' ', '>', '/', '\n']).unwrap_or(self.out.len());
        let (name, rest) = self.out.split_at(end);
        let mut out = name.to_owned();
        for (number, namespace) in self.namespaces.iter().enumerate() {
            out.extend([format!(" xmlns:n{number}=\"{}\"", escape(namespace))]);
        }
        out + rest
    }

    /// A name as it is written, with a prefix for its namespace.
    fn tag(&mut self, name: &QualifiedName) -> String {
        if name.namespace.is_empty() {
            return name.local.clone();
        }
        if name.namespace == "http://www.w3.org/XML/1998/namespace" {
            return format!("xml:{}", name.local);
        }
        let known = self.namespaces.iter().position(|it| *it == name.namespace);
        let number = known.unwrap_or_else(|| {
            self.namespaces.push(name.namespace.clone());
            self.namespaces.len() - 1
        });
        format!("n{number}:{}", name.local)
    }

    fn write_element(&mut self, element: &'p Arc<ElementDeclaration>) -> Option<()> {
        if element.is_abstract {
            let substitute = self.parts.substitutes.get(&element.name)?.first()?;
            let substitute = self.parts.elements.get(substitute)?;
            return self.deeper(|writer| writer.write_element(substitute));
        }
        let of = self.values.place(&element.of)?;
        self.write_typed(&element.name, element.value.as_deref(), of)
    }

    /// Counts a level, and a step. Whatever was written is taken back if it cannot be ended.
    fn deeper(&mut self, write: impl FnOnce(&mut Self) -> Option<()>) -> Option<()> {
        self.steps += 1;
        if self.depth >= DEPTH_MAX || self.steps > STEPS_MAX || self.out.len() > BYTES_MAX {
            return None;
        }
        let (length, opened) = (self.out.len(), self.open.len());
        self.depth += 1;
        let written = write(self);
        self.depth -= 1;
        if written.is_none() {
            self.out.truncate(length);
            self.open.truncate(opened);
        }
        written
    }

    /// Writes an element of a type, with a text of its own if that is fixed.
    fn write_typed(
        &mut self,
        name: &QualifiedName,
        value: Option<&str>,
        of: TypePlace<'p>,
    ) -> Option<()> {
        self.deeper(|writer| {
            let tag = writer.tag(name);
            writer.out.extend([format!("<{tag}")]);
            match of {
                // Anything may stand in it, so that nothing must.
                TypePlace::BuiltIn("anyType") => {
                    writer.close_tag(&tag, value.unwrap_or_default());
                    return Some(());
                }
                TypePlace::BuiltIn(_) => {}
                TypePlace::Own(own) => {
                    if let SchemaType::Complex(complex) = &**own {
                        writer.open.push(Arc::as_ptr(own));
                        writer.write_complex(&tag, value, complex)?;
                        writer.open.pop();
                        return Some(());
                    }
                }
            }
            let text = match value {
                Some(value) => value.to_owned(),
                None => writer.values.value(of, &ValueFacets::default())?,
            };
            writer.close_tag(&tag, &text);
            Some(())
        })
    }

    fn text(&mut self, of: &'p TypeReference, facets: &ValueFacets) -> Option<String> {
        let of = self.values.place(of)?;
        self.values.value(of, facets)
    }

    /// Ends an element whose start has been begun.
    fn close_tag(&mut self, tag: &str, text: &str) {
        if text.is_empty() {
            self.out.push_str("/>");
        } else {
            self.out.extend([format!(">{}</{tag}>", escape(text))]);
        }
    }

    fn write_complex(
        &mut self,
        tag: &str,
        value: Option<&str>,
        complex: &'p ComplexType,
    ) -> Option<()> {
        if complex.is_abstract {
            return None;
        }
        let mut content = ContentBuilder::default();
        self.collect(complex, &mut content, 0)?;
        for attribute in &content.attributes {
            self.write_attribute(attribute)?;
        }
        if let Some((of, facets)) = &content.text {
            let text = match value {
                Some(value) => value.to_owned(),
                None => self.text(of, facets)?,
            };
            self.close_tag(tag, &text);
            return Some(());
        }
        self.out.push('>');
        let start = self.out.len();
        for particle in &content.particles {
            self.write_particle(particle)?;
        }
        if self.out.len() == start {
            self.out.pop();
            self.out.push_str("/>");
        } else {
            self.out.extend([format!("</{tag}>")]);
        }
        Some(())
    }

    /// Gathers what a type has, that of its bases first.
    fn collect(
        &self,
        complex: &'p ComplexType,
        content: &mut ContentBuilder<'p>,
        depth: usize,
    ) -> Option<()> {
        if depth > DEPTH_MAX {
            return None;
        }
        if let Some((derivation, base)) = &complex.base {
            let base_type = match base {
                TypeReference::Named(name) => self.parts.types.get(name),
                TypeReference::Inline(inline) => Some(inline),
            };
            match base_type.map(|it| &**it) {
                Some(SchemaType::Complex(inner)) => {
                    self.collect(inner, content, depth + 1)?;
                    if *derivation == TypeDerivation::Restriction && !complex.is_simple {
                        content.particles.clear();
                    }
                    if let (true, Some((_, facets))) = (complex.is_simple, &mut content.text) {
                        *facets = complex.facets.clone();
                    }
                }
                Some(SchemaType::Simple(_)) | None if complex.is_simple => {
                    content.text = Some((base, complex.facets.clone()));
                }
                Some(SchemaType::Simple(_)) | None => {}
            }
        }
        content.particles.extend(&complex.content);
        self.collect_attributes(&complex.attributes, content, depth)
    }

    fn collect_attributes(
        &self,
        list: &'p AttributeList,
        content: &mut ContentBuilder<'p>,
        depth: usize,
    ) -> Option<()> {
        if depth > DEPTH_MAX {
            return None;
        }
        for attribute in &list.own {
            content.attributes.retain(|other| other.name != attribute.name);
            content.attributes.push(attribute);
        }
        for name in &list.groups {
            if content.groups.contains(&name) {
                continue;
            }
            content.groups.push(name);
            if let Some(group) = self.parts.attribute_groups.get(name) {
                self.collect_attributes(group, content, depth + 1)?;
            }
        }
        Some(())
    }

    fn write_attribute(&mut self, attribute: &'p AttributeUse) -> Option<()> {
        if attribute.need != AttributeNeed::Required {
            return Some(());
        }
        let declared = self.parts.attributes.get(&attribute.name);
        let of = attribute.of.as_ref().or(declared.and_then(|it| it.of.as_ref()));
        let value = attribute.value.as_ref().or(declared.and_then(|it| it.value.as_ref()));
        let text = match (value, of) {
            (Some(value), _) => value.clone(),
            (None, Some(of)) => self.text(of, &ValueFacets::default())?,
            (None, None) => "text".to_owned(),
        };
        let name = self.tag(&attribute.name);
        self.out.extend([format!(" {name}=\"{}\"", escape(&text))]);
        Some(())
    }

    fn write_particle(&mut self, particle: &'p SchemaParticle) -> Option<()> {
        if particle.max == Some(0) {
            return Some(());
        }
        for _ in 0..particle.min {
            self.steps += 1;
            if self.steps > STEPS_MAX {
                return None;
            }
            self.write_term(&particle.term)?;
        }
        let is_small = self.depth < OPTIONAL_DEPTH_MAX && self.out.len() < OPTIONAL_BYTES_MAX;
        if particle.min == 0 && is_small && !self.leads_back(&particle.term) {
            // It may be left out, and is where it cannot be ended.
            let length = self.out.len();
            if self.write_term(&particle.term).is_none() {
                self.out.truncate(length);
            }
        }
        Some(())
    }

    /// Whether a term is an element of a type that the document is within.
    fn leads_back(&self, term: &ParticleTerm) -> bool {
        let element = match term {
            ParticleTerm::Element(element) => Some(element),
            ParticleTerm::Reference(name) => self.parts.elements.get(name),
            _ => None,
        };
        let of = element.and_then(|element| match &element.of {
            TypeReference::Named(name) => self.parts.types.get(name),
            TypeReference::Inline(inline) => Some(inline),
        });
        of.is_some_and(|of| self.open.contains(&Arc::as_ptr(of)))
    }

    fn write_term(&mut self, term: &'p ParticleTerm) -> Option<()> {
        match term {
            ParticleTerm::Element(element) => self.write_element(element),
            ParticleTerm::Reference(name) => {
                let element = self.parts.elements.get(name)?;
                self.write_element(element)
            }
            ParticleTerm::Group(name) => {
                let group = self.parts.groups.get(name)?;
                self.deeper(|writer| writer.write_particle(group))
            }
            ParticleTerm::Sequence(particles) | ParticleTerm::All(particles) => {
                particles.iter().try_for_each(|particle| self.write_particle(particle))
            }
            ParticleTerm::Choice(choices) => {
                let (back, on): (Vec<_>, Vec<_>) =
                    choices.iter().partition(|choice| self.leads_back(&choice.term));
                let mut ordered = on.into_iter().chain(back);
                let found =
                    ordered.find_map(|choice| self.deeper(|writer| writer.write_particle(choice)));
                if choices.is_empty() { Some(()) } else { found }
            }
            // Nothing is known of what may stand here.
            ParticleTerm::Any => Some(()),
        }
    }
}
