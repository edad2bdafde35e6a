//! A mix of one's own: the shape of the documents, and how often which thing differs.
//!
//! Written as keys with values, so that a configuration file and the command line share one
//! grammar, and one error message that says what would be right.

use std::fmt;

use miette::Diagnostic;
use thiserror::Error;

use super::draws::PairRng;
use super::pattern::write_number;
use super::quota::{self, QuotaCycle};
use super::truth::{DocumentChange, PairClass};
use super::vocabulary;

/// The deepest document that a mix makes.
const DEPTH_MAX: u32 = 256;
/// The most children and attributes that an element of a mix can have.
const COUNT_MAX: u64 = 100_000;
/// The largest text, and the largest size to ask for.
const SIZE_BYTES_MAX: u64 = 64 << 20;
/// The largest weight.
const WEIGHT_MAX: u32 = 1000;
/// The longest order of changes: it is kept in memory.
const PERIOD_MAX: u64 = 100_000;

const WEIGHTS: &str = "depths from 1 to 256 with weights up to 1000, such as `2:60, 3:30, 5:10`";
const NUMBERS: &str = "`5`, `1..4`, or `p50=4kB, p90=20kB, p99=100kB, max=1MB`";
const CLASSES: &str = "weights of identical, equal and different pairs, such as `70:10:20`";
const CHANGES: &str = "names with weights up to 1000, such as `TEXT_VALUE:3, comment:1`; the names \
    are those of `xmlperf payload --help`";
const ROUNDER: &str = "rounder weights: the order of pairs would repeat only after 100 000";

/// Why a setting of a mix cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
pub enum MixError {
    /// There is no such setting.
    #[error("no setting here is called `{key}`")]
    #[diagnostic(help("the settings are {}", known.join(", ")))]
    Unknown {
        /// What was wanted.
        key: String,
        /// What there is.
        known: &'static [&'static str],
    },
    /// The value is not of the right form.
    #[error("`{value}` is not a value for `{key}`")]
    #[diagnostic(help("write {right}"))]
    Wrong {
        /// The setting.
        key: &'static str,
        /// What was given.
        value: String,
        /// What would be right.
        right: &'static str,
    },
}

/// A number that differs from document to document, in whole numbers from end to end, so that it
/// is the same on every machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distribution {
    /// Share in tenths of a percent, and the largest number of that share: `(500, m)` says that
    /// half of the numbers are at most `m`. Both grow; the shares go from 0 to 1000.
    points: Vec<(u32, u64)>,
}

impl Distribution {
    /// Always the same number.
    pub fn fixed(value: u64) -> Self {
        Self { points: vec![(0, value), (1000, value)] }
    }

    /// Reads `5`, `1..4`, or `p50=4kB, p90=20kB, p99=100kB, max=1MB` (with `min`, if it is not
    /// zero); in between, the numbers are spread evenly.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some((low, high)) = text.split_once("..") {
            let points = vec![(0, size(low)?), (1000, size(high)?)];
            return Self { points }.valid();
        }
        if !text.contains('=') {
            return size(text).map(Self::fixed).and_then(Self::valid);
        }
        let mut points = Vec::new();
        for part in text.split(',') {
            let (name, value) = part.split_once('=')?;
            let share = match name.trim() {
                "min" => 0,
                "max" => 1000,
                name => permille(name.strip_prefix('p')?)?,
            };
            points.push((share, size(value)?));
        }
        points.sort_unstable();
        if points.first()?.0 != 0 {
            points.insert(0, (0, 0));
        }
        Self { points }.valid()
    }

    fn valid(self) -> Option<Self> {
        let grows = self.points.windows(2).all(|two| two[0].0 < two[1].0 && two[0].1 <= two[1].1);
        let ends = self.points.last().is_some_and(|last| last.0 == 1000);
        (grows && ends && self.max() <= SIZE_BYTES_MAX).then_some(self)
    }

    fn max(&self) -> u64 {
        self.points.last().map_or(0, |last| last.1)
    }

    /// Draws a number.
    pub(super) fn draw(&self, draws: &mut PairRng) -> u64 {
        let share = u64::from(draws.word());
        // The place in the list, in 1/2³² of a tenth of a percent.
        let at = share * 1000;
        let upper = self.points.iter().position(|(end, _)| at <= u64::from(*end) << 32);
        let upper = upper.unwrap_or(self.points.len() - 1).max(1);
        let ((left, low), (right, high)) = (self.points[upper - 1], self.points[upper]);
        let (from, width) = (u64::from(left) << 32, u128::from(right - left) << 32);
        let grown = u128::from(high - low + 1) * u128::from(at - from) / width;
        (low + u64::try_from(grown).expect("less than the difference")).min(high)
    }
}

