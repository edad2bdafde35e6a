//! What a target needs beside it, as it is written.

use std::collections::BTreeMap;
use std::time::Duration;

use calls::CallCounting;
use sut::{
    ContainerSpec, DependencySpec, ReadyCondition, ReadySign, ServiceScope, ServiceSpec,
    is_placeholder_name,
};
use toml::Spanned;

use crate::config::command;
use crate::config::environment::EnvTable;
use crate::config::fault::{ReadyFault, ServiceFault, SpannedFault};
use crate::config::placeholder::PlaceholderScope;
use crate::config::ready::ReadyWord;
use crate::config::values::{CallsWord, DependencyAddress, Port, ScopeWord, Time};

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct ServiceTable {
    /// What `{service:NAME}` and its log are called.
    name: Spanned<String>,
    /// Starts it, as `start` of the target does.
    start: Option<Spanned<String>>,
    /// Whether `start` is for `sh -c`. Default: `false`.
    shell: Option<Spanned<bool>>,
    /// A container image, with the arguments of its program, instead of `start`.
    image: Option<Spanned<String>>,
    /// The port on which the program in the container listens.
    port: Option<Spanned<Port>>,
    /// `docker`, `podman`, or a path to either. Default: docker, else podman.
    engine: Option<Spanned<String>>,
    /// Run by a shell before the start; `{dir}` is an empty new folder.
    setup: Option<Spanned<String>>,
    /// Variables, as for the target. Default: `{}`.
    #[serde(default)]
    env: EnvTable,
    /// What shows that it can serve. Default: `{ tcp = true }`.
    ready: Option<Spanned<ReadyWord>>,
    /// How long `setup` and readiness may take, each. Default: `"30 s"`.
    ready_timeout: Option<Time>,
    /// From SIGTERM to SIGKILL. Default: `"5 s"`.
    stop_timeout: Option<Time>,
    /// How long it lives: `"side"`, one for each side; `"launch"`, a new one for each launch; `"run"`, one that
    /// both share. Default: `"side"`.
    scope: Option<ScopeWord>,
    /// Whether the target's calls are counted, and as what: `"auto"`, `"postgresql"`, `"mysql"`, `"redis"`, `"http"`,
    /// `"bytes"` or `"off"`. Default: `"auto"`.
    calls: Option<CallsWord>,
}

/// Something that runs already.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DependencyTable {
    /// What `{service:NAME}` and reports call it.
    name: Spanned<String>,
    /// Host and port as they stand in the variables of the target, where a relay takes their place.
    address: DependencyAddress,
    /// Whether the target's calls are counted, and as what, as for a service. Default: `"auto"`.
    calls: Option<CallsWord>,
}

impl DependencyTable {
    /// Returns where its name is written.
    pub(super) fn name(&self) -> &Spanned<String> {
        &self.name
    }
}

/// Returns the dependencies of a configuration that has these services.
pub(super) fn resolve_dependencies(
    tables: &[DependencyTable],
    services: &[ServiceSpec],
) -> Result<Vec<DependencySpec>, SpannedFault> {
    let mut dependencies: Vec<DependencySpec> = Vec::new();
    for table in tables {
        let name = table.name.get_ref();
        let wrong = |fault: ServiceFault| Err(SpannedFault::new(table.name.span(), fault));
        if !is_placeholder_name(name) {
            return wrong(ServiceFault::Name { name: name.clone() });
        }
        let mut names = services.iter().map(|it| &it.name);
        if names.any(|other| other == name) || dependencies.iter().any(|it| it.name == *name) {
            return wrong(ServiceFault::Twice { name: name.clone() });
        }
        dependencies.push(DependencySpec {
            name: name.clone(),
            address: table.address.0.clone(),
            calls: table.calls.map_or_else(CallCounting::default, |word| word.0),
        });
    }
    Ok(dependencies)
}

/// Returns the services of a configuration, each of which may name those before it.
pub(super) fn resolve(tables: &[ServiceTable]) -> Result<Vec<ServiceSpec>, SpannedFault> {
    let mut services: Vec<ServiceSpec> = Vec::new();
    for table in tables {
        let name = table.name.get_ref();
        let wrong = |fault: ServiceFault| Err(SpannedFault::new(table.name.span(), fault));
        if !is_placeholder_name(name) {
            return wrong(ServiceFault::Name { name: name.clone() });
        }
        if services.iter().any(|other| other.name == *name) {
            return wrong(ServiceFault::Twice { name: name.clone() });
        }
        services.push(table.service(&scopes(&services))?);
    }
    Ok(services)
}

