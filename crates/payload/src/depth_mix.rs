//! The documents of the project's seeds: small nested elements, two attributes each, one text.
//!
//! `<level2 id="doc7_2" value="123"><level1 id="doc7_1" value="124">doc7_125</level1></level2>`
//!
//! Every number but the document's is kept at three digits, so that the second document of a pair
//! is a copy with three digits overwritten, and a different pair is as long as an identical one.

use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::quota::{CyclePair, QuotaCycle};
use super::truth::{DocumentChange, PairTruth};

/// Depth of the elements, and its share in tenths.
const DEPTHS: [(u32, u64); 3] = [(2, 6), (3, 3), (5, 1)];
/// Identical and different pairs, in tenths.
const IDENTICAL: [u64; 2] = [7, 3];
/// The first class of [`IDENTICAL`].
const IDENTICAL_CLASS: usize = 0;

/// Returns the order of depths and of identical and different pairs.
pub(super) fn mix() -> CyclePair {
    CyclePair::new(QuotaCycle::new(&DEPTHS.map(|(_, share)| share)), QuotaCycle::new(&IDENTICAL))
}

/// What was drawn for one XML pair.
#[derive(Debug, Clone, Copy)]
struct DepthDraw {
    number: u64,
    depth: u32,
    /// The outermost element's `value`; each element further in has one more.
    value: u32,
    change: Option<DocumentChange>,
    /// The level whose `value` differs, if one does.
    level: u32,
    /// By how much the changed number differs, going round at 999.
    step: u32,
}

impl DepthDraw {
    fn draw(number: u64, mix: &CyclePair, word: u64) -> Self {
        let (depth, class) = mix.at(number);
        let depth = DEPTHS[depth].0;
        let change = match (class == IDENTICAL_CLASS, word & 1) {
            (true, _) => None,
            (false, 0) => Some(DocumentChange::AttrValue),
            (false, _) => Some(DocumentChange::TextValue),
        };
        Self {
            number,
            depth,
            value: 100 + below(890, word, 1),
            change,
            level: 1 + below(depth, word, 21),
            step: 1 + below(899, word, 41),
        }
    }

    fn truth(self) -> PairTruth {
        PairTruth { change: self.change, is_seen_by_api: true }
    }

    /// The changed number: another one of three digits.
    fn other(self, number: u32) -> u32 {
        100 + (number - 100 + self.step) % 900
    }
}

/// Returns a number below `limit`, from the 20 bits of `word` that start at `bit`.
fn below(limit: u32, word: u64, bit: u32) -> u32 {
    let bits = (word >> bit) & 0xF_FFFF;
    u32::try_from((bits * u64::from(limit)) >> 20).expect("less than the limit")
}

/// Writes XML pairs in the order of their numbers.
#[derive(Debug, Clone)]
pub(super) struct PairWriter {
    mix: Arc<CyclePair>,
    words: ChaCha8Rng,
    next: u64,
}

impl PairWriter {
    /// Returns a writer whose first XML pair is number `next`.
    pub(super) fn new(seed: u64, mix: &Arc<CyclePair>, next: u64) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        let mut words = ChaCha8Rng::from_seed(key);
        // One draw of two words a pair: pair `n` starts at word 2n, in any order of calls.
        words.set_word_pos(2 * u128::from(next));
        Self { mix: Arc::clone(mix), words, next }
    }

    fn draw(&mut self) -> DepthDraw {
        let pair = DepthDraw::draw(self.next, &self.mix, self.words.next_u64());
        self.next += 1;
        pair
    }

    /// Returns what is true of the next pair, and goes past it.
    pub(super) fn truth(&mut self) -> PairTruth {
        self.draw().truth()
    }

    /// Appends the documents of the next pair, as they are inside JSON strings, with `between`
    /// between them. Returns how long one is: both are.
    pub(super) fn write(&mut self, out: &mut Vec<u8>, between: &[u8]) -> (usize, PairTruth) {
        let pair = self.draw();
        let first = out.len();
        let places = write_document(out, pair);
        let end = out.len();
        out.extend_from_slice(between);
        let second = out.len();
        out.extend_from_within(first..end);
        let changed = match pair.change {
            Some(DocumentChange::AttrValue) => {
                let value = pair.value + pair.depth - pair.level;
                Some((places.values[index(pair.level)], value))
            }
            Some(_) => Some((places.text, pair.value + pair.depth)),
            None => None,
        };
        if let Some((place, number)) = changed {
            let at = second + place - first;
            out[at..at + 3].copy_from_slice(&digits(pair.other(number)));
        }
        (end - first, pair.truth())
    }
}

