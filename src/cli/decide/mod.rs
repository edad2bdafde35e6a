//! Judges paired numbers of any origin.

mod show;

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use units::Ratio;

use crate::app;
use crate::app::decide::{DecideOptions, ShareSetting};
use crate::cli::Exit;
use crate::cli::input;
use crate::cli::output::{self, FailOnFlag};

/// Say what follows from paired numbers of any origin
///
/// Each pair is one measurement of base and one of head, taken together. Pairs count in the order of
/// their numbers, with a look after each, and all metrics are one family.
#[derive(Debug, clap::Args)]
#[command(after_long_help = FORMS)]
pub(super) struct DecideArgs {
    /// CSV or JSON; `-` reads standard input
    file: PathBuf,
    /// Chance that any metric is called slower when nothing changed
    #[arg(long, value_name = "SHARE", default_value = "1%", value_parser = Ratio::parse)]
    alpha: Ratio,
    /// Largest change that is not worth a person's time, of all metrics or of one: `rss=5%`
    #[arg(long, value_name = "[METRIC=]SHARE", value_parser = setting)]
    tolerance: Vec<ShareSetting>,
    /// Smallest change that may be called one, of all metrics or of one
    #[arg(long, value_name = "[METRIC=]SHARE", value_parser = setting)]
    floor: Vec<ShareSetting>,
    /// A metric of which more is better; `throughput` is known to be
    #[arg(long, value_name = "METRIC")]
    higher_is_better: Vec<String>,
    /// Form of the result
    #[arg(long, value_enum, default_value_t = DecisionFormat::Terminal)]
    format: DecisionFormat,
    /// What makes the command fail
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = FailOnFlag::Regression)]
    fail_on: FailOnFlag,
}

/// How the verdicts are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum DecisionFormat {
    /// A table as wide as the screen
    Terminal,
    /// GitHub-flavoured markdown
    Markdown,
    /// A page for a browser
    Html,
    /// Everything, for other programs
    Json,
}

const FORMS: &str = "\
CSV:   pair,metric,base,head          JSON:   [{\"pair\": 1, \"metric\": \"latency\",
       1,latency,5.21,5.38                      \"base\": 5.21, \"head\": 5.38}, …]
       1,rss,812,815

Numbers may have any unit and must be above 0; every metric needs every pair.";

fn setting(text: &str) -> anyhow::Result<ShareSetting> {
    let (metric, share) = match text.rsplit_once('=') {
        Some((metric, share)) => (Some(metric.trim().to_owned()), share),
        None => (None, text),
    };
    let share = Ratio::parse(share).map_err(anyhow::Error::msg)?;
    ensure!((0.0..=10.0).contains(&share.0), "{share} is not between 0 % and 1000 %");
    Ok(ShareSetting { metric, share })
}

/// Prints the verdicts; a regression decides the exit code.
pub(super) fn run(args: &DecideArgs, out: &mut impl Write) -> anyhow::Result<Exit> {
    let decision = app::decide::decide(&DecideOptions {
        name: input::name_of(&args.file),
        text: input::read(&args.file)?,
        alpha: args.alpha,
        tolerances: args.tolerance.clone(),
        floors: args.floor.clone(),
        higher_is_better: args.higher_is_better.clone(),
    })?;
    match args.format {
        DecisionFormat::Terminal => show::terminal(out, &decision, output::screen()),
        DecisionFormat::Markdown => show::markdown(out, &decision),
        DecisionFormat::Html => show::html(out, &decision),
        DecisionFormat::Json => show::json(out, &decision),
    }
    .context("failed to write the verdicts")?;
    Ok(output::exit(&decision.outcome, args.fail_on))
}
