//! Documents written as XML with holes: `<cbc:ID>INV-{digits 8}</cbc:ID>`.
//!
//! A preset is then a file that reads like the documents it makes. What fills a hole holds no
//! character that XML would read as markup, and no quote, so a pattern that is well-formed makes
//! only documents that are.
//!
//! | hole | is filled with |
//! |:--|:--|
//! | `{pair}` | the number of the XML pair |
//! | `{digits 8}`, `{hex 8}` | that many digits, the first of them not zero |
//! | `{number 1 99}` | a whole number |
//! | `{decimal 1 9999}` | a number with two decimals |
//! | `{date}`, `{time}` | `2026-05-17`, `14:03:59` |
//! | `{pick EUR USD GBP}` | one of the words |
//! | `{words 2 5}`, `{Words 2 5}` | words, the second kind with capitals |
//! | `{sentences 2 4}` | prose on one line |
//! | `{lines 3 6}` | prose on many lines |
//! | `{signs 20 40}` | letters of many scripts |
//! | `{path 4 9}` | the commands of an SVG path |
//! | `{each 3 7}` … `{end}` | what stands between, that many times |

use super::draws::PairRng;
use super::vocabulary;

/// Least and most, both included.
type NumberBounds = (u32, u32);

#[derive(Debug, Clone, PartialEq, Eq)]
enum PatternPart {
    Text(String),
    Pair,
    Digits(u32),
    Hex(u32),
    Number(NumberBounds),
    Decimal(NumberBounds),
    Date,
    Time,
    Pick(Vec<String>),
    Words(NumberBounds),
    Capitals(NumberBounds),
    Sentences(NumberBounds),
    Lines(NumberBounds),
    Signs(NumberBounds),
    Path(NumberBounds),
    Each(NumberBounds, Vec<PatternPart>),
}

/// A document with holes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern(Vec<PatternPart>);

impl Pattern {
    /// Reads a pattern of this crate.
    pub(super) fn new(text: &str) -> Self {
        let mut rest = text;
        let parts = Self::parts(&mut rest);
        assert!(rest.is_empty(), "a pattern with an `{{end}}` too many");
        Self(parts)
    }

    /// Reads up to `{end}` or the end of the text.
    fn parts(rest: &mut &str) -> Vec<PatternPart> {
        let mut parts = Vec::new();
        loop {
            let (text, tail) = rest.split_once('{').unwrap_or((*rest, ""));
            if !text.is_empty() {
                parts.push(PatternPart::Text(text.to_owned()));
            }
            let (hole, tail) = tail.split_once('}').unwrap_or(("end", ""));
            *rest = tail;
            match hole {
                "end" => return parts,
                _ => parts.push(Self::part(hole, rest)),
            }
        }
    }

    fn part(hole: &str, rest: &mut &str) -> PatternPart {
        let words: Vec<&str> = hole.split(' ').collect();
        let number = |at: usize| words[at].parse().expect("a number in a pattern");
        let bounds = || (number(1), number(2));
        match words[0] {
            "pair" => PatternPart::Pair,
            "digits" => PatternPart::Digits(number(1)),
            "hex" => PatternPart::Hex(number(1)),
            "number" => PatternPart::Number(bounds()),
            "decimal" => PatternPart::Decimal(bounds()),
            "date" => PatternPart::Date,
            "time" => PatternPart::Time,
            "pick" => PatternPart::Pick(words[1..].iter().map(|word| (*word).to_owned()).collect()),
            "words" => PatternPart::Words(bounds()),
            "Words" => PatternPart::Capitals(bounds()),
            "sentences" => PatternPart::Sentences(bounds()),
            "lines" => PatternPart::Lines(bounds()),
            "signs" => PatternPart::Signs(bounds()),
            "path" => PatternPart::Path(bounds()),
            "each" => PatternPart::Each(bounds(), Self::parts(rest)),
            other => panic!("no hole is called `{other}`"),
        }
    }

    /// Appends the document of XML pair number `pair`.
    pub(super) fn write(&self, out: &mut Vec<u8>, pair: u64, draws: &mut PairRng) {
        write_parts(&self.0, out, pair, draws);
    }
}

fn write_parts(parts: &[PatternPart], out: &mut Vec<u8>, pair: u64, draws: &mut PairRng) {
    for part in parts {
        write_part(part, out, pair, draws);
    }
}

