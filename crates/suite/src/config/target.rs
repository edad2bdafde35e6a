//! The target as it is written: how it is started, where it answers, what it may take.

use std::path::{Path, PathBuf};
use std::time::Duration;

use load::{TlsClient, TlsError, TlsIdentity, TlsTrust};
use record::bounds::CONFIG_BYTES_MAX;
use record::file::read_bounded;
use sut::{ReadyCondition, ReadySign, ServiceScope, ServiceSpec};
use toml::Spanned;

use crate::config::command;
use crate::config::environment::EnvTable;
use crate::config::fault::{ReadyFault, ServiceFault, SpannedFault, TargetFault};
use crate::config::hooks::HooksTable;
use crate::config::placeholder::PlaceholderScope;
use crate::config::ready::ReadyWord;
use crate::config::service::{self, DependencyTable, ServiceTable};
use crate::config::values::{
    Cores, CpusWord, InputPattern, LayoutWord, PassedVariables, Port, Room, SchemeWord,
    SemanticsWord, Time, Variable,
};
use crate::{
    BaseCommands, BuildOrder, CpuSelection, LayoutMode, ReferenceChoice, TargetSource, TargetSpec,
    UrlScheme,
};

const READY_PATH: &str = "/xml-compare-api/health";

#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub(super) struct TargetTable {
    /// Builds the program, by a shell, in the folder of this file. A base that is a commit is built by it in a
    /// checkout of its own.
    build: Option<String>,
    /// Whether base and head are built at the same time, which is for builds that use one processor and read nothing
    /// that they write outside of their folder. Default: `false`.
    parallel_builds: Option<Spanned<bool>>,
    /// Starts the program, in the folder of this file; `{port}` is a free port. Words are split as by a shell,
    /// without its other syntax.
    start: Option<Spanned<String>>,
    /// Whether `start` is for `sh -c`, with `cd`, `&&`, pipes and `VAR=x`. Default: `false`.
    shell: Option<Spanned<bool>>,
    /// Attaches to what runs already, instead of `start`: `http://HOST:PORT`, `https://HOST:PORT` or
    /// `unix:/PATH`.
    url: Option<Spanned<String>>,
    /// What a started program speaks: `"http"`, or `"https"` with a certificate for `localhost`. Default:
    /// `"http"`.
    scheme: Option<Spanned<SchemeWord>>,
    /// Certificates to trust, in PEM form. Default: those of the system.
    ca: Option<Spanned<PathBuf>>,
    /// The certificate that shows the target who connects, in PEM form.
    client_cert: Option<Spanned<PathBuf>>,
    /// Its key, in PEM form. Default: in the file of `client-cert`.
    client_key: Option<Spanned<PathBuf>>,
    /// A variable that carries the port to the program.
    port_env: Option<Variable>,
    /// How a base is built and started, where its own file does not do.
    base: Option<Spanned<BaseTable>>,
    /// What shows that it can serve: a path that answers 2xx, or a table. Default: `"/xml-compare-api/health"`.
    ready: Option<Spanned<ReadyWord>>,
    /// How long that may take. Default: `"30 s"`.
    ready_timeout: Option<Time>,
    /// From SIGTERM to SIGKILL. Default: `"5 s"`.
    stop_timeout: Option<Time>,
    /// Whether the reference API inside xmlperf is the target. Default: `false`.
    reference: Option<Spanned<bool>>,
    /// Variables of the program: a text, or `{ from = "NAME" }` for the value of a variable of xmlperf's own,
    /// which is not recorded. Default: `{}`.
    env: EnvTable,
    /// Variables that build and program get of xmlperf's own environment, beside those that toolchains need.
    /// Default: `[]`.
    pass_env: Vec<PassedVariables>,
    /// Files that count as part of the program, whatever they are called. Default: `[]`.
    inputs: Vec<InputPattern>,
    /// `"auto"` keeps target and load on different processors, `"shared"` does not. Default: `"auto"`.
    cpus: Option<CpusWord>,
    /// Where functions lie in the programs that are compared: `"as-built"`, `"matched"`, `"drawn"`, or `"auto"`,
    /// which is drawn where it can be. Default: `"auto"`.
    layout: Option<LayoutWord>,
    /// Memory that all its processes may take. Default: no limit.
    memory: Option<Spanned<Room>>,
    /// Processors' worth of time that it may take. Default: no limit.
    cpu_quota: Option<Spanned<Cores>>,
    /// A container image, with the arguments of its program, instead of `start`.
    image: Option<Spanned<String>>,
    /// The port on which the program in the container listens.
    port: Option<Spanned<Port>>,
    /// `docker`, `podman`, or a path to either. Default: docker, else podman.
    engine: Option<Spanned<String>>,
    /// What the target calls equal: `"xml-compare-api"`, `"c14n"` or `"xmlunit-similar"`. Default:
    /// `"xml-compare-api"`.
    semantics: Option<SemanticsWord>,
}