impl fmt::Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (share, value)) in self.points.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}p{}.{}={value}", share / 10, share % 10)?;
        }
        Ok(())
    }
}

/// Reads `50` or `99.9` as tenths of a percent.
fn permille(text: &str) -> Option<u32> {
    let (whole, tenth) = text.split_once('.').unwrap_or((text, "0"));
    let (whole, tenth): (u32, u32) = (whole.parse().ok()?, tenth.parse().ok()?);
    (tenth < 10 && whole < 100).then(|| whole * 10 + tenth)
}

/// Reads a number of bytes or of anything else: `20`, `4 kB`.
fn size(text: &str) -> Option<u64> {
    let text = text.trim();
    text.replace('_', "").parse().ok().or_else(|| units::parse_bytes(text).ok())
}

/// How often pairs are identical, equal in another writing, or different, and in what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairRecipe {
    /// Weights of [`PairClass::Identical`], [`PairClass::Equal`] and [`PairClass::Different`].
    classes: [u32; 3],
    /// What is changed, with its weight among those of its class.
    changes: Vec<(DocumentChange, u32)>,
}

impl Default for PairRecipe {
    /// 70 % identical, 10 % equal in another writing, 20 % different, each change as often as any
    /// other of its class.
    fn default() -> Self {
        Self { classes: [7, 1, 2], changes: DocumentChange::ALL.map(|change| (change, 1)).to_vec() }
    }
}

impl PairRecipe {
    /// The settings that [`set`](Self::set) knows.
    pub const KEYS: [&str; 2] = ["classes", "differences"];

    /// Returns a recipe that makes identical pairs only.
    pub(super) fn identical() -> Self {
        Self { classes: [1, 0, 0], changes: Vec::new() }
    }

    /// Returns the changes of the recipe.
    pub(super) fn changes(&self) -> Vec<DocumentChange> {
        self.changes.iter().filter(|(_, weight)| *weight > 0).map(|(change, _)| *change).collect()
    }

    /// Changes a setting: `classes` or `differences`, as in [`DocumentMix::set`].
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), MixError> {
        let Some(key) = Self::KEYS.into_iter().find(|known| *known == key) else {
            return Err(MixError::Unknown { key: key.to_owned(), known: &Self::KEYS });
        };
        let mut changed = self.clone();
        let read = match key {
            "classes" => classes(value).map(|weights| changed.classes = weights),
            _ => changes(value).map(|changes| changed.changes = changes),
        };
        let right = if key == "classes" { CLASSES } else { CHANGES };
        let wrong = || MixError::Wrong { key, value: value.to_owned(), right };
        read.ok_or_else(wrong)?;
        if quota::period(&changed.weights()) > PERIOD_MAX {
            return Err(MixError::Wrong { key, value: value.to_owned(), right: ROUNDER });
        }
        *self = changed;
        Ok(())
    }

    /// Returns what happens to which pair: an order of indices into a list of `None` and changes.
    /// A class without a change that could be made gives its share to identical pairs.
    pub(super) fn plan(&self) -> (QuotaCycle, Vec<Option<DocumentChange>>) {
        let changes = self.changes.iter().map(|(change, _)| Some(*change));
        (QuotaCycle::new(&self.weights()), [None].into_iter().chain(changes).collect())
    }

    fn weights(&self) -> Vec<u64> {
        let total = |class| {
            let of = |(change, weight): &(DocumentChange, u32)| {
                if change.class() == class { u64::from(*weight) } else { 0 }
            };
            self.changes.iter().map(of).sum::<u64>()
        };
        let (equal, different) =
            (total(PairClass::Equal).max(1), total(PairClass::Different).max(1));
        let [identical_share, equal_share, different_share] = self.classes.map(u64::from);
        let mut weights = vec![identical_share * equal * different];
        weights.extend(self.changes.iter().map(|(change, weight)| match change.class() {
            PairClass::Identical => 0,
            PairClass::Equal => equal_share * u64::from(*weight) * different,
            PairClass::Different => different_share * u64::from(*weight) * equal,
        }));
        if weights.iter().all(|weight| *weight == 0) {
            weights[0] = 1;
        }
        weights
    }
}

