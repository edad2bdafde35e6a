//! One side under load: makes the load that the scenario asks for, and judges the generator.
//!
//! A closed load by time or number is cut into slices, so that two sides can be driven in turn. Every
//! other load is a whole that would mean something else if it were cut; of a launch pair, the sides
//! then follow each other in the order of the coin.

use std::sync::Arc;
use std::time::Duration;
use units::text::{error_chain, hints};

use crate::call_watch::{CallCounts, CallWatch};
use crate::client_settings;
use crate::connection::ConnectionSetup;
use crate::launch_failure::{self, LaunchFailure, RequestFault, report, target_report};
use crate::limits;
use crate::live::{LiveMetrics, LiveStream};
use crate::requests::ScenarioRequests;
use crate::stage_clock::StageClock;
use load::capacity::{CapacityOutcome, CapacityPlan, CapacitySearch, TrialVerdict};
use load::measure::validity;
use load::measure::{FailureCounts, FirstAnswers, Measurement};
use load::pacing;
use load::pacing::{ArrivalSchedule, OpenWorkload, StopCondition};
use load::{DriveOutcome, Exchange, ExchangeFailure, FailureKind, LoadClient};
use record::stage::RunStage;
use record::{
    Capacity, FailureReport, LatencyBasis, LoadLevel, LoadStep, NetworkUse, Side, WarmUpRecord,
    histogram,
};
use suite::{LoadAmount, ReusePolicy, SamplingPlan, Scenario, WarmUpPlan, WorkloadModel};
use sut::network::Relay;
use sut::{CpuClock, HostInterference, ResourceUsage, RunQueueClock, Sampler, Target};
use units::cancel::Cancel;

/// A failing target is left alone after its first failures, instead of being sent more; later only, if
/// the limits allow more of the requests that are to be expected.
const FAILURES_MAX: u64 = 10;

/// Slices of a launch at most: each is kept in the record, and a load may go on for days.
const SLICES_MAX: u16 = 2_048;

/// How often a rate is tried again when the generator, not the target, was too slow for it.
const TRIES: u32 = 3;

/// A started target and how it is reached.
pub(super) struct LaunchHandle {
    pub(super) side: Side,
    pub(super) target: Target,
    pub(super) reached: ConnectionSetup,
}

/// What holds for everything that is driven.
#[derive(Clone, Copy)]
pub(super) struct DriveConditions<'a> {
    pub(super) sampling: &'a SamplingPlan,
    /// How long a closed load goes on that has no end of its own.
    pub(super) load: Duration,
    /// How long it is warmed up, where that follows from how fast the target is.
    pub(super) warm_up: Option<Duration>,
    pub(super) live: &'a LiveMetrics,
    pub(super) cancel: &'a Cancel,
    /// Seed of the network's jitter and resets: the same for both sides of a launch pair.
    pub(super) seed: u64,
    /// Of so many requests one is sent and not counted, if a known change is to be measured.
    pub(super) uncounted_every: Option<u64>,
    /// What adds up the time of warm-up and load.
    pub(super) clock: &'a StageClock,
}

/// One side under load: a running target, the connections to it, and what was seen.
pub(super) struct SideDriver<'a> {
    pub(super) launched: &'a LaunchHandle,
    pub(super) prepared: &'a ScenarioRequests,
    pub(super) scenario: &'a Scenario,
    /// Of so many requests one is sent and not counted.
    pub(super) uncounted_every: Option<u64>,
    pub(super) clock: &'a StageClock,
    load: Duration,
    pub(super) warm_up: WarmUpPlan,
    client: LoadClient,
    /// Between client and target, if there is a network.
    relay: Option<Relay>,
    in_flight_max: usize,
    lag_max: Duration,
    live: &'a LiveMetrics,
    /// Where monitoring sees the requests of this scenario to this side.
    stream: Arc<LiveStream>,
    pairs: u64,
    pub(super) measurement: Measurement,
    /// Of this scenario in this launch, warm-up included.
    pub(super) first_answers: FirstAnswers,
    /// Requests that were answered or failed, warm-up included.
    pub(super) requests_total: u64,
    /// The first request that failed.
    failed_request: Option<FailedRequest>,
    /// Everything that the measurement holds, as one drive.
    pub(super) total: DriveOutcome,
    pub(super) steps: Vec<LoadStep>,
    pub(super) capacity: Option<Capacity>,
    /// CPU time of the target in the one trial that is kept of a search.
    pub(super) cpu_of_best: Option<Duration>,
    pub(super) watched: Option<TargetObserver>,
    pub(super) costs: LaunchCosts,
    /// Whether a load that is not cut has been made.
    whole: bool,
}