/// Reads a file in PEM form.
fn certificates(folder: &Path, file: &Spanned<PathBuf>) -> Result<Vec<u8>, SpannedFault> {
    let path = folder.join(file.get_ref());
    read_bounded(&path, CONFIG_BYTES_MAX).map_err(|source| {
        SpannedFault::new(file.span(), TargetFault::CertificatesUnreadable { path, source })
    })
}

fn unusable(folder: &Path, file: &Spanned<PathBuf>, source: TlsError) -> SpannedFault {
    let path = folder.join(file.get_ref());
    SpannedFault::new(file.span(), TargetFault::Certificates { path, source })
}

/// How base is built and started, where that differs.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
struct BaseTable {
    /// Instead of `build`. Default: as for head.
    build: Option<String>,
    /// Instead of `start`. Default: as for head.
    start: Option<Spanned<String>>,
}

/// The tables of a file that say how a target is built and started.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct TargetTables {
    target: TargetTable,
    service: Vec<ServiceTable>,
    dependency: Vec<DependencyTable>,
    hooks: HooksTable,
}

impl TargetTables {
    /// Returns the target with what is beside it.
    pub(super) fn resolve(&self, folder: &Path) -> Result<TargetSpec, SpannedFault> {
        let beside = BesideTables {
            services: &self.service,
            dependencies: &self.dependency,
            hooks: &self.hooks,
        };
        self.target.resolve(&beside, folder)
    }
}

/// What is written of what is beside a target.
#[derive(Debug, Clone, Copy)]
pub(super) struct BesideTables<'a> {
    pub(super) services: &'a [ServiceTable],
    pub(super) dependencies: &'a [DependencyTable],
    pub(super) hooks: &'a HooksTable,
}

impl BesideTables<'_> {
    fn services(
        &self,
        origin: &TargetSource,
        is_container: bool,
    ) -> Result<Vec<ServiceSpec>, SpannedFault> {
        let dependency = self.dependencies.first().map(DependencyTable::name);
        let service = self.services.first().map(ServiceTable::name).or(dependency);
        let is_started = matches!(origin, TargetSource::Start(_));
        if let (Some(stray), false) = (service.or(self.hooks.first()), is_started) {
            return Err(SpannedFault::new(stray.span(), ServiceFault::NothingStarted));
        }
        if let (Some(stray), true) = (service, is_container) {
            return Err(SpannedFault::new(stray.span(), ServiceFault::ContainerTarget));
        }
        service::resolve(self.services)
    }
}

impl TargetTable {
    /// Whether the reference API inside this program is named as the target.
    fn is_reference(&self) -> bool {
        self.reference.as_ref().is_some_and(|it| *it.get_ref())
    }

    pub(super) fn semantics(&self) -> payload::Semantics {
        self.semantics.map_or_else(payload::Semantics::default, |word| word.0)
    }

    /// Returns the target with what is beside it.
    pub(super) fn resolve(
        &self,
        beside: &BesideTables<'_>,
        folder: &Path,
    ) -> Result<TargetSpec, SpannedFault> {
        let container = self.container()?;
        let origin = self.origin(container.is_some(), beside)?;
        let services = beside.services(&origin, container.is_some())?;
        let dependencies = service::resolve_dependencies(beside.dependencies, &services)?;
        let mut scopes = service::scopes(&services);
        scopes.extend(dependencies.iter().map(|it| (it.name.clone(), ServiceScope::Run)));
        let mut names = PlaceholderScope::new(container.is_some(), scopes, ServiceScope::Launch);
        let env = self.env.resolve(&mut names)?;
        let hooks = beside.hooks.resolve(&mut names)?;
        let seconds =
            |time: &Option<Time>, default| time.map_or(Duration::from_secs(default), |time| time.0);
        Ok(TargetSpec {
            dir: folder.to_path_buf(),
            base: self.base(&origin, container.is_some(), &mut names)?,
            build: self.build.clone(),
            build_order: self.build_order()?,
            scheme: self.scheme(&origin)?,
            trust: self.trust(folder, &origin)?,
            identity: self.identity(folder, &origin)?,
            ready: self.ready(&origin, &mut names)?,
            ready_timeout: seconds(&self.ready_timeout, 30),
            stop_timeout: seconds(&self.stop_timeout, 5),
            env,
            services,
            dependencies,
            hooks,
            pass_env: self.pass_env.iter().map(|it| it.0.clone()).collect(),
            inputs: self.inputs.iter().map(|pattern| pattern.0.clone()).collect(),
            port_env: self.port_env.as_ref().map(|name| name.0.clone()),
            cpus: self.cpus.map_or(CpuSelection::Auto, |word| word.0),
            layout: self.layout.map_or(LayoutMode::Auto, |word| word.0),
            limits: self.limits()?,
            container,
            origin,
            semantics: self.semantics(),
        })
    }
}

