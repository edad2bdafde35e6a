//! The flags that choose what stands in the workflows for GitHub.

use std::io::{self, Write};
use std::time::Duration;

use crate::app::github_workflow::{ActionAddress, PathFilter, WorkflowOptions};

/// What the workflows have of the repository's own.
#[derive(Debug, clap::Args)]
pub(super) struct WorkflowFlags {
    /// Write workflows for GitHub as well, which measure every pull request, repeat on a second machine what looks
    /// slower, and publish
    #[arg(long)]
    github: bool,
    /// Where the Action is, such as owner/repository@commit [default: the release of this program]
    #[arg(long, value_name = "ADDRESS", requires = "github", value_parser = ActionAddress::parse)]
    action: Option<ActionAddress>,
    /// Time for measuring in each job [default: 10m]
    #[arg(long, value_name = "TIME", requires = "github", value_parser = units::parse_duration)]
    budget: Option<Duration>,
    /// Measure only pull requests that touch these paths, such as `api/**`, and write the twin that reports the
    /// required check of the others; may be repeated
    #[arg(long, value_name = "PATTERN", requires = "github", value_parser = PathFilter::parse)]
    only_paths: Vec<PathFilter>,
}

impl WorkflowFlags {
    /// Returns what is written, if anything.
    pub(super) fn options(&self) -> Option<WorkflowOptions> {
        self.github.then(|| WorkflowOptions {
            action: self.action.clone(),
            budget: self.budget,
            paths: self.only_paths.clone(),
        })
    }

    /// Says what to do with the workflows, once they are written.
    pub(super) fn advise(&self, out: &mut impl Write) -> io::Result<()> {
        let Some(options) = self.options() else { return Ok(()) };
        writeln!(
            out,
            "what the build needs on a runner goes into .github/xmlperf-setup/action.yml; commit all of it, and open \
             a pull request"
        )?;
        if options.address().is_ok_and(|address| !address.is_pinned()) {
            writeln!(out, "a commit instead of a tag in `--action` pins the program as well")?;
        }
        Ok(())
    }
}
