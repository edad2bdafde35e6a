//! The rule: hypotheses and differences of launch pairs go in, judgements come out.
//!
//! A pure function of its arguments, so a stored run is judged again to the same bit, and the
//! simulation that states the error rate runs the very code that decides. The evidence is a test
//! martingale for each question, closed over the family ([`stats::evidence`]); it is looked at after
//! every launch pair, and a comparison may end after any of them, and be taken up again: all attempts
//! at one comparison are one body of evidence.
//!
//! Every hypothesis stays in the family at every launch pair, decided or not: a metric that was set
//! aside because it was quiet had its own chance to alarm, and taking it out would hand that chance to
//! the others a second time. What is measured no more keeps the evidence that there is.

pub mod calls;
pub mod counts;
pub mod family;
pub mod history;

use miette::Diagnostic;
use record::metric::gate::ERROR_RATES;
use stats::evidence;
use stats::hodges_lehmann::Estimate;
use stats::multiple;
use stats::sensitivity::{self, Plan};
use thiserror::Error;

use self::family::{FamilyEvidence, PlacementTrust};

/// The default family-wise error, per direction.
pub const ALPHA: f64 = 0.01;
/// The launch pairs after which a comparison ends, decided or not, unless more or fewer are wanted.
pub const LAUNCH_PAIRS: usize = 50;
/// The most launch pairs that a rule may ask for: the estimates take memory of its square.
pub const LAUNCH_PAIRS_MAX: usize = 2_000;
/// How often a change of the detectable size is found.
const POWER: f64 = 0.8;

/// How much evidence a verdict needs, and how much of it there may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DecisionRule {
    /// Probability that anything at all is called slower when nothing is, over the whole family, all
    /// launch pairs and all attempts; the same again for faster.
    pub alpha: f64,
    /// The launch pairs of an attempt at most.
    pub launch_pairs_max: usize,
}

/// Why there is no such rule.
#[derive(Debug, Clone, PartialEq, Error, Diagnostic)]
pub enum RuleError {
    /// The error rate is none that a comparison could be held to.
    #[error("an error rate of {alpha} is not between {} and {}", ERROR_RATES.start(), ERROR_RATES.end())]
    Alpha {
        /// The rate.
        alpha: f64,
    },
    /// There are no launch pairs, or more than can be judged.
    #[error("{launch_pairs} launch pairs are not between 1 and {LAUNCH_PAIRS_MAX}")]
    LaunchPairs {
        /// How many.
        launch_pairs: usize,
    },
    /// No evidence from so few launch pairs could be strong enough.
    #[error("{launch_pairs} launch pairs cannot decide at an error rate of {alpha}")]
    #[diagnostic(help("it takes at least {needed}"))]
    TooFew {
        /// How many.
        launch_pairs: usize,
        /// The error rate.
        alpha: f64,
        /// The smallest number that could decide.
        needed: usize,
    },
}

/// The question about one metric of one scenario.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hypothesis {
    /// The smallest change worth calling one, as a ratio: 0.01 is 1 %.
    pub floor: f64,
    /// The largest change that still counts as none, as a ratio: 0.03 is 3 %.
    pub tolerance: f64,
}

/// What follows from the evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Worse, by more than the floor.
    Regressed,
    /// Better, by more than the floor.
    Improved,
    /// Shown equal within the tolerance.
    Unchanged,
    /// None of the three could be shown.
    Inconclusive,
}

impl Verdict {
    /// Returns the word used in JSON.
    pub fn key(self) -> &'static str {
        match self {
            Self::Regressed => "regressed",
            Self::Improved => "improved",
            Self::Unchanged => "unchanged",
            Self::Inconclusive => "inconclusive",
        }
    }
}

/// The verdict on one hypothesis, and what it rests on. Changes are ln(head / base), above 0 worse.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judgement {
    /// What follows.
    pub verdict: Verdict,
    /// What followed when the last attempt began.
    pub before: Verdict,
    /// The Hodges-Lehmann estimate of the change.
    pub estimate_ln: f64,
    /// Whether evidence for a change is enough, and inconclusive because one machine made most of it.
    pub is_one_machine: bool,
    /// Lower limit; minus infinity with too few launch pairs.
    pub low_ln: f64,
    /// Upper limit; infinity with too few launch pairs.
    pub high_ln: f64,
    /// Probability of such evidence for *worse than the floor* anywhere in the family, if nothing is.
    pub p_slower: f64,
    /// Probability of such evidence for *better than the floor* anywhere in the family, if nothing is.
    pub p_faster: f64,
    /// Probability of evidence so clear for *within the tolerance* if the change were as large as that.
    pub p_unchanged: f64,
    /// The change that such a comparison shows four times in five; infinite where it is not known.
    pub mde_ln: f64,
    /// The change that would have been seen on this machine in 95 of 100 comparisons; infinite where it
    /// is not known.
    pub visible_ln: f64,
    /// Standard deviation of the difference of one launch pair, robust; infinite below two.
    pub spread_ln: f64,
    /// What the judgement rests on: launch pairs of all attempts; of counts, launches a side; of a
    /// history, runs.
    pub sample: usize,
}

