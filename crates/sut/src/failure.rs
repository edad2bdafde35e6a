//! Every way in which a target fails, with the last lines that it wrote.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use miette::Diagnostic;
use rustix::fs::{Mode, OFlags};
use thiserror::Error;
use units::environment::{SecretValue, WithheldNames};

use super::hook_spec::HookKind;
use super::network::RelayError;

/// What the shell calls itself that enters control groups.
pub(super) const ENTERING: &str = "xmlperf-enter";

/// Why a target cannot be measured.
#[derive(Debug, Error, Diagnostic)]
pub enum TargetError {
    /// The command is empty, or a quote in it is not closed.
    #[error("`{start}` is not a command")]
    #[diagnostic(help("words are split as in a shell, so quotes must be closed"))]
    NotWords {
        /// As configured.
        start: String,
    },
    /// The command is written for a shell.
    #[error("`{word}` in `{start}` is for a shell, and the target is started without one")]
    #[diagnostic(help("write `sh -c '…'`; in the configuration, `shell = true` does that"))]
    ShellSyntax {
        /// As configured.
        start: String,
        /// The word that only a shell understands.
        word: String,
    },
    /// The system is another one than Linux.
    #[error(
        "a target cannot be launched on {system}: its processes, their CPU time and their processors are \
         read and set through Linux (/proc, pidfd, control groups)"
    )]
    #[diagnostic(help(
        "run xmlperf in its container image, or start the target yourself and attach to it by `url` in \
         `[target]`: response times and throughput are measured then, CPU time and memory are not"
    ))]
    NoLaunches {
        /// Its name.
        system: &'static str,
    },
    /// The command would not know on which port to listen.
    #[error("`{start}` does not get its port")]
    #[diagnostic(help(
        "write `{{port}}` in `start`, or name the variable \
         that the target reads in `port-env`"
    ))]
    NoPort {
        /// As configured.
        start: String,
    },
    /// There is no such program.
    #[error("`{program}` was not found from `{}`",
        dir.display())]
    #[diagnostic(help(
        "build the target first, or correct `start`; \
         a path is relative to that folder"
    ))]
    NotFound {
        /// First word of the command.
        program: String,
        /// Where it was to run.
        dir: PathBuf,
    },
    /// The folder to run in does not exist.
    #[error("`{}` is not a folder to run the target in", dir.display())]
    NoDirectory {
        /// As configured.
        dir: PathBuf,
    },
    /// The system refused to start the program.
    #[error("failed to start `{program}`")]
    NotStarted {
        /// First word of the command.
        program: String,
        /// The system's reason.
        source: io::Error,
    },
    /// The share of the processors cannot be kept.
    #[error("the target cannot be kept to {cpus} processors: {obstacle}")]
    #[diagnostic(help(
        "run xmlperf as root, or by `systemd-run --user --scope -p Delegate=yes`; or leave \
         `cpu-quota` out"
    ))]
    NoQuota {
        /// As configured.
        cpus: f64,
        /// What stands in the way.
        obstacle: String,
    },
    /// No container engine runs here.
    #[error("no container engine can run the image: {reasons}")]
    #[diagnostic(help("install and start docker or podman, or name one by `engine`"))]
    NoEngine {
        /// What each said.
        reasons: String,
    },
    /// A container is still there.
    #[error("failed to remove the container `{name}`: {reason}")]
    NotRemoved {
        /// Its name.
        name: String,
        /// What the engine said.
        reason: String,
    },
    /// The processors or the memory limit cannot be had.
    #[error("failed to give the target its processors and memory")]
    NotPlaced(#[source] io::Error),
    /// The output cannot be kept.
    #[error("failed to write the target's log `{}`", path.display())]
    NoLog {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A service cannot be started.
    #[error("the service `{name}` cannot be started")]
    Service {
        /// Its name.
        name: String,
        /// Why.
        source: Box<TargetError>,
        /// What may help.
        #[help]
        advice: Option<String>,
    },
    /// A service has ended by itself, before or after it was ready.
    #[error("the service `{name}` {ending}")]
    ServiceEnded {
        /// Its name.
        name: String,
        /// Status or signal.
        ending: ProcessEnd,
        /// What it wrote.
        tail: LogTail,
        /// What it did not get of the environment.
        #[help]
        withheld: Option<WithheldNames>,
    },
    /// A service runs, but did not show in time that it can work.
    #[error("the service `{name}` was not ready after {}: {last}", units::duration(*after))]
    ServiceNotReady {
        /// Its name.
        name: String,
        /// The time-out.
        after: Duration,
        /// What the last poll said.
        last: String,
        /// What it wrote.
        tail: LogTail,
    },
    /// A user's command around a launch has failed.
    #[error("`{hook}` {ending}")]
    HookFailed {
        /// Which it is.
        hook: HookKind,
        /// Status or signal.
        ending: ProcessEnd,
        /// What it wrote.
        tail: LogTail,
    },
    /// A user's command around a launch goes on for too long.
    #[error("`{hook}` was not done after {}", units::duration(*after))]
    #[diagnostic(help(
        "`timeout` in `[hooks]` gives a hook more time, `ready-timeout` the `setup` of a service"
    ))]
    HookLate {
        /// Which it is.
        hook: HookKind,
        /// How long it was waited for.
        after: Duration,
        /// What it wrote.
        tail: LogTail,
    },
    /// The folder that `{dir}` stands for cannot be made.
    #[error("failed to make the empty folder `{}`", path.display())]
    NoFolder {
        /// The folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Nothing could be set up that ends the target if xmlperf is killed.
    #[error("failed to start the guard of the target (`/bin/sh`)")]
    NoGuard(#[source] io::Error),
    /// Every port of 127.0.0.1 is taken, or the system refuses to say.
    #[error("failed to find a free port on 127.0.0.1")]
    NoFreePort(#[source] io::Error),
    /// The target says that its port is taken, also on the second port it was given.
    #[error("the target found port {port} in use, and so the one before")]
    #[diagnostic(help(
        "if it listens on another port besides, the other side may have that one: base and head run at \
         the same time"
    ))]
    PortTaken {
        /// The second port.
        port: u16,
        /// What it wrote.
        tail: LogTail,
    },
    /// The target wants a port of its own choice, besides or instead of the one it was given.
    #[error("the target wants port {port}, which it was not given and which is in use")]
    #[diagnostic(help(
        "base and head run at the same time, so a fixed port is free for one of them at most: let the \
         target take it from `{{port}}` or a variable, or switch that listener off"
    ))]
    FixedPort {
        /// The port that it named.
        port: u16,
        /// What it wrote.
        tail: LogTail,
    },
    /// What answers on the target's port is not a process of it.
    #[error(
        "port {port} is served by {}, which the start command did not start, so its work cannot be \
         measured",
        server(*pid)
    )]
    #[diagnostic(help(
        "start the target in the foreground and with the environment that it is given; a container is an \
         `image`"
    ))]
    ServedElsewhere {
        /// The port.
        port: u16,
        /// The process, if it is seen.
        pid: Option<i32>,
        /// What the target wrote.
        tail: LogTail,
    },
    /// Both sides are started from one file that this run has built.
    #[error(
        "base and head start the same file `{}`, which a build of this run wrote: what was built last \
         would be compared with itself",
        path.display()
    )]
    #[diagnostic(help("build into the checkout, of which each side has its own"))]
    SameFile {
        /// The file.
        path: PathBuf,
    },
    /// The start command has ended, and so has the server that it left in the background.
    #[error(
        "the server that the start command had put into the background has ended while it was measured"
    )]
    DaemonDied {
        /// What it wrote.
        tail: LogTail,
    },
    /// The target ended before it was ready.
    #[error("the target {ending} after {}, before it was ready", units::duration(*after))]
    ExitedAtOnce {
        /// Status or signal.
        ending: ProcessEnd,
        /// Since its start.
        after: Duration,
        /// What it wrote.
        tail: LogTail,
        /// What it did not get of the environment.
        #[help]
        withheld: Option<WithheldNames>,
    },
    /// The start command ended with 0 and left nothing that runs.
    #[error("the target exited with status 0 after {}, before it was ready", units::duration(*after))]
    #[diagnostic(help(
        "if the command starts a server in the background, start it in the foreground"
    ))]
    EndedBeforeReady {
        /// Since its start.
        after: Duration,
        /// What it wrote.
        tail: LogTail,
    },
    /// The target runs, but did not answer as it should in time.
    #[error("the target was not ready after {}: {last}", units::duration(*after))]
    NotReady {
        /// The time-out.
        after: Duration,
        /// What the last poll said.
        last: String,
        /// Where it listens instead.
        elsewhere: Option<Box<ListenerHint>>,
        /// What it wrote.
        tail: LogTail,
        /// What may help.
        #[help]
        advice: Option<Box<ReadyAdvice>>,
    },
    /// The target was ready, and then ended by itself.
    #[error("the target {ending} while it was measured")]
    Died {
        /// Status or signal.
        ending: ProcessEnd,
        /// What it wrote.
        tail: LogTail,
    },
    /// The target, or a process of it, ended because the memory it may take ran out.
    #[error("{}: it is out of memory, of which it may take {limit}", ended(*ending))]
    OutOfMemory {
        /// Status or signal of the target itself; none if it lives on.
        ending: Option<ProcessEnd>,
        /// The limit, in words.
        limit: String,
        /// What it wrote.
        tail: LogTail,
    },
    /// A process outlived SIGKILL, as one does that waits for a broken device.
    #[error("processes {pids:?} of the target cannot be killed")]
    Unkillable {
        /// Their numbers.
        pids: Vec<i32>,
    },
    /// The address to attach to is none.
    #[error("`{url}` is not an address such as `http://127.0.0.1:3000`")]
    #[diagnostic(help("there are also `https://HOST:PORT` and `unix:/PATH`"))]
    NotUrl {
        /// As configured.
        url: String,
    },
    /// The host has no address.
    #[error("failed to look up `{url}`")]
    Unresolved {
        /// As configured.
        url: String,
        /// The system's reason.
        source: io::Error,
    },
    /// Nothing answers where a target was said to run.
    #[error("no target is ready at `{url}`: {last}")]
    Unreachable {
        /// As configured.
        url: String,
        /// What the last poll said.
        last: String,
    },
    /// An attached target is on another machine, or belongs to another user.
    #[error("the process behind the target cannot be seen from here, so its use is unknown")]
    NoProcess,
    /// There is no relay before something that the target calls.
    #[error("failed to put a relay before `{name}`, whose calls are to be counted")]
    #[diagnostic(help("`calls = \"off\"` leaves it out"))]
    NoCallRelay {
        /// The service or dependency.
        name: String,
        /// The system's reason.
        source: RelayError,
    },
    /// Nothing would reach a dependency by way of its relay.
    #[error("no variable of the target has the address `{address}` of the dependency `{name}`")]
    #[diagnostic(help(
        "write the address in `[target] env` as it is in `address`, take a variable of xmlperf's own that has it by \
         `{{ from = \"NAME\" }}`, or write `{{service:{name}}}` in its place"
    ))]
    UnusedDependency {
        /// The dependency.
        name: String,
        /// Its address.
        address: String,
    },
    /// The host of a dependency has no address.
    #[error("failed to look up `{address}` of the dependency `{name}`")]
    UnknownDependency {
        /// The dependency.
        name: String,
        /// Its address.
        address: String,
        /// The system's reason.
        source: io::Error,
    },
    /// The kernel does not say what it should.
    #[error("failed to read the state of the target from the kernel")]
    Unreadable(#[source] io::Error),
    /// Interrupted, by Ctrl-C for example.
    #[error("cancelled while the target started")]
    Cancelled,
}

