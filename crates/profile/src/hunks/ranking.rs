//! Ranks the hunks of a change by what they explain of its work.
//!
//! An effect on a line that a hunk touches is that hunk's. Another one goes to a hunk of the same function that
//! has no lines of its own to run, such as a deletion or an attribute; else to the one that defines what the line
//! names; else to the lines that it was called from. What did not run explains nothing. That is a guess which
//! is right in three of four: reverting a hunk and counting again tells.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use record::Side;
use record::causes::{HunkEvidence, HunkGrowth};

use super::costs::{self, BaseLine, SideCosts};
use super::diff::{HunkKind, SourceHunk, SourceTexts};
use super::effects::{self, CostEffect};
use super::line_map::{LineMap, MappedLine};
use super::line_profile::LineProfile;
use super::words::{self, DefinedWords};

/// Lines around a function's first and last that ran in which a deletion or an attribute still is of it.
const BODY_MARGIN: u32 = 4;

/// The part of what nothing explains that a manifest is taken to explain: its settings reach everything.
const MANIFEST_PART: f64 = 0.35;

/// The share of the whole that a hunk without lines of its own weighs beside one with them.
const SILENT_WEIGHT: f64 = 0.05;

/// Returns all hunks, the one that explains most first.
pub fn rank(
    [base, head]: [&LineProfile; 2],
    map: &LineMap,
    hunks: &[SourceHunk],
    texts: &SourceTexts,
) -> Vec<HunkGrowth> {
    let sides = costs::sides(base, head, map);
    let whole = head.total() as f64 / head.units - base.total() as f64 / base.units;
    let mut ranking = HunkRanking {
        hunks,
        sign: if whole < 0.0 { -1.0 } else { 1.0 },
        whole,
        words: hunks.iter().map(|hunk| words::defined(hunk, texts)).collect(),
        bodies: bodies([base, head], map),
        files: files([base, head]),
        touched: touched(&sides),
        callers: callers(&sides),
        growth: vec![BTreeMap::new(); hunks.len()],
    };
    ranking.assign(effects::effects(&sides), texts);
    ranking.ranked()
}

/// First and last line of a function that ran, in base.
type FunctionBody = (u32, u32);

/// A line of a caller, the hunk that touches it, and how much the call grew and what it costs at all.
struct CallerEdge {
    caller: Arc<str>,
    hunk: Option<usize>,
    growth: f64,
    cost: f64,
}

struct HunkRanking<'a> {
    hunks: &'a [SourceHunk],
    /// The direction of the whole change.
    sign: f64,
    whole: f64,
    words: Vec<DefinedWords>,
    /// By file in base.
    bodies: BTreeMap<Arc<str>, Vec<FunctionBody>>,
    /// The files that a function's code is from.
    files: BTreeMap<Arc<str>, BTreeSet<Arc<str>>>,
    /// Hunks with lines that ran.
    touched: BTreeSet<usize>,
    callers: BTreeMap<Arc<str>, Vec<CallerEdge>>,
    /// Of each hunk, by kind of evidence.
    growth: Vec<BTreeMap<HunkEvidence, f64>>,
}

