//! Shows how metrics went over many commits.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};

use crate::cli::Exit;
use crate::cli::decide::pairs::rows;
use crate::cli::output;
use crate::cli::store::StoreFlag;
use history::trend::{self, MetricSeries, TrendPoint};
use record::Run;
use record::metric::BetterDirection;
use record::metric::Metric;

/// Show the history of metrics, and where their levels changed
///
/// The history is what `xmlperf baseline save` has kept under a name, or a CSV file of any origin: a
/// column `commit`, one number a column for each metric, the oldest line first.
#[derive(Debug, clap::Args)]
pub(super) struct TrendArgs {
    /// Name of the history
    #[arg(value_name = "NAME", default_value = "main")]
    name: String,
    #[command(flatten)]
    place: StoreFlag,
    /// A CSV file instead of kept runs
    #[arg(long, value_name = "FILE", conflicts_with_all = ["name", "store"])]
    csv: Option<PathBuf>,
    /// Only this metric: a key such as `cpu`, or a column of the CSV file; may be repeated
    #[arg(long = "metric", value_name = "KEY")]
    metrics: Vec<String>,
    /// Only this scenario; may be repeated
    #[arg(long = "scenario", value_name = "NAME")]
    scenarios: Vec<String>,
    /// Form of the result
    #[arg(long, value_enum, default_value_t = TrendFormat::Terminal)]
    format: TrendFormat,
}

/// How a history is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum TrendFormat {
    /// A line of bars for each metric, with its changes
    Terminal,
    /// Everything, for other programs
    Json,
    /// A page with charts
    Html,
    /// The chart of one metric
    Svg,
}

/// Prints the history.
pub(super) fn run(args: &TrendArgs, out: &mut impl Write) -> anyhow::Result<Exit> {
    let series = match &args.csv {
        Some(path) => of_csv(path, &args.metrics)?,
        None => of_store(args)?,
    };
    ensure!(!series.is_empty(), "{}", nothing(args));
    let trends = trend::analyse(series);
    match args.format {
        TrendFormat::Terminal => {
            report::trend::terminal(out, &trends, output::screen().width.into())?;
        }
        TrendFormat::Json => out.write_all(report::trend::json(&trends).as_bytes())?,
        TrendFormat::Html => out.write_all(report::trend::html(&trends).as_bytes())?,
        TrendFormat::Svg => {
            let [trend] = trends.as_slice() else {
                bail!("a chart shows one metric\n\nhint: choose it by `--metric` and `--scenario`")
            };
            out.write_all(report::trend::svg(trend).as_bytes())?;
        }
    }
    Ok(Exit::Fine)
}

/// Why there is nothing to show.
fn nothing(args: &TrendArgs) -> String {
    if let Some(path) = &args.csv {
        return format!("`{}` has no rows below its header", path.display());
    }
    let name = &args.name;
    if args.scenarios.is_empty() && args.metrics.is_empty() {
        return format!("no run is kept as `{name}`\n\nhint: `xmlperf baseline save` keeps one");
    }
    format!("no run that is kept as `{name}` has what `--scenario` and `--metric` ask for")
}

fn of_store(args: &TrendArgs) -> anyhow::Result<Vec<MetricSeries>> {
    for key in &args.metrics {
        ensure!(
            Metric::from_key(key).is_some(),
            "`--metric {key}`: known are {}",
            Metric::ALL.map(Metric::key).join(", ")
        );
    }
    let store = args.place.open(None)?;
    let mut runs: Vec<Run> = store.load_all(&store.history(&args.name)?)?;
    let wanted = |name: &String| args.scenarios.is_empty() || args.scenarios.contains(name);
    for run in &mut runs {
        run.scenarios.retain(|scenario| wanted(&scenario.name));
    }
    let mut series = trend::series(&runs);
    series.retain(|series| {
        let key = series.metric.map(Metric::key).unwrap_or_default();
        args.metrics.is_empty() || args.metrics.iter().any(|metric| metric == key)
    });
    Ok(series)
}

/// Every column of numbers above 0, or those that were asked for.
fn of_csv(path: &Path, wanted: &[String]) -> anyhow::Result<Vec<MetricSeries>> {
    let name = path.display();
    let text = fs::read_to_string(path).with_context(|| format!("failed to read `{name}`"))?;
    let mut rows = rows(&text);
    let header = rows.next().map(|(_, header)| header).unwrap_or_default();
    let column = |wanted: &str| header.iter().position(|name| name == wanted);
    for metric in wanted {
        ensure!(column(metric).is_some(), "`{name}` has no column `{metric}`");
    }
    let (commit, time) = (column("commit"), column("time"));
    let is_metric = |(i, name): &(usize, &str)| {
        let is_wanted = wanted.is_empty() || wanted.iter().any(|wanted| wanted == name);
        ![commit, time].contains(&Some(*i)) && is_wanted
    };
    let mut series: Vec<(usize, MetricSeries)> = header
        .iter()
        .enumerate()
        .filter(is_metric)
        .map(|(i, name)| {
            let name = name.to_owned();
            (
                i,
                MetricSeries {
                    name,
                    metric: None,
                    better: BetterDirection::Lower,
                    points: Vec::new(),
                },
            )
        })
        .collect();
    for (number, fields) in rows {
        ensure!(
            fields.len() <= header.len(),
            "`{name}`, line {number}: {} fields below a header of {}",
            fields.len(),
            header.len()
        );
        let at = |place: usize| fields.get(place).unwrap_or_default();
        let started = time.map(at).unwrap_or_default();
        let build = match commit.map(at).unwrap_or_default() {
            "" => format!("line {number}"),
            commit => commit.to_owned(),
        };
        for (place, series) in &mut series {
            let value: f64 =
                at(*place).parse().ok().filter(|value| *value > 0.0).with_context(|| {
                    format!("`{name}`, line {number}: `{}` is not a number above 0", at(*place))
                })?;
            let (build, started) = (build.clone(), started.to_owned());
            series.points.push(TrendPoint { build, started, value });
        }
    }
    Ok(series.into_iter().map(|(_, series)| series).filter(|s| !s.points.is_empty()).collect())
}
