//! Simulates comparisons whose truth is known, and counts how often the rule is wrong.
//!
//! The error rate that every report states is a claim about this program, so this program checks it:
//! noise of eight kinds goes through the very code that decides, and what comes out is set against
//! what is promised. The counts depend on the seed alone, not on the number of cores.

pub mod anytime;
pub mod attempts;
mod draw;
pub mod known_noise;
pub mod layout;
pub mod peers;
pub mod promise;
pub mod regime;
pub mod session;
pub mod stored;

use std::num::NonZero;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use compare::decision::family::FamilyEvidence;
use compare::decision::{DecisionRule, Hypothesis, Verdict};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use record::metric::Metric;
use stats::evidence::Wealth;
use stats::proportion::Proportion;

use crate::regime::Regime;
use crate::session::SimulatedSession;

/// What is simulated.
#[derive(Debug, Clone)]
pub struct SimulationPlan {
    /// The rule.
    pub rule: DecisionRule,
    /// Comparisons in each cell.
    pub sessions: u64,
    /// What the noise and the coins are drawn from.
    pub seed: u64,
}

/// The true changes that are simulated, as ratios.
pub const CHANGES: [f64; 6] = [0.0, 0.01, 0.02, 0.03, 0.05, 0.10];
/// The question about each metric.
pub const USUAL: Hypothesis = Hypothesis { floor: 0.01, tolerance: 0.03 };
/// Scenarios of the family, each with two metrics.
const FAMILY_SCENARIOS: usize = 12;
/// Hypotheses of the family.
pub const FAMILY: usize = 2 * FAMILY_SCENARIOS;

/// One metric in one kind of noise under one true change.
#[derive(Debug, Clone, PartialEq)]
pub struct CalibrationCell {
    /// The kind of noise.
    pub regime: Regime,
    /// Latency or CPU.
    pub metric: Metric,
    /// The true change.
    pub change: f64,
    /// How the comparisons ended.
    pub tally: Tally,
    /// How often *slower* was claimed with no floor, at any launch pair; only without a change.
    pub slower: Option<Proportion>,
}

/// How all comparisons of a cell ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    regressed: u64,
    improved: u64,
    unchanged: u64,
    inconclusive: u64,
    launch_pairs: u64,
}

impl Tally {
    /// Returns how often a comparison ended with a verdict.
    pub fn proportion(&self, verdict: Verdict) -> Proportion {
        let count = match verdict {
            Verdict::Regressed => self.regressed,
            Verdict::Improved => self.improved,
            Verdict::Unchanged => self.unchanged,
            Verdict::Inconclusive => self.inconclusive,
        };
        Proportion { count, of: self.comparisons() }
    }

    /// Returns the mean launch pairs until the end.
    pub fn launch_pairs_mean(&self) -> f64 {
        self.launch_pairs as f64 / self.comparisons() as f64
    }

    fn comparisons(&self) -> u64 {
        self.regressed + self.improved + self.unchanged + self.inconclusive
    }

    fn note(&mut self, verdict: Verdict, launch_pairs: usize) {
        match verdict {
            Verdict::Regressed => self.regressed += 1,
            Verdict::Improved => self.improved += 1,
            Verdict::Unchanged => self.unchanged += 1,
            Verdict::Inconclusive => self.inconclusive += 1,
        }
        self.launch_pairs += launch_pairs as u64;
    }
}

impl CellSum for Tally {
    fn add(&mut self, other: Self) {
        self.regressed += other.regressed;
        self.improved += other.improved;
        self.unchanged += other.unchanged;
        self.inconclusive += other.inconclusive;
        self.launch_pairs += other.launch_pairs;
    }
}

/// A family of [`FAMILY`] hypotheses in one kind of noise, in which nothing changed.
#[derive(Debug, Clone, PartialEq)]
pub struct FamilyCell {
    /// The kind of noise.
    pub regime: Regime,
    /// How often anything was called slower at any launch pair, with no floor.
    pub slower: Proportion,
    /// How often anything was called regressed.
    pub regressed: Proportion,
}

