//! What the time of a request went into, and which part of it a change is in.
//!
//! Instructions cannot see waiting, and most regressions of latency are that. From the kernel's accounts of
//! all threads of the target: time in user space, in the system, and ready without a processor; the rest of
//! the service time is blocked, in the target, on the network or in the generator. All of it is per request.

use record::metric::Metric;
use record::{LatencyBasis, LaunchPair, LaunchResult, LaunchResults, Run, ScenarioRun};
use schemars::JsonSchema;
use serde::Serialize;
use stats::hodges_lehmann::{self, Estimate, centre};
use stats::quantile;

use crate::MetricResult;
use crate::decision::Verdict;

/// The share of a change that its largest part has to exceed, to be named as what the change is in.
const SHARE_MIN: f64 = 0.5;

/// The smallest change of the time of a request that is taken apart, in nanoseconds.
const CHANGE_NS_MIN: f64 = 1_000.0;

/// A part is seen to change where limits leave out 0 that are each wrong with this probability: six launch pairs at
/// least, as fewer do not show their scatter.
const CHANGE_LEVEL: f64 = 0.025;

/// As [`CHANGE_LEVEL`], for user or system time beside the other one, which scatter by the kernel's ticks: at that
/// level a part that did not change would be split off one time in twenty.
const SPLIT_LEVEL: f64 = 0.005;

/// What a thread of the target does while a request is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimePart {
    /// It computes in user space.
    User,
    /// It computes in the system.
    System,
    /// It is ready to run and has no processor.
    Queued,
    /// It waits for something else, or the request is not with it.
    Blocked,
}

/// A time, taken apart. In nanoseconds a request; of a change, parts may be below 0.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct RequestTime {
    /// In user space.
    pub user_ns: f64,
    /// In the system.
    pub system_ns: f64,
    /// Ready, without a processor.
    pub queued_ns: f64,
    /// The rest.
    pub blocked_ns: f64,
}

/// The part that a change is in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChangedPart {
    /// The part.
    pub part: TimePart,
    /// Its change, in nanoseconds a request.
    pub part_ns: f64,
    /// The change of all parts together that are seen to change.
    pub total_ns: f64,
}

/// What the time of a request went into in a scenario, on both sides.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestAnatomy {
    /// The scenario's name.
    pub scenario: String,
    /// Medians of base over the launch pairs.
    pub base: RequestTime,
    /// Those of head.
    pub head: RequestTime,
    /// Centres (Hodges-Lehmann) of the differences within launch pairs. Where only one of user and system time is seen
    /// to change, it has all of the difference of both: the kernel distinguishes them by ticks.
    pub change: RequestTime,
    /// The part that the change is in, if a metric of time changed, the parts that are seen to change do so in the same
    /// direction together, and one is most of them.
    pub changed: Option<ChangedPart>,
}

impl TimePart {
    /// Every part, in the order in which reports show them.
    pub const ALL: [Self; 4] = [Self::User, Self::System, Self::Queued, Self::Blocked];

    /// Returns the word used in JSON.
    pub fn key(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::System => "system",
            Self::Queued => "queued",
            Self::Blocked => "blocked",
        }
    }
}

impl RequestTime {
    /// Returns one part.
    pub fn part(&self, part: TimePart) -> f64 {
        match part {
            TimePart::User => self.user_ns,
            TimePart::System => self.system_ns,
            TimePart::Queued => self.queued_ns,
            TimePart::Blocked => self.blocked_ns,
        }
    }

    /// Returns all parts together.
    pub fn total_ns(&self) -> f64 {
        TimePart::ALL.into_iter().map(|part| self.part(part)).sum()
    }

    fn from_parts(mut of: impl FnMut(TimePart) -> f64) -> Self {
        Self {
            user_ns: of(TimePart::User),
            system_ns: of(TimePart::System),
            queued_ns: of(TimePart::Queued),
            blocked_ns: of(TimePart::Blocked),
        }
    }

    /// The time of a launch's requests; none where the target was not watched.
    fn of(launch: &LaunchResult) -> Option<Self> {
        let probes = launch.probes.as_ref()?;
        let cpu_ns = units::exact(launch.cpu_ns?);
        let served = units::total(launch.slices.iter().map(|slice| slice.requests));
        let service_ns = units::total(launch.slices.iter().map(|slice| slice.service_ns));
        let requests = units::exact(launch.requests);
        if served == 0 || launch.requests == 0 {
            return None;
        }
        let service_ns = units::exact(service_ns) / units::exact(served);
        // The kernel tells user from system time by ticks, and their sum to the nanosecond.
        let (user, system) = (units::exact(probes.user_ns), units::exact(probes.system_ns));
        let user_share = if user + system > 0.0 { user / (user + system) } else { 1.0 };
        let cpu_ns = cpu_ns / requests;
        let queued_ns = units::exact(probes.queued_ns?) / requests;
        Some(Self {
            user_ns: cpu_ns * user_share,
            system_ns: cpu_ns * (1.0 - user_share),
            queued_ns,
            // Several threads may serve a request at once.
            blocked_ns: (service_ns - cpu_ns - queued_ns).max(0.0),
        })
    }

