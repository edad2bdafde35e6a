//! How long a launch is driven, where that follows from how fast the target is.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Requests that a launch is to have on each side: a level of sixteen bodies, sent in turn, needs some of each.
pub const REQUESTS_WANTED: u32 = 100;

/// How long each side of every launch pair is driven, by what the trial of head showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FittedLoad {
    /// How long.
    #[serde(rename = "lasts_ns", with = "units::duration_ns")]
    #[schemars(with = "u64")]
    pub lasts: Duration,
    /// How long each side of every launch pair is warmed up, where the configuration does not say it and head was
    /// not seen to compile as it runs.
    #[serde(
        rename = "warm_up_ns",
        with = "units::duration_ns::option",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Option<u64>")]
    pub warm_up: Option<Duration>,
    /// From one answer to the next in the trial, over all connections.
    #[serde(rename = "interval_ns", with = "units::duration_ns")]
    #[schemars(with = "u64")]
    pub interval: Duration,
}

impl FittedLoad {
    /// The precision of a level does not suffer down to a quarter of a second: more of a launch says less than more
    /// launches. With a third, a launch has the slices in which the course of its cost is seen.
    const LEAST: Duration = Duration::from_millis(350);

    /// A program that is compiled beforehand has loaded its pages and filled its caches by then.
    const WARM_UP_LEAST: Duration = Duration::from_millis(100);

    /// How many times the usual time a slow target gets at most.
    const USUAL_TIMES_MAX: u32 = 5;

    /// Times are whole slices.
    const STEP: Duration = Duration::from_millis(10);

    /// Returns the time that [`REQUESTS_WANTED`] take at such intervals, neither shorter than the usual time or
    /// 350 ms nor longer than five times the usual time.
    pub fn at(interval: Duration, usual: Duration) -> Self {
        let steps = (interval * REQUESTS_WANTED).as_nanos().div_ceil(Self::STEP.as_nanos());
        let wanted = Self::STEP * u32::try_from(steps).unwrap_or(u32::MAX);
        let lasts = wanted.min(usual * Self::USUAL_TIMES_MAX).max(usual.min(Self::LEAST));
        Self { lasts, warm_up: None, interval }
    }

    /// Returns it with a warm-up in which each connection sends [`REQUESTS_WANTED`], neither shorter than 100 ms
    /// nor longer than the usual one.
    #[must_use]
    pub fn with_warm_up(self, connections: u32, usual: Duration) -> Self {
        let wanted = self.interval * REQUESTS_WANTED * connections;
        Self { warm_up: Some(wanted.max(Self::WARM_UP_LEAST).min(usual)), ..self }
    }

    /// Returns about how many requests fit into the time.
    pub fn requests(self) -> u64 {
        let requests = self.lasts.as_nanos() / self.interval.as_nanos().max(1);
        u64::try_from(requests).unwrap_or(u64::MAX)
    }

    /// Returns whether the bound of the time leaves fewer requests than are wanted.
    pub fn is_cut(self) -> bool {
        self.requests() < u64::from(REQUESTS_WANTED)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_fast_target_gets_a_third_of_a_second_and_a_slow_one_what_it_needs() {
        let lasts = |interval, usual| FittedLoad::at(interval, usual).lasts;
        assert_eq!(lasts(Duration::from_micros(300), ms(1_000)), ms(350));
        assert_eq!(lasts(Duration::from_micros(4_321), ms(1_000)), ms(440));
        assert_eq!(lasts(ms(30), ms(1_000)), ms(3_000));
        assert_eq!(lasts(ms(200), ms(1_000)), ms(5_000));
        // Where less is usual there is no more of a fast target.
        assert_eq!(lasts(Duration::from_micros(300), ms(150)), ms(150));
        assert_eq!(lasts(ms(30), ms(150)), ms(750));
    }

    #[test]
    fn a_warm_up_holds_a_hundred_requests_of_a_connection_within_the_usual_time() {
        let warm_up = |interval_us, connections| {
            let fitted = FittedLoad::at(Duration::from_micros(interval_us), ms(1_000));
            fitted.with_warm_up(connections, ms(500)).warm_up.unwrap()
        };
        assert_eq!(warm_up(300, 1), ms(100));
        assert_eq!(warm_up(300, 8), ms(240));
        assert_eq!(warm_up(3_000, 1), ms(300));
        assert_eq!(warm_up(30_000, 1), ms(500));
    }

    proptest! {
        #[test]
        fn there_is_time_for_a_hundred_requests_unless_it_is_cut(
            interval_us in 1_u64..10_000_000,
            usual_ms in 1_u64..60_000,
        ) {
            let (interval, usual) = (Duration::from_micros(interval_us), ms(usual_ms));
            let fitted = FittedLoad::at(interval, usual);
            prop_assert!(fitted.lasts >= usual.min(ms(350)));
            prop_assert!(fitted.lasts <= usual * 5);
            prop_assert_eq!(fitted.is_cut(), fitted.lasts < interval * REQUESTS_WANTED);
            prop_assert!(!fitted.is_cut() || fitted.lasts == usual * 5);
            // A slower target never gets less.
            prop_assert!(FittedLoad::at(interval * 2, usual).lasts >= fitted.lasts);
        }
    }
}
