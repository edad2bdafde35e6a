//! Finds the highest rate that a target holds. Pure: it names rates and is told what became of them.
//!
//! The rate rises until a limit breaks and is then bisected on the scale of ratios. One search says
//! little, because near its capacity a target holds a rate one minute and not the next. So the
//! search is repeated from fresh: the smallest and the largest result enclose the median capacity
//! except with probability 2^(1 - repeats), whatever the distribution of the results.

use thiserror::Error;

use crate::units::Ratio;

/// How capacity is searched for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// The rate to begin with, in requests per second.
    pub start_per_s: f64,
    /// The highest rate to try, in requests per second: what the generator itself can do.
    pub ceiling_per_s: f64,
    /// How close the highest rate that held and the lowest that broke have to come.
    pub precision: Ratio,
    /// Searches, from which the interval comes. Eight give 99.2 %.
    pub repeats: u32,
}

/// Why there is no such search.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
pub enum PlanError {
    /// The rates are not positive, or in the wrong order.
    #[error(
        "cannot search from `{start_per_s}` to `{ceiling_per_s}` requests per second\n\n\
         hint: the start must be above 0 and below the ceiling"
    )]
    Rates {
        /// Where to begin.
        start_per_s: f64,
        /// Where to end.
        ceiling_per_s: f64,
    },
    /// The precision is not a small positive share.
    #[error("`{precision}` is no precision of a search\n\nhint: give a share such as `5%`")]
    Precision {
        /// What was given.
        precision: Ratio,
    },
    /// One search, or none, gives no interval.
    #[error("{repeats} repeats give no interval\n\nhint: 5 give 93.8 %, 8 give 99.2 %")]
    Repeats {
        /// What was given.
        repeats: u32,
    },
}

/// What became of a trial at one rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Every limit was kept.
    Held,
    /// A limit was broken.
    Broke,
}

/// The highest rate that a target holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Capacity {
    /// Median of the repeated searches, in requests per second.
    pub median_per_s: f64,
    /// The smallest result.
    pub low_per_s: f64,
    /// The largest result, with the precision of the search on top.
    pub high_per_s: f64,
    /// Probability that the true median lies between the two.
    pub coverage: f64,
}

/// What a finished search found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Outcome {
    /// The capacity.
    Found(Capacity),
    /// The target held the highest rate that was to be tried.
    AboveCeiling,
    /// The target did not hold a thousandth of the rate to begin with.
    BelowFloor,
}

/// A search on its way.
#[derive(Debug, Clone)]
pub struct Search {
    plan: Plan,
    rate_per_s: f64,
    /// Factor between rates while no bracket is found.
    stride: f64,
    held_per_s: Option<f64>,
    broke_per_s: Option<f64>,
    results: Vec<f64>,
    outcome: Option<Outcome>,
}

impl Search {
    /// Begins a search.
    pub fn new(plan: Plan) -> Result<Self, PlanError> {
        let Plan { start_per_s, ceiling_per_s, precision, repeats } = plan;
        if !(start_per_s > 0.0 && start_per_s <= ceiling_per_s && ceiling_per_s < 1e9) {
            return Err(PlanError::Rates { start_per_s, ceiling_per_s });
        }
        if !(1e-4..=1.0).contains(&precision.0) {
            return Err(PlanError::Precision { precision });
        }
        if repeats < 2 {
            return Err(PlanError::Repeats { repeats });
        }
        Ok(Self {
            plan,
            rate_per_s: start_per_s,
            stride: 2.0,
            held_per_s: None,
            broke_per_s: None,
            results: Vec::new(),
            outcome: None,
        })
    }

    /// Returns the rate to try next, in requests per second; `None` when the search is over.
    pub fn rate_per_s(&self) -> Option<f64> {
        self.outcome.is_none().then_some(self.rate_per_s)
    }

    /// Returns what was found, when the search is over.
    pub fn outcome(&self) -> Option<Outcome> {
        self.outcome
    }