impl TargetError {
    /// Returns the last lines that the target wrote, where they may say why.
    pub fn log_tail(&self) -> Option<&LogTail> {
        match self {
            Self::PortTaken { tail, .. }
            | Self::FixedPort { tail, .. }
            | Self::ServedElsewhere { tail, .. }
            | Self::DaemonDied { tail, .. }
            | Self::ExitedAtOnce { tail, .. }
            | Self::EndedBeforeReady { tail, .. }
            | Self::NotReady { tail, .. }
            | Self::Died { tail, .. }
            | Self::OutOfMemory { tail, .. }
            | Self::ServiceEnded { tail, .. }
            | Self::ServiceNotReady { tail, .. }
            | Self::HookFailed { tail, .. }
            | Self::HookLate { tail, .. } => Some(tail),
            Self::Service { source, .. } => source.log_tail(),
            _ => None,
        }
    }
}

impl TargetError {
    /// Returns what went wrong with a service that is started and watched as a target is.
    pub(super) fn of_service(name: &str, error: Self) -> Self {
        let name = name.to_owned();
        match error {
            Self::Cancelled => Self::Cancelled,
            Self::ExitedAtOnce { ending, tail, withheld, .. } => {
                Self::ServiceEnded { name, ending, tail, withheld }
            }
            Self::Died { ending, tail } => {
                Self::ServiceEnded { name, ending, tail, withheld: None }
            }
            Self::EndedBeforeReady { tail, .. } | Self::DaemonDied { tail } => {
                let ending = ProcessEnd::Status(0);
                Self::ServiceEnded { name, ending, tail, withheld: None }
            }
            Self::NotReady { after, last, tail, .. } => {
                Self::ServiceNotReady { name, after, last, tail }
            }
            other => {
                let advice = other.help().map(|help| help.to_string());
                Self::Service { name, source: Box::new(other), advice }
            }
        }
    }
}