impl HunkRanking<'_> {
    fn assign(&mut self, effects: Vec<CostEffect>, texts: &SourceTexts) {
        // What cancels on one line has no say in the rest.
        let mut loose = BTreeMap::<(Option<BaseLine>, Option<Arc<str>>), f64>::new();
        for effect in effects {
            match (effect.place.hunk, effect.place.line) {
                (Some(hunk), _) => self.add(hunk, HunkEvidence::Line, effect.growth),
                (None, Some(line)) => {
                    *loose.entry((Some(line), Some(effect.function))).or_default() += effect.growth;
                }
                (None, None) => {
                    *loose.entry((None, Some(effect.function))).or_default() += effect.growth;
                }
            }
        }
        let mut rest = 0.0;
        for ((line, function), growth) in loose {
            let function = function.unwrap_or_default();
            let found = line
                .as_ref()
                .and_then(|line| self.in_function(line))
                .or_else(|| self.by_name(line.as_ref(), &function, texts))
                .or_else(|| self.by_caller(&function));
            match found {
                Some((evidence, shares)) => {
                    for (hunk, share) in shares {
                        self.add(hunk, evidence, growth * share);
                    }
                }
                None => rest += growth,
            }
        }
        let manifest = self.hunks.iter().position(|hunk| {
            hunk.kind == HunkKind::Manifest
                && Path::new(&hunk.place.path).extension() != Some("lock".as_ref())
        });
        if let Some(hunk) = manifest {
            self.add(hunk, HunkEvidence::Name, MANIFEST_PART * rest);
        }
    }

    fn add(&mut self, hunk: usize, evidence: HunkEvidence, growth: f64) {
        *self.growth[hunk].entry(evidence).or_default() += growth;
    }

    fn line_growth(&self, hunk: usize) -> f64 {
        self.growth[hunk].get(&HunkEvidence::Line).copied().unwrap_or(0.0)
    }

    /// Whether a hunk has no line in head, or none that ran.
    fn is_silent(&self, hunk: usize) -> bool {
        self.hunks[hunk].edits.iter().all(|edit| edit.head.count == 0)
            || !self.touched.contains(&hunk)
    }

    /// The hunks in the function of a line, by what their lines explain themselves.
    fn in_function(&self, (file, line): &BaseLine) -> Option<(HunkEvidence, Vec<(usize, f64)>)> {
        let bodies = self.bodies.get(file)?;
        let around = bodies.iter().filter(|(first, last)| (first..=last).contains(&line));
        let (first, last) = *around.min_by_key(|(first, last)| last - first)?;
        let weight = |hunk: usize| {
            let grown = (self.line_growth(hunk) * self.sign).max(0.0);
            let silent = if self.is_silent(hunk) { SILENT_WEIGHT * self.whole.abs() } else { 0.0 };
            grown + silent
        };
        let inside = self.hunks.iter().enumerate().filter(|(_, hunk)| {
            let is_here =
                hunk.kind == HunkKind::Lines && (hunk.base_path.as_deref() == Some(file.as_ref()));
            let span = hunk.place.base;
            is_here && span.start <= last + 1 && span.end() + BODY_MARGIN >= first
        });
        let weights: Vec<(usize, f64)> = inside.map(|(at, _)| (at, weight(at))).collect();
        shared(weights, 0.01 * self.whole.abs()).map(|shares| (HunkEvidence::Function, shares))
    }

    /// The hunk that defines what a line names, or that names the library of a function.
    fn by_name(
        &self,
        line: Option<&BaseLine>,
        function: &Arc<str>,
        texts: &SourceTexts,
    ) -> Option<(HunkEvidence, Vec<(usize, f64)>)> {
        let text = line.and_then(|(file, line)| {
            let index = usize::try_from(line.checked_sub(1)?).ok()?;
            texts.base.get(file.as_ref())?.lines().nth(index)
        });
        let named = text.map(words::all).unwrap_or_default();
        let files = self.files.get(function);
        let weight = |words: &DefinedWords| {
            let of_line = words.weight(&named);
            let of_file =
                files.is_some_and(|files| files.iter().any(|file| words.names_library(file)));
            if of_file { 1.0 } else { of_line }
        };
        let weights = self.words.iter().map(weight).enumerate().collect::<Vec<_>>();
        let best = weights.into_iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
        (best.1 > 0.0).then(|| (HunkEvidence::Name, vec![(best.0, 1.0)]))
    }

    /// The hunks that a function was called from more.
    fn by_caller(&self, function: &Arc<str>) -> Option<(HunkEvidence, Vec<(usize, f64)>)> {
        let mut found = BTreeMap::new();
        self.walk(function, 1.0, &mut Vec::new(), &mut found);
        let met: f64 = found.values().sum();
        (met > 0.01).then(|| (HunkEvidence::Caller, found.into_iter().collect()))
    }

    fn walk(
        &self,
        function: &Arc<str>,
        weight: f64,
        path: &mut Vec<Arc<str>>,
        found: &mut BTreeMap<usize, f64>,
    ) {
        const DEPTH_MAX: usize = 20;
        const WEIGHT_MIN: f64 = 0.01;
        if path.len() >= DEPTH_MAX || weight < WEIGHT_MIN || path.contains(function) {
            return;
        }
        let Some(edges) = self.callers.get(function) else { return };
        let grown = |edge: &CallerEdge| (edge.growth * self.sign).max(0.0);
        let whole: f64 = edges.iter().map(grown).sum();
        let costs: f64 = edges.iter().map(|edge| edge.cost).sum();
        path.push(Arc::clone(function));
        for edge in edges {
            let share = match (whole > 0.0, costs > 0.0) {
                (true, _) => grown(edge) / whole,
                (false, true) => edge.cost / costs,
                (false, false) => 0.0,
            };
            match edge.hunk {
                Some(hunk) => *found.entry(hunk).or_default() += weight * share,
                None => self.walk(&edge.caller, weight * share * 0.9, path, found),
            }
        }
        path.pop();
    }

    fn ranked(self) -> Vec<HunkGrowth> {
        let growth = |(hunk, growth): (&SourceHunk, &BTreeMap<HunkEvidence, f64>)| {
            let sign = self.sign;
            let strongest = growth.iter().max_by(|a, b| (a.1 * sign).total_cmp(&(b.1 * sign)));
            let strongest = strongest.filter(|(_, growth)| **growth * sign > 0.0);
            HunkGrowth {
                hunk: hunk.place.clone(),
                // The sum of nothing would else have a sign.
                growth: growth.values().sum::<f64>() + 0.0,
                evidence: strongest.map_or(HunkEvidence::None, |(evidence, _)| *evidence),
            }
        };
        let mut ranked: Vec<HunkGrowth> = self.hunks.iter().zip(&self.growth).map(growth).collect();
        ranked.sort_by(|a, b| (b.growth * self.sign).total_cmp(&(a.growth * self.sign)));
        ranked
    }
}

