//! Values of numeric types.

use super::model::{ValueBound, ValueFacets};
use crate::draws::PairRng;

/// Numbers from which one is drawn, at most.
const SPAN_MAX: i128 = 1_000_000;
/// Numbers from which one is drawn where one end is open.
const SPAN: i128 = 9_999;
/// Digits after the point of a type that does not limit them.
const FRACTION_DIGITS: u32 = 2;
/// Digits after the point, at most.
const FRACTION_DIGITS_MAX: u32 = 6;

/// Returns the least and the greatest value of a type of whole numbers.
pub(super) fn whole_range(name: &str) -> Option<(i128, i128)> {
    Some(match name {
        "integer" => (-1_000_000_000_000_000, 1_000_000_000_000_000),
        "long" => (i64::MIN.into(), i64::MAX.into()),
        "int" => (i32::MIN.into(), i32::MAX.into()),
        "short" => (i16::MIN.into(), i16::MAX.into()),
        "byte" => (i8::MIN.into(), i8::MAX.into()),
        "nonNegativeInteger" => (0, 1_000_000_000_000_000),
        "positiveInteger" => (1, 1_000_000_000_000_000),
        "unsignedLong" => (0, u64::MAX.into()),
        "unsignedInt" => (0, u32::MAX.into()),
        "unsignedShort" => (0, u16::MAX.into()),
        "unsignedByte" => (0, u8::MAX.into()),
        "nonPositiveInteger" => (-1_000_000_000_000_000, 0),
        "negativeInteger" => (-1_000_000_000_000_000, -1),
        _ => return None,
    })
}

/// Whether values of a type of XML Schema are numbers.
pub(super) fn is_number(name: &str) -> bool {
    whole_range(name).is_some() || ["decimal", "float", "double"].contains(&name)
}

/// Returns values of a numeric type by its facets: the plainest first, then `count` that are drawn. They are yet
/// to be checked.
pub(super) fn numbers(
    name: &str,
    facets: &ValueFacets,
    count: usize,
    draws: &mut PairRng,
) -> Vec<String> {
    let mut made = plain_numbers(name, facets);
    let scale = match whole_range(name) {
        Some(_) => 0,
        None => facets.fraction_digits.unwrap_or(FRACTION_DIGITS).min(FRACTION_DIGITS_MAX),
    };
    let Some((least, most)) = drawn_range(name, facets, scale) else { return made };
    let span = u32::try_from((most - least + 1).min(SPAN_MAX)).unwrap_or(1);
    made.extend((0..count).map(|_| decimal(least + i128::from(draws.below(span)), scale)));
    made
}

/// Returns the least and the greatest whole number that facets allow.
pub(super) fn whole_bounds(name: &str, facets: &ValueFacets) -> Option<(i128, i128)> {
    let (least, most) = whole_range(name)?;
    let (lower, upper) = bounds(facets, 0);
    Some((lower.map_or(least, |it| it.max(least)), upper.map_or(most, |it| it.min(most))))
}

/// The range from which numbers of `scale` digits after the point are drawn, in units of the last digit.
fn drawn_range(name: &str, facets: &ValueFacets, scale: u32) -> Option<(i128, i128)> {
    let (lower, upper) = bounds(facets, scale);
    let (least, most) = match whole_range(name) {
        Some((least, most)) => {
            (lower.map_or(least, |it| it.max(least)), upper.map_or(most, |it| it.min(most)))
        }
        None => (
            lower.unwrap_or_else(|| upper.map_or(0, |it| it.saturating_sub(SPAN).min(0))),
            upper.unwrap_or_else(|| lower.map_or(SPAN, |it| it.saturating_add(SPAN))),
        ),
    };
    let digits = 10_i128.checked_pow(facets.total_digits.unwrap_or(18).min(18))? - 1;
    let (least, most) = (least.max(-digits), most.min(digits));
    // Small numbers where there are some: few documents hold any of fifteen digits.
    let from =
        if least <= 0 && most >= 0 { if most > 0 { 0 } else { least.max(-SPAN) } } else { least };
    let from = if most < 0 { least.max(most.saturating_sub(SPAN)) } else { from };
    let to = if facets.most.is_some() { most } else { most.min(from.saturating_add(SPAN)) };
    (from <= to).then_some((from, to))
}

