//! Drives one launch, or the two of a launch pair, through one scenario.

use crate::call_watch::DrivenLaunch;
use crate::failure_contrast;
use crate::launch_failure::LaunchFailure;
use crate::side_driver::SideDriver;
use crate::warm_up;
use record::Side;
use record::stage::RunStage;
use suite::SamplingPlan;

/// Drives a launch alone. Stretches follow each other without a break.
pub(super) fn single(
    mut side: SideDriver<'_>,
    sampling: &SamplingPlan,
) -> Result<DrivenLaunch, LaunchFailure> {
    let plan = side.warm_up;
    let clock = side.clock;
    clock.time(RunStage::WarmUp, || warm_up::warm_up(&mut [&mut side], plan))?;
    clock.time(RunStage::Observe, || side.begin())?;
    while let Some(stretch) = side.next_stretch(sampling) {
        side.drive(stretch)?;
    }
    clock.time(RunStage::Observe, || side.trial())
}

/// Drives base and head in turn. The one that was launched `first` is warmed up first; the first of every
/// two stretches is drawn by `coin`.
pub(super) fn paired(
    mut sides: [SideDriver<'_>; 2],
    first: Side,
    sampling: &SamplingPlan,
    coin: &mut dyn FnMut() -> Side,
) -> Result<(DrivenLaunch, DrivenLaunch), LaunchFailure> {
    drive_in_turn(&mut sides, first, sampling, coin)
        .map_err(|failure| failure_contrast::contrast(&mut sides, failure))?;
    let [base, head] = sides;
    let clock = base.clock;
    clock.time(RunStage::Observe, || Ok((base.trial()?, head.trial()?)))
}

fn drive_in_turn(
    sides: &mut [SideDriver<'_>; 2],
    first: Side,
    sampling: &SamplingPlan,
    coin: &mut dyn FnMut() -> Side,
) -> Result<(), LaunchFailure> {
    // What is done first pays for what this program does for the first time.
    let plan = sides[0].warm_up;
    let clock = sides[0].clock;
    clock.time(RunStage::WarmUp, || warm_up::warm_up(&mut in_order(sides, first), plan))?;
    for side in in_order(sides, first) {
        clock.time(RunStage::Observe, || side.begin())?;
    }
    while let Some(stretch) = sides.iter().find_map(|side| side.next_stretch(sampling)) {
        for side in in_order(sides, coin()) {
            side.drive(stretch)?;
        }
    }
    Ok(())
}

/// Returns both sides, the one that is to be `first` before the other.
fn in_order<'a, 'b>(
    sides: &'b mut [SideDriver<'a>; 2],
    first: Side,
) -> [&'b mut SideDriver<'a>; 2] {
    let [base, head] = sides;
    match first {
        Side::Base => [base, head],
        Side::Head => [head, base],
    }
}