/// Shares of weights in their sum, if that is more than `least`.
fn shared(weights: Vec<(usize, f64)>, least: f64) -> Option<Vec<(usize, f64)>> {
    let sum: f64 = weights.iter().map(|(_, weight)| weight).sum();
    (sum > least).then(|| weights.into_iter().map(|(hunk, it)| (hunk, it / sum)).collect())
}

fn touched(sides: &[SideCosts; 2]) -> BTreeSet<usize> {
    let own = sides.iter().flat_map(|side| side.own.values().flat_map(BTreeMap::keys));
    let calls = sides.iter().flat_map(|side| side.calls.values().flat_map(BTreeMap::keys));
    own.chain(calls.map(|(place, _)| place)).filter_map(|place| place.hunk).collect()
}

/// The extent of each function of the repository, by the lines of it that ran.
fn bodies(profiles: [&LineProfile; 2], map: &LineMap) -> BTreeMap<Arc<str>, Vec<FunctionBody>> {
    let mut extents = BTreeMap::<(Arc<str>, Arc<str>), FunctionBody>::new();
    for (side, profile) in [Side::Base, Side::Head].into_iter().zip(profiles) {
        for frame in profile.own.keys().flat_map(|(_, chain)| chain.iter()) {
            if !frame.is_own || frame.line == 0 {
                continue;
            }
            let MappedLine::Base { file, line } = map.find(side, &frame.file, frame.line) else {
                continue;
            };
            let body = extents.entry((file, Arc::clone(&frame.function))).or_insert((line, line));
            *body = (body.0.min(line), body.1.max(line));
        }
    }
    let mut bodies = BTreeMap::<Arc<str>, Vec<FunctionBody>>::new();
    for ((file, _), body) in extents {
        bodies.entry(file).or_default().push(body);
    }
    bodies
}

fn files(profiles: [&LineProfile; 2]) -> BTreeMap<Arc<str>, BTreeSet<Arc<str>>> {
    let mut files = BTreeMap::<Arc<str>, BTreeSet<Arc<str>>>::new();
    for (function, chain) in profiles.iter().flat_map(|profile| profile.own.keys()) {
        let of_library = chain.iter().filter(|frame| !frame.is_own);
        let names = of_library.map(|frame| Arc::clone(&frame.file));
        files.entry(Arc::clone(function)).or_default().extend(names);
    }
    files
}

fn callers(sides: &[SideCosts; 2]) -> BTreeMap<Arc<str>, Vec<CallerEdge>> {
    let mut costs = BTreeMap::<(Arc<str>, Arc<str>, Option<usize>), [f64; 2]>::new();
    for (number, side) in sides.iter().enumerate() {
        for (caller, calls) in &side.calls {
            for ((place, callee), call) in calls {
                let key = (Arc::clone(callee), Arc::clone(caller), place.hunk);
                costs.entry(key).or_default()[number] += call.cost;
            }
        }
    }
    let mut callers = BTreeMap::<Arc<str>, Vec<CallerEdge>>::new();
    for ((callee, caller, hunk), [base, head]) in costs {
        let edge = CallerEdge { caller, hunk, growth: head - base, cost: head.max(base) };
        callers.entry(callee).or_default().push(edge);
    }
    callers
}

#[cfg(test)]
mod tests {
    use super::super::diff::SourceDiff;
    use super::super::line_profile::{InlineChain, SourceFrame};
    use super::*;
    use crate::graph::CallEdge;

    fn frame(function: &str, line: u32) -> SourceFrame {
        let (function, file) = (function.into(), "src/a.rs".into());
        SourceFrame { function, file, line, is_own: true }
    }

    fn chain(frames: &[(&str, u32)]) -> InlineChain {
        frames.iter().map(|&(function, line)| frame(function, line)).collect()
    }

    /// A profile of own costs by chain, and of calls.
    fn profile(
        own: &[(&[(&str, u32)], u64)],
        calls: &[((&str, u32), &str, u64, u64)],
    ) -> LineProfile {
        let own = own.iter().map(|(frames, cost)| {
            let function = frames[frames.len() - 1].0;
            ((function.into(), chain(frames)), *cost)
        });
        let calls = calls.iter().map(|&(at, callee, count, cost)| {
            ((at.0.into(), chain(&[at]), callee.into()), CallEdge { count, cost })
        });
        LineProfile { own: own.collect(), calls: calls.collect(), units: 1.0 }
    }