/// The shape of documents, and what is done to them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentMix {
    /// Depth with its weight.
    depths: Vec<(u32, u32)>,
    fan_out: Distribution,
    attributes: Distribution,
    text_bytes: Distribution,
    size_bytes: Option<Distribution>,
    recipe: PairRecipe,
}

impl Default for DocumentMix {
    /// Documents of depth 2, 3 and 5 with a few children, attributes and words.
    fn default() -> Self {
        let between = |low, high| Distribution { points: vec![(0, low), (1000, high)] };
        Self {
            depths: vec![(2, 6), (3, 3), (5, 1)],
            fan_out: between(1, 4),
            attributes: between(0, 3),
            text_bytes: between(4, 40),
            size_bytes: None,
            recipe: PairRecipe::default(),
        }
    }
}

impl DocumentMix {
    /// The settings that [`set`](Self::set) knows.
    pub const KEYS: [&str; 7] =
        ["depth", "fan-out", "attributes", "text", "size", "classes", "differences"];

    /// Changes a setting.
    ///
    /// | key | value | sets |
    /// |:--|:--|:--|
    /// | `depth` | `2:60, 3:30, 5:10` | nesting of elements with its weight, 1 to 256 |
    /// | `fan-out` | numbers | children of an element; one of them nests on, the others are leaves |
    /// | `attributes` | numbers | attributes of an element |
    /// | `text` | numbers | about how many bytes the text of a leaf has |
    /// | `size` | numbers | at least how many bytes a document has |
    /// | `classes` | `70:10:20` | weights of identical, equal and different pairs |
    /// | `differences` | `TEXT_VALUE:3, comment:1` | what is changed, weighted within its class |
    ///
    /// Numbers are written `5`, `1..4`, or as percentiles: `p50=4kB, p90=20kB, max=1MB`.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), MixError> {
        let Some(key) = Self::KEYS.into_iter().find(|known| *known == key) else {
            return Err(MixError::Unknown { key: key.to_owned(), known: &Self::KEYS });
        };
        let wrong = |right| MixError::Wrong { key, value: value.to_owned(), right };
        let numbers = |most| {
            let numbers = Distribution::parse(value).filter(|numbers| numbers.max() <= most);
            numbers.ok_or_else(|| wrong(NUMBERS))
        };
        match key {
            "depth" => self.depths = depths(value).ok_or_else(|| wrong(WEIGHTS))?,
            "fan-out" => self.fan_out = numbers(COUNT_MAX)?,
            "attributes" => self.attributes = numbers(COUNT_MAX)?,
            "text" => self.text_bytes = numbers(SIZE_BYTES_MAX)?,
            "size" => self.size_bytes = Some(numbers(SIZE_BYTES_MAX)?),
            _ => self.recipe.set(key, value)?,
        }
        Ok(())
    }

    /// Returns what is done to the documents.
    pub fn recipe(&self) -> &PairRecipe {
        &self.recipe
    }

    /// Returns an order of indices into [`depths`](Self::depths).
    pub(super) fn depths(&self) -> (QuotaCycle, Vec<u32>) {
        let weights: Vec<_> = self.depths.iter().map(|(_, weight)| u64::from(*weight)).collect();
        (QuotaCycle::new(&weights), self.depths.iter().map(|(depth, _)| *depth).collect())
    }

    /// Appends a document whose elements nest `depth` deep.
    pub(super) fn write(&self, out: &mut Vec<u8>, depth: u32, draws: &mut PairRng) {
        let least = self.size_bytes.as_ref().map_or(0, |size| size.draw(draws));
        let end = out.len().saturating_add(usize::try_from(least).unwrap_or(usize::MAX));
        self.open(out, b"level1", draws);
        if depth == 1 {
            self.text(out, draws);
            while out.len() < end {
                out.push(b' ');
                vocabulary::words(out, 1, draws);
            }
        } else {
            self.children(out, depth, draws);
            while out.len() < end {
                self.children(out, depth, draws);
            }
        }
        out.extend_from_slice(b"</level1>");
    }

    /// Appends the children of the root: in each element, one nests on and the others are leaves.
    fn children(&self, out: &mut Vec<u8>, depth: u32, draws: &mut PairRng) {
        let mut after = Vec::new();
        for level in 2..=depth {
            let count = u32::try_from(self.fan_out.draw(draws)).unwrap_or(u32::MAX).max(1);
            let before = draws.below(count);
            self.leaves(out, before, draws);
            if level < depth {
                self.open(out, &level_name(level), draws);
                after.push(count - before - 1);
            } else {
                self.leaves(out, count - before, draws);
            }
        }
        for (level, count) in (2..depth).zip(after).rev() {
            out.extend_from_slice(b"</");
            out.extend_from_slice(&level_name(level));
            out.push(b'>');
            self.leaves(out, count, draws);
        }
    }

    fn leaves(&self, out: &mut Vec<u8>, count: u32, draws: &mut PairRng) {
        for _ in 0..count {
            let name = vocabulary::word(draws).as_bytes();
            self.open(out, name, draws);
            self.text(out, draws);
            out.extend_from_slice(b"</");
            out.extend_from_slice(name);
            out.push(b'>');
        }
    }

    fn open(&self, out: &mut Vec<u8>, name: &[u8], draws: &mut PairRng) {
        out.push(b'<');
        out.extend_from_slice(name);
        for index in 0..self.attributes.draw(draws) {
            out.extend_from_slice(b" a");
            write_number(out, index);
            out.extend_from_slice(b"=\"");
            write_number(out, u64::from(draws.below(100_000)));
            out.push(b'"');
        }
        out.push(b'>');
    }

    fn text(&self, out: &mut Vec<u8>, draws: &mut PairRng) {
        let length = usize::try_from(self.text_bytes.draw(draws)).unwrap_or(usize::MAX);
        let (start, end) = (out.len(), out.len().saturating_add(length));
        while out.len() < end {
            if out.len() > start {
                out.push(b' ');
            }
            vocabulary::words(out, 1, draws);
        }
    }
}

