//! How long a comparison may take, and what can be seen in that time.
//!
//! A budget becomes launch pairs and looks once the first launch pair has shown how long one takes.
//! That leaves the test exact: how long base and head take together does not depend on which of them
//! is called base.

use std::time::Duration;

use compare::Comparison;
use compare::decision::design;
use compare::decision::{DesignError, SequentialDesign};
use record::metric::gate::{GateRules, StoppingRule};
use record::{Run, ScenarioRun};
use units::Ratio;

/// The most launch pairs that a budget turns into: beyond it, days of load would show tenths of a
/// percent.
const LAUNCH_PAIRS_MAX: usize = 400;
/// The share of a budget that is planned with; the rest is for starting and for slow launch pairs.
const PLANNED: f64 = 0.95;
/// How far over the budget a comparison may run before it ends at the next look.
const OVERRUN: f64 = 1.15;

/// What a comparison may cost, and how it looks at its numbers.
#[derive(Debug, Clone, Copy)]
pub struct ComparisonBudget {
    /// Chance of a false alarm.
    pub alpha: f64,
    /// When it may end.
    pub stopping: StoppingRule,
    /// Time from the first count or launch to the verdict, if it is limited.
    pub budget: Option<Duration>,
}

impl ComparisonBudget {
    /// Returns the horizon of a gate, within a budget if there is one.
    pub fn of(gate: &GateRules, budget: Option<Duration>) -> Self {
        Self { alpha: gate.alpha, stopping: gate.stopping, budget }
    }

    /// Returns the looks that fit into the budget, if there is one, `counting` took so much of it,
    /// and a launch pair takes so long.
    pub fn looks(
        &self,
        launch_pair: Duration,
        counting: Duration,
    ) -> Result<Option<Vec<usize>>, String> {
        let Some(budget) = self.budget else { return Ok(None) };
        let left = budget.saturating_sub(counting);
        let fit = PLANNED * left.as_secs_f64() / launch_pair.as_secs_f64().max(1e-3);
        let fit = units::whole(fit).and_then(|fit| usize::try_from(fit).ok());
        let fit = fit.unwrap_or(usize::MAX).min(LAUNCH_PAIRS_MAX);
        let looks = match self.stopping {
            StoppingRule::PlannedLooks => {
                SequentialDesign::within(self.alpha, fit).map(|design| design.looks)
            }
            StoppingRule::UntilDecided => every_look(self.alpha, fit),
        };
        looks.map(Some).map_err(|error| {
            let (budget, launch_pair) = (units::duration(budget), units::duration(launch_pair));
            let without = if counting.is_zero() {
                String::new()
            } else {
                format!(", less {} for counting,", units::duration(counting))
            };
            format!("a budget of {budget}{without} is {fit} launch pairs of {launch_pair}: {error}")
        })
    }

    /// Returns whether the budget will be overrun by the time of the next look.
    pub fn is_spent(&self, run: &Run) -> bool {
        let launched = run.scenarios.first().map_or(0, ScenarioRun::launches);
        let next = run.looks.iter().find(|look| **look > launched);
        let (Some(budget), Some(next)) = (self.budget, next) else { return false };
        let launching_ns = units::exact(run.wall_ns.saturating_sub(run.counting_ns));
        let expected_ns =
            units::exact(run.counting_ns) + launching_ns * *next as f64 / launched as f64;
        expected_ns > OVERRUN * budget.as_secs_f64() * 1e9
    }

