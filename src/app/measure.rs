//! Measures builds, and passes on what happens meanwhile.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use record::Run;
use record::metric::gate::StoppingRule;
use runner::{RunObserver, RunPlan, SutBuild, machine};
use suite::Suite;

use crate::app::budget::{ComparisonBudget, every_look};
use crate::app::builds::{BuildFinder, BuildPair};
use crate::app::event::{Event, EventSink, LaunchUnit};
use crate::app::selection::{self, SuiteSelection};

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

/// A measurement that is about to begin.
#[derive(Debug, Clone, Copy)]
pub struct PlannedRun<'a> {
    /// What it repeats.
    pub unit: LaunchUnit,
    /// What is measured, and where the results go.
    pub selection: &'a SuiteSelection,
    /// The suite.
    pub suite: &'a Suite,
    /// When it ends.
    pub ending: &'a ComparisonEnding,
}

/// Makes what follows a run.
pub trait RunFollower {
    /// Returns what follows a run that is about to begin.
    fn observer(&mut self, planned: PlannedRun<'_>) -> Box<dyn RunObserver>;
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
    let (selection, suite) = (finder.selection, finder.suite);
    let mut observer = events.observer(PlannedRun { unit, selection, suite, ending });
    Ok(runner::run(plan, observer.as_mut(), finder.cancel)?)
}