/// The first request of a side that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FailedRequest {
    /// Its place among the scenario's.
    place: usize,
    /// Whether it had been sent to this launch before.
    is_repeated: bool,
}

/// The target before the load, and who watches it.
pub(super) struct TargetObserver {
    pub(super) before: ResourceUsage,
    /// How long its quota was used up until then.
    pub(super) throttled: Duration,
    pub(super) machine: HostInterference,
    pub(super) sampler: Sampler,
    pub(super) run_queue: RunQueueClock,
}

/// What the launch costs, beside what is measured of requests.
#[derive(Default)]
pub(super) struct LaunchCosts {
    clock: Option<SliceClock>,
    /// CPU time of the target by slice, as far as it is known.
    pub(super) slice_cpu_ns: Vec<u64>,
    pub(super) warm_up: Option<WarmUpRecord>,
    /// What counts the target's calls, once the load has begun.
    pub(super) calls: Option<CallWatch>,
}

/// The CPU time of the target, and what it was after the slice before.
struct SliceClock {
    clock: CpuClock,
    read: Duration,
}

/// What is driven before the other side gets its turn.
#[derive(Debug, Clone, Copy)]
pub(super) enum DriveExtent {
    /// So much of a closed load.
    Slice(StopCondition),
    /// All there is.
    Whole,
}

impl<'a> SideDriver<'a> {
    /// Makes ready to send a scenario's requests to a running target.
    pub(super) fn new(
        launched: &'a LaunchHandle,
        prepared: &'a ScenarioRequests,
        conditions: DriveConditions<'a>,
    ) -> Result<Self, LaunchFailure> {
        let DriveConditions { sampling, load, warm_up, live, cancel, seed, clock, .. } = conditions;
        let scenario = &prepared.scenario;
        let failed = |reason: FailureReport| {
            LaunchFailure::new(launched.side, Some(scenario.name.clone()), reason)
        };
        let settings = client_settings::of_load(scenario);
        let connections = settings.connections;
        let LaunchHandle { target, reached, .. } = launched;
        let plan = prepared
            .plan(&reached.host(target))
            .map_err(|error| failed(error_chain(&error).into()))?;
        let relay = match (scenario.network, target.address()) {
            (Some(network), Some(address)) => {
                let relay = Relay::start(address, &network, seed, connections.get());
                Some(relay.map_err(|error| failed(error_chain(&error).into()))?)
            }
            (Some(_), None) => {
                let place = target.place();
                let reason = format!("`[network]` lies before ports only, not `{place}`");
                return Err(failed(reason.into()));
            }
            (None, _) => None,
        };
        let by_way_of = relay.as_ref().map(Relay::address);
        let client = reached.client(target.place(), by_way_of, plan, settings, cancel.clone());
        let mut client = client.map_err(|error| failed(report(&error)))?;
        if scenario.load.reuse == ReusePolicy::Kept {
            client.renew().map_err(|error| failed(report(&error)))?;
        }
        Ok(Self {
            uncounted_every: conditions.uncounted_every,
            clock,
            load,
            warm_up: match (scenario.warm_up(sampling), warm_up) {
                (WarmUpPlan::Fitted { .. }, Some(fitted)) => WarmUpPlan::For(fitted),
                (plan, _) => plan,
            },
            launched,
            prepared,
            scenario,
            client,
            relay,
            in_flight_max: settings.in_flight_max(),
            lag_max: sampling.lag_max,
            live,
            stream: live.stream(scenario, launched.side),
            pairs: prepared.pairs,
            measurement: Measurement::default(),
            first_answers: FirstAnswers::default(),
            requests_total: 0,
            failed_request: None,
            total: DriveOutcome::default(),
            steps: Vec::new(),
            capacity: None,
            cpu_of_best: None,
            watched: None,
            costs: LaunchCosts::default(),
            whole: false,
        })
    }

