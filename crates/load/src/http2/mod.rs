//! Drives load as streams over HTTP/2 connections.
//!
//! The protocol is that of the `h2` library, on a runtime of the calling thread: several times the
//! CPU of our own path for HTTP/1.1, and no second implementation of streams, windows and header
//! tables to be wrong in. What is measured is the same. Here, too, every due time is a wake of its
//! own: the runtime's own timers count milliseconds.

mod connections;
pub(super) mod stream;
#[cfg(any(test, not(target_os = "linux")))]
mod thread_timer;
#[cfg(target_os = "linux")]
mod timer;

use std::collections::VecDeque;
use std::io;
use std::panic;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinError, JoinSet};
use tokio::time;

use self::connections::Http2Connections;
use self::stream::{Http2Request, StreamJob, StreamOutcome};
#[cfg(not(target_os = "linux"))]
use self::thread_timer::ThreadTimer as AsyncTimer;
#[cfg(target_os = "linux")]
use self::timer::AsyncTimer;
use super::exchange::{Exchange, ExchangeFailure, FailureKind};
use super::in_flight::InFlightGauge;
use super::network::{Address, Clock};
use super::pacing::{DriveEnd, Pacer, PacerStep, PacingModel};
use super::request_plan::{PlannedRequest, RequestPlan};
use super::settings::{ClientSettings, DriveOutcome, LoadError};
use super::tls::TlsClient;
use super::virtual_user::VirtualUsers;
use units::cancel::Cancel;

/// How often a wait looks at [`Cancel`].
const TICK_NS: u64 = 50_000_000;

/// No time at which something is to be done.
const NEVER_NS: u64 = u64::MAX;

/// Connections to one target whose streams carry the requests.
pub(super) struct Http2Engine {
    runtime: Runtime,
    shared: Arc<StreamContext>,
    users: VirtualUsers,
    cancel: Cancel,
}

/// What every stream needs.
struct StreamContext {
    clock: Clock,
    lines: Http2Connections,
    scheme: &'static str,
    plan: Arc<RequestPlan>,
    /// Those of the plan that are the same each time, by their place.
    requests: Vec<Option<Http2Request>>,
    settings: ClientSettings,
    in_flight: Mutex<InFlightGauge>,
}