/// Where the numbers that can change stand in the buffer.
struct NumberOffsets {
    /// By level.
    values: [usize; LEVELS],
    text: usize,
}

/// One more than the deepest level.
const LEVELS: usize = 6;
const OPEN: [&[u8]; LEVELS] = [
    b"",
    br#"<level1 id=\"doc"#,
    br#"<level2 id=\"doc"#,
    br#"<level3 id=\"doc"#,
    br#"<level4 id=\"doc"#,
    br#"<level5 id=\"doc"#,
];
const VALUE: [&[u8]; LEVELS] = [
    b"",
    br#"_1\" value=\""#,
    br#"_2\" value=\""#,
    br#"_3\" value=\""#,
    br#"_4\" value=\""#,
    br#"_5\" value=\""#,
];
const CLOSE: [&[u8]; LEVELS] =
    [b"", b"</level1>", b"</level2>", b"</level3>", b"</level4>", b"</level5>"];

/// Appends the first document of a pair as the inside of a JSON string.
fn write_document(out: &mut Vec<u8>, pair: DepthDraw) -> NumberOffsets {
    let mut places = NumberOffsets { values: [0; LEVELS], text: 0 };
    let mut buffer = itoa::Buffer::new();
    let number = buffer.format(pair.number).as_bytes();
    let mut value = pair.value;
    for level in (1..=index(pair.depth)).rev() {
        out.extend_from_slice(OPEN[level]);
        out.extend_from_slice(number);
        out.extend_from_slice(VALUE[level]);
        places.values[level] = out.len();
        out.extend_from_slice(&digits(value));
        out.extend_from_slice(br#"\">"#);
        value += 1;
    }
    out.extend_from_slice(b"doc");
    out.extend_from_slice(number);
    out.push(b'_');
    places.text = out.len();
    out.extend_from_slice(&digits(value));
    for close in &CLOSE[1..=index(pair.depth)] {
        out.extend_from_slice(close);
    }
    places
}

fn index(level: u32) -> usize {
    usize::try_from(level).expect("a level is a small number")
}

/// The three digits of a number from 100 to 999.
fn digits(number: u32) -> [u8; 3] {
    [number / 100, number / 10 % 10, number % 10]
        .map(|digit| b'0' + u8::try_from(digit).expect("a digit"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(seed: u64, pairs: usize) -> Vec<(DepthDraw, String, String)> {
        let mix = Arc::new(mix());
        let (mut writer, mut draws) =
            (PairWriter::new(seed, &mix, 0), PairWriter::new(seed, &mix, 0));
        let pair = |_| {
            let mut both = Vec::new();
            let (length, _) = writer.write(&mut both, b"");
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap().replace('\\', "");
            (draws.draw(), text(&both[..length]), text(&both[length..]))
        };
        (0..pairs).map(pair).collect()
    }

    #[test]
    fn documents_look_like_those_of_the_seeds() {
        let pairs: Vec<_> = batch(42, 8).into_iter().map(|(_, a, b)| format!("{a}\n{b}")).collect();
        insta::assert_snapshot!(pairs.join("\n\n"), @r#"
        <level2 id="doc0_2" value="535"><level1 id="doc0_1" value="536">doc0_537</level1></level2>
        <level2 id="doc0_2" value="535"><level1 id="doc0_1" value="536">doc0_537</level1></level2>

        <level2 id="doc1_2" value="933"><level1 id="doc1_1" value="934">doc1_935</level1></level2>
        <level2 id="doc1_2" value="933"><level1 id="doc1_1" value="934">doc1_935</level1></level2>

        <level3 id="doc2_3" value="894"><level2 id="doc2_2" value="895"><level1 id="doc2_1" value="896">doc2_897</level1></level2></level3>
        <level3 id="doc2_3" value="894"><level2 id="doc2_2" value="895"><level1 id="doc2_1" value="849">doc2_897</level1></level2></level3>

        <level2 id="doc3_2" value="516"><level1 id="doc3_1" value="517">doc3_518</level1></level2>
        <level2 id="doc3_2" value="516"><level1 id="doc3_1" value="517">doc3_518</level1></level2>

        <level3 id="doc4_3" value="295"><level2 id="doc4_2" value="296"><level1 id="doc4_1" value="297">doc4_298</level1></level2></level3>
        <level3 id="doc4_3" value="295"><level2 id="doc4_2" value="296"><level1 id="doc4_1" value="297">doc4_298</level1></level2></level3>

        <level2 id="doc5_2" value="192"><level1 id="doc5_1" value="193">doc5_194</level1></level2>
        <level2 id="doc5_2" value="192"><level1 id="doc5_1" value="193">doc5_678</level1></level2>

        <level2 id="doc6_2" value="981"><level1 id="doc6_1" value="982">doc6_983</level1></level2>
        <level2 id="doc6_2" value="981"><level1 id="doc6_1" value="982">doc6_983</level1></level2>

        <level3 id="doc7_3" value="485"><level2 id="doc7_2" value="486"><level1 id="doc7_1" value="487">doc7_488</level1></level2></level3>
        <level3 id="doc7_3" value="485"><level2 id="doc7_2" value="486"><level1 id="doc7_1" value="487">doc7_488</level1></level2></level3>
        "#);
    }

    #[test]
    fn the_truth_is_what_a_parser_sees() {
        let facts = |text: &str| {
            let document = roxmltree::Document::parse(text).unwrap();
            let elements: Vec<_> =
                document.descendants().filter(roxmltree::Node::is_element).collect();
            let attributes: Vec<_> = elements
                .iter()
                .flat_map(roxmltree::Node::attributes)
                .map(|a| a.value().to_owned())
                .collect();
            let leaf = elements.last().unwrap().text().unwrap().to_owned();
            (elements.len(), attributes, leaf)
        };
        for (pair, first, second) in batch(7, 400) {
            let ((depth, attributes, text), other) = (facts(&first), facts(&second));
            assert_eq!(u32::try_from(depth).unwrap(), pair.depth);
            assert_eq!(depth, other.0);
            let changed = attributes.iter().zip(&other.1).filter(|(a, b)| a != b).count();
            let seen = match (changed, text == other.2) {
                (0, true) => None,
                (1, true) => Some(DocumentChange::AttrValue),
                (0, false) => Some(DocumentChange::TextValue),
                other => panic!("{other:?} in {second}"),
            };
            assert_eq!(seen, pair.change, "{first}\n{second}");
        }
    }

    #[test]
    fn shares_are_exact_in_every_ten_and_rounded_in_between() {
        let mix = mix();
        let mut counts = [0_i64; 4];
        for number in 0..1_000_i64 {
            let (depth, class) = mix.at(number.unsigned_abs());
            counts[depth] += 1;
            counts[3] += i64::from(class != IDENTICAL_CLASS);
            for (count, tenths) in counts.iter().zip([6, 3, 1, 3]) {
                assert!((count * 10 - (number + 1) * tenths).abs() < 10, "after {number}");
            }
        }
        assert_eq!(counts, [600, 300, 100, 300]);
    }
}
