//! Finds the two builds that are compared, and builds what is not built.

use std::cmp::Ordering;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context as _, bail};

use crate::app::commit_target;
use crate::app::event::{Event, EventSink, WarningKind};
use crate::app::failure::UseCaseError;
use crate::app::selection::{CheckoutBuild, SuiteSelection, TargetUse};
use checkout::{BaseBuild, BuildCommand, BuildProgress, LineTables, PendingBase, WorkingTree};
use payload::Semantics;
use record::stage::RunStage;
use record::{Revision, Side};
use relink::shim::LinkKeeper;
use runner::{BuildSource, SutBuild};
use suite::{BuildOrder, LaneMode, LayoutMode, Suite, TargetSource, TargetSpec};
use sut::{ReadinessProbe, ServiceSet, Target, TargetCommand};
use thiserror::Error;
use units::cancel::Cancel;
use units::environment::ChildEnvironment;

/// How base and head are given, if not by a git reference and the configuration.
#[derive(Debug, Clone, Default)]
pub struct BuildChoice {
    /// What the base is.
    pub base: Option<BaseSource>,
    /// Command that starts the head, instead of the configuration's.
    pub head_start: Option<String>,
}

impl BuildChoice {
    /// Returns whether the configuration's target is started for head, or for a base if one is needed.
    pub(super) fn target_use(&self, needs_base: bool) -> TargetUse {
        let has_base = self.base.is_some() || !needs_base;
        TargetUse::unless(self.head_start.is_some() && has_base)
    }
}

/// A base that needs no build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BaseSource {
    /// Another program in place of the first word of the start command.
    Program(PathBuf),
    /// A command that starts it.
    Command(String),
    /// The address at which it runs already.
    Address(String),
}

/// Two commits of the repository, of which neither need be checked out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitRange {
    /// The earlier one.
    pub base: String,
    /// The later one.
    pub head: String,
}

impl fmt::Display for CommitRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.base, self.head)
    }
}

/// A text is not a range of commits.
#[derive(Debug, Error)]
#[error("two commits are written `REF1..REF2`, such as `v1.2..main`")]
pub struct RangeSyntaxError;

impl FromStr for CommitRange {
    type Err = RangeSyntaxError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (base, head) = text.split_once("..").ok_or(RangeSyntaxError)?;
        // Three dots mean something else to git.
        if base.is_empty() || head.is_empty() || head.starts_with('.') {
            return Err(RangeSyntaxError);
        }
        Ok(Self { base: base.to_owned(), head: head.to_owned() })
    }
}

/// Both builds. As long as this lives, no other xmlperf removes what they are started from.
pub(super) struct BuildPair {
    pub(super) base: SutBuild,
    pub(super) head: SutBuild,
    pub(super) origin: BuildOrigin,
    in_use: Vec<BaseBuild>,
}

/// What both builds were made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BuildOrigin {
    /// It is not known of a side that was given as it is.
    Given,
    /// Base from a commit, head from the checkout.
    Checkout,
    /// Both from commits.
    Commits,
}

impl BuildPair {
    /// Returns two builds that no cache holds, and of which it is not known what they were made from.
    pub(super) fn given(base: SutBuild, head: SutBuild) -> Self {
        Self { base, head, origin: BuildOrigin::Given, in_use: Vec::new() }
    }

    /// Whether base was built from a commit, in a folder of its own.
    pub(super) fn is_built(&self) -> bool {
        !self.in_use.is_empty()
    }

    /// Returns the folders that links of base and head are kept in, each where it was built away from the
    /// checkout.
    pub(super) fn links(&self) -> (Option<&Path>, Option<&Path>) {
        let mut links = self.in_use.iter().map(|build| build.links.as_path());
        (links.next(), links.next())
    }

    /// Returns the roots of the files of base and head, each where it was built away from the checkout.
    pub(super) fn roots(&self) -> (Option<&Path>, Option<&Path>) {
        let mut roots = self.in_use.iter().map(|build| build.root.as_path());
        (roots.next(), roots.next())
    }
}

