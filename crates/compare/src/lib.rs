//! Sets head against base and says what follows.
//!
//! A [`Comparison`] is everything a report may show, computed once: no format derives a number of its
//! own. What decides, and how the error rate is shared among all that decides, is in [`decision`].

pub mod anatomy;
pub mod attempts;
pub mod calls;
pub mod confirmation;
pub mod cost;
pub mod decision;
pub mod details;
pub mod evidence_path;
pub mod function_changes;
mod identical;
pub mod latency_shift;
mod launch_course;
pub mod level_history;
mod limits;
mod note;
mod offsets;
pub mod proof;
pub mod sensitivity;
pub mod stopping;
mod stored;
mod suspicion;
pub mod timeline;
mod values;
mod work;
mod work_change;

use std::collections::BTreeSet;

use thiserror::Error;

use crate::anatomy::RequestAnatomy;
use crate::attempts::AttemptSummary;
use crate::calls::{CallEvidence, ServiceCalls};
use crate::cost::ChangePrice;
use crate::decision::calls::{self as call_rule, CallJudgement, CallSamples};
use crate::decision::counts::{self, CountSamples};
use crate::decision::family::PlacementTrust;
use crate::decision::history::{self, HistoryClaim, HistoryJudgement, MetricHistory};
use crate::decision::{
    DecisionRule, Differences, Hypothesis, Judgement, LAUNCH_PAIRS_MAX, MachineEvidence, RuleError,
    Verdict,
};
use crate::details::ScenarioDetails;
use crate::evidence_path::EvidenceBasis;
use crate::latency_shift::LatencyShift;
use crate::level_history::LevelHistory;
use crate::stored::HistoryGap;
use crate::timeline::LaunchTimeline;
use crate::values::{MissingReason, PairValues, ScenarioLaunches, SideLaunches};
use record::evidence::EvidenceState;
use record::history::RunHistory;
use record::metric::gate::{GateRules, MetricPolicy, MetricRule};
use record::metric::limit::LimitQuantity;
use record::metric::{BetterDirection, Metric};
use record::shard::ShardSource;
use record::stage::StageTimes;
use record::work_unit::WorkUnit;
use record::{
    ContentError, EarlyEnd, FailureContrast, FailureReport, IdenticalProgram, LaunchResult,
    LaunchResults, Machine, OperationName, OracleRecord, PlacementRecord, Revision, Run,
    ScenarioRun,
};
use units::Ratio;

pub use crate::limits::LimitCheck;
pub use crate::note::{ComparisonNote, LaunchCourse, OffsetRow};
pub use crate::stored::{BaselineOrigin, foreseeable, past};
pub use crate::suspicion::Suspicion;
pub use crate::values::level;
pub use crate::work::{CauseSummary, InstructionBreakdown, RankedHunk};
pub use crate::work_change::WorkChange;

/// What a run says: about each metric, each promise, and as a whole.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// What was compared against, if anything.
    pub base: Option<Revision>,
    /// What was judged.
    pub head: Revision,
    /// The history that head was set against, if base was not measured beside it.
    pub baseline: Option<BaselineOrigin>,
    /// Where.
    pub machine: Machine,
    /// Every metric of every scenario that is not switched off.
    pub rows: Vec<MetricResult>,
    /// Every limit of every scenario.
    pub promises: Vec<LimitCheck>,
    /// What a reader has to know beside the verdicts, and what is not held against the change.
    pub notes: Vec<ComparisonNote>,
    /// What else there is to say of each scenario.
    pub details: Vec<ScenarioDetails>,
    /// What the time of a request went into in each scenario that was measured side by side.
    pub anatomies: Vec<RequestAnatomy>,
    /// What each scenario called of the services behind the target.
    pub calls: Vec<ServiceCalls>,
    /// Which functions the instructions of each scenario are in, where they were counted.
    pub breakdowns: Vec<InstructionBreakdown>,
    /// What the change of each scenario costs in a month, if the configuration says what requests and processors do.
    pub prices: Vec<ChangePrice>,
    /// How far the percentiles of each scenario that was measured side by side moved.
    pub shifts: Vec<LatencyShift>,
    /// What both sides and the machine did in each scenario, in the order of time.
    pub timelines: Vec<LaunchTimeline>,
    /// What the metrics were in the stored runs, where head was held against those.
    pub histories: Vec<LevelHistory>,
    /// What the verdicts of the time lane rest on, launch pair by launch pair.
    pub evidence: EvidenceBasis,
    /// Where the code of both sides lay.
    pub placement: Option<PlacementRecord>,
    /// What both sides are, if they are one program, of which nothing was measured.
    pub identical: Option<IdenticalProgram>,
    /// The requests that head failed and base did not, which ended the run.
    pub failure: Option<FailureContrast>,
    /// The attempts whose evidence this one adds to, if a record of them is kept.
    pub attempts: Option<AttemptSummary>,
    /// How the numbers came about.
    pub method: ComparisonMethod,
    /// What follows.
    pub outcome: ComparisonOutcome,
}

