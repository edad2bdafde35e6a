//! What the attempts at one comparison have shown: the differences of all their launch pairs.
//!
//! Pressing re-run until a check is green is how a gate loses its error rate. So all attempts at one
//! comparison are one body of evidence, which a run carries: it is judged again wherever it is read.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::metric::Metric;
use crate::{Machine, Side};

/// One attempt at a comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EvidenceAttempt {
    /// Its number, from 1 on.
    pub number: u32,
    /// The run that it is part of: that of a workflow, or a name of its own.
    pub run: String,
    /// Where it ran.
    pub machine: Machine,
    /// What tells it from another machine of the same kind, a digest; none where the system does not say.
    #[serde(rename = "boot", default, skip_serializing_if = "Option::is_none")]
    pub machine_id: Option<String>,
    /// When it began, RFC 3339 in UTC.
    pub started: String,
    /// Its launch pairs, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub launch_pairs: Vec<EvidencePair>,
}

/// What one launch pair says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EvidencePair {
    /// Which side the coin put first.
    pub first: Side,
    /// ln(head / base), above 0 where head is worse, by scenario and metric.
    pub differences: BTreeMap<String, BTreeMap<Metric, f64>>,
}

/// What is known of a comparison when an attempt begins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EvidenceState {
    /// What is compared: a digest of both builds, the configuration and the rule.
    pub key: String,
    /// The number of the attempt that begins.
    pub number: u32,
    /// The run that it is part of.
    pub run: String,
    /// The number of the attempt with which the evidence began: 1 unless some of it was lost.
    pub since: u32,
    /// Why it did not begin with the first attempt, if it begins now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap: Option<EvidenceGap>,
    /// The attempts before, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<EvidenceAttempt>,
}

impl EvidenceState {
    /// Returns the share of the error rate that this evidence may use.
    pub fn error_share(&self) -> f64 {
        share(self.since)
    }

    /// Returns how much of that what was counted in this attempt may use: counts of an attempt stand
    /// alone, as if the evidence began with it.
    pub fn count_share(&self) -> f64 {
        share(self.number) / share(self.since)
    }
}

/// The share of evidence that begins at attempt K.
///
/// Anew it has 1 / (K (K + 1)): over all K from 2 on these add up to one half, so however often
/// evidence is lost, the whole is 1.5 times the stated rate.
fn share(since: u32) -> f64 {
    if since <= 1 {
        return 1.0;
    }
    let since = f64::from(since);
    1.0 / (since * (since + 1.0))
}

/// Why evidence is not that of all attempts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum EvidenceGap {
    /// There is no record, and this is not the first attempt.
    Missing,
    /// The record lacks attempts: so many are known to have been made before this one.
    Attempts {
        /// How many the record has.
        recorded: u32,
        /// How many there were.
        made: u32,
    },
    /// A line is not one of a record.
    Malformed {
        /// Its number, from 1.
        line: usize,
    },
    /// The digest of a line does not fit the lines before it: they were changed, removed or moved.
    Altered {
        /// Its number, from 1.
        line: usize,
    },
    /// An attempt does not follow the one before it.
    Repeated {
        /// The number of the attempt.
        number: u32,
    },
    /// The record is of another comparison.
    OtherKey,
    /// An attempt reached the store without its end: launch pairs of it may be lost.
    Unfinished {
        /// The number of the attempt.
        number: u32,
    },
    /// An attempt claims to have begun later than now.
    Future {
        /// When.
        started: String,
    },
}