/// A side from a commit, of which the build may still run.
pub(super) struct PendingSide {
    target: TargetSpec,
    start: String,
    revision: Revision,
    build: PendingBase,
}

/// What finding builds takes.
pub(super) struct BuildFinder<'a> {
    pub(super) selection: &'a SuiteSelection,
    pub(super) suite: &'a Suite,
    pub(super) cancel: &'a Cancel,
}

impl BuildFinder<'_> {
    /// Finds base and head, the base by a name unless the choice gives it.
    pub(super) fn pair(
        &self,
        choice: &BuildChoice,
        name: &str,
        events: &mut dyn EventSink,
    ) -> anyhow::Result<BuildPair> {
        let is_address = matches!(choice.base, Some(BaseSource::Address(_)));
        if let (None, TargetSource::Attach(url), false) =
            (&choice.head_start, &self.target().origin, is_address)
        {
            return Err(UseCaseError::HeadIsAttached { url: url.clone() }.into());
        }
        let mut pending = self.base_beside_head(choice, name, events)?;
        let head = self.head_beside(choice.head_start.as_deref(), pending.as_mut(), events)?;
        let label = name.to_owned();
        let revision = unstarted(label, None, WorkingTree::Clean);
        if let Some(source) = &choice.base {
            let base = self.given_base(source, revision)?;
            return Ok(BuildPair::given(base, head));
        }
        if let TargetSource::Embedded(_) = self.target().origin {
            events.emit(Event::Warning(WarningKind::EmbeddedBase));
            return Ok(BuildPair::given(self.embedded()?, head));
        }
        let (base, built) = match pending {
            Some(pending) => self
                .finish_beside_head(pending, name, events)
                .map(|(base, built)| (base, Some(built)))?,
            None => self.base_of_ref(&head, choice, revision, events)?,
        };
        let origin = match choice.head_start {
            Some(_) => BuildOrigin::Given,
            None => BuildOrigin::Checkout,
        };
        Ok(BuildPair { base, head, origin, in_use: built.into_iter().collect() })
    }

    /// Begins to build base before head is built, if both are to be built at the same time.
    fn base_beside_head(
        &self,
        choice: &BuildChoice,
        name: &str,
        events: &mut dyn EventSink,
    ) -> anyhow::Result<Option<PendingSide>> {
        let target = self.target();
        let is_started = matches!(target.origin, TargetSource::Start(_));
        let is_built = choice.base.is_none()
            && choice.head_start.is_none()
            && self.selection.checkout_build == CheckoutBuild::Run;
        if target.build_order == BuildOrder::HeadFirst || !is_started || !is_built {
            return Ok(None);
        }
        let head = checkout_revision(target)?;
        if head.commit == Some(checkout::commit(&target.dir, name)?) && !head.dirty {
            return Ok(None);
        }
        self.start_commit(name, Side::Base, events).map(Some)
    }

    /// Waits for a base whose build began before that of head, which may have written lock files.
    fn finish_beside_head(
        &self,
        pending: PendingSide,
        name: &str,
        events: &mut dyn EventSink,
    ) -> anyhow::Result<(SutBuild, BaseBuild)> {
        if pending.build.is_of_these_locks()? {
            return self.finish_commit(pending, events);
        }
        drop(pending);
        self.at_commit(name, Side::Base, events)
    }

    /// Builds two commits, each in a folder of its own.
    pub(super) fn range(
        &self,
        range: &CommitRange,
        events: &mut dyn EventSink,
    ) -> anyhow::Result<BuildPair> {
        let commit = |name: &str| checkout::commit(&self.target().dir, name);
        let order = match self.target().build_order {
            BuildOrder::HeadFirst => Ordering::Equal,
            BuildOrder::Parallel => commit(&range.base)?.cmp(&commit(&range.head)?),
        };
        let mut start = |side: Side| match side {
            Side::Base => self.start_commit(&range.base, side, events),
            Side::Head => self.start_commit(&range.head, side, events),
        };
        // In the order of the commits, so that two of these never wait for each other. One commit is one build.
        let (base, head) = match order {
            Ordering::Less => {
                let base = start(Side::Base)?;
                (base, Some(start(Side::Head)?))
            }
            Ordering::Greater => {
                let head = start(Side::Head)?;
                (start(Side::Base)?, Some(head))
            }
            Ordering::Equal => (start(Side::Base)?, None),
        };
        let (base, base_built) = self.finish_commit(base, events)?;
        let (head, head_built) = match head {
            Some(head) => self.finish_commit(head, events)?,
            None => self.at_commit(&range.head, Side::Head, events)?,
        };
        let (origin, in_use) = (BuildOrigin::Commits, vec![base_built, head_built]);
        Ok(BuildPair { base, head, origin, in_use })
    }

    /// Returns the build of the checkout: started by `start` as it is, or by the configuration's
    /// command after it was built.
    pub(super) fn head(
        &self,
        start: Option<&str>,
        events: &mut dyn EventSink,
    ) -> anyhow::Result<SutBuild> {
        self.head_beside(start, None, events)
    }

    /// Returns the build of the checkout, as [`Self::head`] does, while a base is built.
    fn head_beside(
        &self,
        start: Option<&str>,
        base: Option<&mut PendingSide>,
        events: &mut dyn EventSink,
    ) -> anyhow::Result<SutBuild> {
        let target = self.target();
        if start.is_some() || !matches!(target.origin, TargetSource::Attach(_)) {
            // A build may take minutes, and would be for nothing.
            Target::ensure_launches()?;
        }
        // Before the build, which may touch what is checked in.
        let revision = checkout_revision(target)?;
        let start = match (start, &target.origin) {
            (Some(start), _) => start.to_owned(),
            (None, TargetSource::Attach(url)) => return Ok(attached(url, "head")),
            (None, TargetSource::Embedded(_)) => return self.embedded(),
            (None, TargetSource::Start(start)) => {
                self.build_checkout(base, events)?;
                start.clone()
            }
        };
        Ok(self.started(&start, &target.dir, revision))
    }

    fn target(&self) -> &TargetSpec {
        &self.suite.target
    }

    /// Builds the checkout, if there is a command for it and it is not to be left as it is.
    pub(super) fn build_checkout(
        &self,
        base: Option<&mut PendingSide>,
        events: &mut dyn EventSink,
    ) -> anyhow::Result<()> {
        let target = self.target();
        let (Some(build), CheckoutBuild::Run) = (&target.build, self.selection.checkout_build)
        else {
            return Ok(());
        };
        let logs = self.selection.out.join("logs");
        fs::create_dir_all(&logs).context("failed to create the folder for logs")?;
        let log = logs.join("build-head.log");
        let progress = &mut |progress: BuildProgress<'_>| events.emit(progress.into());
        let environment = &self.environment(target);
        let build = self.build_command(build, environment);
        let links = self.head_links();
        let files = (log.as_path(), links.as_path());
        let base = base.map(|side| &mut side.build);
        let build = || checkout::build_head(&target.dir, build, files, base, self.cancel, progress);
        Ok(self.selection.clock.time(RunStage::Build, build)?)
    }

    fn given_base(&self, source: &BaseSource, revision: Revision) -> anyhow::Result<SutBuild> {
        let target = self.target();
        let start = match source {
            BaseSource::Address(url) => return Ok(attached(url, &revision.label)),
            BaseSource::Command(start) => start.clone(),
            BaseSource::Program(program) => with_program(&self.configured_start()?, program)?,
        };
        Ok(self.started(&start, &target.dir, revision))
    }

    /// The reference API inside this program, which no commit of the repository is.
    fn embedded(&self) -> anyhow::Result<SutBuild> {
        let start = self.embedded_start()?;
        let build = self.started(&start, &self.target().dir, Revision::reference(String::new()));
        // Where this program lies on one machine is no part of a record, which other machines read.
        let start = format!("xmlperf {}", self.embedded_arguments());
        Ok(SutBuild { revision: Revision { start, ..build.revision }, ..build })
    }

    /// The base that has to be built, unless it is what the checkout holds anyway.
    fn base_of_ref(
        &self,
        head: &SutBuild,
        choice: &BuildChoice,
        revision: Revision,
        events: &mut dyn EventSink,
    ) -> anyhow::Result<(SutBuild, Option<BaseBuild>)> {
        let target = self.target();
        let commit = checkout::commit(&target.dir, &revision.label)?;
        let same = head.revision.commit.as_ref() == Some(&commit) && !head.revision.dirty;
        if same && choice.head_start.is_none() {
            events.emit(Event::Warning(WarningKind::SameCommit));
            let revision = Revision { commit: Some(commit), ..revision };
            let start = self.configured_start()?;
            return Ok((self.started(&start, &target.dir, revision), None));
        }
        self.at_commit(&revision.label, Side::Base, events).map(|(base, built)| (base, Some(built)))
    }

    /// Builds a commit away from the checkout.
    fn at_commit(
        &self,
        name: &str,
        side: Side,
        events: &mut dyn EventSink,
    ) -> anyhow::Result<(SutBuild, BaseBuild)> {
        let pending = self.start_commit(name, side, events)?;
        self.finish_commit(pending, events)
    }

    /// Begins to build a commit away from the checkout.
    fn start_commit(
        &self,
        name: &str,
        side: Side,
        events: &mut dyn EventSink,
    ) -> anyhow::Result<PendingSide> {
        Target::ensure_launches()?;
        let target = self.target();
        let commit = checkout::commit(&target.dir, name)?;
        let file = self.selection.config_path();
        let target = commit_target::of_commit(target, file.as_deref(), &commit, side)?;
        self.selection.ensure_variables(&target)?;
        let Some(build) = &target.build else {
            return Err(UseCaseError::NoBuildCommand { name: name.to_owned() }.into());
        };
        let start = self.start_of(&target)?;
        ensure_relative(&start, &target.dir)?;
        let root = checkout::root(&target.dir)?;
        let cache = self.selection.workplace.build_cache(&root);
        let cache = cache.context("neither XDG_CACHE_HOME nor HOME is set")?;
        let progress = &mut |progress: BuildProgress<'_>| events.emit(progress.into());
        let environment = &self.environment(&target);
        let build = self.build_command(build, environment);
        let build = || checkout::start(&target.dir, &commit, build, &cache, self.cancel, progress);
        let build = self.selection.clock.time(RunStage::Build, build)?;
        let revision = unstarted(name.to_owned(), Some(commit), WorkingTree::Clean);
        Ok(PendingSide { target, start, revision, build })
    }

    /// Waits until a commit is built.
    fn finish_commit(
        &self,
        pending: PendingSide,
        events: &mut dyn EventSink,
    ) -> anyhow::Result<(SutBuild, BaseBuild)> {
        let PendingSide { target, start, revision, build } = pending;
        let progress = &mut |progress: BuildProgress<'_>| events.emit(progress.into());
        let built =
            self.selection.clock.time(RunStage::Build, || build.finish(self.cancel, progress))?;
        let root = checkout::root(&target.dir)?;
        if let Some(path) = built.removed.iter().find(|path| root.join(path).exists()) {
            events.emit(Event::Warning(WarningKind::LeftBehind { path }));
        }
        Ok((self.started_as(&target, &start, &built.dir, revision), built))
    }

    /// Returns a build that is started by `start` in `dir`.
    fn started(&self, start: &str, dir: &Path, revision: Revision) -> SutBuild {
        self.started_as(self.target(), start, dir, revision)
    }

    fn started_as(
        &self,
        target: &TargetSpec,
        start: &str,
        dir: &Path,
        revision: Revision,
    ) -> SutBuild {
        let port_env = match &target.origin {
            TargetSource::Embedded(_) => Some("APP_PORT".to_owned()),
            TargetSource::Start(_) | TargetSource::Attach(_) => target.port_env.clone(),
        };
        let command = TargetCommand {
            start: start.to_owned(),
            dir: dir.to_path_buf(),
            environment: self.environment(target),
            env: target.env.clone(),
            port_env,
            ready: target.ready.clone(),
            ask: ReadinessProbe::default(),
            ready_timeout: target.ready_timeout,
            stop_timeout: target.stop_timeout,
            limits: target.limits,
            container: target.container.clone(),
            copies: None,
            services: ServiceSet::new(target.services.clone())
                .with_dependencies(target.dependencies.clone()),
            hooks: target.hooks.clone(),
            relinked: None,
        };
        SutBuild {
            revision: Revision { start: start.to_owned(), ..revision },
            source: BuildSource::Start(Box::new(command)),
        }
    }

    /// How both sides are built.
    pub(super) fn build_command<'b>(
        &'b self,
        command: &'b str,
        environment: &'b ChildEnvironment,
    ) -> BuildCommand<'b> {
        let is_counted = self.suite.lanes.work != LaneMode::Off;
        let is_set = self.selection.workplace.environment.has(checkout::LINE_TABLE_VARIABLE);
        let search_path = self.selection.workplace.search_path.as_os_str();
        let lines = if is_counted && !is_set {
            LineTables::Added { search_path }
        } else {
            LineTables::AsBuilt
        };
        BuildCommand { command, environment, keeper: self.keeper(), lines }
    }

    /// What keeps the links of builds, if both sides are to be linked again.
    fn keeper(&self) -> Option<LinkKeeper<'_>> {
        let workplace = &self.selection.workplace;
        let keeper =
            LinkKeeper { program: &workplace.program, search_path: &workplace.search_path };
        (self.target().layout != LayoutMode::AsBuilt).then_some(keeper)
    }

    /// The folder that links of the checkout are kept in.
    pub(super) fn head_links(&self) -> PathBuf {
        self.selection.out.join("links")
    }

    /// What of this program's environment builds and targets do not get.
    pub(super) fn environment(&self, target: &TargetSpec) -> ChildEnvironment {
        let process = &self.selection.workplace.environment;
        process.child(&target.pass_env).lending(process, target.inherited_variables())
    }

    fn configured_start(&self) -> anyhow::Result<String> {
        self.start_of(self.target())
    }

    fn start_of(&self, target: &TargetSpec) -> anyhow::Result<String> {
        match &target.origin {
            TargetSource::Start(start) => Ok(start.clone()),
            TargetSource::Embedded(_) | TargetSource::Attach(_) => self.embedded_start(),
        }
    }

    /// Returns the command that starts the embedded reference API: this program, with one worker so
    /// that two launches do the same work in the same order.
    fn embedded_start(&self) -> anyhow::Result<String> {
        let program = self.selection.workplace.program.to_str();
        let program = program.context("the path of this program is not text")?;
        let program = shlex::try_quote(program).context("the path of this program holds a NUL")?;
        Ok(format!("{program} {}", self.embedded_arguments()))
    }

    fn embedded_arguments(&self) -> String {
        let semantics = match self.target().semantics {
            Semantics::XmlCompareApi => "",
            Semantics::C14n => " --semantics c14n",
            Semantics::XmlunitSimilar => " --semantics xmlunit-similar",
        };
        format!("serve --workers 1{semantics}")
    }
}

