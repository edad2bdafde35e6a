//! Makes the rows of a run: each metric of each scenario, with what is known of it before it is judged.

use record::history::RunHistory;
use record::metric::Metric;
use record::metric::gate::{GateRules, MetricRule};
use record::metric::limit::LimitQuantity;
use record::{ContentError, Run};

use crate::calls::CallEvidence;
use crate::decision::calls as call_rule;
use crate::details::ScenarioDetails;
use crate::latency_shift::LatencyShift;
use crate::limits::{self, LimitCheck};
use crate::row_context::{RowContext, RowEvidence, in_force, is_attached};
use crate::stored::{self, HistoryGap};
use crate::values::{self, MissingReason, PairValues, ScenarioLaunches, SideLaunches};
use crate::{CompareError, MetricFinding, MetricResult, attempts, calls, work};

/// What the scenarios of a run say, before it is judged.
#[derive(Default)]
pub(super) struct MeasuredRows {
    pub(super) rows: Vec<MetricResult>,
    /// What each row rests on.
    pub(super) evidence: Vec<RowEvidence>,
    pub(super) limits: Vec<LimitCheck>,
    pub(super) details: Vec<ScenarioDetails>,
    pub(super) shifts: Vec<LatencyShift>,
}

impl MeasuredRows {
    pub(super) fn of(
        run: &Run,
        earlier: Option<&Run>,
        gate: &GateRules,
    ) -> Result<Self, CompareError> {
        let mut found = Self::default();
        for scenario in &run.scenarios {
            let context = RowContext::of(run, earlier, scenario, gate);
            found.shifts.extend(rows_of(&context, &mut found.rows, &mut found.evidence)?);
            found.limits.extend(limits::of(scenario)?);
            for (name, operation) in scenario.by_operation() {
                let context =
                    RowContext { measured: &operation, operation: Some(&name), ..context };
                rows_of(&context, &mut found.rows, &mut found.evidence)?;
                found.limits.extend(limits::of_operation(scenario, &name, &operation)?);
            }
            found.details.push(ScenarioDetails::of(run, scenario)?);
        }
        Ok(found)
    }
}

/// Adds the scenario's rows, and beside each what it rests on; returns how far its percentiles moved.
fn rows_of(
    context: &RowContext<'_>,
    rows: &mut Vec<MetricResult>,
    evidence: &mut Vec<RowEvidence>,
) -> Result<Option<LatencyShift>, ContentError> {
    let &RowContext { run, scenario, measured, operation, gate, .. } = context;
    work::rows(context, rows, evidence)?;
    let launches = ScenarioLaunches::of(measured)?;
    for metric in Metric::ALL {
        let rule = match operation {
            Some(operation) => gate.rule_of_operation(&scenario.name, operation, metric),
            None => gate.rule_in(&scenario.name, metric),
        };
        let Some(rule) = rule.and_then(|rule| in_force(rule, metric, run)) else { continue };
        if !is_measured(metric, context) || measured.launches() == 0 {
            continue;
        }
        let Some(RowBasis { finding, rests_on, base, head }) = context.basis(&launches, metric)
        else {
            continue;
        };
        let rule = at_level(rule, metric, &launches, (base, head));
        rows.push(MetricResult {
            scenario: scenario.name.clone(),
            operation: operation.cloned(),
            metric,
            unit: measured.unit(),
            rule,
            base,
            head,
            finding,
            suspicion: None,
        });
        evidence.push(rests_on);
    }
    let is_whole = operation.is_none();
    Ok(LatencyShift::of(&scenario.name, scenario.times, &launches).filter(|_| is_whole))
}

/// Whether a scenario has a row for the metric. Some need a lane of their own; growth needs a load
/// that is long enough to say something, which a limit on it shows.
fn is_measured(metric: Metric, context: &RowContext<'_>) -> bool {
    let &RowContext { run, scenario, .. } = context;
    if context.operation.is_some() {
        return OPERATION_METRICS.contains(&metric);
    }
    match metric {
        Metric::Leak => scenario.limits.iter().any(|limit| limit.quantity == LimitQuantity::Growth),
        Metric::Flow => scenario.has_flow(),
        // A launch is ready once, whatever it then receives.
        Metric::Ready => {
            run.first_scenario() == Some(scenario.name.as_str())
                && !run.base.iter().chain([&run.head]).any(is_attached)
        }
        Metric::Work
        | Metric::Cpu
        | Metric::Latency
        | Metric::Tail
        | Metric::P50
        | Metric::P95
        | Metric::P99
        | Metric::Throughput
        | Metric::Memory
        | Metric::Rss
        | Metric::FirstAnswers
        | Metric::AnswerBytes
        | Metric::Allocations
        | Metric::Queries
        | Metric::RoundTrips => !metric.is_counted(),
    }
}

