//! Decides when the next request is due. Pure: the time and the end of the last one are given.
//!
//! In an open load the due times are fixed before it begins and nothing that the target does moves
//! them. They are found by inverting the expected number of arrivals, so constant rates, ramps and
//! steps are one formula, Poisson arrivals are the same one on another clock, and no rounding adds
//! up over a long trial. What is due and not sent is never stored: it is the part of the schedule
//! that lies behind, so a target that stalls for an hour costs no memory.

use std::num::NonZeroUsize;
use std::time::Duration;

use miette::Diagnostic;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// When requests are sent.
#[derive(Debug, Clone, PartialEq)]
pub enum PacingModel {
    /// By each connection, when its last one was answered.
    Closed(ClosedWorkload),
    /// On a schedule that the target cannot slow down.
    Open(OpenWorkload),
}

/// Each connection sends its next request when its last one was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClosedWorkload {
    /// When it is enough.
    pub stop: StopCondition,
    /// Connections that take part; without it, all that the client has.
    pub connections: Option<NonZeroUsize>,
    /// Requests in flight at most, whatever streams the connections have; without it, all that they can carry.
    pub in_flight: Option<NonZeroUsize>,
    /// Pause of a connection between an answer and its next request.
    pub think: Duration,
}

impl ClosedWorkload {
    /// Returns a workload of which one request is under way at a time.
    pub fn one_at_a_time(stop: StopCondition) -> Self {
        let one = Some(NonZeroUsize::MIN);
        Self { connections: one, in_flight: one, ..stop.into() }
    }

    /// Returns how many of `connections`, with so many `streams` each, take part, and how many requests they carry
    /// at once.
    pub(super) fn share(&self, connections: usize, streams: usize) -> [usize; 2] {
        let at_most =
            |all: usize, cap: Option<NonZeroUsize>| cap.map_or(all, |cap| cap.get().min(all));
        let lines = at_most(at_most(connections, self.connections), self.in_flight);
        [lines, at_most(lines.saturating_mul(streams), self.in_flight)]
    }
}

impl From<StopCondition> for ClosedWorkload {
    fn from(stop: StopCondition) -> Self {
        Self { stop, connections: None, in_flight: None, think: Duration::ZERO }
    }
}

/// When a closed drive has had enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StopCondition {
    /// New requests are sent for at least this long …
    pub at_least: Duration,
    /// … and until there were at least this many.
    pub requests: u64,
    /// No new request is sent after this time, whatever is missing.
    pub at_most: Option<Duration>,
    /// No new request is sent after this many failures.
    pub failures_max: Option<u64>,
}

impl StopCondition {
    /// Returns the end of a drive of exactly so many requests.
    pub fn after_requests(requests: u64) -> Self {
        Self { at_least: Duration::ZERO, requests, at_most: None, failures_max: None }
    }

    /// Returns the end of a drive that has none by itself, and no request after one that failed.
    pub fn after_failure() -> Self {
        Self { failures_max: Some(1), ..Self::after_requests(u64::MAX) }
    }

    /// Returns the end of a drive of so much time.
    pub fn after(at_least: Duration) -> Self {
        Self { at_least, requests: 0, at_most: None, failures_max: None }
    }
}

/// Requests are sent when they are due, whether or not earlier ones were answered.
///
/// The cap is the number of connections: one that is due while all are taken is sent as soon as one
/// is free, and its response time counts from when it was due.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenWorkload {
    /// When requests are due.
    pub schedule: ArrivalSchedule,
    /// A request that could not be sent for so long is dropped, and counted as dropped.
    pub late_max: Duration,
    /// No new request is sent after this many failures.
    pub failures_max: Option<u64>,
}

/// The arrivals of an open load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "ScheduleParts")]
pub struct ArrivalSchedule {
    stages: Vec<RateStage>,
    arrivals: ArrivalProcess,
}

/// The fields of a schedule before they are checked.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ScheduleParts {
    stages: Vec<RateStage>,
    arrivals: ArrivalProcess,
}

impl TryFrom<ScheduleParts> for ArrivalSchedule {
    type Error = ScheduleError;

