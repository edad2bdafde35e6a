//! The rule for a run that is set against runs of other days: the run is the unit, not the launch.
//!
//! Whatever a machine was like on a day is common to all launches of that day, so no number of launches
//! tells how far two days are apart; only other days do. A history has few of them, and their scatter
//! is shrunk towards what is usual between runs in CI. What a single run cannot show is *suspected*:
//! it takes a measurement side by side, or a second job, to call it a regression.

use std::sync::{Mutex, PoisonError};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use stats::levels::{LevelSearch, NeighbourModel};
use stats::means::{self, VariancePrior};

use super::{Hypothesis, Judgement, Verdict};

/// What the same program scatters by from run to run in CI, as a logarithm.
const SCATTER: VariancePrior = VariancePrior { deviation: 0.03, freedom: 3.0 };
/// Runs that a level of the history lasts for at least.
const LEVEL_RUNS_MIN: usize = 4;
/// Chance that a history of one level is split.
const SPLIT_LEVEL: f64 = 0.01;
/// Runs below which a history says nothing.
pub const RUNS_MIN: usize = 3;
/// How much weaker than for a verdict of one job the evidence may be for a suspicion.
const SUSPICION: f64 = 5.0;
/// How much weaker it may be for a verdict of two jobs, the second of which follows a suspicion. With as
/// much as for the suspicion itself, levels that change or wander raised false alarms in up to 3 %.
const SECOND_JOB_EVIDENCE: f64 = 3.0;
/// False alarms against a history in units of alpha, by one job and a second one after a suspicion, as
/// long as days differ by up to 3 %; simulated in `docs/calibration.md`.
pub const SECOND_JOB_ALARMS: f64 = 2.5;
/// What the critical values of splits are drawn from: fixed, so that a record is judged alike for ever.
const SEED: u64 = 0x6d65_6d6f_7279;

/// One metric of one scenario, run by run: logarithms, above where it is worse.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricHistory {
    /// Of the runs that were kept, oldest first.
    pub history: Vec<f64>,
    /// Of the change: one value a job, at least one.
    pub jobs: Vec<f64>,
}

/// What a history says about one metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HistoryJudgement {
    /// The numbers; its sample is the runs of the last level.
    pub judgement: Judgement,
    /// What may be said.
    pub claim: HistoryClaim,
}

/// What may be said of a metric after one or two jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HistoryClaim {
    /// No regression was found, which does not show that there is none.
    NotFound,
    /// It is slower than chance explains well, and not yet confirmed.
    Suspected,
    /// The verdict of the judgement is shown.
    Shown,
}

/// Judges all hypotheses at a family-wise error of `alpha` a direction for what one job shows, by
/// Holm's steps: runs share no flips, so the joint law of their metrics is not known.
///
/// Every history has at least [`RUNS_MIN`] runs.
pub fn judge(
    alpha: f64,
    hypotheses: &[Hypothesis],
    kept: &[MetricHistory],
) -> Vec<HistoryJudgement> {
    assert_eq!(hypotheses.len(), kept.len(), "one history a hypothesis");
    let alone = |(&hypothesis, kept)| alone(alpha, hypotheses.len(), hypothesis, kept);
    let mut judgements: Vec<Judgement> = hypotheses.iter().zip(kept).map(alone).collect();
    super::share_by_holm(&mut judgements);
    let jobs = kept.iter().map(|kept| kept.jobs.len());
    judgements.into_iter().zip(jobs).map(|(it, jobs)| claim(alpha, jobs, it)).collect()
}

/// Returns the change that so many jobs would show four times in five, by the suspicion that they
/// raise, as a logarithm. The history has at least [`RUNS_MIN`] runs; their values do not matter.
pub fn detectable_ln(alpha: f64, family: usize, history: &[f64], jobs: usize) -> f64 {
    let estimate = means::prediction(last_level(history), &vec![0.0; jobs], SCATTER);
    estimate.detectable(suspicion(alpha, family))
}

/// The level at which one of a family is suspected, whatever the others show.
fn suspicion(alpha: f64, family: usize) -> f64 {
    SUSPICION * alpha / family as f64
}

fn alone(alpha: f64, family: usize, hypothesis: Hypothesis, kept: &MetricHistory) -> Judgement {
    assert!(kept.history.len() >= RUNS_MIN, "a history has runs");
    let level = last_level(&kept.history);
    let estimate = means::prediction(level, &kept.jobs, SCATTER);
    let (low_ln, high_ln) = estimate.limits(alpha);
    let tolerance = hypothesis.tolerance.ln_1p();
    let is_equal = -tolerance < low_ln && high_ln < tolerance;
    Judgement {
        verdict: if is_equal { Verdict::Unchanged } else { Verdict::Inconclusive },
        before: Verdict::Inconclusive,
        estimate_ln: estimate.value,
        low_ln,
        high_ln,
        p_slower: estimate.p_greater(0.0),
        p_faster: estimate.p_less(0.0),
        is_one_machine: false,
        p_unchanged: estimate.p_equivalent(-tolerance, tolerance),
        mde_ln: estimate.detectable(suspicion(alpha, family)),
        visible_ln: f64::INFINITY,
        spread_ln: f64::INFINITY,
        sample: level.len(),
    }
}

fn claim(alpha: f64, jobs: usize, judgement: Judgement) -> HistoryJudgement {
    let shown = |verdict| HistoryJudgement {
        judgement: Judgement { verdict, ..judgement },
        claim: HistoryClaim::Shown,
    };
    let needed = if jobs > 1 { SECOND_JOB_EVIDENCE * alpha } else { alpha };
    if judgement.verdict == Verdict::Unchanged {
        shown(Verdict::Unchanged)
    } else if judgement.p_slower <= needed {
        shown(Verdict::Regressed)
    } else if judgement.p_slower <= SUSPICION * alpha {
        HistoryJudgement { judgement, claim: HistoryClaim::Suspected }
    } else if judgement.p_faster <= alpha {
        shown(Verdict::Improved)
    } else {
        HistoryJudgement { judgement, claim: HistoryClaim::NotFound }
    }
}

/// Returns the runs since the level last changed.
pub fn last_level(history: &[f64]) -> &[f64] {
    &history[change_points(history).last().copied().unwrap_or(0)..]
}

/// Returns where new levels begin, rising; the first one, at 0, is not listed.
pub fn change_points(history: &[f64]) -> Vec<usize> {
    // What chance shows takes simulations, and depends on nothing but the length of a series.
    static SEARCH: Mutex<Option<LevelSearch<ChaCha8Rng>>> = Mutex::new(None);
    let mut search = SEARCH.lock().unwrap_or_else(PoisonError::into_inner);
    let search = search.get_or_insert_with(|| {
        // Runs of another level would decide; a level that is cut short only decides later.
        let neighbours = NeighbourModel::Independent;
        LevelSearch::new(LEVEL_RUNS_MIN, SPLIT_LEVEL, neighbours, ChaCha8Rng::seed_from_u64(SEED))
    });
    search.change_points(history)
}