/// What one hypothesis has of one attempt: ln(head / base) of each launch pair, above 0 where head is worse;
/// none of a launch pair that one side has no value of, and empty where nothing was measured.
///
/// Why a value is absent must not depend on which side it is, or what is left is not drawn by the coin.
pub type RowDifferences = Vec<Option<f64>>;

/// The differences of one attempt, for each hypothesis.
pub type Differences = Vec<RowDifferences>;

/// Returns differences that every launch pair has.
pub fn measured(rows: &[Vec<f64>]) -> Differences {
    rows.iter().map(|row| row.iter().copied().map(Some).collect()).collect()
}

/// Where evidence comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineEvidence {
    /// Of each hypothesis, whether a machine may have an offset of its own.
    pub trust: Vec<PlacementTrust>,
    /// Of each attempt, the number of its machine, from 0.
    pub machines: Vec<usize>,
}

impl DecisionRule {
    /// Returns the rule for an error rate and a number of launch pairs that could decide.
    pub fn new(alpha: f64, launch_pairs_max: usize) -> Result<Self, RuleError> {
        if !ERROR_RATES.contains(&alpha) {
            return Err(RuleError::Alpha { alpha });
        }
        if !(1..=LAUNCH_PAIRS_MAX).contains(&launch_pairs_max) {
            return Err(RuleError::LaunchPairs { launch_pairs: launch_pairs_max });
        }
        let needed = evidence::values_needed(alpha, 1);
        if launch_pairs_max < needed {
            return Err(RuleError::TooFew { launch_pairs: launch_pairs_max, alpha, needed });
        }
        Ok(Self { alpha, launch_pairs_max })
    }

    /// Judges all hypotheses as one family, by all attempts in their order.
    ///
    /// All numbers are finite. A row that is shorter than others belongs to launch pairs that ended
    /// earlier, by a rule that saw no later ones: its evidence then stays as it is.
    pub fn judge(&self, hypotheses: &[Hypothesis], attempts: &[Differences]) -> Vec<Judgement> {
        let trust = vec![PlacementTrust::Redrawn; hypotheses.len()];
        let machines = vec![0; attempts.len()];
        self.judge_on_machines(hypotheses, attempts, MachineEvidence { trust, machines })
    }

    /// Judges as [`DecisionRule::judge`] does, where a machine may have an offset of its own.
    pub fn judge_on_machines(
        &self,
        hypotheses: &[Hypothesis],
        attempts: &[Differences],
        on: MachineEvidence,
    ) -> Vec<Judgement> {
        let mut family = FamilyEvidence::with_trust(self.alpha, hypotheses, &on.trust);
        let mut before: Vec<Verdict> = family.verdicts().collect();
        for (attempt, machine) in attempts.iter().zip(on.machines) {
            before = family.verdicts().collect();
            family.begin_attempt(machine);
            see_all(&mut family, hypotheses.len(), attempt);
        }
        let p = |ln: f64| evidence::p_of_ln(ln);
        let suspected = family.suspected();
        let verdicts = family.verdicts().zip(before).zip(family.unchanged());
        let shown = verdicts.enumerate().map(|(m, ((verdict, before), unchanged))| ShownVerdict {
            verdict,
            before,
            p_slower: p(family.slower()[m]),
            p_faster: p(family.faster()[m]),
            p_unchanged: p(unchanged),
            is_one_machine: suspected[m],
        });
        let numbered = hypotheses.iter().zip(shown).enumerate();
        numbered
            .map(|(m, (hypothesis, shown))| {
                let values = |it: &Differences| it[m].iter().flatten().copied().collect();
                let row: Vec<Vec<f64>> = attempts.iter().map(values).collect();
                self.judgement(*hypothesis, shown, &row, hypotheses.len())
            })
            .collect()
    }

    /// Returns the change that a comparison by this rule shows four times in five, from the standard
    /// deviation of one difference; in a family of so many hypotheses.
    pub fn detectable_ln(&self, spread_ln: f64, hypothesis: Hypothesis, family: usize) -> f64 {
        sensitivity::detectable(spread_ln, POWER, self.plan(hypothesis, family))
    }

