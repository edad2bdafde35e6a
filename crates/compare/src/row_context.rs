//! A scenario or an operation of which rows are made, and what a row's judgement rests on.

use record::metric::Metric;
use record::metric::gate::{GateRules, MetricPolicy, MetricRule};
use record::{OperationName, Revision, Run, ScenarioRun};

use crate::decision::RowDifferences;
use crate::decision::calls::CallSamples;
use crate::decision::counts::CountSamples;
use crate::decision::history::MetricHistory;

/// A scenario or one of its operations, and what else is known when its rows are made.
#[derive(Clone, Copy)]
pub(super) struct RowContext<'a> {
    pub(super) run: &'a Run,
    pub(super) earlier: Option<&'a Run>,
    pub(super) scenario: &'a ScenarioRun,
    /// What was measured: the scenario, or the operation as one.
    pub(super) measured: &'a ScenarioRun,
    /// The operation's name.
    pub(super) operation: Option<&'a OperationName>,
    pub(super) gate: &'a GateRules,
}

impl<'a> RowContext<'a> {
    pub(super) fn of(
        run: &'a Run,
        earlier: Option<&'a Run>,
        scenario: &'a ScenarioRun,
        gate: &'a GateRules,
    ) -> Self {
        Self { run, earlier, scenario, measured: scenario, operation: None, gate }
    }
}

/// What a row's judgement rests on.
#[derive(Debug, Clone)]
pub(super) enum RowEvidence {
    /// Nothing, or nothing to compare with.
    None,
    /// The differences of its launch pairs, attempt by attempt.
    LaunchPairs(Vec<RowDifferences>),
    /// What was counted on both sides.
    Counts(CountSamples),
    /// What both sides called of services.
    Calls(CallSamples),
    /// Runs of other days.
    History(MetricHistory),
}

/// The rule of a metric as it is in force, if it is not off. What differs from day to day for reasons of its
/// own is not held against a history.
pub(super) fn in_force(rule: MetricRule, metric: Metric, run: &Run) -> Option<MetricRule> {
    let volatile = matches!(metric, Metric::Tail | Metric::Ready | Metric::FirstAnswers);
    let decides = rule.policy == MetricPolicy::Gate && !(volatile && run.history.is_some());
    let policy = if rule.policy == MetricPolicy::Gate && !decides {
        MetricPolicy::Report
    } else {
        rule.policy
    };
    (policy != MetricPolicy::Off).then_some(MetricRule { policy, ..rule })
}

/// Whether a build was running already, at an address.
pub(super) fn is_attached(revision: &Revision) -> bool {
    ["http://", "https://", "unix:"].iter().any(|scheme| revision.start.starts_with(scheme))
}
