//! Sets head against base and says what follows.
//!
//! A [`Comparison`] is everything a report may show, computed once: no format derives a number of its
//! own. What decides, and how the error rate is shared among all that decides, is in [`decision`].

pub mod anatomy;
pub mod attempts;
pub mod calls;
pub mod confirmation;
pub mod cost;
pub mod counting;
pub mod decision;
pub mod details;
pub mod evidence_path;
pub mod function_changes;
mod identical;
mod judged_rows;
pub mod latency_shift;
mod launch_course;
pub mod level_history;
mod limits;
mod note;
mod offsets;
mod outcome;
pub mod proof;
mod row_context;
mod rows;
mod run_notes;
pub mod sensitivity;
pub mod stopping;
mod stored;
mod suspicion;
pub mod timeline;
mod values;
mod work;
mod work_change;

use thiserror::Error;

use crate::anatomy::RequestAnatomy;
use crate::attempts::AttemptSummary;
use crate::calls::ServiceCalls;
use crate::cost::ChangePrice;
use crate::decision::history::{HistoryClaim, HistoryJudgement};
use crate::decision::{DecisionRule, Hypothesis, Judgement, RuleError, Verdict};
use crate::details::ScenarioDetails;
use crate::evidence_path::EvidenceBasis;
use crate::judged_rows::FamilyJudgement;
use crate::latency_shift::LatencyShift;
use crate::level_history::LevelHistory;
use crate::rows::MeasuredRows;
use crate::timeline::LaunchTimeline;
use record::evidence::EvidenceState;
use record::metric::gate::{GateRules, MetricPolicy, MetricRule};
use record::metric::{BetterDirection, Metric};
use record::stage::StageTimes;
use record::work_unit::WorkUnit;
use record::{
    ContentError, EarlyEnd, FailureContrast, FailureReport, IdenticalProgram, Machine,
    OperationName, PlacementRecord, Revision, Run,
};
use units::Ratio;

pub use crate::limits::LimitCheck;
pub use crate::note::{ComparisonNote, LaunchCourse, OffsetRow};
pub use crate::stored::{BaselineOrigin, foreseeable, past};
pub use crate::suspicion::Suspicion;
pub use crate::values::level;
pub use crate::work::{CauseSummary, InstructionBreakdown, RankedHunk};
pub use crate::work_change::WorkChange;

/// What a run says: about each metric, each limit, and as a whole.
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
    pub limits: Vec<LimitCheck>,
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
    /// Those of the scenario that was settled after the fewest; as many as `launches` where none was before the last.
    pub launches_least: usize,
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
    /// What instructions were counted in, if they were.
    pub counted: Option<CountedLaunches>,
}

/// In what instructions were counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountedLaunches {
    /// Launches of each side in the scenario that had the fewest.
    pub least: usize,
    /// Launches of each side in the scenario that had the most.
    pub most: usize,
    /// Name and version of what counted.
    pub counter: String,
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
        let MeasuredRows { mut rows, evidence, limits, details, shifts } =
            MeasuredRows::of(run, earlier, &gate)?;
        let launches = stopping::launches(run);
        let FamilyJudgement { family, basis } = match mode(run) {
            ComparisonMode::Alone => FamilyJudgement::default(),
            ComparisonMode::Paired | ComparisonMode::Stored => {
                judged_rows::judge(run, &gate, &mut rows, evidence)?
            }
        };
        let suspicions = suspicion::suspicions(&rows, run);
        for (row, suspicion) in rows.iter_mut().zip(suspicions) {
            row.suspicion = suspicion;
        }
        let confirming = run.confirming.as_deref().map(Self::of).transpose()?;
        let confirmed = confirming.as_ref().map(|paired| confirmed(&mut rows, paired));
        let outcome = outcome::outcome(run, launches, &rows, &limits);
        let outcome = outcome::with_confirmation(outcome, confirming.as_ref());
        Ok(Self {
            base: stored::base(run)?,
            head: run.head.clone(),
            baseline: BaselineOrigin::of(run)?,
            machine: run.machine.clone(),
            limits,
            notes: run_notes::notes(run, &rows, confirmed.unwrap_or_default()),
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

    /// Returns whether every deciding metric that launch pairs measure of a scenario is *unchanged*, which is final.
    pub fn is_unchanged(&self, scenario: &str) -> bool {
        let decides = |row: &&MetricResult| {
            row.scenario == scenario
                && row.rule.policy == MetricPolicy::Gate
                && !row.metric.is_counted()
        };
        let mut deciding = self.rows.iter().filter(decides).peekable();
        // Of a scenario of which nothing decides nothing is known but its level.
        deciding.peek().is_some() && deciding.all(|row| row.verdict() == Some(Verdict::Unchanged))
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
        self.limits.iter().filter(|check| !check.holds())
    }
}

fn new_names(run: &Run) -> Vec<String> {
    let new = run.scenarios.iter().filter(|scenario| scenario.absent_in_base.is_some());
    new.map(|scenario| scenario.name.clone()).collect()
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

/// How the run was judged, by an error rate and for so many hypotheses.
fn method(
    run: &Run,
    confirming: Option<&Comparison>,
    alpha: f64,
    family: usize,
) -> ComparisonMethod {
    ComparisonMethod {
        launches: stopping::launches(run),
        launches_least: stopping::launches_least(run),
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

#[cfg(test)]
mod tests;
