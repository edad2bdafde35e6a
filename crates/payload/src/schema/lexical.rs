//! Whether a text is a value: by the type of XML Schema that it is of, and by facets.

use std::collections::HashMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use regex::{Regex, RegexBuilder};

use super::expression::rust_expression;
use super::model::{ValueBound, ValueFacets};
use super::numbers::{is_number, whole_range};

/// Bytes of a compiled expression, at most.
const EXPRESSION_BYTES_MAX: usize = 1 << 26;

/// What is counted where a length is required.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LengthUnit {
    Characters,
    Items,
    HexOctets,
    Base64Octets,
    /// Every length is right: of names with a prefix none is counted.
    Nothing,
}

impl LengthUnit {
    pub(super) fn of(built_in: &str) -> Self {
        match built_in {
            "NMTOKENS" | "IDREFS" | "ENTITIES" => Self::Items,
            "hexBinary" => Self::HexOctets,
            "base64Binary" => Self::Base64Octets,
            "QName" | "NOTATION" => Self::Nothing,
            _ => Self::Characters,
        }
    }

    fn count(self, text: &str) -> usize {
        match self {
            Self::Characters => text.chars().count(),
            Self::Items => text.split_whitespace().count(),
            Self::HexOctets => text.len() / 2,
            Self::Base64Octets => BASE64_STANDARD.decode(text).map_or(0, |it| it.len()),
            Self::Nothing => 0,
        }
    }
}

/// Checks values by expressions, each compiled once.
#[derive(Debug, Default)]
pub(super) struct ValueChecker {
    expressions: HashMap<String, Option<Regex>>,
}

impl ValueChecker {
    /// Whether a text meets all facets. `built_in` is the type of XML Schema that it is of, `unit` what its length
    /// is counted in.
    pub(super) fn fits(
        &mut self,
        built_in: &str,
        unit: LengthUnit,
        facets: &ValueFacets,
        text: &str,
    ) -> bool {
        // Spaces that a reader of the document would take away or join are none of the value that was checked.
        let is_kept = matches!(built_in, "string" | "normalizedString" | "anySimpleType")
            || text.split_whitespace().eq(text.split(' ')) && !text.starts_with(' ')
            || text.is_empty();
        is_kept
            && text.chars().all(|c| !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}'))
            && self.is_lexical(built_in, text)
            && fits_length(unit, facets, text)
            && fits_bounds(built_in, facets, text)
            && facets.patterns.iter().all(|group| self.matches(group, text))
    }

    fn matches(&mut self, group: &[String], text: &str) -> bool {
        group.iter().any(|pattern| {
            if !self.expressions.contains_key(pattern) {
                let whole = format!("^(?:{})$", rust_expression(pattern));
                let made = RegexBuilder::new(&whole).size_limit(EXPRESSION_BYTES_MAX).build();
                self.expressions.insert(pattern.clone(), made.ok());
            }
            let compiled = self.expressions.get(pattern).and_then(Option::as_ref);
            compiled.is_some_and(|compiled| compiled.is_match(text))
        })
    }

    fn is_lexical(&mut self, built_in: &str, text: &str) -> bool {
        if let Some((least, most)) = whole_range(built_in) {
            return text.parse::<i128>().is_ok_and(|it| (least..=most).contains(&it));
        }
        match built_in {
            "boolean" => ["true", "false", "1", "0"].contains(&text),
            "base64Binary" => BASE64_STANDARD.decode(text).is_ok(),
            name => lexical_expression(name)
                .is_none_or(|expression| self.matches(&[expression.to_owned()], text)),
        }
    }
}

