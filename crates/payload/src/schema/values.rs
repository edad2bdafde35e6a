//! Makes values of simple types.

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::model::{
    QualifiedName, SCHEMA_NAMESPACE, SchemaParts, SchemaType, SimpleType, TypeReference,
    ValueBound, ValueFacets,
};
use crate::matching::pattern_text;

/// Types that restrict types.
const STEPS_MAX: usize = 64;
/// Lists and unions within each other.
const NESTING_MAX: usize = 16;
/// Values of one document, those of lists and tries of unions among them.
const VALUES_MAX: usize = 200_000;
/// Characters or items of a value, at most.
const LENGTH_MAX: u32 = 10_000;

/// A type of the schema, or one of XML Schema itself.
#[derive(Debug, Clone, Copy)]
pub(super) enum TypePlace<'p> {
    BuiltIn(&'p str),
    Own(&'p Arc<SchemaType>),
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

/// Makes values, and counts those that must be there once.
#[derive(Debug)]
pub(super) struct ValueMaker<'p> {
    pub(super) parts: &'p SchemaParts,
    /// Values of `xs:ID` so far.
    ids: u32,
    steps: usize,
}

impl<'p> ValueMaker<'p> {
    pub(super) fn new(parts: &'p SchemaParts) -> Self {
        Self { parts, ids: 0, steps: 0 }
    }

    /// Returns a value of a type with these facets on it; none where no value is known.
    pub(super) fn value(&mut self, of: TypePlace<'p>, facets: &ValueFacets) -> Option<String> {
        self.made(of, facets, 0)
    }

    /// Returns the type that a reference leads to.
    pub(super) fn place(&self, of: &'p TypeReference) -> Option<TypePlace<'p>> {
        match of {
            TypeReference::Named(QualifiedName { namespace, local })
                if namespace == SCHEMA_NAMESPACE =>
            {
                Some(TypePlace::BuiltIn(local))
            }
            TypeReference::Named(name) => self.parts.types.get(name).map(TypePlace::Own),
            TypeReference::Inline(inline) => Some(TypePlace::Own(inline)),
        }
    }

    fn made(&mut self, of: TypePlace<'p>, facets: &ValueFacets, depth: usize) -> Option<String> {
        // A union of unions may double with each level.
        self.steps += 1;
        if depth > NESTING_MAX || self.steps > VALUES_MAX {
            return None;
        }
        let ResolvedType { kind, facets } = self.resolve(of, facets)?;
        if let Some(first) = facets.enumeration.first() {
            return Some(first.clone());
        }
        let none = ValueFacets::default();
        match kind {
            ValueKind::List(item) => {
                let count = facets.length_min.unwrap_or(1).clamp(1, LENGTH_MAX);
                let item = self.place(item)?;
                let items = (0..count).map(|_| self.made(item, &none, depth + 1));
                Some(items.collect::<Option<Vec<_>>>()?.join(" "))
            }
            ValueKind::Union(members) => members.iter().find_map(|member| {
                let member = self.place(member)?;
                self.made(member, &none, depth + 1)
            }),
            ValueKind::BuiltIn(name) => self.built_in(name, &facets),
        }
    }

    fn resolve(&self, of: TypePlace<'p>, facets: &ValueFacets) -> Option<ResolvedType<'p>> {
        let mut facets = facets.clone();
        let mut of = of;
        for _ in 0..STEPS_MAX {
            let base = match of {
                TypePlace::BuiltIn(local) => {
                    return Some(ResolvedType { kind: ValueKind::BuiltIn(local), facets });
                }
                TypePlace::Own(own) => match &**own {
                    SchemaType::Simple(SimpleType::Restriction(base, own)) => {
                        facets = facets.over(own);
                        base
                    }
                    SchemaType::Simple(SimpleType::List(item)) => {
                        return Some(ResolvedType { kind: ValueKind::List(item), facets });
                    }
                    SchemaType::Simple(SimpleType::Union(members)) => {
                        return Some(ResolvedType { kind: ValueKind::Union(members), facets });
                    }
                    SchemaType::Complex(complex) => {
                        facets = facets.over(&complex.facets);
                        &complex.base.as_ref().filter(|_| complex.is_simple)?.1
                    }
                },
            };
            of = self.place(base)?;
        }
        None
    }

    fn built_in(&mut self, name: &str, facets: &ValueFacets) -> Option<String> {
        if let Some(text) = patterned(facets) {
            return Some(text);
        }
        let sample = match name {
            "boolean" => "true",
            "dateTime" => "2026-01-31T12:00:00Z",
            "date" => "2026-01-31",
            "time" => "12:00:00",
            "gYear" => "2026",
            "gYearMonth" => "2026-01",
            "gMonth" => "--01",
            "gMonthDay" => "--01-31",
            "gDay" => "---31",
            "duration" => "P1D",
            "ID" => {
                self.ids += 1;
                return Some(format!("id{}", self.ids));
            }
            // What it leads to has to be there.
            "IDREF" | "IDREFS" if self.ids == 0 => return None,
            "IDREF" | "IDREFS" => "id1",
            "ENTITY" | "ENTITIES" | "NOTATION" => return None,
            "hexBinary" => return Some("00".repeat(octets(facets))),
            "base64Binary" => return Some(BASE64_STANDARD.encode(vec![0; octets(facets)])),
            _ => match whole_range(name) {
                Some(range) => return number(facets, Some(range)),
                None if ["decimal", "float", "double"].contains(&name) => {
                    return number(facets, None);
                }
                None => return Some(plain_text(name, facets)),
            },
        };
        // A moment has an order of its own: the bound itself is a value that is known to fit.
        let bound = [&facets.least, &facets.most].into_iter().flatten().find(|it| it.is_included);
        Some(bound.map_or_else(|| sample.to_owned(), |bound| bound.value.clone()))
    }
}

impl ValueFacets {
    /// Returns these facets, and those of a base where these say nothing.
    fn over(self, base: &Self) -> Self {
        let list = |own: Vec<String>, base: &Vec<String>| {
            if own.is_empty() { base.clone() } else { own }
        };
        Self {
            enumeration: list(self.enumeration, &base.enumeration),
            patterns: list(self.patterns, &base.patterns),
            length_min: self.length_min.or(base.length_min),
            length_max: self.length_max.or(base.length_max),
            least: self.least.or_else(|| base.least.clone()),
            most: self.most.or_else(|| base.most.clone()),
            fraction_digits: self.fraction_digits.or(base.fraction_digits),
            total_digits: self.total_digits.or(base.total_digits),
        }
    }

    fn fits_length(&self, text: &str) -> bool {
        let length = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
        self.length_min.is_none_or(|least| length >= least)
            && self.length_max.is_none_or(|most| length <= most)
    }
}

/// A text by the first pattern that has one of the right length.
fn patterned(facets: &ValueFacets) -> Option<String> {
    let mut made = facets.patterns.iter().filter_map(|it| pattern_text(&rust_expression(it)));
    made.find(|text| facets.fits_length(text))
}

/// An expression of XML Schema as Rust's crate reads it: there `^` and `$` are characters, `\i` and `\c` are
/// those of names, and one class is taken from another by `-[`.
fn rust_expression(pattern: &str) -> String {
    let mut out = String::new();
    let (mut chars, mut depth) = (pattern.chars().peekable(), 0_usize);
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('i') => out.push_str(if depth > 0 { "_:A-Za-z" } else { "[_:A-Za-z]" }),
                Some('c') => {
                    out.push_str(if depth > 0 { "\\-._:A-Za-z0-9" } else { "[\\-._:A-Za-z0-9]" });
                }
                Some(escaped) => out.extend(['\\', escaped]),
                None => out.push_str("\\\\"),
            },
            '^' if depth > 0 && out.ends_with('[') => out.push('^'),
            '^' | '$' => out.extend(['\\', c]),
            '-' if depth > 0 && chars.peek() == Some(&'[') => out.push_str("--"),
            '[' => {
                depth += 1;
                out.push('[');
            }
            ']' => {
                depth = depth.saturating_sub(1);
                out.push(']');
            }
            '&' | '~' if depth > 0 => out.extend(['\\', c]),
            other => out.push(other),
        }
    }
    out
}

