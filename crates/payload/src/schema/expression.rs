//! Regular expressions of XML Schema: as Rust's crates read them, and texts that match them.

use std::iter::Peekable;
use std::str::Chars;

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind};

use crate::draws::PairRng;

/// Groups within groups.
const NESTING_MAX: u32 = 64;
/// Characters of a text, at most.
const CHARS_MAX: usize = 4_096;
/// Repetitions beyond the least of them.
const REPEATS_MAX: u32 = 12;

/// Returns an expression of XML Schema as Rust's crates read it: there `^` and `$` are characters, `\i` and
/// `\c` are those of names, and one class is taken from another by `-[`.
pub(super) fn rust_expression(pattern: &str) -> String {
    let mut out = String::new();
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => out.push_str(&escaped(&mut chars, EscapePlace::Outside)),
            '^' | '$' => out.extend(['\\', c]),
            '[' => class(&mut chars, &mut out, 0),
            // Neither of both ends of a line: a dot of Rust has the second.
            '.' => out.push_str("[^\\n\\r]"),
            other => out.push(other),
        }
    }
    out
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EscapePlace {
    Outside,
    InClass,
}

/// What follows a backslash. In a class there are no brackets around what stands for several characters.
fn escaped(chars: &mut Peekable<Chars<'_>>, place: EscapePlace) -> String {
    let set = |inner: &str| match place {
        EscapePlace::Outside => format!("[{inner}]"),
        EscapePlace::InClass => inner.to_owned(),
    };
    match chars.next() {
        Some('i') => set("_:\\p{L}"),
        Some('c') => set("\\-._:\\p{L}\\p{Nd}"),
        Some('I') => "[^_:\\p{L}]".to_owned(),
        Some('C') => "[^\\-._:\\p{L}\\p{Nd}]".to_owned(),
        Some('w') => "[^\\p{P}\\p{Z}\\p{C}]".to_owned(),
        Some('W') => set("\\p{P}\\p{Z}\\p{C}"),
        Some('s') => set(" \\t\\n\\r"),
        Some('S') => "[^ \\t\\n\\r]".to_owned(),
        Some(kind @ ('p' | 'P')) => {
            let name: String = chars.by_ref().take_while(|c| *c != '}').collect();
            let name = name.trim_start_matches('{');
            match (name, kind) {
                ("IsBasicLatin", 'p') => set("\\x00-\\x7f"),
                ("IsLatin-1Supplement", 'p') => set("\\u{80}-\\u{ff}"),
                ("IsLatinExtended-A", 'p') => set("\\u{100}-\\u{17f}"),
                ("IsBasicLatin", _) => "[^\\x00-\\x7f]".to_owned(),
                _ => format!("\\{kind}{{{name}}}"),
            }
        }
        Some(letter @ ('n' | 'r' | 't' | 'd' | 'D')) => format!("\\{letter}"),
        // A character that would have a meaning: as its number, it has none anywhere.
        Some(other) => format!("\\x{{{:x}}}", u32::from(other)),
        None => "\\\\".to_owned(),
    }
}

/// Writes a class whose opening bracket has been read.
fn class(chars: &mut Peekable<Chars<'_>>, out: &mut String, depth: u32) {
    // What is taken away is taken from all that stands before it, a `^` among it.
    out.push_str("[[");
    if chars.peek() == Some(&'^') {
        chars.next();
        out.push('^');
    }
    while let Some(c) = chars.next() {
        match c {
            ']' => break,
            '-' if chars.peek() == Some(&'[') => {
                chars.next();
                out.push_str("]--");
                if depth < NESTING_MAX {
                    class(chars, out, depth + 1);
                }
                // The bracket that ends the outer class.
                chars.next();
                out.push(']');
                return;
            }
            '\\' => out.push_str(&escaped(chars, EscapePlace::InClass)),
            '-' => {
                let is_range = !out.ends_with('[') && !out.ends_with("[^");
                let is_last = chars.peek() == Some(&']');
                out.push_str(if is_range && !is_last { "-" } else { "\\-" });
            }
            '[' | '&' | '~' | '^' => out.extend(['\\', c]),
            other => out.push(other),
        }
    }
    out.push_str("]]");
}

/// Makes texts that match an expression.
#[derive(Debug)]
pub(super) struct TextSampler {
    parsed: Hir,
}

impl TextSampler {
    /// Returns none for what cannot be read.
    pub(super) fn new(pattern: &str) -> Option<Self> {
        let expression = rust_expression(pattern);
        let parsed =
            ParserBuilder::new().nest_limit(NESTING_MAX).build().parse(&expression).ok()?;
        Some(Self { parsed })
    }

