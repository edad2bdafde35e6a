//! The tools' arguments, and the command lines that they make.

use std::path::Path;

use rmcp::schemars::{self, JsonSchema};
use serde::Deserialize;

use crate::app::mcp::argument::{self, ArgumentError};

/// Words that make the program speak to another program.
const FOR_PROGRAMS: [&str; 4] = ["--progress", "json", "--format", "agent"];

/// What is compared.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct CompareCall {
    /// What to compare the checkout with: a branch, a tag, a commit, the name of stored runs, or the file of
    /// a run within the folder. Default: main
    #[schemars(length(min = 1, max = 256))]
    pub(super) baseline: Option<String>,
    /// Scenarios to measure, by name. Default: those of the configuration
    #[schemars(length(max = 32))]
    pub(super) scenarios: Vec<String>,
    /// Evidence to gather and nothing else: `work` counts instructions, which takes seconds and repeats to 0.1 %;
    /// `time` measures latency, CPU time and memory. Default: both, where they can be
    #[schemars(length(max = 2))]
    pub(super) lanes: Vec<LaneArgument>,
    /// Time for measuring, such as `3m`; what is not decided by then stays inconclusive
    #[schemars(length(max = 256))]
    pub(super) budget: Option<String>,
    /// Configuration file within the folder. Default: the nearest xmlperf.toml
    #[schemars(length(max = 256))]
    pub(super) config: Option<String>,
    /// Whether the first regression ends the measuring
    pub(super) fail_fast: bool,
}

/// A lane of evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum LaneArgument {
    /// Counted instructions and allocations
    Work,
    /// Times and memory
    Time,
}

/// Which run is shown, or measured again.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RunCall {
    /// The run: its name, as `xmlperf runs` lists it, or its file within the folder. Default: the last one
    #[schemars(length(min = 1, max = 256))]
    pub(super) run: Option<String>,
}

/// What is explained.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ExplainCall {
    /// The concept: configuration, exit-codes, metrics, troubleshooting or verdicts
    #[schemars(length(min = 1, max = 256))]
    pub(super) concept: String,
    /// A heading of its page, or a part of it, where the page is longer than an answer
    #[serde(default)]
    #[schemars(length(min = 1, max = 256))]
    pub(super) section: Option<String>,
}

impl CompareCall {
    /// Returns the command line that makes the comparison.
    pub(super) fn words(&self, folder: &Path) -> Result<Vec<String>, ArgumentError> {
        let mut words = vec!["compare".to_owned()];
        let mut add = |option: &str, value: &str| {
            words.extend([option.to_owned(), value.to_owned()]);
        };
        if let Some(baseline) = &self.baseline {
            // A name that is a file of the folder is that of a run.
            argument::path("baseline", baseline, folder)?;
            add("--baseline", baseline);
        }
        for scenario in argument::words("scenarios", &self.scenarios)? {
            add("--scenario", scenario);
        }
        for lane in &self.lanes {
            add("--lane", lane.word());
        }
        if let Some(budget) = &self.budget {
            add("--budget", argument::time("budget", budget)?);
        }
        if let Some(config) = &self.config {
            argument::path("config", config, folder)?;
            add("--config", config);
        }
        if self.fail_fast {
            words.push("--fail-fast".to_owned());
        }
        Ok(for_programs(words))
    }
}

impl LaneArgument {
    fn word(self) -> &'static str {
        match self {
            Self::Work => "work",
            Self::Time => "time",
        }
    }
}

/// Adds what makes the program report to another one.
pub(super) fn for_programs(mut words: Vec<String>) -> Vec<String> {
    words.extend(FOR_PROGRAMS.map(str::to_owned));
    words
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn words(call: serde_json::Value) -> Result<Vec<String>, ArgumentError> {
        let call: CompareCall = serde_json::from_value(call).unwrap();
        call.words(Path::new("/nonexistent"))
    }

    #[test]
    fn arguments_become_options_in_order() {
        let words = words(json!({
            "baseline": "v1.2", "scenarios": ["smoke", "two words"], "lanes": ["work", "time"],
            "budget": "3m", "config": "api/xmlperf.toml", "fail_fast": true,
        }));
        assert_eq!(
            words.unwrap().join("|"),
            "compare|--baseline|v1.2|--scenario|smoke|--scenario|two words|--lane|work|--lane|time|\
             --budget|3m|--config|api/xmlperf.toml|--fail-fast|--progress|json|--format|agent"
        );
    }

    #[test]
    fn nothing_that_is_said_becomes_an_option() {
        for call in [
            json!({"baseline": "--head-start=sh -c id"}),
            json!({"scenarios": ["smoke", "--base-bin=/bin/sh"]}),
            json!({"budget": "--out=/etc"}),
            json!({"config": "-x"}),
            json!({"config": "/etc/xmlperf.toml"}),
            json!({"baseline": "../../run.json"}),
            json!({"scenarios": vec!["s"; 33]}),
            json!({"baseline": "x".repeat(1 << 20)}),
        ] {
            assert!(
                words(call.clone()).is_err(),
                "{}",
                &call.to_string()[..60.min(call.to_string().len())]
            );
        }
    }

    #[test]
    fn an_argument_that_there_is_not_is_no_silent_default() {
        let unknown = json!({"head_start": "sh"});
        assert!(serde_json::from_value::<CompareCall>(unknown.clone()).is_err());
        assert!(serde_json::from_value::<RunCall>(unknown.clone()).is_err());
        assert!(serde_json::from_value::<ExplainCall>(json!({"concept": "x", "y": 1})).is_err());
        assert!(serde_json::from_value::<CompareCall>(json!({"lanes": ["--work"]})).is_err());
    }
}
