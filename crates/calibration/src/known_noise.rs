//! Launch pairs that scatter by a known amount: how soon a comparison ends, and how it does.

use crate::draw;
use compare::decision::Verdict;
use compare::decision::family::FamilyEvidence;
use rand_chacha::ChaCha8Rng;

use crate::{SimulationPlan, Tally, USUAL};

/// A family of metrics, of which the first has changed or none has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NoiseCase {
    /// Metrics that decide.
    pub family: usize,
    /// The true change of the first, as a ratio.
    pub change: f64,
    /// Standard deviation of the difference of one launch pair.
    pub deviation: f64,
}

/// What became of such comparisons.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NoiseCell {
    /// What was compared.
    pub case: NoiseCase,
    /// With a change, the verdicts on the first metric; without, *unchanged* where all are.
    pub tally: Tally,
}

impl NoiseCase {
    /// Every case of which something is promised.
    pub const ALL: [Self; 11] = [
        Self { family: 1, change: 0.0, deviation: 0.005 },
        Self { family: 3, change: 0.0, deviation: 0.005 },
        Self { family: 6, change: 0.0, deviation: 0.005 },
        Self { family: 24, change: 0.0, deviation: 0.005 },
        Self { family: 1, change: 0.03, deviation: 0.005 },
        Self { family: 3, change: 0.03, deviation: 0.005 },
        Self { family: 6, change: 0.03, deviation: 0.005 },
        Self { family: 24, change: 0.03, deviation: 0.005 },
        Self { family: 1, change: 0.03, deviation: 0.025 },
        Self { family: 3, change: 0.03, deviation: 0.025 },
        Self { family: 1, change: 0.05, deviation: 0.025 },
    ];

    /// One launch pair: the difference of each metric, independent of the others'.
    fn launch_pair(&self, offset: f64, rng: &mut ChaCha8Rng) -> Vec<Option<f64>> {
        let shift = |m: usize| if m == 0 { self.change.ln_1p() + offset } else { 0.0 };
        (0..self.family).map(|m| Some(shift(m) + self.deviation * draw::normal(rng))).collect()
    }
}

impl SimulationPlan {
    /// Simulates comparisons that end when all is decided, or at the most launch pairs.
    pub fn known_noise(&self, case: NoiseCase) -> NoiseCell {
        let NoiseCase { family, change, deviation } = case;
        let salt = format!("noise/{family}/{change}/{deviation}");
        let [tally] = self.in_parallel(&salt, [Tally::default()], |mut rng, [tally]| {
            let mut evidence = FamilyEvidence::new(self.rule.alpha, &vec![USUAL; family]);
            let launch_pairs = self.attempt(&mut evidence, case, 0.0, &mut rng);
            tally.note(verdict(&evidence, case), launch_pairs);
        });
        NoiseCell { case, tally }
    }

    /// Makes an attempt on a machine with an offset of its own, and returns the launch pairs that it took.
    pub(crate) fn attempt(
        &self,
        evidence: &mut FamilyEvidence,
        case: NoiseCase,
        offset: f64,
        rng: &mut ChaCha8Rng,
    ) -> usize {
        evidence.begin_attempt(0);
        let began: Vec<Verdict> = evidence.verdicts().collect();
        for launch_pairs in 1..=self.rule.launch_pairs_max {
            evidence.see(&case.launch_pair(offset, rng));
            if has_ended(evidence, &began) {
                return launch_pairs;
            }
        }
        self.rule.launch_pairs_max
    }
}

/// An attempt ends when all is decided; one that began red goes on until it is red no more.
fn has_ended(evidence: &FamilyEvidence, began: &[Verdict]) -> bool {
    evidence.verdicts().zip(began).all(|(verdict, began)| {
        let is_still_red = verdict == Verdict::Regressed && *began == Verdict::Regressed;
        verdict != Verdict::Inconclusive && !is_still_red
    })
}

/// The verdict that is counted: of the metric that changed, else the one that not all share.
fn verdict(evidence: &FamilyEvidence, case: NoiseCase) -> Verdict {
    let mut verdicts = evidence.verdicts();
    let first = verdicts.next().expect("a family has a metric");
    if case.change != 0.0 || first != Verdict::Unchanged {
        return first;
    }
    verdicts.find(|it| *it != Verdict::Unchanged).unwrap_or(first)
}
