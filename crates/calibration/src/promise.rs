//! What is promised about the rule, and whether the simulation agrees.

use crate::session::LAUNCH_PAIR_S;
use crate::{CalibrationCell, FamilyCell};
use compare::decision::Verdict;
use record::metric::Metric;
use stats::proportion::Proportion;

/// How sure one must be that a cell breaks a promise before it is called broken.
const DOUBT: f64 = 0.001;
/// The regime that stands for a pull request on an ordinary day.
const ORDINARY: &str = "ci";

/// A promise about shares.
struct ShareRequirement {
    text: &'static str,
    what: ShareKind,
    bound: ShareBound,
    /// In how many regimes it need not hold.
    spared: usize,
}

/// What a share is of.
enum ShareKind {
    /// Claims of *slower* without a floor, nothing having changed.
    Slower,
    /// Families in which anything was called slower, nothing having changed.
    Family,
    /// Verdicts under a true change.
    Verdict { metric: Option<Metric>, change: f64, verdict: Verdict },
    /// *Unchanged* where nothing changed, on an ordinary day.
    OrdinaryUnchanged,
}

/// On which side of the bound a share must be.
#[derive(Clone, Copy)]
enum ShareBound {
    AtMost(f64),
    AtLeast(f64),
}

const TARGETS: [ShareRequirement; 10] = [
    ShareRequirement {
        // A fifth on top is the grain of the simulated level.
        text: "no change: called slower in at most 1 % (± 0.2)",
        what: ShareKind::Slower,
        bound: ShareBound::AtMost(0.012),
        spared: 0,
    },
    ShareRequirement {
        text: "no change: regressed in at most 0.5 %",
        what: ShareKind::Verdict { metric: None, change: 0.0, verdict: Verdict::Regressed },
        bound: ShareBound::AtMost(0.005),
        spared: 0,
    },
    ShareRequirement {
        text: "no change: any of 24 called slower in at most 1 %",
        what: ShareKind::Family,
        bound: ShareBound::AtMost(0.01),
        spared: 0,
    },
    ShareRequirement {
        text: "no change on an ordinary day: unchanged in at least 99 %",
        what: ShareKind::OrdinaryUnchanged,
        bound: ShareBound::AtLeast(0.99),
        spared: 0,
    },
    ShareRequirement {
        text: "+5 %: CPU regressed in at least 95 %",
        what: ShareKind::Verdict {
            metric: Some(Metric::Cpu),
            change: 0.05,
            verdict: Verdict::Regressed,
        },
        bound: ShareBound::AtLeast(0.95),
        spared: 0,
    },
    ShareRequirement {
        text: "+5 %: latency regressed in at least 95 %, one regime spared",
        what: ShareKind::Verdict {
            metric: Some(Metric::Latency),
            change: 0.05,
            verdict: Verdict::Regressed,
        },
        bound: ShareBound::AtLeast(0.95),
        spared: 1,
    },
    ShareRequirement {
        text: "+3 %: CPU regressed in at least 85 %",
        what: ShareKind::Verdict {
            metric: Some(Metric::Cpu),
            change: 0.03,
            verdict: Verdict::Regressed,
        },
        bound: ShareBound::AtLeast(0.85),
        spared: 0,
    },
    ShareRequirement {
        text: "+3 %: latency regressed in at least 85 %, three regimes spared",
        what: ShareKind::Verdict {
            metric: Some(Metric::Latency),
            change: 0.03,
            verdict: Verdict::Regressed,
        },
        bound: ShareBound::AtLeast(0.85),
        spared: 3,
    },
    ShareRequirement {
        text: "+3 %: wrongly unchanged in at most 1.5 %",
        what: ShareKind::Verdict { metric: None, change: 0.03, verdict: Verdict::Unchanged },
        bound: ShareBound::AtMost(0.015),
        spared: 0,
    },
    ShareRequirement {
        text: "+1 %: wrongly regressed in at most 1.5 %",
        what: ShareKind::Verdict { metric: None, change: 0.01, verdict: Verdict::Regressed },
        bound: ShareBound::AtMost(0.015),
        spared: 0,
    },
];

