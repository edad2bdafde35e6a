//! When to look at the data, and how much evidence a look needs.
//!
//! Fixed before anything is measured: whoever looks when it suits him finds what he looks for.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use thiserror::Error;

use crate::decision::Hypothesis;
use record::metric::gate::ERROR_RATES;
use stats::power;
use stats::sequential;

/// The numbers of launch pairs at which the default design looks.
pub const LOOKS: [usize; 5] = [10, 14, 20, 28, 40];
/// The default family-wise error, per direction.
pub const ALPHA: f64 = 0.01;
/// The most launch pairs that a design may ask for: the estimates take memory of its square.
pub const LAUNCH_PAIRS_MAX: usize = 2_000;

/// Local levels of the default looks by overall error, from 400 000 simulated walks each.
const KNOWN_LEVELS: [(f64, f64); 6] = [
    (0.01, 0.003_048_222_723_409_999),
    (0.0075, 0.002_203_386_276_960_373),
    (0.025, 0.008_300_772_949_218_75),
    (0.05, 0.018_116_932_871_818_543),
    (0.0025, 0.000_854_491_333_007_812_5),
    (0.005, 0.001_525_877_380_371_093_7),
];
/// Walks that find any other local level, and what they are drawn from: fixed, so that two machines
/// find the same level.
const WALKS: usize = 400_000;
const WALKS_SEED: u64 = 0x006c_6f6f_6b73;
/// When to look, and how much evidence a look needs: fixed before anything is measured.
#[derive(Debug, Clone, PartialEq)]
pub struct SequentialDesign {
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

impl SequentialDesign {
    /// Returns the design that looks at the given numbers of launch pairs.
    ///
    /// The local level of the default looks is known for the usual error rates; any other is found
    /// by simulation in a few tenths of a second, once in the life of the process.
    pub fn new(alpha: f64, looks: Vec<usize>) -> Result<Self, DesignError> {
        let rising = looks.windows(2).all(|pair| pair[0] < pair[1]);
        let (Some(&first), Some(&last)) = (looks.first(), looks.last()) else {
            return Err(DesignError::Looks);
        };
        if !rising || first == 0 {
            return Err(DesignError::Looks);
        }
        check(alpha, last)?;
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

    /// Returns the change that the last look is expected to show four times in five, from the standard
    /// deviation of one difference, such as [`power::spread`] of an earlier run; in a family of so many
    /// hypotheses.
    pub fn predicted_mde_ln(&self, spread_ln: f64, hypothesis: Hypothesis, family: usize) -> f64 {
        let level = self.level / family as f64;
        power::predicted(self.last(), spread_ln, hypothesis.floor.ln_1p(), level)
    }

    /// Returns the looks that so many launch pairs have reached.
    pub(super) fn reached(&self, launch_pairs: usize) -> &[usize] {
        let count = self.looks.partition_point(|look| *look <= launch_pairs);
        &self.looks[..count]
    }
}

impl Default for SequentialDesign {
    fn default() -> Self {
        Self::new(ALPHA, LOOKS.to_vec()).expect("the default design stands in the table")
    }
}

/// Returns whether so many launch pairs could ever decide.
pub(super) fn check(alpha: f64, launch_pairs: usize) -> Result<(), DesignError> {
    if !ERROR_RATES.contains(&alpha) {
        return Err(DesignError::Alpha { alpha });
    }
    if launch_pairs > LAUNCH_PAIRS_MAX {
        return Err(DesignError::Looks);
    }
    let needed = launch_pairs_needed(alpha);
    if launch_pairs < needed {
        return Err(DesignError::TooFew { launch_pairs, alpha, needed });
    }
    Ok(())
}

/// Returns the fewest launch pairs that could reject at `alpha`: all of them on one side.
pub fn launch_pairs_needed(alpha: f64) -> usize {
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
