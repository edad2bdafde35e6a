//! What is wrong with a configuration: a fault with its place in the text.

use std::error::Error;
use std::fmt;
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use load::TlsError;
use load::capacity::CapacityPlanError;
use load::pacing::ScheduleError;
use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};
use payload::schema::SchemaError;
use payload::{CaptureError, CorpusError, MixError, SpecError, TemplateError};
use record::metric::Metric;
use record::metric::limit::LimitError;
use sut::network::NetworkError;
use sut::{PlaceholderError, TargetError};
use units::UnitError;

/// A fault, and the bytes of the text that have it.
#[derive(Debug)]
pub(super) struct SpannedFault {
    pub(super) span: Range<usize>,
    pub(super) fault: Box<ConfigFault>,
}

impl SpannedFault {
    pub(super) fn new(span: Range<usize>, fault: impl Into<ConfigFault>) -> Self {
        Self { span, fault: Box::new(fault.into()) }
    }
}

/// What is wrong in a configuration file.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum ConfigFault {
    /// The text is not TOML, a key is unknown, or a value is not one of its key.
    #[error("{0}")]
    Syntax(String),
    /// The target cannot be had.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Target(#[from] TargetFault),
    /// It is not said what makes the target ready.
    #[error(transparent)]
    Ready(#[from] ReadyFault),
    /// A service cannot be had.
    #[error(transparent)]
    Service(#[from] ServiceFault),
    /// A command names what there is not.
    #[error(transparent)]
    Placeholder(#[from] PlaceholderFault),
    /// The payload or the request cannot be made.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Payload(#[from] PayloadFault),
    /// The operations, or their order, make no sense.
    #[error(transparent)]
    Operation(#[from] OperationFault),
    /// The load makes no sense.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Load(#[from] LoadFault),
    /// The network cannot be.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// A limit is written in another unit than the scenario is counted in.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// Two scenarios have one name.
    #[error("a second scenario has the name `{0}`")]
    ScenarioTwice(String),
    /// A scenario's name cannot be shown.
    #[error("a scenario's name is a line of visible text")]
    ScenarioName,
    /// A smallest change is no quantity of its metric.
    #[error(transparent)]
    Unit(#[from] UnitError),
    /// The smallest change of a metric is a share.
    #[error("`{0}` has no smallest change but its floor")]
    NoMinimum(Metric),
    /// No design looks at these numbers of launch pairs.
    #[error(
        "looks are rising numbers of launch pairs from 5 on, of which the last counts; write \
         `launch-pairs = 50`"
    )]
    Looks,
}

impl ConfigFault {
    /// Returns what the snippet says of the marked text.
    fn label(&self) -> &'static str {
        match self {
            Self::Syntax(_) => "not understood",
            Self::Target(_) => "in `[target]`",
            Self::Ready(_) => "in `ready`",
            Self::Service(_) => "this service",
            Self::Placeholder(_) => "this text",
            Self::Payload(_) => "in `[payload]` or `[request]`",
            Self::Operation(_) => "in `[[operation]]`, or in a scenario of operations",
            Self::Load(_) => "in a load",
            Self::Network(_) => "in a network",
            Self::Limit(_) => "this limit",
            Self::ScenarioTwice(_) | Self::ScenarioName => "this name",
            Self::Unit(_) | Self::NoMinimum(_) => "this minimum",
            Self::Looks => "these looks",
        }
    }
}

/// Why the target of a configuration cannot be had.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum TargetFault {
    /// It is started and attached to.
    #[error("`url` attaches and `start` starts: keep one")]
    StartAndUrl,
    /// The start command is none.
    #[error("not a command: a quote is open, or it is empty")]
    NotCommand,
    /// The start command is written for a shell.
    #[error(
        "`{word}` is for a shell, and `start` is run without one: write `shell = true` beside it, or \
         `sh -c '…'`"
    )]
    ShellSyntax {
        /// The word.
        word: String,
    },
    /// There is no start command for a shell.
    #[error("`shell` is for `start`")]
    StrayShell,
    /// There is no build for both sides.
    #[error("`parallel-builds` is for `build`")]
    StrayParallelBuilds,
    /// There is no base to build or start in another way.
    #[error(
        "`base` has the `build` or the `start` by which base differs from a head that `start` starts"
    )]
    StrayBase,
    /// The start command leaves the port open.
    #[error(
        "the target would not learn its port: write `{{port}}` in `start`, or name a variable by \
         `port-env`"
    )]
    NoPort,
    /// The address is none.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Url(#[from] TargetError),
    /// A scheme is given twice.
    #[error("`scheme` is for what `start` or `image` starts: `url` has its own")]
    StrayScheme,
    /// Certificates are given where none is looked at.
    #[error("`ca` is for TLS: `url = \"https://…\"`, or `scheme = \"https\"`")]
    StrayCertificates,
    /// A certificate of the client is given where none is shown.
    #[error("`client-cert` is for TLS: `url = \"https://…\"`, or `scheme = \"https\"`")]
    StrayClientCertificate,
    /// A key stands alone.
    #[error("`client-key` belongs to a `client-cert`: give that too")]
    StrayClientKey,
    /// The certificates cannot be read.
    #[error("cannot read `{}`", path.display())]
    CertificatesUnreadable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The certificates are none.
    #[error("`{}`", path.display())]
    Certificates {
        /// The file.
        path: PathBuf,
        /// Why.
        source: TlsError,
    },
    /// What runs already is to be limited.
    #[error("what runs already cannot be limited: `url` attaches")]
    LimitedUrl,
    /// A setting of an image stands alone.
    #[error("only an `image` has a port inside and an engine")]
    StrayImageSetting,
    /// The reference API is the target, and something else is too.
    #[error(
        "`reference` makes the reference API inside this program the target: leave out `build`, \
         `start`, `url` and `image`"
    )]
    StrayReference,
    /// The target comes from two places.
    #[error("`image`, `start` and `url` each say where the target comes from: keep one")]
    TwoSources,
    /// Both builds would have one name, and a change could never be seen.
    #[error(
        "`build` cannot make two images of one name: build them beforehand, and compare them by \
         `--base-start IMAGE` and `--head-start IMAGE`"
    )]
    ImageBuild,
    /// An image has no port.
    #[error("an image needs `port`, on which the program inside listens")]
    ImagePort,
}

