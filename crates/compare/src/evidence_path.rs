//! How the evidence of a comparison came about, launch pair by launch pair.
//!
//! A verdict is the end of a path: after each launch pair there was an estimate, an interval and a wealth.
//! A reader who doubts the verdict sees whether one launch pair made it or all of them did. The path is
//! replayed by the very rule that decided, and only on request: a comparison is judged after each launch
//! pair, and has no use for it then.

use record::metric::Metric;
use record::metric::gate::MetricPolicy;
use record::{LaunchResults, OperationName, Run, Side};
use stats::evidence;

use crate::attempts;
use crate::decision::family::{FamilyEvidence, PlacementTrust};
use crate::decision::{Hypothesis, RowDifferences};
use crate::{MetricFinding, MetricResult};

/// Launch pairs after each of which a path has a point, and the points of a longer one.
const EACH_MAX: usize = 200;
const POINTS: usize = 50;

/// What the verdicts of the time lane rest on: every launch pair of every attempt.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EvidenceBasis {
    /// The error rate that the time lane may use, per direction.
    pub alpha: f64,
    /// How long a launch pair of this run took, in nanoseconds.
    pub pair_ns: f64,
    /// The launch pairs in their order.
    pub launch_pairs: Vec<EvidenceOrigin>,
    /// What each of them says about each metric.
    pub rows: Vec<EvidenceRow>,
}

/// Where a launch pair comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EvidenceOrigin {
    /// The attempt, from 1.
    pub attempt: u32,
    /// The machine, from 1 in the order in which they were used.
    pub machine: usize,
    /// The side that the coin put first.
    pub first: Side,
}

/// One metric in every launch pair.
#[derive(Debug, Clone, PartialEq)]
pub struct EvidenceRow {
    /// The scenario's name.
    pub scenario: String,
    /// The operation's, if it is of one among several.
    pub operation: Option<OperationName>,
    /// The metric.
    pub metric: Metric,
    /// Whether it decides, and shares the error rate.
    pub policy: MetricPolicy,
    /// What is tested.
    pub hypothesis: Hypothesis,
    /// Whether a machine may hold an offset of it.
    pub trust: PlacementTrust,
    /// ln(head / base) by launch pair, above 0 where head is worse; none where it was not measured.
    pub differences_ln: Vec<Option<f64>>,
}

/// The evidence about one metric after each launch pair.
#[derive(Debug, Clone, PartialEq)]
pub struct EvidencePath {
    /// ln of the wealth that a verdict needs.
    pub needed_ln: f64,
    /// What was known after each launch pair in which it was measured; of very many, after every so many.
    pub points: Vec<EvidencePoint>,
    /// How many launch pairs measured it.
    pub launch_pairs: usize,
}

/// What was known after a launch pair. Logarithms are of head over base, above 0 where head is worse.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EvidencePoint {
    /// The number of the launch pair, from 1, over all attempts.
    pub number: usize,
    /// Where it comes from.
    pub origin: EvidenceOrigin,
    /// Its own difference.
    pub difference_ln: f64,
    /// The estimate after it.
    pub estimate_ln: f64,
    /// The lower limit after it.
    pub low_ln: f64,
    /// The upper limit after it.
    pub high_ln: f64,
    /// ln of the family's wealth for *slower than the floor*.
    pub slower_ln: f64,
    /// ln of the family's wealth for *faster than the floor*.
    pub faster_ln: f64,
    /// ln of the wealth for *within the tolerance*.
    pub unchanged_ln: f64,
}

/// How often the coin put each side first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CoinCount {
    /// Launch pairs with base first.
    pub base: usize,
    /// Launch pairs with head first.
    pub head: usize,
}

