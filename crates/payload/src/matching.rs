//! Texts that match a regular expression, for schemas that describe values by one.

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, ClassBytesRange, Hir, HirKind};

/// Characters of a text, at most: `[a-z]{1000000000}` is a short expression.
const CHARS_MAX: usize = 4_096;

/// Groups within groups.
const NESTING_MAX: u32 = 64;

/// Returns a plain text that matches an expression; none if the expression cannot be read, matches nothing, or
/// needs a very long text.
///
/// ```
/// # use xmlperf_payload::pattern_text;
/// assert_eq!(pattern_text("^[A-Z]{2}-[0-9]{3,}$").as_deref(), Some("AA-000"));
/// assert_eq!(pattern_text("["), None);
/// ```
pub fn pattern_text(expression: &str) -> Option<String> {
    let parsed = ParserBuilder::new().nest_limit(NESTING_MAX).build().parse(expression).ok()?;
    let mut out = String::new();
    write(&parsed, &mut out, &mut 0)?;
    Some(out)
}

fn write(hir: &Hir, out: &mut String, steps: &mut usize) -> Option<()> {
    // Steps as well: what repeats an empty text adds none.
    *steps += 1;
    if out.len() > CHARS_MAX || *steps > 4 * CHARS_MAX {
        return None;
    }
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => out.push_str(std::str::from_utf8(&literal.0).ok()?),
        HirKind::Class(class) => out.push(letter(class)?),
        HirKind::Repetition(repeated) => {
            // Once rather than not at all: an empty text says less, and is more often refused.
            let count = repeated.min.max(1).min(repeated.max.unwrap_or(u32::MAX));
            for _ in 0..count {
                write(&repeated.sub, out, steps)?;
            }
        }
        HirKind::Capture(group) => write(&group.sub, out, steps)?,
        HirKind::Concat(parts) => {
            for part in parts {
                write(part, out, steps)?;
            }
        }
        HirKind::Alternation(choices) => {
            let choice = choices.first()?;
            write(choice, out, steps)?;
        }
    }
    Some(())
}

/// A character of a class: a letter or digit of ASCII where there is one, else any that can be seen.
fn letter(class: &Class) -> Option<char> {
    let ranges: Vec<(char, char)> = match class {
        Class::Unicode(class) => class.iter().map(|it| (it.start(), it.end())).collect(),
        Class::Bytes(class) => {
            let range = |it: &ClassBytesRange| (char::from(it.start()), char::from(it.end()));
            class.iter().map(range).collect()
        }
    };
    let has = |c: &char| ranges.iter().any(|(first, last)| (first..=last).contains(&c));
    let mut known = ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(' '..='~');
    if let Some(known) = known.find(has) {
        return Some(known);
    }
    ranges.iter().flat_map(|(first, last)| [*first, *last]).find(|c| !c.is_control())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_text_of_an_expression_matches_it(
            parts in proptest::collection::vec(
                prop_oneof![
                    Just("[a-f0-9]"), Just("(ab|cd?)"), Just("\\d"), Just("."), Just("[^x]"),
                    Just("\\p{Lu}"), Just("é"), Just("\\."), Just("(?:z[0-9]{2}){1,3}"),
                ],
                1..6,
            ),
            repeats in proptest::collection::vec(
                prop_oneof![Just(""), Just("+"), Just("*"), Just("?"), Just("{2,4}"), Just("{3}")],
                6,
            ),
        ) {
            let pieces = parts.iter().zip(&repeats).map(|(part, repeat)| format!("{part}{repeat}"));
            let expression = format!("^{}$", pieces.collect::<String>());
            let known = regex::Regex::new(&expression).unwrap();
            prop_assert!(known.is_match(&pattern_text(&expression).unwrap()), "{}", expression);
        }
    }

    #[test]
    fn an_expression_that_asks_for_too_much_has_no_text() {
        assert_eq!(pattern_text("((a{1000}){1000}){1000}"), None);
        assert_eq!(pattern_text("(x?(a{0}){1000}){4000000}"), None);
        assert_eq!(pattern_text("[a&&b]"), None);
    }
}
