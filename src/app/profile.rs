//! Runs one scenario under a profiler, of one build or of two.

use record::work_unit::WorkUnit;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use profile::{CostUnit, Profile, ProfileError, ProfilePlan, ProfileSession};
use report::flame::{self, FlameCaption};
use runner::{BuildSource, RequestSender, SutBuild};
use suite::Scenario;
use sut::{SharedServices, TargetCommand};
use units::cancel::Cancel;

use crate::app::builds::{BuildChoice, BuildFinder};
use crate::app::event::{Event, EventSink, ScenarioPurpose};
use crate::app::failure::UseCaseError;
use crate::app::selection::{self, SuiteSelection};

/// What is profiled, and how.
#[derive(Debug, Clone)]
pub struct ProfileOptions {
    /// The choice of what is measured.
    pub selection: SuiteSelection,
    /// The profiler.
    pub tool: ProfileTool,
    /// Name of what head is compared with; nothing if neither this nor a base is given.
    pub baseline: Option<String>,
    /// How base and head are given.
    pub builds: BuildChoice,
    /// Requests that count; as many as the profiler needs if it is not given.
    pub requests: Option<u64>,
    /// Launches, each of which gives a value.
    pub launches: u8,
}

/// A profiler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProfileTool {
    /// Counts instructions and allocations; repeats on any machine.
    Callgrind,
    /// Samples the CPU time at full speed.
    Perf,
    /// Counts allocations by who allocates.
    Heaptrack,
}

impl ProfileTool {
    /// Returns what its users call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Callgrind => "callgrind",
            Self::Perf => "perf",
            Self::Heaptrack => "heaptrack",
        }
    }

    /// XML pairs after which the tool has seen enough: a count repeats after a few thousand, a
    /// sample each millisecond needs seconds of full speed.
    fn pairs(self) -> u64 {
        match self {
            Self::Callgrind | Self::Heaptrack => 2_000,
            Self::Perf => 1_000_000,
        }
    }
}

/// What a profiler found.
#[derive(Debug)]
pub struct ProfileOutcome {
    /// Name of the scenario.
    pub scenario: String,
    /// What costs are counted for.
    pub unit: WorkUnit,
    /// What it found of base, if there is one.
    pub base: Option<Profile>,
    /// What it found of head.
    pub head: Profile,
    /// Flame graphs that were drawn.
    pub pictures: Vec<PathBuf>,
    /// Folder of the profiler's files.
    pub folder: PathBuf,
}

/// Profiles head, or both builds, and draws flame graphs.
pub fn profile(
    options: &ProfileOptions,
    events: &mut dyn EventSink,
    cancel: &Cancel,
) -> anyhow::Result<ProfileOutcome> {
    let selection = &options.selection;
    let needs_base = options.baseline.is_some();
    let target = options.builds.target_use(needs_base);
    let mut suite = selection.suite(target)?;
    selection.prepare(events)?;
    let scenario = &selection::keep_first_scenario(&mut suite, ScenarioPurpose::Profile, events)?;
    let folder = selection.out.join("profile").join(scenario.folder()).join(options.tool.name());
    if folder.exists() {
        let failed = || format!("failed to remove the last profile `{}`", folder.display());
        fs::remove_dir_all(&folder).with_context(failed)?;
    }
    let sender = RequestSender::new(scenario, &suite.sampling, cancel);
    let task = ProfileTask { options, folder: &folder, sender: &sender, cancel };
    let finder = BuildFinder { selection, suite: &suite, cancel };
    let shared = SharedServices::default();
    let (base, head) = if options.baseline.is_some() || options.builds.base.is_some() {
        let name = options.baseline.as_deref().unwrap_or("base");
        let builds = finder.pair(&options.builds, name, events)?;
        let (base, head) =
            task.both(&command(&builds.base, &shared)?, &command(&builds.head, &shared)?, events)?;
        (Some(base), head)
    } else {
        let build = finder.head(options.builds.head_start.as_deref(), events)?;
        (None, task.one(&command(&build, &shared)?, "head", events)?)
    };
    let pictures = draw(&folder, scenario, options.tool, base.as_ref(), &head)?;
    let (scenario, unit) = (scenario.name.clone(), scenario.unit.clone());
    Ok(ProfileOutcome { scenario, unit, base, head, pictures, folder })
}

