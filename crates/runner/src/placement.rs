//! Decides whether programs are copied at each launch, and writes down where their code lay.

use std::path::PathBuf;

use record::{LayoutState, PlacementRecord};
use sut::Target;
use sut::layout::layout_state;
use sut::placement::{is_same_file, mapping_states};

use crate::{BuildSource, RunPlan, SutBuild};

/// Returns the folder for copies that cannot be made beside their program, if copies are wanted:
/// where two builds are compared that do not execute one file.
pub(super) fn copies_folder(plan: &RunPlan<'_>) -> Option<PathBuf> {
    let base = program(plan.base.as_ref()?);
    let shared =
        base.zip(program(&plan.head)).is_some_and(|(base, head)| is_same_file(&base, &head));
    (!shared).then(|| plan.logs.clone())
}

/// Returns what is known before the first launch: where functions of head lie against base.
pub(super) fn layout(plan: &RunPlan<'_>) -> Option<LayoutState> {
    let (base, head) = (program(plan.base.as_ref()?)?, program(&plan.head)?);
    Some(layout_state(&base, &head))
}

/// Returns what a launch pair shows, while both sides run.
pub(super) fn observe(base: &Target, head: &Target) -> PlacementRecord {
    let mappings = base.executable_mappings().ok().zip(head.executable_mappings().ok());
    let states = mappings.map(|(base, head)| mapping_states(&base, &head)).unwrap_or_default();
    PlacementRecord {
        base: base.placement(),
        head: head.placement(),
        mappings: states.into_iter().collect(),
        ..PlacementRecord::default()
    }
}

/// The ELF file that a build executes as its program.
fn program(build: &SutBuild) -> Option<PathBuf> {
    let BuildSource::Start(command) = &build.source else { return None };
    command.elf_program()
}
