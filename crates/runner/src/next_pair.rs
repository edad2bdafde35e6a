//! Gets a launch pair ready while the one before it ends and is judged: then nothing is measured, and a copy of a
//! program disturbs nothing.

use std::thread::{self, JoinHandle};

use record::Side;
use relink::ProgramPair;
use sut::TargetCommand;
use sut::placement::ProgramPlacement;

use crate::{BuildSource, SutBuild};

/// A launch pair that has not begun.
pub(super) struct NextPair {
    /// Which side is launched first.
    pub(super) first: Side,
    programs: Option<ProgramPair>,
    /// The programs for the launches, in the order of launch.
    placing: Option<JoinHandle<Vec<Option<ProgramPlacement>>>>,
}

impl NextPair {
    /// Draws where the pages of the programs lie, of that which is launched `first` before the other, as it is
    /// at a launch; without `commands` that is left to the launches.
    pub(super) fn begin(
        first: Side,
        programs: Option<ProgramPair>,
        commands: Option<[Option<TargetCommand>; 2]>,
    ) -> Self {
        let place = |command: Option<TargetCommand>| Some(command?.place_program());
        // Where the system refuses a thread, it is left to the launches too.
        let placing = commands.and_then(|commands| {
            let place_all = move || commands.into_iter().map(place).collect();
            thread::Builder::new().spawn(place_all).ok()
        });
        Self { first, programs, placing }
    }

    /// Returns the program of a side that its launch executes a copy of, if it was linked again.
    pub(super) fn relinked(&self, side: Side) -> Option<std::path::PathBuf> {
        let programs = self.programs.as_ref()?;
        Some(match side {
            Side::Base => programs.base.clone(),
            Side::Head => programs.head.clone(),
        })
    }

    /// Waits until the programs are placed, and returns them in the order of launch.
    pub(super) fn placed(&mut self) -> [Option<ProgramPlacement>; 2] {
        let Some(placing) = self.placing.take() else { return [None, None] };
        // What could not be placed is placed at its launch.
        let mut placed = placing.join().unwrap_or_default().into_iter();
        [placed.next().flatten(), placed.next().flatten()]
    }
}

impl Drop for NextPair {
    /// Waits for copies that are being made, so that they are deleted and not left behind.
    fn drop(&mut self) {
        drop(self.placed());
    }
}

/// Returns how a build is started.
pub(super) fn command(build: &SutBuild) -> Option<&TargetCommand> {
    match &build.source {
        BuildSource::Start(command) => Some(command),
        BuildSource::Attach(_) => None,
    }
}
