//! Adds up the calls of all connections to one service.

use std::collections::HashMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::{CallObstacle, CallProtocol};
use crate::statement::{self, SqlDialect};

/// Different statements that are kept apart. A program that puts values where no tokenizer finds them has no end of
/// them.
const STATEMENTS_MAX: usize = 500;

/// Texts whose statements are known without being read again, and how long each may be.
const TEXTS_MAX: usize = 1_024;
const TEXT_BYTES_MAX: usize = 4_096;

/// What the statements beyond [`STATEMENTS_MAX`] are called.
const OTHERS: &str = "(others)";

/// How much has passed up to now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CallTotals {
    /// Statements, commands and requests.
    pub queries: u64,
    /// Times that the program sent something after an answer, or first: each waits for the service once.
    pub round_trips: u64,
    /// Connections that were made.
    pub connections: u64,
    /// Bytes in both directions.
    pub bytes: u64,
}

impl CallTotals {
    /// Returns both together.
    #[must_use]
    pub fn with(self, more: Self) -> Self {
        Self {
            queries: self.queries + more.queries,
            round_trips: self.round_trips + more.round_trips,
            connections: self.connections + more.connections,
            bytes: self.bytes + more.bytes,
        }
    }

    /// Returns what has passed since.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self {
            queries: self.queries.saturating_sub(before.queries),
            round_trips: self.round_trips.saturating_sub(before.round_trips),
            connections: self.connections.saturating_sub(before.connections),
            bytes: self.bytes.saturating_sub(before.bytes),
        }
    }
}

/// How often a statement was executed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StatementCount {
    /// The statement without values: `SELECT name FROM item WHERE id = ?`, `GET`, `GET /orders/{}`.
    pub statement: String,
    /// How often.
    pub count: u64,
}

/// The place of a statement in the table of a tally.
pub(crate) type StatementId = usize;

/// The calls of all connections to one service.
#[derive(Debug, Default)]
pub struct CallTally {
    pub(crate) totals: CallTotals,
    statements: Vec<StatementCount>,
    ids: HashMap<String, StatementId>,
    /// Statements of texts that were read before.
    known: HashMap<Box<[u8]>, Arc<[StatementId]>>,
    protocol: Option<CallProtocol>,
    obstacle: Option<CallObstacle>,
}

impl CallTally {
    /// Returns how much has passed up to now.
    pub fn totals(&self) -> CallTotals {
        self.totals
    }

    /// Returns the statements that were executed, in the order in which they were first seen.
    pub fn statements(&self) -> &[StatementCount] {
        &self.statements
    }

    /// Returns what the service speaks; none before the first connection has shown it.
    pub fn protocol(&self) -> Option<CallProtocol> {
        self.protocol
    }

    /// Returns what keeps calls from being counted, if something does on any connection.
    pub fn obstacle(&self) -> Option<CallObstacle> {
        self.obstacle
    }

    pub(crate) fn set_protocol(&mut self, protocol: CallProtocol) {
        // What one connection was understood as says more than that another could not be.
        if self.protocol.is_none_or(|known| known == CallProtocol::Bytes) {
            self.protocol = Some(protocol);
        }
    }

    pub(crate) fn set_obstacle(&mut self, obstacle: CallObstacle) {
        self.obstacle.get_or_insert(obstacle);
    }

    /// Counts an execution of a statement.
    pub(crate) fn count(&mut self, id: StatementId) {
        self.totals.queries += 1;
        if let Some(statement) = self.statements.get_mut(id) {
            statement.count += 1;
        }
    }

    /// Counts an execution of a statement by its text, which has no values.
    pub(crate) fn count_text(&mut self, text: &str) {
        let id = self.id(text);
        self.count(id);
    }

    /// Returns the statements of a text in SQL.
    pub(crate) fn sql(&mut self, text: &[u8], dialect: SqlDialect) -> Arc<[StatementId]> {
        if let Some(known) = self.known.get(text) {
            return Arc::clone(known);
        }
        let statements = statement::without_values(&String::from_utf8_lossy(text), dialect);
        let ids: Arc<[StatementId]> = statements.iter().map(|it| self.id(it)).collect();
        if text.len() <= TEXT_BYTES_MAX {
            if self.known.len() >= TEXTS_MAX {
                // Values in the text: what is kept of such statements does not come again.
                self.known.clear();
            }
            self.known.insert(text.into(), Arc::clone(&ids));
        }
        ids
    }

    /// Counts each statement of a text in SQL.
    pub(crate) fn count_sql(&mut self, text: &[u8], dialect: SqlDialect) {
        for id in self.sql(text, dialect).iter() {
            self.count(*id);
        }
    }

    fn id(&mut self, text: &str) -> StatementId {
        if let Some(id) = self.ids.get(text) {
            return *id;
        }
        if self.statements.len() >= STATEMENTS_MAX && text != OTHERS {
            return self.id(OTHERS);
        }
        let id = self.statements.len();
        self.statements.push(StatementCount { statement: text.to_owned(), count: 0 });
        self.ids.insert(text.to_owned(), id);
        id
    }
}