impl TargetTable {
    fn command(&self, start: &Spanned<String>) -> Result<String, SpannedFault> {
        match &self.shell {
            Some(shell) if *shell.get_ref() && self.start.is_none() => {
                Err(SpannedFault::new(shell.span(), TargetFault::StrayShell))
            }
            shell => command::words(start, shell.as_ref()),
        }
    }

    /// Returns where the target comes from.
    fn origin(
        &self,
        is_container: bool,
        beside: &BesideTables<'_>,
    ) -> Result<TargetSource, SpannedFault> {
        let started = self.start.as_ref().or(self.image.as_ref());
        if let (Some(reference), true) =
            (&self.reference, started.is_some() || self.url.is_some() || self.build.is_some())
        {
            return Err(SpannedFault::new(reference.span(), TargetFault::StrayReference));
        }
        Ok(match (started, &self.url) {
            (Some(_), Some(url)) => {
                return Err(SpannedFault::new(url.span(), TargetFault::StartAndUrl));
            }
            (Some(start), None) => {
                let command = self.command(start)?;
                if !is_container && !self.gives_port(start, beside.hooks) {
                    return Err(SpannedFault::new(start.span(), TargetFault::NoPort));
                }
                TargetSource::Start(command)
            }
            (None, Some(url)) => {
                let known = sut::Url::parse(url.get_ref());
                known.map_err(|error| SpannedFault::new(url.span(), TargetFault::Url(error)))?;
                TargetSource::Attach(url.get_ref().clone())
            }
            (None, None) => TargetSource::Embedded(if self.is_reference() {
                ReferenceChoice::Named
            } else {
                ReferenceChoice::Default
            }),
        })
    }

    /// Returns whether both sides are built at the same time.
    fn build_order(&self) -> Result<BuildOrder, SpannedFault> {
        match &self.parallel_builds {
            Some(parallel) if *parallel.get_ref() && self.build.is_none() => {
                Err(SpannedFault::new(parallel.span(), TargetFault::StrayParallelBuilds))
            }
            Some(parallel) if *parallel.get_ref() => Ok(BuildOrder::Parallel),
            _ => Ok(BuildOrder::HeadFirst),
        }
    }

    /// Returns how base is built and started, where that differs.
    fn base(
        &self,
        origin: &TargetSource,
        is_container: bool,
        names: &mut PlaceholderScope,
    ) -> Result<Option<BaseCommands>, SpannedFault> {
        let Some(table) = &self.base else { return Ok(None) };
        let BaseTable { build, start } = table.get_ref();
        let is_started = matches!(origin, TargetSource::Start(_)) && !is_container;
        if !is_started || (build.is_none() && start.is_none()) {
            return Err(SpannedFault::new(table.span(), TargetFault::StrayBase));
        }
        let start = match start {
            None => None,
            Some(start) => {
                names.note(start.get_ref(), start.span())?;
                let is_told = self.port_env.is_some() || self.env.names_port();
                if !is_told && !start.get_ref().contains("{port}") {
                    return Err(SpannedFault::new(start.span(), TargetFault::NoPort));
                }
                Some(self.command(start)?)
            }
        };
        Ok(Some(BaseCommands { build: build.clone(), start }))
    }

    /// Whether something tells the target its port.
    fn gives_port(&self, start: &Spanned<String>, hooks: &HooksTable) -> bool {
        let mut texts = std::iter::once(start).chain(hooks.first());
        self.port_env.is_some()
            || self.env.names_port()
            || texts.any(|text| text.get_ref().contains("{port}"))
    }

    /// Returns what shows readiness, after a look at what the start command names.
    fn ready(
        &self,
        origin: &TargetSource,
        names: &mut PlaceholderScope,
    ) -> Result<ReadyCondition, SpannedFault> {
        for text in self.start.iter().chain(&self.image) {
            names.note(text.get_ref(), text.span())?;
        }
        let Some(word) = &self.ready else { return Ok(READY_PATH.into()) };
        let ready = ReadyWord::resolve(word)?;
        let is_log = matches!(ready.sign, ReadySign::LogLine(_));
        if matches!(origin, TargetSource::Attach(_)) && (is_log || ready.port.is_some()) {
            return Err(SpannedFault::new(word.span(), ReadyFault::AttachedSign));
        }
        match word.get_ref().port() {
            Some(port) if !names.ports.contains(port.get_ref()) => {
                let name = port.get_ref().clone();
                Err(SpannedFault::new(port.span(), ReadyFault::UnusedPort { name }))
            }
            Some(_) | None => Ok(ready),
        }
    }

