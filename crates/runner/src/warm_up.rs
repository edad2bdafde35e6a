//! Warms up the sides of a launch: for a time, or until the cost of a request is flat on all of them.
//!
//! A runtime that compiles as it runs gets cheaper for seconds. How long that takes differs from machine to
//! machine and from build to build, so with "steady" it is seen instead of guessed; and as what is compiled
//! depends on how much was sent, the slower side then gets as many requests as the other.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;
use stats::course::{CourseKind, CourseSearch};
use suite::WarmUpPlan;

use crate::launch_failure::LaunchFailure;
use crate::side_driver::SideDriver;

/// Load on one side before the other gets its turn.
const SLICE: Duration = Duration::from_millis(100);

/// Slices over which the cost has to be flat.
const FLAT_SLICES: usize = 20;

/// Slices that a level holds for, at least.
const LEVEL_SLICES_MIN: usize = 3;

/// Probability that levels are seen where there is one.
const SPLIT_LEVEL: f64 = 0.01;

/// Changes of the cost that are smaller are none.
const CHANGE_MIN: f64 = 0.02;

/// Longest warm-up of a side, and most requests in it.
const TIME_MAX: Duration = Duration::from_secs(20);
const REQUESTS_MAX: u64 = 500_000;

/// One part in so many of the requests that a side may have fewer of.
const BEHIND_MIN: u64 = 10;

const SEED: u64 = 1;

/// Has every virtual user of the sides send its setup, and warms the sides up in this order.
pub(super) fn warm_up(
    sides: &mut [&mut SideDriver<'_>],
    plan: WarmUpPlan,
) -> Result<(), LaunchFailure> {
    sides.iter_mut().try_for_each(|side| side.set_up())?;
    match plan {
        WarmUpPlan::For(Duration::ZERO) | WarmUpPlan::Fitted { usual: Duration::ZERO } => Ok(()),
        WarmUpPlan::For(lasts) | WarmUpPlan::Fitted { usual: lasts } => {
            sides.iter_mut().try_for_each(|side| side.warm_up_load(lasts))?;
            level(sides, 2 * lasts)?;
            for side in sides {
                side.end_warm_up(None);
            }
            Ok(())
        }
        WarmUpPlan::Steady => until_steady(sides),
    }
}

fn until_steady(sides: &mut [&mut SideDriver<'_>]) -> Result<(), LaunchFailure> {
    let mut costs = vec![Vec::new(); sides.len()];
    loop {
        for (side, costs) in sides.iter_mut().zip(&mut costs) {
            costs.extend(side.warm_up_slice(SLICE)?);
        }
        let are_flat: Vec<bool> = costs.iter().map(|costs| is_flat(costs)).collect();
        let is_over = |side: &&mut SideDriver<'_>| {
            let measured = &side.measurement;
            measured.wall() >= TIME_MAX || measured.answered() >= REQUESTS_MAX
        };
        if are_flat.iter().all(|is_flat| *is_flat) || sides.iter().any(is_over) {
            level(sides, TIME_MAX)?;
            for (side, is_flat) in sides.iter_mut().zip(are_flat) {
                side.end_warm_up(Some(is_flat));
            }
            return Ok(());
        }
    }
}

/// Sends to a side that was sent fewer requests in the same time as many more, until it was warmed up for this time at
/// most. What a change does not touch would else be compiled less for being beside what got slower, and seem slower
/// itself.
fn level(sides: &mut [&mut SideDriver<'_>], time_max: Duration) -> Result<(), LaunchFailure> {
    let sent = |side: &SideDriver<'_>| side.measurement.answered() + side.measurement.failed();
    let most = sides.iter().map(|side| sent(side)).max().unwrap_or(0);
    sides.iter_mut().try_for_each(|side| {
        let missing = most - sent(side);
        let left = time_max.saturating_sub(side.measurement.wall());
        let is_behind = missing * BEHIND_MIN > most && !left.is_zero();
        if is_behind { side.warm_up_requests(missing, left) } else { Ok(()) }
    })
}

/// Whether the last of these costs lie on one level. One length alone, as what chance shows takes simulations
/// for each.
fn is_flat(costs: &[f64]) -> bool {
    static SEARCH: Mutex<Option<CourseSearch<ChaCha8Rng>>> = Mutex::new(None);
    let Some(begin) = costs.len().checked_sub(FLAT_SLICES) else { return false };
    let mut search = SEARCH.lock().unwrap_or_else(PoisonError::into_inner);
    let search = search.get_or_insert_with(|| {
        let rng = ChaCha8Rng::seed_from_u64(SEED);
        CourseSearch::new(LEVEL_SLICES_MIN, SPLIT_LEVEL, CHANGE_MIN, rng)
    });
    search.course(&costs[begin..]).kind == CourseKind::Flat
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_still_falls_is_not_flat_and_what_fell_before_is() {
        let noise = |it: u32| f64::from(it * 7 % 11) / 1_000.0;
        let at = |it: u32| if it < 30 { 0.3 - f64::from(it) / 100.0 } else { 0.0 } + noise(it);
        let costs: Vec<f64> = (0..60).map(at).collect();
        assert!(!is_flat(&costs[..10]), "too few");
        assert!(!is_flat(&costs[..30]));
        assert!(is_flat(&costs));
    }
}
