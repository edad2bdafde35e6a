//! Runs one scenario under a profiler and shows what it found, of one build or of two.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use anyhow::{Context as _, bail};

use crate::cli::output;
use crate::cli::selection::{self, SelectionFlags, note};
use crate::cli::sides::SideFlags;
use crate::cli::{Exit, interrupt};
use compare::function_changes::{self, FunctionChange};
use profile::{CostUnit, Profile, ProfileError, ProfilePlan, ProfileSession, ProfileTotal};
use report::flame::{self, FlameCaption};
use report::functions;
use runner::{BuildSource, RequestSender, SutBuild};
use suite::Scenario;
use sut::TargetCommand;
use units::cancel::Cancel;

/// Say what the instructions, the CPU time or the memory goes into
///
/// Runs one scenario under a tool and writes the tool's files, a flame graph and a summary. With a
/// base (`--baseline` or a `--base-…` flag), both builds are profiled and their functions compared.
#[derive(Debug, clap::Args)]
pub(super) struct ProfileArgs {
    /// What counts
    #[arg(long, value_enum, default_value_t = ToolName::Callgrind)]
    tool: ToolName,
    /// What to compare with: a branch, a tag, a commit [default: nothing]
    #[arg(long, value_name = "NAME")]
    baseline: Option<String>,
    #[command(flatten)]
    sides: SideFlags,
    /// Requests that are counted [default: as many as the tool needs]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    requests: Option<u64>,
    /// Launches, each of which gives a value; only callgrind takes more than one
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..))]
    launches: u8,
    /// Functions in the summary
    #[arg(long, value_name = "N", default_value_t = 15)]
    top: usize,
    #[command(flatten)]
    selection: SelectionFlags,
}

/// Tools that are known how to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum ToolName {
    /// Instructions and allocations per XML pair; repeats on any machine
    Callgrind,
    /// Samples of the CPU time at full speed
    Perf,
    /// Allocations per XML pair, and who asks for them
    Heaptrack,
    /// The heap at its largest, and who holds it
    Massif,
}

/// Profiles one side or both, writes the files and prints the summary.
pub(super) fn run(args: &ProfileArgs, out: &mut impl Write) -> anyhow::Result<Exit> {
    args.selection.refuse(&["--lane", "--network", "--coins", "--metrics-listen"])?;
    let mut suite = args.selection.suite()?;
    args.selection.prepare_out()?;
    let cancel = interrupt()?;
    let scenario = &selection::one_scenario(&mut suite, "profiling")?;
    let folder = args.selection.out.join("profile").join(scenario.folder()).join(args.tool.name());
    if folder.exists() {
        let failed = || format!("failed to remove the last profile `{}`", folder.display());
        fs::remove_dir_all(&folder).with_context(failed)?;
    }
    let sender = RequestSender::new(scenario, &suite.sampling, &cancel);
    let task = ProfileTask { args, folder: &folder, sender: &sender, cancel: &cancel };
    let (base, head) = if args.baseline.is_some() || args.sides.give_base() {
        let name = args.baseline.as_deref().unwrap_or("base");
        let builds = args.sides.find(name, &args.selection, &suite, &cancel)?;
        let (base, head) = task.both(command(&builds.base)?, command(&builds.head)?)?;
        (Some(base), head)
    } else {
        let build = args.sides.head(&args.selection, &suite, &cancel)?;
        (None, task.one(command(&build)?, "head")?)
    };
    let pictures = draw(&folder, scenario, args.tool, base.as_ref(), &head)?;
    let summary = ProfileSummary { args, scenario, base: base.as_ref(), head: &head };
    summary.write(out).and_then(|()| {
        writeln!(out)?;
        pictures.iter().try_for_each(|path| writeln!(out, "flame graph: {}", path.display()))?;
        writeln!(out, "files of {}: {}", args.tool.name(), folder.display())
    })?;
    Ok(Exit::Fine)
}

impl ToolName {
    fn name(self) -> &'static str {
        match self {
            Self::Callgrind => "callgrind",
            Self::Perf => "perf",
            Self::Heaptrack => "heaptrack",
            Self::Massif => "massif",
        }
    }

    /// XML pairs after which the tool has seen enough: a count repeats after a few thousand, a
    /// sample each millisecond needs seconds of full speed.
    fn pairs(self) -> u64 {
        match self {
            Self::Callgrind | Self::Heaptrack | Self::Massif => 2_000,
            Self::Perf => 1_000_000,
        }
    }
}

fn command(build: &SutBuild) -> anyhow::Result<&TargetCommand> {
    match &build.source {
        BuildSource::Start(command) => Ok(command),
        BuildSource::Attach(url) => bail!(
            "the target at `{url}` runs already, and a profiler has to start it\n\n\
             hint: give `[target] start` in xmlperf.toml, or `--head-start` and `--base-start`"
        ),
    }
}

