//! Runs what a target needs beside it: started before it in the order of the configuration, stopped after it
//! in reverse.
//!
//! A service is started, watched and ended as a target is, in a process group and with a guard of its own, so
//! that nothing of it outlives xmlperf and nothing of it is counted as the target's. How long it lives is
//! its scope; the launches that it outlives share it through a pool, and the last of them ends it.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use calls::CallCounting;
use units::cancel::Cancel;
use units::environment::EnvValue;

use super::address;
use super::call_relay::{CallRelays, DependencySpec};
use super::container::ContainerSpec;
use super::failure::TargetError;
use super::hook_spec::{HookKind, HookSpec, LaunchHooks};
use super::launch_space::PlaceholderUse;
use super::placeholder::PlaceholderValues;
use super::readiness::ReadinessProbe;
use super::ready_condition::ReadyCondition;
use super::{LaunchContext, ResourceLimits, Target, TargetCommand};

/// Something that a target needs, such as a database.
#[derive(Debug, Clone)]
pub struct ServiceSpec {
    /// Its name, which placeholders and logs have.
    pub name: String,
    /// How long it lives.
    pub scope: ServiceScope,
    /// Program and arguments, or an image and its program's arguments, with placeholders.
    pub start: String,
    /// Makes `start` an image.
    pub container: Option<ContainerSpec>,
    /// What a shell runs before it is started, with placeholders.
    pub setup: Option<String>,
    /// Variables on top of the inherited ones.
    pub env: Vec<(String, EnvValue)>,
    /// What shows that it can work.
    pub ready: ReadyCondition,
    /// From start to ready; and what the setup may take.
    pub ready_timeout: Duration,
    /// From SIGTERM to SIGKILL.
    pub stop_timeout: Duration,
    /// Whether the calls of the target are counted, and as what.
    pub calls: CallCounting,
}

/// How long a service lives. A longer scope is the greater one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ServiceScope {
    /// As long as one launch of one side.
    Launch,
    /// As long as launches of one side follow each other.
    Side,
    /// As long as launches of either side follow each other.
    Run,
}

impl ServiceSpec {
    /// Returns the texts that may have placeholders.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        let values = self.env.iter().filter_map(|(_, value)| value.text());
        [Some(self.start.as_str()), self.setup.as_deref()].into_iter().flatten().chain(values)
    }

    fn command(&self, target: &TargetCommand) -> TargetCommand {
        let setup = self.setup.clone().map(|script| HookSpec {
            kind: HookKind::Setup,
            script,
            timeout: self.ready_timeout,
        });
        TargetCommand {
            start: self.start.clone(),
            dir: target.dir.clone(),
            environment: target.environment.clone(),
            env: self.env.clone(),
            port_env: None,
            ready: self.ready.clone(),
            ask: ReadinessProbe::default(),
            ready_timeout: self.ready_timeout,
            stop_timeout: self.stop_timeout,
            limits: ResourceLimits::default(),
            container: self.container.clone(),
            copies: None,
            relinked: None,
            services: ServiceSet::default(),
            hooks: LaunchHooks { before: setup, after: None },
        }
    }

    /// Returns where its output goes: beside that of the launch that starts it.
    fn log(&self, target_log: &Path) -> PathBuf {
        let side = match self.scope {
            ServiceScope::Launch | ServiceScope::Side => target_log.file_stem(),
            ServiceScope::Run => None,
        };
        let side = side.map_or("run".into(), |stem| stem.to_string_lossy());
        target_log.with_file_name(format!("{side}-{}.log", self.name))
    }
}

/// The services of one side, and those of them that run and outlive a launch.
#[derive(Debug, Clone, Default)]
pub struct ServiceSet {
    specs: Arc<[ServiceSpec]>,
    /// What is not started here.
    dependencies: Arc<[DependencySpec]>,
    side: Arc<ServicePool>,
    shared: SharedServices,
}

/// The services that both sides share, from the first launch that needs them to the last.
#[derive(Debug, Clone, Default)]
pub struct SharedServices(Arc<ServicePool>);

impl ServiceSet {
    /// Returns services of which none runs yet.
    pub fn new(specs: Vec<ServiceSpec>) -> Self {
        Self { specs: specs.into(), ..Self::default() }
    }

    /// Returns the services with what the target calls beside them.
    #[must_use]
    pub fn with_dependencies(self, dependencies: Vec<DependencySpec>) -> Self {
        Self { dependencies: dependencies.into(), ..self }
    }

    /// Returns the same services for launches that have none from before, so that they find them empty.
    #[must_use]
    pub fn anew(&self, shared: &SharedServices) -> Self {
        Self { side: Arc::default(), shared: shared.clone(), ..self.clone() }
    }

    /// Starts what does not run yet, in order, and puts relays before what the target calls.
    pub(super) fn begin(&self, launch: &LaunchContext<'_>) -> Result<LaunchServices, TargetError> {
        let mut services = LaunchServices { set: self.clone(), ..LaunchServices::default() };
        let mut places = Vec::new();
        for spec in self.specs.iter() {
            let place = services.ensure(spec, launch)?;
            services.ports.insert(spec.name.clone(), place.port());
            places.push(place);
        }
        // After all of them: one service reaches another directly.
        for (spec, place) in self.specs.iter().zip(places) {
            services.relays.add_service(&spec.name, place, spec.calls, launch.command)?;
        }
        for dependency in self.dependencies.iter() {
            services.relays.add_dependency(dependency, launch.command)?;
        }
        for (name, port) in services.relays.ports() {
            services.ports.entry(name).or_insert(port);
        }
        Ok(services)
    }

