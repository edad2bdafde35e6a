//! Drives one launch, or the two of a launch pair, through one scenario.
use units::text::error_chain;

use crate::failure_contrast;
use crate::side_driver::SideDriver;
use load::FailureKind;
use record::{EarlyEnd, FailureContrast, FailureExample, LaunchResult, Side};
use suite::SamplingPlan;
use sut::TargetError;
use units::cancel::Cancel;

/// Why a launch yielded no numbers.
#[derive(Debug)]
pub(super) struct LaunchFailure {
    pub(super) side: Side,
    pub(super) scenario: Option<String>,
    pub(super) reason: String,
    /// The requests that failed, if that is what went wrong.
    pub(super) fault: Option<Box<RequestFault>>,
    /// What base made of the same requests, if head alone is at fault.
    pub(super) contrast: Option<Box<FailureContrast>>,
}

/// Requests that a target failed.
#[derive(Debug)]
pub(super) struct RequestFault {
    pub(super) kind: FailureKind,
    pub(super) failed: u64,
    pub(super) requests: u64,
    pub(super) example: FailureExample,
    /// Place of the first of them among the scenario's requests.
    pub(super) request: Option<usize>,
}

impl LaunchFailure {
    pub(super) fn new(side: Side, scenario: Option<String>, reason: String) -> Self {
        Self { side, scenario, reason, fault: None, contrast: None }
    }

    /// A target that did not start or stop as it should.
    pub(super) fn launch(side: Side, error: &TargetError) -> Self {
        Self::new(side, None, error_chain(error))
    }

    /// How the record tells it: a failure that follows from Ctrl-C is an interruption.
    pub(super) fn ended(self, cancel: &Cancel) -> EarlyEnd {
        if cancel.is_raised() {
            return EarlyEnd::Interrupted;
        }
        match self.contrast {
            Some(contrast) => EarlyEnd::HeadFailed(contrast),
            None => {
                EarlyEnd::Failed { side: self.side, scenario: self.scenario, reason: self.reason }
            }
        }
    }
}

/// Drives a launch alone. Stretches follow each other without a break.
pub(super) fn single(
    mut side: SideDriver<'_>,
    sampling: &SamplingPlan,
) -> Result<LaunchResult, LaunchFailure> {
    side.warm_up(sampling)?;
    side.begin()?;
    while let Some(stretch) = side.next_stretch(sampling) {
        side.drive(stretch)?;
    }
    side.trial()
}

/// Drives base and head in turn; the first of every two stretches is drawn by `coin`.
pub(super) fn paired(
    mut sides: [SideDriver<'_>; 2],
    sampling: &SamplingPlan,
    coin: &mut dyn FnMut() -> Side,
) -> Result<(LaunchResult, LaunchResult), LaunchFailure> {
    drive_in_turn(&mut sides, sampling, coin)
        .map_err(|failure| failure_contrast::contrast(&mut sides, failure))?;
    let [base, head] = sides;
    Ok((base.trial()?, head.trial()?))
}

fn drive_in_turn(
    sides: &mut [SideDriver<'_>; 2],
    sampling: &SamplingPlan,
    coin: &mut dyn FnMut() -> Side,
) -> Result<(), LaunchFailure> {
    for side in sides.iter_mut() {
        side.warm_up(sampling)?;
    }
    for side in sides.iter_mut() {
        side.begin()?;
    }
    while let Some(stretch) = sides.iter().find_map(|side| side.next_stretch(sampling)) {
        let [base, head] = &mut *sides;
        let (first, second) = match coin() {
            Side::Base => (base, head),
            Side::Head => (head, base),
        };
        first.drive(stretch)?;
        second.drive(stretch)?;
    }
    Ok(())
}
