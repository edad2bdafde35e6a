//! The main job: finds the base, measures both builds in turn, says what changed.

use std::env;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use sha2::{Digest as _, Sha256};

use crate::base;
use crate::base::Built;
use crate::cancel::Cancel;
use crate::cli::output::{self, FailOn, Format};
use crate::cli::suite::{self, Selection, note};
use crate::cli::watch::{Patience, Watch};
use crate::cli::{Exit, interrupt};
use crate::compare::Comparison;
use crate::record::Revision;
use crate::runner::{self, Build, Plan};
use crate::scenario::{Origin, Suite, Target};
use crate::units;

/// Compare with a base and say whether anything became slower
///
/// Base and head run side by side, in fresh launches and short alternating slices. The base is
/// given by a flag, or built from the git ref that `--baseline` names.
///
/// Exit codes: 0 fine, 1 regressed or a limit broken, 2 wrong usage or configuration, 3 could not
/// measure, 4 inconclusive (only with `--fail-on inconclusive`).
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What to compare with: a branch, a tag, a commit
    #[arg(long, value_name = "NAME", default_value = "main")]
    baseline: String,
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
    #[command(flatten)]
    selection: Selection,
    /// Form of the report on standard output
    #[arg(long, value_enum, default_value_t = Format::Terminal)]
    format: Format,
    /// What makes the command fail
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = FailOn::Regression)]
    fail_on: FailOn,
    /// Stop at the first regression instead of deciding every metric
    #[arg(long)]
    fail_fast: bool,
}

/// Runs the comparison, keeps it, prints it, and turns its outcome into an exit code.
pub(super) fn run(args: &Args, out: &mut impl Write) -> anyhow::Result<Exit> {
    let suite = args.selection.suite()?;
    let coins = args.selection.coins()?;
    args.selection.prepare_out()?;
    let cancel = interrupt()?;
    let builds = builds(args, &suite, &cancel)?;

    let logs = args.selection.out.join("logs");
    let plan = Plan {
        suite: &suite,
        base: Some(builds.base.clone()),
        head: builds.head.clone(),
        coins,
        logs,
    };
    let patience = if args.fail_fast { Patience::FailFast } else { Patience::Decided };
    let mut watch = Watch::new(args.selection.plain, patience, "launch pair");
    let run = runner::run(&plan, &mut watch, &cancel)?;
    drop(watch);

    let comparison = Comparison::of(&run)?;
    output::keep(&args.selection.out.join("report"), &run, &comparison)?;
    output::show(out, &comparison, args.format)?;
    Ok(output::exit(&comparison.outcome, args.fail_on))
}

/// Both builds, and what keeps the base's folder from being removed by another xmlperf.
struct Builds {
    base: Build,
    head: Build,
    _built: Option<Built>,
}

/// Finds base and head, and builds what is not built.
fn builds(args: &Args, suite: &Suite, cancel: &Cancel) -> anyhow::Result<Builds> {
    let target = &suite.target;
    let revision = suite::head_revision(target)?;
    let start = match (&args.head_start, &target.origin) {
        (Some(start), _) | (None, Origin::Start(start)) => start.clone(),
        (None, Origin::Embedded) => suite::embedded_start(target)?,
        (None, Origin::Attach(url)) => {
            let Some(base) = &args.base_url else {
                bail!("the head runs already at `{url}`, so the base must too: give `--base-url`");
            };
            let (base, head) =
                (suite::attached(base, &args.baseline), suite::attached(url, "head"));
            return Ok(Builds { base, head, _built: None });
        }
    };
    if args.head_start.is_none() {
        args.selection.build(target, cancel)?;
    }
    let head = suite::started(target, &start, &target.dir, revision);
    let given =
        Revision { label: args.baseline.clone(), commit: None, dirty: false, start: String::new() };
    let (base, built) = match given_base(args, target, given.clone())? {
        Some(base) => (base, None),
        None => base_of_ref(args, target, &head, given, cancel)?,
    };
    Ok(Builds { base, head, _built: built })
}

/// The base that a flag gives, or that needs no build.
fn given_base(args: &Args, target: &Target, given: Revision) -> anyhow::Result<Option<Build>> {
    if let Some(url) = &args.base_url {
        return Ok(Some(suite::attached(url, &args.baseline)));
    }
    if let Some(start) = &args.base_start {
        return Ok(Some(suite::started(target, start, &target.dir, given)));
    }
    if let Some(program) = &args.base_bin {
        let start = with_program(&configured_start(target)?, program)?;
        return Ok(Some(suite::started(target, &start, &target.dir, given)));
    }
    if target.origin != Origin::Embedded {
        return Ok(None);
    }
    note("no xmlperf.toml: base and head are the reference API inside this program")?;
    let revision = Revision { commit: base::commit(&target.dir, &args.baseline).ok(), ..given };
    Ok(Some(suite::started(target, &suite::embedded_start(target)?, &target.dir, revision)))
}

/// The base that has to be built, unless it is what the checkout holds anyway.
fn base_of_ref(
    args: &Args,
    target: &Target,
    head: &Build,
    given: Revision,
    cancel: &Cancel,
) -> anyhow::Result<(Build, Option<Built>)> {
    let commit = base::commit(&target.dir, &args.baseline)?;
    let revision = Revision { commit: Some(commit.clone()), ..given };
    let start = configured_start(target)?;
    let same = head.revision.commit.as_ref() == Some(&commit) && !head.revision.dirty;
    if same && args.head_start.is_none() {
        note("base and head are the same commit: nothing is built twice")?;
        return Ok((suite::started(target, &start, &target.dir, revision), None));
    }
    let Some(build) = &target.build else {
        bail!(
            "base `{}` cannot be built: `[target] build` is missing\n\n\
             hint: add it to xmlperf.toml, or give the base by `--base-start` or `--base-bin`",
            args.baseline
        );
    };
    let cache = cache_folder(&base::root(&target.dir)?)?;
    let progress = &mut |line: &str| drop(note(line));
    let built = base::checkout(&target.dir, &commit, build, &cache, cancel, progress)?;
    Ok((suite::started(target, &start, &built.dir, revision), Some(built)))
}

fn configured_start(target: &Target) -> anyhow::Result<String> {
    match &target.origin {
        Origin::Start(start) => Ok(start.clone()),
        Origin::Embedded | Origin::Attach(_) => suite::embedded_start(target),
    }
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