    /// Has every virtual user send the requests of the setup.
    pub(super) fn set_up(&mut self) -> Result<(), LaunchFailure> {
        if self.scenario.setup.is_empty() {
            return Ok(());
        }
        let mut failed: Option<Exchange> = None;
        let driven = self.client.set_up(&mut |exchange| {
            if exchange.outcome.is_err() {
                failed.get_or_insert_with(|| exchange.clone());
            }
        });
        let drive = driven.map_err(|error| self.failure(report(&error)))?;
        if drive.ended == load::DriveEnd::Cancelled {
            return Err(self.failure("interrupted"));
        }
        let Some(Exchange { request, outcome: Err(failure), .. }) = failed else { return Ok(()) };
        let operation = self.prepared.operation_name(request);
        let operation = operation.map(ToString::to_string).unwrap_or_default();
        let ExchangeFailure { kind, detail, .. } = failure;
        let report = FailureReport::from(format!("setup failed at {operation}, {kind}: {detail}"));
        let log = self.launched.target.log_tail().map(|tail| tail.to_string());
        Err(self.failure(FailureReport { excerpts: log.into_iter().collect(), ..report }))
    }

    /// Sends load that is not measured, but checked all the same. Returns the logarithm of what a request
    /// cost: CPU time, or the time of its answer where the process is not ours; none if it is not known.
    pub(super) fn warm_up_slice(&mut self, lasts: Duration) -> Result<Option<f64>, LaunchFailure> {
        let clock = self.launched.target.cpu_clock().ok().filter(|_| self.is_ours());
        let cpu = clock.as_ref().and_then(CpuClock::read);
        let (answered, served_ns) = (self.measurement.answered(), self.served_ns());
        self.warm_up_load(lasts)?;
        let answered = self.measurement.answered() - answered;
        let used = clock.and_then(|clock| clock.read()?.checked_sub(cpu?)).map(units::nanos);
        let cost_ns = used.unwrap_or(self.served_ns() - served_ns);
        let is_known = answered > 0 && cost_ns > 0;
        Ok(is_known.then(|| (units::exact(cost_ns) / units::exact(answered)).ln()))
    }

    /// Sends load that is not measured, but checked all the same.
    pub(super) fn warm_up_load(&mut self, lasts: Duration) -> Result<(), LaunchFailure> {
        self.warm_up_until(self.stop(lasts, 1))
    }

    /// Sends so many requests that are not measured, or as many as are answered in a time.
    pub(super) fn warm_up_requests(
        &mut self,
        requests: u64,
        at_most: Duration,
    ) -> Result<(), LaunchFailure> {
        let stop = self.stop(Duration::ZERO, requests);
        self.warm_up_until(StopCondition { at_most: Some(at_most), ..stop })
    }

    fn warm_up_until(&mut self, stop: StopCondition) -> Result<(), LaunchFailure> {
        let closed = match self.scenario.load.model {
            WorkloadModel::Closed { .. } | WorkloadModel::Steps { .. } => stop.into(),
            WorkloadModel::Open { .. } | WorkloadModel::Capacity { .. } => {
                pacing::ClosedWorkload::one_at_a_time(stop)
            }
        };
        self.follow(&pacing::PacingModel::Closed(closed))?;
        self.check()
    }

    /// Forgets what the warm-up measured, but for how long it was.
    pub(super) fn end_warm_up(&mut self, is_steady: Option<bool>) {
        let connections = match self.scenario.load.model {
            WorkloadModel::Closed { .. } | WorkloadModel::Steps { .. } => {
                self.scenario.load.connections
            }
            WorkloadModel::Open { .. } | WorkloadModel::Capacity { .. } => 1,
        };
        let measurement = std::mem::take(&mut self.measurement);
        self.costs.warm_up = Some(WarmUpRecord {
            requests: measurement.answered(),
            connections,
            wall_ns: units::nanos(measurement.wall()),
            is_steady,
        });
        self.total = DriveOutcome::default();
    }

    /// Sum of the times from *sent* to *done* of all that was answered.
    fn served_ns(&self) -> u64 {
        self.measurement.slices().iter().map(|slice| slice.sum_ns).sum()
    }

    /// Whether the target is a process that was started here.
    fn is_ours(&self) -> bool {
        self.launched.target.pid().is_some()
    }