    fn scheme(&self, origin: &TargetSource) -> Result<UrlScheme, SpannedFault> {
        match (&self.scheme, origin) {
            (Some(word), TargetSource::Start(_)) => Ok(word.get_ref().0),
            (Some(word), TargetSource::Attach(_) | TargetSource::Embedded(_)) => {
                Err(SpannedFault::new(word.span(), TargetFault::StrayScheme))
            }
            (None, _) => Ok(UrlScheme::Http),
        }
    }

    /// Whether the target is reached over TLS.
    fn is_tls(&self, origin: &TargetSource) -> bool {
        match origin {
            TargetSource::Attach(url) => matches!(sut::Url::parse(url), Ok(sut::Url::Https(_))),
            TargetSource::Start(_) => {
                self.scheme.as_ref().is_some_and(|it| it.get_ref().0 == UrlScheme::Https)
            }
            TargetSource::Embedded(_) => false,
        }
    }

    /// Reads the certificates to trust.
    fn trust(&self, folder: &Path, origin: &TargetSource) -> Result<TlsTrust, SpannedFault> {
        let Some(ca) = &self.ca else { return Ok(TlsTrust::System) };
        if !self.is_tls(origin) {
            return Err(SpannedFault::new(ca.span(), TargetFault::StrayCertificates));
        }
        let trust = TlsTrust::Pem(certificates(folder, ca)?);
        match TlsClient::new("localhost", &trust) {
            Ok(_) => Ok(trust),
            Err(source) => Err(unusable(folder, ca, source)),
        }
    }

    /// Reads what shows the target who connects. A file may hold certificate and key.
    fn identity(
        &self,
        folder: &Path,
        origin: &TargetSource,
    ) -> Result<Option<TlsIdentity>, SpannedFault> {
        let cert = match (&self.client_cert, &self.client_key) {
            (Some(cert), _) => cert,
            (None, Some(key)) => {
                return Err(SpannedFault::new(key.span(), TargetFault::StrayClientKey));
            }
            (None, None) => return Ok(None),
        };
        if !self.is_tls(origin) {
            return Err(SpannedFault::new(cert.span(), TargetFault::StrayClientCertificate));
        }
        let key = self.client_key.as_ref().unwrap_or(cert);
        let identity = TlsIdentity {
            certificates: certificates(folder, cert)?,
            key: certificates(folder, key)?,
        };
        match TlsClient::with_identity("localhost", &TlsTrust::Any, Some(&identity)) {
            Ok(_) => Ok(Some(identity)),
            Err(source) => Err(unusable(folder, cert, source)),
        }
    }

    fn limits(&self) -> Result<sut::ResourceLimits, SpannedFault> {
        let limited = self.memory.as_ref().map(Spanned::span);
        let limited = limited.or(self.cpu_quota.as_ref().map(Spanned::span));
        if let (Some(span), Some(_)) = (limited, &self.url) {
            return Err(SpannedFault::new(span, TargetFault::LimitedUrl));
        }
        Ok(sut::ResourceLimits {
            memory_bytes_max: self.memory.as_ref().map(|size| size.get_ref().0),
            cpus_max: self.cpu_quota.as_ref().map(|cores| cores.get_ref().0),
        })
    }

    /// Returns how `image` is run, if there is one.
    fn container(&self) -> Result<Option<sut::ContainerSpec>, SpannedFault> {
        let Some(image) = &self.image else {
            let port = self.port.as_ref().map(Spanned::span);
            let stray = port.or(self.engine.as_ref().map(Spanned::span));
            let fault = |span| SpannedFault::new(span, TargetFault::StrayImageSetting);
            return stray.map_or(Ok(None), |span| Err(fault(span)));
        };
        let wrong = |fault: TargetFault| Err(SpannedFault::new(image.span(), fault));
        if self.start.is_some() || self.url.is_some() {
            return wrong(TargetFault::TwoSources);
        }
        if self.build.is_some() {
            // Both builds would have one name, and a change could never be seen.
            return wrong(TargetFault::ImageBuild);
        }
        let Some(port) = &self.port else {
            return wrong(TargetFault::ImagePort);
        };
        let engine = self.engine.as_ref().map(|engine| engine.get_ref().clone());
        Ok(Some(sut::ContainerSpec { port: port.get_ref().0, engine }))
    }
}