fn octets(facets: &ValueFacets) -> usize {
    let most = facets.length_max.unwrap_or(LENGTH_MAX);
    let count = facets.length_min.unwrap_or(1).min(most).min(LENGTH_MAX);
    usize::try_from(count).unwrap_or(1)
}

/// The least and the greatest value of a type of whole numbers.
fn whole_range(name: &str) -> Option<(f64, f64)> {
    Some(match name {
        "integer" | "long" => (-1e15, 1e15),
        "int" => (-2_147_483_648.0, 2_147_483_647.0),
        "short" => (-32_768.0, 32_767.0),
        "byte" => (-128.0, 127.0),
        "nonNegativeInteger" | "unsignedLong" => (0.0, 1e15),
        "positiveInteger" => (1.0, 1e15),
        "unsignedInt" => (0.0, 4_294_967_295.0),
        "unsignedShort" => (0.0, 65_535.0),
        "unsignedByte" => (0.0, 255.0),
        "nonPositiveInteger" => (-1e15, 0.0),
        "negativeInteger" => (-1e15, -1.0),
        _ => return None,
    })
}

/// The first of several numbers that fits.
fn number(facets: &ValueFacets, whole: Option<(f64, f64)>) -> Option<String> {
    let parsed =
        |bound: &Option<ValueBound>| bound.as_ref().and_then(|it| it.value.parse::<f64>().ok());
    let (least, most) = (parsed(&facets.least), parsed(&facets.most));
    let (from, to) = (least.unwrap_or(1.0), most.unwrap_or(f64::INFINITY));
    let candidates = [
        from.ceil(),
        from,
        from.floor() + 1.0,
        f64::midpoint(from, to.min(from + 1e6)),
        0.0,
        to,
        to - 1.0,
        -1.0,
        whole.map_or(0.0, |range| range.0),
    ];
    let fits = |value: &f64| {
        let above = match (&facets.least, least) {
            (Some(bound), Some(least)) => *value > least || (bound.is_included && *value >= least),
            _ => true,
        };
        let below = match (&facets.most, most) {
            (Some(bound), Some(most)) => *value < most || (bound.is_included && *value <= most),
            _ => true,
        };
        let in_range = whole
            .is_none_or(|(least, most)| value.fract() == 0.0 && (least..=most).contains(value));
        let text = format!("{value}");
        let (digits, fraction) = digits(&text);
        value.is_finite()
            && above
            && below
            && in_range
            && facets.total_digits.is_none_or(|most| digits <= most)
            && facets.fraction_digits.is_none_or(|most| fraction <= most)
    };
    candidates.into_iter().find(fits).map(|value| format!("{value}"))
}

/// All digits of a number, and those after its point.
fn digits(text: &str) -> (u32, u32) {
    let count = |text: &str| {
        u32::try_from(text.bytes().filter(u8::is_ascii_digit).count()).unwrap_or(u32::MAX)
    };
    (count(text), text.split_once('.').map_or(0, |(_, fraction)| count(fraction)))
}

fn plain_text(name: &str, facets: &ValueFacets) -> String {
    let sample = match name {
        "language" => "en",
        "anyURI" => "urn:text",
        _ => "text",
    };
    let least = usize::try_from(facets.length_min.unwrap_or(0).min(LENGTH_MAX)).unwrap_or(0);
    let most =
        facets.length_max.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX));
    let length = sample.len().max(least).min(most);
    sample.chars().chain(std::iter::repeat('x')).take(length).collect()
}