    /// From here on, calls, CPU time and memory count.
    pub(super) fn begin(&mut self) -> Result<(), LaunchFailure> {
        let target = &self.launched.target;
        let operations = self.calls_by_operation()?;
        self.costs.calls = CallWatch::begin(target, operations);
        if target.pid().is_none() {
            return Ok(());
        }
        let processes = target.processes().map_err(|error| self.failure(report(&error)))?;
        processes.reset_peak().map_err(|error| self.failure(report(&error)))?;
        let before = target.usage_of(&processes);
        let before = before.map_err(|error| self.failure(report(&error)))?;
        let (side, live) = (self.launched.side, self.live.clone());
        let sampler = processes.sample(move |point| {
            live.sampled(side, point.rss_bytes, units::nanos(point.cpu));
        });
        let clock = processes.cpu_clock();
        self.costs.clock = clock.read().map(|read| SliceClock { clock, read });
        let run_queue = processes.run_queue_clock();
        self.watched = Some(TargetObserver {
            before,
            throttled: target.throttled(),
            machine: HostInterference::now(),
            sampler,
            run_queue,
        });
        Ok(())
    }

    /// Sends requests one at a time, and counts what the target calls meanwhile: with several under way it would not
    /// be known for which of them. Nothing where there is one operation, to which all calls belong.
    fn calls_by_operation(&mut self) -> Result<Vec<CallCounts>, LaunchFailure> {
        /// In a mix of so many, every operation has its share.
        const REQUESTS: u64 = 100;
        const AT_MOST: Duration = Duration::from_secs(5);
        let target = &self.launched.target;
        let mut before = target.call_totals();
        if self.scenario.order.is_none() || before.is_empty() {
            return Ok(Vec::new());
        }
        let mut counts = vec![CallCounts::default(); self.scenario.operations.len()];
        let stop = StopCondition { at_most: Some(AT_MOST), ..self.stop(Duration::ZERO, REQUESTS) };
        let closed = pacing::ClosedWorkload::one_at_a_time(stop);
        let prepared = self.prepared;
        let driven = self.client.follow(&pacing::PacingModel::Closed(closed), &mut |exchange| {
            let now = target.call_totals();
            let place = prepared.operation_place(exchange.request);
            if let Some(counts) = place.and_then(|place| counts.get_mut(place.operation)) {
                counts.add(&before, &now);
            }
            before = now;
        });
        driven.map_err(|error| self.failure(report(&error)))?;
        Ok(counts)
    }

    /// The stretch to drive next, if there is one left.
    pub(super) fn next_stretch(&self, sampling: &SamplingPlan) -> Option<DriveExtent> {
        let done = self.measurement.answered() + self.measurement.failed();
        let slice = |lasts| {
            let open = self.measurement.wall() < lasts;
            let shortest = slice_time(sampling, lasts);
            open.then(|| DriveExtent::Slice(self.stop(shortest, sampling.slice_requests)))
        };
        match &self.scenario.load.model {
            WorkloadModel::Closed { amount: LoadAmount::Time, .. } => slice(self.load),
            WorkloadModel::Closed { amount: LoadAmount::For(lasts), .. } => slice(*lasts),
            WorkloadModel::Closed { amount: LoadAmount::Requests(requests), .. } => {
                let left = requests.saturating_sub(done).min(slice_requests(sampling, *requests));
                (left > 0).then(|| DriveExtent::Slice(self.stop(Duration::ZERO, left)))
            }
            WorkloadModel::Steps { .. }
            | WorkloadModel::Open { .. }
            | WorkloadModel::Capacity { .. } => (!self.whole).then_some(DriveExtent::Whole),
        }
    }

    /// Drives a stretch, and fails if the target or the generator did.
    pub(super) fn drive(&mut self, stretch: DriveExtent) -> Result<(), LaunchFailure> {
        let clock = self.clock;
        clock.time(RunStage::Load, || self.send_load(stretch))
    }