    /// Returns a text that matches, with up to `reach` repetitions more than the least; none where it grows too
    /// long.
    pub(super) fn text(&self, reach: u32, draws: &mut PairRng) -> Option<String> {
        let mut out = String::new();
        sample(&self.parsed, reach.max(REPEATS_MAX), draws, &mut out, &mut 0)?;
        Some(out)
    }
}

fn sample(
    hir: &Hir,
    reach: u32,
    draws: &mut PairRng,
    out: &mut String,
    steps: &mut usize,
) -> Option<()> {
    // Steps as well: what repeats an empty text adds none.
    *steps += 1;
    if out.len() > CHARS_MAX || *steps > 4 * CHARS_MAX {
        return None;
    }
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => out.push_str(std::str::from_utf8(&literal.0).ok()?),
        HirKind::Class(class) => out.push(letter(class, draws)?),
        HirKind::Repetition(repeated) => {
            let most = repeated.max.unwrap_or(u32::MAX).min(repeated.min.saturating_add(reach));
            let count = draws.between(repeated.min, most);
            for _ in 0..count {
                sample(&repeated.sub, reach, draws, out, steps)?;
            }
        }
        HirKind::Capture(group) => sample(&group.sub, reach, draws, out, steps)?,
        HirKind::Concat(parts) => {
            for part in parts {
                sample(part, reach, draws, out, steps)?;
            }
        }
        HirKind::Alternation(choices) => {
            sample(draws.pick(choices), reach, draws, out, steps)?;
        }
    }
    Some(())
}

/// A character of a class: a letter or digit of ASCII where there is one, else any that can be seen.
fn letter(class: &Class, draws: &mut PairRng) -> Option<char> {
    let ranges: Vec<(char, char)> = match class {
        Class::Unicode(class) => class.iter().map(|it| (it.start(), it.end())).collect(),
        Class::Bytes(class) => {
            class.iter().map(|it| (char::from(it.start()), char::from(it.end()))).collect()
        }
    };
    let has = |c: &char| ranges.iter().any(|(first, last)| (first..=last).contains(&c));
    let plain = || ('0'..='9').chain('A'..='Z').chain('a'..='z').filter(has);
    let count = plain().count();
    if count > 0 {
        return plain().nth(draws.index(count));
    }
    let seen = (' '..='~').find(has);
    seen.or_else(|| ranges.iter().flat_map(|it| [it.0, it.1]).find(|c| !c.is_control()))
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::*;

    #[test]
    fn expressions_of_xml_schema_are_read_as_they_are_meant() {
        let fits = |pattern: &str, text: &str| {
            Regex::new(&format!("^(?:{})$", rust_expression(pattern))).unwrap().is_match(text)
        };
        for (pattern, right, wrong) in [
            ("[a-z-[aeiou]]+", "xyz", "abc"),
            ("[^0-9-[xyz]]", "a", "x"),
            ("^$", "^$", ""),
            ("[\\w-.]+", "a-b.c", "a b"),
            ("[a-]+", "a-", "b"),
            ("[-a]+", "-a", "b"),
            ("\\i\\c*", "a-b.c1", "1a"),
            ("[\\i-[:]][\\c-[:]]*", "ab1", "a:b"),
            ("\\p{IsBasicLatin}+", "abc", "é"),
            ("a\\.b\\-c", "a.b-c", "axb-c"),
            ("[&&~~\\[\\]]+", "&~[]", "a"),
            ("a.c", "abc", "a\nc"),
            ("\\p{Lu}{2}\\d", "AB1", "ab1"),
            ("\\w+", "ab1", "a_b"),
        ] {
            assert!(
                fits(pattern, right),
                "`{pattern}` and `{right}`: {}",
                rust_expression(pattern)
            );
            assert!(
                !fits(pattern, wrong),
                "`{pattern}` and `{wrong}`: {}",
                rust_expression(pattern)
            );
        }
    }

    #[test]
    fn a_drawn_text_matches_its_expression() {
        let mut draws = PairRng::new(1, 0);
        for pattern in
            ["[A-Z]{2}[0-9]{2}[a-zA-Z0-9]{1,30}", "(a|b[cd])*", "[^<>]{3,}", "\\d+(\\.\\d{2})?"]
        {
            let sampler = TextSampler::new(pattern).unwrap();
            let known = Regex::new(&format!("^(?:{})$", rust_expression(pattern))).unwrap();
            for _ in 0..200 {
                let text = sampler.text(0, &mut draws).unwrap();
                assert!(known.is_match(&text), "{pattern}: {text}");
            }
        }
    }
}
