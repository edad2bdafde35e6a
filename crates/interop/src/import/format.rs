//! The forms in which tools write their results.

use std::fmt;

use serde::Serialize;

/// A form in which a tool writes its results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImportFormat {
    /// `ApacheBench`'s text.
    Ab,
    /// autocannon's JSON.
    Autocannon,
    /// bombardier's JSON.
    Bombardier,
    /// Criterion's `estimates.json`.
    Criterion,
    /// Gatling's `simulation.log` as text, up to 3.12.0.
    GatlingLog,
    /// Gatling's `global_stats.json`.
    GatlingStats,
    /// h2load's text.
    H2load,
    /// hey's text.
    Hey,
    /// hey's CSV.
    HeyCsv,
    /// hyperfine's JSON.
    Hyperfine,
    /// `JMeter`'s JTL as CSV.
    JmeterCsv,
    /// `JMeter`'s JTL as XML.
    JmeterXml,
    /// k6's `--summary-export`, and what `handleSummary` gets.
    K6,
    /// k6's machine-readable summary.
    K6Machine,
    /// k6's points as JSON lines.
    K6Json,
    /// k6's points as CSV.
    K6Csv,
    /// What the instances of an exported k6 script print.
    K6Operator,
    /// Locust's `_stats.csv`.
    Locust,
    /// oha's JSON.
    Oha,
    /// vegeta's JSON report.
    Vegeta,
    /// vegeta's results as JSON lines.
    VegetaJson,
    /// wrk's text.
    Wrk,
    /// wrk2's text.
    Wrk2,
}

impl ImportFormat {
    /// Every form, in the order in which they are offered.
    pub const ALL: [Self; 23] = [
        Self::Ab,
        Self::Autocannon,
        Self::Bombardier,
        Self::Criterion,
        Self::GatlingLog,
        Self::GatlingStats,
        Self::H2load,
        Self::Hey,
        Self::HeyCsv,
        Self::Hyperfine,
        Self::JmeterCsv,
        Self::JmeterXml,
        Self::K6,
        Self::K6Machine,
        Self::K6Json,
        Self::K6Csv,
        Self::K6Operator,
        Self::Locust,
        Self::Oha,
        Self::Vegeta,
        Self::VegetaJson,
        Self::Wrk,
        Self::Wrk2,
    ];

    /// Returns the name that the command line uses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ab => "ab",
            Self::Autocannon => "autocannon",
            Self::Bombardier => "bombardier",
            Self::Criterion => "criterion",
            Self::GatlingLog => "gatling-log",
            Self::GatlingStats => "gatling-stats",
            Self::H2load => "h2load",
            Self::Hey => "hey",
            Self::HeyCsv => "hey-csv",
            Self::Hyperfine => "hyperfine",
            Self::JmeterCsv => "jmeter-csv",
            Self::JmeterXml => "jmeter-xml",
            Self::K6 => "k6",
            Self::K6Machine => "k6-machine",
            Self::K6Json => "k6-json",
            Self::K6Csv => "k6-csv",
            Self::K6Operator => "k6-operator",
            Self::Locust => "locust",
            Self::Oha => "oha",
            Self::Vegeta => "vegeta",
            Self::VegetaJson => "vegeta-json",
            Self::Wrk => "wrk",
            Self::Wrk2 => "wrk2",
        }
    }

    /// Returns the form of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// Returns the command that makes a file of this form, or the place where the tool leaves it.
    pub fn command(self) -> &'static str {
        match self {
            Self::Ab => "`ab -n 100 URL`",
            Self::Autocannon => "`autocannon --json URL`",
            Self::Bombardier => "`bombardier -p result -o json URL`",
            Self::Criterion => "a benchmark, in `target/criterion/NAME/new/estimates.json`",
            Self::GatlingLog => "a simulation, in `simulation.log`, up to 3.12.0",
            Self::GatlingStats => "a simulation, in `js/global_stats.json`",
            Self::H2load => "`h2load -n 100 URL`",
            Self::Hey => "`hey URL`",
            Self::HeyCsv => "`hey -o csv URL`",
            Self::Hyperfine => "`hyperfine --export-json FILE`",
            Self::JmeterCsv => "`jmeter -n -t PLAN -l FILE.jtl`",
            Self::JmeterXml => "`jmeter -Jjmeter.save.saveservice.output_format=xml -l FILE.jtl`",
            Self::K6 => "`k6 run --summary-export FILE`",
            Self::K6Machine => "`k6 run --new-machine-readable-summary --summary-export FILE`",
            Self::K6Json => "`k6 run --out json=FILE`",
            Self::K6Csv => "`k6 run --out csv=FILE`",
            Self::K6Operator => "`kubectl logs` of a script of `xmlperf export k6`",
            Self::Locust => "`locust --headless --csv PREFIX`, in `PREFIX_stats.csv`",
            Self::Oha => "`oha --output-format json URL`",
            Self::Vegeta => "`vegeta report -type json`",
            Self::VegetaJson => "`vegeta encode`",
            Self::Wrk => "`wrk --latency URL`",
            Self::Wrk2 => "`wrk2 -R RATE --latency URL`",
        }
    }

    /// Returns the names of all forms, as a sentence lists them.
    pub fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }
}

impl fmt::Display for ImportFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