/// The bounds that facets set, in units of the last of `scale` digits after the point.
fn bounds(facets: &ValueFacets, scale: u32) -> (Option<i128>, Option<i128>) {
    let unit = 10_f64.powi(i32::try_from(scale).unwrap_or(0));
    let scaled = |bound: &ValueBound| {
        if let Ok(whole) = bound.value.parse::<i128>() {
            let scaled = whole.checked_mul(10_i128.pow(scale))?;
            return Some((scaled, scaled));
        }
        let value = bound.value.parse::<f64>().ok().filter(|it| it.is_finite())? * unit;
        Some((whole_of(value.ceil()), whole_of(value.floor())))
    };
    let least = facets.least.as_ref().and_then(|bound| {
        let (up, down) = scaled(bound)?;
        // Above what lies between two numbers comes the next one in any case.
        Some(if bound.is_included || up != down { up } else { up + 1 })
    });
    let most = facets.most.as_ref().and_then(|bound| {
        let (up, down) = scaled(bound)?;
        Some(if bound.is_included || up != down { down } else { down - 1 })
    });
    (least, most)
}

fn whole_of(value: f64) -> i128 {
    // Beyond 15 digits a float is no whole number of its own.
    let limit = 1e15;
    format!("{:.0}", value.clamp(-limit, limit)).parse().unwrap_or(0)
}

/// A number of so many units of its last digit.
fn decimal(units: i128, scale: u32) -> String {
    if scale == 0 {
        return units.to_string();
    }
    let width = usize::try_from(scale).unwrap_or(0);
    let digits = format!("{:0>1$}", units.unsigned_abs(), width + 1);
    let (whole, fraction) = digits.split_at(digits.len() - width);
    let sign = if units < 0 { "-" } else { "" };
    format!("{sign}{whole}.{fraction}")
}

/// Numbers around the bounds, of which the first that fits is the plainest.
fn plain_numbers(name: &str, facets: &ValueFacets) -> Vec<String> {
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
    ];
    let finite = candidates.into_iter().filter(|value| value.is_finite() && value.abs() < 1e15);
    let mut made: Vec<String> = finite.map(|value| format!("{value}")).collect();
    // As they are written, of numbers that a float does not hold.
    let written = [&facets.least, &facets.most].into_iter().flatten();
    made.extend(written.map(|bound| bound.value.clone()));
    made.extend(whole_range(name).map(|range| range.0.to_string()));
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(value: &str, is_included: bool) -> ValueBound {
        ValueBound { value: value.to_owned(), is_included }
    }

    #[test]
    fn drawn_numbers_lie_between_the_bounds() {
        let range = |name, facets: ValueFacets, scale| drawn_range(name, &facets, scale);
        let between = |least: Option<ValueBound>, most: ValueBound| ValueFacets {
            least,
            most: Some(most),
            ..ValueFacets::default()
        };
        assert_eq!(
            range("int", between(Some(bound("5", false)), bound("9", true)), 0),
            Some((6, 9))
        );
        assert_eq!(range("int", between(Some(bound("5", true)), bound("4", true)), 0), None);
        assert_eq!(range("byte", between(None, bound("-3", true)), 0), Some((-128, -3)));
        assert_eq!(
            range("decimal", between(Some(bound("0", false)), bound("1", false)), 2),
            Some((1, 99))
        );
        assert_eq!(
            range("decimal", between(Some(bound("0.001", true)), bound("0.02", true)), 2),
            Some((1, 2))
        );
        let digits = ValueFacets { total_digits: Some(3), ..ValueFacets::default() };
        assert_eq!(range("integer", digits, 0), Some((0, 999)));
        assert_eq!(decimal(-5, 2), "-0.05");
        assert_eq!(decimal(1_234, 2), "12.34");
    }
}