impl EvidenceBasis {
    /// Returns the basis of a run without its rows: where its launch pairs come from.
    pub(super) fn begin(run: &Run, alpha: f64, launch_pairs: usize) -> Self {
        let machines = attempts::machines(run);
        let earlier = run.evidence.iter().flat_map(|state| &state.earlier);
        let mut origins: Vec<EvidenceOrigin> = Vec::new();
        for (attempt, machine) in earlier.zip(&machines) {
            let firsts = attempt.launch_pairs.iter().map(|pair| pair.first);
            let origin =
                |first| EvidenceOrigin { attempt: attempt.number, machine: machine + 1, first };
            origins.extend(firsts.map(origin));
        }
        let attempt = run.evidence.as_ref().map_or(1, |state| state.number);
        let machine = machines.last().copied().unwrap_or(0) + 1;
        let firsts = coins(run).into_iter().take(launch_pairs);
        origins.extend(firsts.map(|first| EvidenceOrigin { attempt, machine, first }));
        let launching_ns = units::exact(run.wall_ns.saturating_sub(run.counting_ns));
        let pair_ns = launching_ns / launch_pairs.max(1) as f64;
        Self { alpha, pair_ns, launch_pairs: origins, rows: Vec::new() }
    }

    /// Returns how many metrics share the error rate.
    pub fn family(&self) -> usize {
        self.rows.iter().filter(|it| it.policy == MetricPolicy::Gate).count()
    }

    /// Adds what the launch pairs say about a metric, attempt by attempt; an attempt in which it was not
    /// measured is empty.
    pub(super) fn add(
        &mut self,
        row: &MetricResult,
        trust: PlacementTrust,
        attempts: &[RowDifferences],
    ) {
        let mut differences_ln = Vec::with_capacity(self.launch_pairs.len());
        let numbers = self.attempt_numbers();
        for (number, attempt) in numbers.iter().zip(attempts) {
            let length = self.launch_pairs.iter().filter(|it| it.attempt == *number).count();
            differences_ln.extend((0..length).map(|place| attempt.get(place).copied().flatten()));
        }
        differences_ln.resize(self.launch_pairs.len(), None);
        self.rows.push(EvidenceRow {
            scenario: row.scenario.clone(),
            operation: row.operation.clone(),
            metric: row.metric,
            policy: row.rule.policy,
            hypothesis: crate::hypothesis(row.rule),
            trust,
            differences_ln,
        });
    }

    fn attempt_numbers(&self) -> Vec<u32> {
        let mut numbers: Vec<u32> = self.launch_pairs.iter().map(|it| it.attempt).collect();
        numbers.dedup();
        numbers
    }

    /// Returns what the launch pairs say about a row of the comparison, if it is of the time lane.
    pub fn row(&self, row: &MetricResult) -> Option<&EvidenceRow> {
        self.rows.iter().find(|it| it.is_of(row))
    }

    /// Returns how often the coin put each side first.
    pub fn coins(&self) -> CoinCount {
        let base = self.launch_pairs.iter().filter(|it| it.first == Side::Base).count();
        CoinCount { base, head: self.launch_pairs.len() - base }
    }

    /// Returns the path of each of some rows, in their order; none of a row that is not of the time lane,
    /// or has no launch pair.
    pub fn paths(&self, rows: &[&MetricResult]) -> Vec<Option<EvidencePath>> {
        let decides = |it: &&EvidenceRow| it.policy == MetricPolicy::Gate;
        let family: Vec<&EvidenceRow> = self.rows.iter().filter(decides).collect();
        let in_family = self.replay(&family);
        let path = |row: &&MetricResult| {
            let known = self.row(row)?;
            let place = family.iter().position(|it| it.is_of(row));
            let wealth = match place {
                Some(place) => in_family.iter().map(|wealths| wealths[place]).collect(),
                None => self.replay(&[known]).iter().map(|wealths| wealths[0]).collect::<Vec<_>>(),
            };
            self.path(row, known, &wealth)
        };
        rows.iter().map(path).collect()
    }