    fn send_load(&mut self, stretch: DriveExtent) -> Result<(), LaunchFailure> {
        self.whole = true;
        let scenario = self.scenario;
        match (&scenario.load.model, stretch) {
            (WorkloadModel::Closed { think, .. }, DriveExtent::Slice(stop)) => {
                let closed = pacing::ClosedWorkload { think: *think, ..stop.into() };
                self.follow(&pacing::PacingModel::Closed(closed))?;
                self.check()
            }
            (WorkloadModel::Steps { connections, requests }, _) => {
                self.climb(connections, *requests)
            }
            (WorkloadModel::Open { schedule, late_max, .. }, _) => {
                let open = self.open(schedule.clone(), *late_max);
                self.follow(&pacing::PacingModel::Open(open))?;
                self.check()?;
                self.valid()
            }
            (WorkloadModel::Capacity { search, trial }, _) => self.search(*search, *trial),
            (WorkloadModel::Closed { .. }, DriveExtent::Whole) => {
                unreachable!("a closed load is driven in slices")
            }
        }
    }

    /// Follows a model and adds what it yields. The connections are renewed before it, outside the
    /// measured time: a kept connection sticks to a worker of the target, and what that worker is
    /// worth would be measured instead of the build.
    pub(super) fn follow(
        &mut self,
        model: &pacing::PacingModel,
    ) -> Result<DriveOutcome, LaunchFailure> {
        if self.scenario.load.reuse == ReusePolicy::Slice {
            self.client.renew().map_err(|error| self.failure(report(&error)))?;
        }
        let (measurement, stream, pairs) = (&mut self.measurement, &self.stream, self.pairs);
        let counts_flows = self.scenario.requests_per_unit() > 1;
        let first_answers = &mut self.first_answers;
        let (total, failed_request) = (&mut self.requests_total, &mut self.failed_request);
        let prepared = self.prepared;
        let different = prepared.different();
        let sent = *total;
        let driven = self.client.follow(model, &mut |exchange| {
            match prepared.operation_place(exchange.request) {
                None => measurement.record(exchange),
                Some(place) => measurement.record_of(place, exchange),
            }
            first_answers.record(exchange);
            *total += 1;
            if exchange.outcome.is_err() {
                let is_repeated = *total > different;
                let failed = FailedRequest { place: exchange.request, is_repeated };
                failed_request.get_or_insert(failed);
            }
            match &exchange.outcome {
                Ok(()) => {
                    let is_unit = !counts_flows || exchange.flow_ns.is_some();
                    stream.answered(exchange.response_ns(), if is_unit { pairs } else { 0 });
                }
                Err(failure) => stream.failed(failure.kind),
            }
        });
        let drive = driven.map_err(|error| self.failure(report(&error)))?;
        if drive.ended == load::DriveEnd::Cancelled {
            return Err(self.failure("interrupted"));
        }
        self.measurement.end_slice(drive.wall());
        self.read_slice_clock();
        if let Some(watched) = &mut self.watched {
            // Before connections are renewed, with which threads of the target may end.
            watched.run_queue.read();
        }
        let requests = self.requests_total - sent;
        if let Some(watch) = &mut self.costs.calls {
            watch.end_slice(&self.launched.target, requests);
        }
        self.total.merge(&drive);
        Ok(drive)
    }

    /// Takes note of the CPU time of a slice, and of what the target did since the slice before.
    fn read_slice_clock(&mut self) {
        let Some(SliceClock { clock, read }) = &mut self.costs.clock else { return };
        let now = clock.read();
        if let Some((now, used)) = now.and_then(|now| Some((now, now.checked_sub(*read)?))) {
            *read = now;
            self.costs.slice_cpu_ns.push(units::nanos(used));
        } else {
            // A process has ended and taken its time with it: then no slice is known.
            (self.costs.clock, self.costs.slice_cpu_ns) = (None, Vec::new());
        }
    }

    /// A given number of requests over each number of connections.
    fn climb(&mut self, connections: &[u32], requests: u64) -> Result<(), LaunchFailure> {
        for &connections in connections {
            let before = std::mem::take(&mut self.measurement);
            let stop = self.stop(Duration::ZERO, requests);
            let closed = pacing::ClosedWorkload {
                connections: Some(client_settings::number(connections)),
                ..stop.into()
            };
            let driven = self.follow(&pacing::PacingModel::Closed(closed));
            let step = self.step(LoadLevel::Connections(connections), None);
            self.steps.push(step);
            let step = std::mem::replace(&mut self.measurement, before);
            self.measurement.merge(&step);
            driven?;
            self.check()?;
        }
        Ok(())
    }

