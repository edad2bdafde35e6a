//! Builds the version to compare with, away from the user's files.
//!
//! Each commit is built in a folder of its own in a cache, and never again with the same command,
//! tools, environment and lock files. Folders share no build directory: a base that picked up an artefact of head
//! would compare equal to it. What they share is dependencies: those that a package manager keeps in the user's
//! folder anyway, and what cargo compiled of crates of a registry. A build counts only once its marker is there, which is put beside the
//! folder by rename after the command succeeded; without one, the folder is built afresh.

mod cargo_units;
mod changes;
mod failure;
mod files;
pub mod git;
mod identity;
mod locks;
mod repository;
mod scratch;
mod snapshot;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, SystemTime};

use relink::line_tables;
use relink::shim::{LinkKeeper, LinkShims};
use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process_group};
use sha2::{Digest, Sha256};
use sut::{LogEnds, ProcessEndWatch};
use tempfile::NamedTempFile;

use units::cancel::Cancel;
use units::environment::{ChildEnvironment, WithheldNames};

use cargo_units::CargoBuild;
pub use changes::{HeadState, InputScope, changed_inputs};
pub use failure::BaseError;
pub use identity::{ProgramFiles, ProgramTree};
use locks::MissingLock;
pub use locks::lock_digests;
pub use repository::{
    CommitSummary, WorkingTree, between, checkout_hash, commit, file, is_behind, merge_base, root,
    tree, tree_hash,
};
pub use scratch::{HeadFiles, ScratchTree, changed_files, prefix, unified_diff};
use snapshot::{TreeSnapshot, TreeState};

/// Builds that are kept in a cache folder, beside those in use.
const BUILDS_MAX: usize = 4;

/// Lines of a failed build's output in the message: compilers sum up at the end.
const TAIL_LINES: usize = 25;

/// Bytes at the end of a log that its last lines are looked for in. A build may print gigabytes, and
/// its log is looked at ten times a second.
const TAIL_BYTES: u64 = 64 * 1024;

const POLL: Duration = Duration::from_millis(100);

/// Programs whose version decides what a build yields, by a word of the build command.
const TOOLS: &[(&[&str], &[&str])] = &[
    (&["cargo", "rustc"], &["rustc", "-vV"]),
    (&["go"], &["go", "version"]),
    (&["npm", "npx", "pnpm", "yarn", "node"], &["node", "--version"]),
    (&["mvn", "mvnw", "gradle", "gradlew", "javac"], &["java", "-version"]),
    (&["make", "cmake", "ninja", "cc", "gcc", "clang"], &["cc", "--version"]),
    (&["dotnet"], &["dotnet", "--version"]),
];

/// What the go command calls its version.
const GO_VERSION: &str = "go version go";

/// What takes a while, as it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuildProgress<'a> {
    /// Another xmlperf builds the same commit, and is waited for.
    Awaited,
    /// An earlier run changed what the build had made, so it is built again.
    Outdated {
        /// The file, from the folder of the base.
        path: &'a Path,
    },
    /// A lock file that git does not know lies in the checkout, and is put into the tree of a commit without one.
    LockCarried {
        /// The file, from the root of the repository.
        path: &'a Path,
    },
    /// The files of a commit are written out.
    CheckedOut {
        /// The name that was given.
        reference: &'a str,
        /// Its commit.
        commit: &'a str,
    },
    /// The build command has printed another line.
    Printed {
        /// What is built: `head`, or `base` and its commit.
        build: &'a str,
        /// The latest line.
        line: &'a str,
    },
}

/// How a version is built.
#[derive(Debug, Clone, Copy)]
pub struct BuildCommand<'a> {
    /// Given to `/bin/sh`.
    pub command: &'a str,
    /// What of the environment it does not get.
    pub environment: &'a ChildEnvironment,
    /// What keeps the programs' links, if they are to be linked again.
    pub keeper: Option<LinkKeeper<'a>>,
    /// Whether programs get tables of their lines.
    pub lines: LineTables<'a>,
}

