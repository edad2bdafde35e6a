//! Writes down what a launch yielded in a scenario.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::call_watch::DrivenLaunch;
use crate::launch_failure::{self, LaunchFailure};
use crate::side_driver::{SideDriver, TargetObserver};
use crate::{BuildSource, SutBuild};
use load::measure::{BODIES_MAX, FailureCounts, Measurement};
use load::{DriveOutcome, FailureKind};
use record::calls::LaunchCalls;
use record::{
    CpuLimit, FailureRecord, GeneratorQuality, LaunchResult, MemoryLimit, OperationResult,
    ResourcePoint, ResourceProbes, histogram,
};
use sut::{HostInterference, LimitEnforcement, ResourceLimits, ResourceUsage, Target};

impl SideDriver<'_> {
    /// Returns what the launch yielded, if target and generator are beyond doubt.
    pub(super) fn trial(mut self) -> Result<DrivenLaunch, LaunchFailure> {
        let target = &self.launched.target;
        let watch = self.costs.calls.take();
        let (calls, of_operations, dependencies) =
            watch.map(|watch| watch.finish(target)).unwrap_or_default();
        let mut result = self.result(calls)?;
        for (operation, calls) in result.operations.iter_mut().zip(of_operations) {
            operation.calls = calls.filter(|calls| calls.slices.iter().any(|it| it.requests > 0));
        }
        Ok(DrivenLaunch { result, dependencies })
    }

    fn result(mut self, calls: Option<LaunchCalls>) -> Result<LaunchResult, LaunchFailure> {
        self.launched
            .target
            .alive()
            .map_err(|error| self.failure(launch_failure::target_report(&error)))?;
        self.valid()?;
        let LaunchAccounts { usage: after, probes, proportional } = self.accounts()?;
        let network = self.traffic()?;
        // Less than before: a process of the family has ended and taken what it used with it, as those of
        // a target do that was not started here. That is not known, and not nothing.
        let cpu = after.and_then(|(before, after)| after.cpu.checked_sub(before.cpu));
        let measurement = &self.measurement;
        let failures = measurement.failures();
        let slices = measurement.slices().iter();
        let operations = operations(measurement, &self.prepared.different_by_operation());
        let of_operations = operations.iter().flat_map(|it| it.body_levels_ns.clone());
        let body_levels_ns = if operations.is_empty() {
            measurement.bodies().levels_ns()
        } else {
            of_operations.collect()
        };
        Ok(LaunchResult {
            ready_ns: units::nanos(self.launched.target.ready_after()),
            wall_ns: units::nanos(measurement.wall()),
            requests: measurement.answered() + measurement.failed(),
            // Of flows that are under way at either end, each request is its part of one.
            pairs: self.counted(measurement.answered()) * self.prepared.pairs
                / self.scenario.requests_per_unit(),
            cpu_ns: self.cpu_of_best.or(cpu).map(units::nanos),
            rss_bytes_max: after.map(|(_, after)| after.rss_peak_bytes),
            memory_bytes_max: after.map(|(_, after)| after.memory_peak_bytes),
            memory_bytes_proportional: proportional,
            body_levels_ns,
            flow_level_ns: measurement.flow_level_ns(),
            first_answer_ns: self.first_answers.mean_ns(),
            bytes_sent: measurement.request_bytes(),
            bytes_received: measurement.response_bytes(),
            slices: slices
                .map(|slice| record::SliceTotals {
                    requests: slice.count,
                    service_ns: slice.sum_ns,
                })
                .collect(),
            // Of a load that is searched or climbed, other slices are kept than were driven.
            slice_cpu_ns: if self.costs.slice_cpu_ns.len() == measurement.slices().len() {
                self.costs.slice_cpu_ns
            } else {
                Vec::new()
            },
            warm_up: self.costs.warm_up,
            histogram: histogram::encode(measurement.service()),
            failures: failures.iter().map(|(kind, it)| failure(*kind, it)).collect(),
            response: Some(histogram::encode(measurement.response())),
            generator: Some(generator(measurement, &self.total)),
            probes,
            steps: self.steps,
            capacity: self.capacity,
            network,
            calls,
            operations,
        })
    }
}

/// What a launch has used, as far as its processes are known.
struct LaunchAccounts {
    /// Before the load, and after it.
    usage: Option<(ResourceUsage, ResourceUsage)>,
    probes: Option<ResourceProbes>,
    /// Memory after the load, where several processes share some.
    proportional: Option<u64>,
}

