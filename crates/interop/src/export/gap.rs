//! What a tool cannot express.

use std::fmt;
use std::time::Duration;

use record::metric::limit::LimitQuantity;
use suite::ArrivalShape;

/// Something of a scenario that a tool cannot express.
#[derive(Debug, Clone, PartialEq)]
pub enum ExportGap {
    /// A search for the highest rate.
    Capacity,
    /// Ever more connections, each number for so many requests.
    Steps,
    /// A load on a schedule, of this shape.
    Arrivals(ArrivalShape),
    /// A load of so many requests.
    Requests(u64),
    /// A load of a time that is no whole number of seconds.
    Duration(Duration),
    /// A pause between an answer and the next request.
    Think,
    /// A connection for each request.
    Reconnect,
    /// HTTP/2, as the load engine speaks it.
    Http2,
    /// A network between load and target.
    Network,
    /// Certificates of the target or of the client.
    Certificates,
    /// Times to wait for a connection or a first byte.
    Timeouts,
    /// A header that a request has twice.
    Header {
        /// Its name.
        name: String,
    },
    /// A body in chunks.
    Chunked,
    /// Operations that a virtual user does in order.
    Flow,
    /// Operations that each virtual user does once before.
    Setup,
    /// Cookies that virtual users keep.
    Cookies,
    /// A value that is taken from an answer.
    Capture {
        /// Its name.
        name: String,
    },
    /// A pattern that means something else, or nothing, in the tool's regular expressions.
    Pattern {
        /// The name of what it captures.
        name: String,
    },
    /// An operation with values that are known only when a request is sent.
    Live {
        /// Its name.
        operation: String,
    },
    /// An operation whose bodies are compressed as they are made.
    Compressed {
        /// Its name.
        operation: String,
    },
    /// A value in answers.
    Value {
        /// Where it stands.
        place: String,
    },
    /// A variable of the environment.
    Variable {
        /// Its name.
        name: String,
    },
    /// Whatever answers say beside their status.
    Answers,
    /// A limit on something that the tool does not measure.
    Limit(LimitQuantity),
    /// A limit of one operation.
    OperationLimit {
        /// Its name.
        operation: String,
        /// What is limited.
        quantity: LimitQuantity,
    },
    /// More instances than virtual users.
    Fleet {
        /// Virtual users.
        users: u32,
    },
    /// Bodies that do not fit into a `ConfigMap`.
    LargeBodies {
        /// Bytes of all of them.
        bytes: u64,
    },
}

/// What of the gaps may be left out when that is accepted: it changes no byte that is sent, and not when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GapKey {
    /// Limits on a quantity, in whole and of operations.
    Limit(LimitQuantity),
    /// Checks of what answers say beside their status.
    Answers,
    /// The network between load and target.
    Network,
    /// Times to wait.
    Timeouts,
}

impl GapKey {
    /// Returns every key.
    pub fn all() -> Vec<Self> {
        let limits = LimitQuantity::ALL.map(Self::Limit);
        let others = [Self::Answers, Self::Network, Self::Timeouts];
        limits.into_iter().chain(others).collect()
    }

    /// Returns the key of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|key| key.to_string() == name)
    }
}

impl fmt::Display for GapKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Limit(quantity) => quantity.key(),
            Self::Answers => "answers",
            Self::Network => "network",
            Self::Timeouts => "timeouts",
        })
    }
}

impl ExportGap {
    /// Returns by which key it can be accepted, if it can.
    pub fn key(&self) -> Option<GapKey> {
        match self {
            Self::Limit(quantity) | Self::OperationLimit { quantity, .. } => {
                Some(GapKey::Limit(*quantity))
            }
            Self::Value { .. } | Self::Answers => Some(GapKey::Answers),
            Self::Network => Some(GapKey::Network),
            Self::Timeouts => Some(GapKey::Timeouts),
            _ => None,
        }
    }
}

impl fmt::Display for ExportGap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Capacity => f.write_str("a search for the highest rate (`model = \"capacity\"`)"),
            Self::Steps => f.write_str("steps of ever more connections (`model = \"steps\"`)"),
            Self::Arrivals(shape) => write!(f, "{} arrivals", shape_name(*shape)),
            Self::Requests(requests) => {
                let requests = units::text::plural(*requests, "request");
                write!(f, "a load of {requests} instead of a time")
            }
            Self::Duration(lasts) => {
                write!(f, "a load of {}, which is no whole second", units::duration(*lasts))
            }
            Self::Think => f.write_str("a pause after an answer (`think`)"),
            Self::Reconnect => f.write_str("a connection for each request (`reuse = \"request\"`)"),
            Self::Http2 => f.write_str("HTTP/2 (`http = \"2\"`)"),
            Self::Network => f.write_str("the network between load and target (`[network]`)"),
            Self::Certificates => f.write_str("certificates of the target or of the client"),
            Self::Timeouts => f.write_str("`connect-timeout` and `first-byte-timeout`"),
            Self::Header { name } => write!(f, "the header `{name}` twice in one request"),
            Self::Chunked => f.write_str("bodies in chunks (`chunked`)"),
            Self::Flow => f.write_str("operations that a virtual user does in order (`flow`)"),
            Self::Setup => f.write_str("operations that each virtual user does once (`setup`)"),
            Self::Cookies => f.write_str("cookies that virtual users keep (`cookies`)"),
            Self::Variable { name } => write!(f, "the variable `{name}` of the environment"),
            Self::Capture { name } => write!(f, "the captured value `{name}`"),
            Self::Pattern { name } => {
                write!(f, "the pattern of `{name}`, which JavaScript reads in another way")
            }
            Self::Live { operation } => {
                write!(f, "values of `{operation}` that are known only when a request is sent")
            }
            Self::Compressed { operation } => {
                write!(f, "bodies of `{operation}` that are compressed as they are made")
            }
            Self::Value { place } => write!(f, "the value of answers at `{place}`"),
            Self::Answers => f.write_str("what answers say beside their status"),
            Self::Limit(quantity) => write!(f, "a limit on `{}`", quantity.key()),
            Self::OperationLimit { operation, quantity } => {
                write!(f, "a limit on `{}` of `{operation}` alone", quantity.key())
            }
            Self::Fleet { users } => write!(f, "more instances than its {users} virtual users"),
            Self::LargeBodies { bytes } => {
                let bytes = units::bytes(units::exact(*bytes));
                write!(f, "bodies of {bytes} in a ConfigMap, which holds 1 MiB")
            }
        }
    }
}

fn shape_name(shape: ArrivalShape) -> &'static str {
    match shape {
        ArrivalShape::Constant => "constant",
        ArrivalShape::Poisson => "poisson",
        ArrivalShape::Ramp => "ramp",
        ArrivalShape::Stages => "stages of",
        ArrivalShape::Spikes => "spikes of",
    }
}
