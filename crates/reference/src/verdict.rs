//! Keeps what was found about each XML pair, small, until the whole request is known to be valid.
//!
//! A batch is answered only after its last byte was read, because that byte may still make it a 422.
//! A million answers as JSON would take 150 MB meanwhile; this log takes 3 bytes for a pair that
//! matches and about 40 for one that does not, and the JSON is written while it is sent.

use std::ops::AddAssign;

/// What is different about a place in two documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DiffType {
    /// The second document has no such element.
    ElementMissing,
    /// Only the second document has this element.
    ElementExtra,
    /// An attribute's value differs, or one of them has it only.
    AttributeDifferent,
    /// The text differs.
    ContentDifferent,
}

impl DiffType {
    const ALL: [Self; 4] = [
        Self::ElementMissing,
        Self::ElementExtra,
        Self::AttributeDifferent,
        Self::ContentDifferent,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::ElementMissing => "ElementMissing",
            Self::ElementExtra => "ElementExtra",
            Self::AttributeDifferent => "AttributeDifferent",
            Self::ContentDifferent => "ContentDifferent",
        }
    }

    fn message(self, path: &str) -> String {
        match self {
            Self::ElementMissing => format!("element `{path}` is missing from the second document"),
            Self::ElementExtra => format!("element `{path}` is only in the second document"),
            Self::AttributeDifferent => format!("attribute `{path}` differs"),
            Self::ContentDifferent => format!("the content of `{path}` differs"),
        }
    }
}

/// How much of two documents is equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Score {
    /// Elements of the document that has more.
    pub(super) elements: usize,
    /// Elements that are equal in both.
    pub(super) equal: usize,
}

/// Beyond this many bytes, no more differences of one pair are listed. The counts stay right.
pub(super) const DIFF_BYTES_MAX: usize = 4 << 20;

/// The differences of one pair, as the log stores them.
#[derive(Debug, Default)]
pub(super) struct Diffs(Vec<u8>);

impl Diffs {
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a difference. A side is `None` where it has nothing at that place.
    pub(super) fn push(
        &mut self,
        kind: DiffType,
        path: &[u8],
        expected: Option<&[u8]>,
        actual: Option<&[u8]>,
    ) {
        if self.0.len() > DIFF_BYTES_MAX {
            return;
        }
        self.0.push(kind as u8);
        push_number(&mut self.0, path.len());
        self.0.extend_from_slice(path);
        for side in [expected, actual] {
            push_number(&mut self.0, side.map_or(0, |text| text.len() + 1));
            self.0.extend_from_slice(side.unwrap_or_default());
        }
    }
}

const EQUAL: u8 = 0;
const DIFFERENT: u8 = 1;
const MALFORMED: u8 = 2;
/// Where the number of a [`DiffType`] would stand.
const LAST: u8 = 4;

/// The verdicts of consecutive pairs.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct VerdictLog {
    bytes: Vec<u8>,
    pub(super) counts: VerdictCounts,
}

/// How many pairs there were.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct VerdictCounts {
    pub(super) matched: u64,
    pub(super) different: u64,
    pub(super) malformed: u64,
}

impl VerdictCounts {
    pub(super) fn pairs(self) -> u64 {
        self.compared() + self.malformed
    }

    pub(super) fn compared(self) -> u64 {
        self.matched + self.different
    }
}

impl AddAssign for VerdictCounts {
    fn add_assign(&mut self, other: Self) {
        self.matched += other.matched;
        self.different += other.different;
        self.malformed += other.malformed;
    }
}

impl VerdictLog {
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.counts = VerdictCounts::default();
    }

    /// Notes a pair that could be compared.
    pub(super) fn push(&mut self, score: Score, diffs: &Diffs) {
        if diffs.is_empty() && score.equal == score.elements {
            self.counts.matched += 1;
            self.bytes.push(EQUAL);
            push_number(&mut self.bytes, score.elements);
            return;
        }
        self.counts.different += 1;
        self.bytes.push(DIFFERENT);
        push_number(&mut self.bytes, score.elements);
        push_number(&mut self.bytes, score.equal);
        self.bytes.extend_from_slice(&diffs.0);
        self.bytes.push(LAST);
    }

    /// Notes a pair that is not well-formed.
    pub(super) fn push_malformed(&mut self) {
        self.counts.malformed += 1;
        self.bytes.push(MALFORMED);
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Gives back what was reserved and is not needed.
    pub(super) fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
    }

    pub(super) fn cursor(&self) -> LogCursor<'_> {
        LogCursor { rest: &self.bytes }
    }
}