/// How the numbers came about.
#[derive(Debug, Clone)]
pub struct ComparisonMethod {
    /// Scenarios that base does not have.
    pub new_scenarios: Vec<String>,
    /// Launches, or launch pairs, that were measured.
    pub launches: usize,
    /// How many there would have been at most.
    pub launches_planned: usize,
    /// What head was held against.
    pub mode: ComparisonMode,
    /// Launch pairs in which a suspicion was looked into, if there was one.
    pub confirming: Option<usize>,
    /// Chance that a comparison in which nothing changed calls any metric slower.
    pub alpha: f64,
    /// Metrics and scenarios that share it.
    pub family: usize,
    /// How long it took, in nanoseconds.
    pub wall_ns: u64,
    /// Where the time went, builds and trial requests included; empty where it is not known.
    pub stages: StageTimes,
    /// The options of the command line that shaped it, a word each; none if that is not known.
    pub invocation: Option<Vec<String>>,
    /// Seed of the coins.
    pub seed: u64,
    /// Names of the scenarios, in order.
    pub scenarios: Vec<String>,
    /// Version of the program that measured.
    pub tool: String,
    /// Launches of each side in which instructions were counted, and what counted them.
    pub counted: Option<(usize, String)>,
}

/// What head is held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ComparisonMode {
    /// Nothing.
    Alone,
    /// Base, side by side.
    Paired,
    /// Runs of other days.
    Stored,
}

/// One metric of one scenario.
#[derive(Debug, Clone)]
pub struct MetricResult {
    /// The scenario's name.
    pub scenario: String,
    /// The operation's, if it is of one among several.
    pub operation: Option<OperationName>,
    /// The metric.
    pub metric: Metric,
    /// What the scenario's rates and costs are counted in.
    pub unit: WorkUnit,
    /// Its rule.
    pub rule: MetricRule,
    /// Base, over all launches, in the metric's unit.
    pub base: Option<f64>,
    /// Head, over all launches, in the metric's unit.
    pub head: Option<f64>,
    /// What follows.
    pub finding: MetricFinding,
    /// What explains a regression as well as the program does, so that it is not called one.
    pub suspicion: Option<Suspicion>,
}

/// A change with its interval, as logarithms of head over base.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChangeEstimate {
    /// The Hodges-Lehmann estimate.
    pub estimate_ln: f64,
    /// Lower limit.
    pub low_ln: f64,
    /// Upper limit.
    pub high_ln: f64,
}

/// What is known of a metric's change. Logarithms are of head over base, above 0 where head is worse.
#[derive(Debug, Clone)]
pub enum MetricFinding {
    /// There is nothing to compare with.
    Alone,
    /// It decides.
    Judged(Judgement),
    /// It is shown and does not decide.
    Reported(Judgement),
    /// It decides, by runs of other days.
    Recalled(HistoryJudgement),
    /// Those runs cannot tell; the reason.
    Undecidable(String),
    /// There is no number; the reason.
    Missing(String),
}

/// What follows from a comparison as a whole, the gravest first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ComparisonOutcome {
    /// There are no numbers to judge; the reason.
    NotMeasured(FailureReport),
    /// A metric regressed, or a limit is broken.
    Regressed,
    /// A metric that decides was not decided.
    Inconclusive,
    /// A metric improved, and none regressed.
    Improved,
    /// Nothing got worse.
    Pass,
}

