//! Every way in which a use case comes to nothing, beyond what the libraries below it report.

use std::io;
use std::path::PathBuf;

use miette::Diagnostic;
use record::RecordError;
use record::history::HistoryNote;
use record::shard::ShardNumber;
use suite::config::FILE_NAME;
use thiserror::Error;

use units::Ratio;

/// Why a use case did not begin, or could not go on.
#[derive(Debug, Error, Diagnostic)]
pub enum UseCaseError {
    /// Head is attached to, and base would have to be started beside it.
    #[error("the head runs already at `{url}`, so the base must too: give `--base-url`")]
    HeadIsAttached {
        /// Where head runs.
        url: String,
    },
    /// The code of a repository would be judged by a target that has nothing of it.
    #[error("{subject}, so there is nothing of this repository to measure")]
    #[diagnostic(help(
        "`xmlperf init` writes a configuration to begin with; `--reference` shows a measurement of the \
         reference API inside this program"
    ))]
    NoTarget {
        /// Where a target is missing.
        subject: MissingTarget,
    },
    /// A variable whose value the target or a request is to have is not there.
    #[error("the environment has no variable `{name}`, which the configuration names")]
    #[diagnostic(help("set it for xmlperf; its value is neither shown nor recorded"))]
    NoVariable {
        /// Its name.
        name: String,
    },
    /// A commit has to be built, and there is no command for it.
    #[error("`{name}` cannot be built: `[target] build` is missing")]
    #[diagnostic(help(
        "add it to xmlperf.toml (`build = \"true\"` where there is nothing to build), or give the base by \
         `--base-start` or `--base-bin`"
    ))]
    NoBuildCommand {
        /// The commit, as it was named.
        name: String,
    },
    /// The start command names a file of the checkout by its full path.
    #[error(
        "`{word}` in the start command is a file of the head, and would be started as the base too"
    )]
    #[diagnostic(help("write paths in `[target] start` from the folder of `xmlperf.toml`"))]
    StartsHeadTwice {
        /// The path.
        word: String,
    },
    /// A profiler has to start the target itself.
    #[error("the target at `{url}` runs already, and a profiler has to start it")]
    #[diagnostic(help(
        "give `[target] start` in xmlperf.toml, or `--head-start` and `--base-start`"
    ))]
    ProfiledIsAttached {
        /// Where it runs.
        url: String,
    },
    /// A limit is on a quantity that no result of another tool has.
    #[error("a limit on `{quantity}` cannot be checked: no result of another tool has it")]
    #[diagnostic(help("limits can be on throughput, p50, p95, p99 and errors"))]
    LimitNotImported {
        /// Key of the quantity.
        quantity: &'static str,
    },
    /// No stored run measured the same work.
    #[error("no run of `{name}` in `{store}` can be compared with this one\n\n{}", notes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    NoComparableRun {
        /// The history.
        name: String,
        /// Where it is stored.
        store: String,
        /// Why its runs were passed over.
        notes: Vec<HistoryNote>,
    },
    /// It is not known where records of attempts are.
    #[error("nothing says in which store attempts are kept")]
    #[diagnostic(help(
        "give `--store URL`, or `attempts = \"URL\"` below `[baseline]` in xmlperf.toml"
    ))]
    NoAttemptStore,
    /// A run found another record of its comparison than the store has.
    #[error("`{location}` holds other attempts at comparison {key} than this run found")]
    #[diagnostic(help(
        "two runs of one comparison were made at once, or the record that this one found was changed; run \
         the comparison again"
    ))]
    OtherAttempts {
        /// The key of the comparison.
        key: String,
        /// The store.
        location: String,
    },
    /// The run to confirm needs no confirmation.
    #[error("`{}` flags nothing, so there is nothing to repeat", path.display())]
    NothingFlagged {
        /// The file of the run.
        path: PathBuf,
    },
    /// The run to confirm flags a scenario that this configuration lacks.
    #[error("the first run flags scenario `{name}`, which this one does not have")]
    FlaggedScenarioMissing {
        /// The scenario.
        name: String,
    },
    /// Too many releases share one error rate.
    #[error("{steps} steps share an error rate of {alpha}: the part of each is too small")]
    #[diagnostic(help("raise `[gate] alpha`, or compare fewer releases"))]
    ErrorRateTooThin {
        /// Steps from release to release.
        steps: usize,
        /// What they share.
        alpha: Ratio,
    },
    /// A part of a suite would keep attempts of its own.
    #[error(
        "shard {part} keeps no record of attempts, and `[baseline] attempts` names a place for one"
    )]
    #[diagnostic(help("take it out of xmlperf.toml, or measure all scenarios on one machine"))]
    ShardAttempts {
        /// The part.
        part: ShardNumber,
    },
    /// A part of a suite would be held against stored runs.
    #[error("shard {part} has no base to run beside head, and is not held against stored runs")]
    #[diagnostic(help("give a base that can be built, or measure all scenarios on one machine"))]
    ShardStored {
        /// The part.
        part: ShardNumber,
    },
    /// A list of releases has no step.
    #[error("`--matrix` needs two releases or more")]
    NoStep,
    /// Both ends of a bisection are one commit.
    #[error("`--good` and `--bad` are the same commit")]
    EmptyRange,
    /// What an earlier bisection left cannot be read.
    #[error("unusable `{}`", path.display())]
    #[diagnostic(help("`--restart` forgets it"))]
    StateUnreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// An end of a bisection's range cannot be measured.
    #[error("`{commit}` cannot be measured: {reason}")]
    EndNotMeasured {
        /// The commit, as it was named.
        commit: String,
        /// Why.
        reason: String,
    },
    /// The commit that a bisection found cannot be measured a second time.
    #[error("{commit} was measured before, and cannot be any more")]
    FoundNotMeasured {
        /// The commit and its subject.
        commit: String,
    },
    /// A bisection was interrupted.
    #[error("interrupted")]
    #[diagnostic(help("the same command goes on where this one ended"))]
    BisectionInterrupted,
    /// A payload was interrupted before it was whole.
    #[error("interrupted before the payload was whole; nothing is left of it")]
    PayloadInterrupted,
    /// Pairs of files need a folder.
    #[error("`--format xml-dir` needs a folder")]
    #[diagnostic(help("add `--output DIR`"))]
    NoPayloadFolder,
    /// The folder for pairs of files holds something.
    #[error("the folder `{}` is not empty", path.display())]
    #[diagnostic(help("name one that is, or that does not exist"))]
    PayloadFolderInUse {
        /// The folder.
        path: PathBuf,
    },
    /// No other tool sends requests to a Unix socket.
    #[error("the target listens at `{url}`, where no other tool sends requests to")]
    #[diagnostic(help("give where it listens as well by `--url`"))]
    ExportToSocket {
        /// Where it listens.
        url: String,
    },
    /// The folder for an export holds what was not exported, or was changed since.
    #[error("`{}` is not as an export left it", path.display())]
    #[diagnostic(help("name another folder by `--output`, or move it away"))]
    ExportFolderInUse {
        /// The file, or the folder.
        path: PathBuf,
    },
    /// A run was measured and judged, and its files could not be written.
    #[error("the results are not in `{}`, and are lost with this output", folder.display())]
    #[diagnostic(help("make room, or name another folder by `--out`"))]
    ResultsLost {
        /// Where they would be.
        folder: PathBuf,
        /// Why not.
        source: RecordError,
    },
    /// Another run has the folder for results.
    #[error("`{}` is in use by process {holder}", folder.display())]
    #[diagnostic(help("wait for it, or name another folder by `--out`"))]
    FolderInUse {
        /// The folder.
        folder: PathBuf,
        /// The process, and when it began.
        holder: String,
    },
    /// The disk has less room than a run may need.
    #[error(
        "`{}` has {} left on its disk, and a run may need {}",
        folder.display(), units::bytes(units::exact(*left)), units::bytes(units::exact(*needed))
    )]
    #[diagnostic(help("make room, or name another folder by `--out`"))]
    NoRoom {
        /// The folder for results.
        folder: PathBuf,
        /// Bytes that are left.
        left: u64,
        /// Bytes that are needed.
        needed: u64,
    },
    /// The system refuses to reserve room for the results, as a quota makes it do.
    #[error(
        "no room can be reserved in `{}`, and a run may need {}",
        folder.display(), units::bytes(units::exact(*needed))
    )]
    #[diagnostic(help("make room, or name another folder by `--out`"))]
    RoomRefused {
        /// The folder for results.
        folder: PathBuf,
        /// Bytes that are needed.
        needed: u64,
        /// The system's reason.
        source: io::Error,
    },
    /// A store has nothing to verify.
    #[error("there is nothing to verify")]
    #[diagnostic(help("is `--store` the right one?"))]
    EmptyStore,
    /// The archive of runs cannot be read.
    #[error("failed to read `{}`", folder.display())]
    Archive {
        /// The archive.
        folder: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// There is no file of a run.
    #[error("there is no `{}`", path.display())]
    #[diagnostic(help(
        "`xmlperf compare` or `run` writes it, and `xmlperf runs` lists those that are kept"
    ))]
    NoRunFile {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A workflow would lie where GitHub does not read it.
    #[error(
        "GitHub reads workflows at the root of the repository only, not in `{}`",
        folder.display()
    )]
    #[diagnostic(help(
        "`xmlperf init --github {0}/{file}` there, and `working-directory: {0}` in the workflow",
        folder.display()
    ))]
    WorkflowBelowRoot {
        /// The folder, from the root of the repository.
        folder: PathBuf,
        /// Name of the configuration.
        file: &'static str,
    },
    /// A workflow names the Action, and this build is none of a release.
    #[error("nothing says where the Action is")]
    #[diagnostic(help(
        "give `--action owner/repository@commit`: the repository that publishes it, and the commit of a release"
    ))]
    NoAction,
    /// A file that would be written is there.
    #[error("`{}` exists", path.display())]
    #[diagnostic(help("`--force` overwrites it"))]
    FileExists {
        /// The file.
        path: PathBuf,
    },
    /// A history has no run.
    #[error("no run is kept as `{name}`")]
    #[diagnostic(help("`xmlperf baseline save` keeps one"))]
    EmptyHistory {
        /// The history.
        name: String,
    },
}

/// Where nothing says what the target is.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MissingTarget {
    /// No configuration lies here or above.
    #[error("there is no `{}` in `{}` or above it", FILE_NAME, folder.display())]
    Configuration {
        /// The current folder.
        folder: PathBuf,
    },
    /// The configuration has no target.
    #[error("`{}` has no `[target] start`, `url` or `image`", path.display())]
    Table {
        /// The configuration.
        path: PathBuf,
    },
}

impl UseCaseError {
    /// Returns whether the request was sound and only the measurement failed.
    pub fn is_measurement(&self) -> bool {
        matches!(
            self,
            Self::EndNotMeasured { .. }
                | Self::FoundNotMeasured { .. }
                | Self::BisectionInterrupted
                | Self::PayloadInterrupted
                | Self::ResultsLost { .. }
                | Self::FolderInUse { .. }
                | Self::NoRoom { .. }
                | Self::RoomRefused { .. }
        )
    }
}
