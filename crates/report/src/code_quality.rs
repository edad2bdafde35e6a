//! Renders what is worse as a Code Quality report, which GitLab shows in a merge request.
//!
//! The report wants a file and a line for each entry. A measurement has none, so entries stand at the first line
//! of the configuration, which names the scenario.

use compare::decision::Verdict;
use compare::{Comparison, LimitCheck, MetricResult};
use record::metric::gate::MetricPolicy;
use serde::Serialize;

use crate::wording;

/// The file that entries point to.
const PATH: &str = "xmlperf.toml";

/// An entry of the report, as far as GitLab reads it.
#[derive(Serialize)]
struct QualityIssue {
    description: String,
    check_name: &'static str,
    /// By which GitLab knows the entry of one report again in another: what is measured, without its numbers.
    fingerprint: String,
    severity: &'static str,
    location: IssueLocation,
}

#[derive(Serialize)]
struct IssueLocation {
    path: &'static str,
    lines: LineRange,
}

#[derive(Serialize)]
struct LineRange {
    begin: u32,
}

/// Returns the metrics that decide and are worse, and the limits that are broken, as a JSON list.
pub fn render(comparison: &Comparison) -> String {
    let is_worse = |row: &&MetricResult| {
        row.rule.policy == MetricPolicy::Gate && row.verdict() == Some(Verdict::Regressed)
    };
    let rows = comparison.rows.iter().filter(is_worse).map(regression);
    let limits = comparison.limits.iter().filter(|limit| !limit.holds()).map(broken_limit);
    let issues: Vec<_> = rows.chain(limits).collect();
    let mut text = serde_json::to_string_pretty(&issues).expect("it has texts and numbers only");
    text.push('\n');
    text
}

fn regression(row: &MetricResult) -> QualityIssue {
    let words = format!("{} {}: {}", row.scenario, row.label(), wording::sentence(row));
    issue("xmlperf-regression", words, &format!("{}/{}", row.subject(), row.metric.key()))
}

fn broken_limit(limit: &LimitCheck) -> QualityIssue {
    let words = format!("{} {}", limit.scenario, wording::limit_words(limit));
    let subject = format!("{}/{} {}", limit.scenario, limit.label(), limit.bound());
    issue("xmlperf-limit", words, &subject)
}

fn issue(check_name: &'static str, description: String, subject: &str) -> QualityIssue {
    QualityIssue {
        description,
        check_name,
        fingerprint: format!("{check_name}/{subject}"),
        severity: "major",
        location: IssueLocation { path: PATH, lines: LineRange { begin: 1 } },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use record::fixtures::{LEVEL, SampleLaunch, paired};
    use record::metric::limit::Limit;

    #[test]
    fn a_regression_and_a_broken_limit_are_issues_and_nothing_else_is() {
        let mut run = paired(10, LEVEL, SampleLaunch { cpu_us: 572, ..LEVEL });
        run.scenarios[0].limits = vec![
            Limit::parse("throughput", ">= 99999 pairs/s").unwrap(),
            Limit::parse("errors", "0 %").unwrap(),
        ];
        insta::assert_snapshot!(render(&Comparison::of(&run).unwrap()), @r#"
        [
          {
            "description": "smoke CPU per XML pair: 5.20 µs → 5.72 µs: +10.0 % [+9.6, +10.3], regressed (tolerance 3 %)",
            "check_name": "xmlperf-regression",
            "fingerprint": "xmlperf-regression/smoke/cpu",
            "severity": "major",
            "location": {
              "path": "xmlperf.toml",
              "lines": {
                "begin": 1
              }
            }
          },
          {
            "description": "smoke throughput 52 653 pairs/s (>= 99999 pairs/s)",
            "check_name": "xmlperf-limit",
            "fingerprint": "xmlperf-limit/smoke/throughput >= 99999 pairs/s",
            "severity": "major",
            "location": {
              "path": "xmlperf.toml",
              "lines": {
                "begin": 1
              }
            }
          }
        ]
        "#);
        let same = paired(10, LEVEL, LEVEL);
        assert_eq!(render(&Comparison::of(&same).unwrap()), "[]\n");
    }

    #[test]
    fn an_issue_keeps_its_fingerprint_when_its_numbers_change() {
        let fingerprints = |cpu_us| {
            let run = paired(10, LEVEL, SampleLaunch { cpu_us, ..LEVEL });
            let text = render(&Comparison::of(&run).unwrap());
            let issues: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
            let of = |issue: &serde_json::Value| issue["fingerprint"].clone();
            issues.iter().map(of).collect::<Vec<_>>()
        };
        assert_eq!(fingerprints(572), fingerprints(600));
        assert_eq!(fingerprints(572).len(), 1);
    }
}
