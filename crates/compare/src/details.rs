//! What there is to say of a scenario beside its metrics: how it was driven, which requests failed
//! and how, each level of its load, and what the target and the machine did meanwhile.
//!
//! All of it is of the head, over all launches: counts are summed, levels are the largest or, where a
//! single launch can be disturbed, the median.

use std::collections::BTreeMap;

use crate::values::MergedTimes;
use record::work_unit::WorkUnit;
use record::workload::Workload;
use record::{
    Capacity, ContentError, FailureKind, FailureRecord, FittedLoad, GeneratorQuality, LatencyBasis,
    LaunchResult, LimitsRecord, LoadLevel, LoadStep, NetworkCost, ProcessCounters, Run,
    ScenarioRun, histogram,
};
use stats::quantile;
use units::Ratio;

/// A scenario beside its metrics.
#[derive(Debug, Clone)]
pub struct ScenarioDetails {
    /// Its name.
    pub scenario: String,
    /// What was sent.
    pub workload: Workload,
    /// How long each side of a launch pair was driven, where that was fitted to the target.
    pub fitted_load: Option<FittedLoad>,
    /// Which time of a request its metrics show.
    pub times: LatencyBasis,
    /// Failures by kind.
    pub failures: Vec<FailureRecord>,
    /// The levels of its load, in order.
    pub steps: Vec<StepRow>,
    /// The highest rate that holds, where it was searched for.
    pub capacity: Option<CapacityEstimate>,
    /// How well the load was made over the launches: the largest lags, all late and dropped requests, the
    /// median of those in flight. None in records of old.
    pub generator: Option<GeneratorQuality>,
    /// What was seen of the target; none where its process is not ours.
    pub probes: Option<ProbeTotals>,
    /// What the network between load and target did, if there was one.
    pub network: Option<NetworkDetails>,
    /// What the target may take, and who keeps it to that.
    pub confinement: Option<LimitsRecord>,
}

/// One level of a load, over all launches.
#[derive(Debug, Clone, PartialEq)]
pub struct StepRow {
    /// The level.
    pub level: LoadLevel,
    /// Requests.
    pub requests: u64,
    /// Those that failed.
    pub failed: u64,
    /// Requests answered per second.
    pub per_s: f64,
    /// Median time, in nanoseconds, if there are enough requests.
    pub p50_ns: Option<f64>,
    /// 95th percentile, in nanoseconds, if there are enough requests.
    pub p95_ns: Option<f64>,
    /// In how many launches the level was tried and the limits were kept.
    pub held: Option<(usize, usize)>,
}

/// What the searches of all launches found together.
#[derive(Debug, Clone, PartialEq)]
pub enum CapacityEstimate {
    /// The median of the launches, and an interval for the median of all launches that there could
    /// be. In requests per second.
    Interval {
        /// The median.
        median_per_s: f64,
        /// Smallest result.
        low_per_s: f64,
        /// Largest result, with the precision of the search on top.
        high_per_s: f64,
        /// Probability that the interval holds the true median: 1 - 2^(1 - launches).
        coverage: Ratio,
        /// Launches.
        launches: usize,
        /// Units of work in a request; below 1 where a unit is a flow of several.
        pairs_per_request: f64,
        /// What they are.
        unit: WorkUnit,
    },
    /// A launch held the highest rate that was tried, in requests per second.
    AtLeast(f64),
    /// A launch held next to nothing.
    None,
}

/// What the network between load and target did, over all launches, and what it costs by itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NetworkDetails {
    /// What it costs when it shapes nothing.
    pub cost: NetworkCost,
    /// Connections that were made through it.
    pub connections: u64,
    /// Connections that it reset.
    pub resets: u64,
    /// CPU time that it took on the load's processors, in nanoseconds.
    pub cpu_ns: f64,
    /// That as a share of the time under load.
    pub cpu: Ratio,
}

