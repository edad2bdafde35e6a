//! What the work lane has to say about a scenario: how much it is, and where.

use crate::decision::counts::CountSamples;
use crate::function_changes::{self, FunctionChange};
use crate::proof::{self, RevertFinding};
use crate::row_context::{RowContext, RowEvidence};
use crate::{ComparisonNote, CountedLaunches, MetricFinding, MetricResult};
use record::causes::{HunkEvidence, HunkGrowth, WorkCauses};
use record::instruction_counts::{BuildCounts, CountOutcome, InstructionCounts};
use record::metric::Metric;
use record::metric::gate::{GateRules, MetricPolicy, MetricRule};
use record::work_unit::WorkUnit;
use record::{ContentError, FailureReport, Run, ScenarioRun};

/// The metrics that are counted.
pub(super) const METRICS: [Metric; 2] = [Metric::Work, Metric::Allocations];

/// Functions of a breakdown, at most.
const FUNCTIONS_MAX: usize = 30;

/// Changes below this share of the whole are the counts' own scatter.
const CHANGE_MIN: f64 = 0.0005;

/// Which functions the instructions of a scenario are in.
#[derive(Debug, Clone, PartialEq)]
pub struct InstructionBreakdown {
    /// The scenario's name.
    pub scenario: String,
    /// What instructions are counted for.
    pub unit: WorkUnit,
    /// Instructions per unit of base, if two builds were counted.
    pub base: Option<f64>,
    /// Instructions per unit of head.
    pub head: f64,
    /// With a base, the functions that changed, the largest change first, without those that changed
    /// less than counts do by themselves. Without one, the functions that took most, all in head.
    pub functions: Vec<FunctionChange>,
    /// Packed stacks of base.
    pub base_stacks: Option<String>,
    /// Packed stacks of head.
    pub head_stacks: String,
    /// Which lines and hunks the difference is in, where it was looked into.
    pub causes: Option<CauseSummary>,
}

/// Which lines and hunks the difference of two builds is in.
#[derive(Debug, Clone, PartialEq)]
pub struct CauseSummary {
    /// What was found out.
    pub causes: WorkCauses,
    /// The hunks that explain most by the costs of their lines, the first first.
    pub ranked: Vec<RankedHunk>,
    /// The hunks whose reverts prove at least half of a growth.
    pub proven: Vec<RevertFinding>,
    /// All that reverts showed, in their order.
    pub reverted: Vec<RevertFinding>,
}

/// A hunk with what it explains by the costs of lines.
#[derive(Debug, Clone, PartialEq)]
pub struct RankedHunk {
    /// The hunk, and instructions per unit of work.
    pub hunk: HunkGrowth,
    /// The share of the growth.
    pub share: f64,
}

/// Hunks that are shown by rank, at most.
const HUNKS_MAX: usize = 5;

/// Hunks that explain less than this share of the first are not shown.
const HUNK_SHARE_MIN: f64 = 0.01;

impl CauseSummary {
    fn of(causes: &WorkCauses, growth: f64) -> Self {
        let least = causes.hunks.first().map_or(0.0, |first| first.growth * HUNK_SHARE_MIN);
        let explains =
            |hunk: &&HunkGrowth| hunk.evidence != HunkEvidence::None && hunk.growth > least;
        let ranked =
            |hunk: &HunkGrowth| RankedHunk { hunk: hunk.clone(), share: hunk.growth / growth };
        let shown = causes.hunks.iter().filter(explains).take(HUNKS_MAX);
        Self {
            causes: causes.clone(),
            ranked: if growth > 0.0 { shown.map(ranked).collect() } else { Vec::new() },
            proven: proof::proven(causes),
            reverted: causes.reverts.iter().filter_map(RevertFinding::of).collect(),
        }
    }
}

/// Takes the counts of a run apart.
pub(super) fn breakdowns(run: &Run) -> Vec<InstructionBreakdown> {
    let counted = run.scenarios.iter().filter_map(|scenario| match &scenario.work {
        Some(CountOutcome::Counted(counted)) => Some((scenario, &**counted)),
        Some(CountOutcome::Unavailable { .. }) | None => None,
    });
    let breakdown = |(scenario, counted): (&ScenarioRun, &InstructionCounts)| {
        let (base, head) = (counted.base.as_ref(), &counted.head);
        let mut functions = base
            .map_or_else(|| function_changes::largest(&head.functions), |base| changed(base, head));
        functions.truncate(FUNCTIONS_MAX);
        InstructionBreakdown {
            scenario: scenario.name.clone(),
            unit: scenario.unit(),
            base: base.map(|base| mean(&base.instructions)),
            head: mean(&head.instructions),
            functions,
            base_stacks: base.map(|base| base.stacks.clone()),
            head_stacks: head.stacks.clone(),
            causes: causes(counted),
        }
    };
    counted.map(breakdown).collect()
}

fn causes(counted: &InstructionCounts) -> Option<CauseSummary> {
    let base = mean(&counted.base.as_ref()?.instructions);
    let growth = mean(&counted.head.instructions) - base;
    Some(CauseSummary::of(counted.causes.as_deref()?, growth))
}