    /// Tries ever other rates. What is kept as the launch's measurement is the highest that held.
    fn search(&mut self, plan: CapacityPlan, lasts: Duration) -> Result<(), LaunchFailure> {
        let mut search = CapacitySearch::new(plan)
            .map_err(|error| self.failure(format!("no search: {error}")))?;
        let mut best = (0.0, Measurement::default(), DriveOutcome::default());
        while let Some(per_s) = search.rate_per_s() {
            let cpu = self.cpu()?;
            let held = self.holds(per_s, lasts)?;
            self.steps.push(self.step(LoadLevel::PerSecond(per_s), held));
            if held == Some(true) && per_s > best.0 {
                best = (per_s, std::mem::take(&mut self.measurement), self.total);
                self.cpu_of_best =
                    self.cpu()?.zip(cpu).map(|(after, before)| after.saturating_sub(before));
            }
            // Where it is not known, the search goes on below, and the interval reaches above.
            search.tell(if held == Some(true) { TrialVerdict::Held } else { TrialVerdict::Broke });
        }
        let outcome = search.outcome();
        let doubtful = self.steps.iter().any(|step| step.held.is_none());
        if doubtful && matches!(outcome, Some(CapacityOutcome::BelowFloor)) {
            return self.valid();
        }
        let precision = if doubtful {
            broken_above(&self.steps, best.0).unwrap_or(plan.ceiling_per_s) / best.0 - 1.0
        } else {
            plan.precision.0
        };
        self.capacity = outcome.map(|outcome| match outcome {
            CapacityOutcome::Found(per_s) => Capacity::Held { per_s, precision },
            CapacityOutcome::AboveCeiling => Capacity::AboveCeiling(plan.ceiling_per_s),
            CapacityOutcome::BelowFloor => Capacity::BelowFloor,
        });
        (_, self.measurement, self.total) = best;
        Ok(())
    }

    /// CPU time of the target up to now; none where its process is not ours.
    fn cpu(&self) -> Result<Option<Duration>, LaunchFailure> {
        if self.watched.is_none() {
            return Ok(None);
        }
        let usage = self.launched.target.usage();
        usage.map(|usage| Some(usage.cpu)).map_err(|error| self.failure(report(&error)))
    }

    /// Whether the target keeps its limits, and keeps up, at this rate; none if the generator was too
    /// late to tell each time, as on a busy machine.
    fn holds(&mut self, per_s: f64, lasts: Duration) -> Result<Option<bool>, LaunchFailure> {
        for tried in 1..=TRIES {
            (self.measurement, self.total) = (Measurement::default(), DriveOutcome::default());
            let schedule = ArrivalSchedule::constant(per_s, lasts)
                .map_err(|error| self.failure(format!("{per_s} requests per second: {error}")))?;
            // What waits for longer than the whole trial shows a target that does not keep up.
            let open = self.open(schedule, lasts);
            let drive = self.follow(&pacing::PacingModel::Open(open))?;
            let failures = self.measurement.failures();
            if failures.contains_key(&FailureKind::WrongAnswer) {
                self.check()?;
            }
            let late = self
                .invalid()
                .iter()
                .any(|it| matches!(it, validity::InvalidityReason::Lagging { .. }));
            if late && tried < TRIES {
                continue;
            }
            let kept = limits::kept(&self.scenario.limits, &self.measurement);
            if !kept || drive.dropped > 0 || !keeps_up(&drive, per_s, lasts) {
                // A late generator makes the same limits break.
                return Ok((!late).then_some(false));
            }
            if self.invalid().is_empty() {
                return Ok(Some(true));
            }
        }
        Ok(None)
    }

    /// What was measured since the last step, at this level.
    fn step(&self, level: LoadLevel, held: Option<bool>) -> LoadStep {
        let measurement = &self.measurement;
        let times = match self.scenario.load.times() {
            LatencyBasis::Service => measurement.service(),
            LatencyBasis::Response => measurement.response(),
        };
        LoadStep {
            level,
            requests: measurement.answered() + measurement.failed(),
            failed: measurement.failed(),
            wall_ns: units::nanos(measurement.wall()),
            held,
            histogram: histogram::encode(times),
        }
    }

