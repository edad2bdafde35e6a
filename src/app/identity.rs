//! Decides whether both builds are one program, so that there is nothing to measure.

use std::path::{Path, PathBuf};

use anyhow::Result;
use checkout::{HeadState, InputScope, ProgramFiles, ProgramTree};
use record::{IdenticalProgram, Run};
use runner::{BuildSource, SutBuild};
use units::environment::EnvValue;

use crate::app::builds::{BuildFinder, BuildOrigin, BuildPair};
use crate::app::event::{Event, EventSink};
use crate::app::measure;

/// What becomes of a comparison whose sides are one program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdenticalPrograms {
    /// It is over: nothing is measured.
    Skip,
    /// It is measured all the same.
    Measure,
}

/// Returns the record of a comparison whose sides are one program; none where they are not, or where that
/// cannot be known: then it is measured. What lies in `own` folders is no part of a side.
pub(super) fn identical_run(
    finder: &BuildFinder<'_>,
    builds: &BuildPair,
    own: &[PathBuf],
    events: &mut dyn EventSink,
) -> Result<Option<Run>> {
    let Some(files) = identical_files(finder, builds, own) else { return Ok(None) };
    let program = record(&files);
    events.emit(Event::ProgramsIdentical { program: &program });
    measure::identical(finder, builds, program).map(Some)
}

/// Returns what a record has of a program that both sides are.
pub(super) fn record(files: &ProgramFiles) -> IdenticalProgram {
    let executable = files.executable().map(|path| path.to_string_lossy().into_owned());
    IdenticalProgram { sha256: files.sha256(), executable }
}

fn identical_files(
    finder: &BuildFinder<'_>,
    builds: &BuildPair,
    own: &[PathBuf],
) -> Option<ProgramFiles> {
    let (base, head) = (&builds.base, &builds.head);
    let commit = base.revision.commit.as_deref()?;
    let is_started_alike =
        base.revision.start == head.revision.start && environment(base) == environment(head);
    if !is_started_alike || is_input_changed(finder, commit, head_state(builds)?, own)? {
        return None;
    }
    let files = |build: &SutBuild, root: Option<&Path>| program_files(build, root, own);
    let (base_root, head_root) = builds.roots();
    let (base, head) = (files(base, base_root)?, files(head, head_root)?);
    base.is_same_program(&head).then_some(base)
}

/// The variables that the configuration gives a build: those of another commit's may be others.
fn environment(build: &SutBuild) -> Option<&[(String, EnvValue)]> {
    match &build.source {
        BuildSource::Start(command) => Some(&command.env),
        BuildSource::Attach(_) => None,
    }
}

/// Reads what a build executes; none where that cannot be read in seconds.
pub(super) fn program_files(
    build: &SutBuild,
    root: Option<&Path>,
    own: &[PathBuf],
) -> Option<ProgramFiles> {
    let BuildSource::Start(command) = &build.source else { return None };
    // What an image holds is none of the tree's files.
    if command.container.is_some() {
        return None;
    }
    let start = shlex::split(&command.start)?;
    let dir = command.dir.as_path();
    let root = root.map_or_else(|| checkout::root(dir), |root| Ok(root.to_owned())).ok()?;
    let tree = ProgramTree { dir, root: &root, start: &start, excluded: own };
    ProgramFiles::read(tree).ok()?
}

/// What head is, against base's commit; none where the sides are not known to be of commits.
pub(super) fn head_state(builds: &BuildPair) -> Option<HeadState<'_>> {
    Some(match builds.origin {
        BuildOrigin::Given => return None,
        BuildOrigin::Commits => HeadState::Commit(builds.head.revision.commit.as_deref()?),
        BuildOrigin::Checkout => match builds.roots().0 {
            Some(base_root) => HeadState::Checkout { base_root },
            // Both sides are started in the checkout, which is what its commit says.
            None => HeadState::Commit(builds.base.revision.commit.as_deref()?),
        },
    })
}

/// Whether any file that the target may read differs between a commit and head; none where git cannot tell.
pub(super) fn is_input_changed(
    finder: &BuildFinder<'_>,
    base: &str,
    head: HeadState<'_>,
    own: &[PathBuf],
) -> Option<bool> {
    let target = &finder.suite.target;
    let scope = InputScope { dir: &target.dir, inputs: &target.inputs, excluded: own };
    Some(!checkout::changed_inputs(scope, base, head).ok()?.is_empty())
}
