//! Which lines take more in head than in base.

use std::collections::BTreeMap;
use std::sync::Arc;

use record::Side;
use record::causes::LineGrowth;

use super::diff::SourceHunk;
use super::line_map::{LineMap, MappedLine};
use super::line_profile::LineProfile;

/// Lines that are kept, at most.
const LINES_MAX: usize = 40;

/// Lines that differ by a smaller share of base are the counts' own scatter.
const GROWTH_MIN: f64 = 0.0005;

/// A line of both builds: where it stands in head, or in base if it is gone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct LineKey {
    function: Arc<str>,
    place: MappedLine,
    /// Of a touched line, its place among those of its hunk.
    offset: u32,
}

#[derive(Debug, Clone, Default)]
struct LineSums {
    base: u64,
    head: u64,
    /// File and line in head, or in base if it is gone.
    shown: Option<(Arc<str>, u32)>,
}

/// Returns the lines whose own work, with what was inlined into them, differs most between two builds, the
/// largest difference first.
pub fn line_growth(
    base: &LineProfile,
    head: &LineProfile,
    map: &LineMap,
    hunks: &[SourceHunk],
) -> Vec<LineGrowth> {
    let mut sums = BTreeMap::<LineKey, LineSums>::new();
    for (side, profile) in [(Side::Base, base), (Side::Head, head)] {
        for ((function, chain), cost) in &profile.own {
            // What was inlined from a library is of the line that it was inlined at.
            let Some(frame) = chain.iter().find(|frame| frame.is_own && frame.line > 0) else {
                continue;
            };
            let place = map.find(side, &frame.file, frame.line);
            let offset = offset(&place, hunks, side, frame.line);
            let key = LineKey { function: Arc::clone(function), place, offset };
            let line = sums.entry(key).or_default();
            match side {
                Side::Base => line.base += cost,
                Side::Head => line.head += cost,
            }
            if side == Side::Head || line.shown.is_none() {
                line.shown = Some((Arc::clone(&frame.file), frame.line));
            }
        }
    }
    let least = GROWTH_MIN * base.total() as f64 / base.units;
    let mut lines: Vec<LineGrowth> = sums
        .into_iter()
        .filter_map(|(key, sums)| {
            let (file, line) = sums.shown?;
            Some(LineGrowth {
                file: file.to_string(),
                line,
                touched: matches!(key.place, MappedLine::Hunk(_)),
                function: key.function.to_string(),
                base: sums.base as f64 / base.units,
                head: sums.head as f64 / head.units,
            })
        })
        .filter(|line| (line.head - line.base).abs() >= least)
        .collect();
    lines.sort_by(|a, b| (b.head - b.base).abs().total_cmp(&(a.head - a.base).abs()));
    lines.truncate(LINES_MAX);
    lines
}

/// The place of a touched line in its edit, so that a line that was changed is one row, and not two.
fn offset(place: &MappedLine, hunks: &[SourceHunk], side: Side, line: u32) -> u32 {
    let MappedLine::Hunk(hunk) = place else { return 0 };
    let mut before = 0;
    for edit in &hunks[*hunk].edits {
        let span = if side == Side::Base { edit.base } else { edit.head };
        if span.count > 0 && (span.start..=span.end()).contains(&line) {
            return before + line - span.start;
        }
        before += edit.base.count.max(edit.head.count);
    }
    before
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::diff::{SourceDiff, SourceTexts};
    use super::super::line_profile::{InlineChain, SourceFrame};
    use super::*;

    fn profile(lines: &[(&str, u32, u64)]) -> LineProfile {
        let own = lines.iter().map(|&(function, line, cost)| {
            let frame = SourceFrame {
                function: function.into(),
                file: "src/a.rs".into(),
                line,
                is_own: true,
            };
            ((function.into(), InlineChain::from([frame])), cost)
        });
        LineProfile { own: own.collect(), calls: BTreeMap::new(), units: 10.0 }
    }

    #[test]
    fn changed_lines_are_one_row_and_lines_that_moved_are_none() {
        let diff = "diff --git a/src/a.rs b/src/a.rs\n--- a/src/a.rs\n+++ b/src/a.rs\n\
                    @@ -5 +5,2 @@\n-x\n+y\n+z\n";
        let diff = SourceDiff::parse(diff);
        let hunks = diff.hunks(&SourceTexts::default());
        let map = LineMap::new(&diff, &hunks);
        let base = profile(&[("f", 5, 1_000), ("f", 9, 5_000), ("g", 30, 70)]);
        let head = profile(&[("f", 5, 1_400), ("f", 6, 300), ("f", 10, 5_000)]);
        let rows = line_growth(&base, &head, &map, &hunks);
        let rows = rows.iter().map(|row| {
            format!(
                "{}:{} {} {} {} {}",
                row.file, row.line, row.function, row.touched, row.base, row.head
            )
        });
        insta::assert_snapshot!(rows.collect::<Vec<_>>().join("\n"), @"
        src/a.rs:5 f true 100 140
        src/a.rs:6 f true 0 30
        src/a.rs:30 g false 7 0
        ");
    }
}
