//! Compares a list of releases, each with the one before it.

use std::path::Path;

use anyhow::{Context as _, Result};
use compare::{Comparison, ComparisonOutcome};
use record::Run;
use record::metric::gate::ERROR_RATES;
use units::Ratio;
use units::cancel::Cancel;

use crate::app::builds::{BuildFinder, BuildPair, CommitRange};
use crate::app::event::{Event, EventSink};
use crate::app::failure::UseCaseError;
use crate::app::identity::{self, IdenticalPrograms};
use crate::app::measure::{self, ComparisonEnding};
use crate::app::result_files;
use crate::app::selection::{self, SuiteSelection, TargetUse};

/// Which releases are compared, and how.
#[derive(Debug, Clone)]
pub struct MatrixOptions {
    /// The choice of what is measured.
    pub selection: SuiteSelection,
    /// The releases, the oldest first.
    pub releases: Vec<String>,
    /// When measuring ends.
    pub ending: ComparisonEnding,
    /// What follows if a release is the program of the one before it.
    pub identical: IdenticalPrograms,
}

/// What a list of releases yields.
#[derive(Debug)]
pub struct MatrixOutcome {
    /// The steps that were measured, in order.
    pub steps: Vec<ReleaseStep>,
    /// Chance of a false alarm over all steps.
    pub alpha: Ratio,
    /// What follows from all steps: the gravest of their outcomes.
    pub outcome: ComparisonOutcome,
    /// Why the files of a step could not be written, if so.
    pub lost: Option<UseCaseError>,
}

/// One release against the one before it.
#[derive(Debug)]
pub struct ReleaseStep {
    /// Both releases.
    pub range: CommitRange,
    /// What came of them.
    pub comparison: Comparison,
}

/// Measures every step. They share the chance of a false alarm in equal parts.
pub fn matrix(
    options: &MatrixOptions,
    events: &mut dyn EventSink,
    cancel: &Cancel,
) -> Result<MatrixOutcome> {
    let mut suite = options.selection.suite(TargetUse::Needed)?;
    selection::ensure_decidable(&suite)?;
    options.selection.prepare(events)?;
    let ranges = ranges(&options.releases);
    if ranges.is_empty() {
        return Err(UseCaseError::NoStep.into());
    }
    for name in &options.releases {
        checkout::commit(&suite.target.dir, name)?;
    }
    let (steps, alpha) = (ranges.len(), Ratio(suite.gate.alpha));
    suite.gate.alpha /= steps as f64;
    if suite.gate.alpha < *ERROR_RATES.start() {
        return Err(UseCaseError::ErrorRateTooThin { steps, alpha }.into());
    }
    let finder = BuildFinder { selection: &options.selection, suite: &suite, cancel };
    let (mut measured, mut lost) = (Vec::new(), None);
    let mut room = options.selection.reserve_room(&suite)?;
    for (range, number) in ranges.into_iter().zip(1..) {
        let (base, head) = (range.base.as_str(), range.head.as_str());
        events.emit(Event::StepStarted { base, head, number, of: steps });
        let builds =
            finder.range(&range, events).with_context(|| format!("cannot build {range}"))?;
        let folder = options.selection.out.join(format!("matrix/{number}"));
        let run = step(options, &finder, &builds, &folder, events)?;
        let comparison = Comparison::of(&run)?;
        drop(room);
        let files = result_files::write(&folder.join("report"), &run, &comparison);
        lost = lost.or(files);
        measured.push(ReleaseStep { range, comparison });
        // What ended one step early would end the next as well: a build, a signal.
        if run.ended.is_some() || number == steps {
            break;
        }
        room = match options.selection.reserve_room(&suite) {
            Ok(room) => room,
            Err(full) => {
                lost = lost.or(Some(full));
                break;
            }
        };
    }
    let outcomes = measured.iter().map(|step| step.comparison.outcome.clone());
    let outcome = outcomes.min().expect("a matrix has a step");
    Ok(MatrixOutcome { steps: measured, alpha, outcome, lost })
}

/// Measures a step, unless both of its releases are one program.
fn step(
    options: &MatrixOptions,
    finder: &BuildFinder<'_>,
    builds: &BuildPair,
    folder: &Path,
    events: &mut dyn EventSink,
) -> Result<Run> {
    if options.identical == IdenticalPrograms::Skip {
        let own = options.selection.own_folders(&[]);
        if let Some(run) = identity::identical_run(finder, builds, &own, events)? {
            return Ok(run);
        }
    }
    measure::paired(finder, builds, folder.join("logs"), &options.ending, events)
}

/// Returns each release with the one before it.
fn ranges(releases: &[String]) -> Vec<CommitRange> {
    let steps = releases.iter().zip(releases.iter().skip(1));
    steps.map(|(base, head)| CommitRange { base: base.clone(), head: head.clone() }).collect()
}