    fn median(times: &[Self]) -> Self {
        Self::from_parts(|part| quantile::median(&values(times, part)))
    }
}

/// How the time of a request differs, part by part.
#[derive(Debug, Clone, Copy)]
struct TimeChange {
    time: RequestTime,
    /// Which parts are seen to change, in the order of [`TimePart::ALL`].
    is_seen: [bool; 4],
}

impl TimeChange {
    /// The centres of differences, with computing put where it is seen.
    fn of(differences: &[RequestTime]) -> Self {
        let time = RequestTime::from_parts(|part| centre(&values(differences, part)));
        let is_seen_at = |part, level| is_seen(&values(differences, part), level);
        let is_seen = TimePart::ALL.map(|part| is_seen_at(part, CHANGE_LEVEL));
        let computing: Vec<f64> = differences.iter().map(|it| it.user_ns + it.system_ns).collect();
        let is_user_larger = time.user_ns.abs() > time.system_ns.abs();
        let (larger, smaller) = if is_user_larger {
            (TimePart::User, TimePart::System)
        } else {
            (TimePart::System, TimePart::User)
        };
        if !is_seen_at(larger, CHANGE_LEVEL) || is_seen_at(smaller, SPLIT_LEVEL) {
            return Self { time, is_seen };
        }
        let computing_ns = centre(&computing);
        let (user_ns, system_ns) =
            if is_user_larger { (computing_ns, 0.0) } else { (0.0, computing_ns) };
        let [_, _, queued, blocked] = is_seen;
        Self {
            time: RequestTime { user_ns, system_ns, ..time },
            is_seen: [is_user_larger, !is_user_larger, queued, blocked],
        }
    }

    /// The part that most of what is seen to change is in, if there is one. What is not seen counts as nothing: on a
    /// busy machine it scatters by more than a change of another part.
    fn largest(&self) -> Option<ChangedPart> {
        let of_part =
            |(part, is_seen): (TimePart, bool)| is_seen.then(|| (part, self.time.part(part)));
        let seen = TimePart::ALL.into_iter().zip(self.is_seen).filter_map(of_part);
        let total_ns: f64 = seen.clone().map(|(_, part_ns)| part_ns).sum();
        let (part, part_ns) =
            seen.max_by(|(_, a), (_, b)| (a / total_ns).total_cmp(&(b / total_ns)))?;
        let is_most = total_ns.abs() >= CHANGE_NS_MIN && part_ns / total_ns > SHARE_MIN;
        is_most.then_some(ChangedPart { part, part_ns, total_ns })
    }
}

fn values(times: &[RequestTime], part: TimePart) -> Vec<f64> {
    times.iter().map(|time| time.part(part)).collect()
}

/// Whether differences are beside 0 by more than their scatter explains.
fn is_seen(differences: &[f64], level: f64) -> bool {
    let Estimate { low, high, .. } = hodges_lehmann::one_sample(differences, level);
    low > 0.0 || high < 0.0
}

/// Returns the anatomy of each scenario that was measured side by side on watched targets.
pub(super) fn of(run: &Run, rows: &[MetricResult]) -> Vec<RequestAnatomy> {
    run.scenarios.iter().filter_map(|scenario| RequestAnatomy::of(scenario, rows)).collect()
}

impl RequestAnatomy {
    fn of(scenario: &ScenarioRun, rows: &[MetricResult]) -> Option<Self> {
        let LaunchResults::Paired(pairs) = &scenario.trials else { return None };
        let both =
            |pair: &LaunchPair| Some((RequestTime::of(&pair.base)?, RequestTime::of(&pair.head)?));
        let (base, head): (Vec<_>, Vec<_>) = pairs.iter().filter_map(both).unzip();
        if base.is_empty() {
            return None;
        }
        let differences: Vec<RequestTime> = base
            .iter()
            .zip(&head)
            .map(|(base, head)| RequestTime::from_parts(|part| head.part(part) - base.part(part)))
            .collect();
        let change = TimeChange::of(&differences);
        let of_scenario = |row: &&MetricResult| row.scenario == scenario.name;
        let mut directions = rows.iter().filter(of_scenario).filter_map(direction);
        // CPU time may grow where requests have become faster, which is no account of why.
        let is_changed =
            |largest: &ChangedPart| directions.any(|slower| slower == (largest.total_ns > 0.0));
        let latency_ns = (scenario.times == LatencyBasis::Service)
            .then(|| rows.iter().filter(of_scenario).find_map(latency_change_ns))
            .flatten();
        let changed = change.largest().filter(is_changed).filter(|it| it.accounts_for(latency_ns));
        Some(Self {
            scenario: scenario.name.clone(),
            base: RequestTime::median(&base),
            head: RequestTime::median(&head),
            change: change.time,
            changed,
        })
    }
}