    /// Takes what became of the trial at [`Search::rate_per_s`].
    pub fn tell(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Held => self.held_per_s = Some(self.rate_per_s),
            Verdict::Broke => self.broke_per_s = Some(self.rate_per_s),
        }
        let Plan { start_per_s, ceiling_per_s, precision, .. } = self.plan;
        match (self.held_per_s, self.broke_per_s) {
            (Some(held), Some(broke)) if broke <= held * (1.0 + precision.0) => self.found(held),
            (Some(held), Some(broke)) => self.rate_per_s = (held * broke).sqrt(),
            (Some(held), None) if held >= ceiling_per_s => {
                self.outcome = Some(Outcome::AboveCeiling);
            }
            (Some(held), None) => self.rate_per_s = (held * self.stride).min(ceiling_per_s),
            (None, Some(broke)) if broke < start_per_s / 1_000.0 => {
                self.outcome = Some(Outcome::BelowFloor);
            }
            (None, Some(broke)) => self.rate_per_s = broke / self.stride,
            (None, None) => unreachable!("a verdict was just taken"),
        }
    }

    fn found(&mut self, held_per_s: f64) {
        self.results.push(held_per_s);
        if self.results.len() as f64 >= f64::from(self.plan.repeats) {
            self.outcome = Some(Outcome::Found(self.capacity()));
            return;
        }
        // The next one begins where the last ended, and needs few trials to enclose its own result.
        (self.held_per_s, self.broke_per_s) = (None, None);
        self.stride = (1.0 + self.plan.precision.0).powi(2);
        self.rate_per_s = held_per_s;
    }

    fn capacity(&self) -> Capacity {
        let mut results = self.results.clone();
        results.sort_by(f64::total_cmp);
        let (low, high) = (results[0], results[results.len() - 1]);
        let middle = results.len() / 2;
        let median = f64::midpoint(results[(results.len() - 1) / 2], results[middle]);
        Capacity {
            median_per_s: median,
            low_per_s: low,
            high_per_s: high * (1.0 + self.plan.precision.0),
            coverage: 1.0 - 2.0_f64.powf(1.0 - f64::from(self.plan.repeats)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::{Rng, SeedableRng};

    use super::*;

    const PLAN: Plan =
        Plan { start_per_s: 100.0, ceiling_per_s: 1e6, precision: Ratio(0.05), repeats: 8 };

    /// Searches with a target that holds what `holds` says; returns the outcome and the trials.
    fn search(plan: Plan, mut holds: impl FnMut(f64) -> bool) -> (Outcome, u32) {
        let mut search = Search::new(plan).unwrap();
        let mut trials = 0;
        while let Some(rate_per_s) = search.rate_per_s() {
            search.tell(if holds(rate_per_s) { Verdict::Held } else { Verdict::Broke });
            trials += 1;
            assert!(trials < 500, "the search does not end");
        }
        (search.outcome().unwrap(), trials)
    }

    proptest! {
        #[test]
        fn a_target_with_a_sharp_edge_is_found_to_the_precision(edge in 0.2..500_000.0_f64) {
            let (outcome, trials) = search(PLAN, |rate_per_s| rate_per_s <= edge);
            let Outcome::Found(capacity) = outcome else { panic!("{outcome:?}") };
            prop_assert!(capacity.low_per_s <= edge && edge <= capacity.high_per_s);
            prop_assert!(capacity.high_per_s / capacity.low_per_s < 1.11);
            prop_assert!(trials <= 70, "{} trials", trials);
        }
    }

    /// Between 900 and 1 100/s, the target holds a rate by chance: at 1 000/s every second time.
    /// Eight searches enclose the median except in 0.8 % of the sessions; 400 sessions allow 3.2 of
    /// them, and 9 with four standard errors.
    #[test]
    fn the_interval_covers_the_median_of_a_blurred_edge() {
        let mut random = ChaCha8Rng::seed_from_u64(5);
        let mut results = Vec::new();
        let mut intervals = Vec::new();
        for _ in 0..400 {
            let (outcome, _) = search(PLAN, |rate_per_s| {
                let uniform = f64::from(random.next_u32() >> 8) / f64::from(1 << 24);
                uniform < (1_100.0 - rate_per_s) / 200.0
            });
            let Outcome::Found(capacity) = outcome else { panic!("{outcome:?}") };
            results.push(capacity.median_per_s);
            intervals.push(capacity);
        }
        results.sort_by(f64::total_cmp);
        let median = results[200];
        let missed = intervals.iter().filter(|it| median < it.low_per_s || it.high_per_s < median);
        assert!((900.0..1_100.0).contains(&median), "{median}");
        assert!(missed.count() <= 9);
    }

    #[test]
    fn edges_outside_of_what_is_tried_are_said_to_be_there() {
        assert_eq!(search(PLAN, |_| true).0, Outcome::AboveCeiling);
        assert_eq!(search(PLAN, |_| false).0, Outcome::BelowFloor);
    }

    #[test]
    fn plans_that_cannot_end_are_refused() {
        let check = |plan, part: &str| {
            let message = Search::new(plan).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        };
        check(Plan { start_per_s: 0.0, ..PLAN }, "from `0` to `1000000`");
        check(Plan { ceiling_per_s: 50.0, ..PLAN }, "from `100` to `50`");
        check(Plan { precision: Ratio(0.0), ..PLAN }, "`0 %` is no precision");
        check(Plan { repeats: 1, ..PLAN }, "1 repeats give no interval");
    }
}
