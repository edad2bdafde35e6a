//! The flag that shows where the time of a run went.

use record::stage::StageTimes;
use report::timings;

use crate::cli::output;
use crate::cli::reporter::Reporter;

/// Whether the time of a run is shown.
#[derive(Debug, clap::Args)]
pub(super) struct TimingsFlag {
    /// Show on standard error where the time went: builds, counts, launches, warm-up, load
    #[arg(long)]
    timings: bool,
}

impl TimingsFlag {
    /// Shows the stages of a run of so many launches, if they are wanted.
    pub(super) fn show(&self, stages: &StageTimes, launches: usize, reporter: &mut Reporter) {
        if self.timings {
            reporter.note(timings::table(stages, launches, output::screen()).trim_end());
        }
    }
}
