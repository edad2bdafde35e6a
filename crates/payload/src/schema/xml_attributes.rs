//! The attributes of XML itself, for schemas whose document of them is not there.

use super::model::{
    AttributeList, AttributeNeed, AttributeUse, EnumeratedValue, QualifiedName, SchemaParts,
    SchemaType, SimpleType, TypeReference, ValueFacets, XML_NAMESPACE,
};

/// Declares `xml:lang` and its like. A document that declares them takes their place.
pub(super) fn add(parts: &mut SchemaParts) {
    let spaces = ["default", "preserve"]
        .map(|text| EnumeratedValue { text: text.to_owned(), name: QualifiedName::new("", text) });
    let facets = ValueFacets { enumeration: spaces.to_vec(), ..ValueFacets::default() };
    let named = |local: &str| TypeReference::Named(QualifiedName::built_in(local));
    let space = SchemaType::Simple(SimpleType::Restriction(named("NCName"), facets));
    let mut group = AttributeList::default();
    for (local, of) in [
        ("lang", named("language")),
        ("base", named("anyURI")),
        ("id", named("ID")),
        ("space", TypeReference::Inline(space.into())),
    ] {
        let name = QualifiedName::new(XML_NAMESPACE, local);
        let need = AttributeNeed::Optional;
        let attribute = AttributeUse { name: name.clone(), of: Some(of), value: None, need };
        group.own.push(AttributeUse { of: None, ..attribute.clone() });
        parts.attributes.entry(name).or_insert_with(|| attribute.into());
    }
    let name = QualifiedName::new(XML_NAMESPACE, "specialAttrs");
    parts.attribute_groups.entry(name).or_insert_with(|| group.into());
}