    /// How long a further port stays the same: as long as the service that lives longest with it.
    fn port_scope(&self, name: &str) -> ServiceScope {
        let names_it = |spec: &&ServiceSpec| PlaceholderUse::of(spec.texts()).ports.contains(name);
        self.specs
            .iter()
            .filter(names_it)
            .map(|spec| spec.scope)
            .max()
            .unwrap_or(ServiceScope::Launch)
    }
}

/// The services that one launch has, and its further ports. Dropping it ends those that live no longer.
#[derive(Debug, Default)]
pub(super) struct LaunchServices {
    set: ServiceSet,
    own: Arc<ServicePool>,
    /// Where each listens.
    pub(super) ports: BTreeMap<String, u16>,
    /// What counts the target's calls.
    pub(super) relays: CallRelays,
}

impl LaunchServices {
    /// Fails if one of them has ended.
    pub(super) fn alive(&self) -> Result<(), TargetError> {
        [ServiceScope::Run, ServiceScope::Side, ServiceScope::Launch]
            .into_iter()
            .try_for_each(|scope| locked(&self.pool(scope).services).alive())
    }

    /// Returns what the placeholders of a command stand for, so far as it is known before it has a port
    /// and a folder.
    pub(super) fn values(&self, command: &TargetCommand) -> Result<PlaceholderValues, TargetError> {
        let names = PlaceholderUse::of(command.texts()).ports;
        let port = |name: String| {
            let port = self.pool(self.set.port_scope(&name)).named_port(&name)?;
            Ok((name, port))
        };
        let ports = names.into_iter().map(port).collect::<Result<_, TargetError>>()?;
        Ok(PlaceholderValues {
            ports,
            services: self.ports.clone(),
            ..PlaceholderValues::default()
        })
    }

    /// Returns the values of a launch as the target gets them: with what it calls behind relays.
    pub(super) fn relayed(&self, values: &PlaceholderValues) -> PlaceholderValues {
        let mut values = values.clone();
        values.services.extend(self.relays.ports());
        values.swaps = self.relays.swaps();
        values
    }

    fn pool(&self, scope: ServiceScope) -> &ServicePool {
        match scope {
            ServiceScope::Launch => &self.own,
            ServiceScope::Side => &self.set.side,
            ServiceScope::Run => &self.set.shared.0,
        }
    }

    /// Returns where a service listens, which is started if it does not run.
    fn ensure(
        &self,
        spec: &ServiceSpec,
        launch: &LaunchContext<'_>,
    ) -> Result<SocketAddr, TargetError> {
        let failed = |error| TargetError::of_service(&spec.name, error);
        // Held while the service starts: the other side may need it at the same moment.
        let mut running = locked(&self.pool(spec.scope).services);
        if let Some(service) = running.0.iter().find(|service| service.name == spec.name) {
            service.target.alive().map_err(failed)?;
            return Ok(place(&service.target));
        }
        let (command, log) = (spec.command(launch.command), spec.log(launch.log));
        let context = LaunchContext { command: &command, log: &log, ..*launch };
        let target = Target::start_beside(&context, self).map_err(failed)?;
        let place = place(&target);
        let (name, cancel) = (spec.name.clone(), launch.cancel.clone());
        running.0.push(RunningService { name, target, cancel });
        Ok(place)
    }
}

/// Where a service that was started listens.
fn place(service: &Target) -> SocketAddr {
    service.address().unwrap_or_else(|| (Ipv4Addr::LOCALHOST, 0).into())
}

/// Services that live equally long, and the further ports that do.
#[derive(Debug, Default)]
struct ServicePool {
    services: Mutex<ServiceStack>,
    named_ports: Mutex<BTreeMap<String, u16>>,
}

impl ServicePool {
    fn named_port(&self, name: &str) -> Result<u16, TargetError> {
        let mut ports = locked(&self.named_ports);
        if let Some(port) = ports.get(name) {
            return Ok(*port);
        }
        let port = address::free_loopback().map_err(TargetError::NoFreePort)?.port();
        ports.insert(name.to_owned(), port);
        Ok(port)
    }
}

fn locked<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Services that run, in the order in which they were started.
#[derive(Debug, Default)]
struct ServiceStack(Vec<RunningService>);

impl ServiceStack {
    fn alive(&self) -> Result<(), TargetError> {
        self.0.iter().try_for_each(|service| {
            let alive = service.target.alive();
            alive.map_err(|error| TargetError::of_service(&service.name, error))
        })
    }
}

impl Drop for ServiceStack {
    fn drop(&mut self) {
        while let Some(RunningService { target, cancel, .. }) = self.0.pop() {
            // After Ctrl-C there is no time to wait; dropping kills.
            if !cancel.is_raised() {
                // Nothing is measured on it any more, so how it ends does not matter.
                let _ = target.stop();
            }
        }
    }
}

/// A service that was started.
#[derive(Debug)]
struct RunningService {
    name: String,
    target: Target,
    cancel: Cancel,
}