/// Why it is not known what makes a target or a service ready.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadyFault {
    /// Nothing shows it.
    #[error(
        "nothing shows readiness: write `path = \"/health\"`, `tcp = true` or `log = \"Started\"`"
    )]
    NoSign,
    /// Two things show it.
    #[error("keep one of `path`, `tcp` and `log`")]
    TwoSigns,
    /// A status is waited for, and nothing is got.
    #[error("`status` is what a `path` answers: add `path = \"/health\"`")]
    StrayStatus,
    /// No status is waited for.
    #[error("no status is listed: leave `status` out for every 2xx")]
    NoStatus,
    /// A log has no port.
    #[error("`port` and `timeout` are for `path` and `tcp`: a log is read as it grows")]
    StrayProbe,
    /// What runs already has no log that is seen.
    #[error("what runs already has no log here and no further port: use `path` or `tcp`")]
    AttachedSign,
    /// No command gets the port.
    #[error(
        "nothing listens on port `{name}`: write `{{port:{name}}}` in `start` or in a value of `env`"
    )]
    UnusedPort {
        /// Name of the port.
        name: String,
    },
}

/// Why a service of a configuration cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServiceFault {
    /// Placeholders and files could not have the name.
    #[error("`{name}` is not the name of a service: letters, digits, `-` and `_`")]
    Name {
        /// As it is written.
        name: String,
    },
    /// Two services have one name.
    #[error("a second service has the name `{name}`")]
    Twice {
        /// The name.
        name: String,
    },
    /// Nothing is started.
    #[error("a service needs `start`, a command, or `image`, a container's")]
    NoStart,
    /// Two things are started.
    #[error("`start` and `image` each say what the service is: keep one")]
    TwoStarts,
    /// A setting of an image stands alone.
    #[error("only an `image` has a port inside and an engine")]
    StrayImageSetting,
    /// An image has no port.
    #[error("an image needs `port`, on which the program inside listens")]
    ImagePort,
    /// The service would not know where to listen.
    #[error(
        "the service would not learn its port: write `{{port}}` in `start`, `env` or `setup`; or, if it \
         does not listen, wait for a line of its log by `ready = {{ log = \"…\" }}`"
    )]
    NoPort,
    /// Nothing is started that could need services or hooks.
    #[error("services and hooks are for a target that `start` or `image` starts")]
    NothingStarted,
    /// A container is in a network of its own.
    #[error(
        "a target in a container does not reach services, which listen on 127.0.0.1: give its program by \
         `start`"
    )]
    ContainerTarget,
}

/// Why a command cannot be completed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlaceholderFault {
    /// A placeholder has no name.
    #[error(transparent)]
    Name(#[from] PlaceholderError),
    /// There is no such service.
    #[error("there is no `[[service]]` named `{name}` that is started before this")]
    NoService {
        /// The name.
        name: String,
    },
    /// A service ends before the one that names it.
    #[error("the service `{name}` ends before this one: give both the same `scope`")]
    ShortLivedService {
        /// The name.
        name: String,
    },
    /// A folder of this machine is not in a container.
    #[error("`{{dir}}` is a folder of this machine, which a container does not have")]
    ContainerDir,
}