    fn try_from(parts: ScheduleParts) -> Result<Self, ScheduleError> {
        Self::new(parts.stages, parts.arrivals)
    }
}

/// A stretch in which the rate is constant or changes evenly.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RateStage {
    /// Requests per second at its beginning.
    pub from_per_s: f64,
    /// Requests per second at its end.
    pub to_per_s: f64,
    /// How long it lasts.
    #[serde(rename = "lasts_ns", with = "units::duration_ns")]
    #[schemars(with = "u64")]
    pub lasts: Duration,
}

impl RateStage {
    /// Returns a stretch of one rate; several make steps, a short high one between low ones a spike.
    pub fn constant(per_s: f64, lasts: Duration) -> Self {
        Self { from_per_s: per_s, to_per_s: per_s, lasts }
    }
}

/// How requests lie between their expected numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ArrivalProcess {
    /// At equal distances where the rate is constant.
    Even,
    /// As independent users send them: exponential gaps, drawn from this seed.
    Poisson {
        /// Selects the arrivals; the same seed gives the same ones.
        seed: u64,
    },
}

/// Why there is no such schedule.
#[derive(Debug, Clone, PartialEq, Error, Diagnostic)]
pub enum ScheduleError {
    /// A rate is negative, infinite, or no number.
    #[error("`{per_s}` is not a rate")]
    #[diagnostic(help("give requests per second, such as 5000 or 0.5"))]
    Rate {
        /// What was given.
        per_s: f64,
    },
    /// No request is due in the whole schedule.
    #[error("the schedule has no request")]
    #[diagnostic(help("it needs a stage with a rate and a time"))]
    Empty,
}

impl ArrivalSchedule {
    /// Makes a schedule of stages, one after the other.
    pub fn new(stages: Vec<RateStage>, arrivals: ArrivalProcess) -> Result<Self, ScheduleError> {
        for per_s in stages.iter().flat_map(|stage| [stage.from_per_s, stage.to_per_s]) {
            if !(0.0..1e9).contains(&per_s) {
                return Err(ScheduleError::Rate { per_s });
            }
        }
        let schedule = Self { stages, arrivals };
        if schedule.expected() > 0.0 { Ok(schedule) } else { Err(ScheduleError::Empty) }
    }

    /// Makes a schedule of one rate.
    pub fn constant(per_s: f64, lasts: Duration) -> Result<Self, ScheduleError> {
        Self::new(vec![RateStage::constant(per_s, lasts)], ArrivalProcess::Even)
    }

    /// Returns the same arrivals with neighbouring stages of one rate as one stage: schedules that
    /// are equal so have the same due times.
    #[must_use]
    pub fn joined(&self) -> Self {
        let mut stages: Vec<RateStage> = Vec::new();
        for &stage in self.stages.iter().filter(|stage| !stage.lasts.is_zero()) {
            match stages.last_mut() {
                Some(last) if last.is_level() && stage.is_level_at(last.to_per_s) => {
                    last.lasts += stage.lasts;
                }
                Some(_) | None => stages.push(stage),
            }
        }
        Self { stages, arrivals: self.arrivals }
    }

    /// Returns its stages, one after the other.
    pub fn stages(&self) -> &[RateStage] {
        &self.stages
    }

    /// Returns how requests lie between their expected numbers.
    pub fn arrivals(&self) -> ArrivalProcess {
        self.arrivals
    }

    /// Returns how long it lasts.
    pub fn lasts(&self) -> Duration {
        self.stages.iter().map(|stage| stage.lasts).sum()
    }

    /// Returns how many requests are to be expected.
    pub fn expected(&self) -> f64 {
        self.stages.iter().map(RateStage::expected).sum()
    }