    /// Returns what a comparison like an earlier one will be able to see, in a sentence; nothing if
    /// the earlier one tells too little.
    pub fn foresee(&self, earlier: &Run, looks: &[usize]) -> Option<String> {
        let comparison = Comparison::of(earlier).ok()?;
        let launched = u32::try_from(comparison.method.launches).ok()?;
        let counting = Duration::from_nanos(earlier.counting_ns);
        let launching = Duration::from_nanos(earlier.wall_ns).saturating_sub(counting);
        let launch_pair = launching.checked_div(launched)?;
        let looks = self.looks(launch_pair, counting).ok()?.unwrap_or_else(|| looks.to_vec());
        let last = looks.last()?;
        let took = units::duration(launch_pair);
        let plan = format!("at most {last} launch pairs; one took {took} the last time");
        match self.stopping {
            StoppingRule::PlannedLooks => {
                let design = SequentialDesign::new(self.alpha, looks).ok()?;
                let visible = comparison.foreseeable(&design);
                let visible: Vec<String> = visible
                    .into_iter()
                    .map(|(row, mde_ln)| {
                        let name = format!("{} {}", row.scenario, row.metric.label());
                        format!("{name} {:.1} %", 100.0 * Ratio::from_ln(mde_ln).0)
                    })
                    .collect();
                (!visible.is_empty()).then(|| {
                    format!("{plan}. Visible four times in five, from: {}", visible.join(", "))
                })
            }
            StoppingRule::UntilDecided => Some(plan),
        }
    }
}

/// Every number of launch pairs that could decide, up to the limit.
pub fn every_look(alpha: f64, launch_pairs_max: usize) -> Result<Vec<usize>, DesignError> {
    let first = design::launch_pairs_needed(alpha);
    SequentialDesign::fixed(alpha, launch_pairs_max)?;
    Ok((first..=launch_pairs_max).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use record::fixtures::{LEVEL, paired};

    fn horizon(budget_s: u64) -> ComparisonBudget {
        let budget = Some(Duration::from_secs(budget_s));
        ComparisonBudget { alpha: 0.01, stopping: StoppingRule::PlannedLooks, budget }
    }

    #[test]
    fn looks_follow_from_the_budget() {
        let launch_pair = Duration::from_secs(3);
        let looks =
            |budget_s| horizon(budget_s).looks(launch_pair, Duration::ZERO).unwrap().unwrap();
        assert_eq!(looks(60), [10, 14, 19]);
        assert_eq!(looks(180), [10, 14, 20, 28, 40, 57]);
        let after_counting = horizon(60).looks(launch_pair, Duration::from_secs(15));
        assert_eq!(after_counting.unwrap().unwrap(), [10, 14]);
        let every = ComparisonBudget { stopping: StoppingRule::UntilDecided, ..horizon(60) };
        assert_eq!(
            every.looks(launch_pair, Duration::ZERO).unwrap().unwrap(),
            (7..=19).collect::<Vec<_>>()
        );
        let longest =
            ComparisonBudget { stopping: StoppingRule::UntilDecided, ..horizon(1_000_000) };
        let longest = longest.looks(launch_pair, Duration::ZERO).unwrap().unwrap();
        assert_eq!(longest.last(), Some(&LAUNCH_PAIRS_MAX));
        let unlimited = ComparisonBudget { budget: None, ..horizon(1) };
        assert_eq!(unlimited.looks(launch_pair, Duration::ZERO).unwrap(), None);
        insta::assert_snapshot!(horizon(10).looks(launch_pair, Duration::ZERO).unwrap_err(), @"
        a budget of 10.0 s is 3 launch pairs of 3.00 s: 3 launch pairs cannot decide at an error rate of 0.01

        hint: it takes at least 7
        ");
    }

    #[test]
    fn a_comparison_that_turns_out_slower_ends_at_a_look() {
        let mut run = paired(14, LEVEL, LEVEL);
        run.looks = vec![10, 14, 20];
        run.wall_ns = 14 * 3_000_000_000;
        assert!(!horizon(60).is_spent(&run));
        assert!(horizon(40).is_spent(&run));
        // Of 54 s, 12 went into counting: the next six launch pairs take 18 more.
        run.counting_ns = 12_000_000_000;
        run.wall_ns += run.counting_ns;
        assert!(horizon(62).is_spent(&run) && !horizon(64).is_spent(&run));
    }

    #[test]
    fn the_last_run_says_what_will_be_visible() {
        let mut run = paired(14, LEVEL, LEVEL);
        run.wall_ns = 14 * 3_000_000_000;
        insta::assert_snapshot!(horizon(180).foresee(&run, &[]).unwrap(), @"at most 57 launch pairs; one took 3.00 s the last time. Visible four times in five, from: smoke CPU per XML pair 1.1 %, smoke latency 1.1 %, smoke peak RSS 1.0 %");
    }
}