/// What is the same for both sides.
struct ProfileTask<'a> {
    args: &'a ProfileArgs,
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
    ) -> Result<(Profile, Profile), ProfileError> {
        if self.args.tool != ToolName::Callgrind {
            return Ok((self.one(base, "base")?, self.one(head, "head")?));
        }
        let (base_dir, head_dir) = (self.folder.join("base"), self.folder.join("head"));
        let work = self.with_session("both sides", |session| {
            session.count_both((base, &base_dir), (head, &head_dir))
        })?;
        Ok((work.0.profile(), work.1.profile()))
    }

    fn one(&self, command: &TargetCommand, side: &str) -> Result<Profile, ProfileError> {
        let dir = self.folder.join(side);
        self.with_session(side, |session| match self.args.tool {
            ToolName::Callgrind => session.count(command, &dir).map(|work| work.profile()),
            ToolName::Perf => session.sample(command, &dir),
            ToolName::Heaptrack => session.allocations(command, &dir),
            ToolName::Massif => session.largest_heap(command, &dir),
        })
    }

    fn with_session<T>(
        &self,
        side: &str,
        profile: impl FnOnce(ProfileSession<'_>) -> Result<T, ProfileError>,
    ) -> Result<T, ProfileError> {
        let pairs = self.sender.pairs().max(1);
        let requests = self.args.requests.unwrap_or(self.args.tool.pairs().div_ceil(pairs));
        let plan = ProfilePlan {
            warmup_requests: requests.div_ceil(4).min(100),
            requests,
            pairs_per_request: pairs,
            launches: self.args.launches.into(),
        };
        let tool = self.args.tool.name();
        drop(note(&format!("{side} under {tool}: {requests} requests of {pairs} XML pairs")));
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
    tool: ToolName,
    base: Option<&Profile>,
    head: &Profile,
) -> anyhow::Result<Vec<PathBuf>> {
    let title = format!("{} under {}", scenario.name, tool.name());
    let caption = FlameCaption { title: &title, count: head.unit.thousandth() };
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

struct ProfileSummary<'a> {
    args: &'a ProfileArgs,
    scenario: &'a Scenario,
    base: Option<&'a Profile>,
    head: &'a Profile,
}

impl ProfileSummary<'_> {
    fn write(&self, out: &mut impl Write) -> std::io::Result<()> {
        writeln!(out, "{} under {}\n", self.scenario.name, self.args.tool.name())?;
        for figure in &self.head.figures {
            let base = self.base.and_then(|base| {
                base.figures
                    .iter()
                    .find(|other| other.name == figure.name)
                    .map(ProfileTotal::median)
            });
            writeln!(out, "{}", sum(figure, base))?;
        }
        writeln!(out, "\n{}\n", self.head.unit.words())?;
        let width = usize::from(output::screen().width);
        let top = |mut functions: Vec<FunctionChange>| {
            functions.truncate(self.args.top);
            functions
        };
        let head = self.head.functions();
        match self.base {
            Some(base) => functions::differences(
                out,
                &top(function_changes::changes(&base.functions(), &head)),
                width,
            ),
            None => functions::totals(out, &top(function_changes::largest(&head)), width),
        }
    }
}

/// What a cost is counted in, in words of the report.
trait UnitWords {
    fn words(self) -> &'static str;
    fn thousandth(self) -> &'static str;
}

impl UnitWords for CostUnit {
    fn words(self) -> &'static str {
        match self {
            Self::InstructionsPerPair => "instructions per XML pair, by function",
            Self::AllocationsPerPair => "allocations per XML pair, by the function that asks",
            Self::BytesAtPeak => "bytes in use at the peak, by the function that asked",
            Self::PercentOfSamples => "percent of the CPU time, by function",
        }
    }

    fn thousandth(self) -> &'static str {
        match self {
            Self::InstructionsPerPair => "instructions per 1000 XML pairs",
            Self::AllocationsPerPair => "allocations per 1000 XML pairs",
            Self::BytesAtPeak => "thousandths of a byte",
            Self::PercentOfSamples => "thousandths of a percent",
        }
    }
}

fn sum(figure: &ProfileTotal, base: Option<f64>) -> String {
    let (name, head) = (figure.name, figure.median());
    match base {
        None => format!("{name}: {}", number(head)),
        Some(base) if base > 0.0 && head > 0.0 => {
            let change = units::change((head / base).ln());
            format!("{name}: {} → {} ({change})", number(base), number(head))
        }
        Some(base) => format!("{name}: {} → {}", number(base), number(head)),
    }
}

fn number(value: f64) -> String {
    units::count(value)
}
