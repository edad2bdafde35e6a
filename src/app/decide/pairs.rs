//! Reads paired numbers, and says where they are wrong.

use std::collections::BTreeMap;

use miette::Diagnostic;
use record::bounds::TABLE_ROWS_MAX;
use record::metric::BetterDirection;
use serde::Deserialize;
use thiserror::Error;

use crate::app::csv_rows::rows;

/// What may stand in the header, in any order.
const COLUMNS: [&str; 4] = ["pair", "metric", "base", "head"];

/// The longest name of a metric: more makes no table that a person can read.
const NAME_BYTES_MAX: usize = 200;

/// Why a text cannot be read. Lines and columns count from 1; columns of CSV are fields.
#[derive(Debug, Error, Diagnostic)]
pub enum PairsError {
    /// There are no numbers.
    #[error("no pair in it")]
    #[diagnostic(help("the first line is `pair,metric,base,head`"))]
    Empty,
    /// The header is not the one of the format.
    #[error("line 1: the header is `{found}`")]
    #[diagnostic(help("it must name `pair,metric,base,head`"))]
    Header {
        /// What stands there.
        found: String,
    },
    /// A line has too few or too many fields.
    #[error("line {line}: {found} fields in place of 4")]
    Fields {
        /// Where.
        line: usize,
        /// How many.
        found: usize,
    },
    /// A field is not what it must be.
    #[error("line {line}, column {column} (`{name}`): `{found}` is not {wanted}")]
    Field {
        /// Where.
        line: usize,
        /// Where in it.
        column: usize,
        /// The column's name.
        name: &'static str,
        /// What stands there.
        found: String,
        /// What would be right.
        wanted: &'static str,
    },
    /// Not JSON, or not of this form.
    #[error("not a list of pairs")]
    Json(#[from] serde_json::Error),
    /// There are more rows than a table may have.
    #[error("more than {TABLE_ROWS_MAX} rows")]
    Rows,
    /// A number is there twice.
    #[error("pair {pair} has `{metric}` twice{}", place(*line))]
    Twice {
        /// The pair.
        pair: u64,
        /// The metric.
        metric: String,
        /// Where the second one is, if the format has lines.
        line: Option<usize>,
    },
    /// A metric lacks a pair.
    #[error("pair {pair} has no `{metric}`")]
    #[diagnostic(help("every metric needs every pair"))]
    Missing {
        /// The pair.
        pair: u64,
        /// The metric.
        metric: String,
    },
    /// The name of a metric is longer than any table can show.
    #[error("pair {pair}: the name of a metric has {bytes} bytes, at most {NAME_BYTES_MAX}")]
    Name {
        /// The pair.
        pair: u64,
        /// How long it is.
        bytes: usize,
    },
    /// Head is so much larger or smaller than base that their ratio is not a number.
    #[error("pair {pair}, `{metric}`: the ratio of {head:e} to {base:e} is beyond all numbers")]
    #[diagnostic(help("numbers of one metric need one unit"))]
    Ratio {
        /// The pair.
        pair: u64,
        /// The metric.
        metric: String,
        /// What was measured of base.
        base: f64,
        /// What was measured of head.
        head: f64,
    },
}

fn place(line: Option<usize>) -> String {
    line.map_or_else(String::new, |line| format!(", again in line {line}"))
}

/// One metric of all pairs, in the order of the pairs' numbers.
#[derive(Debug, PartialEq)]
pub(super) struct PairSeries {
    pub(super) name: String,
    base: Vec<f64>,
    head: Vec<f64>,
}

/// All metrics in the order in which they first occur, with the same pairs each.
#[derive(Debug, PartialEq)]
pub(super) struct PairTable {
    pub(super) metrics: Vec<PairSeries>,
}

impl PairTable {
    /// The number of pairs.
    pub(super) fn pairs(&self) -> usize {
        self.metrics.first().map_or(0, |series| series.base.len())
    }
}

impl PairSeries {
    /// ln(head / base), above 0 where head is worse.
    pub(super) fn differences(&self, better: BetterDirection) -> Vec<f64> {
        let ratios = self.base.iter().zip(&self.head).map(|(base, head)| (head / base).ln());
        match better {
            BetterDirection::Lower => ratios.collect(),
            BetterDirection::Higher => ratios.map(|ln| -ln).collect(),
        }
    }
}

/// One number of base and one of head.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PairEntry {
    pair: u64,
    metric: String,
    base: PositiveNumber,
    head: PositiveNumber,
    #[serde(skip)]
    line: Option<usize>,
}

/// A finite number above 0: of others there is no logarithm.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "f64")]
struct PositiveNumber(f64);

const POSITIVE: &str = "a number above 0";

#[derive(Debug, Error)]
#[error("`{0}` is not {POSITIVE}")]
struct NotPositiveError(f64);

impl TryFrom<f64> for PositiveNumber {
    type Error = NotPositiveError;

    fn try_from(value: f64) -> Result<Self, NotPositiveError> {
        if value.is_finite() && value > 0.0 {
            Ok(Self(value))
        } else {
            Err(NotPositiveError(value))
        }
    }
}

/// Reads a text; what begins with a bracket is JSON.
pub(super) fn read(text: &str) -> Result<PairTable, PairsError> {
    let text = text.trim_start_matches('\u{feff}');
    let entries: Vec<PairEntry> = if text.trim_start().starts_with(['[', '{']) {
        serde_json::from_str(text)?
    } else {
        read_csv(text)?
    };
    if entries.len() > TABLE_ROWS_MAX {
        return Err(PairsError::Rows);
    }
    table(entries)
}

