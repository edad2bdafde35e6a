//! Quantities that no line break comes into.

/// A space at which no line is broken.
pub(crate) const NO_BREAK: char = '\u{a0}';

/// What a number is followed by.
const UNITS: [&str; 18] = [
    "%", "ns", "µs", "ms", "s", "min", "h", "B", "KiB", "MiB", "GiB", "TiB", "bit/s", "kbit/s",
    "Mbit/s", "Gbit/s", "×", "cores",
];

/// Returns the text with each number held to its unit, and each `p = 0.02` held together.
pub(crate) fn unbroken(text: &str) -> String {
    let mut held = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(place) = rest.find(' ') {
        let (before, after) = rest.split_at(place);
        let after = &after[1..];
        held.push_str(before);
        held.push(if is_one_quantity(before, after) { NO_BREAK } else { ' ' });
        rest = after;
    }
    held.push_str(rest);
    held
}

/// Returns the text with ordinary spaces again, for those who copy it.
pub(crate) fn breakable(text: &str) -> String {
    text.replace(NO_BREAK, " ")
}

/// Whether a space between two texts is inside a quantity.
fn is_one_quantity(before: &str, after: &str) -> bool {
    let word = after.split(|c: char| c.is_whitespace() || ",;:)]".contains(c)).next();
    let word = word.unwrap_or_default();
    let is_number = before.ends_with(|c: char| c.is_ascii_digit() || c == '∞');
    let is_unit = UNITS.contains(&word.trim_end_matches('.')) || word.ends_with("/s");
    let is_relation =
        ["=", "<", "≤", "≥"].contains(&word) || before.ends_with(['=', '<', '≤', '≥']);
    (is_number && is_unit) || is_relation
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_held_to_its_unit_and_to_nothing_else() {
        let check = |text: &str, expected: &str| {
            assert_eq!(unbroken(text).replace(NO_BREAK, "~"), expected);
            assert_eq!(breakable(&unbroken(text)), text);
        };
        check("5.20 µs → 5.72 µs", "5.20~µs → 5.72~µs");
        check("needs ≥ 4.9 %, or 3 launch pairs", "needs~≥~4.9~%, or 3 launch pairs");
        check("52 633 pairs/s (p = 0.021)", "52 633~pairs/s (p~=~0.021)");
        check("in 10 s. A sentence", "in 10~s. A sentence");
        check("  smoke  is 3 sizes", "  smoke  is 3 sizes");
    }
}