/// Where a target listens that does not answer where it should.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListenerHint {
    /// An address of the port that it was given, other than of loopback.
    pub address: Option<SocketAddr>,
    /// Other ports.
    pub ports: BTreeSet<u16>,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessEnd {
    /// By itself.
    Status(i32),
    /// By a signal.
    Signal(i32),
}

impl fmt::Display for ProcessEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Status(status) => write!(f, "exited with status {status}"),
            Self::Signal(libc::SIGKILL) => {
                write!(f, "was killed by SIGKILL, which the kernel sends when memory runs out,")
            }
            Self::Signal(libc::SIGSEGV) => write!(f, "was killed by SIGSEGV"),
            Self::Signal(libc::SIGABRT) => write!(f, "was killed by SIGABRT"),
            Self::Signal(libc::SIGBUS) => write!(f, "was killed by SIGBUS"),
            Self::Signal(libc::SIGTERM) => write!(f, "was ended by SIGTERM"),
            Self::Signal(libc::SIGINT) => write!(f, "was ended by SIGINT"),
            Self::Signal(signal) => write!(f, "was killed by signal {signal}"),
        }
    }
}

/// The last lines of a log, ready to be a paragraph of a message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogTail {
    path: PathBuf,
    lines: Vec<String>,
}

impl LogTail {
    const BYTES_MAX: u64 = 8 * 1024;
    const LINES_MAX: usize = 15;
    const LINE_CHARS_MAX: usize = 400;

