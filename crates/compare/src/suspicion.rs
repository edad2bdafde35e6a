//! Doubts a regression that a build's layout or code generation explains as well as the change does.
//!
//! What a compiler and a linker draw once a build shifts instructions by up to 0.7 % and CPU time by 2 %,
//! seldom by 6 %, whatever the change is, and no launch repeats the draw. Instructions and CPU time check
//! each other: layout hardly moves instructions (0.06 %), and instructions that cost no time are no
//! regression that a user feels.

use std::fmt;

use record::metric::Metric;
use record::{PlacementRecord, Run};

use crate::decision::{Judgement, Verdict};
use crate::{MetricFinding, MetricResult, proof};

/// From here on, more instructions are a regression by themselves.
const WORK_PROVEN: f64 = 0.02;

/// Instructions that differ by less are the same.
const WORK_SAME: f64 = 0.005;

/// From here on, more time is a regression although functions have moved.
const TIME_PROVEN: f64 = 0.04;

/// The same where instructions tell nothing apart, which no change of what is computed leaves so: two builds of
/// the reference API whose instructions agreed to 0.1 % were 2.9 to 5.6 % apart. With room above the largest,
/// as link order alone is known to bias by several percent (Mytkowicz et al., *Producing Wrong Data Without Doing
/// Anything Obviously Wrong*, ASPLOS 2009).
const TIME_PROVEN_WITHOUT_WORK: f64 = 0.08;

/// Instructions that differ by less do not tell two builds apart: three times what layout moves them by.
const WORK_EQUAL: f64 = 0.002;

/// The level at which CPU time confirms what instructions say.
const CONFIRMATION_P: f64 = 0.05;

/// What explains a change as well as the program does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suspicion {
    /// The compiler made other code of the same source.
    CodeGeneration,
    /// Functions lie at other addresses.
    Layout,
    /// The machine may hold an offset of one build, and no other one has measured.
    OneMachine,
}

impl Suspicion {
    /// Returns the word used in JSON.
    pub fn key(self) -> &'static str {
        match self {
            Self::CodeGeneration => "code-generation",
            Self::Layout => "layout",
            Self::OneMachine => "one-machine",
        }
    }
}

impl fmt::Display for Suspicion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CodeGeneration => "code generation?",
            Self::Layout => "layout",
            Self::OneMachine => "one machine",
        })
    }
}

/// Returns, for each row, what else explains that it regressed.
pub(super) fn suspicions(rows: &[MetricResult], run: &Run) -> Vec<Option<Suspicion>> {
    let moved = run.placement.as_ref().is_some_and(PlacementRecord::keeps_layout);
    let is_proven = |name: &str| {
        run.scenarios.iter().any(|scenario| scenario.name == name && proof::is_proven(scenario))
    };
    let of = |row: &MetricResult| {
        if matches!(row.finding, MetricFinding::Judged(Judgement { is_one_machine: true, .. })) {
            return Some(Suspicion::OneMachine);
        }
        let found = regression(row)?;
        // What goes away with a hunk is no chance of the compiler.
        if row.metric == Metric::Work && is_proven(&row.scenario) {
            return None;
        }
        chance(row.metric, found, moved, |metric| {
            let other = rows.iter().find(|it| {
                it.scenario == row.scenario && it.operation.is_none() && it.metric == metric
            });
            other.and_then(MetricResult::judgement)
        })
    };
    rows.iter().map(of).collect()
}

/// Returns which chance of a build explains what was found of a metric; `same` finds another metric of the scenario.
fn chance<'a>(
    metric: Metric,
    found: &Judgement,
    moved: bool,
    same: impl Fn(Metric) -> Option<&'a Judgement>,
) -> Option<Suspicion> {
    let cpu = same(Metric::Cpu);
    match metric {
        Metric::Work => {
            let confirmed = !moved && cpu.is_some_and(|cpu| cpu.p_slower <= CONFIRMATION_P);
            let small = found.estimate_ln <= WORK_PROVEN.ln_1p();
            (small && !confirmed).then_some(Suspicion::CodeGeneration)
        }
        Metric::Cpu | Metric::Latency | Metric::Flow => {
            let work = same(Metric::Work)?.estimate_ln.abs();
            let same_work = work <= WORK_SAME.ln_1p();
            let is_equal = work <= WORK_EQUAL.ln_1p();
            let proven = if is_equal { TIME_PROVEN_WITHOUT_WORK } else { TIME_PROVEN };
            let small = found.estimate_ln <= proven.ln_1p();
            // Time that its processors did not spend was waited for, which no layout makes longer.
            let waits = cpu.is_none_or(|cpu| cpu.estimate_ln < found.estimate_ln / 2.0);
            (moved && small && same_work && !waits).then_some(Suspicion::Layout)
        }
        Metric::Tail
        | Metric::P50
        | Metric::P95
        | Metric::P99
        | Metric::Throughput
        | Metric::Memory
        | Metric::Rss
        | Metric::Leak
        | Metric::Ready
        | Metric::FirstAnswers
        | Metric::AnswerBytes
        | Metric::Allocations
        | Metric::Queries
        | Metric::RoundTrips => None,
    }
}