/// Why the payload or the request of a configuration cannot be made.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum PayloadFault {
    /// Documents come from two places.
    #[error("keep one of `preset`, `corpus`, `schema` and `hostile`")]
    TwoSources,
    /// The folder of documents cannot be used.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Corpus(#[from] CorpusReadError),
    /// The schema of documents cannot be used.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Schema(#[from] SchemaReadError),
    /// A root without a schema.
    #[error("`root` is the element of a `schema`: name that, or leave it out")]
    StrayRoot,
    /// A setting of a mix is none.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Mix(#[from] MixError),
    /// The documents cannot be mixed.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Spec(#[from] SpecError),
    /// A template is given twice.
    #[error("`template` names a file and `text` is the template itself: keep one")]
    TwoTemplates,
    /// A request kind needs a template.
    #[error("the kind `template` needs `template`, a file, in `[request]`")]
    NoTemplate,
    /// A key of a template stands alone.
    #[error("`{key}` is for requests of the kind `template`; the other kinds need none")]
    StrayKey {
        /// The key.
        key: &'static str,
    },
    /// The template cannot be read.
    #[error("failed to read `{path}`")]
    TemplateUnreadable {
        /// As it is written.
        path: String,
        /// The system's reason.
        source: io::Error,
    },
    /// The template cannot be filled in.
    #[error("`{path}`")]
    Template {
        /// As it is written.
        path: String,
        /// Why.
        source: TemplateError,
    },
    /// An expectation is none.
    #[error("expected `{{ status = 201 }}`, or `json` or `xml` with `equals`")]
    NotExpectation,
    /// The place or the value of an expectation is none.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Expectation(TemplateError),
}

/// Why operations, or their order, make no sense.
#[derive(Debug, thiserror::Error)]
pub enum OperationFault {
    /// Two operations have one name.
    #[error("a second operation has the name `{0}`")]
    Twice(String),
    /// No operation has the name.
    #[error("there is no operation `{name}`; there are {known}")]
    Unknown {
        /// The name.
        name: String,
        /// Those that there are.
        known: String,
    },
    /// Something is said of a body that there is not.
    #[error("a {method} carries no body: leave out `{key}`, or write `method = \"POST\"`")]
    NoBody {
        /// The key.
        key: &'static str,
        /// The method.
        method: &'static str,
    },
    /// A limit is on what an operation has not by itself.
    #[error(
        "an operation has no `{key}` of its own: its limits are on latency, p50, p95, p99, queries, round-trips and errors, \
         all others on the scenario"
    )]
    Limit {
        /// The key.
        key: &'static str,
    },
    /// The shares of a mix are none.
    #[error("the shares of a mix are numbers whose sum is from 1 to {most}, not {sum}")]
    Shares {
        /// Their sum.
        sum: u64,
        /// What it may be at most.
        most: u64,
    },
    /// A flow has no operation, or too many.
    #[error("a flow of {length} operations; it has from 1 to {most}")]
    FlowLength {
        /// How many it has.
        length: usize,
        /// How many it may have.
        most: usize,
    },
    /// A template cannot be filled in.
    #[error(transparent)]
    Template(TemplateError),
    /// A template does not come to a path.
    #[error("{0}")]
    Path(String),
    /// A capture is none.
    #[error(transparent)]
    Capture(CaptureError),
    /// A capture is in two places.
    #[error(
        "a capture has one place: `json`, `xml`, `header` or `cookie`, or the body with `regex` alone"
    )]
    TwoPlaces,
    /// An operation uses what is not there yet.
    #[error(
        "nothing has captured `{name}` when `{operation}` is sent: put an operation that captures it \
         before it in the flow, or in `setup`"
    )]
    Uncaptured {
        /// The name.
        name: String,
        /// The operation.
        operation: String,
    },
    /// A key is for virtual users, which only scenarios of operations have.
    #[error("`{key}` is for a scenario with `mix` or `flow`")]
    StrayUser {
        /// The key.
        key: &'static str,
    },
    /// A scenario has two orders.
    #[error("`mix` and `flow` both say which operation is next: keep one")]
    TwoOrders,
    /// A key of a scenario belongs to its operations.
    #[error("`{key}` is an operation's: write it in `[[operation]]`")]
    OwnOfOperation {
        /// The key.
        key: &'static str,
    },
    /// No scenario sends the operations.
    #[error(
        "no scenario sends the operations: write `mix = {{ {example} = 100 }}` or \
         `flow = [\"{example}\"]` in a `[[scenario]]`"
    )]
    Unused {
        /// The first of them.
        example: String,
    },
}

