//! Finds the highest rate that a target holds. Pure: it names rates and gets what became of them.
//!
//! The rate rises until a limit breaks and is then bisected on the scale of ratios. One search says
//! little, because near its capacity a target holds a rate one minute and not the next: the result is
//! one number of one launch, and an interval comes from several launches.

use miette::Diagnostic;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use units::Ratio;

/// How capacity is searched for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CapacityPlan {
    /// The rate to begin with, in requests per second.
    pub start_per_s: f64,
    /// The highest rate to try, in requests per second: what the generator itself can do.
    pub ceiling_per_s: f64,
    /// How close the highest rate that held and the lowest that broke have to come.
    pub precision: Ratio,
}

/// Why there is no such search.
#[derive(Debug, Clone, Copy, PartialEq, Error, Diagnostic)]
pub enum CapacityPlanError {
    /// The rates are not positive, or in the wrong order.
    #[error("cannot search from `{start_per_s}` to `{ceiling_per_s}` requests per second")]
    #[diagnostic(help("the start must be above 0 and below the ceiling"))]
    Rates {
        /// Where to begin.
        start_per_s: f64,
        /// Where to end.
        ceiling_per_s: f64,
    },
    /// The precision is not a small positive share.
    #[error("`{precision}` is no precision of a search")]
    #[diagnostic(help("give a share such as 0.05"))]
    Precision {
        /// What was given.
        precision: Ratio,
    },
}

/// What became of a trial at one rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrialVerdict {
    /// Every limit was kept.
    Held,
    /// A limit was broken.
    Broke,
}

/// What a finished search found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum CapacityOutcome {
    /// The highest rate that was held, in requests per second: the true edge is above it by less
    /// than the precision.
    Found(f64),
    /// The target held the highest rate that was to be tried.
    AboveCeiling,
    /// The target did not hold a thousandth of the rate to begin with.
    BelowFloor,
}

/// Factor between rates while no bracket is found.
const STRIDE: f64 = 2.0;

/// A search on its way.
#[derive(Debug, Clone)]
pub struct CapacitySearch {
    plan: CapacityPlan,
    rate_per_s: f64,
    held_per_s: Option<f64>,
    broke_per_s: Option<f64>,
    outcome: Option<CapacityOutcome>,
}

impl CapacitySearch {
    /// Begins a search.
    pub fn new(plan: CapacityPlan) -> Result<Self, CapacityPlanError> {
        let CapacityPlan { start_per_s, ceiling_per_s, precision } = plan;
        if !(start_per_s > 0.0 && start_per_s <= ceiling_per_s && ceiling_per_s < 1e9) {
            return Err(CapacityPlanError::Rates { start_per_s, ceiling_per_s });
        }
        if !(1e-4..=1.0).contains(&precision.0) {
            return Err(CapacityPlanError::Precision { precision });
        }
        Ok(Self {
            plan,
            rate_per_s: start_per_s,
            held_per_s: None,
            broke_per_s: None,
            outcome: None,
        })
    }

    /// Returns the rate to try next, in requests per second; `None` when the search is over.
    pub fn rate_per_s(&self) -> Option<f64> {
        self.outcome.is_none().then_some(self.rate_per_s)
    }

    /// Returns what was found, when the search is over.
    pub fn outcome(&self) -> Option<CapacityOutcome> {
        self.outcome
    }

    /// Takes what became of the trial at [`CapacitySearch::rate_per_s`].
    pub fn tell(&mut self, verdict: TrialVerdict) {
        match verdict {
            TrialVerdict::Held => self.held_per_s = Some(self.rate_per_s),
            TrialVerdict::Broke => self.broke_per_s = Some(self.rate_per_s),
        }
        let CapacityPlan { start_per_s, ceiling_per_s, precision, .. } = self.plan;
        match (self.held_per_s, self.broke_per_s) {
            (Some(held), Some(broke)) if broke <= held * (1.0 + precision.0) => {
                self.outcome = Some(CapacityOutcome::Found(held));
            }
            (Some(held), Some(broke)) => self.rate_per_s = (held * broke).sqrt(),
            (Some(held), None) if held >= ceiling_per_s => {
                self.outcome = Some(CapacityOutcome::AboveCeiling);
            }
            (Some(held), None) => self.rate_per_s = (held * STRIDE).min(ceiling_per_s),
            (None, Some(broke)) if broke < start_per_s / 1_000.0 => {
                self.outcome = Some(CapacityOutcome::BelowFloor);
            }
            (None, Some(broke)) => self.rate_per_s = broke / STRIDE,
            (None, None) => unreachable!("a verdict was just taken"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PLAN: CapacityPlan =
        CapacityPlan { start_per_s: 100.0, ceiling_per_s: 1e6, precision: Ratio(0.05) };

    /// Searches with a target that holds what `holds` says; returns the outcome and the trials.
    fn search(plan: CapacityPlan, mut holds: impl FnMut(f64) -> bool) -> (CapacityOutcome, u32) {
        let mut search = CapacitySearch::new(plan).unwrap();
        let mut trials = 0;
        while let Some(rate_per_s) = search.rate_per_s() {
            search.tell(if holds(rate_per_s) { TrialVerdict::Held } else { TrialVerdict::Broke });
            trials += 1;
            assert!(trials < 100, "the search does not end");
        }
        (search.outcome().unwrap(), trials)
    }

    proptest! {
        #[test]
        fn a_target_with_a_sharp_edge_is_found_to_the_precision(edge in 0.2..500_000.0_f64) {
            let (outcome, trials) = search(PLAN, |rate_per_s| rate_per_s <= edge);
            let CapacityOutcome::Found(held) = outcome else { panic!("{outcome:?}") };
            prop_assert!(held <= edge && edge <= held * 1.05);
            prop_assert!(trials <= 20, "{} trials", trials);
        }

        #[test]
        fn a_target_that_holds_by_chance_ends_the_search_all_the_same(coins in prop::collection::vec(any::<bool>(), 1..9)) {
            let mut turn = 0;
            let (_, trials) = search(PLAN, |_| { turn += 1; coins[turn % coins.len()] });
            prop_assert!(trials <= 30, "{} trials", trials);
        }
    }

    #[test]
    fn edges_outside_of_what_is_tried_are_said_to_be_there() {
        assert_eq!(search(PLAN, |_| true).0, CapacityOutcome::AboveCeiling);
        assert_eq!(search(PLAN, |_| false).0, CapacityOutcome::BelowFloor);
    }

    #[test]
    fn plans_that_cannot_end_are_refused() {
        let check = |plan, part: &str| {
            let message = CapacitySearch::new(plan).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        };
        check(CapacityPlan { start_per_s: 0.0, ..PLAN }, "from `0` to `1000000`");
        check(CapacityPlan { ceiling_per_s: 50.0, ..PLAN }, "from `100` to `50`");
        check(CapacityPlan { precision: Ratio(0.0), ..PLAN }, "`0 %` is no precision");
    }
}
