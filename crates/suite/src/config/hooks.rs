//! What is run around each launch, as it is written.

use std::time::Duration;

use sut::{HookKind, HookSpec, LaunchHooks};
use toml::Spanned;

use crate::config::fault::SpannedFault;
use crate::config::placeholder::PlaceholderScope;
use crate::config::values::Time;

/// How long a hook may take where nothing else is written.
const TIMEOUT: Duration = Duration::from_mins(1);

#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub(super) struct HooksTable {
    /// Run by a shell before each launch of a side, with its services there.
    before_launch: Option<Spanned<String>>,
    /// Run by a shell after the target has ended.
    after_launch: Option<Spanned<String>>,
    /// How long each may take. Default: `"60 s"`.
    timeout: Option<Time>,
}

impl HooksTable {
    /// Returns one that is written, if one is.
    pub(super) fn first(&self) -> Option<&Spanned<String>> {
        self.before_launch.as_ref().or(self.after_launch.as_ref())
    }

    /// Returns the hooks, and takes note of what they name.
    pub(super) fn resolve(
        &self,
        names: &mut PlaceholderScope,
    ) -> Result<LaunchHooks, SpannedFault> {
        let timeout = self.timeout.map_or(TIMEOUT, |time| time.0);
        let mut hook = |written: &Option<Spanned<String>>, kind| {
            let Some(script) = written else { return Ok(None) };
            names.note(script.get_ref(), script.span())?;
            Ok(Some(HookSpec { kind, script: script.get_ref().clone(), timeout }))
        };
        let before = hook(&self.before_launch, HookKind::BeforeLaunch)?;
        let after = hook(&self.after_launch, HookKind::AfterLaunch)?;
        Ok(LaunchHooks { before, after })
    }
}
