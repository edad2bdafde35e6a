//! Follows metrics over many commits: where the level changed, and what creeps.
//!
//! A pull request is compared with its base and sees what is larger than its tolerance. Ten changes of
//! 0.8 % each pass one by one; here they show. A run is one point: what its launches say together.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use record::work_unit::WorkUnit;

use record::Run;
use record::metric::{BetterDirection, Metric};
use stats::hodges_lehmann;
use stats::levels::{self, LevelSearch, NeighbourModel};
use stats::multiple;
use stats::rank_sum;
use stats::trend;

/// Chance that a series of one level is split.
const SPLIT_LEVEL: f64 = 0.01;
/// Runs that a level holds for at least: with fewer, one bad machine would be one.
const LEVEL_RUNS_MIN: usize = 3;
/// Share of false ones among the changes that are shown.
const FALSE_DISCOVERIES: f64 = 0.05;
/// One-sided error of each limit of a change.
const LIMIT_LEVEL: f64 = 0.025;
/// Runs that a creeping change takes to be seen.
const CREEP_RUNS_MIN: usize = 8;
/// What the critical values are drawn from: fixed, so that a history says the same tomorrow.
const SEED: u64 = 0x0074_7265_6e64;

/// One run.
#[derive(Debug, Clone, PartialEq)]
pub struct TrendPoint {
    /// What was measured: a commit if it is known, else what a person called it.
    pub build: String,
    /// When it was measured, RFC 3339.
    pub started: String,
    /// The value, in the metric's unit, above 0.
    pub value: f64,
}

/// One metric over many runs, the oldest first.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricSeries {
    /// What it is called in reports.
    pub name: String,
    /// The metric, if it is one of ours.
    pub metric: Option<Metric>,
    /// What its scenario's rates and costs are counted in.
    pub unit: WorkUnit,
    /// Which way is better.
    pub better: BetterDirection,
    /// The runs.
    pub points: Vec<TrendPoint>,
}

/// A change of the level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChangePoint {
    /// The first run of the new level.
    pub at: usize,
    /// ln(after / before) of the levels on both sides (Hodges-Lehmann of two samples).
    pub change_ln: f64,
    /// Lower limit; minus infinity where the levels are too short.
    pub low_ln: f64,
    /// Upper limit; infinity where the levels are too short.
    pub high_ln: f64,
    /// How much likelier a run after lies above one before than below, in -1 to 1 (Cliff's delta).
    pub delta: f64,
    /// Share of false discoveries among the series that show as much as this one's (Benjamini and
    /// Hochberg).
    pub q: f64,
}

/// A slow rise or fall within the last level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LevelDrift {
    /// Its first run.
    pub from: usize,
    /// ln of the change from one run to the next (Theil and Sen).
    pub per_run_ln: f64,
    /// ln of the change over all these runs.
    pub total_ln: f64,
    /// Chance of a trend as clear where there is none (Mann and Kendall), two-sided.
    pub p: f64,
}

/// What a series says.
#[derive(Debug, Clone, PartialEq)]
pub struct Trend {
    /// The series.
    pub series: MetricSeries,
    /// Where its level changed, the oldest first.
    pub steps: Vec<ChangePoint>,
    /// What creeps since.
    pub creep: Option<LevelDrift>,
}

/// Returns the series of every metric of every scenario in a history.
///
/// Runs that lack a scenario or a metric have no point in its series.
pub fn series(runs: &[Run]) -> Vec<MetricSeries> {
    let mut names: Vec<&str> = Vec::new();
    for scenario in runs.iter().flat_map(|run| &run.scenarios) {
        if !names.contains(&scenario.name.as_str()) {
            names.push(&scenario.name);
        }
    }
    let of = |name: &str, metric: Metric| MetricSeries {
        name: format!("{name} {}", metric.label(&unit(runs, name))),
        metric: Some(metric),
        unit: unit(runs, name),
        better: metric.better(),
        points: runs.iter().filter_map(|run| point(run, name, metric)).collect(),
    };
    let all = names.iter().flat_map(|name| Metric::ALL.map(|metric| of(name, metric)));
    all.filter(|series| !series.points.is_empty()).collect()
}

/// What the newest run that has a scenario counts it in.
fn unit(runs: &[Run], name: &str) -> WorkUnit {
    let scenarios = runs.iter().rev().flat_map(|run| &run.scenarios);
    let mut of_name = scenarios.filter(|scenario| scenario.name == name);
    of_name.next().map_or_else(WorkUnit::request, record::ScenarioRun::unit)
}

fn point(run: &Run, scenario: &str, metric: Metric) -> Option<TrendPoint> {
    let scenario = run.scenarios.iter().find(|other| other.name == scenario)?;
    let value = compare::level(scenario, metric)?;
    let build = run.head.commit.clone().unwrap_or_else(|| run.head.label.clone());
    (value > 0.0).then(|| TrendPoint { build, started: run.started.clone(), value })
}

/// Returns what the series say. What is shown is controlled over all of them together.
pub fn analyse(series: Vec<MetricSeries>) -> Vec<Trend> {
    analyse_with(&mut search(), series)
}

fn search() -> LevelSearch<ChaCha8Rng> {
    let neighbours = NeighbourModel::Correlated;
    LevelSearch::new(LEVEL_RUNS_MIN, SPLIT_LEVEL, neighbours, ChaCha8Rng::seed_from_u64(SEED))
}

