//! What a reader looks at first: the order of rows and scenarios, and which of them get figures.

use compare::decision::Verdict;
use compare::{Comparison, MetricFinding, MetricResult};
use record::metric::gate::MetricPolicy;

/// Scenarios up to which each gets its figures; of more, those with news.
const SCENARIOS_ALL: usize = 3;

/// Scenarios with figures at most: a page of more is read by no one, and slow.
const SCENARIOS_MAX: usize = 4;

/// Rows whose evidence is drawn, at most.
const EVIDENCE_ROWS_MAX: usize = 4;

/// Returns the place of a row among the news: the smaller, the graver.
pub(crate) fn gravity(row: &MetricResult) -> u8 {
    match row.verdict() {
        Some(Verdict::Regressed) => 0,
        _ if row.is_flagged() || row.is_lost() => 1,
        Some(Verdict::Inconclusive) => 2,
        Some(Verdict::Improved) => 3,
        Some(Verdict::Unchanged) => 4,
        None if row.rule.policy == MetricPolicy::Gate => 4,
        None => 5,
    }
}

/// Returns whether a row is what a reader came for: not unchanged, and not only reported.
pub(crate) fn is_news(row: &MetricResult) -> bool {
    gravity(row) < 4
}

/// Returns the scenarios by gravity, and within that in their own order.
pub(crate) fn scenarios(comparison: &Comparison) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for row in &comparison.rows {
        if !names.contains(&row.scenario.as_str()) {
            names.push(&row.scenario);
        }
    }
    let worst = |name: &&str| {
        let rows = comparison.rows.iter().filter(|row| row.scenario == *name);
        rows.map(gravity).min().unwrap_or(u8::MAX)
    };
    names.sort_by_key(worst);
    names
}

/// Returns the scenarios that get figures.
pub(crate) fn drawn(comparison: &Comparison) -> Vec<&str> {
    let mut names = scenarios(comparison);
    if names.len() > SCENARIOS_ALL {
        let has_news =
            |name: &&str| comparison.rows.iter().any(|row| row.scenario == *name && is_news(row));
        names.retain(has_news);
        names.truncate(SCENARIOS_MAX);
    }
    names
}

/// Returns the rows whose evidence is drawn: the gravest that launch pairs decide.
pub(crate) fn evidence_rows(comparison: &Comparison) -> Vec<&MetricResult> {
    let by_pairs = |row: &&MetricResult| {
        matches!(row.finding, MetricFinding::Judged(_)) && comparison.evidence.row(row).is_some()
    };
    let mut rows: Vec<&MetricResult> = comparison.rows.iter().filter(by_pairs).collect();
    rows.sort_by_key(|row| gravity(row));
    let news = rows.iter().filter(|row| is_news(row)).count();
    rows.truncate(news.clamp(2, EVIDENCE_ROWS_MAX));
    rows
}

#[cfg(test)]
mod tests {
    use record::fixtures::{LEVEL, SampleLaunch, paired};

    use super::*;

    #[test]
    fn the_worst_scenario_stands_first_and_calm_ones_have_no_figures_among_many() {
        let mut run = paired(10, LEVEL, LEVEL);
        let calm = run.scenarios[0].clone();
        let slow = paired(10, LEVEL, SampleLaunch { cpu_us: 572, ..LEVEL }).scenarios.remove(0);
        run.scenarios = (0..6)
            .map(|i| {
                let scenario = if i == 4 { &slow } else { &calm };
                record::ScenarioRun { name: format!("s{i}"), ..scenario.clone() }
            })
            .collect();
        let comparison = Comparison::of(&run).unwrap();
        assert_eq!(scenarios(&comparison), ["s4", "s0", "s1", "s2", "s3", "s5"]);
        assert_eq!(drawn(&comparison), ["s4"]);
        assert_eq!(evidence_rows(&comparison)[0].scenario, "s4");
    }
}
