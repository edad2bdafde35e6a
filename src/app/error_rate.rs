//! Checks the stated error rates on the machine that it runs on, by simulation.

use calibration::SimulationPlan;
use calibration::attempts::AttemptsCase;
use calibration::known_noise::NoiseCase;
use calibration::layout::LayoutCase;
use calibration::peers::PeerRule;
use calibration::promise::{self, CalibrationCounts, CalibrationPromise};
use calibration::regime::Regime;
use calibration::stored::{CHANGES, DayRegime, RUNS, StoredCell};
use compare::decision::history::SECOND_JOB_ALARMS;
use compare::decision::{ALPHA, DecisionRule};
use stats::proportion::Proportion;

use crate::app::event::{Event, EventSink};

/// Comparisons that are attempted ten times: what is promised of them is stated for so many.
const REPEATED_MAX: u64 = 2_000;

/// Launch pairs after which false alarms are counted, by default and over a long time.
const LAUNCH_PAIRS: [usize; 2] = [25, 50];
const LAUNCH_PAIRS_LONG: [usize; 2] = [50, 400];

/// Largest share of false alarms after a suspicion was followed up, and how sure one must be that it
/// is larger.
const FALSE_ALARMS_MAX: f64 = SECOND_JOB_ALARMS * ALPHA;
const DOUBT: f64 = 0.001;

/// What is simulated.
#[derive(Debug, Clone)]
pub struct CalibrationOptions {
    /// Comparisons in each cell.
    pub sessions: u64,
    /// Kinds of noise; empty for all.
    pub regimes: Vec<Regime>,
    /// Whether to go on to many launch pairs where nothing changed.
    pub long: bool,
    /// What the noise and the coins are drawn from.
    pub seed: u64,
}

/// What was counted in a simulation, and whether it contradicts what is stated.
#[derive(Debug)]
pub struct CalibrationOutcome {
    /// What was simulated.
    pub plan: SimulationPlan,
    /// What was counted.
    pub counts: CalibrationCounts,
    /// How often other rules say *slower* where nothing changed.
    pub peers: Vec<(Regime, [Proportion; PeerRule::ALL.len()])>,
    /// What is stated, and what was seen of it.
    pub promises: Vec<CalibrationPromise>,
}

impl CalibrationOutcome {
    /// Returns whether nothing that is stated was contradicted.
    pub fn holds(&self) -> bool {
        self.promises.iter().all(|promise| promise.holds)
    }
}

/// Simulates comparisons whose truth is known, and counts the wrong verdicts.
pub fn calibrate(options: &CalibrationOptions, events: &mut dyn EventSink) -> CalibrationOutcome {
    let regimes = if options.regimes.is_empty() { &Regime::ALL[..] } else { &options.regimes };
    let rule = DecisionRule::default();
    let plan = SimulationPlan { rule, sessions: options.sessions, seed: options.seed };
    let launch_pairs = if options.long { LAUNCH_PAIRS_LONG } else { LAUNCH_PAIRS };
    let (mut counts, mut peers) = (CalibrationCounts::default(), Vec::new());
    let cases = NoiseCase::ALL.len() + LayoutCase::all().count() + AttemptsCase::ALL.len();
    let cells = 4 * regimes.len() + cases;
    events.emit(Event::SimulationStarted { cells });
    for regime in regimes {
        counts.cells.extend(plan.single_metrics(*regime));
        events.emit(Event::CellSimulated);
        counts.families.push(plan.family(*regime));
        events.emit(Event::CellSimulated);
        counts.anytime.push(plan.anytime(*regime, launch_pairs));
        events.emit(Event::CellSimulated);
        peers.push((*regime, plan.peers(*regime)));
        events.emit(Event::CellSimulated);
    }
    for case in NoiseCase::ALL {
        counts.noise.push(plan.known_noise(case));
        events.emit(Event::CellSimulated);
    }
    for case in LayoutCase::all() {
        counts.layouts.push(plan.layout(case));
        events.emit(Event::CellSimulated);
    }
    let repeated = SimulationPlan { sessions: plan.sessions.min(REPEATED_MAX), ..plan.clone() };
    for case in AttemptsCase::ALL {
        counts.attempts.push(repeated.attempts(case));
        events.emit(Event::CellSimulated);
    }
    events.emit(Event::SimulationEnded);
    let promises = promise::check(&counts);
    CalibrationOutcome { plan, counts, peers, promises }
}

/// What was counted in a simulation of comparisons with stored runs.
#[derive(Debug)]
pub struct StoredCalibration {
    /// What was simulated.
    pub plan: SimulationPlan,
    /// Kind of days, length of the history and true change.
    pub cells: Vec<StoredCell>,
}

impl StoredCalibration {
    /// Returns whether every cell keeps what is stated.
    pub fn holds(&self) -> bool {
        self.cells.iter().all(is_kept)
    }
}

/// Returns whether a cell keeps what is stated, as far as so many comparisons can tell.
pub fn is_kept(cell: &StoredCell) -> bool {
    let kept = |share: Proportion| share.limits(DOUBT).0 <= FALSE_ALARMS_MAX;
    let second_job = !cell.days.is_promised || kept(cell.second_job);
    cell.change > 0.0 || (second_job && kept(cell.side_by_side))
}

/// Simulates comparisons with stored runs whose truth is known, and counts the wrong verdicts.
pub fn calibrate_stored(sessions: u64, seed: u64, events: &mut dyn EventSink) -> StoredCalibration {
    let plan = SimulationPlan { rule: DecisionRule::default(), sessions, seed };
    let noise = Regime::from_name("ci").expect("a regime that is there");
    let mut cells = Vec::new();
    let count = DayRegime::ALL.len() * RUNS.len() * CHANGES.len();
    events.emit(Event::SimulationStarted { cells: count });
    for days in DayRegime::ALL {
        for runs in RUNS {
            for change in CHANGES {
                cells.push(plan.stored(ALPHA, days, runs, change, noise));
                events.emit(Event::CellSimulated);
            }
        }
    }
    events.emit(Event::SimulationEnded);
    StoredCalibration { plan, cells }
}
