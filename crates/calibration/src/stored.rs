//! Simulates comparisons with stored runs: a history of days, then one or two jobs that measure a change.
//!
//! Here the day is the unit, so what matters is how days differ: by machine, by neighbour, by season.
//! A suspicion is followed up both ways that a team has: by a second job that is judged with the first,
//! and by launch pairs side by side with the base.

use rand_chacha::ChaCha8Rng;

use crate::draw;
use crate::regime::{LaunchOutlier, Regime};
use crate::session::SimulatedSession;
use crate::{CellSum, MetricComparison, SimulationPlan, USUAL};
use compare::decision::Verdict;
use compare::decision::history::{self, HistoryClaim, HistoryJudgement, MetricHistory};
use stats::proportion::Proportion;

/// How days differ. All scatter is on the logarithmic scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DayRegime {
    /// Its name.
    pub name: &'static str,
    /// What it stands for.
    pub meaning: &'static str,
    /// Standard deviation from run to run.
    pub between: f64,
    /// Correlation of a run's scatter with that of the run before.
    pub correlation: f64,
    /// Standard deviation of the step by which the level wanders from run to run.
    pub wander: f64,
    /// Days that went wrong.
    pub outlier: LaunchOutlier,
    /// Distance of two kinds of machine that jobs fall on by chance, as a ratio.
    pub modes: f64,
    /// Ratio by which the level rose eight runs before the change.
    pub step: f64,
    /// Whether two jobs keep the promise here. Where days scatter more than the rule expects, some are
    /// wild, or each is like the one before, only launch pairs do.
    pub is_promised: bool,
}

const NO_OUTLIER: LaunchOutlier = LaunchOutlier { share: 0.0, slowdown: 0.0 };
const STEADY: DayRegime = DayRegime {
    name: "steady",
    meaning: "a machine of one's own",
    between: 0.01,
    correlation: 0.0,
    wander: 0.0,
    outlier: NO_OUTLIER,
    modes: 0.0,
    step: 0.0,
    is_promised: true,
};
/// Runs since the step.
const STEP_RUNS: usize = 8;

impl DayRegime {
    /// Every kind of days, from the mildest on.
    pub const ALL: [Self; 9] = [
        STEADY,
        Self { name: "usual", meaning: "shared runners of one type", between: 0.03, ..STEADY },
        Self {
            name: "rough",
            meaning: "shared runners on bad days",
            between: 0.05,
            is_promised: false,
            ..STEADY
        },
        Self {
            name: "outliers",
            meaning: "one day in twenty is 15 % slower",
            between: 0.02,
            outlier: LaunchOutlier { share: 0.05, slowdown: 0.15 },
            is_promised: false,
            ..STEADY
        },
        Self {
            name: "modes",
            meaning: "two kinds of machine 6 % apart",
            between: 0.015,
            modes: 0.06,
            ..STEADY
        },
        Self {
            name: "stepped",
            meaning: "usual, and the level rose by 8 % eight runs before",
            between: 0.03,
            step: 0.08,
            ..STEADY
        },
        Self {
            name: "wander",
            meaning: "the level wanders by 0.5 % from run to run",
            between: 0.02,
            wander: 0.005,
            ..STEADY
        },
        Self {
            name: "alike",
            meaning: "usual, each run like the one before, correlation 0.4",
            between: 0.03,
            correlation: 0.4,
            is_promised: false,
            ..STEADY
        },
        Self {
            name: "much-alike",
            meaning: "usual, each run like the one before, correlation 0.6",
            between: 0.03,
            correlation: 0.6,
            is_promised: false,
            ..STEADY
        },
    ];

    /// A history of so many runs and two jobs that measure a change, as logarithms.
    fn series(&self, runs: usize, change_ln: f64, rng: &mut ChaCha8Rng) -> MetricHistory {
        let (mut level, mut carried) = (0.0, self.between * draw::normal(rng));
        let fresh = (1.0 - self.correlation.powi(2)).sqrt() * self.between;
        let mut value = |run: usize| {
            level += self.wander * draw::normal(rng);
            carried = self.correlation * carried + fresh * draw::normal(rng);
            let stepped = if run + STEP_RUNS < runs { -self.step.ln_1p() } else { 0.0 };
            let mode = if draw::uniform(rng) < 0.5 { self.modes.ln_1p() } else { 0.0 };
            let wild = draw::uniform(rng) < self.outlier.share;
            let wild = if wild { self.outlier.slowdown.ln_1p() } else { 0.0 };
            level + stepped + mode + wild + carried
        };
        let history = (0..runs).map(&mut value).collect();
        let jobs = (runs..runs + 2).map(|run| value(run) + change_ln).collect();
        MetricHistory { history, jobs }
    }
}