/// Whether programs are built with tables of their lines, by which counts are known by line. The machine
/// code is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineTables<'a> {
    /// As the build has it.
    AsBuilt,
    /// By a variable that cargo reads, and by compiler drivers of ours where a build calls them by name.
    Added {
        /// The search path of the build without them.
        search_path: &'a OsStr,
    },
}

/// The variable by which cargo adds tables of lines to what it builds for release.
pub const LINE_TABLE_VARIABLE: &str = "CARGO_PROFILE_RELEASE_DEBUG";

impl BuildCommand<'_> {
    /// Starts a program as the build would.
    fn program(&self, name: &str) -> Command {
        let mut program = Command::new(name);
        for name in self.environment.removed() {
            program.env_remove(name);
        }
        program
    }

    /// Starts the build's shell, which finds compiler drivers that keep links in a folder.
    fn shell(&self, links: &Path) -> Result<Command, BaseError> {
        let mut shell = self.program("/bin/sh");
        if let LineTables::Added { search_path } = self.lines {
            shell.env(LINE_TABLE_VARIABLE, "line-tables-only");
            // Drivers that keep links add tables of lines themselves.
            if self.keeper.is_none() && line_tables::calls_drivers(self.command) {
                let drivers = links.join("line-tables");
                let path = line_tables::install(&drivers, search_path);
                shell.env("PATH", path.map_err(unusable(&drivers))?);
            }
        }
        if let Some(keeper) = self.keeper {
            let shims = LinkShims::install(links, keeper).map_err(unusable(links))?;
            shell.env("PATH", shims.search_path());
        }
        Ok(shell)
    }
}

/// A built base. As long as this lives, no other xmlperf removes or rebuilds it.
#[derive(Debug)]
pub struct BaseBuild {
    /// Where to start it: the folder of the base that corresponds to the requested one.
    pub dir: PathBuf,
    /// The root of its files, at or above that folder.
    pub root: PathBuf,
    /// Full hash of the commit.
    pub commit: String,
    /// Whether an earlier build was used.
    pub cached: bool,
    /// What earlier runs had left in the base's folder, from its root: it was removed.
    pub removed: Vec<PathBuf>,
    /// The folder that its links are kept in, if they are.
    pub links: PathBuf,
    _in_use: File,
}

/// A base of which the build may still run. Where this is dropped before the end, the build is ended, and nothing is
/// left of it.
#[derive(Debug)]
pub struct PendingBase {
    /// The first that is dropped: no other xmlperf builds in the folder until nothing is left in it.
    state: BaseState,
    lock: BuildLock,
    place: BuildFolder,
    repo_dir: PathBuf,
    prefix: PathBuf,
    commit: String,
    locks: Vec<MissingLock>,
}

#[derive(Debug)]
enum BaseState {
    /// It was built before, and others may use it too; these files that earlier runs had left were removed.
    Kept(Vec<PathBuf>),
    /// Ended before its folder is removed, where both are dropped.
    Building(RunningBuild, UnfinishedFolder),
}

impl PendingBase {
    /// Whether the checkout has the lock files still that this is built with: a build of the checkout may have
    /// written others meanwhile.
    pub fn is_of_these_locks(&self) -> Result<bool, BaseError> {
        Ok(locks::missing(&self.repo_dir, &self.commit)? == self.locks)
    }