    /// The ranking of a change of these lines of `src/a.rs`, with the text of base.
    fn ranked(edits: &str, text: &str, base: &LineProfile, head: &LineProfile) -> String {
        let diff =
            format!("diff --git a/src/a.rs b/src/a.rs\n--- a/src/a.rs\n+++ b/src/a.rs\n{edits}");
        let diff = SourceDiff::parse(&diff);
        let texts = SourceTexts {
            base: [("src/a.rs".to_owned(), text.to_owned())].into(),
            ..SourceTexts::default()
        };
        let hunks = diff.hunks(&texts);
        let map = LineMap::new(&diff, &hunks);
        let ranked = rank([base, head], &map, &hunks, &texts);
        let lines = ranked
            .iter()
            .map(|it| format!("{} {:.0} {:?}", it.hunk.base.start, it.growth, it.evidence));
        lines.collect::<Vec<_>>().join("\n")
    }

    const TWO: &str = "@@ -10 +10 @@\n-x\n+y\n@@ -50 +50 @@\n-x\n+y\n";

    #[test]
    fn a_line_that_costs_more_is_the_hunk_that_touches_it() {
        let base = profile(&[(&[("f", 10)], 100), (&[("f", 11)], 100), (&[("g", 50)], 100)], &[]);
        let head = profile(&[(&[("f", 10)], 100), (&[("f", 11)], 100), (&[("g", 50)], 150)], &[]);
        insta::assert_snapshot!(ranked(TWO, "", &base, &head), @"
        50 50 Line
        10 0 None
        ");
    }

    #[test]
    fn more_calls_are_of_the_line_that_calls() {
        let base = profile(
            &[(&[("f", 10)], 100), (&[("g", 50)], 100), (&[("leaf", 80)], 1_000)],
            &[(("f", 10), "leaf", 10, 1_000)],
        );
        let head = profile(
            &[(&[("f", 10)], 100), (&[("g", 50)], 120), (&[("leaf", 80)], 1_500)],
            &[(("f", 10), "leaf", 15, 1_500)],
        );
        insta::assert_snapshot!(ranked(TWO, "", &base, &head), @"
        10 500 Line
        50 20 Line
        ");
    }

    #[test]
    fn what_is_inlined_in_one_build_only_is_no_growth_of_the_line() {
        let base = profile(
            &[(&[("f", 10)], 100), (&[("g", 50)], 100), (&[("leaf", 80)], 1_000)],
            &[(("f", 10), "leaf", 10, 1_000)],
        );
        let head = profile(
            &[(&[("f", 10)], 100), (&[("leaf", 80), ("f", 10)], 990), (&[("g", 50)], 160)],
            &[],
        );
        let ranked = ranked(TWO, "", &base, &head);
        assert!(ranked.starts_with("50 60 Line"), "{ranked}");
    }

    #[test]
    fn a_deletion_in_a_function_explains_the_lines_around_it() {
        let edits = "@@ -20,2 +19,0 @@\n-if done {\n-}\n@@ -50 +48 @@\n-x\n+y\n";
        let base = profile(&[(&[("f", 18)], 100), (&[("f", 25)], 100), (&[("g", 50)], 100)], &[]);
        let head = profile(&[(&[("f", 18)], 100), (&[("f", 23)], 400), (&[("g", 48)], 100)], &[]);
        insta::assert_snapshot!(ranked(edits, "", &base, &head), @"
        20 300 Function
        50 0 None
        ");
    }

    #[test]
    fn a_constant_explains_the_lines_that_name_it() {
        let mut text = vec![String::new(); 60];
        text[2] = "const ROUNDS: u32 = 4;".to_owned();
        text[29] = "for _ in 0..ROUNDS {".to_owned();
        let edits = "@@ -3 +3 @@\n-const ROUNDS: u32 = 4;\n+const ROUNDS: u32 = 9;\n\
                     @@ -50 +50 @@\n-x\n+y\n";
        let base = profile(&[(&[("f", 30)], 100), (&[("g", 50)], 100)], &[]);
        let head = profile(&[(&[("f", 30)], 250), (&[("g", 50)], 100)], &[]);
        insta::assert_snapshot!(ranked(edits, &text.join("\n"), &base, &head), @"
        3 150 Name
        50 0 None
        ");
    }

    #[test]
    fn lines_that_did_not_run_explain_nothing() {
        let base = profile(&[(&[("f", 10)], 100)], &[]);
        let head = profile(&[(&[("f", 10)], 150)], &[]);
        insta::assert_snapshot!(ranked(TWO, "", &base, &head), @"
        10 50 Line
        50 0 None
        ");
    }
}