/// Allocations are kept to a thousandth of one for each unit of work.
const ALLOCATIONS_LEAST: f64 = 0.001;

fn changed(base: &BuildCounts, head: &BuildCounts) -> Vec<FunctionChange> {
    let least = CHANGE_MIN * mean(&base.instructions);
    let mut changes = function_changes::changes(&base.functions, &head.functions);
    changes.retain(|change| change.own().abs() >= least);
    changes
}

/// Adds the rows of what was counted.
pub(super) fn rows(
    context: &RowContext<'_>,
    rows: &mut Vec<MetricResult>,
    evidence: &mut Vec<RowEvidence>,
) -> Result<(), ContentError> {
    let &RowContext { run, scenario, gate, .. } = context;
    let Some(CountOutcome::Counted(counted)) = &scenario.work else { return Ok(()) };
    for metric in METRICS {
        let rule = rule(gate, &scenario.name, metric);
        if rule.policy == MetricPolicy::Off {
            continue;
        }
        let head = values(&counted.head, metric)?;
        let base = counted.base.as_ref().map(|base| values(base, metric)).transpose()?;
        let (finding, rests_on) = finding(metric, base, head, run.history.is_some());
        rows.push(MetricResult {
            operation: None,
            scenario: scenario.name.clone(),
            metric,
            unit: scenario.unit(),
            rule,
            base: base.map(mean),
            head: Some(mean(head)),
            finding,
            suspicion: None,
        });
        evidence.push(rests_on);
    }
    Ok(())
}

/// The rule of what is counted: also where a record of old has none.
pub(super) fn rule(gate: &GateRules, scenario: &str, metric: Metric) -> MetricRule {
    gate.rule_in(scenario, metric).unwrap_or_else(|| gate.rule(metric))
}

/// What counts say before they are judged, and what they rest on. `remembers` tells whether kept runs stand for base.
pub(super) fn finding(
    metric: Metric,
    base: Option<&[f64]>,
    head: &[f64],
    remembers: bool,
) -> (MetricFinding, RowEvidence) {
    // What allocates nothing has a change all the same: none, or from as little as is counted.
    let least = if metric == Metric::Allocations { ALLOCATIONS_LEAST } else { 0.0 };
    let at_least = |values: &[f64]| values.iter().map(|value| value.max(least)).collect::<Vec<_>>();
    match base.map(at_least) {
        None if remembers => {
            let reason = "no stored run was counted alike".to_owned();
            (MetricFinding::Undecidable(reason), RowEvidence::None)
        }
        None => (MetricFinding::Alone, RowEvidence::None),
        Some(base) if base.iter().chain(&at_least(head)).all(|&value| value > 0.0) => {
            let counts = CountSamples { base, head: at_least(head) };
            (MetricFinding::Alone, RowEvidence::Counts(counts))
        }
        Some(_) => {
            let reason = "a launch counted none, so there is no ratio".to_owned();
            (MetricFinding::Missing(reason), RowEvidence::None)
        }
    }
}

/// The values of a count, of which there is at least one.
fn values(count: &BuildCounts, metric: Metric) -> Result<&[f64], ContentError> {
    let values = if metric == Metric::Work { &count.instructions } else { &count.allocations };
    if values.is_empty() {
        return Err(ContentError::NotCounted { metric });
    }
    Ok(values)
}

/// The mean of what was counted of the judged build, if anything was.
pub(super) fn level(scenario: &ScenarioRun, metric: Metric) -> Option<f64> {
    match &scenario.work {
        Some(CountOutcome::Counted(counted)) => values(&counted.head, metric).ok().map(mean),
        Some(CountOutcome::Unavailable { .. }) | None => None,
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Why a run is not whole: a lane that was required could not be run.
pub(super) fn missing(run: &Run) -> Option<FailureReport> {
    run.scenarios.iter().find_map(|scenario| match &scenario.work {
        Some(CountOutcome::Unavailable { reason, required: true }) => {
            Some(reason.clone().within(format_args!("no work lane in `{}`", scenario.name)))
        }
        Some(CountOutcome::Unavailable { required: false, .. } | CountOutcome::Counted(_))
        | None => None,
    })
}

/// What the lane could not do where it was optional: each reason once.
pub(super) fn notes(run: &Run) -> Vec<ComparisonNote> {
    let mut notes = Vec::new();
    for scenario in &run.scenarios {
        if let Some(CountOutcome::Unavailable { reason, required: false }) = &scenario.work {
            let note = ComparisonNote::WorkUnavailable { reason: reason.clone() };
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
    }
    notes
}

/// In how many launches a side instructions were counted, and by what.
pub(super) fn counted(run: &Run) -> Option<CountedLaunches> {
    let counted = run.scenarios.iter().filter_map(|scenario| match &scenario.work {
        Some(CountOutcome::Counted(counted)) => Some(counted),
        Some(CountOutcome::Unavailable { .. }) | None => None,
    });
    let launches = || counted.clone().map(|counted| counted.head.instructions.len());
    let counter = counted.clone().next()?.counter.clone();
    Some(CountedLaunches { least: launches().min()?, most: launches().max()?, counter })
}