impl SimulationPlan {
    /// Simulates comparisons of one metric under each true change, two cells for each: latency, CPU.
    pub fn single_metrics(&self, regime: Regime) -> Vec<CalibrationCell> {
        CHANGES.into_iter().flat_map(|change| self.cells(regime, change)).collect()
    }

    /// Simulates comparisons of one metric under one true change: latency, then CPU.
    pub fn cells(&self, regime: Regime, change: f64) -> [CalibrationCell; 2] {
        let salt = format!("{}/{change}", regime.name);
        let sums = self.in_parallel(&salt, [SessionOutcome::default(); 2], |rng, sums| {
            let mut session = SimulatedSession::new(regime, change, 1, rng);
            self.compare(&mut session, sums);
        });
        let cell = |metric, SessionOutcome { tally, slower }| {
            let slower = Proportion { count: slower, of: self.sessions };
            CalibrationCell {
                regime,
                metric,
                change,
                tally,
                slower: (change == 0.0).then_some(slower),
            }
        };
        [cell(Metric::Latency, sums[0]), cell(Metric::Cpu, sums[1])]
    }

    /// Runs one session until both metrics are decided, each by itself.
    fn compare(&self, session: &mut SimulatedSession, sums: &mut [SessionOutcome; 2]) {
        let is_null = session.is_null();
        let mut latency = MetricComparison::new(&self.rule);
        let mut cpu = latency.clone();
        for _ in 0..self.rule.launch_pairs_max {
            let differences = session.launch_pair()[0];
            latency.see(differences.latency);
            cpu.see(differences.cpu);
            // Whether anything is ever called slower takes all the launch pairs to find out.
            if !is_null && latency.has_ended() && cpu.has_ended() {
                break;
            }
        }
        for (sum, metric) in sums.iter_mut().zip([latency, cpu]) {
            sum.tally.note(metric.verdict(), metric.launch_pairs);
            sum.slower += u64::from(is_null && metric.slower.is_claimed);
        }
    }

    /// Simulates comparisons of [`FAMILY`] metrics of which none changed, under the family-wise rule.
    pub fn family(&self, regime: Regime) -> FamilyCell {
        let salt = format!("{}/family", regime.name);
        let [slower, regressed] = self.in_parallel(&salt, [0_u64; 2], |rng, counts| {
            let mut session = SimulatedSession::new(regime, 0.0, FAMILY_SCENARIOS, rng);
            let mut evidence = FamilyEvidence::new(self.rule.alpha, &[USUAL; FAMILY]);
            let mut slower = SlowerClaim::new(self.rule.alpha, FAMILY);
            let mut is_regressed = false;
            for _ in 0..self.rule.launch_pairs_max {
                let pair = session.launch_pair();
                let row: Vec<f64> = pair.iter().flat_map(|it| [it.latency, it.cpu]).collect();
                slower.see(&row);
                evidence.see(&unsettled(&evidence, &row));
                is_regressed |= evidence.verdicts().any(|it| it == Verdict::Regressed);
            }
            counts[0] += u64::from(slower.is_claimed);
            counts[1] += u64::from(is_regressed);
        });
        let proportion = |count| Proportion { count, of: self.sessions };
        FamilyCell { regime, slower: proportion(slower), regressed: proportion(regressed) }
    }

    /// Runs all sessions on all cores, each from its own random numbers, and adds up what they yield.
    fn in_parallel<const N: usize, T: CellSum>(
        &self,
        salt: &str,
        zero: [T; N],
        run: impl Fn(ChaCha8Rng, &mut [T; N]) + Sync,
    ) -> [T; N] {
        let next = AtomicU64::new(0);
        let work = || {
            let mut sums = zero;
            loop {
                let session = next.fetch_add(1, Ordering::Relaxed);
                if session >= self.sessions {
                    return sums;
                }
                run(self.random(salt, session), &mut sums);
            }
        };
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        thread::scope(|scope| {
            // This thread works as well, by itself where the system refuses others.
            let start = |_| thread::Builder::new().spawn_scoped(scope, work).ok();
            let workers: Vec<_> = (1..cores).map_while(start).collect();
            let mut total = work();
            for worker in workers {
                let sums = worker.join().expect("a simulation does not panic");
                for (total, sum) in total.iter_mut().zip(sums) {
                    total.add(sum);
                }
            }
            total
        })
    }