    /// Waits until it is built. `progress` gets the latest line of the build.
    pub fn finish(
        self,
        cancel: &Cancel,
        progress: &mut dyn FnMut(BuildProgress<'_>),
    ) -> Result<BaseBuild, BaseError> {
        let Self { prefix, commit, lock, place, state, .. } = self;
        let cached = matches!(state, BaseState::Kept(_));
        let removed = match state {
            BaseState::Kept(removed) => removed,
            BaseState::Building(running, folder) => {
                running.wait(None, &|| cancel.is_raised(), progress)?;
                place.record_files()?;
                folder.keep();
                place.share(&commit, &lock)?;
                Vec::new()
            }
        };
        place.prune()?;
        let root = place.tree();
        let dir = root.join(prefix);
        let links = place.links();
        Ok(BaseBuild { dir, root, commit, cached, removed, links, _in_use: lock.file })
    }
}

/// Begins to build `git_ref` of the repository around `repo_dir` with `build_command`, which is run in the folder that
/// corresponds to `repo_dir`, unless that was built before.
///
/// Builds are kept in `cache_dir`, which should differ for each repository. `progress` gets what
/// is being done.
pub fn start(
    repo_dir: &Path,
    git_ref: &str,
    build_command: BuildCommand<'_>,
    cache_dir: &Path,
    cancel: &Cancel,
    progress: &mut dyn FnMut(BuildProgress<'_>),
) -> Result<PendingBase, BaseError> {
    let commit = repository::commit(repo_dir, git_ref)?;
    let prefix = repository::prefix(repo_dir)?;
    fs::create_dir_all(cache_dir).map_err(unusable(cache_dir))?;
    let cache_dir = cache_dir.canonicalize().map_err(unusable(cache_dir))?;
    let locks = locks::missing(repo_dir, &commit)?;
    let inputs = BuildInputs {
        commit: &commit,
        prefix: &prefix,
        build: build_command,
        tools: &tools(repo_dir, build_command),
        locks: &locks,
    };
    let key = inputs.key();
    let place = BuildFolder { cache_dir, key };
    let lock = place.lock(cancel, progress)?;
    let state = if let Some(removed) = place.reuse(&lock, progress)? {
        place.share(&commit, &lock)?;
        BaseState::Kept(removed)
    } else {
        progress(BuildProgress::CheckedOut { reference: git_ref, commit: &commit });
        // Whatever an xmlperf that was killed has left.
        place.clear()?;
        let folder = UnfinishedFolder { place: Some(place.clone()) };
        files::write(repo_dir, &commit, &place.tree())?;
        place.ensure_folder(&prefix, &commit)?;
        place.carry(&locks, progress)?;
        place.take_over(repo_dir, &prefix, build_command)?;
        BaseState::Building(place.start(&prefix, &commit, build_command)?, folder)
    };
    let repo_dir = repo_dir.to_owned();
    Ok(PendingBase { state, lock, place, repo_dir, prefix, commit, locks })
}

/// Builds the checkout itself with `build_command`, which is run in `dir`. All
/// output goes to `log`, which is replaced; `progress` gets the latest line of it. Links are kept in
/// `links`, if they are. Where the base that is built meanwhile fails, that ends it.
pub fn build_head(
    dir: &Path,
    build_command: BuildCommand<'_>,
    (log, links): (&Path, &Path),
    meanwhile: Option<&mut PendingBase>,
    cancel: &Cancel,
    progress: &mut dyn FnMut(BuildProgress<'_>),
) -> Result<(), BaseError> {
    let mut shell = build_command.shell(links)?;
    let running = RunningBuild::start(shell.current_dir(dir), build_command, "head", log)?;
    let meanwhile = match meanwhile.map(|base| &mut base.state) {
        Some(BaseState::Building(base, _)) => Some(base),
        Some(BaseState::Kept(_)) | None => None,
    };
    running.wait(meanwhile, &|| cancel.is_raised(), progress)
}

/// The right to use a build.
#[derive(Debug)]
struct BuildLock {
    file: File,
    /// Whether no other xmlperf uses it, so that its folder may be changed.
    exclusive: bool,
}

/// The files of one build: a folder, and beside it marker, snapshot, log and lock.
#[derive(Debug, Clone)]
struct BuildFolder {
    cache_dir: PathBuf,
    key: String,
}

impl BuildFolder {
    fn tree(&self) -> PathBuf {
        self.cache_dir.join(&self.key)
    }

    fn file(&self, extension: &str) -> PathBuf {
        self.cache_dir.join(format!("{}.{extension}", self.key))
    }

    /// The links of the build, if they are kept.
    fn links(&self) -> PathBuf {
        self.file("links")
    }

    /// Its presence says that the build succeeded, its time when it was last used.
    fn marker(&self) -> PathBuf {
        self.file("built")
    }

    /// What the build left in the folder.
    fn snapshot(&self) -> PathBuf {
        self.file("files")
    }

    fn is_built(&self) -> bool {
        self.marker().exists() && self.snapshot().exists() && self.tree().is_dir()
    }

    fn record_files(&self) -> Result<(), BaseError> {
        let (tree, path) = (self.tree(), self.snapshot());
        let snapshot = TreeSnapshot::take(&tree).map_err(unusable(&tree))?;
        fs::write(&path, snapshot.to_bytes()).map_err(unusable(&path))
    }

    /// Makes the folder again what it was when it was built, and returns what was removed for that;
    /// none if it has to be built.
    fn reuse(
        &self,
        lock: &BuildLock,
        progress: &mut dyn FnMut(BuildProgress<'_>),
    ) -> Result<Option<Vec<PathBuf>>, BaseError> {
        if !self.is_built() {
            return Ok(None);
        }
        // Another xmlperf runs what is in the folder.
        if !lock.exclusive {
            return Ok(Some(Vec::new()));
        }
        let (tree, path) = (self.tree(), self.snapshot());
        let stored = fs::read(&path).map_err(unusable(&path))?;
        let Some(snapshot) = TreeSnapshot::parse(&stored) else { return Ok(None) };
        match snapshot.restore(&tree).map_err(unusable(&tree))? {
            TreeState::AsBuilt { removed } => Ok(Some(removed)),
            TreeState::Changed { path } => {
                progress(BuildProgress::Outdated { path: &path });
                Ok(None)
            }
        }
    }

    /// Waits for the right to use this if it is built, and to build it if it is not. The right to
    /// change it is had wherever no other xmlperf uses it.
    fn lock(
        &self,
        cancel: &Cancel,
        progress: &mut dyn FnMut(BuildProgress<'_>),
    ) -> Result<BuildLock, BaseError> {
        let path = self.file("lock");
        let file = File::create(&path).map_err(unusable(&path))?;
        let mut reported = false;
        loop {
            let built = self.is_built();
            for exclusive in [true, false] {
                let operation = if exclusive {
                    FlockOperation::NonBlockingLockExclusive
                } else {
                    FlockOperation::NonBlockingLockShared
                };
                match flock(&file, operation) {
                    // It may have been built or removed by the holder before.
                    Ok(()) if built == self.is_built() && (exclusive || built) => {
                        return Ok(BuildLock { file, exclusive });
                    }
                    Ok(()) | Err(Errno::WOULDBLOCK) => {}
                    Err(errno) => return Err(unusable(&path)(errno.into())),
                }
            }
            let _ = flock(&file, FlockOperation::Unlock);
            if cancel.is_raised() {
                return Err(BaseError::Cancelled);
            }
            if !reported {
                progress(BuildProgress::Awaited);
                reported = true;
            }
            thread::sleep(POLL);
        }
    }

    /// The marker goes first: without it, what is left of the folder is not taken for a build.
    fn clear(&self) -> Result<(), BaseError> {
        let marker = self.marker();
        unless_gone(&marker, fs::remove_file(&marker))?;
        [self.tree(), self.links()].iter().try_for_each(|folder| remove_folder(folder))
    }

    /// Fails if the commit is from before the folder that is measured.
    fn ensure_folder(&self, prefix: &Path, commit: &str) -> Result<(), BaseError> {
        if self.tree().join(prefix).is_dir() {
            return Ok(());
        }
        let folder = prefix.components().collect();
        Err(BaseError::NoFolder { commit: short(commit).to_owned(), folder })
    }

    /// Puts lock files into the tree, so that both sides resolve to the same versions.
    fn carry(
        &self,
        locks: &[MissingLock],
        progress: &mut dyn FnMut(BuildProgress<'_>),
    ) -> Result<(), BaseError> {
        for lock in locks {
            let to = self.tree().join(&lock.path);
            fs::copy(&lock.file, &to).map_err(unusable(&to))?;
            progress(BuildProgress::LockCarried { path: &lock.path });
        }
        Ok(())
    }

    /// Takes over what was compiled of dependencies: by the checkout, if it was built, else by the builds of this
    /// cache, the last one first.
    fn take_over(
        &self,
        repo_dir: &Path,
        prefix: &Path,
        build: BuildCommand<'_>,
    ) -> Result<(), BaseError> {
        let kept = self.others()?.into_iter().rev();
        let kept = kept.map(|(_, key)| self.cache_dir.join(key));
        let trees: Vec<PathBuf> = [repository::root(repo_dir)?].into_iter().chain(kept).collect();
        let root = &self.tree();
        let cargo = CargoBuild { command: build.command, root, prefix };
        if cargo.take_over(&trees).is_err() {
            // Another xmlperf may have removed a build meanwhile. What was not copied is compiled.
            cargo.target().map_or(Ok(()), |target| remove_folder(&target))?;
        }
        Ok(())
    }

    fn start(
        &self,
        prefix: &Path,
        commit: &str,
        build: BuildCommand<'_>,
    ) -> Result<RunningBuild, BaseError> {
        let mut shell = build.shell(&self.links())?;
        crate::git::without_local_variables(&mut shell)
            .current_dir(self.tree().join(prefix))
            // Would put the base where head is, and then head would be compared with itself.
            .env_remove("CARGO_TARGET_DIR")
            .env_remove("CARGO_BUILD_TARGET_DIR");
        let what = format!("base {}", short(commit));
        RunningBuild::start(&mut shell, build, &what, &self.file("log"))
    }

    /// Says that it is built, and used now. From here on others may use it too.
    fn share(&self, commit: &str, lock: &BuildLock) -> Result<(), BaseError> {
        self.mark(commit)?;
        flock(&lock.file, FlockOperation::LockShared)
            .map_err(|errno| unusable(&self.file("lock"))(errno.into()))
    }

    fn mark(&self, commit: &str) -> Result<(), BaseError> {
        let marker = self.marker();
        let write = || -> io::Result<()> {
            let mut file = NamedTempFile::new_in(&self.cache_dir)?;
            writeln!(file, "{commit}")?;
            file.persist(&marker)?;
            Ok(())
        };
        write().map_err(unusable(&marker))
    }

    /// The keys of the other builds of the cache with the times when they were last used, in that order.
    fn others(&self) -> Result<Vec<(SystemTime, String)>, BaseError> {
        let mut builds = Vec::<(SystemTime, String)>::new();
        for entry in fs::read_dir(&self.cache_dir).map_err(unusable(&self.cache_dir))? {
            let path = entry.map_err(unusable(&self.cache_dir))?.path();
            let key = path.file_stem().and_then(|stem| stem.to_str());
            let time = path.metadata().and_then(|metadata| metadata.modified());
            if let (Some("built"), Some(key), Ok(time)) =
                (path.extension().and_then(|extension| extension.to_str()), key, time)
                && key != self.key
            {
                builds.push((time, key.to_owned()));
            }
        }
        builds.sort();
        Ok(builds)
    }

    /// Removes the builds that were not used for longest, unless they are in use.
    fn prune(&self) -> Result<(), BaseError> {
        let builds = self.others()?;
        let surplus = (builds.len() + 1).saturating_sub(BUILDS_MAX);
        for (_, key) in builds.into_iter().take(surplus) {
            Self { cache_dir: self.cache_dir.clone(), key }.remove_unless_in_use()?;
        }
        Ok(())
    }

    fn remove_unless_in_use(&self) -> Result<(), BaseError> {
        let path = self.file("lock");
        let lock = File::create(&path).map_err(unusable(&path))?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Ok(());
        }
        // The lock file stays: a process that waits for it would else hold a lock on nothing.
        self.clear()?;
        let _ = fs::remove_file(self.file("log"));
        let _ = fs::remove_file(self.snapshot());
        Ok(())
    }
}

/// A folder that is removed where its build does not succeed.
#[derive(Debug)]
struct UnfinishedFolder {
    place: Option<BuildFolder>,
}

impl UnfinishedFolder {
    fn keep(mut self) {
        self.place = None;
    }
}

impl Drop for UnfinishedFolder {
    fn drop(&mut self) {
        // Without a marker, what cannot be removed is not taken for a build.
        let _ = self.place.take().map(|place| place.clear());
    }
}

/// A build that runs.
#[derive(Debug)]
struct RunningBuild {
    process: BuildProcess,
    /// Of its log, until it has ended.
    ends: Option<LogEnds>,
    log: PathBuf,
    /// What is built, for messages.
    what: String,
    command: String,
    /// What it does not get of the environment.
    withheld: Option<WithheldNames>,
}

impl RunningBuild {
    /// Gives the command of a build to its shell.
    fn start(
        shell: &mut Command,
        build: BuildCommand<'_>,
        what: &str,
        log: &Path,
    ) -> Result<Self, BaseError> {
        let out = sut::create_log(log).map_err(unusable(log))?;
        let err = out.try_clone().map_err(unusable(log))?;
        let ends = LogEnds::of(&out).map_err(unusable(log))?;
        let child = shell
            .args(["-c", build.command])
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
            .map_err(|source| BaseError::NotStarted { program: "/bin/sh".to_owned(), source })?;
        Ok(Self {
            process: BuildProcess(child),
            ends: Some(ends),
            log: log.to_owned(),
            what: what.to_owned(),
            command: build.command.to_owned(),
            withheld: build.environment.missing(),
        })
    }

    /// Waits for its end, or for another one that fails meanwhile; `progress` gets the latest line that it prints.
    fn wait(
        mut self,
        mut meanwhile: Option<&mut Self>,
        is_cancelled: &dyn Fn() -> bool,
        progress: &mut dyn FnMut(BuildProgress<'_>),
    ) -> Result<(), BaseError> {
        let end = self.process.end();
        let mut last = None;
        while !self.has_succeeded()? {
            if is_cancelled() {
                return Err(BaseError::Cancelled);
            }
            if let Some(other) = &mut meanwhile {
                other.has_succeeded()?;
            }
            let line = last_lines(&self.log, 1).pop();
            if line != last {
                let line = line.as_deref().unwrap_or_default();
                progress(BuildProgress::Printed { build: &self.what, line });
            }
            last = line;
            end.wait(POLL);
        }
        Ok(())
    }

    /// Whether it has ended well; keeps its log small until it has ended. Fails if it did not end well.
    fn has_succeeded(&mut self) -> Result<bool, BaseError> {
        let Some(status) = self.process.ended()? else {
            if let Some(ends) = &mut self.ends {
                ends.free_middle();
            }
            return Ok(false);
        };
        // Where a disk is full, the hole stays in it.
        let _ = self.ends.take().map(LogEnds::join);
        if status.success() {
            return Ok(true);
        }
        Err(BaseError::BuildFailed {
            build: self.command.clone(),
            what: self.what.clone(),
            status: status.to_string(),
            tail: last_lines(&self.log, TAIL_LINES).into(),
            log: self.log.clone(),
            withheld: self.withheld.clone(),
        })
    }
}

/// The process of a build, which is ended with all that it started when this is dropped.
#[derive(Debug)]
struct BuildProcess(Child);

impl BuildProcess {
    fn end(&self) -> ProcessEndWatch {
        ProcessEndWatch::of(Pid::from_child(&self.0))
    }

    fn ended(&mut self) -> Result<Option<ExitStatus>, BaseError> {
        let failed = |source| BaseError::NotStarted { program: "/bin/sh".to_owned(), source };
        self.0.try_wait().map_err(failed)
    }
}

impl Drop for BuildProcess {
    fn drop(&mut self) {
        // After a build that ended by itself, this ends what it left in the background.
        let _ = kill_process_group(Pid::from_child(&self.0), Signal::KILL);
        let _ = self.0.wait();
    }
}

/// All that decides what a build yields, as far as it can be known.
struct BuildInputs<'a> {
    commit: &'a str,
    prefix: &'a Path,
    build: BuildCommand<'a>,
    /// What the tools say of their versions.
    tools: &'a str,
    /// What is put into the tree.
    locks: &'a [MissingLock],
}

impl BuildInputs<'_> {
    /// Names the build after them.
    fn key(&self) -> String {
        let mut hash = Sha256::new();
        let mut add = |part: &[u8]| {
            hash.update(part);
            hash.update([0]);
        };
        let prefix = self.prefix.as_os_str().as_encoded_bytes();
        [prefix, self.build.command.as_bytes(), self.tools.as_bytes()]
            .into_iter()
            .for_each(&mut add);
        // A build whose links are kept compiles C with other options.
        if self.build.keeper.is_some() {
            add(b"links");
        }
        // Builds of Go from before their links were kept are not used again.
        if self.build.keeper.is_some() && self.tools.contains(GO_VERSION) {
            add(b"links of go");
        }
        if let LineTables::Added { .. } = self.build.lines {
            add(b"lines");
        }
        for lock in self.locks {
            add(lock.path.as_os_str().as_encoded_bytes());
            add(lock.digest.as_bytes());
        }
        for (name, value) in self.build.environment.build_options() {
            add(name.as_bytes());
            add(value.expose().as_encoded_bytes());
        }
        format!("{}-{}", short(self.commit), units::hex(&hash.finalize()[..6]))
    }
}

/// Returns the versions of the tools that the build command names: a base of last week's compiler
/// would differ from head by more than the change.
fn tools(dir: &Path, build: BuildCommand<'_>) -> String {
    let words = build.command.split(|c: char| !c.is_alphanumeric() && c != '-' && c != '_');
    let words = words.collect::<Vec<_>>();
    let used = TOOLS.iter().filter(|(names, _)| names.iter().any(|name| words.contains(name)));
    let version = |command: &[&str]| {
        let output = build.program(command[0]).args(&command[1..]).current_dir(dir).output();
        // A tool that is missing here is the build's business to complain about.
        output.map_or_else(
            |_| String::new(),
            |output| String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned(),
        )
    };
    used.map(|(_, command)| version(command)).collect::<Vec<_>>().concat()
}

fn short(commit: &str) -> &str {
    commit.get(..12).unwrap_or(commit)
}

/// The last lines that are not empty, as far as they stand in the last [`TAIL_BYTES`].
fn last_lines(log: &Path, count: usize) -> Vec<String> {
    let bytes = end_of(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines = text.lines().map(str::trim_end).filter(|line| !line.is_empty());
    let mut lines = lines.map(str::to_owned).collect::<Vec<_>>();
    lines.drain(..lines.len().saturating_sub(count));
    lines
}

/// Reads the end of a file. A build may have put a FIFO in its place, which is not waited for.
fn end_of(log: &Path) -> io::Result<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let mut file = File::from(rustix::fs::open(log, flags, Mode::empty())?);
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::ErrorKind::InvalidData.into());
    }
    file.seek(SeekFrom::Start(metadata.len().saturating_sub(TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn remove_folder(folder: &Path) -> Result<(), BaseError> {
    unless_gone(folder, fs::remove_dir_all(folder))
}

/// What is not there needs no removal.
fn unless_gone(path: &Path, removed: io::Result<()>) -> Result<(), BaseError> {
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(unusable(path)(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn unusable(path: &Path) -> impl FnOnce(io::Error) -> BaseError {
    let path = path.to_owned();
    |source| BaseError::Files { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_of_a_huge_log_are_read_from_its_end_alone() {
        let log = NamedTempFile::new().unwrap();
        // A file with a hole: reading all of it would take 64 GiB of memory.
        log.as_file().set_len(64 << 30).unwrap();
        let mut file = fs::OpenOptions::new().append(true).open(log.path()).unwrap();
        file.write_all("\none\n\ntwo  \nthr\u{e9}e\n".as_bytes()).unwrap();
        assert_eq!(last_lines(log.path(), 2), ["two", "thr\u{e9}e"]);
        assert_eq!(end_of(log.path()).unwrap().len() as u64, TAIL_BYTES);
        assert!(last_lines(Path::new("/nowhere"), 2).is_empty());
    }
}