/// Returns how long each service lives, by its name.
pub(super) fn scopes(services: &[ServiceSpec]) -> BTreeMap<String, ServiceScope> {
    services.iter().map(|service| (service.name.clone(), service.scope)).collect()
}

impl ServiceTable {
    /// Returns where its name is written.
    pub(super) fn name(&self) -> &Spanned<String> {
        &self.name
    }

    fn service(
        &self,
        earlier: &BTreeMap<String, ServiceScope>,
    ) -> Result<ServiceSpec, SpannedFault> {
        let scope = self.scope.map_or(ServiceScope::Side, |word| word.0);
        let container = self.container()?;
        let mut names = PlaceholderScope::new(container.is_some(), earlier.clone(), scope);
        let start = self.start(&mut names)?;
        let env = self.env.resolve(&mut names)?;
        if let Some(setup) = &self.setup {
            names.note(setup.get_ref(), setup.span())?;
        }
        let time =
            |time: Option<Time>, default| time.map_or(Duration::from_secs(default), |it| it.0);
        Ok(ServiceSpec {
            name: self.name.get_ref().clone(),
            scope,
            start,
            ready: self.ready(&names, container.is_some())?,
            container,
            setup: self.setup.as_ref().map(|setup| setup.get_ref().clone()),
            env,
            ready_timeout: time(self.ready_timeout, 30),
            stop_timeout: time(self.stop_timeout, 5),
            calls: self.calls.map_or_else(CallCounting::default, |word| word.0),
        })
    }

    fn start(&self, names: &mut PlaceholderScope) -> Result<String, SpannedFault> {
        let wrong = |fault: ServiceFault| Err(SpannedFault::new(self.name.span(), fault));
        match (&self.start, &self.image) {
            (None, None) => wrong(ServiceFault::NoStart),
            (Some(_), Some(_)) => wrong(ServiceFault::TwoStarts),
            (Some(text), None) => {
                names.note(text.get_ref(), text.span())?;
                command::words(text, self.shell.as_ref())
            }
            (None, Some(image)) => {
                names.note(image.get_ref(), image.span())?;
                command::words(image, None)
            }
        }
    }

    fn container(&self) -> Result<Option<ContainerSpec>, SpannedFault> {
        let stray = self.port.as_ref().map(Spanned::span);
        let stray = stray.or(self.engine.as_ref().map(Spanned::span));
        match (&self.image, &self.port, stray) {
            (None, _, Some(span)) => Err(SpannedFault::new(span, ServiceFault::StrayImageSetting)),
            (None, _, None) => Ok(None),
            (Some(image), None, _) => Err(SpannedFault::new(image.span(), ServiceFault::ImagePort)),
            (Some(_), Some(port), _) => {
                let engine = self.engine.as_ref().map(|engine| engine.get_ref().clone());
                Ok(Some(ContainerSpec { port: port.get_ref().0, engine }))
            }
        }
    }

    /// Returns what shows that it can work: without a word, that it listens.
    fn ready(
        &self,
        names: &PlaceholderScope,
        is_container: bool,
    ) -> Result<ReadyCondition, SpannedFault> {
        let listens = ReadyCondition { sign: ReadySign::Listener, port: None, probe_timeout: None };
        let ready = self.ready.as_ref().map_or(Ok(listens), ReadyWord::resolve)?;
        let is_log = matches!(ready.sign, ReadySign::LogLine(_));
        match self.ready.as_ref().and_then(|word| word.get_ref().port()) {
            Some(port) if !names.ports.contains(port.get_ref()) => {
                let name = port.get_ref().clone();
                Err(SpannedFault::new(port.span(), ReadyFault::UnusedPort { name }))
            }
            None if !is_log && !is_container && !names.has_port => {
                Err(SpannedFault::new(self.name.span(), ServiceFault::NoPort))
            }
            Some(_) | None => Ok(ready),
        }
    }
}
