//! What is promised about the rule, and whether the simulation agrees.

use compare::decision::Verdict;
use record::metric::Metric;
use stats::proportion::Proportion;

use crate::anytime::AnytimeCell;
use crate::attempts::AttemptsCell;
use crate::known_noise::NoiseCell;
use crate::layout::LayoutCell;
use crate::session::LAUNCH_PAIR_S;
use crate::{CalibrationCell, FamilyCell};

/// How sure one must be that a cell breaks a promise before it is called broken.
const DOUBT: f64 = 0.001;
/// The regime that stands for a pull request on an ordinary day.
const ORDINARY: &str = "ci";

/// Everything that promises are checked by.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CalibrationCounts {
    /// Single metrics.
    pub cells: Vec<CalibrationCell>,
    /// Families of many metrics.
    pub families: Vec<FamilyCell>,
    /// Three metrics that no rule stops measuring.
    pub anytime: Vec<AnytimeCell>,
    /// Launch pairs of a known scatter.
    pub noise: Vec<NoiseCell>,
    /// Equal builds of different layout. Of them nothing is promised: they tell what floor a layout needs.
    pub layouts: Vec<LayoutCell>,
    /// Ten attempts each.
    pub attempts: Vec<AttemptsCell>,
}

/// On which side of the bound a number must be.
#[derive(Debug, Clone, Copy)]
enum PromiseBound {
    AtMost(f64),
    AtLeast(f64),
}

use PromiseBound::{AtLeast, AtMost};

/// A promise, and the cell that does worst of those it must hold in.
#[derive(Debug, Clone, PartialEq)]
pub struct CalibrationPromise {
    /// In words.
    pub text: &'static str,
    /// The worst cell.
    pub cell: String,
    /// What was seen there.
    pub seen: PromiseObservation,
    /// Whether it holds, as far as so many sessions can tell.
    pub holds: bool,
}

/// What was seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum PromiseObservation {
    /// A share of all comparisons.
    Share(Proportion),
    /// A mean number of launch pairs.
    LaunchPairs(f64),
}

/// Returns what became of every promise that these counts allow to check.
pub fn check(counts: &CalibrationCounts) -> Vec<CalibrationPromise> {
    let powers = power(counts).into_iter().chain(power_of_known_noise(counts));
    let found = error_rate(counts).into_iter().chain(powers).chain(speed(counts));
    found.chain(attempts(counts)).flatten().collect()
}

/// How often a change is claimed where there is none.
fn error_rate(counts: &CalibrationCounts) -> Vec<Option<CalibrationPromise>> {
    let anytime = |from: usize, to: usize| {
        counts.anytime.iter().flat_map(move |cell| {
            let within = cell.slower.iter().filter(move |(by, _)| (from..=to).contains(by));
            within.map(|(by, share)| (format!("{} by {by}", cell.regime.name), *share))
        })
    };
    let null = || counts.cells.iter().filter(|cell| cell.change == 0.0);
    let slower = null().filter_map(|cell| Some((name(cell), cell.slower?)));
    let regressed = null().map(|cell| (name(cell), cell.tally.proportion(Verdict::Regressed)));
    let families = || counts.families.iter().map(|cell| cell.regime.name.to_owned());
    let family_slower = families().zip(counts.families.iter().map(|cell| cell.slower));
    let family_regressed = families().zip(counts.families.iter().map(|cell| cell.regressed));
    vec![
        worst(
            "no change, three metrics: ever called slower by 50 launch pairs in at most 0.8 %",
            AtMost(0.008),
            anytime(0, 50),
        ),
        worst(
            "no change, three metrics: ever called slower by 400 launch pairs in at most 1 %",
            AtMost(0.01),
            anytime(51, usize::MAX),
        ),
        worst("no change: ever called slower in at most 1 %", AtMost(0.01), slower),
        worst(
            "no change: any of 24 ever called slower in at most 1 %",
            AtMost(0.01),
            family_slower,
        ),
        worst(
            "no change, one metric by itself: regressed in at most 0.2 %",
            AtMost(0.002),
            regressed,
        ),
        worst("no change: any of 24 regressed in at most 0.05 %", AtMost(0.0005), family_regressed),
    ]
}