/// Returns how a build is started, with services of its own and those that both sides share.
fn command(build: &SutBuild, shared: &SharedServices) -> Result<TargetCommand, UseCaseError> {
    match &build.source {
        BuildSource::Start(command) => {
            let command = TargetCommand::clone(command);
            Ok(TargetCommand { services: command.services.anew(shared), ..command })
        }
        BuildSource::Attach(url) => Err(UseCaseError::ProfiledIsAttached { url: url.clone() }),
    }
}

/// What is the same for both sides.
struct ProfileTask<'a> {
    options: &'a ProfileOptions,
    folder: &'a Path,
    sender: &'a RequestSender,
    cancel: &'a Cancel,
}

impl ProfileTask<'_> {
    /// Profiles base and head. Instructions may be counted side by side; for the other tools, one
    /// side would disturb the other.
    fn both(
        &self,
        base: &TargetCommand,
        head: &TargetCommand,
        events: &mut dyn EventSink,
    ) -> Result<(Profile, Profile), ProfileError> {
        if self.options.tool != ProfileTool::Callgrind {
            return Ok((self.one(base, "base", events)?, self.one(head, "head", events)?));
        }
        let (base_dir, head_dir) = (self.folder.join("base"), self.folder.join("head"));
        let work = self.with_session("both sides", events, |session| {
            session.count_both((base, &base_dir), (head, &head_dir))
        })?;
        Ok((work.0.profile(), work.1.profile()))
    }

    fn one(
        &self,
        command: &TargetCommand,
        side: &str,
        events: &mut dyn EventSink,
    ) -> Result<Profile, ProfileError> {
        let dir = self.folder.join(side);
        self.with_session(side, events, |session| match self.options.tool {
            ProfileTool::Callgrind => session.count(command, &dir).map(|work| work.profile()),
            ProfileTool::Perf => session.sample(command, &dir),
            ProfileTool::Heaptrack => session.allocations(command, &dir),
        })
    }

    fn with_session<T>(
        &self,
        side: &str,
        events: &mut dyn EventSink,
        profile: impl FnOnce(ProfileSession<'_>) -> Result<T, ProfileError>,
    ) -> Result<T, ProfileError> {
        let options = self.options;
        let pairs = self.sender.pairs().max(1);
        let flow = self.sender.requests_per_unit();
        let requests = options.requests.unwrap_or(options.tool.pairs().div_ceil(pairs));
        let requests = requests.next_multiple_of(flow);
        let plan = ProfilePlan {
            warmup_requests: requests.div_ceil(4).min(100).next_multiple_of(flow),
            requests,
            pairs_per_request: pairs,
            requests_per_unit: flow,
            launches: options.launches.into(),
        };
        events.emit(Event::ProfileStarted { side, tool: options.tool.name(), requests, pairs });
        profile(ProfileSession {
            plan,
            drive: &|address| self.sender.drive(address),
            progress: &|| {},
            cancel: self.cancel,
        })
    }
}

/// Draws head, and its difference from base.
fn draw(
    folder: &Path,
    scenario: &Scenario,
    tool: ProfileTool,
    base: Option<&Profile>,
    head: &Profile,
) -> anyhow::Result<Vec<PathBuf>> {
    let title = format!("{} under {}", scenario.name, tool.name());
    let caption = FlameCaption { title: &title, count: &thousandth(head.unit, &scenario.unit) };
    let (folded, base) = (head.folded(), base.map(Profile::folded));
    let pictures = [
        ("flame.svg", flame::svg(None, &folded, caption)),
        ("flame-difference.svg", base.and_then(|base| flame::svg(Some(&base), &folded, caption))),
    ];
    let mut paths = Vec::new();
    for (name, picture) in pictures {
        if let Some(picture) = picture {
            let path = folder.join(name);
            record::write_atomically(&path, picture.as_bytes())?;
            paths.push(path);
        }
    }
    Ok(paths)
}

/// What a flame graph counts: whole thousandths, as its widths are whole numbers.
fn thousandth(cost: CostUnit, unit: &WorkUnit) -> String {
    match cost {
        CostUnit::InstructionsPerUnit => format!("instructions per 1000 {unit}s"),
        CostUnit::AllocationsPerUnit => format!("allocations per 1000 {unit}s"),
        CostUnit::PercentOfSamples => "thousandths of a percent".to_owned(),
    }
}
