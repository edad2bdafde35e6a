//! Finds the two builds that are held against each other.

use std::env;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context as _, bail};
use sha2::{Digest as _, Sha256};

use crate::cli::progress::{EarlyStopping, ProgressWatch};
use crate::cli::selection::{self, SelectionFlags, note};
use checkout::BaseBuild;
use record::{Revision, Run};
use runner::{self, LiveMetrics, RunPlan, SutBuild};
use suite::{Suite, TargetSource, TargetSpec};
use units::cancel::Cancel;

/// Flags that give base and head other than by a git ref and the configuration.
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

/// Two commits of the repository, of which neither need be checked out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CommitRange {
    /// The earlier one.
    pub(super) base: String,
    /// The later one.
    pub(super) head: String,
}

impl CommitRange {
    /// Returns the range of two names.
    pub(super) fn of(names: &[String]) -> Self {
        let [base, head] = names else { unreachable!("a step has two ends") };
        Self { base: base.clone(), head: head.clone() }
    }
}

impl FromStr for CommitRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let range = text
            .split_once("..")
            .filter(|(base, head)| !base.is_empty() && !head.is_empty() && !head.starts_with('.'));
        range
            .map(|(base, head)| Self { base: base.to_owned(), head: head.to_owned() })
            .ok_or_else(|| "two commits are written `REF1..REF2`, such as `v1.2..main`".to_owned())
    }
}

impl fmt::Display for CommitRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.base, self.head)
    }
}

/// Both builds, and what keeps the base's folder from being removed by another xmlperf.
pub(super) struct SideBuilds {
    pub(super) base: SutBuild,
    pub(super) head: SutBuild,
    _built: Vec<BaseBuild>,
}

impl SideBuilds {
    /// Measures both in turn.
    pub(super) fn measure(
        &self,
        suite: &Suite,
        coins: u64,
        logs: PathBuf,
        mut watch: ProgressWatch,
        live: LiveMetrics,
        cancel: &Cancel,
    ) -> anyhow::Result<Run> {
        let (base, head) = (Some(self.base.clone()), self.head.clone());
        let plan = RunPlan { suite, base, head, coins, logs, live };
        Ok(runner::run(&plan, &mut watch, cancel)?)
    }
}

impl SideFlags {
    /// Returns whether a flag says what the base is.
    pub(super) fn give_base(&self) -> bool {
        self.base_bin.is_some() || self.base_start.is_some() || self.base_url.is_some()
    }

    /// Returns why the base of a name cannot be measured beside head, if it cannot.
    pub(super) fn hindrance(name: &str, suite: &Suite) -> Option<String> {
        let target = &suite.target;
        match (&target.origin, &target.build) {
            (TargetSource::Embedded, _) => None,
            (TargetSource::Attach(url), _) => Some(format!("the head runs already at `{url}`")),
            (TargetSource::Start(_), None) => Some("`[target] build` is missing".to_owned()),
            (TargetSource::Start(_), Some(_)) => {
                let error = checkout::commit(&target.dir, name).err()?.to_string();
                error.lines().next().map(str::to_owned)
            }
        }
    }

    /// Finds base and head, and builds what is not built.
    pub(super) fn find(
        &self,
        baseline: &str,
        selection: &SelectionFlags,
        suite: &Suite,
        cancel: &Cancel,
    ) -> anyhow::Result<SideBuilds> {
        let target = &suite.target;
        if let (None, TargetSource::Attach(url), None) =
            (&self.head_start, &target.origin, &self.base_url)
        {
            bail!("the head runs already at `{url}`, so the base must too: give `--base-url`");
        }
        let head = self.head(selection, suite, cancel)?;
        let label = baseline.to_owned();
        let given = Revision { label, commit: None, dirty: false, start: String::new() };
        let (base, built) = match self.given_base(target, given.clone())? {
            Some(base) => (base, None),
            None => self.base_of_ref(target, &head, given, cancel)?,
        };
        Ok(SideBuilds { base, head, _built: built.into_iter().collect() })
    }