    /// Returns when each request is due, in nanoseconds from the beginning, in order.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use xmlperf_load::pacing::ArrivalSchedule;
    /// let schedule = ArrivalSchedule::constant(3.0, Duration::from_secs(1))?;
    /// assert_eq!(schedule.due_ns().collect::<Vec<_>>(), [0, 333_333_333, 666_666_667]);
    /// # Ok::<(), xmlperf_load::pacing::ScheduleError>(())
    /// ```
    pub fn due_ns(&self) -> DueTimes {
        let random = match self.arrivals {
            ArrivalProcess::Even => None,
            ArrivalProcess::Poisson { seed } => Some(ChaCha8Rng::seed_from_u64(seed)),
        };
        let stages = self.stages.clone();
        let mut arriving =
            DueTimes { stages, stage: 0, began_s: 0.0, before: 0.0, at: 0.0, random };
        arriving.at += arriving.first_gap();
        arriving
    }
}

impl RateStage {
    fn is_level(&self) -> bool {
        self.is_level_at(self.from_per_s)
    }

    #[expect(clippy::float_cmp, reason = "equal means equal: what is nearly level is a ramp")]
    fn is_level_at(&self, per_s: f64) -> bool {
        self.from_per_s == per_s && self.to_per_s == per_s
    }

    fn expected(&self) -> f64 {
        f64::midpoint(self.from_per_s, self.to_per_s) * self.lasts.as_secs_f64()
    }

    /// Returns after how many seconds `count` requests are to be expected.
    fn reaches(&self, count: f64) -> f64 {
        let growth = (self.to_per_s - self.from_per_s) / self.lasts.as_secs_f64();
        // The solution of count = from·s + growth·s²/2 that does not cancel for a small growth.
        let root = (self.from_per_s * self.from_per_s + 2.0 * growth * count).max(0.0).sqrt();
        if count == 0.0 { 0.0 } else { 2.0 * count / (self.from_per_s + root) }
    }
}

/// The due times of a [`ArrivalSchedule`].
#[derive(Debug, Clone)]
pub struct DueTimes {
    stages: Vec<RateStage>,
    stage: usize,
    /// When the stage begins.
    began_s: f64,
    /// Requests expected before the stage.
    before: f64,
    /// The next request, as a number of expected ones.
    at: f64,
    random: Option<ChaCha8Rng>,
}

impl DueTimes {
    /// Even arrivals begin with one at once; random ones have no first that would be special.
    fn first_gap(&mut self) -> f64 {
        if self.random.is_some() { self.gap() } else { 0.0 }
    }

    fn gap(&mut self) -> f64 {
        self.random.as_mut().map_or(1.0, |random| -(-random.random::<f64>()).ln_1p())
    }
}

impl Iterator for DueTimes {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        loop {
            let stage = self.stages.get(self.stage)?;
            let count = self.at - self.before;
            // The margin keeps a sum of rounded stages from gaining a request at its very end.
            if count < stage.expected() - 1e-9 {
                let due_s = self.began_s + stage.reaches(count);
                self.at += self.gap();
                return units::whole(due_s * 1e9);
            }
            self.before += stage.expected();
            self.began_s += stage.lasts.as_secs_f64();
            self.stage += 1;
        }
    }
}

/// Why a drive sends nothing more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DriveEnd {
    /// It has done what was requested.
    Reached,
    /// `at_most` has passed first.
    OutOfTime,
    /// `failures_max` requests have failed.
    TooManyFailures,
    /// A stop was requested; requests in flight were given up.
    Cancelled,
}

/// What to do with a connection that is free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PacerStep {
    /// Send a request that was due at this time.
    Send { due_ns: u64 },
    /// Ask again at this time.
    Later { at_ns: u64 },
    /// There will be no other request.
    Nothing,
}

/// A model at work: what it has sent, and what came of it.
#[derive(Debug)]
pub(super) struct Pacer {
    began_ns: u64,
    sent: u64,
    failed: u64,
    failures_max: Option<u64>,
    dropped: u64,
    kind: PacerKind,
}

#[derive(Debug)]
enum PacerKind {
    Closed { stop: StopCondition, think_ns: u64 },
    Open { dues: Box<PendingArrivals>, late_max_ns: u64 },
}

/// The due times that are still to come.
#[derive(Debug)]
struct PendingArrivals {
    began_ns: u64,
    arriving: DueTimes,
    next_ns: Option<u64>,
    /// The one after the next.
    then_ns: Option<u64>,
}

