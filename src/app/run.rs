//! Measures one build alone.

use anyhow::Result;
use compare::Comparison;
use record::stage::StageTimes;
use units::cancel::Cancel;

use crate::app::builds::BuildFinder;
use crate::app::event::EventSink;
use crate::app::failure::UseCaseError;
use crate::app::measure;
use crate::app::result_files;
use crate::app::selection::{SuiteSelection, TargetUse};

/// What is measured.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// The choice of what is measured.
    pub selection: SuiteSelection,
    /// Command that starts the target, instead of the configuration's.
    pub start: Option<String>,
    /// Launches, instead of the configuration's.
    pub launches: Option<u16>,
}

/// What a run yields.
#[derive(Debug)]
pub struct RunOutcome {
    /// What it says.
    pub comparison: Comparison,
    /// Where the time went, writing its files included.
    pub stages: StageTimes,
    /// Why its files could not be written, if so.
    pub lost: Option<UseCaseError>,
}

/// Measures, writes the run and its reports, and returns what it says.
pub fn run(
    options: &RunOptions,
    events: &mut dyn EventSink,
    cancel: &Cancel,
) -> Result<RunOutcome> {
    let selection = &options.selection;
    let mut suite = selection.suite(TargetUse::unless(options.start.is_some()))?;
    if let Some(launches) = options.launches {
        suite.sampling.launches = launches.into();
    }
    selection.prepare(events)?;
    let room = selection.reserve_room(&suite)?;
    let finder = BuildFinder { selection, suite: &suite, cancel };
    let head = finder.head(options.start.as_deref(), events)?;
    let run = measure::alone(&finder, head, events)?;
    let comparison = Comparison::of(&run)?;
    let lost = result_files::keep(selection, room, &run, &comparison, events);
    let stages = result_files::stages(selection, &run);
    selection.telemetry.finish(&run, &comparison, events);
    Ok(RunOutcome { comparison, stages, lost })
}