/// What was seen of the target and of the machine. Times are sums over the launches.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProbeTotals {
    /// CPU time in user space, in nanoseconds.
    pub user_ns: f64,
    /// CPU time in the system, in nanoseconds.
    pub system_ns: f64,
    /// What the kernel counted of its threads.
    pub counters: ProcessCounters,
    /// Most threads at the end of a launch.
    pub threads: u64,
    /// Most open files and sockets at the end of a launch.
    pub files: u64,
    /// Median of the resident memory at the beginning of a launch's load, in bytes.
    pub rss_begin_bytes: f64,
    /// Median of that at its end.
    pub rss_end_bytes: f64,
    /// CPU time that watching took, in nanoseconds.
    pub cost_ns: f64,
    /// That as a share of the time under load.
    pub cost: Ratio,
    /// CPU time that the host gave to others, in nanoseconds.
    pub steal_ns: f64,
    /// Time for which the quota of the control group was used up, in nanoseconds.
    pub throttled_ns: f64,
}

impl ScenarioDetails {
    /// Returns the details of a scenario. Fails on a histogram that is none.
    pub(super) fn of(run: &Run, scenario: &ScenarioRun) -> Result<Self, ContentError> {
        let head = scenario.head();
        Ok(Self {
            scenario: scenario.name.clone(),
            workload: scenario.workload.clone(),
            fitted_load: scenario.fitted_load,
            times: scenario.times,
            failures: failures(&head),
            steps: steps(&head)?,
            capacity: capacity(&head, scenario),
            generator: generator(&head),
            probes: probes(&head),
            network: run.network_cost.and_then(|cost| network(&head, cost)),
            confinement: run.confinement.clone(),
        })
    }
}

fn failures(head: &[&LaunchResult]) -> Vec<FailureRecord> {
    let mut kinds: BTreeMap<FailureKind, FailureRecord> = BTreeMap::new();
    for failure in head.iter().flat_map(|trial| &trial.failures) {
        match kinds.get_mut(&failure.kind) {
            Some(known) => {
                known.count = known.count.saturating_add(failure.count);
                known.first = known.first.take().or_else(|| failure.first.clone());
            }
            None => {
                kinds.insert(failure.kind, failure.clone());
            }
        }
    }
    kinds.into_values().collect()
}

/// The levels in rising order, the same one of several launches together.
fn steps(head: &[&LaunchResult]) -> Result<Vec<StepRow>, ContentError> {
    let mut levels: Vec<(LoadLevel, Vec<&LoadStep>)> = Vec::new();
    for step in head.iter().flat_map(|trial| &trial.steps) {
        match levels.iter_mut().find(|(level, _)| *level == step.level) {
            Some((_, steps)) => steps.push(step),
            None => levels.push((step.level, vec![step])),
        }
    }
    let height = |level: &LoadLevel| match level {
        LoadLevel::Connections(connections) => f64::from(*connections),
        LoadLevel::PerSecond(per_s) => *per_s,
    };
    levels.sort_by(|(a, _), (b, _)| height(a).total_cmp(&height(b)));
    levels.iter().map(|(level, steps)| row(*level, steps)).collect()
}

fn row(level: LoadLevel, steps: &[&LoadStep]) -> Result<StepRow, ContentError> {
    let sum = |of: fn(&LoadStep) -> u64| units::total(steps.iter().map(|step| of(step)));
    let (requests, failed) = (sum(|step| step.requests), sum(|step| step.failed));
    let mut times = MergedTimes::default();
    for step in steps {
        times.add(&histogram::decode(&step.histogram)?);
    }
    let times = times.whole().ok_or(ContentError::HistogramMismatch)?;
    let quantile = |quantile| times.percentile_ns(quantile).map(units::exact);
    let judged = steps.iter().filter_map(|step| step.held).count();
    let held = steps.iter().filter(|step| step.held == Some(true)).count();
    Ok(StepRow {
        level,
        requests,
        failed,
        per_s: units::exact(requests - failed) * 1e9 / units::exact(sum(|step| step.wall_ns)),
        p50_ns: quantile(0.50),
        p95_ns: quantile(0.95),
        held: (judged > 0).then_some((held, judged)),
    })
}