impl PendingArrivals {
    fn new(schedule: &ArrivalSchedule, began_ns: u64) -> Self {
        let arriving = schedule.due_ns();
        let mut dues = Self { began_ns, arriving, next_ns: None, then_ns: None };
        dues.advance();
        dues.advance();
        dues
    }

    fn advance(&mut self) {
        self.next_ns = self.then_ns;
        self.then_ns = self.arriving.next().map(|due_ns| due_ns + self.began_ns);
    }
}

impl Pacer {
    pub(super) fn new(model: &PacingModel, began_ns: u64) -> Self {
        let (kind, failures_max) = match model {
            PacingModel::Closed(closed) => {
                let think_ns = units::nanos(closed.think);
                (PacerKind::Closed { stop: closed.stop, think_ns }, closed.stop.failures_max)
            }
            PacingModel::Open(open) => {
                let dues = Box::new(PendingArrivals::new(&open.schedule, began_ns));
                let late_max_ns = units::nanos(open.late_max);
                (PacerKind::Open { dues, late_max_ns }, open.failures_max)
            }
        };
        Self { began_ns, sent: 0, failed: 0, failures_max, dropped: 0, kind }
    }

    /// Says what a connection that was free from `free_ns` on is to do now.
    pub(super) fn next(&mut self, now_ns: u64, free_ns: u64) -> PacerStep {
        if self.ended(now_ns).is_some() {
            return PacerStep::Nothing;
        }
        let due_ns = match &mut self.kind {
            PacerKind::Closed { think_ns, .. } => {
                let ready_ns = free_ns.max(self.began_ns) + *think_ns;
                if ready_ns > now_ns {
                    return PacerStep::Later { at_ns: ready_ns };
                }
                // With nothing to wait for, the way from an answer to here delays no request.
                if *think_ns == 0 { now_ns } else { ready_ns }
            }
            PacerKind::Open { dues, late_max_ns } => {
                let oldest_ns = now_ns.saturating_sub(*late_max_ns);
                while dues.next_ns.is_some_and(|due_ns| due_ns < oldest_ns) {
                    self.dropped += 1;
                    dues.advance();
                }
                match dues.next_ns {
                    Some(at_ns) if at_ns > now_ns => return PacerStep::Later { at_ns },
                    Some(due_ns) => {
                        dues.advance();
                        due_ns
                    }
                    None => return PacerStep::Nothing,
                }
            }
        };
        self.sent += 1;
        PacerStep::Send { due_ns }
    }

    pub(super) fn failed(&mut self) {
        self.failed += 1;
    }

    /// Returns how long a connection that was refused is left alone, in nanoseconds.
    pub(super) fn rest_ns(&self) -> u64 {
        match self.kind {
            // Trying again at once would spin on a target that is not there.
            PacerKind::Closed { .. } => 50_000_000,
            PacerKind::Open { .. } => 0,
        }
    }

    /// Returns when the request after the next one of an open load is due.
    pub(super) fn then_ns(&self) -> Option<u64> {
        match &self.kind {
            PacerKind::Closed { .. } => None,
            PacerKind::Open { dues, .. } => dues.then_ns,
        }
    }

