//! The flags that divide a suite among machines.

use std::path::PathBuf;

use record::shard::ShardNumber;

use crate::app::selection::ShardChoice;

/// Which part of the scenarios is measured.
#[derive(Debug, clap::Args)]
pub(super) struct ShardFlags {
    /// Measure one of n parts of the scenarios, such as 1/3, that take about the same time; `xmlperf merge`
    /// judges all of them
    #[arg(long, value_name = "I/N", value_parser = ShardNumber::parse)]
    shard: Option<ShardNumber>,
    /// Earlier run that says what each scenario takes, the same for every part [default: the configured
    /// durations]
    #[arg(long, value_name = "FILE", requires = "shard")]
    shard_times: Option<PathBuf>,
}

impl ShardFlags {
    /// Returns the choice that the flags make, if they do.
    pub(super) fn choice(&self) -> Option<ShardChoice> {
        Some(ShardChoice { part: self.shard?, times: self.shard_times.clone() })
    }
}
