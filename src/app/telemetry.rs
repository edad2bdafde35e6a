//! Sends the numbers of a run to monitoring systems, while it goes on and once more with its verdicts.
//!
//! What cannot be delivered never changes a verdict: it is a warning at the end. Each request has every number,
//! so one that is lost is made up for by the next.

use std::fs;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use compare::Comparison;
use interop::otlp::{self, OtlpContext};
use interop::remote_write;
use record::{Revision, Run};
use report::exposition::{self, TextFormat};
use report::families::{self, MetricFamily};
use reqwest::{Client, Method, RequestBuilder, Url};
use runner::LiveMetrics;
use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio::runtime::{Builder, Runtime};

use crate::app::event::{Event, EventSink, TelemetryProtocol, WarningKind};
use crate::app::live_families;

/// How often numbers are sent while a run goes on: three of them lie in the usual minute of an alert.
const SEND_EVERY: Duration = Duration::from_secs(5);

/// Longest time for one request: a server that hangs must not hold up the end of a run.
const REQUEST_MAX: Duration = Duration::from_secs(5);

/// What the series of xmlperf are called as a job.
const JOB: &str = "xmlperf";

/// Where numbers go.
#[derive(Debug, Clone, Default)]
pub struct TelemetryOptions {
    /// A Pushgateway, or a group of one.
    pub pushgateway: Option<Url>,
    /// A receiver of Prometheus' remote write.
    pub remote_write: Option<Url>,
    /// A collector of OpenTelemetry.
    pub otlp: Option<Url>,
}

/// Sends the numbers of a run; clones are of the same run.
#[derive(Debug, Clone, Default)]
pub struct Telemetry {
    destinations: Vec<TelemetryDestination>,
    live: LiveMetrics,
    background: Arc<Mutex<Option<BackgroundSender>>>,
}

#[derive(Debug, Clone)]
struct TelemetryDestination {
    protocol: TelemetryProtocol,
    url: Url,
}

/// The thread that sends while a run goes on.
#[derive(Debug)]
struct BackgroundSender {
    stop: mpsc::Sender<()>,
    thread: JoinHandle<()>,
    start_ns: u64,
}

/// What is said at one moment.
struct TelemetryBatch<'a> {
    families: &'a [MetricFamily],
    resource: Vec<(&'static str, String)>,
    start_ns: u64,
    now_ns: u64,
}

impl Telemetry {
    /// Returns what will send the numbers of `live`.
    pub fn new(options: TelemetryOptions, live: LiveMetrics) -> Self {
        let TelemetryOptions { pushgateway, remote_write, otlp } = options;
        let to = |protocol, url: Option<Url>| url.map(|url| TelemetryDestination { protocol, url });
        let destinations = [
            to(TelemetryProtocol::Pushgateway, pushgateway.map(group_url)),
            to(TelemetryProtocol::RemoteWrite, remote_write),
            to(TelemetryProtocol::Otlp, otlp.map(collector_url)),
        ];
        let destinations = destinations.into_iter().flatten().collect();
        Self { destinations, live, background: Arc::default() }
    }

    /// Begins to send, if there is anywhere to send to.
    pub(super) fn start(&self) -> Result<()> {
        if self.destinations.is_empty() {
            return Ok(());
        }
        let sender = TelemetrySender::new(&self.destinations)?;
        let (stop, stopped) = mpsc::channel();
        let (live, start_ns) = (self.live.clone(), now_ns());
        let send = move || {
            while stopped.recv_timeout(SEND_EVERY) == Err(RecvTimeoutError::Timeout) {
                let families = live_families::of_snapshot(&live.snapshot());
                let (resource, now_ns) = (Vec::new(), now_ns());
                let batch = TelemetryBatch { families: &families, resource, start_ns, now_ns };
                // What is lost now is reported if the last request is lost too.
                drop(sender.send(&batch));
            }
        };
        let thread = threads::spawn(send).context("failed to send metrics")?;
        *self.lock() = Some(BackgroundSender { stop, thread, start_ns });
        Ok(())
    }