/// Why a record cannot be judged.
#[derive(Debug, Error)]
pub enum CompareError {
    /// A rule, a limit or a histogram in it makes no sense.
    #[error("the run cannot be judged: {0}")]
    Nonsense(#[from] ContentError),
    /// There are more launch pairs than can be judged.
    #[error("the run cannot be judged")]
    Rule(#[from] RuleError),
}

impl Comparison {
    /// Judges a run from its numbers.
    pub fn of(run: &Run) -> Result<Self, CompareError> {
        Self::of_jobs(run, None)
    }

    /// Judges a run, and with it what an `earlier` job measured of the same change, where both are held
    /// against a history.
    pub fn of_jobs(run: &Run, earlier: Option<&Run>) -> Result<Self, CompareError> {
        let gate = run.gate.clone();
        gate.check().map_err(ContentError::from)?;
        if let Some(program) = identical::program(run) {
            return Ok(identical::comparison(run, &gate, program));
        }
        Self::of_measured(run, earlier, gate)
    }

    /// Judges what was measured by rules that make sense.
    fn of_measured(
        run: &Run,
        earlier: Option<&Run>,
        mut gate: GateRules,
    ) -> Result<Self, CompareError> {
        gate.alpha *= run.evidence.as_ref().map_or(1.0, EvidenceState::error_share);
        let MeasuredRows { mut rows, evidence, promises, details, shifts } =
            MeasuredRows::of(run, earlier, &gate)?;
        let launches = stopping::launches(run);
        let FamilyJudgement { family, basis } = match mode(run) {
            ComparisonMode::Alone => FamilyJudgement::default(),
            ComparisonMode::Paired | ComparisonMode::Stored => {
                judge(run, &gate, &mut rows, evidence)?
            }
        };
        let suspicions = suspicion::suspicions(&rows, run);
        for (row, suspicion) in rows.iter_mut().zip(suspicions) {
            row.suspicion = suspicion;
        }
        let confirming = run.confirming.as_deref().map(Self::of).transpose()?;
        let confirmed = confirming.as_ref().map(|paired| confirmed(&mut rows, paired));
        let outcome = outcome(run, launches, &rows, &promises);
        let outcome = with_confirmation(outcome, confirming.as_ref());
        Ok(Self {
            base: stored::base(run)?,
            head: run.head.clone(),
            baseline: BaselineOrigin::of(run)?,
            machine: run.machine.clone(),
            promises,
            notes: notes(run, &rows, confirmed.unwrap_or_default()),
            details,
            anatomies: anatomy::of(run, &rows),
            calls: calls::of(run, &rows),
            breakdowns: work::breakdowns(run),
            prices: cost::of(run, &rows),
            shifts,
            timelines: LaunchTimeline::of(run),
            histories: level_history::of(run, &rows),
            // What a history made suspicious was judged anew by launch pairs: those are the evidence then.
            evidence: confirming.as_ref().map_or(basis, |paired| paired.evidence.clone()),
            placement: run.placement.clone(),
            identical: None,
            attempts: AttemptSummary::of(run, launches, &rows),
            failure: failure_of_head(run),
            method: method(run, confirming.as_ref(), gate.alpha, family),
            rows,
            outcome,
        })
    }

    /// Returns whether every metric that a further launch pair could decide has been decided. One that was
    /// called slower before this attempt is not, as long as it still is: the attempt is there to refute it.
    pub fn is_decided(&self) -> bool {
        let is_open = |row: &MetricResult| match &row.finding {
            MetricFinding::Judged(Judgement { verdict, before, .. }) => {
                *verdict == Verdict::Inconclusive
                    || (*verdict == Verdict::Regressed && *before == Verdict::Regressed)
            }
            _ => row.verdict() == Some(Verdict::Inconclusive),
        };
        let mut timed = self.rows.iter().filter(|row| row.metric.is_timed());
        // No further launch takes a suspicion away: it is about the builds.
        !timed.any(|row| row.suspicion.is_none() && is_open(row))
    }

    /// Returns, for each metric that decides, the change that a comparison like this one would show
    /// four times in five by so many launch pairs; none where too little is known.
    pub fn foreseeable(&self, launch_pairs_max: usize) -> Vec<(&MetricResult, f64)> {
        let rule = DecisionRule { alpha: self.method.alpha, launch_pairs_max };
        let of = |row: &MetricResult| {
            let spread_ln = row.side_by_side().map(|judgement| judgement.spread_ln)?;
            let detectable = |tested| rule.detectable_ln(spread_ln, tested, self.method.family);
            spread_ln.is_finite().then(|| detectable(hypothesis(row.rule)))
        };
        let all = self.rows.iter().filter_map(|row| Some((row, of(row)?)));
        all.filter(|(_, mde_ln)| mde_ln.is_finite()).collect()
    }

    /// Returns how many metrics that decide got this verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.rows.iter().filter(|row| row.verdict() == Some(verdict)).count()
    }

    /// Returns the largest tolerance of a metric that decides: what *unchanged* is certain up to. Those of
    /// a start and of single requests are left out, which scatter several times as much.
    pub fn tolerance(&self) -> Option<Ratio> {
        let judged = self.rows.iter().filter(|row| row.verdict().is_some());
        let steady = |row: &&MetricResult| {
            !matches!(
                row.metric,
                Metric::Tail | Metric::Leak | Metric::Ready | Metric::FirstAnswers
            )
        };
        // Where the smallest change that counts is an amount, the share says little.
        let is_share = |row: &&MetricResult| row.rule.floor.0 < row.rule.tolerance.0;
        judged
            .filter(steady)
            .filter(is_share)
            .map(|row| row.rule.tolerance)
            .max_by(|a, b| a.0.total_cmp(&b.0))
    }

    /// Returns the breakdowns of scenarios whose work was compared and not shown equal.
    pub fn changed_breakdowns(&self) -> impl Iterator<Item = &InstructionBreakdown> {
        let equal = |breakdown: &InstructionBreakdown| {
            let mut rows = self.rows.iter().filter(|row| row.scenario == breakdown.scenario);
            let work = rows.find(|row| row.metric == Metric::Work);
            work.and_then(MetricResult::judgement).is_none_or(|it| it.verdict == Verdict::Unchanged)
        };
        let compared = self.breakdowns.iter().filter(|breakdown| breakdown.base.is_some());
        compared.filter(move |it| !it.functions.is_empty() && !equal(it))
    }

    /// Returns the limits that do not hold.
    pub fn broken(&self) -> impl Iterator<Item = &LimitCheck> {
        self.promises.iter().filter(|promise| !promise.holds())
    }
}

fn new_names(run: &Run) -> Vec<String> {
    let new = run.scenarios.iter().filter(|scenario| scenario.absent_in_base.is_some());
    new.map(|scenario| scenario.name.clone()).collect()
}

/// What a reader has to know, in the order of the run: scenarios, counts, confirmation, history.
fn notes(run: &Run, rows: &[MetricResult], confirmed: Vec<ComparisonNote>) -> Vec<ComparisonNote> {
    let mut notes = new_scenarios(run);
    notes.extend(shard_note(run));
    notes.extend(oracles(run));
    notes.extend(launch_course::notes(run));
    notes.extend(run.scenarios.iter().filter_map(few_requests));
    notes.extend(offsets::note(run, rows));
    notes.extend(work::notes(run));
    notes.extend(confirmed);
    if let Some(history) = &run.history {
        notes.extend(stored::notes(run, history));
        let chosen = history.notes.iter().cloned();
        notes.extend(chosen.map(|note| ComparisonNote::History { note }));
    }
    notes
}

/// What is said of a part of a suite, and of a run that was joined from parts.
fn shard_note(run: &Run) -> Option<ComparisonNote> {
    if let Some(shard) = &run.shard {
        let elsewhere = run.scenarios_elsewhere().count();
        return Some(ComparisonNote::Part { part: shard.part, elsewhere });
    }
    let mut machines: Vec<Machine> = Vec::new();
    for shard in &run.shards {
        if !machines.contains(&shard.machine) {
            machines.push(shard.machine.clone());
        }
    }
    let shards = run.shards.len();
    (shards > 0).then_some(ComparisonNote::Joined { shards, machines })
}

/// What is said of scenarios that base does not have.
fn new_scenarios(run: &Run) -> Vec<ComparisonNote> {
    let new = run.scenarios.iter().filter_map(|scenario| {
        let status = scenario.absent_in_base?;
        Some(ComparisonNote::NewScenario { scenario: scenario.name.clone(), status })
    });
    new.collect()
}

/// What is said of a scenario whose launches are cut short.
fn few_requests(scenario: &ScenarioRun) -> Option<ComparisonNote> {
    let load = scenario.fitted_load.filter(|it| it.is_cut())?;
    Some(ComparisonNote::FewRequests { scenario: scenario.name.clone(), load })
}

/// What is said of base's answers where these are the right ones.
fn oracles(run: &Run) -> Vec<ComparisonNote> {
    let of_scenario = |scenario: &ScenarioRun| {
        let name = scenario.name.clone();
        let note = move |oracle: OracleRecord| {
            let OracleRecord { operation, requests: _, answers, left_out } = oracle;
            ComparisonNote::BaseOracle { scenario: name.clone(), operation, answers, left_out }
        };
        scenario.oracle.iter().cloned().map(note).collect::<Vec<_>>()
    };
    run.scenarios.iter().flat_map(of_scenario).collect()
}

/// A comparison with stored runs that could not be confirmed side by side is not measured either.
fn with_confirmation(
    outcome: ComparisonOutcome,
    confirming: Option<&Comparison>,
) -> ComparisonOutcome {
    match confirming.map(|paired| &paired.outcome) {
        Some(ComparisonOutcome::NotMeasured(reason)) => {
            ComparisonOutcome::NotMeasured(reason.clone().within("side by side")).min(outcome)
        }
        Some(_) | None => outcome,
    }
}

/// What head failed that base answered, if that ended the run.
fn failure_of_head(run: &Run) -> Option<FailureContrast> {
    match &run.ended {
        Some(EarlyEnd::HeadFailed(contrast)) => Some(FailureContrast::clone(contrast)),
        Some(EarlyEnd::Failed { .. } | EarlyEnd::Interrupted) | None => None,
    }
}

impl MetricResult {
    /// Returns the words that reports use for the metric.
    pub fn label(&self) -> String {
        let label = self.metric.label(&self.unit);
        match &self.operation {
            Some(operation) => format!("{operation} {label}"),
            None => label,
        }
    }

