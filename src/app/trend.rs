//! Finds how metrics went over many commits, in stored runs or in a table of any origin.

use record::work_unit::WorkUnit;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use csv::StringRecord;
use history::trend::{self, MetricSeries, Trend, TrendPoint};
use record::Run;
use record::bounds::{TABLE_BYTES_MAX, TREND_PAIRS_MAX, TREND_ROWS_MAX};
use record::file;
use record::metric::{BetterDirection, Metric};

use crate::app::csv_rows::rows;
use crate::app::event::{Event, EventSink, WarningKind};
use crate::app::failure::UseCaseError;
use crate::app::store::StoreChoice;

/// Which metrics of which history.
#[derive(Debug, Clone)]
pub struct TrendOptions {
    /// Where the numbers are.
    pub source: TrendSource,
    /// Keys of metrics, or columns of the table; empty for all.
    pub metrics: Vec<String>,
    /// Scenarios; empty for all.
    pub scenarios: Vec<String>,
}

/// Where a history is.
#[derive(Debug, Clone)]
pub enum TrendSource {
    /// In a store, under a name.
    Stored {
        /// The store.
        store: StoreChoice,
        /// The name.
        name: String,
    },
    /// In a CSV file: a line for each run, the oldest first, a column for each metric.
    Table(PathBuf),
}

/// Returns the trend of each metric; at least one.
pub fn trend(options: &TrendOptions, events: &mut dyn EventSink) -> anyhow::Result<Vec<Trend>> {
    let series = match &options.source {
        TrendSource::Stored { store, name } => of_store(store, name, options, events)?,
        TrendSource::Table(path) => of_table(path, &options.metrics, events)?,
    };
    Ok(trend::analyse(series))
}

fn of_store(
    store: &StoreChoice,
    name: &str,
    options: &TrendOptions,
    events: &dyn EventSink,
) -> anyhow::Result<Vec<MetricSeries>> {
    for key in &options.metrics {
        ensure!(
            Metric::from_key(key).is_some(),
            "`--metric {key}`: known are {}",
            Metric::ALL.map(Metric::key).join(", ")
        );
    }
    let store = store.open(None, events)?;
    let mut runs: Vec<Run> = store.load_all(&store.history(name)?)?;
    let wanted = |it: &String| options.scenarios.is_empty() || options.scenarios.contains(it);
    for run in &mut runs {
        run.scenarios.retain(|scenario| wanted(&scenario.name));
    }
    let mut series = trend::series(&runs);
    series.retain(|series| {
        let key = series.metric.map(Metric::key).unwrap_or_default();
        options.metrics.is_empty() || options.metrics.iter().any(|metric| metric == key)
    });
    if !series.is_empty() {
        return Ok(series);
    }
    if options.scenarios.is_empty() && options.metrics.is_empty() {
        return Err(UseCaseError::EmptyHistory { name: name.to_owned() }.into());
    }
    bail!("no run that is kept as `{name}` has what `--scenario` and `--metric` ask for")
}

/// A table, as it is read.
struct TrendTable<'a> {
    name: String,
    header: StringRecord,
    rows: Vec<(usize, StringRecord)>,
    wanted: &'a [String],
}