    /// Reads the end of a file; one that cannot be read has no lines.
    pub fn of(path: &Path) -> Self {
        let bytes = Self::read(path).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let lines = text.lines().map(|line| line.chars().take(Self::LINE_CHARS_MAX).collect());
        let mut lines = lines.collect::<Vec<_>>();
        lines.drain(..lines.len().saturating_sub(Self::LINES_MAX));
        Self { path: path.to_owned(), lines }
    }

    fn read(path: &Path) -> io::Result<Vec<u8>> {
        // A target may have put a FIFO in the place of its log, and a reader would wait for a writer.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let mut file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let length = metadata.len();
        file.seek(SeekFrom::Start(length.saturating_sub(Self::BYTES_MAX)))?;
        let mut bytes = Vec::new();
        file.take(Self::BYTES_MAX).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Returns it with secrets blotted out.
    pub(super) fn without(mut self, secrets: &[SecretValue]) -> Self {
        // A shorter one is in many words that have nothing to do with it.
        const SECRET_CHARS_MIN: usize = 4;
        let secrets = secrets.iter().filter_map(|secret| secret.expose().to_str());
        for secret in secrets.filter(|secret| secret.len() >= SECRET_CHARS_MIN) {
            for line in &mut self.lines {
                *line = line.replace(secret, "***");
            }
        }
        self
    }

    /// Returns the lines, oldest first.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// Whether the shell that enters control groups did not find the program after them.
    pub(super) fn says_not_found(&self) -> bool {
        let is_shells = |line: &String| line.starts_with(ENTERING) && line.ends_with("not found");
        self.lines.iter().any(is_shells)
    }

    pub(super) fn says_port_in_use(&self) -> bool {
        self.says(&PORT_IN_USE)
    }

    /// The port that is in use, if the line that says so names one.
    pub(super) fn port_in_use(&self) -> Option<u16> {
        let lines = self.lines.iter().rev().map(|line| line.to_lowercase());
        let mut matching =
            lines.filter(|line| PORT_IN_USE.iter().any(|phrase| line.contains(phrase)));
        matching.find_map(|line| named_port(&line))
    }

    /// What Rust, Python, Java, C++, Node and Go say when they get no memory, and the system itself.
    pub(super) fn says_out_of_memory(&self) -> bool {
        self.says(&[
            "memory allocation of",
            "memoryerror",
            "outofmemoryerror",
            "std::bad_alloc",
            "heap out of memory",
            "out of memory",
            "cannot allocate memory",
            "enomem",
        ])
    }

    fn says(&self, phrases: &[&str]) -> bool {
        self.lines.iter().any(|line| {
            let line = line.to_lowercase();
            phrases.iter().any(|phrase| line.contains(phrase))
        })
    }
}

impl fmt::Display for LogTail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.lines.is_empty() {
            return write!(f, "it wrote nothing to `{}`", self.path.display());
        }
        write!(f, "the end of `{}`:", self.path.display())?;
        self.lines.iter().try_for_each(|line| write!(f, "\n  | {line}"))
    }
}

