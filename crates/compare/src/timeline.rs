//! What both sides and the machine did, in the order of time.
//!
//! A spike that both sides have at once, beside a host that took the processor away, is the machine's. The
//! launches of a pair are alive together and driven in turn, so their slices stand side by side.

use record::metric::limit::LimitQuantity;
use record::{
    LaunchPair, LaunchResult, LaunchResults, ResourcePoint, Run, ScenarioRun, Side, SliceTotals,
};

use crate::values::LaunchValues;

/// Most slices of a launch that are kept apart; neighbours are joined beyond that.
const SLICES_MAX: usize = 24;

/// Most points of a trace.
const TRACE_MAX: usize = 120;

/// One scenario over its launch pairs, in order.
#[derive(Debug, Clone, PartialEq)]
pub struct LaunchTimeline {
    /// The scenario's name.
    pub scenario: String,
    /// The launch pairs; of a build alone, launches without a base.
    pub launches: Vec<TimelinePair>,
    /// Resident memory over the time of the last launch, where growth is limited.
    pub memory: Vec<MemoryTrace>,
}

/// What two launches did at one time.
#[derive(Debug, Clone, PartialEq)]
pub struct TimelinePair {
    /// Base; none where head was measured alone.
    pub base: Option<LaunchReading>,
    /// Head.
    pub head: LaunchReading,
}

/// What a launch did, and what its machine did meanwhile.
#[derive(Debug, Clone, PartialEq)]
pub struct LaunchReading {
    /// Mean service time of each slice in its order, in nanoseconds.
    pub slices_ns: Vec<f64>,
    /// Mean service time over all slices, in nanoseconds.
    pub mean_ns: f64,
    /// CPU time a request, in nanoseconds; none where the process is not ours.
    pub cpu_ns: Option<f64>,
    /// Time that the host gave to others, as a share of the time under load; none where it was not watched.
    pub stolen: Option<f64>,
    /// Time for which a quota was used up, as a share of the time under load.
    pub throttled: Option<f64>,
    /// Context switches that were not given up voluntarily, in a second.
    pub preempted_per_s: Option<f64>,
}

/// Resident memory over the time of one launch.
#[derive(Debug, Clone, PartialEq)]
pub struct MemoryTrace {
    /// Whose.
    pub side: Side,
    /// Seconds since the load began, and bytes.
    pub points: Vec<(f64, f64)>,
    /// Bytes a second over the second half, once pools are filled; none of too short a load.
    pub slope: Option<f64>,
}

impl LaunchTimeline {
    /// Returns the timeline of each scenario that has a launch with requests.
    pub(super) fn of(run: &Run) -> Vec<Self> {
        run.scenarios.iter().filter_map(Self::of_scenario).collect()
    }

    fn of_scenario(scenario: &ScenarioRun) -> Option<Self> {
        let launches: Vec<TimelinePair> = match &scenario.trials {
            LaunchResults::Paired(pairs) => pairs.iter().filter_map(TimelinePair::of).collect(),
            LaunchResults::Single(launches) => {
                let alone =
                    |launch| Some(TimelinePair { base: None, head: LaunchReading::of(launch)? });
                launches.iter().filter_map(alone).collect()
            }
        };
        let memory = memory(scenario);
        (!launches.is_empty()).then(|| Self { scenario: scenario.name.clone(), launches, memory })
    }
}

impl TimelinePair {
    fn of(pair: &LaunchPair) -> Option<Self> {
        let base = LaunchReading::of(&pair.base)?;
        Some(Self { base: Some(base), head: LaunchReading::of(&pair.head)? })
    }
}