/// How often a change is found in noise of every kind, and taken for none.
fn power(counts: &CalibrationCounts) -> Vec<Option<CalibrationPromise>> {
    let cells = |change: f64, verdict, metric: Option<Metric>| {
        let fits = move |cell: &&CalibrationCell| {
            cell.change.total_cmp(&change).is_eq() && metric.is_none_or(|it| it == cell.metric)
        };
        let fitting = counts.cells.iter().filter(fits);
        fitting.map(move |cell| (name(cell), cell.tally.proportion(verdict)))
    };
    let ordinary = counts.cells.iter().filter(|cell| {
        cell.regime.name == ORDINARY && cell.change == 0.0 && cell.metric == Metric::Cpu
    });
    let ordinary = ordinary.map(|cell| (name(cell), cell.tally.proportion(Verdict::Unchanged)));
    vec![
        worst(
            "no change on an ordinary day: CPU unchanged in at least 99 %",
            AtLeast(0.99),
            ordinary,
        ),
        worst(
            "+5 %: CPU regressed in at least 95 %",
            AtLeast(0.95),
            cells(0.05, Verdict::Regressed, Some(Metric::Cpu)),
        ),
        worst(
            "+3 %: CPU regressed in at least 85 %",
            AtLeast(0.85),
            cells(0.03, Verdict::Regressed, Some(Metric::Cpu)),
        ),
        worst(
            "+3 %: wrongly unchanged in at most 1 %",
            AtMost(0.01),
            cells(0.03, Verdict::Unchanged, None),
        ),
        worst(
            "+1 %: wrongly regressed in at most 1 %",
            AtMost(0.01),
            cells(0.01, Verdict::Regressed, None),
        ),
    ]
}

/// How often a change is found, and none shown to be none, where the scatter of launch pairs is known.
fn power_of_known_noise(counts: &CalibrationCounts) -> Vec<Option<CalibrationPromise>> {
    let noise = |family: usize, change: f64, deviation: f64, verdict| {
        of_noise(counts, family, change, deviation)
            .map(move |(name, cell)| (name, cell.tally.proportion(verdict)))
    };
    let noisy = |family| noise(family, 0.03, 0.025, Verdict::Regressed);
    let clear = [1, 3, 6, 24].into_iter().flat_map(|m| noise(m, 0.03, 0.005, Verdict::Regressed));
    let equal = [1, 3, 6, 24].into_iter().flat_map(|m| noise(m, 0.0, 0.005, Verdict::Unchanged));
    vec![
        worst("no change, SD 0.5 %: unchanged in at least 99.9 %", AtLeast(0.999), equal),
        worst("+3 %, SD 0.5 %: regressed in at least 99 %", AtLeast(0.99), clear),
        worst("+3 %, SD 2.5 %, one metric: regressed in at least 93 %", AtLeast(0.93), noisy(1)),
        worst("+3 %, SD 2.5 %, three metrics: regressed in at least 86 %", AtLeast(0.86), noisy(3)),
    ]
}

/// How soon a comparison ends.
fn speed(counts: &CalibrationCounts) -> Vec<Option<CalibrationPromise>> {
    let pairs = |text, most: f64, family: usize, change: f64| {
        let cells = of_noise(counts, family, change, 0.005);
        let (cell, found) = cells.map(|(name, it)| (name, it.tally.launch_pairs_mean())).next()?;
        let seen = PromiseObservation::LaunchPairs(found);
        Some(CalibrationPromise { text, cell, seen, holds: found <= most })
    };
    vec![
        pairs("no change, SD 0.5 %: decided in 8.3 launch pairs", 8.3, 24, 0.0),
        pairs("+3 %, SD 0.5 %, one metric: decided in 8.4 launch pairs", 8.4, 1, 0.03),
        pairs("+3 %, SD 0.5 %, one of three: decided in 10.4 launch pairs", 10.4, 3, 0.03),
        pairs("+3 %, SD 0.5 %, one of six: decided in 11.4 launch pairs", 11.4, 6, 0.03),
        pairs("+3 %, SD 0.5 %, one of 24: decided in 13.4 launch pairs", 13.4, 24, 0.03),
    ]
}