fn analyse_with(search: &mut LevelSearch<ChaCha8Rng>, series: Vec<MetricSeries>) -> Vec<Trend> {
    search.prepare(series.iter().map(|series| series.points.len()).max().unwrap_or(0));
    let (mut trends, p): (Vec<Trend>, Vec<f64>) = series
        .into_iter()
        .map(|series| {
            let values: Vec<f64> = series.points.iter().map(|point| point.value.ln()).collect();
            let points = search.change_points(&values);
            let steps = steps(&values, &points);
            let drift = drift(&values, points.last().copied().unwrap_or(0));
            // One question a series, whether anything changed; it is put in two ways.
            let drift_p = drift.map_or(1.0, |drift| drift.p);
            let p = (2.0 * search.p(&values).min(drift_p)).min(1.0);
            (Trend { series, steps, creep: drift.filter(LevelDrift::is_clear) }, p)
        })
        .unzip();
    let q = multiple::benjamini_hochberg(&p);
    for (trend, q) in trends.iter_mut().zip(q) {
        trend.steps.iter_mut().for_each(|step| step.q = q);
        if q > FALSE_DISCOVERIES {
            trend.steps.clear();
            trend.creep = None;
        }
    }
    trends
}

/// The changes between neighbouring levels; `q` is not known yet.
fn steps(values: &[f64], points: &[usize]) -> Vec<ChangePoint> {
    let starts = [0].iter().chain(points).copied();
    let ends = points.iter().copied().skip(1).chain([values.len()]);
    let step = |((start, at), end): ((usize, usize), usize)| {
        let (before, after) = (&values[start..at], &values[at..end]);
        let shift = hodges_lehmann::two_sample(before, after, LIMIT_LEVEL);
        ChangePoint {
            at,
            change_ln: shift.value,
            low_ln: shift.low,
            high_ln: shift.high,
            delta: rank_sum::cliffs_delta(before, after),
            q: 1.0,
        }
    };
    starts.zip(points.iter().copied()).zip(ends).map(step).collect()
}

impl LevelDrift {
    /// Whether chance does not explain it.
    fn is_clear(&self) -> bool {
        self.p <= SPLIT_LEVEL && self.per_run_ln != 0.0
    }
}

/// The slow change since the last step, however clear.
fn drift(values: &[f64], from: usize) -> Option<LevelDrift> {
    let values = &values[from..];
    if values.len() < CREEP_RUNS_MIN {
        return None;
    }
    let runs: Vec<f64> = (0..values.len()).map(|run| run as f64).collect();
    let per_run_ln = trend::theil_sen(&runs, values, LIMIT_LEVEL).slope;
    let p = levels::drift_p(values, per_run_ln);
    let total_ln = per_run_ln * (values.len() - 1) as f64;
    Some(LevelDrift { from, per_run_ln, total_ln, p })
}

#[cfg(test)]
mod tests {
    use super::*;
    use stats::draw;

    fn noisy(levels: impl Iterator<Item = f64>, noise: f64, seed: u64) -> MetricSeries {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let points = levels
            .enumerate()
            .map(|(i, level)| TrendPoint {
                build: format!("c{i}"),
                started: format!("2026-01-{:02}T00:00:00Z", i % 28 + 1),
                value: level * (noise * draw::normal(&mut rng)).exp(),
            })
            .collect();
        let name = "smoke CPU per XML pair".to_owned();
        MetricSeries {
            name,
            metric: Some(Metric::Cpu),
            unit: WorkUnit::pair(),
            better: BetterDirection::Lower,
            points,
        }
    }

    #[test]
    fn counts_have_a_history_like_times() {
        use record::fixtures::{LEVEL, alone, counted};
        let mut run = alone(LEVEL);
        run.scenarios[0].work = Some(counted(64_800.0, 66_096.0));
        let series = series(&[run.clone(), run]);
        let work = series.iter().find(|series| series.metric == Some(Metric::Work)).unwrap();
        assert_eq!(work.points.len(), 2);
        assert!((work.points[0].value - 66_096.0).abs() < 50.0, "{work:?}");
        assert!(series.iter().any(|series| series.metric == Some(Metric::Latency)));
    }

    #[test]
    fn steps_are_found_with_their_size() {
        let levels = (0..40).map(|i| {
            if i < 14 {
                800.0
            } else if i < 27 {
                848.0
            } else {
                814.0
            }
        });
        let trend = analyse(vec![noisy(levels, 0.006, 5)]).remove(0);
        let places: Vec<usize> = trend.steps.iter().map(|step| step.at).collect();
        assert_eq!(places, [14, 27]);
        let [rise, fall] = trend.steps[..] else { panic!("two steps") };
        assert!((rise.change_ln - 0.058).abs() < 0.01, "{rise:?}");
        assert!(rise.low_ln > 0.0 && fall.high_ln < 0.0, "{rise:?} {fall:?}");
        assert!(rise.delta > 0.9 && rise.q < 0.001);
        assert_eq!(trend.creep, None);
    }

    #[test]
    fn many_changes_that_no_pull_request_sees_creep() {
        // 0.1 % a run: each is far below what one comparison shows.
        let levels = (0..30).map(|i| 800.0 * 1.001_f64.powi(i));
        let trend = analyse(vec![noisy(levels, 0.008, 9)]).remove(0);
        // A rise that is steep beside its noise is cut into steps.
        let stepped = trend.steps.first().map(|step| step.change_ln);
        let seen = trend.creep.map(|creep| creep.total_ln).or(stepped);
        assert!(seen.is_some_and(|total_ln| total_ln > 0.01), "{trend:?}");
    }

    #[test]
    fn noise_alone_is_called_a_change_in_one_series_of_twenty_at_most() {
        let quiet = |seed: u64| noisy((0..30).map(|_| 5.0), 0.03, seed);
        let mut search = search();
        let called = (0..400).map(|seed| analyse_with(&mut search, vec![quiet(seed)]).remove(0));
        let called = called.filter(|trend| !trend.steps.is_empty() || trend.creep.is_some());
        let count = called.count();
        assert!(count <= 20, "{count} of 400");
    }
}