/// Lengths of histories that are simulated.
pub const RUNS: [usize; 3] = [4, 10, 20];
/// True changes that are simulated, as ratios.
pub const CHANGES: [f64; 5] = [0.0, 0.05, 0.08, 0.10, 0.15];

/// What was said of one metric under one true change.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StoredCell {
    /// How days differ.
    pub days: DayRegime,
    /// Runs of the history.
    pub runs: usize,
    /// The true change.
    pub change: f64,
    /// How often one job was enough to say *regressed*.
    pub at_once: Proportion,
    /// How often one job flagged it at all.
    pub flagged: Proportion,
    /// How often it was *regressed* after a second job had followed up a suspicion.
    pub second_job: Proportion,
    /// How often it was *regressed* after launch pairs had followed up whatever was flagged.
    pub side_by_side: Proportion,
    /// The change that was said to be visible four times in five, on average, as a logarithm.
    pub mde_ln: f64,
}

/// Counts of one cell, and the sum of its detectable changes in millionths.
#[derive(Debug, Clone, Copy, Default)]
struct StoredCounts {
    at_once: u64,
    flagged: u64,
    second_job: u64,
    side_by_side: u64,
    mde_millionths: u64,
}

impl CellSum for StoredCounts {
    fn add(&mut self, other: Self) {
        self.at_once += other.at_once;
        self.flagged += other.flagged;
        self.second_job += other.second_job;
        self.side_by_side += other.side_by_side;
        self.mde_millionths += other.mde_millionths;
    }
}

impl SimulationPlan {
    /// Simulates comparisons with a history of so many runs; launch pairs that follow up are in `noise`.
    pub fn stored(
        &self,
        alpha: f64,
        days: DayRegime,
        runs: usize,
        change: f64,
        noise: Regime,
    ) -> StoredCell {
        let salt = format!("stored/{}/{runs}/{change}", days.name);
        let [counts] = self.in_parallel(&salt, [StoredCounts::default()], |mut rng, [counts]| {
            let both = days.series(runs, change.ln_1p(), &mut rng);
            let first = MetricHistory { jobs: vec![both.jobs[0]], ..both.clone() };
            let judge = |kept| history::judge(alpha, &[USUAL], std::slice::from_ref(kept))[0];
            let recalled = judge(&first);
            let at_once = is_regressed(&recalled);
            let suspected = recalled.claim == HistoryClaim::Suspected;
            counts.at_once += u64::from(at_once);
            counts.flagged += u64::from(at_once || suspected);
            counts.second_job += u64::from(at_once || (suspected && is_regressed(&judge(&both))));
            counts.mde_millionths += millionths(recalled.judgement.mde_ln);
            if at_once || suspected {
                let verdict = self.side_by_side(SimulatedSession::new(noise, change, 1, rng));
                counts.side_by_side += u64::from(verdict == Verdict::Regressed);
            }
        });
        let share = |count| Proportion { count, of: self.sessions };
        StoredCell {
            days,
            runs,
            change,
            at_once: share(counts.at_once),
            flagged: share(counts.flagged),
            second_job: share(counts.second_job),
            side_by_side: share(counts.side_by_side),
            mde_ln: counts.mde_millionths as f64 / 1e6 / self.sessions as f64,
        }
    }

    /// The verdict of launch pairs on latency.
    fn side_by_side(&self, mut session: SimulatedSession) -> Verdict {
        let mut comparison = MetricComparison::new(&self.rule);
        while !comparison.has_ended() && comparison.launch_pairs < self.rule.launch_pairs_max {
            comparison.see(session.launch_pair()[0].latency);
        }
        comparison.verdict()
    }
}

fn is_regressed(recalled: &HistoryJudgement) -> bool {
    recalled.claim == HistoryClaim::Shown && recalled.judgement.verdict == Verdict::Regressed
}

/// Whole, so that the sum does not depend on the order.
fn millionths(ln: f64) -> u64 {
    units::whole((ln * 1e6).round()).unwrap_or(0)
}