/// The expression of values of a type, or of those of them that surely are some.
fn lexical_expression(name: &str) -> Option<&'static str> {
    Some(match name {
        "decimal" => "-?[0-9]{1,18}(\\.[0-9]+)?",
        "float" | "double" => "-?[0-9]{1,15}(\\.[0-9]+)?",
        "dateTime" | "dateTimeStamp" => {
            "[12][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3])(:[0-5][0-9]){2}(\\.[0-9]{1,6})?(Z|[+\\-](0[0-9]|1[0-3]):[0-5][0-9])?"
        }
        "date" => {
            "[12][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8]|30|31)(Z|[+\\-](0[0-9]|1[0-3]):[0-5][0-9])?"
        }
        "time" => {
            "([01][0-9]|2[0-3])(:[0-5][0-9]){2}(\\.[0-9]{1,6})?(Z|[+\\-](0[0-9]|1[0-3]):[0-5][0-9])?"
        }
        "gYear" => "[12][0-9]{3}Z?",
        "gYearMonth" => "[12][0-9]{3}-(0[1-9]|1[0-2])Z?",
        "gMonth" => "--(0[1-9]|1[0-2])Z?",
        "gMonthDay" => "--(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8]|31)Z?",
        "gDay" => "---(0[1-9]|1[0-9]|2[0-9]|3[01])Z?",
        "duration" => {
            "-?P(([0-9]{1,6}Y)?([0-9]{1,6}M)?[0-9]{1,6}D|[0-9]{1,6}Y|([0-9]{1,6}Y)?[0-9]{1,6}M|([0-9]{1,6}D)?T[0-9]{1,6}[HMS])"
        }
        "dayTimeDuration" => "-?P([0-9]{1,6}D|([0-9]{1,6}D)?T[0-9]{1,6}[HMS])",
        "yearMonthDuration" => "-?P([0-9]{1,6}Y|([0-9]{1,6}Y)?[0-9]{1,6}M)",
        "hexBinary" => "([0-9a-fA-F]{2})*",
        "language" => "[a-zA-Z]{1,8}(-[a-zA-Z0-9]{1,8})*",
        "Name" => "[A-Za-z_:][A-Za-z0-9_.:\\-]*",
        "NCName" | "ID" | "IDREF" => "[A-Za-z_][A-Za-z0-9_.\\-]*",
        "QName" => "([A-Za-z_][A-Za-z0-9_.\\-]*:)?[A-Za-z_][A-Za-z0-9_.\\-]*",
        "NMTOKEN" => "[A-Za-z0-9_.:\\-]+",
        "NMTOKENS" => "[A-Za-z0-9_.:\\-]+( [A-Za-z0-9_.:\\-]+)*",
        "anyURI" => "[A-Za-z0-9:/._\\-#?=&@%+~!]*",
        _ => return None,
    })
}

fn fits_length(unit: LengthUnit, facets: &ValueFacets, text: &str) -> bool {
    if unit == LengthUnit::Nothing {
        return true;
    }
    let length = u32::try_from(unit.count(text)).unwrap_or(u32::MAX);
    facets.length_min.is_none_or(|least| length >= least)
        && facets.length_max.is_none_or(|most| length <= most)
}

fn fits_bounds(built_in: &str, facets: &ValueFacets, text: &str) -> bool {
    let (digits, fraction) = digits(text);
    let has_digits = !is_number(built_in)
        || facets.total_digits.is_none_or(|most| digits <= most)
            && facets.fraction_digits.is_none_or(|most| fraction <= most);
    let above = |bound: &ValueBound| is_beyond(built_in, &bound.value, text, bound.is_included);
    let below = |bound: &ValueBound| is_beyond(built_in, text, &bound.value, bound.is_included);
    has_digits && facets.least.as_ref().is_none_or(above) && facets.most.as_ref().is_none_or(below)
}

/// Whether `more` is greater than `less`, or equal to it where that is enough.
fn is_beyond(built_in: &str, less: &str, more: &str, is_included: bool) -> bool {
    if less == more {
        return is_included;
    }
    if let (Ok(less), Ok(more)) = (less.parse::<i128>(), more.parse::<i128>()) {
        return less < more || is_included && less == more;
    }
    if is_number(built_in) {
        let pair = (less.parse::<f64>(), more.parse::<f64>());
        return matches!(pair, (Ok(less), Ok(more)) if less < more || is_included && less <= more);
    }
    // Moments that are written alike are in the order of their texts. Lengths of time are not.
    !built_in.ends_with("uration") && less.len() == more.len() && less < more
}

/// All digits of a number, and those after its point.
fn digits(text: &str) -> (u32, u32) {
    let count = |text: &str| {
        u32::try_from(text.bytes().filter(u8::is_ascii_digit).count()).unwrap_or(u32::MAX)
    };
    (count(text), text.split_once('.').map_or(0, |(_, fraction)| count(fraction)))
}