fn level_name(level: u32) -> Vec<u8> {
    format!("level{level}").into_bytes()
}

/// Reads `2:60, 3:30`: a name and its weight, which is 1 if it is not given.
fn weighted(text: &str) -> Option<Vec<(&str, u32)>> {
    let weight = |part: &str| part.trim().parse().ok().filter(|weight| *weight <= WEIGHT_MAX);
    text.split(',')
        .map(|part| match part.split_once(':') {
            None => Some((part.trim(), 1)),
            Some((name, part)) => Some((name.trim(), weight(part)?)),
        })
        .collect()
}

fn depths(text: &str) -> Option<Vec<(u32, u32)>> {
    let depth = |name: &str| name.parse().ok().filter(|depth| (1..=DEPTH_MAX).contains(depth));
    let depths = weighted(text)?.into_iter().map(|(name, weight)| Some((depth(name)?, weight)));
    depths.collect::<Option<Vec<_>>>().filter(|depths| depths.iter().any(|(_, w)| *w > 0))
}

fn changes(text: &str) -> Option<Vec<(DocumentChange, u32)>> {
    let changes = weighted(text)?.into_iter();
    changes.map(|(name, weight)| Some((DocumentChange::from_name(name)?, weight))).collect()
}

fn classes(text: &str) -> Option<[u32; 3]> {
    let weight = |part: &str| part.trim().parse().ok().filter(|weight| *weight <= WEIGHT_MAX);
    let weights: Option<Vec<u32>> = text.split(':').map(weight).collect();
    let weights: [u32; 3] = weights?.try_into().ok()?;
    weights.iter().any(|weight| *weight > 0).then_some(weights)
}

impl fmt::Display for PairRecipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [identical, equal, different] = self.classes;
        write!(f, "classes={identical}:{equal}:{different} differences=")?;
        self.changes
            .iter()
            .try_for_each(|(change, weight)| write!(f, "{}:{weight},", change.name()))
    }
}

impl fmt::Display for DocumentMix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { depths, fan_out, attributes, text_bytes, size_bytes, recipe } = self;
        write!(f, "depth=")?;
        depths.iter().try_for_each(|(depth, weight)| write!(f, "{depth}:{weight},"))?;
        write!(f, " fan-out={fan_out} attributes={attributes} text={text_bytes}")?;
        if let Some(size) = size_bytes {
            write!(f, " size={size}")?;
        }
        write!(f, " {recipe}")
    }
}
