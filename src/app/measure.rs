//! Measures builds, and passes on what happens meanwhile.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use compare::decision::Verdict;
use compare::{Comparison, MetricResult};
use record::Run;
use record::metric::gate::{MetricPolicy, StoppingRule};
use runner::{RunDecision, RunObserver, RunPlan, RunProgress, SutBuild, machine};
use suite::Suite;

use crate::app::budget::{ComparisonBudget, every_look};
use crate::app::builds::{BuildFinder, BuildPair};
use crate::app::event::{Event, EventSink, LaunchUnit, MetricChange, ScenarioMetric};
use crate::app::selection;

/// When the measuring of a comparison ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ComparisonEnding {
    /// Time for measuring, if it is limited.
    pub budget: Option<Duration>,
    /// Launch pairs at most, where there is a look after each until every metric is decided.
    pub until_decided: Option<usize>,
    /// What becomes of a comparison at a regression.
    pub at_regression: RegressionStop,
}

impl ComparisonEnding {
    /// Sets the rule and the looks of a suite, and fails if no verdict could come of them.
    pub(super) fn apply(&self, suite: &mut Suite) -> Result<()> {
        if let Some(launch_pairs) = self.until_decided {
            suite.gate.stopping = StoppingRule::UntilDecided;
            suite.sampling.looks =
                every_look(suite.gate.alpha, launch_pairs).context("unusable `--until-decided`")?;
        } else if self.budget.is_none() {
            // With a budget, the looks follow from the time that a launch pair takes.
            selection::ensure_decidable(suite)?;
        }
        Ok(())
    }
}

/// What becomes of a comparison when a metric has regressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RegressionStop {
    /// It ends at the first one.
    First,
    /// It goes on until every metric is decided.
    #[default]
    Never,
}

/// Measures one build, with nothing beside it.
pub(super) fn alone(
    finder: &BuildFinder<'_>,
    head: SutBuild,
    events: &mut dyn EventSink,
) -> Result<Run> {
    let logs = finder.selection.out.join("logs");
    let plan = RunPlan { base: None, ..plan(finder, head, logs)? };
    run(finder, &plan, LaunchUnit::Launch, &ComparisonEnding::default(), events)
}

/// Measures two builds in turn; the targets' output goes into `logs`.
pub(super) fn paired(
    finder: &BuildFinder<'_>,
    builds: &BuildPair,
    logs: PathBuf,
    ending: &ComparisonEnding,
    events: &mut dyn EventSink,
) -> Result<Run> {
    let (base, head) = (Some(builds.base.clone()), builds.head.clone());
    let plan = RunPlan { base, ..plan(finder, head, logs)? };
    run(finder, &plan, LaunchUnit::LaunchPair, ending, events)
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
    let budget = ComparisonBudget::of(&suite.gate, ending.budget);
    if let Some(text) = budget.foresee(&earlier, &suite.sampling.looks) {
        events.emit(Event::Noted { text: &text });
    }
}

fn plan<'a>(finder: &BuildFinder<'a>, head: SutBuild, logs: PathBuf) -> Result<RunPlan<'a>> {
    let selection = finder.selection;
    Ok(RunPlan {
        suite: finder.suite,
        base: None,
        head,
        coins: selection.assignment_seed()?,
        logs,
        live: selection.live.clone(),
    })
}

fn run(
    finder: &BuildFinder<'_>,
    plan: &RunPlan<'_>,
    unit: LaunchUnit,
    ending: &ComparisonEnding,
    events: &mut dyn EventSink,
) -> Result<Run> {
    events.emit(Event::MeasuringStarted { unit, live: &plan.live });
    let budget = ComparisonBudget::of(&finder.suite.gate, ending.budget);
    let mut follower = RunFollower { budget, at_regression: ending.at_regression, events };
    let run = runner::run(plan, &mut follower, finder.cancel);
    events.emit(Event::MeasuringEnded);
    Ok(run?)
}

/// Passes on what a run does, and ends it.
struct RunFollower<'a> {
    budget: ComparisonBudget,
    at_regression: RegressionStop,
    events: &'a mut dyn EventSink,
}

impl RunObserver for RunFollower<'_> {
    fn progress(&mut self, progress: RunProgress<'_>) {
        self.events.emit(progress.into());
    }

    fn paced(
        &mut self,
        launch_pair: Duration,
        counting: Duration,
    ) -> Result<Option<Vec<usize>>, String> {
        self.budget.looks(launch_pair, counting)
    }

    fn look(&mut self, run: &Run) -> RunDecision {
        // A record that cannot be judged is reported, with its reason, when the run has ended.
        let Ok(comparison) = Comparison::of(run) else { return RunDecision::Continue };
        self.events.emit(Event::EstimateUpdated {
            launch_pairs: comparison.method.launches,
            elapsed: Duration::from_nanos(run.wall_ns),
            changes: changes(&comparison),
        });
        let failed =
            self.at_regression == RegressionStop::First && comparison.count(Verdict::Regressed) > 0;
        if failed || self.budget.is_spent(run) || comparison.is_decided() {
            RunDecision::Stop
        } else {
            RunDecision::Continue
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
        let of = ScenarioMetric { scenario: row.scenario.clone(), metric: row.metric };
        Some(MetricChange { of, change_ln: row.change()?.estimate_ln })
    };
    gating.filter_map(change).collect()
}
