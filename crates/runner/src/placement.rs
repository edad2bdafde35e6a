//! Decides whether programs are copied at each launch, and writes down where their code lay.

use std::path::PathBuf;

use record::{FunctionsInPlace, LayoutObstacle, LayoutState, PlacementRecord};
use relink::LayoutMatch;
use sut::Target;
use sut::layout::layout_state;
use sut::placement::{is_same_file, mapping_states};

use crate::{BuildSource, LayoutPlan, RunPlan, SutBuild};

/// Returns the folder for copies that cannot be made beside their program, if copies are wanted:
/// where two builds are compared that do not execute one file.
pub(super) fn copies_folder(plan: &RunPlan<'_>) -> Option<PathBuf> {
    let base = program(plan.base.as_ref()?);
    let shared =
        base.zip(program(&plan.head)).is_some_and(|(base, head)| is_same_file(&base, &head));
    (!shared).then(|| plan.logs.clone())
}

/// Returns what is known before the first launch: where functions of head lie against base.
pub(super) fn layout(plan: &RunPlan<'_>) -> PlacementRecord {
    let programs = plan.base.as_ref().and_then(program).zip(program(&plan.head));
    let as_built = programs.map(|(base, head)| layout_state(&base, &head));
    let of = |layout: LayoutState, matched: &LayoutMatch| {
        let places = matched.places();
        let counts = [places.common, places.in_place].map(|count| count as u64);
        let functions = FunctionsInPlace { common: counts[0], in_place: counts[1] };
        let (layout, functions) = (Some(layout), Some(functions));
        PlacementRecord { layout, functions, ..PlacementRecord::default() }
    };
    match (&plan.layout, as_built) {
        (LayoutPlan::Matched(matched), _) => of(LayoutState::Matched, matched),
        (LayoutPlan::Drawn(matched), _) => of(LayoutState::Drawn, matched),
        (LayoutPlan::DrawnIndependently(_), _) => {
            let layout = Some(LayoutState::DrawnIndependently);
            PlacementRecord { layout, ..PlacementRecord::default() }
        }
        (LayoutPlan::Obstructed(obstacle), Some(LayoutState::NotRedrawn)) => not_redrawn(*obstacle),
        (LayoutPlan::AsBuilt | LayoutPlan::Obstructed(_), layout) => {
            PlacementRecord { layout, ..PlacementRecord::default() }
        }
    }
}

/// Returns that functions of head lie elsewhere, and why they were left there.
pub(super) fn not_redrawn(obstacle: LayoutObstacle) -> PlacementRecord {
    PlacementRecord {
        layout: Some(LayoutState::NotRedrawn),
        layout_obstacle: Some(obstacle),
        ..PlacementRecord::default()
    }
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
