//! What a number of another tool is a number of.

use serde::Serialize;

/// What must be known of a result before it is set beside another one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct MeasureContract {
    /// What one value is of.
    pub unit: MeasureUnit,
    /// How the values of two sides follow each other.
    pub order: MeasureOrder,
    /// Whether a time begins when its request was due, and not when it could be sent.
    pub corrected: DelayCorrection,
    /// Whether times of failures are among the times.
    pub failures: FailureTimes,
    /// The smallest step between two printed times, in nanoseconds, if they are rounded.
    pub grid_ns: Option<f64>,
}

/// What one value is of. Only values of processes and launches are independent, so only these can show a
/// change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MeasureUnit {
    /// A process that was started anew.
    Process,
    /// A request of one process.
    Request,
    /// All requests of one process.
    Summary,
}

/// How the values of two sides follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MeasureOrder {
    /// All of one side, then all of the other: what changes with time looks like a change of the program.
    Blocked,
    /// The file does not say.
    Unknown,
}

/// Whether a time begins when its request was due (which sees a stall) or when it was sent (which does not).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DelayCorrection {
    /// When it was due.
    Yes,
    /// When it was sent.
    No,
    /// The file does not say.
    Unknown,
}

/// Whether times of failures are among the times: fast failures make an API look fast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureTimes {
    /// Those of answers with an error status are.
    Included,
    /// Only those of successes.
    Excluded,
    /// The file does not say.
    Unknown,
}

impl MeasureContract {
    /// The contract of a tool that prints one summary and times requests from when they were sent.
    pub(super) const SUMMARY: Self = Self {
        unit: MeasureUnit::Summary,
        order: MeasureOrder::Unknown,
        corrected: DelayCorrection::No,
        failures: FailureTimes::Included,
        grid_ns: None,
    };

    /// The contract of a tool that has a line for each request, timed from when it was sent.
    pub(super) const REQUESTS: Self = Self { unit: MeasureUnit::Request, ..Self::SUMMARY };

    /// The same with times rounded to so many nanoseconds.
    pub(super) fn rounded_to(self, grid_ns: f64) -> Self {
        Self { grid_ns: Some(grid_ns), ..self }
    }
}