impl<'a> From<BuildProgress<'a>> for Event<'a> {
    fn from(progress: BuildProgress<'a>) -> Self {
        match progress {
            BuildProgress::Awaited => Self::BuildAwaited,
            BuildProgress::Outdated { path } => Self::BuildOutdated { path },
            BuildProgress::LockCarried { path } => Self::Warning(WarningKind::LockCarried { path }),
            BuildProgress::CheckedOut { reference, commit } => {
                Self::CheckoutStarted { reference, commit }
            }
            BuildProgress::Printed { build, line } => Self::BuildAdvanced { build, line },
        }
    }
}

/// Returns why the base of a name cannot be measured beside head, if it cannot.
pub(super) fn base_obstacle(name: &str, suite: &Suite) -> Option<String> {
    let target = &suite.target;
    match (&target.origin, &target.build) {
        (TargetSource::Embedded(_), _) => None,
        (TargetSource::Attach(url), _) => Some(format!("the head runs already at `{url}`")),
        (TargetSource::Start(_), None) => Some("`[target] build` is missing".to_owned()),
        (TargetSource::Start(_), Some(_)) => {
            let error = checkout::commit(&target.dir, name).err()?.to_string();
            error.lines().next().map(str::to_owned)
        }
    }
}

/// Returns what is in the checkout now.
fn checkout_revision(target: &TargetSpec) -> anyhow::Result<Revision> {
    // Outside of a repository a build has no commit, and can be measured all the same.
    let commit = checkout::commit(&target.dir, "HEAD").ok();
    let tree = match commit {
        Some(_) => checkout::tree(&target.dir)?,
        None => WorkingTree::Clean,
    };
    Ok(unstarted("head".to_owned(), commit, tree))
}