    /// The random numbers of one session: of a stream of its own, in a cell of its own.
    fn random(&self, salt: &str, session: u64) -> ChaCha8Rng {
        // FNV-1a: the cell's name picks the key, so that a cell is the same alone and among others.
        let cell = salt.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed ^ cell);
        rng.set_stream(session);
        rng
    }
}

/// What a launch pair measures: nothing of the last scenarios, if both metrics of each are unchanged.
fn unsettled(evidence: &FamilyEvidence, differences: &[f64]) -> Vec<Option<f64>> {
    let verdicts: Vec<Verdict> = evidence.verdicts().collect();
    let is_open = |scenario: &[Verdict]| scenario.iter().any(|it| *it != Verdict::Unchanged);
    let driven = verdicts.chunks(2).rposition(is_open).map_or(1, |last| last + 1);
    let measured = differences.iter().enumerate();
    measured.map(|(m, d)| (m < 2 * driven).then_some(*d)).collect()
}

/// A comparison of one metric, which ends at its first verdict.
#[derive(Debug, Clone)]
struct MetricComparison {
    evidence: FamilyEvidence,
    launch_pairs: usize,
    slower: SlowerClaim,
}

impl MetricComparison {
    fn new(rule: &DecisionRule) -> Self {
        let evidence = FamilyEvidence::new(rule.alpha, &[USUAL]);
        Self { evidence, launch_pairs: 0, slower: SlowerClaim::new(rule.alpha, 1) }
    }

    fn see(&mut self, difference: f64) {
        self.slower.see(&[difference]);
        if !self.has_ended() {
            self.evidence.see(&[Some(difference)]);
            self.launch_pairs += 1;
        }
    }

    fn verdict(&self) -> Verdict {
        self.evidence.verdicts().next().expect("it is of one hypothesis")
    }

    fn has_ended(&self) -> bool {
        self.verdict() != Verdict::Inconclusive
    }
}

/// Whether anything in a family is ever called slower, with no floor.
#[derive(Debug, Clone)]
struct SlowerClaim {
    needed: f64,
    wealths: Vec<Wealth>,
    is_claimed: bool,
}

impl SlowerClaim {
    fn new(alpha: f64, family: usize) -> Self {
        Self { needed: -alpha.ln(), wealths: vec![Wealth::default(); family], is_claimed: false }
    }

    fn see(&mut self, differences: &[f64]) {
        let seen = self.wealths.iter_mut().zip(differences);
        let wealths: Vec<f64> = seen.map(|(wealth, d)| wealth.see(*d)).collect();
        // A family can only weaken the evidence, so most launch pairs need no closed test.
        if !self.is_claimed && wealths.iter().any(|ln_wealth| *ln_wealth >= self.needed) {
            let family = stats::evidence::closed_by_means(&wealths);
            self.is_claimed = family.iter().any(|ln_wealth| *ln_wealth >= self.needed);
        }
    }
}

/// What sessions yield and what can be added up in any order.
trait CellSum: Copy + Send + Sync {
    fn add(&mut self, other: Self);
}

impl CellSum for u64 {
    fn add(&mut self, other: Self) {
        *self += other;
    }
}

/// One metric's part of the sessions of a cell.
#[derive(Debug, Clone, Copy, Default)]
struct SessionOutcome {
    tally: Tally,
    slower: u64,
}

impl CellSum for SessionOutcome {
    fn add(&mut self, other: Self) {
        self.tally.add(other.tally);
        self.slower += other.slower;
    }
}