    /// The wealths of a family after each launch pair.
    fn replay(&self, family: &[&EvidenceRow]) -> Vec<Vec<RowWealth>> {
        let hypotheses: Vec<Hypothesis> = family.iter().map(|it| it.hypothesis).collect();
        let trust: Vec<PlacementTrust> = family.iter().map(|it| it.trust).collect();
        let mut evidence = FamilyEvidence::with_trust(self.alpha, &hypotheses, &trust);
        let mut attempt = None;
        let mut after = Vec::with_capacity(self.launch_pairs.len());
        for (place, origin) in self.launch_pairs.iter().enumerate() {
            if attempt != Some(origin.attempt) {
                evidence.begin_attempt(origin.machine - 1);
                attempt = Some(origin.attempt);
            }
            let differences: Vec<_> = family.iter().map(|it| it.differences_ln[place]).collect();
            evidence.see(&differences);
            let wealths = evidence.unchanged().enumerate().map(|(m, unchanged)| RowWealth {
                slower: evidence.slower()[m],
                faster: evidence.faster()[m],
                unchanged,
            });
            after.push(wealths.collect());
        }
        after
    }

    fn path(
        &self,
        row: &MetricResult,
        known: &EvidenceRow,
        wealths: &[RowWealth],
    ) -> Option<EvidencePath> {
        let mut seen: Vec<Vec<f64>> = Vec::new();
        let mut attempt = None;
        let mut points = Vec::new();
        let launch_pairs = known.differences_ln.iter().flatten().count();
        // Each point takes time of the square of the launch pairs before it.
        let every = if launch_pairs > EACH_MAX { launch_pairs.div_ceil(POINTS) } else { 1 };
        let mut seen_pairs = 0;
        let measured = self.launch_pairs.iter().zip(&known.differences_ln).zip(wealths);
        for (place, ((origin, difference), wealth)) in measured.enumerate() {
            let Some(difference_ln) = *difference else { continue };
            if attempt != Some(origin.attempt) {
                seen.push(Vec::new());
                attempt = Some(origin.attempt);
            }
            seen.last_mut().expect("an attempt has begun").push(difference_ln);
            seen_pairs += 1;
            if seen_pairs % every != 0 && seen_pairs != launch_pairs {
                continue;
            }
            let attempts: Vec<&[f64]> = seen.iter().map(Vec::as_slice).collect();
            let limits = evidence::limits(&attempts, self.alpha);
            points.push(EvidencePoint {
                number: place + 1,
                origin: *origin,
                difference_ln,
                estimate_ln: limits.value,
                low_ln: limits.low,
                high_ln: limits.high,
                slower_ln: wealth.slower,
                faster_ln: wealth.faster,
                unchanged_ln: wealth.unchanged,
            });
        }
        // The verdict may have moved a limit by a hair; the path ends in what the row says.
        if let (Some(last), MetricFinding::Judged(judgement)) = (points.last_mut(), &row.finding) {
            (last.low_ln, last.high_ln) = (judgement.low_ln, judgement.high_ln);
        }
        let needed_ln = -self.alpha.ln();
        (!points.is_empty()).then_some(EvidencePath { needed_ln, points, launch_pairs })
    }
}

/// The wealths of one row, as logarithms.
#[derive(Debug, Clone, Copy)]
struct RowWealth {
    slower: f64,
    faster: f64,
    unchanged: f64,
}

impl EvidenceRow {
    fn is_of(&self, row: &MetricResult) -> bool {
        self.scenario == row.scenario
            && self.operation == row.operation
            && self.metric == row.metric
    }
}