/// What one operation among several has of its own: the other metrics are of the target, or of all requests
/// together. Its slowest tenth is left to its percentiles, so that a mix does not double the family.
pub(super) const OPERATION_METRICS: [Metric; 6] =
    [Metric::Latency, Metric::P50, Metric::P95, Metric::P99, Metric::Queries, Metric::RoundTrips];

/// The rule for values of this size. Both sides count alike, so that the coin says nothing about it.
fn at_level(
    rule: MetricRule,
    metric: Metric,
    launches: &ScenarioLaunches<'_>,
    levels: (Option<f64>, Option<f64>),
) -> MetricRule {
    // Of the smaller side, a change by the minimum is just the floor.
    let both = |base: Option<f64>, head: Option<f64>| Some(base?.min(head?));
    let level = if metric == Metric::Leak {
        let ScenarioLaunches { base_times, head_times, .. } = launches;
        let resident = |launches: &[&_], times: &_| values::overall(launches, times, Metric::Rss);
        both(resident(&launches.base(), base_times), resident(&launches.head(), head_times))
    } else {
        both(levels.0, levels.1)
    };
    match level.or(levels.1) {
        Some(level) if level > 0.0 => rule.at_level(level),
        Some(_) | None => rule,
    }
}

/// What a row says before it is judged.
struct RowBasis {
    finding: MetricFinding,
    rests_on: RowEvidence,
    base: Option<f64>,
    head: Option<f64>,
}

impl RowContext<'_> {
    /// Returns what there is of a metric; nothing where it has no row.
    fn basis(&self, launches: &ScenarioLaunches<'_>, metric: Metric) -> Option<RowBasis> {
        if metric.is_of_calls() {
            return self.called(metric);
        }
        match (&launches.launches, &self.run.history) {
            (SideLaunches::Paired(pairs), _) => self.paired(launches, pairs, metric),
            (SideLaunches::Single(_), None) => {
                let head = values::overall(&launches.head(), &launches.head_times, metric)?;
                let (finding, rests_on) = (MetricFinding::Alone, RowEvidence::None);
                Some(RowBasis { finding, rests_on, base: None, head: Some(head) })
            }
            (SideLaunches::Single(_), Some(history)) => self.stored(history, metric),
        }
    }

    fn paired(
        &self,
        launches: &ScenarioLaunches<'_>,
        pairs: &[PairValues<'_>],
        metric: Metric,
    ) -> Option<RowBasis> {
        let (finding, rests_on) = match values::differences(pairs, metric) {
            Ok(numbers) => {
                let earlier = |state| attempts::earlier(state, &self.measured.name, metric);
                let mut all = self.run.evidence.as_ref().map_or_else(Vec::new, earlier);
                all.push(numbers);
                (MetricFinding::Alone, RowEvidence::LaunchPairs(all))
            }
            Err(MissingReason::NotRecorded) => return None,
            Err(missing) => (MetricFinding::Missing(missing.reason()), RowEvidence::None),
        };
        let base = values::overall(&launches.base(), &launches.base_times, metric);
        let head = values::overall(&launches.head(), &launches.head_times, metric);
        Some(RowBasis { finding, rests_on, base, head })
    }

    /// Calls are held against base beside head only: runs of other days may have had other services.
    fn called(&self, metric: Metric) -> Option<RowBasis> {
        match calls::evidence(self.measured, metric) {
            CallEvidence::None => None,
            // An operation may be too slow to have been counted alone; the scenario says what is hidden.
            CallEvidence::OneSide if self.operation.is_some() => None,
            CallEvidence::OneSide => {
                let finding = MetricFinding::Missing(MissingReason::HiddenCalls.reason());
                let rests_on = RowEvidence::None;
                Some(RowBasis { finding, rests_on, base: None, head: None })
            }
            CallEvidence::Counted(samples) => {
                let base = call_rule::level(&samples.base);
                let head = call_rule::level(&samples.head);
                let is_paired = !samples.base.is_empty();
                let rests_on =
                    if is_paired { RowEvidence::Calls(samples) } else { RowEvidence::None };
                head.map(|head| RowBasis {
                    finding: MetricFinding::Alone,
                    rests_on,
                    base,
                    head: Some(head),
                })
            }
        }
    }

    fn stored(&self, history: &RunHistory, metric: Metric) -> Option<RowBasis> {
        let head = values::level(self.measured, metric);
        let without = |finding| RowBasis { finding, rests_on: RowEvidence::None, base: None, head };
        match stored::levels(self.run, self.earlier, history, self.measured, metric) {
            Ok(levels) => Some(RowBasis {
                finding: MetricFinding::Alone,
                rests_on: RowEvidence::History(levels.kept),
                base: Some(levels.base),
                head,
            }),
            Err(HistoryGap::NotKept) => None,
            Err(HistoryGap::Missing(reason)) => Some(without(MetricFinding::Missing(reason))),
            Err(HistoryGap::Undecidable(reason)) => {
                Some(without(MetricFinding::Undecidable(reason)))
            }
        }
    }
}
