//! Measures builds, and passes on what happens meanwhile.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use compare::counting::CountingRule;
use compare::stopping::{self, Continuation, EarlyStopping, StoppingRule};
use compare::{Comparison, MetricResult};
use record::instruction_counts::CountedMetric;
use record::metric::gate::MetricPolicy;
use record::{ConfirmedRun, IdenticalProgram, Run};
use runner::{LayoutPlan, RunDecision, RunObserver, RunPlan, RunProgress, SutBuild, machine};

use crate::app::attempts::AttemptRecord;
use crate::app::budget::ComparisonBudget;
use crate::app::builds::{BuildFinder, BuildPair};
use crate::app::event::{Event, EventSink, LaunchUnit, MetricChange, ScenarioMetric, WarningKind};
use crate::app::layout;
use crate::app::twins;

/// When the measuring of a comparison ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ComparisonEnding {
    /// Time for measuring, if it is limited.
    pub budget: Option<Duration>,
    /// What ends it before its last launch pair.
    pub early: EarlyStopping,
}

impl Default for ComparisonEnding {
    fn default() -> Self {
        Self { budget: None, early: EarlyStopping::Decided }
    }
}

/// Measures one build, with nothing beside it.
pub(super) fn alone(
    finder: &BuildFinder<'_>,
    head: SutBuild,
    events: &mut dyn EventSink,
) -> Result<Run> {
    let logs = finder.selection.out.join("logs");
    let plan = RunPlan { base: None, ..plan(finder, head, logs)? };
    run(finder, &plan, LaunchUnit::Launch, &ComparisonEnding::default(), None, events)
}

/// What a comparison in launch pairs adds to.
#[derive(Default)]
pub(super) struct AttemptContext<'a> {
    /// The record of the attempts, if one is kept.
    pub(super) record: Option<&'a mut AttemptRecord>,
    /// The run of another machine that is confirmed, if one is.
    pub(super) confirmed: Option<&'a Run>,
    /// Of so many requests to head one is sent and not counted.
    pub(super) uncounted_every: Option<u64>,
}

/// Measures two builds in turn; the targets' output goes into `logs`.
pub(super) fn paired(
    finder: &BuildFinder<'_>,
    builds: &BuildPair,
    logs: PathBuf,
    ending: &ComparisonEnding,
    events: &mut dyn EventSink,
) -> Result<Run> {
    attempt(finder, builds, logs, ending, AttemptContext::default(), events)
}

/// Measures two builds in turn, as one attempt of several.
pub(super) fn attempt(
    finder: &BuildFinder<'_>,
    builds: &BuildPair,
    logs: PathBuf,
    ending: &ComparisonEnding,
    context: AttemptContext<'_>,
    events: &mut dyn EventSink,
) -> Result<Run> {
    let sampling = &finder.suite.sampling;
    if sampling.has_looks {
        let launch_pairs = sampling.launch_pairs_max;
        events.emit(Event::Warning(WarningKind::LooksAreCap { launch_pairs }));
    }
    // Before copies: linking head again may replace its program.
    let layout = layout::plan(finder, builds, events)?;
    let (base, head) = (Some(builds.base.clone()), builds.head.clone());
    let plan = RunPlan {
        base,
        layout,
        budget: ending.budget,
        evidence: context.record.as_ref().map(|record| record.state.clone()),
        confirms: context.confirmed.map(ConfirmedRun::of),
        uncounted_every: context.uncounted_every,
        built_since: if builds.is_built() { sut::invoked_at() } else { None },
        ..plan(finder, head, logs)?
    };
    let mut run = run(finder, &plan, LaunchUnit::LaunchPair, ending, context.record, events)?;
    run.offsets = twins::offsets(finder);
    Ok(run)
}

/// Returns the record of two builds that are one program.
pub(super) fn identical(
    finder: &BuildFinder<'_>,
    builds: &BuildPair,
    program: IdenticalProgram,
) -> Result<Run> {
    let logs = finder.selection.out.join("logs");
    let base = Some(builds.base.clone());
    let plan = RunPlan { base, ..plan(finder, builds.head.clone(), logs)? };
    Ok(Run { stages: finder.selection.clock.take(), ..runner::identical(&plan, program) })
}

