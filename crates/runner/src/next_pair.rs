//! Gets a launch pair ready while the one before it ends and is judged: then nothing is measured, and a copy of a
//! program disturbs nothing.

use std::thread::{self, JoinHandle};

use record::Side;
use relink::ProgramPair;
use sut::placement::ProgramPlacement;
use sut::{CpuSet, TargetCommand};

use crate::{BuildSource, SutBuild};

/// A launch pair that has not begun.
pub(super) struct NextPair {
    /// Which side is launched first.
    pub(super) first: Side,
    programs: Option<ProgramPair>,
    /// The programs for the launches, in the order of launch; none where that is left to them.
    placing: [Option<JoinHandle<ProgramPlacement>>; 2],
}

/// What it takes to place the program of a launch.
pub(super) struct ProgramPlacing {
    /// Of the launch.
    pub(super) command: TargetCommand,
    /// Where this may run, if the thread that asks for it is kept to the load's processor: the load rests.
    pub(super) cpus: Option<CpuSet>,
}

impl ProgramPlacing {
    fn run(self) -> ProgramPlacement {
        // On one processor, which is where this thread came from, it only takes longer.
        let _free = self.cpus.as_ref().map(CpuSet::pin_thread);
        self.command.place_program()
    }
}

impl NextPair {
    /// Leaves it to the launches to draw where the pages of the programs lie.
    pub(super) fn unplaced(first: Side, programs: Option<ProgramPair>) -> Self {
        Self { first, programs, placing: [None, None] }
    }

    /// Draws where the pages of both programs lie, at the same time, beginning with that which is launched `first`.
    pub(super) fn begin(
        first: Side,
        programs: Option<ProgramPair>,
        placing: [Option<ProgramPlacing>; 2],
    ) -> Self {
        // Where the system refuses a thread, it is left to the launches too.
        let begin = |placing: ProgramPlacing| thread::Builder::new().spawn(|| placing.run()).ok();
        Self { first, programs, placing: placing.map(|placing| placing.and_then(begin)) }
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
        // What could not be placed is placed at its launch.
        self.placing.each_mut().map(|placing| placing.take()?.join().ok())
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