impl ChangedPart {
    /// Whether the part is most of a change of latency as well, if there is one: on a busy machine the part that latency
    /// changed by may not be seen, and one that is much smaller may.
    fn accounts_for(&self, latency_ns: Option<f64>) -> bool {
        latency_ns.is_none_or(|latency_ns| self.part_ns / latency_ns > SHARE_MIN)
    }
}

/// The change of latency, in nanoseconds, if its row says that there is one.
fn latency_change_ns(row: &MetricResult) -> Option<f64> {
    let is_whole = row.metric == Metric::Latency && row.operation.is_none();
    let is_changed = matches!(row.verdict(), Some(Verdict::Regressed | Verdict::Improved));
    (is_whole && is_changed).then_some(())?;
    Some(row.base? * row.change()?.estimate_ln.exp_m1())
}

/// Whether requests have become slower by a row or are suspected to, or faster; none if it says neither.
fn direction(row: &MetricResult) -> Option<bool> {
    let of_request = matches!(
        row.metric,
        Metric::Cpu
            | Metric::Latency
            | Metric::Tail
            | Metric::P50
            | Metric::P95
            | Metric::P99
            | Metric::Throughput
    );
    if !of_request {
        return None;
    }
    match row.verdict() {
        Some(Verdict::Regressed) => Some(true),
        Some(Verdict::Improved) => Some(false),
        Some(Verdict::Unchanged | Verdict::Inconclusive) | None => row.suspicion.map(|_| true),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use record::fixtures::{LEVEL, SampleLaunch, paired};

    use super::*;
    use crate::Comparison;

    /// A run whose head has so much more CPU time a pair in each part, in microseconds.
    fn run(slower: SampleLaunch, queued_us: u64) -> Run {
        let mut run = paired(12, LEVEL, slower);
        let LaunchResults::Paired(pairs) = &mut run.scenarios[0].trials else { unreachable!() };
        for pair in pairs {
            watch(&mut pair.base, 0);
            watch(&mut pair.head, queued_us);
        }
        run
    }

    fn watch(launch: &mut LaunchResult, queued_us: u64) {
        let cpu_ns = launch.cpu_ns.unwrap();
        launch.probes = Some(record::ResourceProbes {
            user_ns: cpu_ns / 4 * 3,
            system_ns: cpu_ns / 4,
            queued_ns: Some(queued_us * 1_000 * launch.requests),
            counters: record::ProcessCounters::default(),
            threads: 1,
            files: 1,
            series: Vec::new(),
            cost_ns: 0,
            steal_ns: 0,
            throttled_ns: 0,
        });
    }

    fn anatomy(run: &Run) -> RequestAnatomy {
        Comparison::of(run).unwrap().anatomies.remove(0)
    }

    #[test]
    fn parts_add_up_to_the_time_of_a_request() {
        let run = run(LEVEL, 0);
        let anatomy = anatomy(&run);
        let launch = run.scenarios[0].head()[0];
        let slices = &launch.slices;
        let (requests, service_ns) = slices
            .iter()
            .fold((0, 0), |sum, slice| (sum.0 + slice.requests, sum.1 + slice.service_ns));
        let mean_ns = service_ns as f64 / requests as f64;
        assert!((anatomy.base.total_ns() / mean_ns - 1.0).abs() < 0.05, "{anatomy:?}");
        assert!((anatomy.base.user_ns / anatomy.base.system_ns - 3.0).abs() < 0.01);
        assert_eq!(anatomy.changed, None, "nothing changed");
    }

    #[test]
    fn waiting_is_named_and_not_computing() {
        let slower = SampleLaunch { latency_us: LEVEL.latency_us + 1_000, ..LEVEL };
        let changed = anatomy(&run(slower, 0)).changed.unwrap();
        assert_eq!(changed.part, TimePart::Blocked);
        assert!((changed.part_ns / 1e6 - 1.0).abs() < 0.05, "{changed:?}");
        let queued = anatomy(&run(slower, 900)).changed.unwrap();
        assert_eq!(queued.part, TimePart::Queued);
    }

    /// Differences around these parts, in which the kernel's ticks put some of user time into the system's.
    fn differences(user_ns: f64, ticks_ns: [f64; 8]) -> Vec<RequestTime> {
        let of = |moved: f64| RequestTime {
            user_ns: user_ns - moved,
            system_ns: moved,
            queued_ns: 0.0,
            blocked_ns: 0.0,
        };
        ticks_ns.map(of).to_vec()
    }

    #[test]
    fn computing_is_put_where_it_is_seen() {
        let noise = differences(50_000.0, [9e3, -12e3, 4e3, 15e3, -8e3, 6e3, -5e3, -9e3]);
        let change = TimeChange::of(&noise).time;
        assert!((change.user_ns - 50_000.0).abs() < 1e-6 && change.system_ns == 0.0, "{change:?}");
        let both = differences(50_000.0, [29e3, 31e3, 30e3, 30e3, 28e3, 30e3, 32e3, 30e3]);
        let change = TimeChange::of(&both).time;
        assert!((change.system_ns - 30_000.0).abs() < 1e-6, "{change:?}");
        assert!((change.user_ns - 20_000.0).abs() < 1e-6, "{change:?}");
    }

    #[test]
    fn what_scatters_more_than_it_differs_is_not_seen() {
        assert!(is_seen(&[9.0, 10.0, 11.0, 10.5, 9.5, 9.2], CHANGE_LEVEL));
        assert!(!is_seen(&[900.0, -700.0, 10.0, 400.0, -550.0, 90.0], CHANGE_LEVEL));
        assert!(!is_seen(&[10.0, 11.0, 9.0], CHANGE_LEVEL), "of three the scatter is not known");
        assert!(!is_seen(&[0.0; 8], CHANGE_LEVEL));
    }

    #[test]
    fn a_target_that_was_not_watched_has_none() {
        assert_eq!(Comparison::of(&paired(12, LEVEL, LEVEL)).unwrap().anatomies, []);
    }

    /// 100 us more in user space, and so much more time without a processor.
    fn with_queueing(queued_us: [f64; 8]) -> Option<ChangedPart> {
        let of = |queued_us: f64| RequestTime {
            user_ns: 100e3,
            system_ns: 0.0,
            queued_ns: 1e3 * queued_us,
            blocked_ns: 0.0,
        };
        TimeChange::of(&queued_us.map(of)).largest()
    }

    #[test]
    fn what_is_not_seen_hides_no_part_and_is_no_part() {
        let busy = [900.0, -400.0, 700.0, -800.0, 1_200.0, 300.0, -600.0, 500.0];
        let changed = with_queueing(busy).unwrap();
        assert_eq!((changed.part, changed.part_ns), (TimePart::User, changed.total_ns));
        let more = with_queueing([300.0, 400.0, 350.0, 310.0, 320.0, 390.0, 380.0, 340.0]).unwrap();
        assert_eq!(more.part, TimePart::Queued);
        assert_eq!(with_queueing([100.0; 8]), None, "neither is most of it");
    }

    #[test]
    fn a_part_that_is_small_beside_the_change_of_latency_is_not_named() {
        let changed = |part_ns| ChangedPart { part: TimePart::User, part_ns, total_ns: part_ns };
        assert!(changed(27e3).accounts_for(None));
        assert!(changed(600e3).accounts_for(Some(900e3)));
        assert!(!changed(27e3).accounts_for(Some(500e3)));
        assert!(!changed(-600e3).accounts_for(Some(900e3)));
        let latency = Comparison::of(&paired(
            12,
            LEVEL,
            SampleLaunch { latency_us: 2 * LEVEL.latency_us, ..LEVEL },
        ));
        let changes: Vec<f64> =
            latency.unwrap().rows.iter().filter_map(latency_change_ns).collect();
        assert!(
            matches!(changes[..], [ns] if (ns / 1e3 / LEVEL.latency_us as f64 - 1.0).abs() < 0.1),
            "{changes:?}"
        );
    }

    proptest! {
        #[test]
        fn the_named_part_is_most_of_what_is_seen(
            parts in proptest::array::uniform4(-1e6_f64..1e6), is_seen in proptest::array::uniform4(proptest::bool::ANY),
        ) {
            let [user_ns, system_ns, queued_ns, blocked_ns] = parts;
            let time = RequestTime { user_ns, system_ns, queued_ns, blocked_ns };
            if let Some(changed) = (TimeChange { time, is_seen }).largest() {
                prop_assert!(changed.part_ns / changed.total_ns > SHARE_MIN);
                for (part, is_seen) in TimePart::ALL.into_iter().zip(is_seen) {
                    prop_assert!(!is_seen || time.part(part) / changed.total_ns <= changed.part_ns / changed.total_ns);
                    prop_assert!(is_seen || part != changed.part);
                }
            }
        }
    }
}
