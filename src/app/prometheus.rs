//! Serves the live numbers of a run as text for Prometheus.

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use hyper::header::CONTENT_TYPE;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener as AsyncListener;
use tokio::runtime::Builder;
use tokio::time;

use runner::{LiveMetrics, LiveSnapshot};

/// Longest time for one reader.
const READER_MAX: Duration = Duration::from_secs(1);

/// Answers every request with the numbers, in a thread that ends with the program. One reader at a
/// time, and none for longer than a moment: a reader must not hold up the load.
pub(super) fn serve(address: SocketAddr, live: &LiveMetrics) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind(address)
        .with_context(|| format!("failed to listen on `{address}` for `--metrics-listen`"))?;
    let bound = listener.local_addr().context("failed to find the port for metrics")?;
    listener.set_nonblocking(true).context("failed to serve metrics")?;
    let runtime = Builder::new_current_thread().enable_io().enable_time().build();
    let runtime = runtime.context("failed to serve metrics")?;
    let live = live.clone();
    thread::spawn(move || {
        // A socket that cannot be watched has no readers.
        let _ = runtime.block_on(answer_all(listener, &live));
    });
    Ok(bound)
}

async fn answer_all(listener: TcpListener, live: &LiveMetrics) -> std::io::Result<Infallible> {
    let listener = AsyncListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        let answer = service_fn(|_: Request<hyper::body::Incoming>| {
            let text = exposition(&live.snapshot());
            let response = Response::builder().header(CONTENT_TYPE, "text/plain; version=0.0.4");
            std::future::ready(response.body(text))
        });
        let answered =
            http1::Builder::new().keep_alive(false).serve_connection(TokioIo::new(stream), answer);
        // A reader that goes away has had enough.
        let _ = time::timeout(READER_MAX, answered).await;
    }
}

/// The numbers in the text format of Prometheus.
fn exposition(now: &LiveSnapshot) -> String {
    let mut text = String::new();
    let counters = [
        ("xmlperf_requests_total", "Requests that ended", now.requests),
        ("xmlperf_failures_total", "Requests that failed", now.failed),
        ("xmlperf_xml_pairs_total", "XML pairs answered rightly", now.pairs),
        ("xmlperf_launches_total", "Launches that have begun", now.launches),
    ];
    let mut add = |line: String| {
        text.push_str(&line);
        text.push('\n');
    };
    for (name, help, value) in counters {
        add(format!("# HELP {name} {help}.\n# TYPE {name} counter\n{name} {value}"));
    }
    add("# HELP xmlperf_time_seconds Time of a request, to a sixteenth.".to_owned());
    add("# TYPE xmlperf_time_seconds summary".to_owned());
    for quantile in [0.5, 0.95, 0.99] {
        let seconds = now.quantile_ns(quantile).map_or(f64::NAN, |ns| ns / 1e9);
        add(format!("xmlperf_time_seconds{{quantile=\"{quantile}\"}} {seconds}"));
    }
    let answered = now.requests - now.failed.min(now.requests);
    add(format!("xmlperf_time_seconds_count {answered}"));
    add("# HELP xmlperf_target_rss_bytes Resident memory.".to_owned());
    add("# TYPE xmlperf_target_rss_bytes gauge".to_owned());
    let sides = ["base", "head"].into_iter();
    for (side, bytes) in sides.clone().zip(now.rss_bytes).filter(|(_, bytes)| *bytes > 0) {
        add(format!("xmlperf_target_rss_bytes{{side=\"{side}\"}} {bytes}"));
    }
    // It begins anew with each launch, which a counter may do.
    add("# HELP xmlperf_target_cpu_seconds_total CPU time of this launch.".to_owned());
    add("# TYPE xmlperf_target_cpu_seconds_total counter".to_owned());
    for (side, ns) in sides.zip(now.cpu_ns).filter(|(_, ns)| *ns > 0) {
        let seconds = units::exact(ns) / 1e9;
        add(format!("xmlperf_target_cpu_seconds_total{{side=\"{side}\"}} {seconds}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn a_reader_gets_the_numbers_of_prometheus() {
        let bound = serve(([127, 0, 0, 1], 0).into(), &LiveMetrics::default()).unwrap();
        let mut stream = TcpStream::connect(bound).unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).unwrap();
        assert!(said.starts_with("HTTP/1.1 200 OK\r\n"), "{said}");
        assert!(said.contains("\nxmlperf_requests_total 0\n"), "{said}");
        assert!(!said.contains("side="), "nothing is known of a target that was not seen: {said}");
    }
}
