//! The words that documents are filled with.
//!
//! Words and not random letters, so that a compressed body shrinks about as much as a real one.

use super::draws::PairRng;

const WORDS: [&str; 128] = [
    "the",
    "of",
    "and",
    "to",
    "in",
    "for",
    "is",
    "on",
    "that",
    "by",
    "with",
    "as",
    "at",
    "from",
    "are",
    "was",
    "be",
    "this",
    "have",
    "or",
    "an",
    "not",
    "will",
    "can",
    "all",
    "has",
    "new",
    "more",
    "one",
    "their",
    "other",
    "which",
    "about",
    "when",
    "after",
    "first",
    "also",
    "two",
    "may",
    "time",
    "account",
    "address",
    "amount",
    "annual",
    "approval",
    "article",
    "balance",
    "border",
    "bridge",
    "budget",
    "carrier",
    "charge",
    "client",
    "company",
    "contract",
    "copper",
    "country",
    "customer",
    "daily",
    "delivery",
    "deposit",
    "design",
    "detail",
    "discount",
    "document",
    "engine",
    "estimate",
    "evening",
    "exchange",
    "export",
    "factory",
    "figure",
    "final",
    "freight",
    "garden",
    "general",
    "glass",
    "harbour",
    "history",
    "house",
    "import",
    "index",
    "industry",
    "insurance",
    "interest",
    "invoice",
    "island",
    "journal",
    "kitchen",
    "ladder",
    "leather",
    "letter",
    "library",
    "machine",
    "market",
    "material",
    "measure",
    "member",
    "message",
    "metal",
    "method",
    "minute",
    "monthly",
    "morning",
    "network",
    "notice",
    "number",
    "office",
    "order",
    "paper",
    "partner",
    "payment",
    "period",
    "policy",
    "printer",
    "product",
    "project",
    "quality",
    "quarter",
    "record",
    "region",
    "report",
    "request",
    "review",
    "river",
    "schedule",
    "section",
    "service",
];

/// Letters of one to four bytes, some of them combining, some from right to left.
const SIGNS: [&str; 48] = [
    "é",
    "ü",
    "ñ",
    "ø",
    "ß",
    "ł",
    "ğ",
    "ž",
    "α",
    "β",
    "λ",
    "ω",
    "Ж",
    "д",
    "я",
    "ю",
    "א",
    "ב",
    "ש",
    "ع",
    "ب",
    "ن",
    "ह",
    "न्",
    "दी",
    "த",
    "ไ",
    "ก",
    "中",
    "文",
    "字",
    "日",
    "本",
    "か",
    "な",
    "ア",
    "한",
    "국",
    "어",
    "e\u{301}",
    "o\u{308}",
    "𝒜",
    "𐍈",
    "😀",
    "👩\u{200d}🚀",
    "🇫🇷",
    "𠮷",
    "…",
];

/// Returns a word; it is also a name that an element can have.
pub(super) fn word(draws: &mut PairRng) -> &'static str {
    WORDS[draws.index(WORDS.len())]
}

/// Appends `count` words, a space between them.
pub(super) fn words(out: &mut Vec<u8>, count: u32, draws: &mut PairRng) {
    for at in 0..count {
        if at > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(draws.pick(&WORDS).as_bytes());
    }
}

/// Appends `count` words that begin with a capital, as names do.
pub(super) fn capitals(out: &mut Vec<u8>, count: u32, draws: &mut PairRng) {
    for at in 0..count {
        if at > 0 {
            out.push(b' ');
        }
        capital(out, draws);
    }
}

fn capital(out: &mut Vec<u8>, draws: &mut PairRng) {
    let start = out.len();
    out.extend_from_slice(draws.pick(&WORDS).as_bytes());
    out[start].make_ascii_uppercase();
}

/// Appends `count` sentences of 6 to 16 words.
pub(super) fn sentences(out: &mut Vec<u8>, count: u32, draws: &mut PairRng) {
    for at in 0..count {
        if at > 0 {
            out.push(b' ');
        }
        capital(out, draws);
        out.push(b' ');
        words(out, draws.between(5, 15), draws);
        out.push(b'.');
    }
}

/// Appends `count` lines of prose of 8 to 12 words.
pub(super) fn lines(out: &mut Vec<u8>, count: u32, draws: &mut PairRng) {
    for at in 0..count {
        if at > 0 {
            out.push(b'\n');
        }
        words(out, draws.between(8, 12), draws);
    }
}

/// Appends `count` letters of many scripts.
pub(super) fn signs(out: &mut Vec<u8>, count: u32, draws: &mut PairRng) {
    for _ in 0..count {
        out.extend_from_slice(draws.pick(&SIGNS).as_bytes());
    }
}