    /// Builds two commits, each in a folder of its own.
    pub(super) fn between(
        range: &CommitRange,
        suite: &Suite,
        cancel: &Cancel,
    ) -> anyhow::Result<SideBuilds> {
        let (base, base_built) = at_commit(&suite.target, &range.base, cancel)?;
        let (head, head_built) = at_commit(&suite.target, &range.head, cancel)?;
        Ok(SideBuilds { base, head, _built: vec![base_built, head_built] })
    }

    /// Returns the commit of a name.
    pub(super) fn resolve(target: &TargetSpec, name: &str) -> anyhow::Result<String> {
        Ok(checkout::commit(&target.dir, name)?)
    }

    /// Finds the head, and builds it if it is not built.
    pub(super) fn head(
        &self,
        selection: &SelectionFlags,
        suite: &Suite,
        cancel: &Cancel,
    ) -> anyhow::Result<SutBuild> {
        head(self.head_start.as_deref(), selection, suite, cancel)
    }

    /// The base that a flag gives, or that needs no build.
    fn given_base(&self, target: &TargetSpec, given: Revision) -> anyhow::Result<Option<SutBuild>> {
        if let Some(url) = &self.base_url {
            return Ok(Some(selection::attached(url, &given.label)));
        }
        if let Some(start) = &self.base_start {
            return Ok(Some(selection::started(target, start, &target.dir, given)));
        }
        if let Some(program) = &self.base_bin {
            let start = with_program(&configured_start(target)?, program)?;
            return Ok(Some(selection::started(target, &start, &target.dir, given)));
        }
        if target.origin != TargetSource::Embedded {
            return Ok(None);
        }
        note("no xmlperf.toml: base and head are the reference API inside this program")?;
        let commit = checkout::commit(&target.dir, &given.label).ok();
        let revision = Revision { commit, ..given };
        Ok(Some(selection::started(
            target,
            &selection::embedded_start(target)?,
            &target.dir,
            revision,
        )))
    }

    /// The base that has to be built, unless it is what the checkout holds anyway.
    fn base_of_ref(
        &self,
        target: &TargetSpec,
        head: &SutBuild,
        given: Revision,
        cancel: &Cancel,
    ) -> anyhow::Result<(SutBuild, Option<BaseBuild>)> {
        let commit = checkout::commit(&target.dir, &given.label)?;
        let same = head.revision.commit.as_ref() == Some(&commit) && !head.revision.dirty;
        if same && self.head_start.is_none() {
            note("base and head are the same commit: nothing is built twice")?;
            let revision = Revision { commit: Some(commit), ..given };
            let start = configured_start(target)?;
            return Ok((selection::started(target, &start, &target.dir, revision), None));
        }
        at_commit(target, &given.label, cancel).map(|(base, built)| (base, Some(built)))
    }
}

/// Returns the build of the checkout: started by `start` as it is, or by the configuration's command after
/// it was built.
pub(super) fn head(
    start: Option<&str>,
    selection: &SelectionFlags,
    suite: &Suite,
    cancel: &Cancel,
) -> anyhow::Result<SutBuild> {
    let target = &suite.target;
    // Before the build, which may touch what is checked in.
    let revision = selection::head_revision(target)?;
    let start = match (start, &target.origin) {
        (Some(start), _) => start.to_owned(),
        (None, TargetSource::Attach(url)) => return Ok(selection::attached(url, "head")),
        (None, TargetSource::Start(_) | TargetSource::Embedded) => {
            selection.build(target, cancel)?;
            configured_start(target)?
        }
    };
    Ok(selection::started(target, &start, &target.dir, revision))
}

/// Measures one build, with nothing beside it.
pub(super) fn measure_alone(
    head: SutBuild,
    selection: &SelectionFlags,
    suite: &Suite,
    cancel: &Cancel,
) -> anyhow::Result<Run> {
    let (coins, live) = (selection.coins()?, selection.live()?);
    let logs = selection.out.join("logs");
    let mut watch = ProgressWatch::new(selection.plain, EarlyStopping::Decided, "launch", &live);
    let plan = RunPlan { suite, base: None, head, coins, logs, live };
    Ok(runner::run(&plan, &mut watch, cancel)?)
}

