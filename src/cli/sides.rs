//! The flags that give base and head other than by a git reference and the configuration.

use std::path::PathBuf;

use crate::app::builds::{BaseSource, BuildChoice};

/// How base and head are given.
#[derive(Debug, clap::Args)]
pub(super) struct SideFlags {
    /// Program of the base: replaces the first word of the start command
    #[arg(long, value_name = "PATH", conflicts_with_all = ["base_start", "base_url"])]
    base_bin: Option<PathBuf>,
    /// Command that starts the base
    #[arg(long, value_name = "CMD", conflicts_with = "base_url")]
    base_start: Option<String>,
    /// Address at which the base runs already, such as `http://127.0.0.1:3000`
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// Command that starts the head, instead of the configuration's
    #[arg(long, value_name = "CMD")]
    head_start: Option<String>,
}

impl SideFlags {
    /// Returns the choice that the flags make. They exclude one another.
    pub(super) fn choice(&self) -> BuildChoice {
        let address = || self.base_url.clone().map(BaseSource::Address);
        let command = || self.base_start.clone().map(BaseSource::Command);
        let program = || self.base_bin.clone().map(BaseSource::Program);
        BuildChoice {
            base: address().or_else(command).or_else(program),
            head_start: self.head_start.clone(),
        }
    }
}