    /// Returns what it is of in one name: the scenario, or `scenario/operation`.
    pub fn subject(&self) -> String {
        match &self.operation {
            Some(operation) => format!("{}/{operation}", self.scenario),
            None => self.scenario.clone(),
        }
    }

    /// Returns whether both are of the same metric of the same scenario and operation.
    pub fn is_same(&self, other: &Self) -> bool {
        self.scenario == other.scenario
            && self.operation == other.operation
            && self.metric == other.metric
    }

    /// Returns a value of the metric as a person would write it.
    pub fn format(&self, value: f64) -> String {
        self.metric.format(value, &self.unit)
    }

    /// Returns the verdict of a metric that decides.
    pub fn verdict(&self) -> Option<Verdict> {
        if self.suspicion.is_some() {
            return Some(Verdict::Inconclusive);
        }
        match &self.finding {
            MetricFinding::Judged(judgement) => Some(judgement.verdict),
            MetricFinding::Recalled(recalled) => match recalled.claim {
                HistoryClaim::NotFound => None,
                HistoryClaim::Suspected | HistoryClaim::Shown => Some(recalled.judgement.verdict),
            },
            MetricFinding::Undecidable(_) => {
                (self.rule.policy == MetricPolicy::Gate).then_some(Verdict::Inconclusive)
            }
            MetricFinding::Alone | MetricFinding::Reported(_) | MetricFinding::Missing(_) => None,
        }
    }

    /// Returns whether the metric was called slower, by a verdict or on suspicion.
    pub fn is_flagged(&self) -> bool {
        let suspected = matches!(
            self.finding,
            MetricFinding::Recalled(HistoryJudgement { claim: HistoryClaim::Suspected, .. })
        );
        suspected || self.suspicion.is_some() || self.verdict() == Some(Verdict::Regressed)
    }

    /// Returns the judgement of a row that decides by launches or counts of both sides.
    pub fn side_by_side(&self) -> Option<&Judgement> {
        match &self.finding {
            MetricFinding::Judged(judgement) => Some(judgement),
            MetricFinding::Alone
            | MetricFinding::Reported(_)
            | MetricFinding::Recalled(_)
            | MetricFinding::Undecidable(_)
            | MetricFinding::Missing(_) => None,
        }
    }

    /// Returns the change of the metric, whether or not it decides.
    pub fn judgement(&self) -> Option<&Judgement> {
        match &self.finding {
            MetricFinding::Judged(judgement) | MetricFinding::Reported(judgement) => {
                Some(judgement)
            }
            MetricFinding::Recalled(recalled) => Some(&recalled.judgement),
            MetricFinding::Alone | MetricFinding::Undecidable(_) | MetricFinding::Missing(_) => {
                None
            }
        }
    }

