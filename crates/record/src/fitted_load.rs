//! How long a launch is driven, where that follows from how fast the target is.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use units::Ratio;

/// Requests that a launch is to have on each side: a level of sixteen bodies, sent in turn, needs some of each.
pub const REQUESTS_WANTED: u32 = 100;

/// How fast a target answered in a trial, and how evenly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProbedPace {
    /// From one answer to the next, over all connections.
    pub interval: Duration,
    /// Relative standard deviation of that from slice to slice; none where there were too few.
    pub scatter: Option<Ratio>,
    /// How long a slice was.
    pub slice: Duration,
}

/// How long each side of every launch pair is driven, by what the trial of head showed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// Relative standard deviation of that from slice to slice, where there were enough of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scatter: Option<Ratio>,
}

impl ProbedPace {
    /// Standard deviation of what launch pairs of one program differ by, however long they are driven.
    const LAUNCH_SCATTER: f64 = 0.01;

    /// What a launch pair takes beside its load.
    const BESIDE: Duration = Duration::from_millis(350);

    /// Returns the load on each side with which the least time shows a change of a given size: where what is measured
    /// scatters within a launch, more of the launch saves whole launches.
    ///
    /// The difference of a launch pair has the variance B² + 2 S² slice / load, S² that of a slice, and takes twice the
    /// load and what stands beside it. Of so many launch pairs as a variance asks for, the time is least at the load S / B
    /// times the root of the slice times what stands beside (Kalibera and Jones, *Rigorous benchmarking in reasonable
    /// time*, ISMM 2013, section 6).
    fn optimum(self) -> Duration {
        let scatter = self.scatter.map_or(0.0, |scatter| scatter.0);
        let beside = (self.slice.as_secs_f64() * Self::BESIDE.as_secs_f64()).sqrt();
        let seconds = scatter / Self::LAUNCH_SCATTER * beside;
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }
}

impl FittedLoad {
    /// A program that is compiled beforehand has loaded its pages and filled its caches by then, at the latest after
    /// so many requests of each connection.
    const WARM_UP_LEAST: Duration = Duration::from_millis(25);
    const WARM_UP_REQUESTS: u32 = 25;

    /// In so long there are the slices in which the course of the cost is seen.
    const COURSE: Duration = Duration::from_millis(350);

    /// How many times the usual time a slow target gets at most.
    const USUAL_TIMES_MAX: u32 = 5;

    /// Times are whole slices.
    const STEP: Duration = Duration::from_millis(10);

    /// Returns the time that [`REQUESTS_WANTED`] take at such a pace, neither shorter than the least time nor
    /// longer than five times the usual one; and where the pace is uneven longer, up to half of the usual time.
    pub fn at(pace: ProbedPace, least: Duration, usual: Duration) -> Self {
        let ProbedPace { interval, scatter, .. } = pace;
        let wanted = (interval * REQUESTS_WANTED).max(pace.optimum().min(usual / 2));
        let steps = wanted.as_nanos().div_ceil(Self::STEP.as_nanos());
        let wanted = Self::STEP * u32::try_from(steps).unwrap_or(u32::MAX);
        let lasts = wanted.min(usual * Self::USUAL_TIMES_MAX).max(least);
        Self { lasts, warm_up: None, interval, scatter }
    }

    /// Returns it for a program that is compiled beforehand: with a warm-up in which each connection sends 25 requests,
    /// neither shorter than 25 ms nor longer than the usual one.
    #[must_use]
    pub fn with_warm_up(self, connections: u32, usual: Duration) -> Self {
        let wanted = self.interval * Self::WARM_UP_REQUESTS * connections;
        Self { warm_up: Some(wanted.max(Self::WARM_UP_LEAST).min(usual)), ..self }
    }

    /// Returns it for a program that may compile as it runs: with the usual warm-up, and as long a time, up to the usual
    /// one, as shows the course of its cost.
    #[must_use]
    pub fn of_runtime(self, usual: Duration) -> Self {
        Self { lasts: self.lasts.max(usual.min(Self::COURSE)), warm_up: None, ..self }
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

    const fn even(interval: Duration) -> ProbedPace {
        ProbedPace { interval, scatter: None, slice: ms(10) }
    }

    #[test]
    fn a_fast_target_gets_the_least_time_and_a_slow_one_what_it_needs() {
        let lasts = |interval| FittedLoad::at(even(interval), ms(200), ms(1_000)).lasts;
        assert_eq!(lasts(Duration::from_micros(300)), ms(200));
        assert_eq!(lasts(Duration::from_micros(4_321)), ms(440));
        assert_eq!(lasts(ms(30)), ms(3_000));
        assert_eq!(lasts(ms(200)), ms(5_000));
    }

    #[test]
    fn a_fast_target_of_uneven_pace_is_driven_for_longer() {
        let lasts = |scatter, usual: Duration| {
            let pace = ProbedPace { scatter: Some(Ratio(scatter)), ..even(ms(1)) };
            FittedLoad::at(pace, usual / 5, usual).lasts
        };
        assert_eq!(lasts(0.015, ms(1_000)), ms(200));
        assert_eq!(lasts(0.06, ms(1_000)), ms(360));
        assert_eq!(lasts(0.5, ms(1_000)), ms(500));
        assert_eq!(lasts(f64::INFINITY, ms(1_000)), ms(500));
        assert_eq!(lasts(0.06, ms(150)), ms(100), "a hundred requests");
    }

    #[test]
    fn what_may_compile_as_it_runs_is_driven_until_its_course_is_seen() {
        let lasts = |interval, usual| {
            let fitted = FittedLoad::at(even(interval), ms(100), usual).with_warm_up(1, usual);
            let FittedLoad { lasts, warm_up, .. } = fitted.of_runtime(usual);
            assert_eq!(warm_up, None);
            lasts
        };
        assert_eq!(lasts(Duration::from_micros(300), ms(1_000)), ms(350));
        assert_eq!(lasts(ms(30), ms(1_000)), ms(3_000));
        assert_eq!(lasts(Duration::from_micros(300), ms(150)), ms(150));
    }

    #[test]
    fn a_warm_up_holds_25_requests_of_a_connection_within_the_usual_time() {
        let warm_up = |interval_us, connections| {
            let interval = Duration::from_micros(interval_us);
            let fitted = FittedLoad::at(even(interval), ms(200), ms(1_000));
            fitted.with_warm_up(connections, ms(500)).warm_up.unwrap()
        };
        assert_eq!(warm_up(100, 1), ms(25));
        assert_eq!(warm_up(2_000, 1), ms(50));
        assert_eq!(warm_up(300, 8), ms(60));
        assert_eq!(warm_up(30_000, 1), ms(500));
    }

    proptest! {
        #[test]
        fn there_is_time_for_a_hundred_requests_unless_it_is_cut(
            interval_us in 1_u64..10_000_000,
            usual_ms in 1_u64..60_000,
            share in 0.1..1.0_f64,
        ) {
            let (interval, usual) = (Duration::from_micros(interval_us), ms(usual_ms));
            let least = usual.mul_f64(share);
            let fitted = FittedLoad::at(even(interval), least, usual);
            prop_assert!(fitted.lasts >= least);
            prop_assert!(fitted.lasts <= usual * 5);
            prop_assert_eq!(fitted.is_cut(), fitted.lasts < interval * REQUESTS_WANTED);
            prop_assert!(!fitted.is_cut() || fitted.lasts == usual * 5);
            // A slower target never gets less.
            prop_assert!(FittedLoad::at(even(interval * 2), least, usual).lasts >= fitted.lasts);
        }
    }
}
