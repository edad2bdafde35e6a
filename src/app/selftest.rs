//! Checks the stated error rates on the machine that it runs on, by simulation.

use anyhow::Context as _;
use calibration::promise::{self, CalibrationPromise};
use calibration::regime::NoiseRegime;
use calibration::stored::{CHANGES, DayRegime, RUNS, StoredCell};
use calibration::{CalibrationCell, FamilyCell, SimulationPlan};
use compare::decision::design::ALPHA;
use compare::decision::until::SequentialComparison;
use compare::decision::{DecisionProtocol, SequentialDesign};
use stats::proportion::Proportion;

use crate::app::event::{Event, EventSink};

/// What is simulated.
#[derive(Debug, Clone)]
pub struct CalibrationOptions {
    /// Comparisons in each cell.
    pub sessions: u64,
    /// Kinds of noise; empty for all.
    pub regimes: Vec<NoiseRegime>,
    /// Launch pairs at most, where there is a look after each.
    pub until_decided: Option<usize>,
    /// What the noise and the assignments are drawn from.
    pub seed: u64,
}

/// Everything that was counted in a simulation.
#[derive(Debug)]
pub struct CalibrationOutcome {
    /// What was simulated.
    pub plan: SimulationPlan,
    /// Single metrics.
    pub cells: Vec<CalibrationCell>,
    /// Families of metrics.
    pub families: Vec<FamilyCell>,
    /// Other tools' rules on the same numbers.
    pub peers: Vec<(NoiseRegime, [Proportion; 5])>,
    /// What is stated about the error rate, and whether it holds.
    pub promises: Vec<CalibrationPromise>,
}

/// Simulates comparisons whose truth is known, and counts the wrong verdicts.
pub fn calibrate(
    options: &CalibrationOptions,
    events: &mut dyn EventSink,
) -> anyhow::Result<CalibrationOutcome> {
    let rule = match options.until_decided {
        Some(launch_pairs) => DecisionProtocol::UntilDecided(
            SequentialComparison::new(ALPHA, launch_pairs).context("unusable `--until-decided`")?,
        ),
        None => DecisionProtocol::PlannedLooks(SequentialDesign::default()),
    };
    let regimes = match options.regimes.as_slice() {
        [] => &NoiseRegime::ALL[..],
        some => some,
    };
    let plan = SimulationPlan { rule, sessions: options.sessions, seed: options.seed };
    let (mut cells, mut families, mut peers) = (Vec::new(), Vec::new(), Vec::new());
    events.emit(Event::SimulationStarted { cells: 3 * regimes.len() });
    for regime in regimes {
        cells.extend(plan.single_metrics(*regime));
        events.emit(Event::CellSimulated);
        families.push(plan.family(*regime));
        events.emit(Event::CellSimulated);
        peers.push((*regime, plan.peers(*regime)));
        events.emit(Event::CellSimulated);
    }
    events.emit(Event::SimulationEnded);
    let promises = promise::check(&cells, &families);
    Ok(CalibrationOutcome { plan, cells, families, peers, promises })
}

/// Everything that was counted in a simulation of comparisons with stored runs.
#[derive(Debug)]
pub struct StoredCalibration {
    /// What was simulated.
    pub plan: SimulationPlan,
    /// The cells.
    pub cells: Vec<StoredCell>,
}

/// Largest share of false alarms after a suspicion was followed up, and the doubt that there may be
/// about its being larger.
const FALSE_ALARMS_MAX: f64 = 0.025;
const DOUBT: f64 = 0.001;

/// Simulates comparisons with stored runs whose truth is known, and counts the wrong verdicts.
pub fn calibrate_stored(
    sessions: u64,
    seed: u64,
    events: &mut dyn EventSink,
) -> StoredCalibration {
    let rule = DecisionProtocol::PlannedLooks(SequentialDesign::default());
    let plan = SimulationPlan { rule, sessions, seed };
    let noise = NoiseRegime::from_name("ci").expect("a regime that is there");
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

impl StoredCalibration {
    /// Returns whether a cell keeps what is stated, as far as so many comparisons can say.
    pub fn holds(cell: &StoredCell) -> bool {
        let kept = |share: Proportion| share.limits(DOUBT).0 <= FALSE_ALARMS_MAX;
        let second_job = !cell.days.is_promised || kept(cell.second_job);
        cell.change > 0.0 || (second_job && kept(cell.side_by_side))
    }
}
