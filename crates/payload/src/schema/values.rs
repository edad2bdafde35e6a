//! Makes values of simple types: of each type a pool of values that are checked once, from which documents take
//! one after the other.

use std::collections::HashSet;
use std::sync::Arc;

use quick_xml::escape::escape;

use super::construct::SchemaConstruct;
use super::expression::{TextSampler, rust_expression};
use super::lexical::{LengthUnit, ValueChecker};
use super::model::{
    QualifiedName, SCHEMA_NAMESPACE, SchemaParts, SchemaType, SimpleType, TypeReference,
    ValueFacets,
};
use super::namespaces::NamespaceTable;
use super::numbers::whole_bounds;
use super::samples::samples;
use crate::draws::PairRng;
use crate::matching::pattern_text;

/// Types that restrict types.
const STEPS_MAX: usize = 64;
/// Lists and unions within each other.
const NESTING_MAX: usize = 16;
/// Values of one type, those of lists and tries of unions among them.
const TRIES_MAX: usize = 2_000;
/// Items of a list.
const ITEMS_MAX: u32 = 10_000;
/// Values that are drawn for a pool, at least: the first ones may not be allowed.
const DRAWN_MIN: usize = 8;
/// Values of a pool, at most, but for an enumeration, which has all of its own.
pub(super) const POOL_MAX: usize = 64;

/// The types of XML Schema itself. Its own schema declares some of them again, and others beside them.
const BUILT_IN: [&str; 50] = [
    "ENTITIES",
    "ENTITY",
    "ID",
    "IDREF",
    "IDREFS",
    "NCName",
    "NMTOKEN",
    "NMTOKENS",
    "NOTATION",
    "Name",
    "QName",
    "anyAtomicType",
    "anySimpleType",
    "anyType",
    "anyURI",
    "base64Binary",
    "boolean",
    "byte",
    "date",
    "dateTime",
    "dateTimeStamp",
    "dayTimeDuration",
    "decimal",
    "double",
    "duration",
    "float",
    "gDay",
    "gMonth",
    "gMonthDay",
    "gYear",
    "gYearMonth",
    "hexBinary",
    "int",
    "integer",
    "language",
    "long",
    "negativeInteger",
    "nonNegativeInteger",
    "nonPositiveInteger",
    "normalizedString",
    "positiveInteger",
    "short",
    "string",
    "time",
    "token",
    "unsignedByte",
    "unsignedInt",
    "unsignedLong",
    "unsignedShort",
    "yearMonthDuration",
];

/// A type of the schema, or one of XML Schema itself.
#[derive(Debug, Clone, Copy)]
pub(super) enum TypePlace<'p> {
    BuiltIn(&'p str),
    Own(&'p Arc<SchemaType>),
}

/// Values of a simple type, as they are written in a document.
#[derive(Debug, Clone)]
pub(super) struct ValuePool {
    /// At least one, the plainest first, escaped.
    pub(super) values: Vec<String>,
    pub(super) role: ValueRole,
    pub(super) numbered: NumberedForm,
    /// Namespaces whose prefixes the values have.
    pub(super) namespaces: Vec<usize>,
}

/// What a value is to others in its document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ValueRole {
    Plain,
    /// An `xs:ID`.
    Identity,
    /// An `xs:IDREF`.
    Reference,
}

/// How values of a type are made from a number, to be there once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NumberedForm {
    /// There are only those of the pool.
    Pooled,
    /// Of so many characters.
    Text {
        least: usize,
        most: usize,
    },
    Whole {
        least: i128,
        most: i128,
    },
}

/// A simple type with all that its bases require.
struct ResolvedType<'p> {
    kind: ValueKind<'p>,
    facets: ValueFacets,
}

