//! Two equal builds whose functions lie at different addresses: an offset that all launch pairs of a comparison share.

use compare::decision::family::FamilyEvidence;
use compare::decision::{Hypothesis, Verdict};
use record::metric::Metric;
use record::metric::gate::GateRules;

use crate::{SimulationPlan, Tally, USUAL, draw};

/// CPU time and latency of three scenarios: layout moves all of them by the same ratio.
const FAMILY: usize = 6;

/// Returns the question about CPU time and latency where functions lie as they were built.
pub fn as_built() -> Hypothesis {
    let rule = GateRules::default().with_layout_margin().rule(Metric::Cpu);
    Hypothesis { floor: rule.floor.0, tolerance: rule.tolerance.0 }
}

/// A family of metrics of two builds that are equal but for where their functions lie, or of which one has changed
/// besides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LayoutCase {
    /// The question about each metric.
    pub question: Hypothesis,
    /// Standard deviation of the offset, which is drawn once for a comparison.
    pub offset: f64,
    /// The true change of the first metric, as a ratio.
    pub change: f64,
}

/// What became of such comparisons.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LayoutCell {
    /// What was compared.
    pub case: LayoutCase,
    /// With a change, the verdicts on the first metric; without, *regressed* where any is, *unchanged* where all are.
    pub tally: Tally,
}

impl LayoutCase {
    /// Standard deviation of the difference of one launch pair.
    pub const DEVIATION: f64 = 0.005;

    /// Every case, by question: without a change, and with one as large as the tolerance.
    pub fn all() -> impl Iterator<Item = Self> {
        let of = |question: Hypothesis, change: f64| {
            let offsets = [0.0, 0.003, 0.005, 0.01];
            offsets.into_iter().map(move |offset| Self { question, offset, change })
        };
        let questions = [USUAL, as_built()].into_iter();
        questions.flat_map(move |it| of(it, 0.0).chain(of(it, it.tolerance)))
    }
}

impl SimulationPlan {
    /// Simulates comparisons that end when all is decided, or at the most launch pairs.
    pub fn layout(&self, case: LayoutCase) -> LayoutCell {
        let LayoutCase { question, offset, change } = case;
        let salt = format!("layout/{}/{offset}/{change}", question.floor);
        let [tally] = self.in_parallel(&salt, [Tally::default()], |mut rng, [tally]| {
            let mut evidence = FamilyEvidence::new(self.rule.alpha, &[question; FAMILY]);
            let offset = offset * draw::normal(&mut rng);
            let mut launch_pairs = 0;
            while launch_pairs < self.rule.launch_pairs_max
                && evidence.verdicts().any(|it| it == Verdict::Inconclusive)
            {
                let shift = |metric: usize| if metric == 0 { change.ln_1p() } else { 0.0 };
                let pair: Vec<_> = (0..FAMILY)
                    .map(|m| shift(m) + offset + LayoutCase::DEVIATION * draw::normal(&mut rng))
                    .map(Some)
                    .collect();
                evidence.see(&pair);
                launch_pairs += 1;
            }
            tally.note(verdict(&evidence, case), launch_pairs);
        });
        LayoutCell { case, tally }
    }
}

fn verdict(evidence: &FamilyEvidence, case: LayoutCase) -> Verdict {
    let mut verdicts = evidence.verdicts();
    if case.change > 0.0 {
        return verdicts.next().expect("a family has a metric");
    }
    let verdicts: Vec<_> = verdicts.collect();
    let order = [Verdict::Regressed, Verdict::Improved, Verdict::Inconclusive];
    order.into_iter().find(|it| verdicts.contains(it)).unwrap_or(Verdict::Unchanged)
}
