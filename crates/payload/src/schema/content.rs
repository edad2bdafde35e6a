//! What elements of a complex type hold: its own parts and those of the types that it extends or restricts.

use super::construct::SchemaConstruct;
use super::model::{
    AttributeList, AttributeNeed, AttributeUse, ComplexType, QualifiedName, SchemaParticle,
    SchemaParts, SchemaType, TypeDerivation, ValueFacets,
};
use super::values::{TypePlace, ValueMaker};

/// Types that extend types, and groups of attributes within each other.
const NESTING_MAX: usize = 60;

/// The parts of an element's type, with those of its bases.
#[derive(Default)]
pub(super) struct TypeContent<'p> {
    /// In the order of the document.
    pub(super) particles: Vec<&'p SchemaParticle>,
    pub(super) attributes: Vec<&'p AttributeUse>,
    /// The type of the text, if it has one.
    pub(super) text: Option<(TypePlace<'p>, ValueFacets)>,
    pub(super) is_mixed: bool,
    /// Groups of attributes that were gathered.
    groups: Vec<&'p QualifiedName>,
}

/// Gathers the parts of types.
pub(super) struct ContentReader<'v, 'p> {
    parts: &'p SchemaParts,
    values: &'v ValueMaker<'p>,
}

impl<'p> TypeContent<'p> {
    /// The content of a simple type.
    pub(super) fn of_text(of: TypePlace<'p>) -> Self {
        Self { text: Some((of, ValueFacets::default())), ..Self::default() }
    }
}

impl<'v, 'p> ContentReader<'v, 'p> {
    pub(super) fn new(parts: &'p SchemaParts, values: &'v ValueMaker<'p>) -> Self {
        Self { parts, values }
    }

    /// Returns what a type has, that of its bases first.
    pub(super) fn content(
        &self,
        complex: &'p ComplexType,
    ) -> Result<TypeContent<'p>, SchemaConstruct> {
        if complex.is_abstract {
            return Err(SchemaConstruct::Abstract("type".to_owned()));
        }
        let mut content = TypeContent::default();
        self.collect(complex, &mut content, 0)?;
        content.attributes.retain(|attribute| attribute.need != AttributeNeed::Prohibited);
        Ok(content)
    }

    fn collect(
        &self,
        complex: &'p ComplexType,
        content: &mut TypeContent<'p>,
        depth: usize,
    ) -> Result<(), SchemaConstruct> {
        if depth > NESTING_MAX {
            return Err(SchemaConstruct::Nesting);
        }
        if let Some(refused) = complex.refused {
            return Err(SchemaConstruct::Feature(refused));
        }
        if let Some((derivation, base)) = &complex.base {
            let place = self.values.place(base)?;
            let inner = match place {
                TypePlace::Own(own) => match &**own {
                    SchemaType::Complex(inner) => Some(inner),
                    SchemaType::Simple(_) => None,
                },
                TypePlace::BuiltIn(_) => None,
            };
            match inner {
                Some(inner) => {
                    self.collect(inner, content, depth + 1)?;
                    if *derivation == TypeDerivation::Restriction && !complex.is_simple {
                        content.particles.clear();
                        content.is_mixed = false;
                    }
                }
                None if complex.is_simple => content.text = Some((place, ValueFacets::default())),
                None => {}
            }
        }
        if let Some(text) = &complex.text {
            content.text = Some((self.values.place(text)?, ValueFacets::default()));
        }
        if let (true, Some((_, facets))) = (complex.is_simple, &mut content.text) {
            *facets = complex.facets.clone().over(facets);
        }
        content.is_mixed |= complex.is_mixed && !complex.is_simple;
        content.particles.extend(&complex.content);
        self.collect_attributes(&complex.attributes, content, depth)
    }

    fn collect_attributes(
        &self,
        list: &'p AttributeList,
        content: &mut TypeContent<'p>,
        depth: usize,
    ) -> Result<(), SchemaConstruct> {
        if depth > NESTING_MAX {
            return Err(SchemaConstruct::Nesting);
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
            let Some(group) = self.parts.attribute_groups.get(name) else {
                return Err(SchemaConstruct::MissingGroup(name.local.clone()));
            };
            self.collect_attributes(group, content, depth + 1)?;
        }
        Ok(())
    }
}