/// What programs and container engines say of a port that another one has.
const PORT_IN_USE: [&str; 5] = [
    "address already in use",
    "address in use",
    "eaddrinuse",
    "was already in use",
    "port is already allocated",
];

/// Finds a port behind a host, or behind the word: `127.0.0.1:80`, `[::1]:80`, `:::80`, `*:80`, `:80`,
/// `port 80`. A time of day is no host.
fn named_port(line: &str) -> Option<u16> {
    let number = |rest: &str| {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        rest[..digits].parse().ok().filter(|port| *port > 0)
    };
    let behind_host = line.match_indices(':').filter_map(|(at, _)| {
        let host = line[..at].rsplit(|c: char| " \"'(/".contains(c)).next().unwrap_or_default();
        let is_host = host.is_empty()
            || host.ends_with([']', ':', '*'])
            || host.ends_with("localhost")
            || host.split('.').filter(|part| part.parse::<u8>().is_ok()).count() == 4;
        is_host.then(|| number(&line[at + 1..]))?
    });
    let behind_word =
        line.match_indices("port ").filter_map(|(at, word)| number(&line[at + word.len()..]));
    behind_host.chain(behind_word).last()
}

fn server(pid: Option<i32>) -> String {
    pid.map_or_else(|| "no process that is seen here".to_owned(), |pid| format!("process {pid}"))
}

fn ended(ending: Option<ProcessEnd>) -> String {
    match ending {
        None => "a process of the target was killed".to_owned(),
        Some(ProcessEnd::Signal(libc::SIGKILL)) => "the target was killed".to_owned(),
        Some(ending) => format!("the target {ending}"),
    }
}

impl ListenerHint {
    /// Returns none for no address and no ports.
    pub(super) fn of(address: Option<SocketAddr>, ports: BTreeSet<u16>) -> Option<Box<Self>> {
        let is_known = address.is_some() || !ports.is_empty();
        is_known.then(|| Box::new(Self { address, ports }))
    }
}

impl fmt::Display for ListenerHint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(address) = self.address {
            return write!(f, "it listens on {address}: let it listen on 127.0.0.1");
        }
        let ports = self.ports.iter().map(u16::to_string).collect::<Vec<_>>().join(", ");
        write!(
            f,
            "it listens on port {ports} instead: does `port-env`, or `{{port}}` in `start`, reach \
             the target?"
        )
    }
}

/// What may help a target that does not get ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadyAdvice {
    elsewhere: Option<Box<ListenerHint>>,
    withheld: Option<WithheldNames>,
}

impl ReadyAdvice {
    /// Returns none where nothing is known.
    pub(super) fn of(
        elsewhere: Option<Box<ListenerHint>>,
        withheld: Option<WithheldNames>,
    ) -> Option<Box<Self>> {
        (elsewhere.is_some() || withheld.is_some()).then(|| Box::new(Self { elsewhere, withheld }))
    }
}

