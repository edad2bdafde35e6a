//! What another machine measured first, and what of it is worth a second run.

use std::path::Path;

use anyhow::{Context as _, ensure};

use compare::Comparison;
use compare::confirmation::{self, Confirmation};
use record::Run;
use suite::Suite;

/// A run of another machine.
pub(super) struct FirstRun {
    run: Run,
    comparison: Comparison,
}

impl FirstRun {
    /// Reads a run that flags something: one that does not leaves nothing to repeat, whether it
    /// measured everything or nothing.
    pub(super) fn load(path: &Path) -> anyhow::Result<Self> {
        let run = Run::load(path)?;
        let comparison = Comparison::of(&run)
            .with_context(|| format!("cannot judge the first run `{}`", path.display()))?;
        ensure!(
            !confirmation::flagged(&comparison).is_empty(),
            "`{}` flags nothing, so there is nothing to repeat",
            path.display()
        );
        Ok(Self { run, comparison })
    }

    /// Leaves of the suite what was flagged.
    pub(super) fn narrow(&self, suite: &mut Suite) -> anyhow::Result<()> {
        narrow(suite, &self.comparison);
        let flagged = confirmation::flagged(&self.comparison);
        let kept = |name: &&String| suite.scenarios.iter().any(|scenario| scenario.name == **name);
        if let Some(gone) = flagged.iter().find(|name| !kept(name)) {
            anyhow::bail!("the first run flags scenario `{gone}`, which this one does not have");
        }
        Ok(())
    }

    /// Judges both machines.
    pub(super) fn judge(&self, second: &Run) -> anyhow::Result<Confirmation> {
        Ok(Confirmation::of(&self.run, second)?)
    }
}

/// Leaves of a suite the scenarios that a comparison flags, where only the flagged metrics decide.
pub(super) fn narrow(suite: &mut Suite, comparison: &Comparison) {
    let flagged = confirmation::flagged(comparison);
    suite.scenarios.retain(|scenario| flagged.contains(&scenario.name));
    confirmation::narrow(&mut suite.gate, comparison);
}
