//! The rule: hypotheses and differences of launch pairs go in, judgements come out.
//!
//! A pure function of its arguments, so a stored run is judged again to the same bit, and the
//! simulation that states the error rate runs the very code that decides. It looks at the data only
//! at the numbers of launch pairs fixed before the first one; what lies between two looks waits.
//! Every hypothesis stays in the family at every look, decided or not: a metric that was set aside
//! because it was quiet had its own chance to alarm, and taking it out would hand that chance to the
//! others a second time.

pub mod counts;
pub mod design;
pub mod history;
pub mod sequential;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

pub use self::design::{DesignError, SequentialDesign};
use self::sequential::SequentialComparison;
use record::metric::gate::StoppingRule;
use stats::hodges_lehmann::{self, Estimate};
use stats::multiple;
use stats::power;
use stats::signed_rank;
use stats::stepdown::{self, SignFlips};

/// Sign flips that a family is tested with.
const FLIPS: usize = 100_000;
/// Sign flips where no verdict hangs on them, since no limit is beyond its floor: they only tell a
/// reader how far away that was.
const FLIPS_TO_SHOW: usize = 10_000;

/// How a comparison gets from differences to verdicts.
#[derive(Debug, Clone, PartialEq)]
pub enum DecisionProtocol {
    /// Looks at fixed numbers of launch pairs.
    PlannedLooks(SequentialDesign),
    /// A look after every launch pair.
    UntilDecided(SequentialComparison),
}

impl DecisionProtocol {
    /// Returns the protocol of a stopping rule that ends at the last of `looks`.
    pub fn new(stopping: StoppingRule, alpha: f64, looks: &[usize]) -> Result<Self, DesignError> {
        Ok(match stopping {
            StoppingRule::PlannedLooks => {
                Self::PlannedLooks(SequentialDesign::new(alpha, looks.to_vec())?)
            }
            StoppingRule::UntilDecided => {
                let last = looks.last().copied().ok_or(DesignError::Looks)?;
                Self::UntilDecided(SequentialComparison::new(alpha, last)?)
            }
        })
    }

    /// Returns the launch pairs after which nothing more is measured.
    pub fn last(&self) -> usize {
        match self {
            Self::PlannedLooks(design) => design.last(),
            Self::UntilDecided(until) => until.launch_pairs_max,
        }
    }

    /// Judges all hypotheses as one family; see [`judge`].
    pub fn judge(
        &self,
        hypotheses: &[Hypothesis],
        differences: &[Vec<f64>],
        seed: u64,
    ) -> Vec<Judgement> {
        match self {
            Self::PlannedLooks(design) => judge(design, hypotheses, differences, seed),
            Self::UntilDecided(until) => until.judge(hypotheses, differences),
        }
    }
}

/// What is asked about one metric of one scenario.
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
    /// The Hodges-Lehmann estimate of the change.
    pub estimate_ln: f64,
    /// Lower limit at the local level; minus infinity with too few launch pairs.
    pub low_ln: f64,
    /// Upper limit at the local level; infinity with too few launch pairs.
    pub high_ln: f64,
    /// Probability of such evidence for *worse than the floor* anywhere in the family, if nothing is.
    pub p_slower: f64,
    /// Probability of such evidence for *better than the floor* anywhere in the family, if nothing is.
    pub p_faster: f64,
    /// Probability of evidence so clear for *within the tolerance* if the change were as large as that.
    pub p_unchanged: f64,
    /// The change that these launch pairs would have shown four times in five; infinite below five.
    pub mde_ln: f64,
    /// Standard deviation of the difference of one launch pair, robust; infinite below five.
    pub spread_ln: f64,
    /// What the judgement rests on, and nothing later: so many launch pairs; of counts, launches a side;
    /// of a history, runs.
    pub sample: usize,
}

/// Judges all hypotheses as one family.
///
/// `differences[m][i]` is ln(head / base) of hypothesis `m` in launch pair `i`, above 0 where head is
/// worse; there is at least one launch pair, and every hypothesis has every launch pair, with finite
/// numbers. A verdict falls at the first look that allows one and keeps the evidence of that look.
/// With launch pairs beyond the last look reached, those are left out; with fewer than the first look,
/// everything is inconclusive. `seed` selects the sign flips of families of more than one.
pub fn judge(
    design: &SequentialDesign,
    hypotheses: &[Hypothesis],
    differences: &[Vec<f64>],
    seed: u64,
) -> Vec<Judgement> {
    let available = launch_pairs(hypotheses, differences);
    let mut decided: Vec<Option<Judgement>> = vec![None; hypotheses.len()];
    let reached = design.reached(available);
    for &look in reached {
        let evidence = LookEvidence { design, hypotheses, differences, launch_pairs: look, seed };
        let is_last = Some(&look) == reached.last();
        evidence.decide(&mut decided, if is_last { NextLook::Stop } else { NextLook::GoOn });
        if decided.iter().all(Option::is_some) {
            break;
        }
    }
    if reached.is_empty() {
        let launch_pairs = available;
        let evidence = LookEvidence { design, hypotheses, differences, launch_pairs, seed };
        evidence.withhold(&mut decided);
    }
    decided.into_iter().map(|judgement| judgement.expect("the last look judges all")).collect()
}

