//! What a metric was in the runs that head was held against, for a reader who wants to see them.

use record::history::{PastRun, RunHistory};
use record::metric::Metric;
use record::{OperationName, Run};
use stats::quantile;

use crate::decision::history::change_points;
use crate::{MetricResult, values};

/// A metric over the stored runs of a scenario and in this one.
#[derive(Debug, Clone, PartialEq)]
pub struct LevelHistory {
    /// The scenario's name.
    pub scenario: String,
    /// The operation's, if it is of one among several.
    pub operation: Option<OperationName>,
    /// The metric.
    pub metric: Metric,
    /// The stored runs of machines like this one that have it, oldest first.
    pub runs: Vec<StoredLevel>,
    /// The levels between which it changed, the first one included; one where it never did.
    pub levels: Vec<HistoryLevel>,
    /// What it is in this run, in the metric's unit.
    pub head: f64,
}

/// Stored runs between two change points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HistoryLevel {
    /// The first of them, as a place among all.
    pub first: usize,
    /// Their median, in the metric's unit.
    pub level: f64,
    /// ln(level / the one before); none of the first.
    pub change_ln: Option<f64>,
}

/// A metric in one stored run.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredLevel {
    /// The commit that was measured, or what else its revision is called.
    pub build: String,
    /// When, RFC 3339.
    pub started: String,
    /// The level, in the metric's unit.
    pub level: f64,
}

/// Returns the history of each row that was held against stored runs, where there are two of them or more.
pub(super) fn of(run: &Run, rows: &[MetricResult]) -> Vec<LevelHistory> {
    let Some(history) = &run.history else { return Vec::new() };
    rows.iter().filter_map(|row| of_row(run, history, row)).collect()
}

fn of_row(run: &Run, history: &RunHistory, row: &MetricResult) -> Option<LevelHistory> {
    row.judgement()?;
    let subject = row.subject();
    let measured = run.scenario_or_operation(&subject)?;
    let head = values::level(&measured, row.metric)?;
    let like = history.runs.iter().filter(|past| past.machine.is_like(&run.machine));
    let runs: Vec<StoredLevel> =
        like.filter_map(|past| stored(past, &measured.name, row.metric)).collect();
    if runs.len() < 2 {
        return None;
    }
    let (scenario, operation) = (row.scenario.clone(), row.operation.clone());
    let levels = levels(&runs);
    Some(LevelHistory { scenario, operation, metric: row.metric, runs, levels, head })
}

/// The levels of runs in order. They are as they were measured, also where a yardstick tells of slow days.
fn levels(runs: &[StoredLevel]) -> Vec<HistoryLevel> {
    let values: Vec<f64> = runs.iter().map(|run| run.level).collect();
    let mut begins = vec![0];
    begins.extend(change_points(&values));
    let ends = begins.iter().skip(1).copied().chain([values.len()]);
    let mut levels: Vec<HistoryLevel> = Vec::new();
    for (&first, end) in begins.iter().zip(ends) {
        let level = quantile::median(&values[first..end]);
        let change_ln = levels.last().map(|before| (level / before.level).ln());
        levels.push(HistoryLevel { first, level, change_ln });
    }
    levels
}

fn stored(past: &PastRun, name: &str, metric: Metric) -> Option<StoredLevel> {
    let scenario = past.scenarios.iter().find(|it| it.name == name)?;
    let revision = &past.revision;
    Some(StoredLevel {
        build: revision.commit.as_ref().unwrap_or(&revision.label).clone(),
        started: past.started.clone(),
        level: *scenario.levels.get(&metric)?,
    })
}

#[cfg(test)]
mod tests {
    use record::fixtures::{LEVEL, paired, remembered};
    use record::metric::Metric;

    use crate::Comparison;

    #[test]
    fn stored_runs_stand_in_their_order_before_this_one() {
        let comparison = Comparison::of(&remembered(&[0, 10, -20, 5], LEVEL)).unwrap();
        let cpu = comparison.histories.iter().find(|it| it.metric == Metric::Cpu).unwrap();
        let levels = cpu.runs.iter().map(|run| units::whole(run.level.round()).unwrap());
        assert_eq!(levels.collect::<Vec<_>>(), [5_200, 5_252, 5_096, 5_226]);
        assert!((cpu.head / 5_200.0 - 1.0).abs() < 0.01, "{cpu:?}");
        assert_eq!(cpu.levels.len(), 1, "{cpu:?}");
        assert_eq!(Comparison::of(&paired(8, LEVEL, LEVEL)).unwrap().histories, []);
        let mut elsewhere = remembered(&[0, 10, -20, 5], LEVEL);
        for past in &mut elsewhere.history.as_mut().unwrap().runs {
            "another".clone_into(&mut past.machine.cpu);
        }
        assert_eq!(Comparison::of(&elsewhere).unwrap().histories, [], "no run is of this machine");
    }

    #[test]
    fn a_level_that_changed_is_where_it_changed_and_by_how_much() {
        let noise = [0, 14, -22, 31, -9, 18, -27, 5, -16, 8];
        let days: Vec<i32> = noise.iter().map(|day| day - 200).chain(noise).collect();
        let comparison = Comparison::of(&remembered(&days, LEVEL)).unwrap();
        let cpu = comparison.histories.iter().find(|it| it.metric == Metric::Cpu).unwrap();
        let firsts: Vec<usize> = cpu.levels.iter().map(|level| level.first).collect();
        assert_eq!(firsts, [0, 10]);
        let change = cpu.levels[1].change_ln.unwrap().exp_m1();
        assert!((0.2..0.3).contains(&change), "{change}");
        assert_eq!(cpu.levels[0].change_ln, None);
    }
}
