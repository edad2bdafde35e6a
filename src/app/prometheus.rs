//! Serves the live numbers of a run for Prometheus, in the text format that a server prefers.

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use anyhow::Context as _;
use hyper::header::{ACCEPT, CONTENT_TYPE, VARY};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener as AsyncListener;
use tokio::runtime::Builder;
use tokio::time;

use report::exposition::{self, TextFormat};
use runner::LiveMetrics;

use crate::app::live_families;

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
    let answer = move || {
        // A socket that cannot be watched has no readers.
        let _ = runtime.block_on(answer_all(listener, &live));
    };
    threads::spawn(answer).context("failed to serve metrics")?;
    Ok(bound)
}

async fn answer_all(listener: TcpListener, live: &LiveMetrics) -> std::io::Result<Infallible> {
    let listener = AsyncListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        let answer = service_fn(|request: Request<hyper::body::Incoming>| {
            let accepted = request.headers().get(ACCEPT).and_then(|it| it.to_str().ok());
            let format = TextFormat::accepted(accepted.unwrap_or_default());
            let text = exposition::render(&live_families::of_snapshot(&live.snapshot()), format);
            let response = Response::builder()
                .header(CONTENT_TYPE, format.content_type())
                .header(VARY, ACCEPT.as_str());
            std::future::ready(response.body(text))
        });
        let answered =
            http1::Builder::new().keep_alive(false).serve_connection(TokioIo::new(stream), answer);
        // A reader that goes away has had enough.
        let _ = time::timeout(READER_MAX, answered).await;
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpStream;

    use super::*;

    fn answer(headers: &str) -> String {
        let bound = serve(([127, 0, 0, 1], 0).into(), &LiveMetrics::default()).unwrap();
        let mut stream = TcpStream::connect(bound).unwrap();
        let request = format!("GET /metrics HTTP/1.1\r\nHost: x\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).unwrap();
        said
    }

    #[test]
    fn a_reader_gets_the_numbers_of_prometheus() {
        let said = answer("");
        assert!(said.starts_with("HTTP/1.1 200 OK\r\n"), "{said}");
        assert!(said.contains("content-type: text/plain; version=0.0.4"), "{said}");
        assert!(said.contains("\nxmlperf_launches_total 0\n"), "{said}");
        assert!(!said.contains("side="), "nothing is known of a target that was not seen: {said}");
    }

    #[test]
    fn a_reader_that_prefers_open_metrics_gets_them() {
        let said =
            answer("Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5\r\n");
        assert!(said.contains("application/openmetrics-text; version=1.0.0"), "{said}");
        assert!(said.contains("\n# TYPE xmlperf_launches counter\n"), "{said}");
        assert!(said.ends_with("# EOF\n"), "{said}");
    }
}
