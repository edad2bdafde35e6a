//! Simulates comparisons whose truth is known, and counts how often the rule is wrong.
//!
//! The error rate that every report states is a claim about this program, so this program checks it:
//! noise of eight kinds goes through the very code that decides, and what comes out is set against
//! what is promised. The counts depend on the seed alone, not on the number of cores.

pub mod peers;
pub mod promise;
pub mod regime;
pub mod session;
pub mod stored;

use std::num::NonZero;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::regime::Regime;
use crate::session::SimulatedSession;
use compare::decision::{DecisionProtocol, Hypothesis, Judgement, Verdict};
use record::metric::Metric;
use stats::proportion::Proportion;

/// What is simulated.
#[derive(Debug, Clone)]
pub struct SimulationPlan {
    /// The rule.
    pub rule: DecisionProtocol,
    /// Comparisons in each cell.
    pub sessions: u64,
    /// What the noise and the coins are drawn from.
    pub seed: u64,
}

/// The true changes that are simulated, as ratios.
pub const CHANGES: [f64; 6] = [0.0, 0.01, 0.02, 0.03, 0.05, 0.10];
/// What is asked about each metric.
pub const USUAL: Hypothesis = Hypothesis { floor: 0.01, tolerance: 0.03 };
/// Whether anything is slower at all: no floor, and nothing counts as equal.
const ANY: Hypothesis = Hypothesis { floor: 0.0, tolerance: 0.0 };
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
    /// What was said, by verdict.
    pub tally: Tally,
    /// How often *slower* was claimed with no floor; only without a change.
    pub slower: Option<Proportion>,
}

/// What was said in all comparisons of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    regressed: u64,
    improved: u64,
    unchanged: u64,
    inconclusive: u64,
    launch_pairs: u64,
}

impl Tally {
    /// Returns how often a verdict fell.
    pub fn proportion(&self, verdict: Verdict) -> Proportion {
        let count = match verdict {
            Verdict::Regressed => self.regressed,
            Verdict::Improved => self.improved,
            Verdict::Unchanged => self.unchanged,
            Verdict::Inconclusive => self.inconclusive,
        };
        Proportion { count, of: self.comparisons() }
    }

    /// Returns the mean launch pairs until the verdict.
    pub fn launch_pairs_mean(&self) -> f64 {
        self.launch_pairs as f64 / self.comparisons() as f64
    }

    fn comparisons(&self) -> u64 {
        self.regressed + self.improved + self.unchanged + self.inconclusive
    }

    fn add(&mut self, judgement: &Judgement) {
        match judgement.verdict {
            Verdict::Regressed => self.regressed += 1,
            Verdict::Improved => self.improved += 1,
            Verdict::Unchanged => self.unchanged += 1,
            Verdict::Inconclusive => self.inconclusive += 1,
        }
        self.launch_pairs += judgement.sample as u64;
    }

    fn merge(&mut self, other: &Self) {
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
    /// How often anything was called slower, with no floor.
    pub slower: Proportion,
    /// How often anything was called regressed.
    pub regressed: Proportion,
}

/// Where a session pauses to see whether it can stop. The rule itself may look more often.
fn pauses(rule: &DecisionProtocol) -> Vec<usize> {
    match rule {
        DecisionProtocol::PlannedLooks(design) => design.looks.clone(),
        DecisionProtocol::UntilDecided(until) => {
            let every_fifth = (1..).map(|i| 5 * i);
            let early = every_fifth.take_while(|pause| *pause < until.launch_pairs_max);
            early.chain([until.launch_pairs_max]).collect()
        }
    }
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
        let mut rows = [Vec::new(), Vec::new()];
        let mut judgements: [Option<Judgement>; 2] = [None; 2];
        for pause in pauses(&self.rule) {
            while rows[0].len() < pause {
                let differences = session.launch_pair()[0];
                rows[0].push(differences.latency);
                rows[1].push(differences.cpu);
            }
            for (judgement, row) in judgements.iter_mut().zip(&rows) {
                if judgement.is_none_or(|judgement| judgement.verdict == Verdict::Inconclusive) {
                    let row = std::slice::from_ref(row);
                    *judgement = Some(self.rule.judge(&[USUAL], row, 0)[0]);
                }
            }
            let decided = |j: &Option<Judgement>| {
                j.is_some_and(|judgement| judgement.verdict != Verdict::Inconclusive)
            };
            // Whether anything is slower at all takes all the launch pairs to find out.
            if !is_null && judgements.iter().all(decided) {
                break;
            }
        }
        for ((sum, judgement), row) in sums.iter_mut().zip(judgements).zip(&rows) {
            sum.tally.add(&judgement.expect("a rule has a last look"));
            if is_null {
                let any = self.rule.judge(&[ANY], std::slice::from_ref(row), 0)[0];
                sum.slower += u64::from(any.verdict == Verdict::Regressed);
            }
        }
    }

    /// Simulates comparisons of [`FAMILY`] metrics of which none changed, under the family-wise rule.
    pub fn family(&self, regime: Regime) -> FamilyCell {
        let salt = format!("{}/family", regime.name);
        let any_regressed = |judgements: Vec<Judgement>| {
            u64::from(judgements.iter().any(|j| j.verdict == Verdict::Regressed))
        };
        let [slower, regressed] = self.in_parallel(&salt, [0_u64; 2], |mut rng, counts| {
            let coins = rand_chacha::rand_core::Rng::next_u64(&mut rng);
            let mut session = SimulatedSession::new(regime, 0.0, FAMILY_SCENARIOS, rng);
            let mut rows = vec![Vec::new(); FAMILY];
            for _ in 0..self.rule.last() {
                for (scenario, differences) in session.launch_pair().iter().enumerate() {
                    rows[2 * scenario].push(differences.latency);
                    rows[2 * scenario + 1].push(differences.cpu);
                }
            }
            counts[0] += any_regressed(self.rule.judge(&[ANY; FAMILY], &rows, coins));
            counts[1] += any_regressed(self.rule.judge(&[USUAL; FAMILY], &rows, coins));
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
            let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
            let mut total = zero;
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
        self.tally.merge(&other.tally);
        self.slower += other.slower;
    }
}