impl SideDriver<'_> {
    /// Reads what the target has used, by one look for its processes.
    fn accounts(&mut self) -> Result<LaunchAccounts, LaunchFailure> {
        let target = &self.launched.target;
        let processes = target.processes();
        let Some(watched) = self.watched.take() else {
            let proportional = processes.ok().and_then(|it| it.memory_proportional_bytes());
            return Ok(LaunchAccounts { usage: None, probes: None, proportional });
        };
        let failed = |error| self.failure(launch_failure::target_report(&error));
        let processes = processes.map_err(failed)?;
        let after = target.usage_of(&processes).map_err(failed)?;
        let (before, throttled) = (watched.before, target.throttled());
        Ok(LaunchAccounts {
            usage: Some((before, after)),
            probes: Some(probes(watched, after, throttled)),
            proportional: processes.memory_proportional_bytes(),
        })
    }

    /// How many of the requests that were answered count.
    fn counted(&self, answered: u64) -> u64 {
        self.uncounted_every.map_or(answered, |every| answered - answered / every)
    }
}

/// What each of several operations yielded, which have so many different requests.
fn operations(measurement: &Measurement, different: &[usize]) -> Vec<OperationResult> {
    let unsent = Measurement::default();
    let of = |(number, different): (usize, &usize)| {
        operation(measurement.operations().get(number).unwrap_or(&unsent), *different)
    };
    different.iter().enumerate().map(of).collect()
}

fn operation(measurement: &Measurement, different: usize) -> OperationResult {
    let failures = measurement.failures().iter();
    let mut body_levels_ns = measurement.bodies().levels_ns();
    // Of one length in every launch: bodies are distinguished by their place.
    body_levels_ns.resize(different.min(BODIES_MAX), None);
    OperationResult {
        requests: measurement.answered() + measurement.failed(),
        body_levels_ns,
        histogram: histogram::encode(measurement.service()),
        response: histogram::encode(measurement.response()),
        failures: failures.map(|(kind, it)| failure(*kind, it)).collect(),
        calls: None,
    }
}

/// How the target of a build is kept to its limits, if it has any.
pub(super) fn confinement(build: &SutBuild, target: &Target) -> Option<record::LimitsRecord> {
    let BuildSource::Start(command) = &build.source else { return None };
    let LimitEnforcement { memory, cpu, note } = target.confinement();
    let ResourceLimits { memory_bytes_max, cpus_max } = command.limits;
    let memory =
        memory.zip(memory_bytes_max).map(|(backend, bytes_max)| MemoryLimit { bytes_max, backend });
    let cpu = cpu.zip(cpus_max).map(|(backend, cpus_max)| CpuLimit { cpus_max, backend });
    let limited = memory.is_some() || cpu.is_some();
    limited.then_some(record::LimitsRecord { memory, cpu, note })
}

fn failure(kind: FailureKind, failures: &FailureCounts) -> FailureRecord {
    FailureRecord { kind, count: failures.count, first: Some(launch_failure::example(failures)) }
}

fn generator(measurement: &Measurement, driven: &DriveOutcome) -> GeneratorQuality {
    let lag: &Histogram<u64> = measurement.lag();
    GeneratorQuality {
        lag_p99_ns: lag.value_at_quantile(0.99),
        lag_max_ns: lag.max(),
        late: driven.late,
        dropped: driven.dropped,
        in_flight: driven.in_flight_mean(),
        in_flight_max: driven.in_flight_max,
        resent: driven.resent,
        rendering_ns: driven.rendering_ns,
    }
}

fn probes(watched: TargetObserver, after: ResourceUsage, throttled: Duration) -> ResourceProbes {
    let TargetObserver { before, throttled: throttled_before, machine, sampler, mut run_queue } =
        watched;
    let series = sampler.stop();
    let taken = HostInterference::now().since(machine);
    let point = |point: &sut::ResourceSample| ResourcePoint {
        at_ns: units::nanos(point.at),
        rss_bytes: point.rss_bytes,
        cpu_ns: units::nanos(point.cpu),
    };
    // A process that has ended takes its counts with it.
    ResourceProbes {
        user_ns: units::nanos(after.user.saturating_sub(before.user)),
        system_ns: units::nanos(after.system.saturating_sub(before.system)),
        queued_ns: Some(units::nanos(run_queue.read())),
        counters: after.counters.since(before.counters),
        threads: after.threads,
        files: after.files,
        series: series.points.iter().map(point).collect(),
        cost_ns: units::nanos(series.cost),
        steal_ns: units::nanos(taken.steal),
        throttled_ns: units::nanos(taken.throttled + throttled.saturating_sub(throttled_before)),
    }
}
