//! How long a decision takes, and a cell of the calibration, against what is promised.
//!
//! The decision is CPU time of one thread, the best of several rounds. A cell is the time on the clock,
//! on all cores; it comes with the cell of the other metric, so half of what both take.
//! `cargo bench --bench decision`.

#![expect(clippy::print_stdout, reason = "a benchmark prints")]
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot run must stop")]

use std::hint::black_box;

use calibration::SimulationPlan;
use calibration::regime::Regime;
use compare::decision::{DecisionRule, Hypothesis, measured};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rustix::time::{ClockId, clock_gettime};
use stats::draw;

const ROUNDS: usize = 7;
const METRICS: usize = 24;
const LAUNCH_PAIRS: usize = 50;
const SESSIONS: u64 = 40_000;

/// What a clock shows, in seconds.
fn seconds(clock: ClockId) -> f64 {
    let time = clock_gettime(clock);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Returns the least CPU seconds of several rounds on this thread.
fn best(mut run: impl FnMut()) -> f64 {
    let round = |_| {
        let start = seconds(ClockId::ThreadCPUTime);
        run();
        seconds(ClockId::ThreadCPUTime) - start
    };
    (0..ROUNDS).map(round).fold(f64::INFINITY, f64::min)
}

fn row(name: &str, seconds: f64, target_s: f64) {
    println!(
        "| {name} | {:.1} ms | {:.0} ms | {:.3} |",
        seconds * 1e3,
        target_s * 1e3,
        seconds / target_s
    );
}

fn main() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    // A slowdown of 2 % against 3 % of noise: limits far from the estimate take longest to find.
    let differences: Vec<Vec<f64>> = (0..METRICS)
        .map(|_| (0..LAUNCH_PAIRS).map(|_| 0.02 + 0.03 * draw::normal(&mut rng)).collect())
        .collect();
    let usual = [Hypothesis { floor: 0.01, tolerance: 0.03 }; METRICS];
    let attempts = [measured(&differences)];
    let rule = DecisionRule::default();

    println!("| | time | promised | ratio |\n|:--|--:|--:|--:|");
    let judging = best(|| {
        black_box(rule.judge(&usual, black_box(&attempts)));
    });
    row("24 metrics x 50 launch pairs: verdicts, limits, sensitivity", judging, 0.1);

    let plan = SimulationPlan { rule, sessions: SESSIONS, seed: 1 };
    for (regime, change) in [("ci", 0.0), ("hostile", 0.03)] {
        let regime = Regime::from_name(regime).unwrap();
        let start = seconds(ClockId::Monotonic);
        let cells = black_box(plan.cells(regime, change));
        let seconds = (seconds(ClockId::Monotonic) - start) / cells.len() as f64;
        let name = format!("a cell of 40 000 comparisons, {}, change {change}", regime.name);
        row(&name, seconds, 10.0);
    }
}