/// The number of launch pairs in differences that are fit to be judged.
fn launch_pairs(hypotheses: &[Hypothesis], differences: &[Vec<f64>]) -> usize {
    assert_eq!(hypotheses.len(), differences.len(), "one row of differences a hypothesis");
    let available = differences.first().map_or(0, Vec::len);
    for row in differences {
        assert!(!row.is_empty(), "there is at least one launch pair");
        assert_eq!(row.len(), available, "every hypothesis has every launch pair");
        assert!(row.iter().all(|d| d.is_finite()), "differences are finite");
    }
    available
}

/// Whether there is a further look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NextLook {
    GoOn,
    Stop,
}

/// The adjusted p of every hypothesis.
struct AdjustedPValues {
    slower: Vec<f64>,
    faster: Vec<f64>,
}

/// The data as they stand at one look.
struct LookEvidence<'a> {
    design: &'a SequentialDesign,
    hypotheses: &'a [Hypothesis],
    differences: &'a [Vec<f64>],
    launch_pairs: usize,
    seed: u64,
}

impl LookEvidence<'_> {
    /// Decides what this look can decide, and everything else as inconclusive if it is the last.
    fn decide(&self, decided: &mut [Option<Judgement>], then: NextLook) {
        let undecided = (0..decided.len()).filter(|&m| decided[m].is_none());
        let alone: Vec<(usize, Estimate, Verdict)> = undecided
            .map(|m| {
                let estimate = self.estimate(m);
                (m, estimate, within_limits(&estimate, self.hypotheses[m]))
            })
            .collect();
        // An adjusted p is never below the plain one: the family can only withhold such a verdict.
        if then == NextLook::GoOn && alone.iter().all(|(.., alone)| *alone == Verdict::Inconclusive)
        {
            return;
        }
        let hangs_on_flips = |(.., alone): &(usize, Estimate, Verdict)| {
            matches!(alone, Verdict::Regressed | Verdict::Improved)
        };
        let flips = if alone.iter().any(hangs_on_flips) { FLIPS } else { FLIPS_TO_SHOW };
        let p = self.adjusted(flips);
        for (m, estimate, alone) in alone {
            let verdict = match alone {
                Verdict::Regressed if p.slower[m] > self.design.level => Verdict::Inconclusive,
                Verdict::Improved if p.faster[m] > self.design.level => Verdict::Inconclusive,
                Verdict::Regressed
                | Verdict::Improved
                | Verdict::Unchanged
                | Verdict::Inconclusive => alone,
            };
            if then == NextLook::Stop || verdict != Verdict::Inconclusive {
                decided[m] = Some(self.judgement(m, estimate, verdict, &p));
            }
        }
    }

    /// Shows what there is without deciding anything.
    fn withhold(&self, decided: &mut [Option<Judgement>]) {
        let p = self.adjusted(FLIPS_TO_SHOW);
        for (m, judgement) in decided.iter_mut().enumerate() {
            *judgement = Some(self.judgement(m, self.estimate(m), Verdict::Inconclusive, &p));
        }
    }

    fn values(&self, m: usize) -> &[f64] {
        &self.differences[m][..self.launch_pairs]
    }

    fn estimate(&self, m: usize) -> Estimate {
        hodges_lehmann::one_sample(self.values(m), self.design.level)
    }

    fn judgement(
        &self,
        m: usize,
        estimate: Estimate,
        verdict: Verdict,
        p: &AdjustedPValues,
    ) -> Judgement {
        // In a family the evidence must be stronger. Bonferroni's share is an upper bound of what
        // the correlated family asks for, so the change shown errs on the honest side.
        let level = self.design.level / self.hypotheses.len() as f64;
        let (floor, tolerance) =
            (self.hypotheses[m].floor.ln_1p(), self.hypotheses[m].tolerance.ln_1p());
        Judgement {
            verdict,
            estimate_ln: estimate.value,
            low_ln: estimate.low,
            high_ln: estimate.high,
            p_slower: p.slower[m],
            p_faster: p.faster[m],
            p_unchanged: signed_rank::p_equivalent(self.values(m), -tolerance, tolerance),
            mde_ln: power::detectable(self.values(m), floor, level),
            spread_ln: power::spread(self.values(m)),
            sample: self.launch_pairs,
        }
    }

    /// The adjusted p of every hypothesis, for worse and for better than its floor.
    fn adjusted(&self, flips: usize) -> AdjustedPValues {
        let beyond_floor = |sign: f64| -> Vec<Vec<f64>> {
            let one = |(m, hypothesis): (usize, &Hypothesis)| {
                let floor = hypothesis.floor.ln_1p();
                self.values(m).iter().map(|d| sign * d - floor).collect()
            };
            self.hypotheses.iter().enumerate().map(one).collect()
        };
        let (slower, faster) = (beyond_floor(1.0), beyond_floor(-1.0));
        if let ([slower], [faster]) = (slower.as_slice(), faster.as_slice()) {
            let p = |values| signed_rank::p_greater(&signed_rank::signed_midranks(values));
            return AdjustedPValues { slower: vec![p(slower)], faster: vec![p(faster)] };
        }
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(self.launch_pairs as u64);
        let flips = SignFlips::new(self.launch_pairs, flips, &mut rng);
        let p = |values: &[Vec<f64>]| stepdown::adjusted_p_greater(values, &flips);
        AdjustedPValues { slower: p(&slower), faster: p(&faster) }
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
