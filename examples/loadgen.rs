//! A load generator in one file: the engine without anything around it.
//!
//! ```console
//! $ cargo run --release --example loadgen -- 127.0.0.1:8080/ --connections 16 --requests 100000
//! $ cargo run --release --example loadgen -- 127.0.0.1:8080/ --connections 64 --rate 5000 --time 10s
//! ```

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use load::measure::{self, Measurement};
use load::pacing::{ArrivalSchedule, OpenWorkload, PacingModel, StopCondition};
use load::{ClientSettings, DriveOutcome, HttpVersion, LoadClient, LoadRequest, SuccessCheck};
use units::cancel::Cancel;

/// Sends one request again and again, and prints how long the answers took
#[derive(Debug, Parser)]
struct LoadgenArgs {
    /// Address, port and path, such as 127.0.0.1:8080/index.html
    url: String,
    /// Connections kept open
    #[arg(long, default_value = "1")]
    connections: NonZeroUsize,
    /// Requests to send at least
    #[arg(long, default_value_t = 0)]
    requests: u64,
    /// Time to send requests for at least
    #[arg(long, value_parser = units::parse_duration, default_value = "0 s")]
    time: Duration,
    /// Speak HTTP/2, with so many requests at once on each connection
    #[arg(long, value_name = "STREAMS")]
    http2: Option<NonZeroUsize>,
    /// Size of a body to POST; without it, requests are GETs
    #[arg(long, value_name = "BYTES")]
    post: Option<usize>,
    /// Requests per second, whether or not earlier ones were answered, for `--time`
    #[arg(long, conflicts_with = "requests")]
    rate: Option<f64>,
}

fn main() -> anyhow::Result<()> {
    let args = LoadgenArgs::parse();
    let url = args.url.strip_prefix("http://").unwrap_or(&args.url);
    let (host, path) = url.split_at(url.find('/').unwrap_or(url.len()));
    let path = if path.is_empty() { "/" } else { path };
    let address: SocketAddr = host.parse().with_context(|| format!("`{host}` is no address"))?;

    let request = if let Some(bytes) = args.post {
        let body = vec![b'x'; bytes];
        LoadRequest::post(path, host, "text/plain", &[], body, Arc::new(SuccessCheck))?
    } else {
        LoadRequest::get(path, host, &[], Arc::new(SuccessCheck))?
    };
    let http = args.http2.map_or(HttpVersion::One, |streams| HttpVersion::Two { streams });
    let settings =
        ClientSettings { connections: args.connections, http, ..ClientSettings::default() };
    let mut client = LoadClient::new(address, &[request], settings, Cancel::default())?;
    let mut measurement = Measurement::default();
    let model = if let Some(per_s) = args.rate {
        let schedule = ArrivalSchedule::constant(per_s, args.time)?;
        PacingModel::Open(OpenWorkload {
            schedule,
            late_max: Duration::from_mins(1),
            failures_max: None,
        })
    } else {
        let stop = StopCondition { requests: args.requests, ..StopCondition::after(args.time) };
        PacingModel::Closed(stop.into())
    };
    let drive = client.follow(&model, &mut |exchange| measurement.record(exchange))?;
    measurement.end_slice(drive.wall());
    print(&measurement, &drive);
    Ok(())
}

#[expect(clippy::print_stdout, reason = "an example that prints")]
fn print(measurement: &Measurement, drive: &DriveOutcome) {
    let seconds = measurement.wall().as_secs_f64();
    println!("answered {} in {}", measurement.answered(), units::duration(measurement.wall()));
    println!("rate     {} requests/s", units::count(measurement.answered() as f64 / seconds));
    println!(
        "sent late {}, dropped {}, at most {} in flight",
        drive.late, drive.dropped, drive.in_flight_max
    );
    for (kind, failures) in measurement.failures() {
        println!("failed   {} × {kind}: {}", failures.count, failures.first.detail);
    }
    for (name, times) in [("service", measurement.service()), ("response", measurement.response())]
    {
        let percentiles = [0.5, 0.95, 0.99, 0.999].map(|quantile| {
            let value = measure::percentile(times, quantile);
            value.map_or("-".to_owned(), |ns| units::time_ns(ns as f64))
        });
        let longest = units::time_ns(times.max() as f64);
        println!("{name:8} p50, p95, p99, p99.9, max: {}, {longest}", percentiles.join(", "));
    }
}
