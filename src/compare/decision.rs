//! The rule: hypotheses and differences of launch pairs go in, judgements come out.
//!
//! A pure function of its arguments, so a stored run is judged again to the same bit, and the
//! simulation that states the error rate runs the very code that decides. It looks at the data only
//! at the numbers of launch pairs fixed before the first one; what lies between two looks waits.
//! Every hypothesis stays in the family at every look, decided or not: a metric that was set aside
//! because it was quiet had its own chance to alarm, and taking it out would hand that chance to the
//! others a second time.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use thiserror::Error;

use crate::stats::hodges_lehmann;
use crate::stats::power;
use crate::stats::sequential;
use crate::stats::signed_rank;
use crate::stats::stepdown::{self, Flips};

/// The numbers of launch pairs at which the default design looks.
pub const LOOKS: [usize; 5] = [10, 14, 20, 28, 40];
/// The default family-wise error, per direction.
pub const ALPHA: f64 = 0.01;
/// The most launch pairs that a design may ask for: the estimates take memory of its square.
pub const LAUNCH_PAIRS_MAX: usize = 2_000;

/// Local levels of the default looks by overall error, from 400 000 simulated walks each.
const KNOWN_LEVELS: [(f64, f64); 5] = [
    (0.01, 0.003_048_222_723_409_999),
    (0.025, 0.008_300_772_949_218_75),
    (0.05, 0.018_116_932_871_818_543),
    (0.0025, 0.000_854_491_333_007_812_5),
    (0.005, 0.001_525_877_380_371_093_7),
];
/// Walks that find any other local level, and what they are drawn from: fixed, so that two machines
/// find the same level.
const WALKS: usize = 400_000;
const WALKS_SEED: u64 = 0x006c_6f6f_6b73;
/// Sign flips that a family is tested with.
const FLIPS: usize = 100_000;

/// When to look, and how much evidence a look needs: fixed before anything is measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Design {
    /// Probability that anything at all is called slower when nothing is, over the whole family and
    /// all looks; the same again for faster.
    pub alpha: f64,
    /// Rising numbers of launch pairs at which a verdict may fall.
    pub looks: Vec<usize>,
    /// One-sided level of the test and of each limit at every look.
    pub level: f64,
}

/// Why there is no such design.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum DesignError {
    /// The error rate is none that one could want, or too small to be found by simulation.
    #[error("an error rate of {alpha} is not between 0.001 and 0.2")]
    Alpha {
        /// What was asked for.
        alpha: f64,
    },
    /// The looks do not rise, or there is none, or they go beyond what is possible.
    #[error("looks must be rising numbers of launch pairs, from 1 to {LAUNCH_PAIRS_MAX}")]
    Looks,
    /// No evidence from so few launch pairs could be strong enough.
    #[error(
        "{launch_pairs} launch pairs cannot decide at an error rate of {alpha}\n\n\
         hint: it takes at least {needed}"
    )]
    TooFew {
        /// What was asked for.
        launch_pairs: usize,
        /// The error rate.
        alpha: f64,
        /// The smallest number that could decide.
        needed: usize,
    },
}

impl Design {
    /// Returns the design that looks at the given numbers of launch pairs.
    ///
    /// The local level of the default looks is known for the usual error rates; any other is found
    /// by simulation in a few tenths of a second, once in the life of the process.
    pub fn new(alpha: f64, looks: Vec<usize>) -> Result<Self, DesignError> {
        if !(0.001..=0.2).contains(&alpha) {
            return Err(DesignError::Alpha { alpha });
        }
        let rising = looks.windows(2).all(|pair| pair[0] < pair[1]);
        let (Some(&first), Some(&last)) = (looks.first(), looks.last()) else {
            return Err(DesignError::Looks);
        };
        if !rising || first == 0 || last > LAUNCH_PAIRS_MAX {
            return Err(DesignError::Looks);
        }
        let needed = launch_pairs_needed(alpha);
        if last < needed {
            return Err(DesignError::TooFew { launch_pairs: last, alpha, needed });
        }
        let level = local_level(alpha, &looks);
        Ok(Self { alpha, looks, level })
    }

    /// Returns the design that looks once, after all launch pairs.
    pub fn fixed(alpha: f64, launch_pairs: usize) -> Result<Self, DesignError> {
        Self::new(alpha, vec![launch_pairs])
    }

    /// Returns the design for at most so many launch pairs: the default looks, as far as they go or
    /// carried on at the same pace, and a last one at the end.
    pub fn within(alpha: f64, launch_pairs: usize) -> Result<Self, DesignError> {
        // A look shortly before the last would cost level and save next to nothing.
        let room = |look: &usize| look * 6 <= launch_pairs * 5;
        let pace = LOOKS.into_iter().chain([56, 80, 112, 160, 224, 320]);
        let needed = launch_pairs_needed(alpha);
        let early = pace.filter(|look| *look > needed).take_while(room);
        Self::new(alpha, early.chain([launch_pairs]).collect())
    }

    /// Returns the launch pairs after which nothing more is measured.
    pub fn last(&self) -> usize {
        self.looks.last().copied().expect("a design has a look")
    }

    /// Returns the looks that so many launch pairs have reached.
    fn reached(&self, launch_pairs: usize) -> &[usize] {
        let count = self.looks.partition_point(|look| *look <= launch_pairs);
        &self.looks[..count]
    }
}

impl Default for Design {
    fn default() -> Self {
        Self::new(ALPHA, LOOKS.to_vec()).expect("the default design stands in the table")
    }
}

/// The fewest launch pairs that could reject at `alpha`: all of them on one side.
fn launch_pairs_needed(alpha: f64) -> usize {
    let (mut launch_pairs, mut p_smallest) = (0, 1.0);
    while p_smallest > alpha {
        launch_pairs += 1;
        p_smallest /= 2.0;
    }
    launch_pairs
}

fn local_level(alpha: f64, looks: &[usize]) -> f64 {
    static FOUND: Mutex<BTreeMap<(u64, Vec<usize>), f64>> = Mutex::new(BTreeMap::new());

    if looks.len() == 1 {
        return alpha;
    }
    let known = KNOWN_LEVELS.iter().find(|(known, _)| (known - alpha).abs() < 1e-12);
    if let Some((_, level)) = known.filter(|_| looks == LOOKS) {
        return *level;
    }
    let key = (alpha.to_bits(), looks.to_vec());
    let mut found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    *found.entry(key).or_insert_with(|| {
        let mut rng = ChaCha8Rng::seed_from_u64(WALKS_SEED);
        sequential::constant_level(alpha, looks, WALKS, &mut rng)
    })
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
    assert_eq!(hypotheses.len(), differences.len(), "one row of differences a hypothesis");
    let available = differences.first().map_or(0, Vec::len);
    for row in differences {
        assert_eq!(row.len(), available, "every hypothesis has every launch pair");
        assert!(row.iter().all(|d| d.is_finite()), "differences are finite");
    }
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