fn capacity(head: &[&LaunchResult], scenario: &ScenarioRun) -> Option<CapacityEstimate> {
    let mut results = Vec::new();
    let mut high_per_s = 0.0_f64;
    for trial in head {
        match trial.capacity? {
            Capacity::AboveCeiling(per_s) => return Some(CapacityEstimate::AtLeast(per_s)),
            Capacity::BelowFloor => return Some(CapacityEstimate::None),
            Capacity::Held { per_s, precision } => {
                results.push(per_s);
                high_per_s = high_per_s.max(per_s * (1.0 + precision));
            }
        }
    }
    let launches = results.len();
    (launches > 0).then(|| CapacityEstimate::Interval {
        median_per_s: quantile::median(&results),
        low_per_s: results.iter().copied().fold(f64::INFINITY, f64::min),
        high_per_s,
        // The true median is outside only if all launches fall on one side of it.
        coverage: Ratio(1.0 - 2.0_f64.powf(1.0 - launches as f64)),
        launches,
        pairs_per_request: units::exact(scenario.pairs_per_request)
            / units::exact(scenario.requests_per_unit),
        unit: scenario.unit(),
    })
}

fn generator(head: &[&LaunchResult]) -> Option<GeneratorQuality> {
    let all: Vec<_> = head.iter().filter_map(|trial| trial.generator).collect();
    let in_flight: Vec<f64> = all.iter().map(|it| it.in_flight).collect();
    all.iter().map(|it| GeneratorQuality { in_flight: quantile::median(&in_flight), ..*it }).reduce(
        |a, b| GeneratorQuality {
            lag_p99_ns: a.lag_p99_ns.max(b.lag_p99_ns),
            lag_max_ns: a.lag_max_ns.max(b.lag_max_ns),
            late: a.late + b.late,
            dropped: a.dropped + b.dropped,
            in_flight: a.in_flight,
            in_flight_max: a.in_flight_max.max(b.in_flight_max),
            rendering_ns: a.rendering_ns + b.rendering_ns,
            resent: a.resent + b.resent,
        },
    )
}

fn network(head: &[&LaunchResult], cost: NetworkCost) -> Option<NetworkDetails> {
    let all: Vec<_> = head.iter().filter_map(|trial| trial.network).collect();
    if all.is_empty() {
        return None;
    }
    let wall_ns = units::exact(units::total(head.iter().map(|trial| trial.wall_ns)));
    let cpu_ns = units::exact(units::total(all.iter().map(|it| it.cpu_ns)));
    Some(NetworkDetails {
        cost,
        connections: units::total(all.iter().map(|it| it.connections)),
        resets: units::total(all.iter().map(|it| it.resets)),
        cpu_ns,
        cpu: Ratio(cpu_ns / wall_ns.max(1.0)),
    })
}

fn probes(head: &[&LaunchResult]) -> Option<ProbeTotals> {
    let all: Vec<_> = head.iter().filter_map(|trial| trial.probes.as_ref()).collect();
    if all.is_empty() {
        return None;
    }
    let count = |of: fn(&record::ResourceProbes) -> u64| units::total(all.iter().map(|it| of(it)));
    let sum = |of: fn(&record::ResourceProbes) -> u64| units::exact(count(of));
    let most =
        |of: fn(&record::ResourceProbes) -> u64| all.iter().map(|it| of(it)).max().unwrap_or(0);
    let rss = |point: fn(&[record::ResourcePoint]) -> Option<&record::ResourcePoint>| {
        let rss = all.iter().filter_map(|it| point(&it.series));
        let rss: Vec<f64> = rss.map(|point| units::exact(point.rss_bytes)).collect();
        if rss.is_empty() { 0.0 } else { quantile::median(&rss) }
    };
    let wall_ns = units::exact(units::total(head.iter().map(|trial| trial.wall_ns)));
    let cost_ns = sum(|it| it.cost_ns);
    Some(ProbeTotals {
        user_ns: sum(|it| it.user_ns),
        system_ns: sum(|it| it.system_ns),
        counters: all.iter().map(|it| it.counters).sum(),
        threads: most(|it| it.threads),
        files: most(|it| it.files),
        rss_begin_bytes: rss(<[_]>::first),
        rss_end_bytes: rss(<[_]>::last),
        cost_ns,
        cost: Ratio(cost_ns / wall_ns.max(1.0)),
        steal_ns: sum(|it| it.steal_ns),
        throttled_ns: sum(|it| it.throttled_ns),
    })
}