/// Which side the coin put first in each launch pair of a run. All scenarios share a launch pair.
fn coins(run: &Run) -> Vec<Side> {
    let firsts = run.scenarios.iter().map(|scenario| match &scenario.trials {
        LaunchResults::Paired(pairs) => pairs.iter().map(|pair| pair.first).collect(),
        LaunchResults::Single(_) => Vec::new(),
    });
    firsts.max_by_key(Vec::len).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use record::evidence::EvidenceState;
    use record::fixtures::{LEVEL, SampleLaunch, evidence_state, paired};

    use super::*;
    use crate::Comparison;
    use crate::decision::Verdict;

    fn slower() -> Run {
        paired(14, LEVEL, SampleLaunch { cpu_us: 572, ..LEVEL })
    }

    fn rows(comparison: &Comparison) -> Vec<&MetricResult> {
        comparison.rows.iter().collect()
    }

    #[test]
    fn a_path_ends_in_what_its_row_says() {
        let comparison = Comparison::of(&slower()).unwrap();
        let rows = rows(&comparison);
        let paths = comparison.evidence.paths(&rows);
        assert!(paths.iter().flatten().count() >= 6, "{paths:?}");
        for (row, path) in rows.iter().zip(paths) {
            let Some(path) = path else { continue };
            let (last, judgement) = (path.points.last().unwrap(), row.judgement().unwrap());
            assert_eq!(path.points.len(), 14);
            assert!((last.estimate_ln - judgement.estimate_ln).abs() < 1e-12, "{}", row.label());
            let p = |ln: f64| evidence::p_of_ln(ln);
            assert!((p(last.slower_ln) - judgement.p_slower).abs() < 1e-12, "{}", row.label());
            assert!((p(last.faster_ln) - judgement.p_faster).abs() < 1e-12);
            assert!((p(last.unchanged_ln) - judgement.p_unchanged).abs() < 1e-12);
        }
    }

    #[test]
    fn a_verdict_falls_where_the_wealth_reaches_what_it_needs() {
        let verdict_after = |launch_pairs: usize| {
            let run = paired(launch_pairs, LEVEL, SampleLaunch { cpu_us: 572, ..LEVEL });
            let comparison = Comparison::of(&run).unwrap();
            let row = comparison.rows.iter().find(|row| row.metric == Metric::Cpu).unwrap();
            row.verdict().unwrap()
        };
        let comparison = Comparison::of(&slower()).unwrap();
        let cpu = comparison.rows.iter().find(|row| row.metric == Metric::Cpu).unwrap();
        let path = comparison.evidence.paths(&[cpu]).remove(0).unwrap();
        let reached = path.points.iter().find(|it| it.slower_ln >= path.needed_ln).unwrap().number;
        assert!((8..14).contains(&reached), "{reached}");
        assert_eq!(verdict_after(reached - 1), Verdict::Inconclusive);
        assert_eq!(verdict_after(reached), Verdict::Regressed);
    }

    #[test]
    fn attempts_follow_each_other_and_coins_are_counted() {
        let state = evidence_state();
        let first = Run { evidence: Some(state.clone()), ..paired(5, LEVEL, LEVEL) };
        let earlier = attempts::attempt(&first).unwrap().into_iter().collect();
        let second = EvidenceState { number: 2, earlier, ..state };
        let run = Run { evidence: Some(second), ..paired(4, LEVEL, LEVEL) };
        let comparison = Comparison::of(&run).unwrap();
        let origins = &comparison.evidence.launch_pairs;
        assert_eq!(
            origins.iter().map(|it| it.attempt).collect::<Vec<_>>(),
            [1, 1, 1, 1, 1, 2, 2, 2, 2]
        );
        assert!(origins.iter().all(|it| it.machine == 1));
        assert_eq!(comparison.evidence.coins(), CoinCount { base: 5, head: 4 });
        let cpu = comparison.rows.iter().find(|row| row.metric == Metric::Cpu).unwrap();
        let path = comparison.evidence.paths(&[cpu]).remove(0).unwrap();
        assert_eq!(path.points.len(), 9);
        let ended = cpu.judgement().unwrap().estimate_ln - path.points[8].estimate_ln;
        assert!(ended.abs() < 1e-12, "{ended}");
    }
}