/// Reads a [`VerdictLog`] and writes JSON.
#[derive(Debug)]
pub(super) struct LogCursor<'a> {
    rest: &'a [u8],
}

impl LogCursor<'_> {
    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// Writes the next verdict as the contract has it.
    pub(super) fn write_next(&mut self, out: &mut Vec<u8>) {
        match self.byte() {
            EQUAL => {
                let elements = self.number();
                out.extend_from_slice(br#"{"matched":true,"match_ratio":1.0,"diffs":[]"#);
                write_counts(out, elements, elements);
            }
            DIFFERENT => self.write_different(out),
            _ => {
                out.extend_from_slice(br#"{"matched":false,"match_ratio":0.0,"diffs":[]"#);
                write_counts(out, 0, 0);
            }
        }
    }

    fn write_different(&mut self, out: &mut Vec<u8>) {
        let (elements, equal) = (self.number(), self.number());
        let ratio = if elements == 0 { 1.0 } else { equal as f64 / elements as f64 };
        out.extend_from_slice(br#"{"matched":false,"match_ratio":"#);
        write_json(out, &ratio);
        out.extend_from_slice(br#","diffs":["#);
        let mut separator: &[u8] = b"";
        while let Some(kind) = DiffType::ALL.get(usize::from(self.byte())) {
            out.extend_from_slice(separator);
            self.write_diff(*kind, out);
            separator = b",";
        }
        out.push(b']');
        write_counts(out, elements, equal);
    }

    fn write_diff(&mut self, kind: DiffType, out: &mut Vec<u8>) {
        let length = self.number();
        let path = String::from_utf8_lossy(self.take(length));
        out.extend_from_slice(br#"{"path":"#);
        write_json(out, &path);
        out.extend_from_slice(br#","diff_type":""#);
        out.extend_from_slice(kind.name().as_bytes());
        out.push(b'"');
        for name in [&br#","expected":"#[..], br#","actual":"#] {
            out.extend_from_slice(name);
            match self.number() {
                0 => out.extend_from_slice(b"null"),
                length => write_json(out, &String::from_utf8_lossy(self.take(length - 1))),
            }
        }
        out.extend_from_slice(br#","message":"#);
        write_json(out, &kind.message(&path));
        out.push(b'}');
    }
}

impl<'a> LogCursor<'a> {
    fn byte(&mut self) -> u8 {
        let (first, rest) = self.rest.split_first().expect("the log holds whole verdicts");
        self.rest = rest;
        *first
    }

    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        taken
    }

    fn number(&mut self) -> usize {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = self.byte();
            value |= usize::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return value;
            }
            shift += 7;
        }
    }
}

/// Seven bits a byte, the lowest first; the high bit says that more follow.
fn push_number(out: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        out.push(low_bits(value) | 0x80);
        value >>= 7;
    }
    out.push(low_bits(value));
}

fn low_bits(value: usize) -> u8 {
    u8::try_from(value & 0x7F).expect("seven bits")
}

fn write_counts(out: &mut Vec<u8>, elements: usize, equal: usize) {
    let mut digits = itoa::Buffer::new();
    out.extend_from_slice(br#","total_elements":"#);
    out.extend_from_slice(digits.format(elements).as_bytes());
    out.extend_from_slice(br#","matched_elements":"#);
    out.extend_from_slice(digits.format(equal).as_bytes());
    out.push(b'}');
}

fn write_json(out: &mut Vec<u8>, value: &(impl serde::Serialize + ?Sized)) {
    serde_json::to_writer(out, value).expect("text and numbers go into memory without failing");
}