enum ValueKind<'p> {
    BuiltIn(&'p str),
    List(&'p TypeReference),
    Union(&'p [TypeReference]),
}

/// Makes pools.
#[derive(Debug)]
pub(super) struct ValueMaker<'p> {
    parts: &'p SchemaParts,
    /// Values of a pool.
    size: usize,
    checker: ValueChecker,
    draws: PairRng,
    tries: usize,
    pub(super) namespaces: NamespaceTable,
}

impl<'p> ValueMaker<'p> {
    pub(super) fn new(parts: &'p SchemaParts, size: usize, namespaces: NamespaceTable) -> Self {
        // A pool is of its schema: what is taken from it is of the seed.
        let draws = PairRng::new(0, 0);
        let checker = ValueChecker::default();
        Self { parts, size: size.min(POOL_MAX), checker, draws, tries: 0, namespaces }
    }

    /// Returns values of a type with these facets on it.
    pub(super) fn pool(
        &mut self,
        of: TypePlace<'p>,
        facets: &ValueFacets,
    ) -> Result<ValuePool, SchemaConstruct> {
        self.tries = 0;
        let mut pool = self.made(of, facets, 0)?;
        if self.size == 1 {
            pool.values.truncate(1);
        }
        for value in &mut pool.values {
            *value = escape(value.as_str()).into_owned();
        }
        Ok(pool)
    }

    /// Returns the type that a reference leads to.
    pub(super) fn place(&self, of: &'p TypeReference) -> Result<TypePlace<'p>, SchemaConstruct> {
        match of {
            TypeReference::Named(name) => self.named(name),
            TypeReference::Inline(inline) => Ok(TypePlace::Own(inline)),
        }
    }

    /// Returns the type of a name.
    pub(super) fn named(&self, name: &'p QualifiedName) -> Result<TypePlace<'p>, SchemaConstruct> {
        if name.namespace == SCHEMA_NAMESPACE && BUILT_IN.contains(&name.local.as_str()) {
            return Ok(TypePlace::BuiltIn(&name.local));
        }
        let own = self.parts.types.get(name).map(TypePlace::Own);
        own.ok_or_else(|| SchemaConstruct::MissingType(name.local.clone()))
    }

    fn made(
        &mut self,
        of: TypePlace<'p>,
        facets: &ValueFacets,
        depth: usize,
    ) -> Result<ValuePool, SchemaConstruct> {
        // A union of unions may double with each level.
        self.tries += 1;
        if depth > NESTING_MAX || self.tries > TRIES_MAX {
            return Err(SchemaConstruct::Nesting);
        }
        let ResolvedType { kind, facets } = self.resolve(of, facets)?;
        if let Some(refused) = facets.refused {
            return Err(SchemaConstruct::Feature(refused));
        }
        let (built_in, unit) = match &kind {
            ValueKind::BuiltIn(name) => (*name, LengthUnit::of(name)),
            ValueKind::List(_) => ("anySimpleType", LengthUnit::Items),
            ValueKind::Union(_) => ("anySimpleType", LengthUnit::Characters),
        };
        let mut pool = if facets.enumeration.is_empty() {
            match kind {
                ValueKind::List(item) => self.list(item, &facets, depth)?,
                ValueKind::Union(members) => self.union(members, depth)?,
                ValueKind::BuiltIn(name) => self.built_in(name, &facets)?,
            }
        } else {
            self.enumerated(&kind, &facets)
        };
        let mut seen = HashSet::new();
        let checker = &mut self.checker;
        pool.values.retain(|value| {
            checker.fits(built_in, unit, &facets, value) && seen.insert(value.clone())
        });
        if facets.enumeration.is_empty() {
            pool.values.truncate(self.size.max(DRAWN_MIN));
        }
        match facets.patterns.first().and_then(|group| group.first()) {
            _ if !pool.values.is_empty() => Ok(pool),
            Some(pattern) => Err(SchemaConstruct::Pattern(pattern.clone())),
            None => Err(SchemaConstruct::Facets(built_in.to_owned())),
        }
    }

    fn resolve(
        &self,
        of: TypePlace<'p>,
        facets: &ValueFacets,
    ) -> Result<ResolvedType<'p>, SchemaConstruct> {
        let mut facets = facets.clone();
        let mut of = of;
        for _ in 0..STEPS_MAX {
            let base = match of {
                TypePlace::BuiltIn(local) => {
                    return Ok(ResolvedType { kind: ValueKind::BuiltIn(local), facets });
                }
                TypePlace::Own(own) => match &**own {
                    SchemaType::Simple(SimpleType::Restriction(base, own)) => {
                        facets = facets.over(own);
                        base
                    }
                    SchemaType::Simple(SimpleType::List(item)) => {
                        return Ok(ResolvedType { kind: ValueKind::List(item), facets });
                    }
                    SchemaType::Simple(SimpleType::Union(members)) => {
                        return Ok(ResolvedType { kind: ValueKind::Union(members), facets });
                    }
                    SchemaType::Complex(complex) => {
                        facets = facets.over(&complex.facets);
                        let base = complex.base.as_ref().filter(|_| complex.is_simple);
                        let base = complex.text.as_ref().or(base.map(|(_, base)| base));
                        base.ok_or(SchemaConstruct::Nesting)?
                    }
                },
            };
            of = self.place(base)?;
        }
        Err(SchemaConstruct::Nesting)
    }

    fn enumerated(&mut self, kind: &ValueKind<'p>, facets: &ValueFacets) -> ValuePool {
        let is_name = matches!(kind, ValueKind::BuiltIn("QName" | "NOTATION"));
        let is_text = matches!(kind, ValueKind::BuiltIn("string" | "normalizedString"));
        let mut pool = ValuePool::of(Vec::new());
        for value in &facets.enumeration {
            if is_name {
                let written = self.namespaces.written(&value.name);
                pool.namespaces.extend(written.namespace);
                pool.values.push(written.text);
            } else if is_text {
                pool.values.push(value.text.clone());
            } else {
                let words: Vec<&str> = value.text.split_whitespace().collect();
                pool.values.push(words.join(" "));
            }
        }
        pool
    }

    fn list(
        &mut self,
        item: &'p TypeReference,
        facets: &ValueFacets,
        depth: usize,
    ) -> Result<ValuePool, SchemaConstruct> {
        let item = self.place(item)?;
        let mut items = self.made(item, &ValueFacets::default(), depth + 1)?;
        // What is empty or has spaces is no item, or several.
        items.values.retain(|it| !it.is_empty() && !it.contains(' '));
        if items.role != ValueRole::Plain || items.values.is_empty() {
            return Ok(items);
        }
        let least = facets.length_min.unwrap_or(1).clamp(1, ITEMS_MAX);
        let most = facets.length_max.unwrap_or(least + 3).clamp(least, least + 3);
        let plain = vec![items.values[0].clone(); usize::try_from(least).unwrap_or(1)];
        let mut lists = vec![plain.join(" ")];
        for _ in 1..self.size.max(DRAWN_MIN) {
            let count = self.draws.between(least, most);
            let drawn = (0..count).map(|_| self.draws.pick(&items.values).as_str());
            lists.push(drawn.collect::<Vec<_>>().join(" "));
        }
        Ok(ValuePool { namespaces: items.namespaces, ..ValuePool::of(lists) })
    }

    /// Values of all members of which some are known. One that others refer to is taken only where there are none
    /// else.
    fn union(
        &mut self,
        members: &'p [TypeReference],
        depth: usize,
    ) -> Result<ValuePool, SchemaConstruct> {
        let (mut all, mut special, mut refused) = (None::<ValuePool>, None, None);
        for member in members {
            let made = self.place(member);
            let made = made.and_then(|it| self.made(it, &ValueFacets::default(), depth + 1));
            match made {
                Ok(pool) if pool.role != ValueRole::Plain => special = special.or(Some(pool)),
                Ok(pool) => match &mut all {
                    Some(all) => {
                        all.values.extend(pool.values);
                        all.namespaces.extend(pool.namespaces);
                        all.numbered = NumberedForm::Pooled;
                    }
                    None => all = Some(pool),
                },
                Err(construct) => refused = refused.or(Some(construct)),
            }
        }
        all.or(special).ok_or(refused.unwrap_or(SchemaConstruct::Nesting))
    }

    fn built_in(&mut self, name: &str, facets: &ValueFacets) -> Result<ValuePool, SchemaConstruct> {
        let count = self.size.max(DRAWN_MIN);
        let Some(mut values) = samples(name, facets, count, &mut self.draws) else {
            return Err(SchemaConstruct::BuiltIn(name.to_owned()));
        };
        // A text of one restriction may be none of another: all of them are checked later.
        for pattern in facets.patterns.iter().flatten() {
            values.extend(pattern_text(&rust_expression(pattern)));
            let Some(sampler) = TextSampler::new(pattern) else { continue };
            let reach = facets.length_min.unwrap_or(0).min(ITEMS_MAX);
            values.extend((0..2 * count).filter_map(|_| sampler.text(reach, &mut self.draws)));
        }
        let role = match name {
            "ID" => ValueRole::Identity,
            "IDREF" | "IDREFS" => ValueRole::Reference,
            _ => ValueRole::Plain,
        };
        let numbered = numbered_form(name, facets);
        Ok(ValuePool { role, numbered, ..ValuePool::of(values) })
    }
}

impl ValuePool {
    fn of(values: Vec<String>) -> Self {
        let namespaces = Vec::new();
        Self { values, role: ValueRole::Plain, numbered: NumberedForm::Pooled, namespaces }
    }
}

fn numbered_form(name: &str, facets: &ValueFacets) -> NumberedForm {
    if !facets.patterns.is_empty() {
        return NumberedForm::Pooled;
    }
    if let Some((least, most)) = whole_bounds(name, facets) {
        let digits = facets.total_digits.unwrap_or(18).min(18);
        let most = most.min(10_i128.pow(digits) - 1);
        return NumberedForm::Whole { least: least.max(0).min(most), most };
    }
    let size = |length: Option<u32>, other: usize| {
        length.map_or(other, |length| usize::try_from(length).unwrap_or(other))
    };
    match name {
        "string" | "normalizedString" | "token" | "NMTOKEN" | "Name" | "NCName" | "ID"
        | "IDREF" | "IDREFS" | "anyURI" | "QName" | "anySimpleType" => NumberedForm::Text {
            least: size(facets.length_min, 0),
            most: size(facets.length_max, usize::MAX),
        },
        _ => NumberedForm::Pooled,
    }
}
