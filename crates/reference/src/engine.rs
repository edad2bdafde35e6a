//! Reads one comparison of a request, compares its documents, and notes the verdict.

use std::hint;

use crate::flat::FlatComparer;
use crate::ignore::IgnoreRules;
use crate::json::{JsonReader, JsonStop};
use crate::tree_compare::{Likeness, TreeComparer};
use crate::verdict::{Diffs, Score, VerdictLog};
use crate::xml::{DocumentError, PairMember};
use units::{self, Ratio};

/// Values that are open around a comparison in a batch: the request and its list.
pub(super) const DEPTH_IN_BATCH: usize = 2;
/// A request may have this many ignore rules per comparison and kind; each is tried on each path.
const RULES_MAX: usize = 100;
/// A comparison of more than this leaves no memory behind.
const KEPT_BYTES_MAX: usize = 1 << 20;

/// Which documents count as equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EqualitySemantics {
    /// As the XML-Compare-API has it, with its faults.
    XmlCompareApi,
    /// The same Canonical XML 1.0 without comments.
    C14n,
    /// What XMLUnit calls similar.
    XmlunitSimilar,
}

impl EqualitySemantics {
    /// All of them, with the names that people use.
    pub const NAMES: [(&str, Self); 3] = [
        ("xml-compare-api", Self::XmlCompareApi),
        ("c14n", Self::C14n),
        ("xmlunit-similar", Self::XmlunitSimilar),
    ];
}

#[derive(Debug)]
enum Comparer {
    Flat(Box<FlatComparer>),
    Tree(Box<TreeComparer>),
}

impl Comparer {
    fn new(semantics: EqualitySemantics) -> Self {
        match semantics {
            EqualitySemantics::XmlCompareApi => Self::Flat(Box::default()),
            EqualitySemantics::C14n => Self::tree(Likeness::Canonical),
            EqualitySemantics::XmlunitSimilar => Self::tree(Likeness::Similar),
        }
    }

    fn tree(likeness: Likeness) -> Self {
        Self::Tree(Box::new(TreeComparer::new(likeness)))
    }
}

/// The memory and the settings for one comparison after another.
#[derive(Debug)]
pub(super) struct CompareEngine {
    comparer: Comparer,
    item: CompareItem,
    diffs: Diffs,
    extra: ExtraWork,
    bytes_max: usize,
}

/// One comparison, with the JSON escapes replaced.
#[derive(Debug, Default)]
struct CompareItem {
    documents: [Vec<u8>; 2],
    /// Both documents were the same bytes, and only the first is stored.
    same: bool,
    ignore: IgnoreRules,
}

/// Does a share of the work twice.
///
/// Which comparisons is decided by the multiples of the golden ratio, which fall evenly between 0 and 1:
/// every tenth would always repeat the same kind where kinds take turns with that period.
#[derive(Debug)]
struct ExtraWork {
    /// Repetitions of every comparison.
    whole: u64,
    /// Share of comparisons that are repeated once more, in 2⁻⁶⁴.
    share: u64,
    /// The last multiple's fraction, in 2⁻⁶⁴.
    phase: u64,
    log: VerdictLog,
    json: Vec<u8>,
}

/// The golden ratio's fraction, in 2⁻⁶⁴.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

impl ExtraWork {
    /// How often the next comparison is repeated.
    #[inline]
    fn repetitions(&mut self) -> u64 {
        self.phase = self.phase.wrapping_add(GOLDEN);
        self.whole + u64::from(self.phase < self.share)
    }
}

impl CompareEngine {
    pub(super) fn new(semantics: EqualitySemantics, extra_work: Ratio) -> Self {
        // A share of 2⁻³² more or less is far below what any measurement tells.
        let parts = units::whole(extra_work.0 * 2.0_f64.powi(32)).unwrap_or(0);
        Self {
            comparer: Comparer::new(semantics),
            item: CompareItem::default(),
            diffs: Diffs::default(),
            extra: ExtraWork {
                whole: parts >> 32,
                share: parts << 32,
                phase: 0,
                log: VerdictLog::default(),
                json: Vec::new(),
            },
            bytes_max: 0,
        }
    }

    /// Returns whether the memory that this engine holds is worth keeping.
    pub(super) fn is_small(&self) -> bool {
        self.bytes_max <= KEPT_BYTES_MAX
    }

    /// Reads the comparison that is next, around which `depth` values are open, and notes its
    /// verdict. Returns what is wrong with its documents, if they could not be compared.
    pub(super) fn compare_next(
        &mut self,
        reader: &mut JsonReader<'_>,
        depth: usize,
        log: &mut VerdictLog,
    ) -> Result<Option<(PairMember, DocumentError)>, JsonStop> {
        let before = reader.clone();
        let malformed = self.once(reader, depth, log)?;
        self.bytes_max = self.bytes_max.max(reader.at - before.at);
        for _ in 0..self.extra.repetitions() {
            self.repeat(before.clone(), depth);
        }
        Ok(malformed)
    }

    /// Compares two documents that came without JSON around them.
    pub(super) fn compare_texts(
        &mut self,
        documents: [String; 2],
        ignore: IgnoreRules,
        log: &mut VerdictLog,
    ) -> Option<(PairMember, DocumentError)> {
        let same = documents[0] == documents[1];
        self.bytes_max = self.bytes_max.max(documents[0].len() + documents[1].len());
        self.item = CompareItem { documents: documents.map(String::into_bytes), same, ignore };
        self.note(log)
    }

