//! Makes the reference API ready to serve.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::thread;
use std::time::Duration;

use anyhow::ensure;
use reference::{AllowedHost, EqualitySemantics, ReferenceServer, ServerSettings};
use units::Ratio;

/// How the reference API serves.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// Where to listen.
    pub address: SocketAddr,
    /// Threads; one for each core if it is not given.
    pub workers: Option<NonZeroUsize>,
    /// Share of the comparison work to do twice.
    pub extra_work: Ratio,
    /// Which documents count as equal.
    pub semantics: EqualitySemantics,
    /// Hosts that URL calls may fetch from.
    pub allowed_hosts: Vec<AllowedHost>,
    /// Largest body to take.
    pub body_bytes_max: u64,
    /// Largest single comparison to take.
    pub pair_bytes_max: u64,
    /// What all requests together may keep in memory.
    pub kept_bytes_max: u64,
    /// Connections that may be open.
    pub connections_max: u16,
    /// Longest wait for the next part of a body.
    pub idle_max: Duration,
    /// Longest time for a whole body.
    pub body_max: Duration,
    /// Memory to lose for good with each batch.
    pub leak_bytes: u64,
    /// Time to wait before a comparison is answered.
    pub delay: Duration,
}

/// Returns the server, which listens and does not answer yet.
pub fn bind(options: &ServeOptions) -> anyhow::Result<ReferenceServer> {
    let extra_work = options.extra_work;
    ensure!(
        (0.0..=100.0).contains(&extra_work.0),
        "`--extra-work` must be between 0 % and 10000 %, got {extra_work}"
    );
    // The parser of the reference API has offsets of 32 bits.
    ensure!(
        options.body_bytes_max < 1 << 32,
        "`--body-limit` must be below 4 GiB, got {}",
        units::bytes(options.body_bytes_max as f64)
    );
    let cores = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    Ok(ReferenceServer::bind(&ServerSettings {
        address: options.address,
        workers: options.workers.unwrap_or(cores).get(),
        extra_work,
        semantics: options.semantics,
        allowed_hosts: options.allowed_hosts.clone(),
        body_bytes_max: options.body_bytes_max,
        pair_bytes_max: options.pair_bytes_max,
        kept_bytes_max: options.kept_bytes_max,
        idle_max: options.idle_max,
        body_max: options.body_max,
        connections_max: usize::from(options.connections_max),
        leak_bytes: usize::try_from(options.leak_bytes)?,
        delay: options.delay,
    })?)
}