/// Builds a commit away from the checkout.
fn at_commit(
    target: &TargetSpec,
    name: &str,
    cancel: &Cancel,
) -> anyhow::Result<(SutBuild, BaseBuild)> {
    let commit = checkout::commit(&target.dir, name)?;
    let Some(build) = &target.build else {
        bail!(
            "`{name}` cannot be built: `[target] build` is missing\n\n\
             hint: add it to xmlperf.toml, or give the base by `--base-start` or `--base-bin`"
        );
    };
    let start = configured_start(target)?;
    must_be_relative(&start, &target.dir)?;
    let cache = cache_folder(&checkout::root(&target.dir)?)?;
    let progress = &mut |line: &str| drop(note(line));
    let built = checkout::checkout(&target.dir, &commit, build, &cache, cancel, progress)?;
    let revision = Revision {
        label: name.to_owned(),
        commit: Some(commit),
        dirty: false,
        start: String::new(),
    };
    Ok((selection::started(target, &start, &built.dir, revision), built))
}

fn configured_start(target: &TargetSpec) -> anyhow::Result<String> {
    match &target.origin {
        TargetSource::Start(start) => Ok(start.clone()),
        TargetSource::Embedded | TargetSource::Attach(_) => selection::embedded_start(target),
    }
}

/// Fails if the command names a file of the checkout by its full path: the base would then be the
/// head, and nothing would ever change.
fn must_be_relative(start: &str, checkout: &Path) -> anyhow::Result<()> {
    let checkout = checkout.canonicalize().context("failed to find the checkout")?;
    let inside = shlex::split(start).unwrap_or_default().into_iter().find(|word| {
        checkout.to_str().is_some_and(|checkout| word.contains(&format!("{checkout}/")))
    });
    if let Some(word) = inside {
        bail!(
            "`{word}` in the start command is a file of the head, and would be started as the base \
             too\n\nhint: write paths in `[target] start` from the folder of `xmlperf.toml`"
        );
    }
    Ok(())
}

/// The start command with another program as its first word.
fn with_program(start: &str, program: &Path) -> anyhow::Result<String> {
    let mut words = shlex::split(start).unwrap_or_default();
    let program = program
        .canonicalize()
        .with_context(|| format!("there is no program `{}`", program.display()))?;
    let Some(first) = words.first_mut() else { bail!("the start command is empty") };
    program.to_str().context("the path of the base's program is not text")?.clone_into(first);
    shlex::try_join(words.iter().map(String::as_str)).context("the start command holds a NUL")
}

/// Where built bases of a repository are kept, outside the checkout.
fn cache_folder(root: &Path) -> anyhow::Result<PathBuf> {
    let named = env::var_os("XDG_CACHE_HOME").filter(|path| !path.is_empty()).map(PathBuf::from);
    let home = || env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let folder = named.or_else(home).context("neither XDG_CACHE_HOME nor HOME is set")?;
    let name = root.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let digest = units::hex(&Sha256::digest(root.as_os_str().as_encoded_bytes())[..4]);
    Ok(folder.join("xmlperf").join(format!("{name}-{digest}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_is_not_started_from_the_heads_files() {
        let checkout = tempfile::tempdir().unwrap();
        let full = checkout.path().canonicalize().unwrap();
        let absolute = format!("java -jar {}/target/api.jar", full.display());
        let error = must_be_relative(&absolute, checkout.path()).unwrap_err().to_string();
        assert!(error.contains("target/api.jar` in the start command is a file of the head"));
        must_be_relative("java -jar target/api.jar", checkout.path()).unwrap();
        must_be_relative("/usr/bin/java -jar target/api.jar", checkout.path()).unwrap();
    }
}