    /// Sends the last numbers of a run with what it says, and no more after them.
    pub(super) fn finish(&self, run: &Run, comparison: &Comparison, events: &mut dyn EventSink) {
        let Some(BackgroundSender { stop, thread, start_ns }) = self.lock().take() else { return };
        // It may have ended already.
        let _ = stop.send(());
        let _ = thread.join();
        let mut families = live_families::of_snapshot(&self.live.snapshot());
        let started =
            run.started.parse::<jiff::Timestamp>().map_or(0.0, |it| it.as_second() as f64);
        families.extend(families::of_comparison(comparison, started));
        let (resource, now_ns) = (resource(comparison), now_ns());
        let batch = TelemetryBatch { families: &families, resource, start_ns, now_ns };
        let lost = match TelemetrySender::new(&self.destinations) {
            Ok(sender) => sender.send(&batch),
            Err(error) => {
                self.destinations.iter().map(|it| (it.protocol, format!("{error:#}"))).collect()
            }
        };
        for (protocol, error) in lost {
            events.emit(Event::Warning(WarningKind::TelemetryLost { protocol, error: &error }));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<BackgroundSender>> {
        self.background.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was compared, by the names of the conventions. Only of the last numbers: each commit is a resource of
/// its own.
fn resource(comparison: &Comparison) -> Vec<(&'static str, String)> {
    let names = |revision: &Revision, names: [&'static str; 2]| {
        let commit = revision.commit.clone().map(|commit| (names[1], commit));
        [Some((names[0], revision.label.clone())), commit]
    };
    let head = names(&comparison.head, ["vcs.ref.head.name", "vcs.ref.head.revision"]);
    let base = comparison.base.as_ref();
    let base = base.map(|it| names(it, ["vcs.ref.base.name", "vcs.ref.base.revision"]));
    head.into_iter().chain(base.into_iter().flatten()).flatten().collect()
}

/// Sends over connections of its own.
struct TelemetrySender {
    client: Client,
    runtime: Runtime,
    destinations: Vec<TelemetryDestination>,
    instance: String,
}

impl TelemetrySender {
    fn new(destinations: &[TelemetryDestination]) -> Result<Self> {
        let failed = "failed to make ready to send metrics";
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .context(failed)?
            .with_platform_verifier()
            .context(failed)?
            .with_no_client_auth();
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .dns_resolver(Arc::new(threads::HostResolver))
            .timeout(REQUEST_MAX)
            .user_agent(concat!("xmlperf/", env!("CARGO_PKG_VERSION")))
            .build()
            .context(failed)?;
        let runtime = Builder::new_current_thread().enable_all().build().context(failed)?;
        // A machine without a name of its own is any machine.
        let instance = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let instance = instance.trim().to_owned();
        Ok(Self { client, runtime, destinations: destinations.to_vec(), instance })
    }

    /// Sends to all, and returns where that failed, and why.
    fn send(&self, batch: &TelemetryBatch<'_>) -> Vec<(TelemetryProtocol, String)> {
        let failure = |to: &TelemetryDestination| {
            let sent = self.request(to, batch).and_then(|it| self.runtime.block_on(deliver(it)));
            sent.err().map(|error| (to.protocol, format!("{error:#}")))
        };
        self.destinations.iter().filter_map(failure).collect()
    }

    fn request(
        &self,
        to: &TelemetryDestination,
        batch: &TelemetryBatch<'_>,
    ) -> Result<RequestBuilder> {
        let request = |method| self.client.request(method, to.url.clone());
        Ok(match to.protocol {
            TelemetryProtocol::Pushgateway => {
                let format = TextFormat::Prometheus;
                let text = exposition::render(batch.families, format);
                // In the place of all that the group had: what this run lacks is no number of it.
                request(Method::PUT).header("Content-Type", format.content_type()).body(text)
            }
            TelemetryProtocol::RemoteWrite => {
                let shared = [("job", JOB), ("instance", self.instance.as_str())];
                let now_ms = i64::try_from(batch.now_ns / 1_000_000).unwrap_or(i64::MAX);
                let body = remote_write::body(batch.families, &shared, now_ms)?;
                let headers = remote_write::HEADERS.into_iter();
                headers
                    .fold(request(Method::POST), |it, (name, value)| it.header(name, value))
                    .body(body)
            }
            TelemetryProtocol::Otlp => {
                let context = OtlpContext {
                    version: env!("CARGO_PKG_VERSION"),
                    resource: batch.resource.clone(),
                    start_ns: batch.start_ns,
                    now_ns: batch.now_ns,
                };
                let body = otlp::body(batch.families, &context).to_string();
                request(Method::POST).header("Content-Type", "application/json").body(body)
            }
        })
    }
}

/// An address may hold a password, so no error says it.
async fn deliver(request: RequestBuilder) -> Result<()> {
    let response = request.send().await.map_err(reqwest::Error::without_url)?;
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    let said = response.text().await.unwrap_or_default();
    let said: String = said.lines().next().unwrap_or_default().chars().take(200).collect();
    anyhow::bail!("it answered {status}: {said}")
}

/// The group of a Pushgateway: that of the job, unless the address names one.
fn group_url(url: Url) -> Url {
    if url.path().contains("/metrics/job") {
        url
    } else {
        below(url, &format!("/metrics/job/{JOB}"))
    }
}

/// Where a collector takes metrics, unless the address is that.
fn collector_url(url: Url) -> Url {
    if url.path().ends_with(otlp::PATH) { url } else { below(url, otlp::PATH) }
}

fn below(mut url: Url, path: &str) -> Url {
    url.set_path(&format!("{}{path}", url.path().trim_end_matches('/')));
    url
}

#[expect(clippy::disallowed_methods, reason = "monitoring asks for the time of a number")]
fn now_ns() -> u64 {
    // A clock before 1970 is one that was not set.
    units::nanos(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_completed_unless_they_are_whole() {
        let url = |text: &str| Url::parse(text).unwrap();
        let pushed = |text: &str| group_url(url(text)).to_string();
        assert_eq!(pushed("http://x:9091"), "http://x:9091/metrics/job/xmlperf");
        assert_eq!(pushed("http://x/gate/"), "http://x/gate/metrics/job/xmlperf");
        assert_eq!(pushed("http://x/metrics/job/a/branch/b"), "http://x/metrics/job/a/branch/b");
        let collected = |text: &str| collector_url(url(text)).to_string();
        assert_eq!(collected("http://x:4318"), "http://x:4318/v1/metrics");
        assert_eq!(collected("http://x/otlp/v1/metrics"), "http://x/otlp/v1/metrics");
    }
}
