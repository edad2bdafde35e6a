//! Names what a service speaks, and what keeps its calls from being counted.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a service speaks.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum CallProtocol {
    /// PostgreSQL's, version 3. A call is a statement.
    PostgreSql,
    /// That of MySQL and MariaDB. A call is a statement or another command.
    MySql,
    /// That of Redis and Valkey, RESP 2 and 3. A call is a command.
    Redis,
    /// HTTP/1.1 and HTTP/2 without TLS. A call is a request.
    Http,
    /// Another one, of which only bytes and round trips are known.
    Bytes,
}

impl CallProtocol {
    /// Every protocol.
    pub const ALL: [Self; 5] =
        [Self::PostgreSql, Self::MySql, Self::Redis, Self::Http, Self::Bytes];

    /// Returns the word used in configuration and records.
    pub fn key(self) -> &'static str {
        match self {
            Self::PostgreSql => "postgresql",
            Self::MySql => "mysql",
            Self::Redis => "redis",
            Self::Http => "http",
            Self::Bytes => "bytes",
        }
    }

    /// Returns the protocol of a word, if there is one.
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|protocol| protocol.key() == key)
    }
}

/// Whether the calls of a service are counted, and as what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CallCounting {
    /// As what the first bytes of a connection show.
    #[default]
    Detected,
    /// As those of this protocol.
    As(CallProtocol),
    /// Not at all: nothing lies between program and service.
    Off,
}

/// What keeps the calls of a service from being counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CallObstacle {
    /// The connection is encrypted.
    Encrypted,
    /// Program and service have agreed on compression.
    Compressed,
    /// The stream is not what its protocol allows.
    Unreadable,
}

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallDirection {
    /// From the program to the service.
    Request,
    /// From the service to the program.
    Reply,
}

/// What a reader has found out about the rest of its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StreamProgress {
    /// It can be read.
    Readable,
    /// It cannot be read, for a reason.
    Hidden(CallObstacle),
    /// It is another protocol from here on, of which nothing is known.
    Foreign,
}