    #[inline]
    fn once(
        &mut self,
        reader: &mut JsonReader<'_>,
        depth: usize,
        log: &mut VerdictLog,
    ) -> Result<Option<(PairMember, DocumentError)>, JsonStop> {
        self.item.read(reader, depth)?;
        Ok(self.note(log))
    }

    #[inline]
    fn note(&mut self, log: &mut VerdictLog) -> Option<(PairMember, DocumentError)> {
        match self.compare_item() {
            Ok(score) => {
                log.push(score, &self.diffs);
                None
            }
            Err(malformed) => {
                log.push_malformed();
                Some(malformed)
            }
        }
    }

    #[inline]
    fn compare_item(&mut self) -> Result<Score, (PairMember, DocumentError)> {
        self.diffs.clear();
        let CompareItem { documents: [first, second], same, ignore } = &self.item;
        match &mut self.comparer {
            Comparer::Flat(flat) if *same => flat.same(first, ignore).map_err(in_first),
            Comparer::Flat(flat) => flat.compare([first, second], ignore, &mut self.diffs),
            Comparer::Tree(tree) if *same => tree.same(first, ignore).map_err(in_first),
            Comparer::Tree(tree) => tree.compare([first, second], ignore, &mut self.diffs),
        }
    }

    /// Does everything about a comparison again, up to its part of the answer.
    #[cold]
    fn repeat(&mut self, mut reader: JsonReader<'_>, depth: usize) {
        let mut log = std::mem::take(&mut self.extra.log);
        log.clear();
        let result = self.once(&mut reader, depth, &mut log);
        self.extra.json.clear();
        log.cursor().write_next(&mut self.extra.json);
        hint::black_box((&self.extra.json, result.is_ok()));
        self.extra.log = log;
    }
}

fn in_first(malformed: DocumentError) -> (PairMember, DocumentError) {
    (PairMember::First, malformed)
}

impl CompareItem {
    fn read(&mut self, reader: &mut JsonReader<'_>, depth: usize) -> Result<(), JsonStop> {
        let before = reader.at;
        if self.read_usual(reader)? {
            return Ok(());
        }
        reader.at = before;
        self.read_any(reader, depth)
    }

    /// Reads what nearly every comparison looks like. Returns whether this one does.
    #[inline]
    fn read_usual(&mut self, reader: &mut JsonReader<'_>) -> Result<bool, JsonStop> {
        if !reader.skip_if(br#"{"xml1":""#) {
            return Ok(false);
        }
        reader.at -= 1;
        let quote = reader.at;
        self.documents[0].clear();
        reader.string(&mut self.documents[0])?;
        let first = &reader.bytes[quote..reader.at];
        if !reader.skip_if(br#","xml2":"#) {
            return Ok(false);
        }
        self.same = reader.skip_if(first);
        if !self.same {
            if reader.bytes.get(reader.at) != Some(&b'"') {
                return Ok(false);
            }
            self.documents[1].clear();
            reader.string(&mut self.documents[1])?;
        }
        if !self.ignore.is_empty() {
            self.ignore = IgnoreRules::default();
        }
        Ok(reader.skip_if(b"}"))
    }

    fn read_any(&mut self, reader: &mut JsonReader<'_>, depth: usize) -> Result<(), JsonStop> {
        let [first, second] = &mut self.documents;
        first.clear();
        second.clear();
        let mut seen = [false; 4];
        let (mut paths, mut properties) = (Vec::new(), Vec::new());
        let start = reader.at;
        if reader.peek()? != b'{' {
            return Err(reader.not_this("a comparison is an object"));
        }
        reader.object(|reader, key| {
            let place = match key {
                b"xml1" => 0,
                b"xml2" => 1,
                b"ignore_paths" => 2,
                b"ignore_properties" => 3,
                _ => return reader.skip_member(depth + 1),
            };
            if std::mem::replace(&mut seen[place], true) {
                return Err(JsonStop::Shape(reader.at, "a field may be there once"));
            }
            reader.expect(b':')?;
            match place {
                0 => reader.expect_string(first, "`xml1` is a string"),
                1 => reader.expect_string(second, "`xml2` is a string"),
                2 => strings(reader, &mut paths, "`ignore_paths` is a list of strings"),
                _ => strings(reader, &mut properties, "`ignore_properties` is a list of strings"),
            }
        })?;
        if !seen[0] || !seen[1] {
            return Err(JsonStop::Shape(start, "a comparison has `xml1` and `xml2`"));
        }
        self.same = first == second;
        self.ignore = IgnoreRules::new(&paths, properties);
        Ok(())
    }
}

/// Reads a list of strings, or `null` for an empty one.
fn strings(
    reader: &mut JsonReader<'_>,
    out: &mut Vec<String>,
    otherwise: &'static str,
) -> Result<(), JsonStop> {
    match reader.peek()? {
        b'n' => reader.word(b"null"),
        b'[' => reader.array(|reader| {
            if out.len() == RULES_MAX {
                return Err(JsonStop::Shape(
                    reader.at,
                    "a comparison has at most 100 ignore rules",
                ));
            }
            let mut text = Vec::new();
            reader.expect_string(&mut text, otherwise)?;
            out.push(String::from_utf8_lossy(&text).into_owned());
            Ok(())
        }),
        _ => Err(reader.not_this(otherwise)),
    }
}
