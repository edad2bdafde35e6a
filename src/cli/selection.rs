//! What the commands that measure have in common: which configuration, which scenarios, where the
//! results go, and how a build is started.

use std::env;
use std::fs;
use std::io;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::{Context as _, anyhow, bail};

use crate::cli::live;
use checkout::WorkingTree;
use compare::decision::SequentialDesign;
use payload::Semantics;
use record::Revision;
use runner::{BuildSource, LiveMetrics, SutBuild};
use suite::config::{self, ConfigOverrides};
use suite::{EvidenceLanes, LaneMode, Scenario, Suite, TargetSource, TargetSpec};
use sut::network::NetworkConditions;
use units::cancel::Cancel;

/// Flags that choose what is measured.
#[derive(Debug, clap::Args)]
pub(super) struct SelectionFlags {
    /// Configuration file [default: the nearest `xmlperf.toml`, else the embedded reference API]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Scenario to run, from the configuration or shipped (smoke, nominal, soak, stress, capacity, extreme); may be repeated
    #[arg(long = "scenario", value_name = "NAME")]
    scenarios: Vec<String>,
    /// Evidence to gather, and nothing else; may be repeated [default: time, and work where it can be]
    #[arg(long = "lane", value_enum, value_name = "LANE", value_delimiter = ',')]
    lanes: Vec<LaneName>,
    /// Seed of the payloads, instead of the configuration's
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Network between load and target, such as latency=20ms,jitter=2ms,bandwidth=10Mbit/s,resets=0.1%
    /// or latency=0s for none, instead of the configuration's
    #[arg(long, value_name = "NETWORK", value_parser = NetworkConditions::parse)]
    network: Option<NetworkConditions>,
    /// Seed of the coins that order the launches [default: drawn afresh, and recorded]
    #[arg(long, value_name = "N")]
    coins: Option<u64>,
    /// Folder for the run, the reports and the target's output
    #[arg(long, value_name = "DIR", default_value = ".xmlperf")]
    pub(super) out: PathBuf,
    /// Plain lines on standard error, even on a terminal
    #[arg(long)]
    pub(super) plain: bool,
    /// Serve the numbers of the run for Prometheus here while it goes on, such as 127.0.0.1:9100
    #[arg(long, value_name = "ADDR")]
    metrics_listen: Option<SocketAddr>,
    #[arg(skip)]
    live: OnceLock<LiveMetrics>,
    /// Measure what is built already, without running `[target] build` in the checkout
    #[arg(long)]
    no_build: bool,
}

/// Fails if no verdict could come of what the configuration asks for: that is not to be learnt after
/// the measurement.
pub(super) fn judgeable(suite: &Suite) -> anyhow::Result<()> {
    SequentialDesign::new(suite.gate.alpha, suite.sampling.looks.clone())
        .context("`[gate] alpha` and `[sampling] looks` allow no verdict")?;
    Ok(())
}

/// Leaves the first scenario, and says so if there are more.
pub(super) fn one_scenario(suite: &mut Suite, doing: &str) -> anyhow::Result<Scenario> {
    let several = suite.scenarios.len() > 1;
    suite.scenarios.truncate(1);
    let scenario = suite.scenarios.first().context("there is no scenario")?.clone();
    if several {
        note(&format!("{doing} `{}`; choose another by `--scenario`", scenario.name))?;
    }
    Ok(scenario)
}

/// A lane of evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum LaneName {
    /// Instructions and allocations per XML pair, counted under callgrind
    Work,
    /// Latency, CPU time and memory of launches side by side
    Time,
}

impl SelectionFlags {
    /// Reads the configuration that is in force.
    pub(super) fn suite(&self) -> anyhow::Result<Suite> {
        let mut suite = self.configured()?;
        if !self.lanes.is_empty() {
            let lane =
                |name| if self.lanes.contains(&name) { LaneMode::Asked } else { LaneMode::Off };
            suite.lanes = EvidenceLanes { work: lane(LaneName::Work), time: lane(LaneName::Time) };
        }
        Ok(suite)
    }

    fn configured(&self) -> anyhow::Result<Suite> {
        let choice = ConfigOverrides {
            scenarios: self.scenarios.clone(),
            seed: self.seed,
            network: self.network,
        };
        let here = env::current_dir().context("failed to find the current folder")?;
        let path = self.config.clone().or_else(|| config::find(&here));
        Ok(match path {
            Some(path) => config::load(&path, &choice)?,
            None => config::embedded(&here, &choice)?,
        })
    }

    /// Fails if one of the flags was given, which mean nothing to this command.
    pub(super) fn refuse(&self, flags: &[&str]) -> anyhow::Result<()> {
        let given = [
            ("--lane", !self.lanes.is_empty()),
            ("--network", self.network.is_some()),
            ("--coins", self.coins.is_some()),
            ("--metrics-listen", self.metrics_listen.is_some()),
            ("--no-build", self.no_build),
        ];
        match given.iter().find(|(flag, given)| *given && flags.contains(flag)) {
            Some((flag, _)) => bail!("`{flag}` means nothing here\n\nhint: leave it out"),
            None => Ok(()),
        }
    }