    fn plan(&self, hypothesis: Hypothesis, family: usize) -> Plan {
        let floor = hypothesis.floor.ln_1p();
        Plan { values_max: self.launch_pairs_max, level: self.alpha, family, floor }
    }

    fn judgement(
        &self,
        hypothesis: Hypothesis,
        shown: ShownVerdict,
        attempts: &[Vec<f64>],
        family: usize,
    ) -> Judgement {
        let attempts: Vec<&[f64]> = attempts.iter().map(Vec::as_slice).collect();
        let sample = attempts.iter().map(|it| it.len()).sum();
        let Estimate { value, low, high } = if sample == 0 {
            Estimate { value: 0.0, low: f64::NEG_INFINITY, high: f64::INFINITY }
        } else {
            hypothesis.tightened(evidence::limits(&attempts, self.alpha), shown.verdict)
        };
        let last = attempts.iter().rfind(|it| !it.is_empty()).copied().unwrap_or_default();
        let spread_ln = sensitivity::deviation(last);
        Judgement {
            verdict: shown.verdict,
            before: shown.before,
            estimate_ln: value,
            low_ln: low,
            high_ln: high,
            p_slower: shown.p_slower,
            p_faster: shown.p_faster,
            p_unchanged: shown.p_unchanged,
            is_one_machine: shown.is_one_machine,
            mde_ln: self.detectable_ln(spread_ln, hypothesis, family),
            visible_ln: sensitivity::visible(last, self.plan(hypothesis, family)),
            spread_ln,
            sample,
        }
    }
}

impl Default for DecisionRule {
    fn default() -> Self {
        Self { alpha: ALPHA, launch_pairs_max: LAUNCH_PAIRS }
    }
}

/// What the family says about one hypothesis.
#[derive(Clone, Copy)]
struct ShownVerdict {
    verdict: Verdict,
    before: Verdict,
    p_slower: f64,
    p_faster: f64,
    p_unchanged: f64,
    is_one_machine: bool,
}

fn see_all(family: &mut FamilyEvidence, hypotheses: usize, attempt: &Differences) {
    assert_eq!(hypotheses, attempt.len(), "one row of differences a hypothesis");
    let launch_pairs = attempt.iter().map(Vec::len).max().unwrap_or(0);
    for row in attempt {
        assert!(row.iter().flatten().all(|d| d.is_finite()), "differences are finite");
    }
    for i in 0..launch_pairs {
        family.see(&attempt.iter().map(|row| row.get(i).copied().flatten()).collect::<Vec<_>>());
    }
}

impl Hypothesis {
    /// The evidence behind a verdict refutes the floor or the tolerance; the search for the limits may
    /// end a hair short of it.
    fn tightened(&self, estimate: Estimate, verdict: Verdict) -> Estimate {
        let (floor, tolerance) = (self.floor.ln_1p(), self.tolerance.ln_1p());
        let Estimate { value, low, high } = estimate;
        match verdict {
            Verdict::Regressed if value >= floor => Estimate { low: low.max(floor), ..estimate },
            Verdict::Improved if value <= -floor => Estimate { high: high.min(-floor), ..estimate },
            Verdict::Unchanged if value.abs() <= tolerance => {
                Estimate { value, low: low.max(-tolerance), high: high.min(tolerance) }
            }
            Verdict::Regressed | Verdict::Improved | Verdict::Unchanged | Verdict::Inconclusive => {
                estimate
            }
        }
    }
}

/// Puts in the place of each p what it is in the family, by Holm's steps.
fn share_by_holm(judgements: &mut [Judgement]) {
    let adjusted =
        |p: fn(&Judgement) -> f64| multiple::holm(&judgements.iter().map(p).collect::<Vec<_>>());
    let (slower, faster) = (adjusted(|one| one.p_slower), adjusted(|one| one.p_faster));
    for (judgement, p) in judgements.iter_mut().zip(slower.into_iter().zip(faster)) {
        (judgement.p_slower, judgement.p_faster) = p;
    }
}

/// What the limits alone say. Equality comes first: a proven slowdown inside the tolerance is none.
fn within_limits(estimate: &Estimate, hypothesis: Hypothesis) -> Verdict {
    let (floor, tolerance) = (hypothesis.floor.ln_1p(), hypothesis.tolerance.ln_1p());
    if -tolerance < estimate.low && estimate.high < tolerance {
        Verdict::Unchanged
    } else if estimate.low > floor {
        Verdict::Regressed
    } else if estimate.high < -floor {
        Verdict::Improved
    } else {
        Verdict::Inconclusive
    }
}

#[cfg(test)]
mod tests;