    /// What makes the trial tell about the generator instead of the target.
    fn invalid(&self) -> Vec<validity::InvalidityReason> {
        // A closed load waits for the target and for nothing else, so that its lag moves no number.
        let lag = match self.scenario.load.model {
            WorkloadModel::Closed { .. } | WorkloadModel::Steps { .. } => Duration::MAX,
            WorkloadModel::Open { .. } | WorkloadModel::Capacity { .. } => self.lag_max,
        };
        let limits =
            validity::GeneratorLimits { lag, in_flight_max: self.in_flight_max, ..<_>::default() };
        validity::check(&self.measurement, &self.total, &limits)
    }

    /// Fails if the generator did: such a trial is invalid, not fast.
    pub(super) fn valid(&self) -> Result<(), LaunchFailure> {
        let invalid = self.invalid();
        if invalid.is_empty() {
            return Ok(());
        }
        let reasons: Vec<_> = invalid.iter().map(ToString::to_string).collect();
        let summary = format!("the trial is invalid: {}", reasons.join("; "));
        let hints = invalid.iter().flat_map(|reason| hints(reason)).collect();
        Err(self.failure(FailureReport { hints, ..summary.into() }))
    }

    /// Fails on a wrong answer, and on more failures than the scenario allows. Resets that the
    /// network emulates are left to the limits: a few requests do not tell their share.
    pub(super) fn check(&self) -> Result<(), LaunchFailure> {
        let failures = self.measurement.failures();
        let wrong = failures.get(&FailureKind::WrongAnswer);
        let Some((kind, first)) =
            wrong.map(|wrong| (FailureKind::WrongAnswer, wrong)).or_else(|| {
                let mut others = failures.iter().filter(|(kind, _)| !self.is_wanted(**kind));
                others.next().map(|(kind, failures)| (*kind, failures))
            })
        else {
            return Ok(());
        };
        let unwanted = failures.iter().filter(|(kind, _)| !self.is_wanted(**kind));
        let unwanted: u64 = unwanted.map(|(_, failures)| failures.count).sum();
        let requests = self.measurement.answered() + self.measurement.failed();
        let allowed = limits::allowed_errors(&self.scenario.limits);
        if wrong.is_none() && units::exact(unwanted) <= allowed * units::exact(requests) {
            return Ok(());
        }
        // A target that died is the cause, and what the connections say of it only a symptom.
        let dead = self.launched.target.alive().err();
        let reason = dead.map_or_else(|| self.describe(kind, first), |error| target_report(&error));
        let fault = RequestFault {
            kind,
            failed: self.measurement.failed(),
            requests,
            example: launch_failure::example(first),
            request: self.failed_request.map(|failed| failed.place),
        };
        Err(LaunchFailure { fault: Some(Box::new(fault)), ..self.failure(reason) })
    }

    fn describe(&self, kind: FailureKind, first: &FailureCounts) -> FailureReport {
        let (failed, answered) = (self.measurement.failed(), self.measurement.answered());
        let requests = failed + answered;
        let detail = &first.first.detail;
        let operation = self.failed_request.and_then(|it| self.prepared.operation_name(it.place));
        let of = operation.map(|name| format!(" of `{name}`")).unwrap_or_default();
        let mut report = FailureReport::from(format!(
            "{failed} of {requests} requests failed; first{of}, {kind}: {detail}"
        ));
        if matches!(kind, FailureKind::Status(_) | FailureKind::WrongAnswer)
            && self.failed_request.is_some_and(|failed| failed.is_repeated)
        {
            let different = self.prepared.different();
            report.hints.push(format!(
                "the request had been sent before: {different} different ones are sent in turn; if the \
                 target refuses what it has seen, raise `bodies` in `[sampling]`"
            ));
        }
        let answer = String::from_utf8_lossy(&first.first.answer);
        if kind != FailureKind::WrongAnswer && !answer.trim().is_empty() {
            let beginning: String = answer.trim().chars().take(200).collect();
            report.excerpts.push(format!("answer: {beginning}"));
        }
        report.excerpts.extend(self.launched.target.log_tail().map(|tail| tail.to_string()));
        report
    }

    /// What passed through the network, if there is one.
    pub(super) fn traffic(&mut self) -> Result<Option<NetworkUse>, LaunchFailure> {
        let traffic = self.relay.as_mut().map(Relay::traffic).transpose();
        let traffic = traffic.map_err(|error| self.failure(error_chain(&error)))?;
        Ok(traffic.map(|traffic| NetworkUse {
            connections: traffic.connections,
            resets: traffic.resets,
            bytes: traffic.bytes,
            cpu_ns: units::nanos(traffic.cpu),
        }))
    }

