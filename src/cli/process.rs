//! Reads what use cases need to know of the process, and listens to its signals.

use std::env;
use std::path::PathBuf;

use anyhow::Context as _;
use runner::machine::MachineLifetime;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::flag;
use units::cancel::Cancel;
use units::environment::ProcessEnvironment;

use crate::app::attempts::AttemptOptions;
use crate::app::workplace::Workplace;

/// In which `action/compare.sh` lists the names of what it withholds.
const WITHHELD: &str = "WITHHELD_VARIABLES";

/// Returns the surroundings of the process.
pub(super) fn workplace() -> anyhow::Result<Workplace> {
    Ok(Workplace {
        folder: current_folder()?,
        program: env::current_exe().context("failed to find this program")?,
        cache: cache_folder(),
        search_path: env::var_os("PATH").unwrap_or_default(),
        environment: environment(),
        lifetime: lifetime(),
    })
}

/// The names of this program's variables, and those that the Action withheld from it.
fn environment() -> ProcessEnvironment {
    let withheld = env::var_os(WITHHELD).unwrap_or_default();
    let others = env::vars_os().filter(|(name, _)| name != WITHHELD);
    ProcessEnvironment::new(others, &withheld.to_string_lossy())
}

/// Whether this is part of a workflow on GitHub.
pub(super) fn is_in_github_actions() -> bool {
    env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true")
}

/// Whether the continuous integration made this machine for one job: GitHub and GitLab say so.
fn lifetime() -> MachineLifetime {
    let is = |name, value: &str| env::var_os(name).is_some_and(|it| it == value);
    if is("RUNNER_ENVIRONMENT", "github-hosted") || is("CI_DISPOSABLE_ENVIRONMENT", "true") {
        MachineLifetime::OneJob
    } else {
        MachineLifetime::Lasting
    }
}

/// Returns the current folder.
pub(super) fn current_folder() -> anyhow::Result<PathBuf> {
    env::current_dir().context("failed to find the current folder")
}

/// Returns what is known of this attempt at a comparison, whose evidence is kept at `location`. A
/// workflow says which of its attempts this is.
pub(super) fn attempt(location: Option<String>) -> AttemptOptions {
    let variable = |name| env::var_os(name)?.into_string().ok().filter(|text| !text.is_empty());
    AttemptOptions {
        location,
        run: variable("GITHUB_RUN_ID").unwrap_or_else(|| "local".to_owned()),
        number: variable("GITHUB_RUN_ATTEMPT").and_then(|number| number.parse().ok()),
        now: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
    }
}

/// The user's folder for caches, as the XDG Base Directory Specification has it.
fn cache_folder() -> Option<PathBuf> {
    let set = |name| env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from);
    set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")))
}

/// Returns the flag that Ctrl-C, SIGTERM and the end of a session raise. The second signal ends the
/// program at once, and the targets' guards do the rest.
pub(super) fn cancel_on_signals() -> anyhow::Result<Cancel> {
    const ENDED_BY_SIGNAL: i32 = 130;
    let cancel = Cancel::default();
    for signal in [SIGINT, SIGTERM, SIGHUP, SIGQUIT] {
        flag::register_conditional_shutdown(signal, ENDED_BY_SIGNAL, cancel.flag())
            .and_then(|_| flag::register(signal, cancel.flag()))
            .context("failed to listen for Ctrl-C")?;
    }
    Ok(cancel)
}
