//! Serves the live numbers of a run as text for Prometheus.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;

use runner::{LiveMetrics, LiveSnapshot};

/// Answers every request with the numbers, in a thread that ends with the program. One reader at a
/// time, and none for longer than a moment: a reader must not hold up the load.
pub(super) fn serve(address: SocketAddr, live: &LiveMetrics) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind(address)
        .with_context(|| format!("failed to listen on `{address}` for `--metrics-listen`"))?;
    let bound = listener.local_addr().context("failed to find the port for metrics")?;
    let live = live.clone();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            // A reader that goes away has had enough.
            let _ = answer(&stream, &exposition(&live.snapshot()));
        }
    });
    Ok(bound)
}

fn answer(mut stream: &TcpStream, text: &str) -> io::Result<()> {
    const HEAD_LINES_MAX: usize = 100;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    stream.set_write_timeout(Some(Duration::from_secs(1)))?;
    let mut reader = BufReader::new(io::Read::take(stream, 64 * 1024));
    let mut line = String::new();
    for _ in 0..HEAD_LINES_MAX {
        line.clear();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
    }
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nConnection: close";
    write!(stream, "{head}\r\nContent-Length: {}\r\n\r\n{text}", text.len())
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
    use std::io::Read as _;

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