    /// Whether a failure is one that the network emulates.
    fn is_wanted(&self, kind: FailureKind) -> bool {
        kind == FailureKind::Reset && self.scenario.network.is_some_and(|it| it.resets())
    }

    fn open(&self, schedule: ArrivalSchedule, late_max: Duration) -> OpenWorkload {
        let failures_max = self.failures_max(schedule.expected());
        OpenWorkload { schedule, late_max, failures_max }
    }

    fn stop(&self, at_least: Duration, requests: u64) -> StopCondition {
        let failures_max = self.failures_max(units::exact(requests));
        StopCondition { at_least, requests, at_most: None, failures_max }
    }

    fn failures_max(&self, requests: f64) -> Option<u64> {
        let allowed = limits::allowed_errors(&self.scenario.limits);
        (!self.is_wanted(FailureKind::Reset)).then(|| failures_max(allowed, requests))
    }

    pub(super) fn failure(&self, reason: impl Into<FailureReport>) -> LaunchFailure {
        let scenario = Some(self.scenario.name.clone());
        LaunchFailure::new(self.launched.side, scenario, reason.into())
    }
}

/// Returns after how many failures a drive of so many requests is given up: more than are allowed, so
/// that no drive that was given up passes.
fn failures_max(allowed: f64, requests: f64) -> u64 {
    let more = units::whole((allowed * requests).floor()).unwrap_or(u64::MAX).saturating_add(1);
    FAILURES_MAX.max(more)
}

/// How long a slice of a load of some length lasts at least.
fn slice_time(sampling: &SamplingPlan, load: Duration) -> Duration {
    sampling.slice.max(load / u32::from(SLICES_MAX))
}

/// How many requests are in a slice of a load of so many.
fn slice_requests(sampling: &SamplingPlan, load: u64) -> u64 {
    sampling.slice_requests.max(load.div_ceil(u64::from(SLICES_MAX)))
}

/// The lowest rate above one that certainly broke a limit.
fn broken_above(steps: &[LoadStep], per_s: f64) -> Option<f64> {
    let broken = steps.iter().filter(|step| step.held == Some(false));
    let rates = broken.filter_map(|step| match step.level {
        LoadLevel::PerSecond(rate) => Some(rate),
        LoadLevel::Connections(_) => None,
    });
    rates.filter(|rate| *rate > per_s).reduce(f64::min)
}

/// Whether the last answer came as soon after the last request as at the beginning: a target that
/// is 3 % too slow is 30 ms behind after a second.
fn keeps_up(drive: &DriveOutcome, per_s: f64, lasts: Duration) -> bool {
    const SUSTAINED: f64 = 0.97;
    let offered = per_s * lasts.as_secs_f64();
    // In a short trial of a slow target, one answer's own time is no backlog.
    let own = drive.in_flight_mean().max(1.0) / per_s;
    let took = drive.wall().as_secs_f64() - own;
    units::exact(drive.exchanges) >= SUSTAINED * offered && took <= lasts.as_secs_f64() / SUSTAINED
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_drive_that_was_given_up_has_more_failures_than_are_allowed(
            allowed in 0.0..1.0_f64,
            expected in 1_u32..1_000_000,
            sent in 1_u32..1_000_000,
        ) {
            let failures = failures_max(allowed, f64::from(expected));
            let sent = f64::from(sent.min(expected));
            prop_assert!(units::exact(failures) > allowed * sent);
            prop_assert!(failures >= FAILURES_MAX);
        }

        #[test]
        fn a_launch_has_a_bounded_number_of_slices_of_the_configured_size_or_more(
            seconds in 0.001..10_000_000.0_f64,
            requests in 1_u64..10_000_000_000_000,
        ) {
            let sampling = SamplingPlan::default();
            let load = Duration::from_secs_f64(seconds);
            let slice = slice_time(&sampling, load);
            prop_assert!(slice >= sampling.slice && load.div_duration_f64(slice) < 2_049.0);
            let slice = slice_requests(&sampling, requests);
            prop_assert!(slice >= sampling.slice_requests && requests.div_ceil(slice) <= 2_048);
        }
    }
}