/// Returns every column of numbers, or those that are wanted.
fn of_table(
    path: &Path,
    wanted: &[String],
    events: &mut dyn EventSink,
) -> anyhow::Result<Vec<MetricSeries>> {
    let name = path.display().to_string();
    let text = file::read_text_bounded(path, TABLE_BYTES_MAX);
    let text = text.with_context(|| format!("failed to read `{name}`"))?;
    let mut rows = rows(&text);
    let header = rows.next().map(|(_, header)| header).unwrap_or_default();
    let table = TrendTable { name, header, rows: rows.take(TREND_ROWS_MAX + 1).collect(), wanted };
    let (name, most) = (&table.name, TREND_ROWS_MAX);
    ensure!(table.rows.len() <= most, "`{name}` has more than {most} rows");
    table.check()?;
    let mut series = Vec::new();
    for (place, column) in table.metric_columns() {
        // A branch or a comment beside the numbers is not a metric, unless it is named as one.
        if wanted.is_empty() && table.is_text(place) {
            events.emit(Event::Warning(WarningKind::TextColumn { column }));
            continue;
        }
        let points = table.points(place)?;
        let (name, better) = (column.to_owned(), BetterDirection::Lower);
        series.push(MetricSeries { name, metric: None, unit: WorkUnit::request(), better, points });
    }
    series.retain(|series| !series.points.is_empty());
    ensure!(!series.is_empty(), "{}", table.emptiness());
    let pairs: usize = series.iter().map(|it| it.points.len() * it.points.len() / 2).sum();
    ensure!(
        pairs <= TREND_PAIRS_MAX,
        "`{}` has {pairs} pairs of rows over all metrics, at most {TREND_PAIRS_MAX}: name some by `--metric`",
        table.name
    );
    Ok(series)
}

impl TrendTable<'_> {
    fn column(&self, wanted: &str) -> Option<usize> {
        self.header.iter().position(|name| name == wanted)
    }

    /// Fails if a wanted column is missing, or if a row has a field without a column.
    fn check(&self) -> anyhow::Result<()> {
        let Self { name, header, .. } = self;
        for metric in self.wanted {
            ensure!(self.column(metric).is_some(), "`{name}` has no column `{metric}`");
        }
        for (line, fields) in &self.rows {
            ensure!(
                fields.len() <= header.len(),
                "`{name}`, line {line}: {} fields below a header of {}",
                fields.len(),
                header.len()
            );
        }
        Ok(())
    }

    /// Returns the columns that may hold a metric, with their places.
    fn metric_columns(&self) -> impl Iterator<Item = (usize, &str)> {
        let labels = [self.column("commit"), self.column("time")];
        let is_wanted =
            |name: &str| self.wanted.is_empty() || self.wanted.iter().any(|it| it == name);
        let columns = self.header.iter().enumerate();
        columns.filter(move |(place, name)| !labels.contains(&Some(*place)) && is_wanted(name))
    }

    /// Returns whether a column has text and no number.
    fn is_text(&self, place: usize) -> bool {
        let cells = || self.rows.iter().filter_map(|(_, fields)| fields.get(place));
        let mut texts = cells().filter(|cell| !is_gap(cell)).peekable();
        texts.peek().is_some() && texts.all(|cell| cell.parse::<f64>().is_err())
    }

    /// Returns the numbers of a column. A run that has none leaves a gap in this column alone.
    fn points(&self, place: usize) -> anyhow::Result<Vec<TrendPoint>> {
        let (commit, time) = (self.column("commit"), self.column("time"));
        let mut points = Vec::new();
        for (line, fields) in &self.rows {
            let at = |place: usize| fields.get(place).unwrap_or_default();
            let cell = at(place);
            if is_gap(cell) {
                continue;
            }
            let value = cell.parse().ok().filter(|value: &f64| value.is_finite() && *value > 0.0);
            let value = value.with_context(|| {
                format!("`{}`, line {line}: `{cell}` is not a number above 0", self.name)
            })?;
            let build = match commit.map(at).unwrap_or_default() {
                "" => format!("line {line}"),
                commit => commit.to_owned(),
            };
            let started = time.map(at).unwrap_or_default().to_owned();
            points.push(TrendPoint { build, started, value });
        }
        Ok(points)
    }

    /// Why there is nothing to show.
    fn emptiness(&self) -> String {
        if self.rows.is_empty() {
            format!("`{}` has no rows below its header", self.name)
        } else {
            format!("`{}` has no column of numbers", self.name)
        }
    }
}

/// Returns whether a run has no number there: programs write such a cell as nothing or as NaN.
fn is_gap(cell: &str) -> bool {
    cell.is_empty() || cell.eq_ignore_ascii_case("nan")
}
