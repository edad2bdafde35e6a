//! Makes the reference API ready to serve.

use anyhow::ensure;
use reference::{ReferenceServer, ServerSettings};

/// Returns the server, which listens and does not answer yet.
pub fn bind(settings: &ServerSettings) -> anyhow::Result<ReferenceServer> {
    let extra_work = settings.extra_work;
    ensure!(
        (0.0..=100.0).contains(&extra_work.0),
        "`--extra-work` must be between 0 % and 10000 %, got {extra_work}"
    );
    // The parser of the reference API has offsets of 32 bits.
    ensure!(
        settings.body_bytes_max < 1 << 32,
        "`--body-limit` must be below 4 GiB, got {}",
        units::bytes(settings.body_bytes_max as f64)
    );
    Ok(ReferenceServer::bind(settings)?)
}