impl StreamContext {
    fn in_flight<T>(&self, count: impl FnOnce(&mut InFlightGauge) -> T) -> T {
        // Counting does not panic; and if it did, the count is no worse for being looked at.
        count(&mut self.in_flight.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Http2Engine {
    pub(super) fn new(
        address: Address,
        tls: Option<TlsClient>,
        plan: &RequestPlan,
        settings: ClientSettings,
        streams: usize,
        cancel: Cancel,
    ) -> Result<Self, LoadError> {
        plan.check()?;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        let prepared = plan.requests.iter().map(PlannedRequest::prepared);
        let prepare = |request: Option<_>| request.map(|it| Http2Request::new(it, scheme));
        let requests = prepared.map(|it| prepare(it).transpose()).collect::<Result<_, _>>()?;
        let plan = Arc::new(plan.clone());
        let users = VirtualUsers::new(Arc::clone(&plan));
        let lines = Http2Connections::new(address, tls, &settings, streams);
        let clock = Clock::new();
        let in_flight = Mutex::new(InFlightGauge::begin(clock.now_ns()));
        let shared =
            Arc::new(StreamContext { clock, lines, scheme, plan, requests, settings, in_flight });
        Ok(Self { runtime, shared, users, cancel })
    }

    pub(super) fn drive(
        &mut self,
        model: &PacingModel,
        sink: &mut dyn FnMut(&Exchange),
    ) -> Result<DriveOutcome, LoadError> {
        let Self { runtime, shared, users, cancel } = self;
        runtime.block_on(async {
            // Connections learn what has happened to them since the last drive.
            time::sleep(Duration::from_millis(1)).await;
            let mut driving = Http2Drive::new(shared, users, model, sink);
            let mut drive = driving.run(cancel).await?;
            drive.dropped = driving.pacer.dropped();
            let began_ns = shared.clock.now_ns();
            let in_flight =
                shared.in_flight(|it| std::mem::replace(it, InFlightGauge::begin(began_ns)));
            Ok(in_flight.into_drive(drive))
        })
    }

    /// Returns the virtual users whose requests it sends.
    pub(super) fn users(&mut self) -> &mut VirtualUsers {
        &mut self.users
    }

    pub(super) fn renew(&mut self) -> Result<(), LoadError> {
        let Self { runtime, shared, cancel, .. } = self;
        runtime.block_on(async {
            tokio::select! {
                renewed = shared.lines.renew() => renewed,
                () = raised(cancel) => Ok(()),
            }
        })
    }
}

/// Returns once a stop is requested.
async fn raised(cancel: &Cancel) {
    while !cancel.is_raised() {
        time::sleep(Duration::from_nanos(TICK_NS)).await;
    }
}

/// What a drive has in hand while it runs.
struct Http2Drive<'a> {
    shared: &'a Arc<StreamContext>,
    users: &'a mut VirtualUsers,
    pacer: Pacer,
    drive: DriveOutcome,
    /// Places for a request that hold none, the one that is free for longest first.
    free: VecDeque<usize>,
    /// By place, since when it is free.
    free_ns: Vec<u64>,
    /// Connections that take part.
    lines: usize,
    tasks: JoinSet<Result<StreamOutcome, LoadError>>,
    /// When the next request is due, if there is a place for it.
    wake_ns: u64,
    sink: &'a mut dyn FnMut(&Exchange),
}

impl<'a> Http2Drive<'a> {
    fn new(
        shared: &'a Arc<StreamContext>,
        users: &'a mut VirtualUsers,
        model: &PacingModel,
        sink: &'a mut dyn FnMut(&Exchange),
    ) -> Self {
        let all = shared.settings.connections.get();
        let streams = shared.lines.streams();
        let [lines, places] = match model {
            PacingModel::Closed(closed) => closed.share(all, streams),
            PacingModel::Open(_) => [all, all.saturating_mul(streams)],
        };
        let began_ns = shared.clock.now_ns();
        shared.in_flight(|in_flight| *in_flight = InFlightGauge::begin(began_ns));
        Self {
            shared,
            users,
            pacer: Pacer::new(model, began_ns),
            drive: DriveOutcome::begin(began_ns),
            free: (0..places).collect(),
            free_ns: vec![0; places],
            lines,
            tasks: JoinSet::new(),
            wake_ns: NEVER_NS,
            sink,
        }
    }

    async fn run(&mut self, cancel: &Cancel) -> Result<DriveOutcome, LoadError> {
        let clock = self.shared.clock;
        let mut timer = AsyncTimer::new(clock)?;
        let mut tick_ns = clock.now_ns() + TICK_NS;
        self.hand_out();
        while !self.tasks.is_empty() || self.wake_ns != NEVER_NS {
            if cancel.is_raised() {
                self.tasks.shutdown().await;
                self.shared.lines.close().await;
                self.drive.ended = DriveEnd::Cancelled;
                return Ok(self.drive);
            }
            tokio::select! {
                biased;
                Some(landed) = self.tasks.join_next() => self.land(landed)?,
                due = timer.at(self.wake_ns.min(tick_ns)) => due?,
            }
            while let Some(landed) = self.tasks.try_join_next() {
                self.land(landed)?;
            }
            if clock.now_ns() >= tick_ns {
                tick_ns = clock.now_ns() + TICK_NS;
            }
            self.hand_out();
        }
        self.drive.ended = self.pacer.ended(clock.now_ns()).unwrap_or(DriveEnd::Reached);
        Ok(self.drive)
    }

    /// Gives free places what is due, and notes when to do so again.
    fn hand_out(&mut self) {
        self.wake_ns = NEVER_NS;
        while let Some(place) = self.free.front().copied() {
            if self.users.is_done(place) {
                self.free.pop_front();
                continue;
            }
            let now_ns = self.shared.clock.now_ns();
            let free_ns = self.free_ns[place];
            match self.pacer.next(now_ns, free_ns) {
                PacerStep::Send { due_ns } => {
                    self.free.pop_front();
                    self.drive.late += u64::from(due_ns < free_ns);
                    self.give(place, due_ns, now_ns);
                }
                PacerStep::Later { at_ns } => {
                    self.wake_ns = at_ns;
                    return;
                }
                PacerStep::Nothing => return,
            }
        }
    }

    /// Begins the exchange of a virtual user. A request that cannot be made fails without being sent.
    fn give(&mut self, place: usize, due_ns: u64, began_ns: u64) {
        let request = self.users.next(place);
        let rendered = self.users.render(place, request).map_err(|error| error.to_string());
        let live = rendered.and_then(|rendered| {
            let encode = |it| Http2Request::new(&it, self.shared.scheme).map(Arc::new);
            rendered.map(encode).transpose().map_err(|error| error.to_string())
        });
        // Rendering is the generator's time: it is lag, and no part of the service.
        let now_ns = match live {
            Ok(None) => began_ns,
            Ok(Some(_)) | Err(_) => self.shared.clock.now_ns(),
        };
        self.drive.rendering_ns += now_ns - began_ns;
        let possible_ns = due_ns.max(self.free_ns[place]);
        let line = place % self.lines;
        let job = StreamJob { place, line, request, live: None, due_ns, possible_ns };
        match live {
            Ok(live) => {
                let exchange = stream::exchange(Arc::clone(self.shared), StreamJob { live, ..job });
                self.tasks.spawn(exchange);
            }
            Err(detail) => {
                let failure = ExchangeFailure::new(FailureKind::WrongAnswer, detail, &[]);
                let exchange = job.unsent(now_ns, Err(failure));
                let (refused, is_resent) = (true, false);
                self.note(StreamOutcome { job, refused, is_resent, exchange, taken: None });
            }
        }
    }

    /// Takes what a stream has come to.
    fn land(
        &mut self,
        landed: Result<Result<StreamOutcome, LoadError>, JoinError>,
    ) -> Result<(), LoadError> {
        let landed = landed.unwrap_or_else(|error| match error.try_into_panic() {
            Ok(panic) => panic::resume_unwind(panic),
            Err(error) => Err(LoadError::Wait(io::Error::other(error))),
        })?;
        self.note(landed);
        Ok(())
    }

    fn note(&mut self, outcome: StreamOutcome) {
        let StreamOutcome { job, refused, is_resent, mut exchange, taken } = outcome;
        exchange.flow_ns = self.users.ended(job.place, exchange.response_ns(), taken.as_ref());
        let rest_ns = if refused { self.pacer.rest_ns() } else { 0 };
        self.free_ns[job.place] = exchange.done_ns + rest_ns;
        self.free.push_back(job.place);
        self.drive.resent += u64::from(is_resent);
        self.drive.exchanges += 1;
        self.drive.ended_ns = self.drive.ended_ns.max(exchange.done_ns);
        if exchange.outcome.is_err() {
            self.drive.failures += 1;
            self.pacer.failed();
        }
        (self.sink)(&exchange);
    }
}