    /// Returns the configuration file that was asked for.
    pub(super) fn config(&self) -> Option<&Path> {
        self.config.as_deref()
    }

    /// Returns the seed of the coins: the one that was given, or a fresh one.
    pub(super) fn coins(&self) -> anyhow::Result<u64> {
        if let Some(coins) = self.coins {
            return Ok(coins);
        }
        let mut bytes = [0; 4];
        rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())
            .context("failed to draw the seed of the coins")?;
        Ok(u32::from_ne_bytes(bytes).into())
    }

    /// Returns where all runs of this command tell how they go, and serves it if asked to.
    pub(super) fn live(&self) -> anyhow::Result<LiveMetrics> {
        if let (Some(address), None) = (self.metrics_listen, self.live.get()) {
            let bound = live::serve_metrics(address, self.live.get_or_init(LiveMetrics::default))?;
            note(&format!("metrics at http://{bound}/metrics"))?;
        }
        Ok(self.live.get_or_init(LiveMetrics::default).clone())
    }

    /// Builds the checkout, if there is a command for it and nobody forbade it.
    pub(super) fn build(&self, target: &TargetSpec, cancel: &Cancel) -> anyhow::Result<()> {
        let Some(build) = target.build.as_ref().filter(|_| !self.no_build) else { return Ok(()) };
        let logs = self.out.join("logs");
        fs::create_dir_all(&logs).context("failed to create the folder for logs")?;
        let log = logs.join("build-head.log");
        let progress = &mut |line: &str| drop(note(line));
        Ok(checkout::build_head(&target.dir, build, &log, cancel, progress)?)
    }

    /// Makes the folder for results, and keeps it out of the user's repository.
    pub(super) fn prepare_out(&self) -> anyhow::Result<()> {
        let failed = || format!("failed to create `{}`", self.out.display());
        fs::create_dir_all(&self.out).with_context(failed)?;
        let ignore = self.out.join(".gitignore");
        if !ignore.exists() {
            fs::write(ignore, "*\n").with_context(failed)?;
        }
        Ok(())
    }
}

/// Returns what is in the checkout now.
pub(super) fn head_revision(target: &TargetSpec) -> anyhow::Result<Revision> {
    // Outside of a repository a build has no commit, and can be measured all the same.
    let commit = checkout::commit(&target.dir, "HEAD").ok();
    let dirty = commit.is_some() && checkout::tree(&target.dir)? == WorkingTree::Changed;
    Ok(Revision { label: "head".to_owned(), commit, dirty, start: String::new() })
}

/// Says something to the person who waits.
pub(super) fn note(text: &str) -> io::Result<()> {
    writeln!(io::stderr(), "{text}")
}

/// Returns the command that starts the embedded reference API: this program, told its port by a
/// variable, with one worker so that two launches do the same work in the same order.
pub(super) fn embedded_start(target: &TargetSpec) -> anyhow::Result<String> {
    let program = env::current_exe().context("failed to find this program")?;
    let program =
        program.to_str().ok_or_else(|| anyhow!("the path of this program is not text"))?;
    let program = shlex::try_quote(program).context("the path of this program holds a NUL")?;
    let semantics = match target.semantics {
        Semantics::XmlCompareApi => "",
        Semantics::C14n => " --semantics c14n",
        Semantics::XmlunitSimilar => " --semantics xmlunit-similar",
    };
    Ok(format!("{program} serve --workers 1{semantics}"))
}

/// Returns a build that is started by `start` in `dir`.
pub(super) fn started(
    target: &TargetSpec,
    start: &str,
    dir: &Path,
    revision: Revision,
) -> SutBuild {
    let port_env = match &target.origin {
        TargetSource::Embedded => Some("APP_PORT".to_owned()),
        TargetSource::Start(_) | TargetSource::Attach(_) => target.port_env.clone(),
    };
    let command = sut::TargetCommand {
        start: start.to_owned(),
        dir: dir.to_path_buf(),
        env: target.env.clone(),
        port_env,
        ready: target.ready.clone(),
        ask: sut::ReadinessProbe::default(),
        ready_timeout: target.ready_timeout,
        stop_timeout: target.stop_timeout,
        limits: target.limits,
        container: target.container.clone(),
    };
    SutBuild {
        revision: Revision { start: start.to_owned(), ..revision },
        source: BuildSource::Start(Box::new(command)),
    }
}

/// Returns what runs already at `url`.
pub(super) fn attached(url: &str, label: &str) -> SutBuild {
    let revision =
        Revision { label: label.to_owned(), commit: None, dirty: false, start: url.to_owned() };
    SutBuild { revision, source: BuildSource::Attach(url.to_owned()) }
}