/// What pressing re-run is good for.
fn attempts(counts: &CalibrationCounts) -> Vec<Option<CalibrationPromise>> {
    let changed = || counts.attempts.iter().filter(|cell| cell.case.change > 0.0);
    let five = || changed().filter(|cell| cell.case.change > 0.04);
    let three = || changed().filter(|cell| cell.case.change < 0.04);
    let offset = || counts.attempts.iter().filter(|cell| cell.case.offset > 0.0);
    let shares = |of: fn(&AttemptsCell) -> Proportion| {
        move |cell: &AttemptsCell| (attempts_name(cell), of(cell))
    };
    vec![
        worst(
            "ten attempts, +3 and +5 %: red, then green in none of 2 000",
            AtMost(0.0),
            changed().map(shares(|cell| cell.red_then_green)),
        ),
        worst(
            "ten attempts, +5 %: ever green in none of 2 000",
            AtMost(0.0),
            five().map(shares(|cell| cell.ever_green)),
        ),
        worst(
            "ten attempts, +3 %: ever green in at most 1 %",
            AtMost(0.01),
            three().map(shares(|cell| cell.ever_green)),
        ),
        worst(
            "ten machines, offsets of SD 1 %, no change: ever red in at most 4.5 %",
            AtMost(0.045),
            offset().map(shares(|cell| cell.ever_red)),
        ),
        worst(
            "ten machines, offsets of SD 1 %, no change: red in the end in at most 0.2 %",
            AtMost(0.002),
            offset().map(shares(|cell| cell.last_red)),
        ),
    ]
}

/// The promise as the worst of the cells has it; nothing if there is none.
fn worst(
    text: &'static str,
    bound: PromiseBound,
    cells: impl Iterator<Item = (String, Proportion)>,
) -> Option<CalibrationPromise> {
    let (cell, share) = cells.max_by(|a, b| bound.badness(a.1).total_cmp(&bound.badness(b.1)))?;
    let seen = PromiseObservation::Share(share);
    Some(CalibrationPromise { text, cell, seen, holds: bound.holds(share) })
}

fn of_noise(
    counts: &CalibrationCounts,
    family: usize,
    change: f64,
    deviation: f64,
) -> impl Iterator<Item = (String, &NoiseCell)> {
    let is = |a: f64, b: f64| a.total_cmp(&b).is_eq();
    let fitting = counts.noise.iter().filter(move |cell| {
        let case = cell.case;
        case.family == family && is(case.change, change) && is(case.deviation, deviation)
    });
    fitting.map(|cell| (format!("1 of {}", cell.case.family), cell))
}

fn attempts_name(cell: &AttemptsCell) -> String {
    format!("SD {:.1} %", 100.0 * cell.case.deviation)
}

fn name(cell: &CalibrationCell) -> String {
    format!("{} {}", cell.regime.name, cell.metric)
}

impl CalibrationCell {
    /// Returns the mean minutes until the verdict.
    pub fn minutes_mean(&self) -> f64 {
        self.tally.launch_pairs_mean() * LAUNCH_PAIR_S / 60.0
    }
}

impl PromiseBound {
    fn holds(self, seen: Proportion) -> bool {
        let (low, high) = seen.limits(DOUBT);
        match self {
            // What must never happen needs no limits.
            AtMost(most) if most <= 0.0 => seen.count == 0,
            AtMost(most) => low <= most,
            AtLeast(least) => high >= least,
        }
    }

    /// How badly a share does: larger is worse.
    fn badness(self, seen: Proportion) -> f64 {
        match self {
            AtMost(_) => seen.share(),
            AtLeast(_) => -seen.share(),
        }
    }
}