impl fmt::Display for ReadyAdvice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.elsewhere, &self.withheld) {
            (Some(ports), Some(names)) => write!(f, "{ports}\n\nhint: {names}"),
            (Some(ports), None) => write!(f, "{ports}"),
            (None, Some(names)) => write!(f, "{names}"),
            (None, None) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail(text: &str) -> LogTail {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        LogTail { path: PathBuf::from("target.log"), ..LogTail::of(file.path()) }
    }

    #[test]
    fn a_message_ends_in_the_last_lines_of_the_log() {
        let long = (1..=30).map(|i| format!("line {i}")).collect::<Vec<_>>().join("\n");
        let died = TargetError::Died { ending: ProcessEnd::Signal(9), tail: tail(&long) };
        let shown = died.log_tail().unwrap().to_string();
        assert!(shown.ends_with("\n  | line 29\n  | line 30"), "{shown}");
        assert_eq!(tail(&long).lines().len(), 15);
        let never = TargetError::NotReady {
            after: Duration::from_secs(30),
            last: "`GET /health` answered 503".to_owned(),
            elsewhere: ListenerHint::of(None, BTreeSet::from([3000])),
            tail: tail(""),
            advice: ReadyAdvice::of(ListenerHint::of(None, BTreeSet::from([3000])), None),
        };
        insta::assert_snapshot!(units::text::diagnosis(&never), @"
        the target was not ready after 30.0 s: `GET /health` answered 503

        hint: it listens on port 3000 instead: does `port-env`, or `{port}` in `start`, reach the target?
        ");
    }

    #[test]
    fn the_end_of_a_huge_log_is_enough() {
        let huge = "x".repeat(100_000) + "\nthe last\n";
        let tail = tail(&huge);
        assert_eq!(tail.lines().last().unwrap(), "the last");
        assert_eq!(tail.lines()[0].len(), 400);
    }

    #[test]
    fn a_taken_port_is_recognised_in_the_words_of_several_languages() {
        for text in [
            "Error: Os { code: 98, kind: AddrInUse, message: \"Address already in use\" }",
            "Error: listen EADDRINUSE: address already in use 127.0.0.1:3000",
            "listen tcp 127.0.0.1:3000: bind: address already in use",
            "java.net.BindException: Address already in use",
        ] {
            assert!(tail(text).says_port_in_use(), "{text}");
        }
        assert!(!tail("listening").says_port_in_use());
    }

    #[test]
    fn the_port_that_is_taken_is_read_where_the_log_names_it() {
        for (text, port) in [
            ("listen tcp 127.0.0.1:19474: bind: address already in use", Some(19474)),
            ("listen tcp :8081: bind: address already in use", Some(8081)),
            ("Error: listen EADDRINUSE: address already in use :::3000", Some(3000)),
            (
                "12:30:05 nginx: bind() to 0.0.0.0:8080 failed (98: Address already in use)",
                Some(8080),
            ),
            ("12:30:05 [::1]:443: Address already in use", Some(443)),
            ("Web server failed to start. Port 8081 was already in use.", Some(8081)),
            ("bind 127.0.0.1:3000: 10:20:30 address in use", Some(3000)),
            ("OSError: [Errno 98] Address already in use", None),
            ("2024-01-01T12:34:56Z bind: address already in use", None),
            ("Os { code: 98, kind: AddrInUse, message: \"Address already in use\" }", None),
            ("listening on 127.0.0.1:80", None),
        ] {
            assert_eq!(tail(text).port_in_use(), port, "{text}");
        }
    }

    #[test]
    fn running_out_of_memory_is_recognised_from_any_source() {
        for text in [
            "memory allocation of 1073741824 bytes failed",
            "Traceback (most recent call last):\nMemoryError",
            "java.lang.OutOfMemoryError: Java heap space",
            "terminate called after throwing an instance of 'std::bad_alloc'",
            "fatal error: runtime: out of memory",
        ] {
            assert!(tail(text).says_out_of_memory(), "{text}");
        }
        assert!(!tail("memory: 5 MiB").says_out_of_memory());
    }
}