/// Minutes that *unchanged* may take on an ordinary day, on average.
const ORDINARY_MINUTES: f64 = 1.3;

/// A promise, and the cell that does worst of those it must hold in.
#[derive(Debug, Clone, PartialEq)]
pub struct CalibrationPromise {
    /// In words.
    pub text: &'static str,
    /// Regime and metric of the worst cell.
    pub cell: String,
    /// What was seen there: a share, or minutes.
    pub seen: PromiseObservation,
    /// Whether it holds, as far as so many sessions can tell.
    pub holds: bool,
}

/// What was seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum PromiseObservation {
    /// A share of all comparisons.
    Share(Proportion),
    /// A mean time.
    Minutes(f64),
}

/// Returns what became of every promise that these cells allow to check.
pub fn check(cells: &[CalibrationCell], families: &[FamilyCell]) -> Vec<CalibrationPromise> {
    let shares = TARGETS.iter().filter_map(|target| target.check(cells, families));
    let ordinary = cells.iter().filter(|cell| is_ordinary(cell));
    let slowest = ordinary.max_by(|a, b| a.minutes_mean().total_cmp(&b.minutes_mean()));
    let minutes = slowest.map(|cell| CalibrationPromise {
        text: "no change on an ordinary day: decided in at most 1.3 minutes on average",
        cell: cell.name(),
        seen: PromiseObservation::Minutes(cell.minutes_mean()),
        holds: cell.minutes_mean() <= ORDINARY_MINUTES,
    });
    shares.chain(minutes).collect()
}

impl CalibrationCell {
    /// Returns the mean minutes until the verdict.
    pub fn minutes_mean(&self) -> f64 {
        self.tally.launch_pairs_mean() * LAUNCH_PAIR_S / 60.0
    }

    fn name(&self) -> String {
        format!("{} {}", self.regime.name, self.metric)
    }
}

fn is_ordinary(cell: &CalibrationCell) -> bool {
    cell.regime.name == ORDINARY && cell.change == 0.0
}

impl ShareRequirement {
    /// Checks the worst cell that is not spared; nothing if there are too few.
    fn check(
        &self,
        cells: &[CalibrationCell],
        families: &[FamilyCell],
    ) -> Option<CalibrationPromise> {
        let mut seen: Vec<(String, Proportion)> = match self.what {
            ShareKind::Family => families
                .iter()
                .map(|family| (family.regime.name.to_owned(), family.slower))
                .collect(),
            ShareKind::Slower | ShareKind::Verdict { .. } | ShareKind::OrdinaryUnchanged => {
                cells.iter().filter_map(|cell| Some((cell.name(), self.what.of(cell)?))).collect()
            }
        };
        seen.sort_by(|a, b| self.bound.badness(b.1).total_cmp(&self.bound.badness(a.1)));
        let (cell, share) = seen.into_iter().nth(self.spared)?;
        let holds = self.bound.holds(share);
        Some(CalibrationPromise {
            text: self.text,
            cell,
            seen: PromiseObservation::Share(share),
            holds,
        })
    }
}

impl ShareKind {
    /// The share of a cell, if it is about this cell.
    fn of(&self, cell: &CalibrationCell) -> Option<Proportion> {
        match *self {
            Self::Slower => cell.slower,
            Self::Family => None,
            Self::Verdict { metric, change, verdict } => {
                let fits = metric.is_none_or(|metric| metric == cell.metric)
                    && cell.change.total_cmp(&change).is_eq();
                fits.then(|| cell.tally.proportion(verdict))
            }
            Self::OrdinaryUnchanged => {
                is_ordinary(cell).then(|| cell.tally.proportion(Verdict::Unchanged))
            }
        }
    }
}

impl ShareBound {
    fn holds(self, seen: Proportion) -> bool {
        let (low, high) = seen.limits(DOUBT);
        match self {
            Self::AtMost(most) => low <= most,
            Self::AtLeast(least) => high >= least,
        }
    }

    /// How badly a share does: larger is worse.
    fn badness(self, seen: Proportion) -> f64 {
        match self {
            Self::AtMost(_) => seen.share(),
            Self::AtLeast(_) => -seen.share(),
        }
    }
}
