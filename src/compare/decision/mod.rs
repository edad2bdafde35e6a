//! The rule: hypotheses and differences of launch pairs go in, judgements come out.
//!
//! A pure function of its arguments, so a stored run is judged again to the same bit, and the
//! simulation that states the error rate runs the very code that decides. It looks at the data only
//! at the numbers of launch pairs fixed before the first one; what lies between two looks waits.
//! Every hypothesis stays in the family at every look, decided or not: a metric that was set aside
//! because it was quiet had its own chance to alarm, and taking it out would hand that chance to the
//! others a second time.

pub mod design;
pub mod until;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

pub use self::design::{Design, DesignError};
use crate::stats::hodges_lehmann;
use crate::stats::power;
use crate::stats::signed_rank;
use crate::stats::stepdown::{self, Flips};

/// Sign flips that a family is tested with.
const FLIPS: usize = 100_000;

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
    /// The change that these launch pairs would have shown four times in five; infinite below five.
    pub mde_ln: f64,
    /// The launch pairs that the judgement rests on, not later ones.
    pub launch_pairs: usize,
}

/// Judges all hypotheses as one family.
///
/// `differences[m][i]` is ln(head / base) of hypothesis `m` in launch pair `i`, above 0 where head is
/// worse; there is at least one launch pair, and every hypothesis has every launch pair, with finite
/// numbers. A verdict falls at the first look that allows one and keeps the evidence of that look.
/// With launch pairs beyond the last look reached, those are left out; with fewer than the first look,
/// everything is inconclusive. `seed` selects the sign flips of families of more than one.
pub fn judge(
    design: &Design,
    hypotheses: &[Hypothesis],
    differences: &[Vec<f64>],
    seed: u64,
) -> Vec<Judgement> {
    let available = launch_pairs(hypotheses, differences);
    let mut decided: Vec<Option<Judgement>> = vec![None; hypotheses.len()];
    let reached = design.reached(available);
    for &look in reached {
        let evidence = Evidence { design, hypotheses, differences, launch_pairs: look, seed };
        let is_last = Some(&look) == reached.last();
        evidence.decide(&mut decided, if is_last { Then::Stop } else { Then::GoOn });
        if decided.iter().all(Option::is_some) {
            break;
        }
    }
    if reached.is_empty() {
        let launch_pairs = available;
        let evidence = Evidence { design, hypotheses, differences, launch_pairs, seed };
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
enum Then {
    GoOn,
    Stop,
}

/// The data as they stand at one look.
struct Evidence<'a> {
    design: &'a Design,
    hypotheses: &'a [Hypothesis],
    differences: &'a [Vec<f64>],
    launch_pairs: usize,
    seed: u64,
}

impl Evidence<'_> {
    /// Decides what this look can decide, and everything else as inconclusive if it is the last.
    fn decide(&self, decided: &mut [Option<Judgement>], then: Then) {
        let undecided: Vec<usize> = (0..decided.len()).filter(|&m| decided[m].is_none()).collect();
        let shown: Vec<Judgement> = undecided.iter().map(|&m| self.interval(m)).collect();
        let promising = |(judgement, &m): (&Judgement, &usize)| {
            without_family(judgement, self.hypotheses[m]) != Verdict::Inconclusive
        };
        // An adjusted p is never below the plain one, so without a promising metric the flips could
        // only be counted in vain.
        if then == Then::GoOn && !shown.iter().zip(&undecided).any(promising) {
            return;
        }
        let (p_slower, p_faster) = self.adjusted();
        for (mut judgement, m) in shown.into_iter().zip(undecided) {
            (judgement.p_slower, judgement.p_faster) = (p_slower[m], p_faster[m]);
            judgement.verdict = match without_family(&judgement, self.hypotheses[m]) {
                Verdict::Regressed if p_slower[m] > self.design.level => Verdict::Inconclusive,
                Verdict::Improved if p_faster[m] > self.design.level => Verdict::Inconclusive,
                verdict @ (Verdict::Regressed
                | Verdict::Improved
                | Verdict::Unchanged
                | Verdict::Inconclusive) => verdict,
            };
            if then == Then::Stop || judgement.verdict != Verdict::Inconclusive {
                decided[m] = Some(judgement);
            }
        }
    }

    /// Shows what there is without deciding anything.
    fn withhold(&self, decided: &mut [Option<Judgement>]) {
        let (p_slower, p_faster) = self.adjusted();
        for (m, judgement) in decided.iter_mut().enumerate() {
            let (p_slower, p_faster) = (p_slower[m], p_faster[m]);
            *judgement = Some(Judgement { p_slower, p_faster, ..self.interval(m) });
        }
    }

    /// The estimate, its limits and the detectable change of one hypothesis; nothing decided.
    fn interval(&self, m: usize) -> Judgement {
        let values = &self.differences[m][..self.launch_pairs];
        let level = self.design.level;
        let estimate = hodges_lehmann::one_sample(values, level);
        // In a family the evidence must be stronger. Bonferroni's share is an upper bound of what
        // the correlated family asks for, so the change shown errs on the honest side.
        let level_in_family = level / self.hypotheses.len() as f64;
        Judgement {
            verdict: Verdict::Inconclusive,
            estimate_ln: estimate.value,
            low_ln: estimate.low,
            high_ln: estimate.high,
            p_slower: 1.0,
            p_faster: 1.0,
            mde_ln: power::detectable(values, self.hypotheses[m].floor.ln_1p(), level_in_family),
            launch_pairs: self.launch_pairs,
        }
    }

    /// The adjusted p of every hypothesis, for worse and for better than its floor.
    fn adjusted(&self) -> (Vec<f64>, Vec<f64>) {
        let beyond_floor = |sign: f64| -> Vec<Vec<f64>> {
            let rows = self.differences.iter().zip(self.hypotheses);
            rows.map(|(row, hypothesis)| {
                let floor = hypothesis.floor.ln_1p();
                row[..self.launch_pairs].iter().map(|d| sign * d - floor).collect()
            })
            .collect()
        };
        let (slower, faster) = (beyond_floor(1.0), beyond_floor(-1.0));
        if let ([slower], [faster]) = (slower.as_slice(), faster.as_slice()) {
            let p = |values| signed_rank::p_greater(&signed_rank::signed_midranks(values));
            return (vec![p(slower)], vec![p(faster)]);
        }
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(self.launch_pairs as u64);
        let flips = Flips::new(self.launch_pairs, FLIPS, &mut rng);
        let p = |values: &[Vec<f64>]| stepdown::adjusted_p_greater(values, &flips);
        (p(&slower), p(&faster))
    }
}

/// What the limits alone say. Equality comes first: a proven slowdown inside the tolerance is none.
fn without_family(judgement: &Judgement, hypothesis: Hypothesis) -> Verdict {
    let (floor, tolerance) = (hypothesis.floor.ln_1p(), hypothesis.tolerance.ln_1p());
    if -tolerance < judgement.low_ln && judgement.high_ln < tolerance {
        Verdict::Unchanged
    } else if judgement.low_ln > floor {
        Verdict::Regressed
    } else if judgement.high_ln < -floor {
        Verdict::Improved
    } else {
        Verdict::Inconclusive
    }
}
