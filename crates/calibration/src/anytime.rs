//! A look after every launch pair, for as long as anyone has patience: three metrics of which none
//! changed.

use stats::proportion::Proportion;

use crate::regime::Regime;
use crate::session::SimulatedSession;
use crate::{SimulationPlan, SlowerClaim};

/// Metrics of the comparison.
const METRICS: usize = 3;

/// Three metrics in one kind of noise, in which nothing changed.
#[derive(Debug, Clone, PartialEq)]
pub struct AnytimeCell {
    /// The kind of noise.
    pub regime: Regime,
    /// How often anything was ever called slower with no floor, by so many launch pairs, rising.
    pub slower: Vec<(usize, Proportion)>,
}

impl SimulationPlan {
    /// Simulates comparisons that never stop, and counts false claims by each of two numbers of launch
    /// pairs, rising.
    pub fn anytime(&self, regime: Regime, launch_pairs: [usize; 2]) -> AnytimeCell {
        let salt = format!("{}/anytime", regime.name);
        let counts = self.in_parallel(&salt, [0_u64; 2], |rng, counts| {
            let mut session = SimulatedSession::new(regime, 0.0, 2, rng);
            let mut slower = SlowerClaim::new(self.rule.alpha, METRICS);
            let mut seen = 0;
            for (count, until) in counts.iter_mut().zip(launch_pairs) {
                while seen < until && !slower.is_claimed {
                    let pair = session.launch_pair();
                    slower.see(&[pair[0].latency, pair[0].cpu, pair[1].latency]);
                    seen += 1;
                }
                *count += u64::from(slower.is_claimed);
            }
        });
        let proportion = |count| Proportion { count, of: self.sessions };
        AnytimeCell {
            regime,
            slower: launch_pairs.into_iter().zip(counts.map(proportion)).collect(),
        }
    }
}