/// Says what will be detectable, if the last run of the same configuration lets that be known.
pub(super) fn announce(
    finder: &BuildFinder<'_>,
    ending: &ComparisonEnding,
    events: &mut dyn EventSink,
) {
    let suite = finder.suite;
    // Without an earlier run, or with one of another version, there is nothing to reckon from.
    let Ok(earlier) = Run::load(&finder.selection.out.join("report/run.json")) else { return };
    if earlier.config != suite.digest || earlier.machine != machine::read() {
        return;
    }
    let launch_pairs_max = suite.sampling.launch_pairs_max;
    let budget = ComparisonBudget { launch_pairs_max, budget: ending.budget };
    if let Some(text) = budget.foresee(&earlier) {
        events.emit(Event::Noted { text: &text });
    }
}

fn plan<'a>(finder: &BuildFinder<'a>, head: SutBuild, logs: PathBuf) -> Result<RunPlan<'a>> {
    let selection = finder.selection;
    Ok(RunPlan {
        suite: finder.suite,
        base: None,
        head,
        budget: None,
        built_since: None,
        coins: selection.assignment_seed()?,
        evidence: None,
        confirms: None,
        uncounted_every: None,
        lifetime: selection.workplace.lifetime,
        layout: LayoutPlan::AsBuilt,
        logs,
        live: selection.live.clone(),
        clock: selection.clock.clone(),
        invocation: selection.invocation.clone(),
    })
}

fn run(
    finder: &BuildFinder<'_>,
    plan: &RunPlan<'_>,
    unit: LaunchUnit,
    ending: &ComparisonEnding,
    record: Option<&mut AttemptRecord>,
    events: &mut dyn EventSink,
) -> Result<Run> {
    events.emit(Event::MeasuringStarted { unit, live: &plan.live });
    let (stopping, suite) = (StoppingRule { early: ending.early }, plan.suite);
    let counting = CountingRule::of(&suite.gate, suite.scenarios.len(), plan.evidence.as_ref());
    let mut follower = RunFollower { stopping, counting, record, events };
    let run = runner::run(plan, &mut follower, finder.cancel);
    events.emit(Event::MeasuringEnded);
    Ok(run?)
}

/// Passes on what a run does, and ends it by the stopping rule.
struct RunFollower<'a> {
    stopping: StoppingRule,
    counting: CountingRule<'a>,
    record: Option<&'a mut AttemptRecord>,
    events: &'a mut dyn EventSink,
}

impl RunObserver for RunFollower<'_> {
    fn progress(&mut self, progress: RunProgress<'_>) {
        self.events.emit(progress.into());
    }

    fn is_counted_enough(&mut self, scenario: &str, counted: &[CountedMetric<'_>]) -> bool {
        self.counting.is_settled(scenario, counted)
    }

    fn launch_pair_ended(&mut self, run: &Run) -> RunDecision {
        // Before anything else: what was measured must survive whatever becomes of this process.
        if let Some(record) = &mut self.record
            && !record.keep(run)
        {
            return RunDecision::Stop;
        }
        // A record that cannot be judged is reported, with its reason, when the run has ended.
        let Ok(comparison) = Comparison::of(run) else {
            return RunDecision::Continue { settled: Vec::new() };
        };
        self.events.emit(Event::EstimateUpdated {
            launch_pairs: comparison.method.launches,
            elapsed: Duration::from_nanos(run.wall_ns),
            changes: changes(&comparison),
        });
        match self.stopping.next(run, &comparison) {
            Continuation::Continue => {
                RunDecision::Continue { settled: stopping::settled(run, &comparison) }
            }
            Continuation::Stop(_) => RunDecision::Stop,
        }
    }
}

impl<'a> From<RunProgress<'a>> for Event<'a> {
    fn from(progress: RunProgress<'a>) -> Self {
        match progress {
            RunProgress::Preparing { scenario } => Self::PayloadStarted { scenario },
            RunProgress::Counting { scenario } => Self::CountingStarted { scenario },
            RunProgress::Networking => Self::NetworkStarted,
            RunProgress::Launching { launch, of } => Self::LaunchStarted { done: launch, of },
            RunProgress::Driving { scenario } => Self::ScenarioStarted { scenario },
            RunProgress::Launched { done, of, elapsed } => Self::LaunchEnded { done, of, elapsed },
        }
    }
}

/// The change of each metric that decides.
fn changes(comparison: &Comparison) -> Vec<MetricChange> {
    let gating = comparison.rows.iter().filter(|row| row.rule.policy == MetricPolicy::Gate);
    let change = |row: &MetricResult| {
        let of = ScenarioMetric::of(row);
        Some(MetricChange { of, change_ln: row.change()?.estimate_ln })
    };
    gating.filter_map(change).collect()
}