fn write_part(part: &PatternPart, out: &mut Vec<u8>, pair: u64, draws: &mut PairRng) {
    let count = |draws: &mut PairRng, bounds: &NumberBounds| draws.between(bounds.0, bounds.1);
    match part {
        PatternPart::Text(text) => out.extend_from_slice(text.as_bytes()),
        PatternPart::Pair => write_number(out, pair),
        PatternPart::Digits(count) => write_digits(out, *count, b"0123456789", draws),
        PatternPart::Hex(count) => write_digits(out, *count, b"0123456789abcdef", draws),
        PatternPart::Number(bounds) => write_number(out, u64::from(count(draws, bounds))),
        PatternPart::Decimal(bounds) => {
            write_number(out, u64::from(count(draws, bounds)));
            out.push(b'.');
            write_two(out, draws.below(100));
        }
        PatternPart::Date => write_date(out, draws),
        PatternPart::Time => write_time(out, draws),
        PatternPart::Pick(words) => out.extend_from_slice(draws.pick(words).as_bytes()),
        PatternPart::Words(bounds) => vocabulary::words(out, count(draws, bounds), draws),
        PatternPart::Capitals(bounds) => vocabulary::capitals(out, count(draws, bounds), draws),
        PatternPart::Sentences(bounds) => vocabulary::sentences(out, count(draws, bounds), draws),
        PatternPart::Lines(bounds) => vocabulary::lines(out, count(draws, bounds), draws),
        PatternPart::Signs(bounds) => vocabulary::signs(out, count(draws, bounds), draws),
        PatternPart::Path(bounds) => write_path(out, count(draws, bounds), draws),
        PatternPart::Each(bounds, parts) => {
            for _ in 0..count(draws, bounds) {
                write_parts(parts, out, pair, draws);
            }
        }
    }
}

/// Appends a whole number.
pub(super) fn write_number(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

fn write_two(out: &mut Vec<u8>, number: u32) {
    let digit = |value: u32| b'0' + u8::try_from(value % 10).expect("a digit");
    out.extend([digit(number / 10), digit(number)]);
}

fn write_digits(out: &mut Vec<u8>, count: u32, digits: &[u8], draws: &mut PairRng) {
    for at in 0..count {
        out.push(*draws.pick(if at == 0 { &digits[1..] } else { digits }));
    }
}

/// Up to the 28th, so that every date exists.
fn write_date(out: &mut Vec<u8>, draws: &mut PairRng) {
    write_number(out, u64::from(draws.between(2019, 2026)));
    for limit in [12, 28] {
        out.push(b'-');
        write_two(out, draws.between(1, limit));
    }
}

fn write_time(out: &mut Vec<u8>, draws: &mut PairRng) {
    for (at, limit) in [24, 60, 60].into_iter().enumerate() {
        if at > 0 {
            out.push(b':');
        }
        write_two(out, draws.below(limit));
    }
}

fn write_path(out: &mut Vec<u8>, commands: u32, draws: &mut PairRng) {
    let mut point = |out: &mut Vec<u8>, command: &str| {
        out.extend_from_slice(command.as_bytes());
        for separator in [b",", b" "] {
            write_number(out, u64::from(draws.below(600)));
            out.push(b'.');
            write_number(out, u64::from(draws.below(10)));
            out.extend_from_slice(separator);
        }
    };
    point(out, "M");
    for _ in 0..commands {
        for command in ["C", "", ""] {
            point(out, command);
        }
    }
    out.push(b'z');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(pattern: &str) -> String {
        let mut out = Vec::new();
        Pattern::new(pattern).write(&mut out, 12, &mut PairRng::new(42, 12));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_hole_is_filled() {
        let holes = [
            "{pair}",
            "{digits 8}",
            "{hex 8}",
            "{number 1 99}",
            "{decimal 1 999}",
            "{date}T{time}Z",
            "{pick EUR USD}",
            "{words 2 4}",
            "{Words 2 4}",
            "{sentences 1 2}",
            "{lines 1 2}",
            "{path 1 2}",
            "<a>{each 2 3}<b n=\"{number 1 9}\"/>{end}</a>",
            "{each 2 2}[{each 1 3}.{end}]{end}",
        ];
        let lines: Vec<_> = holes.iter().map(|hole| written(hole)).collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
        12
        40707684
        61b1bad7
        34
        337.09
        2021-02-21T01:42:40Z
        EUR
        at machine by
        At Machine By
        At by leather journal network deposit copper letter figure market company delivery daily request.
        machine by leather journal network deposit copper letter
        M58.7,45.7 C408.8,283.4 428.5,442.4 279.4,574.5 z
        <a><b n="1"/><b n="7"/></a>
        [.][...]
        "#);
    }
}