    /// Returns the change as head over base in the metric's own direction, on the logarithmic scale:
    /// below 0 where the number fell, even if that is worse.
    pub fn change(&self) -> Option<ChangeEstimate> {
        let Judgement { estimate_ln, low_ln, high_ln, .. } = *self.judgement()?;
        Some(match self.metric.better() {
            BetterDirection::Lower => ChangeEstimate { estimate_ln, low_ln, high_ln },
            BetterDirection::Higher => {
                ChangeEstimate { estimate_ln: -estimate_ln, low_ln: -high_ln, high_ln: -low_ln }
            }
        })
    }

    /// Returns ln(head / base) of the two values that reports show beside the change, where it lies outside of the
    /// change's interval and of the tolerance: they are of all launches, the change is of launch pairs.
    pub fn quotient_outside_ln(&self) -> Option<f64> {
        let ChangeEstimate { low_ln, high_ln, .. } = self.change()?;
        let quotient_ln = (self.head? / self.base?).ln();
        let is_outside = (quotient_ln < low_ln || quotient_ln > high_ln)
            && quotient_ln.abs() > self.rule.tolerance.ln();
        (quotient_ln.is_finite() && is_outside).then_some(quotient_ln)
    }

    /// Returns whether a metric that should decide has no number.
    pub fn is_lost(&self) -> bool {
        self.rule.policy == MetricPolicy::Gate && matches!(self.finding, MetricFinding::Missing(_))
    }
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

/// Whether a build was running already, at an address.
fn is_attached(revision: &Revision) -> bool {
    ["http://", "https://", "unix:"].iter().any(|scheme| revision.start.starts_with(scheme))
}

/// The rule of a metric as it is in force, if it is not off. What differs from day to day for reasons of its
/// own is not held against a history.
fn in_force(rule: MetricRule, metric: Metric, run: &Run) -> Option<MetricRule> {
    let volatile = matches!(metric, Metric::Tail | Metric::Ready | Metric::FirstAnswers);
    let decides = rule.policy == MetricPolicy::Gate && !(volatile && run.history.is_some());
    let policy = if rule.policy == MetricPolicy::Gate && !decides {
        MetricPolicy::Report
    } else {
        rule.policy
    };
    (policy != MetricPolicy::Off).then_some(MetricRule { policy, ..rule })
}

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

/// What a row's judgement rests on.
#[derive(Debug, Clone)]
enum RowEvidence {
    /// Nothing, or nothing to compare with.
    None,
    /// The differences of its launch pairs, attempt by attempt.
    LaunchPairs(Vec<Vec<f64>>),
    /// What was counted on both sides.
    Counts(CountSamples),
    /// What both sides called of services.
    Calls(CallSamples),
    /// Runs of other days.
    History(MetricHistory),
}

/// What a row of the time lane rests on.
struct TimedEvidence {
    /// The differences of its launch pairs, attempt by attempt.
    attempts: Vec<Vec<f64>>,
    trust: PlacementTrust,
    /// Which of the runs that were joined measured it, from 0.
    shard: usize,
}

impl TimedEvidence {
    fn of(run: &Run, row: &MetricResult, attempts: Vec<Vec<f64>>) -> Self {
        let has_it = |it: &ShardSource| it.scenarios.contains(&row.scenario);
        let shard = run.shards.iter().position(has_it).unwrap_or(0);
        Self { attempts, trust: trust(run, row.metric), shard }
    }
}

/// Whether a machine may hold an offset of a metric that its launches do not draw anew: of times, where
/// a build keeps its place in memory, or is not started here at all.
fn trust(run: &Run, metric: Metric) -> PlacementTrust {
    let is_suspect = run.placement.as_ref().is_some_and(PlacementRecord::keeps_place)
        || run.base.iter().chain([&run.head]).any(is_attached);
    if is_suspect && metric.is_of_time() {
        PlacementTrust::Suspect
    } else {
        PlacementTrust::Redrawn
    }
}

/// What one operation among several has of its own: the other metrics are of the target, or of all requests
/// together. Its slowest tenth is left to its percentiles, so that a mix does not double the family.
const OPERATION_METRICS: [Metric; 6] =
    [Metric::Latency, Metric::P50, Metric::P95, Metric::P99, Metric::Queries, Metric::RoundTrips];

/// A scenario or one of its operations, and what else is known when its rows are made.
#[derive(Clone, Copy)]
struct RowContext<'a> {
    run: &'a Run,
    earlier: Option<&'a Run>,
    scenario: &'a ScenarioRun,
    /// What was measured: the scenario, or the operation as one.
    measured: &'a ScenarioRun,
    /// The operation's name.
    operation: Option<&'a OperationName>,
    gate: &'a GateRules,
}

impl<'a> RowContext<'a> {
    fn of(
        run: &'a Run,
        earlier: Option<&'a Run>,
        scenario: &'a ScenarioRun,
        gate: &'a GateRules,
    ) -> Self {
        Self { run, earlier, scenario, measured: scenario, operation: None, gate }
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
        let found: Result<Vec<f64>, MissingReason> =
            pairs.iter().map(|pair| pair.difference(metric)).collect();
        let (finding, rests_on) = match found {
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

fn mode(run: &Run) -> ComparisonMode {
    match (&run.base, &run.history) {
        (_, Some(_)) => ComparisonMode::Stored,
        (Some(_), None) => ComparisonMode::Paired,
        (None, None) => ComparisonMode::Alone,
    }
}

/// Puts what was found side by side in the place of what a history made suspicious, and returns what
/// the suspicions were.
fn confirmed(rows: &mut [MetricResult], paired: &Comparison) -> Vec<ComparisonNote> {
    let mut suspicions = Vec::new();
    for row in rows.iter_mut().filter(|row| row.is_flagged() && row.metric.is_timed()) {
        let same = |other: &&MetricResult| other.is_same(row);
        let (Some(again), Some(before)) = (paired.rows.iter().find(same), row.judgement()) else {
            continue;
        };
        if again.judgement().is_none() {
            continue;
        }
        suspicions.push(ComparisonNote::Confirmed {
            scenario: row.scenario.clone(),
            metric: row.metric,
            label: row.label(),
            stored_runs: before.sample,
            change_ln: before.estimate_ln,
            p_slower: before.p_slower,
        });
        *row = again.clone();
    }
    suspicions
}

fn hypothesis(rule: MetricRule) -> Hypothesis {
    Hypothesis { floor: rule.floor.0, tolerance: rule.tolerance.0 }
}

/// What the scenarios of a run say, before it is judged.
#[derive(Default)]
struct MeasuredRows {
    rows: Vec<MetricResult>,
    /// What each row rests on.
    evidence: Vec<RowEvidence>,
    promises: Vec<LimitCheck>,
    details: Vec<ScenarioDetails>,
    shifts: Vec<LatencyShift>,
}

impl MeasuredRows {
    fn of(run: &Run, earlier: Option<&Run>, gate: &GateRules) -> Result<Self, CompareError> {
        let mut found = Self::default();
        for scenario in &run.scenarios {
            let context = RowContext::of(run, earlier, scenario, gate);
            found.shifts.extend(rows_of(&context, &mut found.rows, &mut found.evidence)?);
            found.promises.extend(limits::of(scenario)?);
            for (name, operation) in scenario.by_operation() {
                let context =
                    RowContext { measured: &operation, operation: Some(&name), ..context };
                rows_of(&context, &mut found.rows, &mut found.evidence)?;
                found.promises.extend(limits::of_operation(scenario, &name, &operation)?);
            }
            found.details.push(ScenarioDetails::of(run, scenario)?);
        }
        Ok(found)
    }
}

/// How the run was judged, by an error rate and for so many hypotheses.
fn method(
    run: &Run,
    confirming: Option<&Comparison>,
    alpha: f64,
    family: usize,
) -> ComparisonMethod {
    ComparisonMethod {
        launches: stopping::launches(run),
        launches_planned: run.launches_planned,
        mode: mode(run),
        confirming: confirming.map(|paired| paired.method.launches),
        alpha,
        family,
        wall_ns: run.wall_ns + run.confirming.as_ref().map_or(0, |paired| paired.wall_ns),
        stages: run.stages.clone(),
        invocation: run.invocation.clone(),
        seed: run.seed,
        scenarios: run.scenarios.iter().map(|scenario| scenario.name.clone()).collect(),
        new_scenarios: new_names(run),
        tool: run.tool.clone(),
        counted: work::counted(run),
    }
}

/// What came of judging all rows.
#[derive(Default)]
struct FamilyJudgement {
    /// How many hypotheses share the error rate.
    family: usize,
    /// What those of the time lane rest on.
    basis: EvidenceBasis,
}

/// Fills in the findings.
fn judge(
    run: &Run,
    gate: &GateRules,
    rows: &mut [MetricResult],
    evidence: Vec<RowEvidence>,
) -> Result<FamilyJudgement, CompareError> {
    let mut absent = absent_rows(run, gate, rows);
    let (mut timed, mut counted, mut kept) = (Vec::new(), Vec::new(), Vec::new());
    let mut called = Vec::new();
    for (row, evidence) in rows.iter_mut().zip(evidence) {
        match evidence {
            RowEvidence::LaunchPairs(attempts) => {
                let evidence = TimedEvidence::of(run, row, attempts);
                timed.push((row, evidence));
            }
            RowEvidence::Counts(counts) => counted.push((row, counts)),
            RowEvidence::Calls(calls) => called.push((row, calls)),
            RowEvidence::History(history) => kept.push((row, history)),
            RowEvidence::None => {}
        }
    }
    for (row, attempts) in &mut absent {
        let evidence = TimedEvidence::of(run, row, std::mem::take(attempts));
        timed.push((row, evidence));
    }
    let exact_lanes = usize::from(decides(&counted)) + usize::from(decides(&called));
    let is_timed = decides(&timed) || decides(&kept);
    let (timed_alpha, counted_alpha) = lane_alphas(run, gate.alpha, is_timed, exact_lanes > 0);
    let counted_alpha = counted_alpha / exact_lanes.max(1) as f64;
    let plain =
        |judgements: Vec<Judgement>| judgements.into_iter().map(MetricFinding::Judged).collect();
    let mut family = judge_each(counted, |hypotheses, counted| {
        plain(counts::judge(counted_alpha, hypotheses, counted))
    });
    family += judge_each(called, |hypotheses, called| {
        let judged = call_rule::judge(counted_alpha, hypotheses, called).into_iter();
        let finding = |CallJudgement { judgement, is_decided }| {
            if is_decided {
                MetricFinding::Judged(judgement)
            } else {
                MetricFinding::Reported(judgement)
            }
        };
        judged.map(finding).collect()
    });
    family += judge_each(kept, |hypotheses, kept| {
        let recalled = history::judge(timed_alpha, hypotheses, kept);
        recalled.into_iter().map(MetricFinding::Recalled).collect()
    });
    let basis = basis(run, timed_alpha, &timed);
    if !timed.is_empty() {
        let rule = decision_rule(run, timed_alpha)?;
        family += judge_each(timed, |hypotheses, rows: &[TimedEvidence]| {
            let trust = rows.iter().map(|row| row.trust).collect();
            let on = MachineEvidence { trust, machines: attempts::machines(run) };
            plain(rule.judge_on_machines(hypotheses, &by_attempt(rows), on))
        });
    }
    Ok(FamilyJudgement { family, basis })
}

/// What the rows of the time lane rest on, without the launch pair that a run was interrupted in.
fn basis(run: &Run, alpha: f64, timed: &[(&mut MetricResult, TimedEvidence)]) -> EvidenceBasis {
    let measured = timed.iter().filter_map(|(_, evidence)| evidence.attempts.last());
    let whole = measured.map(Vec::len).filter(|length| *length > 0).min().unwrap_or(0);
    let mut basis = EvidenceBasis::begin(run, alpha, whole);
    for (row, TimedEvidence { attempts, trust, .. }) in timed {
        basis.add(row, *trust, attempts);
    }
    basis
}

/// Returns the error rates of what was timed and of what was counted. A lane that decides nothing leaves its share to
/// the other.
fn lane_alphas(run: &Run, alpha: f64, timed: bool, counted: bool) -> (f64, f64) {
    let of_counts = if timed { alpha * counts::SHARE } else { alpha };
    let of_times = if counted { alpha * (1.0 - counts::SHARE) } else { alpha };
    (of_times, of_counts * run.evidence.as_ref().map_or(1.0, EvidenceState::count_share))
}

/// Rows of scenarios that this run leaves out, each with what it rests on: those of earlier attempts, and
/// those that other shards measure. They stay in the family.
fn absent_rows(
    run: &Run,
    gate: &GateRules,
    rows: &[MetricResult],
) -> Vec<(MetricResult, Vec<Vec<f64>>)> {
    let earlier = |scenario: &str, metric| {
        let attempts = |state| attempts::earlier(state, scenario, metric);
        let mut evidence = run.evidence.as_ref().map_or_else(Vec::new, attempts);
        evidence.push(Vec::new());
        evidence
    };
    let row = |(scenario, metric): (String, Metric)| {
        let rule = in_force(gate.rule_in(&scenario, metric)?, metric, run)?;
        let evidence = earlier(&scenario, metric);
        let (finding, suspicion) = (MetricFinding::Alone, None);
        // Evidence has no unit, and a row without a value shows none.
        let unit = WorkUnit::request();
        let row = MetricResult {
            scenario,
            operation: None,
            metric,
            unit,
            rule,
            base: None,
            head: None,
            finding,
            suspicion,
        };
        Some((row, evidence))
    };
    let mut absent: BTreeSet<_> = attempts::absent(run, gate).into_iter().collect();
    absent.extend(elsewhere(run, rows));
    absent.into_iter().filter_map(row).collect()
}

/// The metrics that decide here, of each scenario that another shard measures: what it will turn out to
/// have is not known here, and this is the best guess. The joined run is judged by what there is.
fn elsewhere(run: &Run, rows: &[MetricResult]) -> Vec<(String, Metric)> {
    let is_common = |row: &&MetricResult| {
        let is_own = matches!(row.metric, Metric::Ready | Metric::Leak | Metric::Flow);
        row.operation.is_none() && row.metric.is_timed() && !is_own
    };
    let deciding = rows.iter().filter(|row| row.rule.policy == MetricPolicy::Gate);
    let metrics: BTreeSet<Metric> = deciding.filter(is_common).map(|row| row.metric).collect();
    let of = |name: &str| metrics.iter().map(|it| (name.to_owned(), *it)).collect::<Vec<_>>();
    run.scenarios_elsewhere().flat_map(of).collect()
}

/// The rule of a run: what it may still take counts, as that is what it could have shown.
fn decision_rule(run: &Run, alpha: f64) -> Result<DecisionRule, RuleError> {
    let launches = run.scenarios.iter().map(ScenarioRun::launches).max().unwrap_or(0);
    let earlier = run.evidence.iter().flat_map(|state| &state.earlier);
    let launches = launches + earlier.map(|it| it.launch_pairs.len()).sum::<usize>();
    if launches > LAUNCH_PAIRS_MAX {
        return Err(RuleError::LaunchPairs { launch_pairs: launches });
    }
    Ok(DecisionRule { alpha, launch_pairs_max: stopping::launch_pairs_max(run) })
}

/// The differences of each attempt from those of each row, without the launch pair that a run was
/// interrupted in: some scenarios have had it, others have not. Each shard has launch pairs of its own.
fn by_attempt(rows: &[TimedEvidence]) -> Vec<Differences> {
    let attempts = rows.iter().map(|row| row.attempts.len()).max().unwrap_or(0);
    let of_attempt = |attempt: usize| -> Differences {
        let whole = |shard: usize| {
            let own = rows.iter().filter(|row| row.shard == shard);
            let measured = own.map(|row| row.attempts[attempt].len()).filter(|length| *length > 0);
            measured.min().unwrap_or(0)
        };
        let cut = |row: &TimedEvidence| {
            row.attempts[attempt].iter().copied().take(whole(row.shard)).collect()
        };
        rows.iter().map(cut).collect()
    };
    (0..attempts).map(of_attempt).collect()
}

fn decides<T>(rows: &[(&mut MetricResult, T)]) -> bool {
    rows.iter().any(|(row, _)| row.rule.policy == MetricPolicy::Gate)
}

/// Judges the rows of a lane, and returns how many decide.
fn judge_each<T>(
    rows: Vec<(&mut MetricResult, T)>,
    judge: impl Fn(&[Hypothesis], &[T]) -> Vec<MetricFinding>,
) -> usize {
    let (gating, reported): (Vec<_>, Vec<_>) =
        rows.into_iter().partition(|(row, _)| row.rule.policy == MetricPolicy::Gate);
    let family = gating.len();
    if family > 0 {
        let (gating, evidence): (Vec<_>, Vec<_>) = gating.into_iter().unzip();
        let hypotheses: Vec<_> = gating.iter().map(|row| hypothesis(row.rule)).collect();
        for (row, finding) in gating.into_iter().zip(judge(&hypotheses, &evidence)) {
            row.finding = finding;
        }
    }
    // Outside the family: what never decides needs no share of the error rate.
    for (row, evidence) in reported {
        let finding = judge(&[hypothesis(row.rule)], &[evidence]).into_iter().next();
        row.finding = finding.expect("one hypothesis, one finding");
        if let Some(judgement) = row.judgement().copied() {
            row.finding = MetricFinding::Reported(judgement);
        }
    }
    family
}

/// Whether a launch answered requests in no time of its processors.
fn is_idle(scenario: &ScenarioRun) -> bool {
    let idle = |trial: &LaunchResult| trial.requests > 0 && trial.cpu_ns == Some(0);
    match &scenario.trials {
        LaunchResults::Paired(pairs) => {
            pairs.iter().any(|pair| idle(&pair.base) || idle(&pair.head))
        }
        LaunchResults::Single(trials) => trials.iter().any(idle),
    }
}

/// Whether a launch was measured that did nothing: no rate of errors, no limit would notice.
fn is_silent(scenario: &ScenarioRun) -> bool {
    match &scenario.trials {
        LaunchResults::Paired(pairs) => {
            pairs.iter().any(|pair| pair.base.requests == 0 || pair.head.requests == 0)
        }
        LaunchResults::Single(trials) => trials.iter().any(|trial| trial.requests == 0),
    }
}

/// Why a run that ended early has no outcome.
fn early_end(run: &Run, launches: usize, is_regressed: bool) -> Option<FailureReport> {
    match &run.ended {
        Some(EarlyEnd::Failed { side, scenario, reason }) => {
            let during = scenario.as_ref().map(|name| format!(" in `{name}`")).unwrap_or_default();
            Some(reason.clone().within(format!("{}{during}", side.name())))
        }
        // A verdict stands wherever the evidence ends; what has none was not measured to its end.
        Some(EarlyEnd::Interrupted) if !is_regressed => {
            let planned = run.launches_planned;
            Some(format!("interrupted after {launches} of {planned} launches").into())
        }
        Some(EarlyEnd::HeadFailed(_) | EarlyEnd::Interrupted) | None => None,
    }
}

/// What a run lacks, without which it has no outcome.
fn gap(run: &Run, launches: usize, rows: &[MetricResult]) -> Option<FailureReport> {
    if let Some(reason) = work::missing(run) {
        return Some(reason);
    }
    if rows.is_empty() || (launches == 0 && run.launches_planned > 0) {
        return Some("nothing was measured".into());
    }
    if let Some(scenario) = run.scenarios.iter().find(|scenario| is_idle(scenario)) {
        let name = &scenario.name;
        let reason = format!(
            "in scenario {name} a launch answered requests without any CPU time: the process that was measured is not \
             the one that answers"
        );
        return Some(reason.into());
    }
    let silent = run.scenarios.iter().find(|scenario| is_silent(scenario))?;
    Some(format!("in scenario {} a launch answered no requests", silent.name).into())
}

fn outcome(
    run: &Run,
    launches: usize,
    rows: &[MetricResult],
    promises: &[LimitCheck],
) -> ComparisonOutcome {
    let any = |verdict| rows.iter().any(|row| row.verdict() == Some(verdict));
    if matches!(run.ended, Some(EarlyEnd::HeadFailed(_))) {
        return ComparisonOutcome::Regressed;
    }
    let missing =
        early_end(run, launches, any(Verdict::Regressed)).or_else(|| gap(run, launches, rows));
    if let Some(reason) = missing {
        return ComparisonOutcome::NotMeasured(reason);
    }
    if any(Verdict::Regressed) || promises.iter().any(|promise| !promise.holds()) {
        ComparisonOutcome::Regressed
    } else if any(Verdict::Inconclusive) || rows.iter().any(MetricResult::is_lost) {
        ComparisonOutcome::Inconclusive
    } else if any(Verdict::Improved) {
        ComparisonOutcome::Improved
    } else {
        ComparisonOutcome::Pass
    }
}

#[cfg(test)]
mod tests;
