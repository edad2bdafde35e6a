//! What the rules of other tools would say on the same noise, measured the way their users measure.
//!
//! All launches of base, then all launches of head: twenty of each, which takes as long as twenty
//! launch pairs; or up to twenty of each in turn. Nothing changed, so every *slower* is a false one.

use crate::SimulationPlan;
use crate::regime::Regime;
use crate::session::SimulatedSession;
use stats::means;
use stats::proportion::Proportion;
use stats::rank_sum;

/// Launches a side.
const LAUNCHES: usize = 20;
/// The error rate that the tests keep.
const LEVEL: f64 = 0.05;
/// The ratio above which a threshold raises the alarm.
const THRESHOLD: f64 = 1.10;
/// Launches a side after which pairs in a fixed order are tested first.
const PAIRS_MIN: usize = 10;
/// The quantile of t that perfgate takes for any number of pairs below 30.
const PAIRED_T: f64 = 2.0;

/// A rule that other tools decide by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerRule {
    /// Mann-Whitney on the means of the launches, at 5 %.
    MannWhitney,
    /// Welch's t on the means of the launches, at 5 %.
    Welch,
    /// Mean less a standard deviation above mean plus a standard deviation.
    Deviations,
    /// A ratio of the means above 1.10.
    Threshold,
    /// Welch's t at 5 % on all slices of all launches, as if they were independent.
    Pooled,
    /// Base and head in turn, base first, until their mean difference lies two standard errors from none:
    /// perfgate's paired mode with its significance required, tested after ten pairs and each further one.
    PairedUntilSignificant,
}

/// What was measured where nothing changed.
struct PeerLaunches {
    /// Slices of all launches of base, and then of head.
    apart: [Vec<Vec<f64>>; 2],
    /// Differences of the means of launches in turn.
    in_turn: Vec<f64>,
}

/// How many rules there are.
pub const PEERS: usize = PeerRule::ALL.len();

impl PeerRule {
    /// Every rule.
    pub const ALL: [Self; 6] = [
        Self::MannWhitney,
        Self::Welch,
        Self::Deviations,
        Self::Threshold,
        Self::Pooled,
        Self::PairedUntilSignificant,
    ];

    /// Returns the words that tables use.
    pub fn label(self) -> &'static str {
        match self {
            Self::MannWhitney => "Mann-Whitney",
            Self::Welch => "Welch",
            Self::Deviations => "mean ± σ",
            Self::Threshold => "10 % threshold",
            Self::Pooled => "pooled",
            Self::PairedUntilSignificant => "paired, repeated",
        }
    }

    fn says_slower(self, launches: &PeerLaunches) -> bool {
        let PeerLaunches { apart: [base, head], in_turn } = launches;
        let launches = |side: &[Vec<f64>]| side.iter().map(|slices| means::mean(slices)).collect();
        let (base_means, head_means): (Vec<f64>, Vec<f64>) = (launches(base), launches(head));
        match self {
            Self::MannWhitney => rank_sum::p_greater(&base_means, &head_means) < LEVEL,
            Self::Welch => means::welch(&base_means, &head_means).p_greater(0.0) < LEVEL,
            Self::Deviations => {
                let (base, head) = (means::one_sample(&base_means), means::one_sample(&head_means));
                let deviations = (base.standard_error + head.standard_error) * root(LAUNCHES);
                head.value - base.value > deviations
            }
            Self::Threshold => means::mean(&head_means) > THRESHOLD * means::mean(&base_means),
            Self::Pooled => means::welch(&base.concat(), &head.concat()).p_greater(0.0) < LEVEL,
            Self::PairedUntilSignificant => {
                let after = |pairs| means::one_sample(&in_turn[..pairs]);
                let mut tested = (PAIRS_MIN..=in_turn.len()).map(after);
                // The first that is significant ends it, whichever side is slower.
                let first = tested.find(|it| it.value.abs() > PAIRED_T * it.standard_error);
                first.is_some_and(|it| it.value > 0.0)
            }
        }
    }
}

fn root(n: usize) -> f64 {
    (n as f64).sqrt()
}

impl SimulationPlan {
    /// Simulates what each of [`PeerRule::ALL`] says where nothing changed.
    pub fn peers(&self, regime: Regime) -> [Proportion; PEERS] {
        let salt = format!("{}/peers", regime.name);
        let counts = self.in_parallel(&salt, [0_u64; PEERS], |rng, counts| {
            let mut session = SimulatedSession::new(regime, 0.0, 1, rng);
            let mut side = || (0..LAUNCHES).map(|_| session.launch_alone()).collect::<Vec<_>>();
            let apart = [side(), side()];
            let mut launch = || means::mean(&session.launch_alone());
            let difference = |_| {
                let base = launch();
                launch() - base
            };
            let in_turn = (0..LAUNCHES).map(difference).collect();
            let launches = PeerLaunches { apart, in_turn };
            for (count, peer) in counts.iter_mut().zip(PeerRule::ALL) {
                *count += u64::from(peer.says_slower(&launches));
            }
        });
        counts.map(|count| Proportion { count, of: self.sessions })
    }
}
