//! Pressing re-run: ten attempts at one comparison, with the evidence of all of them.

use crate::draw;
use compare::decision::Verdict;
use compare::decision::family::FamilyEvidence;
use rand_chacha::ChaCha8Rng;
use stats::proportion::Proportion;

use crate::known_noise::NoiseCase;
use crate::{SimulationPlan, USUAL};

/// Attempts of each comparison.
const ATTEMPTS: usize = 10;

/// One metric of three that changed or not, on machines of which each may have an offset of its own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AttemptsCase {
    /// The true change, as a ratio.
    pub change: f64,
    /// Standard deviation of the difference of one launch pair.
    pub deviation: f64,
    /// Standard deviation of a machine's own offset of the build.
    pub offset: f64,
}

/// What became of ten attempts each.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AttemptsCell {
    /// What was compared.
    pub case: AttemptsCase,
    /// How often an attempt that ended *regressed* was followed by one that did not.
    pub red_then_green: Proportion,
    /// How often an attempt ended *unchanged*.
    pub ever_green: Proportion,
    /// How often an attempt ended *regressed*.
    pub ever_red: Proportion,
    /// How often the last attempt did.
    pub last_red: Proportion,
}

impl AttemptsCase {
    /// Every case of which something is promised.
    pub const ALL: [Self; 7] = [
        Self { change: 0.03, deviation: 0.005, offset: 0.0 },
        Self { change: 0.03, deviation: 0.014, offset: 0.0 },
        Self { change: 0.03, deviation: 0.025, offset: 0.0 },
        Self { change: 0.05, deviation: 0.005, offset: 0.0 },
        Self { change: 0.05, deviation: 0.014, offset: 0.0 },
        Self { change: 0.05, deviation: 0.025, offset: 0.0 },
        Self { change: 0.0, deviation: 0.005, offset: 0.01 },
    ];
}

impl SimulationPlan {
    /// Simulates comparisons that are attempted ten times, whatever came of the attempts before.
    pub fn attempts(&self, case: AttemptsCase) -> AttemptsCell {
        let AttemptsCase { change, deviation, offset } = case;
        let salt = format!("attempts/{change}/{deviation}/{offset}");
        let counts = self.in_parallel(&salt, [0_u64; 4], |mut rng, counts| {
            let ends = self.ends(case, &mut rng);
            let is_red = |verdict: &Verdict| *verdict == Verdict::Regressed;
            let first_red = ends.iter().position(is_red);
            let turned = first_red.is_some_and(|first| !ends[first..].iter().all(is_red));
            counts[0] += u64::from(turned);
            counts[1] += u64::from(ends.contains(&Verdict::Unchanged));
            counts[2] += u64::from(first_red.is_some());
            counts[3] += u64::from(ends.last().is_some_and(is_red));
        });
        let [red_then_green, ever_green, ever_red, last_red] =
            counts.map(|count| Proportion { count, of: self.sessions });
        AttemptsCell { case, red_then_green, ever_green, ever_red, last_red }
    }

    /// The verdict on the metric at the end of each attempt.
    fn ends(&self, case: AttemptsCase, rng: &mut ChaCha8Rng) -> Vec<Verdict> {
        let noise = NoiseCase { family: 3, change: case.change, deviation: case.deviation };
        let mut evidence = FamilyEvidence::new(self.rule.alpha, &[USUAL; 3]);
        let attempt = |_| {
            let offset = case.offset * draw::normal(rng);
            self.attempt(&mut evidence, noise, offset, rng);
            evidence.verdicts().next().expect("a family has a metric")
        };
        (0..ATTEMPTS).map(attempt).collect()
    }
}