/// Why the files of a folder are no payload.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum CorpusReadError {
    /// They cannot be read.
    #[error("failed to read the corpus `{}`", folder.display())]
    Unreadable {
        /// The folder.
        folder: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// They are no documents.
    #[error("unusable corpus `{}`", folder.display())]
    Unusable {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: CorpusError,
    },
}

/// Why the file of a schema gives no documents.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum SchemaReadError {
    /// It cannot be read.
    #[error("failed to read the schema `{}`", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// No documents are made of it.
    #[error("unusable schema `{}`", file.display())]
    Unusable {
        /// The file.
        file: PathBuf,
        /// Why.
        source: SchemaError,
    },
}

/// Why a load makes no sense.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum LoadFault {
    /// A key would be ignored.
    #[error("`{key}` means nothing with model = \"{model}\", which has {}", keys.join(", "))]
    StrayKey {
        /// The key.
        key: &'static str,
        /// The model.
        model: &'static str,
        /// The keys that the model has.
        keys: &'static [&'static str],
    },
    /// Only steps have several numbers of connections.
    #[error("a list of connections needs model = \"steps\"")]
    ConnectionList,
    /// Steps have several numbers of connections.
    #[error("steps need a list, such as connections = [1, 3, 5]")]
    NoConnectionList,
    /// There is no step.
    #[error("the list of connections is empty")]
    NoConnections,
    /// HTTP/1.1 has no streams.
    #[error("`streams` share a connection only with http = \"2\"")]
    StrayStreams,
    /// Nothing can be answered in no time.
    #[error("a time-out of no time fails every request")]
    NoTimeout,
    /// The rate is missing.
    #[error("model = \"{model}\" needs `rate`, in requests per second")]
    NoRate {
        /// The model.
        model: &'static str,
    },
    /// The end of a ramp is missing.
    #[error("a ramp needs `to`, the rate at its end")]
    NoRampEnd,
    /// The stages are missing.
    #[error("stages need a list, such as stages = [{{ rate = 100, to = 500, lasts = \"10 s\" }}]")]
    NoStages,
    /// A stage is over at once.
    #[error("a stage of no time has no requests")]
    EmptyStage,
    /// The rate of the spikes is missing.
    #[error("spikes need `spike-rate`, in requests per second")]
    NoSpikeRate,
    /// Spikes would overlap.
    #[error(
        "a spike of {} does not fit into {}",
        units::duration(*spike),
        units::duration(*every)
    )]
    Spike {
        /// How long a spike lasts.
        spike: Duration,
        /// From one to the next.
        every: Duration,
    },
    /// More connections than a process can have.
    #[error("{connections} connections; a load has at most {most}")]
    TooManyConnections {
        /// How many there would be; those beyond 32 bits are one number.
        connections: u32,
        /// How many there may be.
        most: u64,
    },
    /// More spikes than a schedule may have stages.
    #[error("a load of {spikes} spikes; it has at most {most}")]
    TooManySpikes {
        /// How many there would be.
        spikes: u128,
        /// How many there may be.
        most: u128,
    },
    /// A load has two ends.
    #[error("`requests` and `duration` both say when it ends: keep one")]
    TwoEnds,
    /// There is no such schedule.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Schedule(#[from] ScheduleError),
    /// There is no such search.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Capacity(#[from] CapacityPlanError),
}

/// A fault in its file.
#[derive(Debug)]
pub struct ConfigFileError {
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
    /// What is wrong.
    pub fault: Box<ConfigFault>,
    text: NamedSource<String>,
    span: Range<usize>,
}

impl fmt::Display for ConfigFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, column, fault, text, .. } = self;
        write!(f, "{}:{line}:{column}: {fault}", text.name())
    }
}

impl Error for ConfigFileError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.fault.source()
    }
}

impl ConfigFileError {
    pub(super) fn new(path: &str, text: &str, spanned: SpannedFault) -> Self {
        let SpannedFault { span, fault } = spanned;
        let (line, column) = place(text, span.start);
        let text = NamedSource::new(path, text.to_owned()).with_language("TOML");
        Self { line, column, fault, text, span }
    }

    /// Returns the line that has the fault, without its indentation.
    pub fn excerpt(&self) -> &str {
        let line = self.text.inner().lines().nth(self.line - 1);
        line.unwrap_or_default().trim()
    }
}

impl Diagnostic for ConfigFileError {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.fault.help()
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.text)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let label = Some(self.fault.label().to_owned());
        let label = LabeledSpan::new(label, self.span.start, self.span.len());
        Some(Box::new(std::iter::once(label)))
    }
}

/// Line and column, from 1, of a byte in `text`.
fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..text.floor_char_boundary(offset)];
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[start..].chars().count() + 1)
}