    /// Requests of an open load that were never sent.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    pub(super) fn ended(&self, now_ns: u64) -> Option<DriveEnd> {
        if self.failures_max.is_some_and(|max| self.failed >= max) {
            return Some(DriveEnd::TooManyFailures);
        }
        let elapsed_ns = now_ns.saturating_sub(self.began_ns);
        let passed = |limit| elapsed_ns >= units::nanos(limit);
        match &self.kind {
            PacerKind::Closed { stop, .. }
                if self.sent >= stop.requests && passed(stop.at_least) =>
            {
                Some(DriveEnd::Reached)
            }
            PacerKind::Closed { stop, .. } if stop.at_most.is_some_and(passed) => {
                Some(DriveEnd::OutOfTime)
            }
            PacerKind::Open { dues, .. } if dues.next_ns.is_none() => Some(DriveEnd::Reached),
            PacerKind::Closed { .. } | PacerKind::Open { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_closed_drive_ends_when_both_time_and_requests_are_reached() {
        let stop = StopCondition { requests: 3, ..StopCondition::after(Duration::from_nanos(100)) };
        let mut pacer = Pacer::new(&PacingModel::Closed(stop.into()), 1_000);
        assert_eq!(pacer.next(1_000, 0), PacerStep::Send { due_ns: 1_000 });
        assert_eq!(pacer.next(1_200, 0), PacerStep::Send { due_ns: 1_200 });
        assert_eq!(pacer.next(1_300, 0), PacerStep::Send { due_ns: 1_300 });
        assert_eq!(pacer.ended(1_099), None);
        assert_eq!(pacer.ended(1_100), Some(DriveEnd::Reached));
        assert_eq!(pacer.next(1_100, 0), PacerStep::Nothing);
    }

    #[test]
    fn time_and_failures_end_a_drive_that_would_never_get_there() {
        let stop = StopCondition {
            at_most: Some(Duration::from_nanos(50)),
            failures_max: Some(2),
            ..StopCondition::after_requests(10)
        };
        let mut pacer = Pacer::new(&PacingModel::Closed(stop.into()), 0);
        assert_eq!(pacer.next(49, 0), PacerStep::Send { due_ns: 49 });
        assert_eq!(pacer.ended(50), Some(DriveEnd::OutOfTime));
        pacer.failed();
        assert_eq!(pacer.ended(0), None);
        pacer.failed();
        assert_eq!(pacer.ended(0), Some(DriveEnd::TooManyFailures));
    }

    #[test]
    fn a_connection_thinks_from_its_answer_to_its_next_request() {
        let think = Duration::from_nanos(30);
        let closed = ClosedWorkload { think, ..StopCondition::after_requests(9).into() };
        let mut pacer = Pacer::new(&PacingModel::Closed(closed), 0);
        assert_eq!(pacer.next(100, 90), PacerStep::Later { at_ns: 120 });
        assert_eq!(pacer.next(125, 90), PacerStep::Send { due_ns: 120 });
    }

    #[test]
    fn an_open_load_is_due_by_the_clock_and_drops_what_is_too_late() {
        let schedule = ArrivalSchedule::constant(1e8, Duration::from_nanos(50)).unwrap();
        let late_max = Duration::from_nanos(25);
        let open = OpenWorkload { schedule, late_max, failures_max: None };
        let mut pacer = Pacer::new(&PacingModel::Open(open), 1_000);
        assert_eq!(pacer.next(1_000, 0), PacerStep::Send { due_ns: 1_000 });
        assert_eq!(pacer.next(1_005, 0), PacerStep::Later { at_ns: 1_010 });
        assert_eq!(pacer.then_ns(), Some(1_020));
        assert_eq!(pacer.next(1_045, 0), PacerStep::Send { due_ns: 1_020 });
        assert_eq!(pacer.dropped(), 1);
        assert_eq!(pacer.next(1_045, 0), PacerStep::Send { due_ns: 1_030 });
        assert_eq!(pacer.next(1_045, 0), PacerStep::Send { due_ns: 1_040 });
        assert_eq!(pacer.next(1_045, 0), PacerStep::Nothing);
    }

    #[test]
    fn a_constant_rate_does_not_drift() {
        let schedule = ArrivalSchedule::constant(3.0, seconds(3600)).unwrap();
        let due: Vec<_> = schedule.due_ns().collect();
        assert_eq!(due.len(), 10_800);
        assert_eq!(due[10_799], 3_599_666_666_667);
    }

    #[test]
    fn a_rate_that_is_none_and_a_schedule_without_requests_are_refused() {
        let schedule = |per_s| ArrivalSchedule::constant(per_s, seconds(1)).unwrap_err();
        assert!(schedule(-1.0).to_string().contains("`-1` is not a rate"));
        assert!(schedule(f64::NAN).to_string().contains("not a rate"));
        assert_eq!(schedule(0.0), ScheduleError::Empty);
        assert_eq!(
            ArrivalSchedule::new(Vec::new(), ArrivalProcess::Even).unwrap_err(),
            ScheduleError::Empty
        );
    }

    fn stages() -> impl Strategy<Value = Vec<RateStage>> {
        let stage = (0.0..2_000.0, 0.0..2_000.0, 1_u64..2_000).prop_map(|(from, to, ms)| {
            RateStage { from_per_s: from, to_per_s: to, lasts: Duration::from_millis(ms) }
        });
        proptest::collection::vec(stage, 1..5)
    }

    proptest! {
        #[test]
        fn no_more_take_part_than_there_are_or_are_wanted(
            has in (1_usize..99, 1_usize..99),
            connections in proptest::option::of(1_usize..99),
            in_flight in proptest::option::of(1_usize..999),
        ) {
            let (connections, in_flight) =
                (connections.and_then(NonZeroUsize::new), in_flight.and_then(NonZeroUsize::new));
            let stop = StopCondition::after_requests(1);
            let closed = ClosedWorkload { connections, in_flight, ..stop.into() };
            let [lines, places] = closed.share(has.0, has.1);
            let wanted = connections.map_or(has.0, |it| it.get().min(has.0));
            let most = in_flight.map_or(wanted * has.1, |it| it.get().min(wanted * has.1));
            prop_assert_eq!(places, most);
            prop_assert!((1..=wanted).contains(&lines) && lines <= places);
            prop_assert_eq!(ClosedWorkload::one_at_a_time(stop).share(has.0, has.1), [1, 1]);
        }

        #[test]
        fn arrivals_are_in_order_within_the_schedule_and_as_many_as_expected(stages in stages()) {
            let schedule = ArrivalSchedule::new(stages, ArrivalProcess::Even);
            prop_assume!(schedule.is_ok());
            let schedule = schedule.unwrap();
            let due: Vec<_> = schedule.due_ns().collect();
            prop_assert!(due.is_sorted());
            prop_assert!(due.iter().all(|due_ns| *due_ns <= units::nanos(schedule.lasts())));
            prop_assert!((due.len() as f64 - schedule.expected()).abs() <= 1.0);
        }

        #[test]
        fn half_way_through_a_ramp_a_quarter_of_its_requests_were_due(rate in 100.0..5_000.0_f64) {
            let ramp = RateStage { from_per_s: 0.0, to_per_s: rate, lasts: seconds(2) };
            let schedule = ArrivalSchedule::new(vec![ramp], ArrivalProcess::Even).unwrap();
            let early = schedule.due_ns().filter(|due_ns| *due_ns < 1_000_000_000).count();
            prop_assert!((early as f64 - schedule.expected() / 4.0).abs() <= 1.0);
        }

        #[test]
        fn a_seed_selects_the_arrivals(seed: u64) {
            let stages = vec![RateStage::constant(500.0, seconds(1))];
            let poisson = ArrivalSchedule::new(stages, ArrivalProcess::Poisson { seed }).unwrap();
            prop_assert!(poisson.due_ns().eq(poisson.due_ns()));
        }
    }

    /// 40 000 gaps at a rate of 1 000/s. Their mean is 1 ms with a standard error of 5 µs, the share
    /// above 1 ms is 1/e with one of 0.0024: both are given four of them.
    #[test]
    fn poisson_gaps_are_exponential() {
        let stages = vec![RateStage::constant(1_000.0, seconds(60))];
        let schedule = ArrivalSchedule::new(stages, ArrivalProcess::Poisson { seed: 7 }).unwrap();
        let due: Vec<_> = schedule.due_ns().take(40_001).collect();
        let gaps: Vec<_> = due.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let mean = gaps.iter().sum::<u64>() as f64 / 40_000.0;
        assert!((980_000.0..1_020_000.0).contains(&mean), "{mean}");
        let long = gaps.iter().filter(|gap| **gap > 1_000_000).count() as f64 / 40_000.0;
        assert!((0.358..0.378).contains(&long), "{long}");
    }
}