/// The judgement of a row that decides and is worse, by launches or counts of both sides.
fn regression(row: &MetricResult) -> Option<&Judgement> {
    row.side_by_side().filter(|judgement| judgement.verdict == Verdict::Regressed)
}

#[cfg(test)]
mod tests {
    use record::fixtures::{LEVEL, SampleLaunch, counted, paired};

    use record::LayoutState;

    use super::*;
    use crate::{Comparison, ComparisonOutcome};

    /// What is said of a metric when CPU time changed by thousandths, instructions as given, and
    /// functions lie so.
    fn suspicion(metric: Metric, cpu_us: u64, work: f64, layout: LayoutState) -> Option<Suspicion> {
        let mut run =
            paired(14, SampleLaunch { cpu_us: 1_000, ..LEVEL }, SampleLaunch { cpu_us, ..LEVEL });
        run.scenarios[0].work = Some(counted(64_000.0, 64_000.0 * work));
        run.placement =
            Some(PlacementRecord { layout: Some(layout), ..PlacementRecord::default() });
        let comparison = Comparison::of(&run).unwrap();
        let row = comparison.rows.iter().find(|row| row.metric == metric).unwrap();
        assert_eq!(
            row.suspicion.is_some(),
            row.verdict() == Some(Verdict::Inconclusive) && row.is_flagged()
        );
        row.suspicion
    }

    #[test]
    fn time_without_instructions_is_suspected_where_functions_moved() {
        let check = |cpu_us, work, layout, expected| {
            assert_eq!(suspicion(Metric::Cpu, cpu_us, work, layout), expected, "{cpu_us} {work}");
        };
        check(1_035, 1.0, LayoutState::NotRedrawn, Some(Suspicion::Layout));
        check(1_035, 1.0, LayoutState::Same, None);
        check(1_035, 1.02, LayoutState::NotRedrawn, None);
        check(1_060, 1.0, LayoutState::NotRedrawn, Some(Suspicion::Layout));
        check(1_060, 1.003, LayoutState::NotRedrawn, None);
        check(1_090, 1.0, LayoutState::NotRedrawn, None);
    }

    #[test]
    fn few_instructions_more_are_suspected_unless_they_take_time() {
        let check = |cpu_us, work, layout, expected| {
            assert_eq!(suspicion(Metric::Work, cpu_us, work, layout), expected, "{cpu_us} {work}");
        };
        check(1_000, 1.014, LayoutState::Same, Some(Suspicion::CodeGeneration));
        check(1_040, 1.014, LayoutState::Same, None);
        check(1_040, 1.014, LayoutState::NotRedrawn, Some(Suspicion::CodeGeneration));
        check(1_000, 1.03, LayoutState::Same, None);
    }

    #[test]
    fn few_instructions_more_are_a_regression_if_they_go_with_a_hunk() {
        let check = |variant: f64, expected| {
            let mut run = paired(14, LEVEL, LEVEL);
            let head = 64_000.0 * 1.014;
            run.scenarios[0].work =
                Some(record::fixtures::explained(64_000.0, head, 64_000.0 * variant));
            let comparison = Comparison::of(&run).unwrap();
            assert_eq!(comparison.outcome, expected, "{variant}");
        };
        check(1.001, ComparisonOutcome::Regressed);
        check(1.010, ComparisonOutcome::Inconclusive);
    }

    #[test]
    fn a_suspicion_is_no_regression_and_ends_the_measuring() {
        let mut run = paired(
            14,
            SampleLaunch { cpu_us: 1_000, ..LEVEL },
            SampleLaunch { cpu_us: 1_035, ..LEVEL },
        );
        run.scenarios[0].work = Some(counted(64_000.0, 64_000.0));
        let layout = Some(LayoutState::NotRedrawn);
        run.placement = Some(PlacementRecord { layout, ..PlacementRecord::default() });
        let comparison = Comparison::of(&run).unwrap();
        assert_eq!(comparison.outcome, ComparisonOutcome::Inconclusive);
        assert!(comparison.is_decided());
    }

    #[test]
    fn what_a_machine_may_hold_an_offset_of_is_suspected_on_one() {
        let mut run = paired(14, LEVEL, SampleLaunch { cpu_us: 572, ..LEVEL });
        let mappings = std::collections::BTreeMap::from([(
            "libapi.so".to_owned(),
            record::MappingState::NotRedrawn,
        )]);
        run.placement = Some(PlacementRecord { mappings, ..PlacementRecord::default() });
        let comparison = Comparison::of(&run).unwrap();
        let cpu = comparison.rows.iter().find(|row| row.metric == Metric::Cpu).unwrap();
        assert_eq!(cpu.suspicion, Some(Suspicion::OneMachine));
        assert!(cpu.is_flagged() && comparison.is_decided());
        assert_eq!(comparison.outcome, ComparisonOutcome::Inconclusive);
    }
}