/// Returns the code of a build, without the command that will start it.
fn unstarted(label: String, commit: Option<String>, tree: WorkingTree) -> Revision {
    let dirty = tree == WorkingTree::Changed;
    Revision { label, commit, dirty, start: String::new(), is_reference: false }
}

/// Returns what runs already at `url`.
fn attached(url: &str, label: &str) -> SutBuild {
    let revision = unstarted(label.to_owned(), None, WorkingTree::Clean);
    let revision = Revision { start: url.to_owned(), ..revision };
    SutBuild { revision, source: BuildSource::Attach(url.to_owned()) }
}

/// Fails if the command names a file of the checkout by its full path: the base would then be the
/// head, and nothing would ever change.
pub(super) fn ensure_relative(start: &str, checkout: &Path) -> anyhow::Result<()> {
    let checkout = checkout.canonicalize().context("failed to find the checkout")?;
    let inside = shlex::split(start).unwrap_or_default().into_iter().find(|word| {
        checkout.to_str().is_some_and(|checkout| word.contains(&format!("{checkout}/")))
    });
    inside.map_or(Ok(()), |word| Err(UseCaseError::StartsHeadTwice { word }.into()))
}

/// The start command with another program as its first word.
fn with_program(start: &str, program: &Path) -> anyhow::Result<String> {
    let mut words = shlex::split(start).unwrap_or_default();
    let program = program
        .canonicalize()
        .with_context(|| format!("there is no program `{}`", program.display()))?;
    if let [shell, option, ..] = words.as_slice()
        && (shell, option) == (&"sh".to_owned(), &"-c".to_owned())
    {
        bail!(
            "`--base-bin` replaces the first word of `start`, which is a shell: use `--base-start`"
        );
    }
    let Some(first) = words.first_mut() else { bail!("the start command is empty") };
    program.to_str().context("the path of the base's program is not text")?.clone_into(first);
    shlex::try_join(words.iter().map(String::as_str)).context("the start command holds a NUL")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_is_not_started_from_the_heads_files() {
        let checkout = tempfile::tempdir().unwrap();
        let full = checkout.path().canonicalize().unwrap();
        let absolute = format!("java -jar {}/target/api.jar", full.display());
        let error = ensure_relative(&absolute, checkout.path()).unwrap_err().to_string();
        assert!(error.contains("target/api.jar` in the start command is a file of the head"));
        ensure_relative("java -jar target/api.jar", checkout.path()).unwrap();
        ensure_relative("/usr/bin/java -jar target/api.jar", checkout.path()).unwrap();
    }
}
