//! `xmlperf serve`: the reference API.

use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use clap::value_parser;
use reference::{AllowedHost, EqualitySemantics, ServerSettings};
use units::Ratio;

use crate::app;
use crate::cli::Exit;

/// Serve the XML-Compare-API, to try xmlperf on or to build against
#[derive(Debug, clap::Args)]
pub(super) struct ServeArgs {
    /// Port to listen on; 0 takes a free one
    #[arg(long, env = "APP_PORT", default_value_t = 3000)]
    port: u16,
    /// Address to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    host: IpAddr,
    /// Threads; 1 runs everything on one thread [default: one per core]
    #[arg(long, value_name = "N")]
    workers: Option<NonZeroUsize>,
    /// Share of the comparison work to do twice, to see whether a measurement notices
    #[arg(long, value_name = "SHARE", default_value = "0%", value_parser = Ratio::parse)]
    extra_work: Ratio,
    /// Which documents count as equal: xml-compare-api, c14n or xmlunit-similar
    #[arg(long, value_name = "NAME", default_value = "xml-compare-api", value_parser = semantics)]
    semantics: EqualitySemantics,
    /// Host that the URL calls may fetch from; repeat for more [default: none]
    #[arg(long, value_name = "HOST[:PORT]")]
    allow_url: Vec<AllowedHost>,
    /// Largest body to take, below 4 GiB
    #[arg(long, value_name = "SIZE", default_value = "500 MiB", value_parser = units::parse_bytes)]
    body_limit: u64,
    /// Largest single comparison to take
    #[arg(long, value_name = "SIZE", default_value = "64 MiB", value_parser = units::parse_bytes)]
    pair_limit: u64,
    /// What all requests together may keep in memory, beyond 2 MiB each
    #[arg(long, value_name = "SIZE", default_value = "512 MiB", value_parser = units::parse_bytes)]
    memory_limit: u64,
    /// Connections that may be open
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = value_parser!(u16).range(1..))]
    connections: u16,
    /// Longest wait for the next part of a body
    #[arg(long, value_name = "TIME", default_value = "30 s", value_parser = units::parse_duration)]
    idle_timeout: Duration,
    /// Longest time for a whole body
    #[arg(long, value_name = "TIME", default_value = "10 m", value_parser = units::parse_duration)]
    body_timeout: Duration,
    /// Memory to lose for good with each batch, to see whether a soak test notices
    #[arg(long, value_name = "SIZE", default_value = "0 B", value_parser = units::parse_bytes)]
    leak: u64,
    /// Time to wait before a comparison is answered, to see whether a measurement notices
    #[arg(long, value_name = "TIME", default_value = "0 s", value_parser = units::parse_duration)]
    delay: Duration,
}

/// Prints where it listens, and returns when a signal has stopped it.
pub(super) fn run(args: &ServeArgs, out: &mut impl Write) -> anyhow::Result<Exit> {
    let cores = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let server = app::serve::bind(&ServerSettings {
        address: SocketAddr::new(args.host, args.port),
        workers: args.workers.unwrap_or(cores).get(),
        extra_work: args.extra_work,
        semantics: args.semantics,
        allowed_hosts: args.allow_url.clone(),
        body_bytes_max: args.body_limit,
        pair_bytes_max: args.pair_limit,
        kept_bytes_max: args.memory_limit,
        idle_max: args.idle_timeout,
        body_max: args.body_timeout,
        connections_max: usize::from(args.connections),
        leak_bytes: usize::try_from(args.leak)?,
        delay: args.delay,
    })?;
    writeln!(out, "listening on http://{}/xml-compare-api", server.address())?;
    out.flush()?;
    server.run()?;
    Ok(Exit::Success)
}

fn semantics(name: &str) -> anyhow::Result<EqualitySemantics> {
    let known = EqualitySemantics::NAMES.iter().find(|(known, _)| *known == name);
    known.map(|(_, semantics)| *semantics).with_context(|| {
        let names = EqualitySemantics::NAMES.map(|(known, _)| known);
        format!("known are {}", names.join(", "))
    })
}