impl LaunchReading {
    fn of(launch: &LaunchResult) -> Option<Self> {
        let mean_ns = mean(&launch.slices)?;
        let wall_ns = units::exact(launch.wall_ns.max(1));
        let probes = launch.probes.as_ref();
        let requests = units::exact(launch.requests.max(1));
        Some(Self {
            slices_ns: joined(&launch.slices),
            mean_ns,
            cpu_ns: launch.cpu_ns.map(|cpu_ns| units::exact(cpu_ns) / requests),
            stolen: probes.map(|it| units::exact(it.steal_ns) / wall_ns),
            throttled: probes.map(|it| units::exact(it.throttled_ns) / wall_ns),
            preempted_per_s: probes
                .map(|it| units::exact(it.counters.switches_involuntary) / (wall_ns / 1e9)),
        })
    }
}

/// The mean over slices, by requests; none without any.
fn mean(slices: &[SliceTotals]) -> Option<f64> {
    let requests = units::total(slices.iter().map(|slice| slice.requests));
    let service_ns = units::total(slices.iter().map(|slice| slice.service_ns));
    (requests > 0).then(|| units::exact(service_ns) / units::exact(requests))
}

/// The means of slices, of neighbours together where there are many.
fn joined(slices: &[SliceTotals]) -> Vec<f64> {
    let size = slices.len().div_ceil(SLICES_MAX).max(1);
    slices.chunks(size).filter_map(mean).collect()
}

/// Memory of the last launch of each side, where the scenario has a limit on its growth.
fn memory(scenario: &ScenarioRun) -> Vec<MemoryTrace> {
    if !scenario.limits.iter().any(|limit| limit.quantity == LimitQuantity::Growth) {
        return Vec::new();
    }
    let last: Vec<(Side, &LaunchResult)> = match &scenario.trials {
        LaunchResults::Paired(pairs) => {
            pairs.last().map(both_sides).into_iter().flatten().collect()
        }
        LaunchResults::Single(launches) => {
            launches.last().map(|launch| (Side::Head, launch)).into_iter().collect()
        }
    };
    last.into_iter().filter_map(|(side, launch)| trace(scenario, side, launch)).collect()
}

fn both_sides(pair: &LaunchPair) -> [(Side, &LaunchResult); 2] {
    [(Side::Base, &pair.base), (Side::Head, &pair.head)]
}

fn trace(scenario: &ScenarioRun, side: Side, launch: &LaunchResult) -> Option<MemoryTrace> {
    let series = &launch.probes.as_ref()?.series;
    if series.len() < 2 {
        return None;
    }
    let every = series.len().div_ceil(TRACE_MAX);
    let point = |it: &ResourcePoint| (units::exact(it.at_ns) / 1e9, units::exact(it.rss_bytes));
    let values = LaunchValues::new(launch, scenario.times).ok()?;
    Some(MemoryTrace {
        side,
        points: series.iter().step_by(every).map(point).collect(),
        slope: values.growth().map(|growth| growth.slope),
    })
}

#[cfg(test)]
mod tests {
    use record::fixtures::{LEVEL, alone, paired};

    use super::*;

    #[test]
    fn slices_are_joined_and_keep_their_mean() {
        let slices: Vec<SliceTotals> =
            (1..=100).map(|i| SliceTotals { requests: 10, service_ns: i * 1_000 }).collect();
        let few = joined(&slices);
        assert_eq!(few.len(), 20);
        let all = few.iter().sum::<f64>() / few.len() as f64;
        assert!((all - mean(&slices).unwrap()).abs() < 1e-6, "{few:?}");
        assert_eq!(mean(&[SliceTotals { requests: 0, service_ns: 0 }]), None);
    }

    #[test]
    fn both_sides_stand_at_one_place_and_a_build_alone_has_no_base() {
        let timelines = LaunchTimeline::of(&paired(7, LEVEL, LEVEL));
        assert_eq!(timelines[0].launches.len(), 7);
        let first = &timelines[0].launches[0];
        assert_eq!(first.head.slices_ns.len(), 10);
        assert!(first.base.is_some() && first.head.stolen.is_none(), "{first:?}");
        let timelines = LaunchTimeline::of(&alone(LEVEL));
        assert!(timelines[0].launches.iter().all(|it| it.base.is_none()));
    }
}