fn read_csv(text: &str) -> Result<Vec<PairEntry>, PairsError> {
    let mut rows = rows(text);
    let (_, header) = rows.next().ok_or(PairsError::Empty)?;
    let place = |column: &str| header.iter().position(|name| name.eq_ignore_ascii_case(column));
    let ([Some(pair), Some(metric), Some(base), Some(head)], 4) =
        (COLUMNS.map(place), header.len())
    else {
        return Err(PairsError::Header { found: header.iter().collect::<Vec<_>>().join(",") });
    };
    // One more than may be, by which too many are recognised.
    rows.take(TABLE_ROWS_MAX + 1)
        .map(|(line, fields)| {
            if fields.len() != COLUMNS.len() {
                return Err(PairsError::Fields { line, found: fields.len() });
            }
            let wrong = |column: usize, name, wanted| PairsError::Field {
                line,
                column: column + 1,
                name,
                found: fields[column].to_owned(),
                wanted,
            };
            let number = |column: usize, name| {
                let value = fields[column].parse::<f64>().ok();
                let value = value.and_then(|value| PositiveNumber::try_from(value).ok());
                value.ok_or_else(|| wrong(column, name, POSITIVE))
            };
            if fields[metric].is_empty() {
                return Err(wrong(metric, "metric", "a name"));
            }
            Ok(PairEntry {
                pair: fields[pair].parse().map_err(|_| wrong(pair, "pair", "a whole number"))?,
                metric: fields[metric].to_owned(),
                base: number(base, "base")?,
                head: number(head, "head")?,
                line: Some(line),
            })
        })
        .collect()
}

fn table(entries: Vec<PairEntry>) -> Result<PairTable, PairsError> {
    let mut names: Vec<String> = Vec::new();
    let mut numbers: BTreeMap<u64, BTreeMap<String, (f64, f64)>> = BTreeMap::new();
    for PairEntry { pair, metric, base, head, line } in entries {
        if metric.len() > NAME_BYTES_MAX {
            return Err(PairsError::Name { pair, bytes: metric.len() });
        }
        if !(head.0 / base.0).ln().is_finite() {
            return Err(PairsError::Ratio { pair, metric, base: base.0, head: head.0 });
        }
        if !names.contains(&metric) {
            names.push(metric.clone());
        }
        let of_pair = numbers.entry(pair).or_default();
        if of_pair.insert(metric.clone(), (base.0, head.0)).is_some() {
            return Err(PairsError::Twice { pair, metric, line });
        }
    }
    let series = |name: String| -> Result<PairSeries, PairsError> {
        let of_pair = |(pair, of_pair): (&u64, &BTreeMap<String, (f64, f64)>)| {
            let missing = || PairsError::Missing { pair: *pair, metric: name.clone() };
            of_pair.get(&name).copied().ok_or_else(missing)
        };
        let (base, head) =
            numbers.iter().map(of_pair).collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
        Ok(PairSeries { name, base, head })
    };
    let metrics = names.into_iter().map(series).collect::<Result<Vec<_>, _>>()?;
    if metrics.is_empty() { Err(PairsError::Empty) } else { Ok(PairTable { metrics }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(text: &str) -> String {
        let error = anyhow::Error::from(read(text).unwrap_err());
        format!("{error:#}").lines().next().unwrap().to_owned()
    }

    #[test]
    fn the_same_numbers_are_read_from_csv_and_json() {
        let csv = "head,pair,metric,base\n2.5,2,\"a,b\",2\n1.5, 1 ,\"a,b\",1\r\n\n";
        let json = r#"[{"pair": 1, "metric": "a,b", "base": 1, "head": 1.5},
                       {"pair": 2, "metric": "a,b", "base": 2, "head": 2.5}]"#;
        let expected =
            PairSeries { name: "a,b".to_owned(), base: vec![1.0, 2.0], head: vec![1.5, 2.5] };
        assert_eq!(read(csv).unwrap(), PairTable { metrics: vec![expected] });
        assert_eq!(read(csv).unwrap(), read(json).unwrap());
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let csv = |lines: &str| refused(&format!("pair,metric,base,head\n{lines}"));
        let found = [
            refused(""),
            refused("pair,metric,base\n"),
            csv("1,latency,5.2\n"),
            csv("1,latency,5.2,fast\n"),
            csv("1,latency,0,5.3\n"),
            csv("first,latency,5.2,5.3\n"),
            csv("1,,5.2,5.3\n"),
            csv("1,latency,5.2,5.3\n1,latency,5.2,5.4\n"),
            csv("1,latency,5.2,5.3\n2,rss,5.2,5.4\n"),
            refused("[{\"pair\": 1,\n \"metric\": \"latency\", \"base\": -1, \"head\": 2}]"),
            refused("[{\"pair\": 1, \"unit\": \"ms\"}]"),
            refused("[]"),
        ];
        insta::assert_snapshot!(found.join("\n"), @"
        no pair in it
        line 1: the header is `pair,metric,base`
        line 2: 3 fields in place of 4
        line 2, column 4 (`head`): `fast` is not a number above 0
        line 2, column 3 (`base`): `0` is not a number above 0
        line 2, column 1 (`pair`): `first` is not a whole number
        line 2, column 2 (`metric`): `` is not a name
        pair 1 has `latency` twice, again in line 3
        pair 2 has no `latency`
        not a list of pairs: `-1` is not a number above 0 at line 2 column 32
        not a list of pairs: unknown field `unit`, expected one of `pair`, `metric`, `base`, `head` at line 1 column 19
        no pair in it
        ");
    }
}
