//! What another machine measured first, and what of it is worth a second run.

use std::path::Path;

use anyhow::{Context as _, Result};
use compare::Comparison;
use compare::confirmation::{self, Confirmation};
use record::Run;
use suite::Suite;

use crate::app::failure::UseCaseError;

/// A run of another machine that flags something.
pub(super) struct FirstRun {
    run: Run,
    comparison: Comparison,
}

impl FirstRun {
    /// Reads a run. One that flags nothing leaves nothing to repeat, whether it measured everything
    /// or nothing.
    pub(super) fn load(path: &Path) -> Result<Self> {
        let run = Run::load(path)?;
        let comparison = Comparison::of(&run)
            .with_context(|| format!("cannot judge the first run `{}`", path.display()))?;
        if confirmation::flagged(&comparison).is_empty() {
            return Err(UseCaseError::NothingFlagged { path: path.to_path_buf() }.into());
        }
        Ok(Self { run, comparison })
    }

    /// The run.
    pub(super) fn run(&self) -> &Run {
        &self.run
    }

    /// Leaves of the suite what was flagged.
    pub(super) fn narrow(&self, suite: &mut Suite) -> Result<(), UseCaseError> {
        narrow(suite, &self.comparison);
        let flagged = confirmation::flagged(&self.comparison);
        let kept = |name: &String| suite.scenarios.iter().any(|scenario| scenario.name == *name);
        match flagged.into_iter().find(|name| !kept(name)) {
            Some(name) => Err(UseCaseError::FlaggedScenarioMissing { name }),
            None => Ok(()),
        }
    }

    /// Judges both machines.
    pub(super) fn judge(&self, second: &Run) -> Result<Confirmation> {
        Ok(Confirmation::of(&self.run, second)?)
    }
}

/// Leaves of a suite the scenarios that a comparison flags, where only the flagged metrics decide.
pub(super) fn narrow(suite: &mut Suite, comparison: &Comparison) {
    let flagged = confirmation::flagged(comparison);
    suite.scenarios.retain(|scenario| flagged.contains(&scenario.name));
    confirmation::narrow(&mut suite.gate, comparison);
}
