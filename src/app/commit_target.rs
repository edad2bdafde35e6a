//! Finds out how a commit is built and started: as its own configuration says, where it has one.
//!
//! A change of the build, the start command or a variable comes with the change that needs it, so that head's
//! configuration cannot build an older commit. What is sent, measured and decided stays head's: both sides
//! must be sent the same requests.

use std::path::Path;

use record::Side;
use suite::config;
use suite::{TargetSource, TargetSpec};
use sut::{ServiceScope, ServiceSpec};

/// Returns the target as a commit has it. `file` is the configuration in force, in the target's folder.
pub(super) fn of_commit(
    target: &TargetSpec,
    file: Option<&Path>,
    commit: &str,
    side: Side,
) -> anyhow::Result<TargetSpec> {
    if let (Side::Base, Some(base)) = (side, &target.base) {
        let origin = base.start.clone().map(TargetSource::Start);
        return Ok(TargetSpec {
            build: base.build.clone().or_else(|| target.build.clone()),
            origin: origin.unwrap_or_else(|| target.origin.clone()),
            ..target.clone()
        });
    }
    let Some(name) = file.and_then(Path::file_name) else { return Ok(target.clone()) };
    let Some(text) = checkout::file(&target.dir, commit, Path::new(name))? else {
        return Ok(target.clone());
    };
    let shown = format!("{} of commit {}", name.to_string_lossy(), &commit[..commit.len().min(12)]);
    let own = config::target(&text, &shown, &target.dir)?;
    Ok(merged(target, own))
}

/// Returns the commit's own target within the limits, on the processors and over the transport of head's.
fn merged(head: &TargetSpec, own: TargetSpec) -> TargetSpec {
    let is_started = matches!(own.origin, TargetSource::Start(_));
    if !is_started || own.container.is_some() || head.container.is_some() {
        return head.clone();
    }
    // What both sides share is started once, and head's description of it may be the newer one.
    let is_shared = |scope: ServiceScope| scope == ServiceScope::Run;
    let shared = head.services.iter().filter(|service| is_shared(service.scope)).cloned();
    let alone = own.services.into_iter().filter(|service| !is_shared(service.scope));
    // Both sides are measured by one rule, which is head's.
    let calls = |service: ServiceSpec| {
        let same = head.services.iter().find(|it| it.name == service.name);
        ServiceSpec { calls: same.map_or(service.calls, |it| it.calls), ..service }
    };
    TargetSpec {
        build: own.build,
        origin: own.origin,
        port_env: own.port_env,
        env: own.env,
        pass_env: own.pass_env,
        ready: own.ready,
        ready_timeout: own.ready_timeout,
        services: shared.chain(alone.map(calls)).collect(),
        dependencies: own.dependencies,
        hooks: own.hooks,
        ..head.clone()
    }
}
