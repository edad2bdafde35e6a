//! Renders a comparison as JSON for other programs. The schema number rises when a field changes its
//! meaning or goes.

use serde::Serialize;

use crate::compare::{Comparison, Finding, Outcome, Promise, Row};

const SCHEMA: u32 = 1;

#[derive(Serialize)]
struct Report<'a> {
    schema: u32,
    tool: &'a str,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    base: Option<&'a crate::record::Revision>,
    head: &'a crate::record::Revision,
    method: Method<'a>,
    /// What could not be measured and is not held against the change.
    notes: &'a [String],
    metrics: Vec<MetricRow<'a>>,
    limits: Vec<LimitRow<'a>>,
    machine: &'a crate::record::Machine,
}

#[derive(Serialize)]
struct Method<'a> {
    mode: &'static str,
    launches: usize,
    launches_asked: usize,
    alpha: f64,
    stopping: &'static str,
    comparisons: usize,
    wall_ns: u64,
    coins: u64,
    scenarios: &'a [String],
}

#[derive(Serialize)]
struct MetricRow<'a> {
    scenario: &'a str,
    metric: &'static str,
    policy: &'static str,
    tolerance: f64,
    floor: f64,
    base: Option<f64>,
    head: Option<f64>,
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    /// Head over base minus 1, in the metric's own direction.
    change: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
    p_slower: Option<f64>,
    p_faster: Option<f64>,
    /// Smallest change that would have been seen in 80 of 100 runs.
    detectable: Option<f64>,
    launch_pairs: Option<usize>,
}

#[derive(Serialize)]
struct LimitRow<'a> {
    scenario: &'a str,
    limit: &'static str,
    promised: String,
    measured: Option<f64>,
    holds: bool,
}

/// Returns the comparison as JSON, with a final newline. Shares are ratios, times nanoseconds, sizes
/// bytes; what is unbounded or unknown is null.
pub fn render(comparison: &Comparison) -> String {
    let method = &comparison.method;
    let report = Report {
        schema: SCHEMA,
        tool: &method.tool,
        outcome: outcome(&comparison.outcome),
        reason: match &comparison.outcome {
            Outcome::NotMeasured(reason) => Some(reason),
            Outcome::Regressed | Outcome::Inconclusive | Outcome::Improved | Outcome::Pass => None,
        },
        base: comparison.base.as_ref(),
        head: &comparison.head,
        method: Method {
            mode: if method.paired { "paired" } else { "single" },
            launches: method.launches,
            launches_asked: method.launches_asked,
            alpha: method.alpha,
            stopping: method.stopping.key(),
            comparisons: method.family,
            wall_ns: method.wall_ns,
            coins: method.seed,
            scenarios: &method.scenarios,
        },
        notes: &comparison.notes,
        metrics: comparison.rows.iter().map(metric).collect(),
        limits: comparison.promises.iter().map(limit).collect(),
        machine: &comparison.machine,
    };
    let mut text = serde_json::to_string_pretty(&report).expect("a report has only string keys");
    text.push('\n');
    text
}

/// Returns the word for an outcome, as the action's output `verdict` has it.
pub fn outcome(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::NotMeasured(_) => "error",
        Outcome::Regressed => "regressed",
        Outcome::Inconclusive => "inconclusive",
        Outcome::Improved => "improved",
        Outcome::Pass => "pass",
    }
}

fn metric(row: &Row) -> MetricRow<'_> {
    let ratio = |ln: f64| ln.is_finite().then(|| ln.exp_m1());
    let change = row.change();
    let judgement = row.judgement();
    MetricRow {
        scenario: &row.scenario,
        metric: row.metric.key(),
        policy: row.rule.policy.key(),
        tolerance: row.rule.tolerance.0,
        floor: row.rule.floor.0,
        base: row.base,
        head: row.head,
        verdict: verdict(row),
        reason: match &row.finding {
            Finding::Missing(reason) => Some(reason),
            Finding::Alone | Finding::Judged(_) | Finding::Reported(_) => None,
        },
        change: change.and_then(|change| ratio(change.estimate_ln)),
        low: change.and_then(|change| ratio(change.low_ln)),
        high: change.and_then(|change| ratio(change.high_ln)),
        p_slower: judgement.map(|judgement| judgement.p_slower),
        p_faster: judgement.map(|judgement| judgement.p_faster),
        detectable: judgement.and_then(|judgement| ratio(judgement.mde_ln)),
        launch_pairs: judgement.map(|judgement| judgement.launch_pairs),
    }
}

fn verdict(row: &Row) -> &'static str {
    match (&row.finding, row.verdict()) {
        (_, Some(verdict)) => verdict.key(),
        (Finding::Reported(_), None) => "reported",
        (Finding::Missing(_), None) => "missing",
        (Finding::Alone | Finding::Judged(_), None) => "measured",
    }
}

fn limit(promise: &Promise) -> LimitRow<'_> {
    LimitRow {
        scenario: &promise.scenario,
        limit: promise.limit.quantity.key(),
        promised: promise.limit.to_string(),
        measured: promise.measured,
        holds: promise.holds(),
    }
}
