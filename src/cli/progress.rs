//! Tells a person who waits what is being done: a bar on a terminal, calm lines elsewhere.

use std::fmt;
use std::io;
use std::io::{IsTerminal as _, Write as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::app::budget::ComparisonBudget;
use crate::cli::live::{Dashboard, ProgressTicker};
use compare::Comparison;
use compare::decision::Verdict;
use record::Run;
use record::metric::gate::MetricPolicy;
use runner::{LiveMetrics, RunDecision, RunObserver, RunProgress};

/// When a comparison may end before everything is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EarlyStopping {
    /// When every metric that decides is decided.
    Decided,
    /// At the first regression.
    FailFast,
}

/// Follows a run on standard error.
pub(super) struct ProgressWatch {
    bar: Option<ProgressBar>,
    patience: EarlyStopping,
    horizon: Option<ComparisonBudget>,
    estimate: String,
    noun: &'static str,
    _ticker: Option<ProgressTicker>,
}

impl ProgressWatch {
    /// A bar, if standard error is a terminal and nobody asked for plain lines.
    pub(super) fn new(
        plain: bool,
        patience: EarlyStopping,
        noun: &'static str,
        live: &LiveMetrics,
    ) -> Self {
        let bar = (!plain && io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(4));
            let style =
                ProgressStyle::with_template("{bar:20} {pos}/{len} {msg}\n{load}\n{targets}");
            let style = style.expect("the template is well written");
            let dashboard = Arc::new(Mutex::new(Dashboard::new(live)));
            bar.set_style(
                style
                    .with_key("load", line(&dashboard, 0))
                    .with_key("targets", line(&dashboard, 1)),
            );
            bar.enable_steady_tick(Duration::from_millis(250));
            bar
        });
        let ticker = bar.is_none().then(|| ProgressTicker::start(live));
        Self { bar, patience, horizon: None, estimate: String::new(), noun, _ticker: ticker }
    }

    /// Keeps the comparison within a horizon.
    pub(super) fn within(mut self, horizon: ComparisonBudget) -> Self {
        self.horizon = Some(horizon);
        self
    }

    fn say(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(text.to_owned()),
            // Nobody reads standard error if it cannot be written.
            None => drop(writeln!(io::stderr(), "{text}")),
        }
    }

    fn launched(&self, done: usize, of: usize, elapsed: Duration) {
        let left = elapsed.div_f64(done as f64).mul_f64((of - done) as f64);
        let left = format!("at most {} left", units::duration(left));
        let noun = self.noun;
        match &self.bar {
            Some(bar) => {
                bar.set_length(of as u64);
                bar.set_position(done as u64);
                bar.set_message(format!("{} · {left} {}", plural(noun), self.estimate));
            }
            None if done == 1 => {
                self.say(&format!("first {noun} took {}, {left}", units::duration(elapsed)));
            }
            None => {}
        }
    }
}

/// `launches`, `launch pairs`.
fn plural(noun: &str) -> String {
    if noun.ends_with("ch") { format!("{noun}es") } else { format!("{noun}s") }
}

/// One line of the dashboard, made anew whenever the bar is drawn.
fn line(
    dashboard: &Arc<Mutex<Dashboard>>,
    which: usize,
) -> impl Fn(&ProgressState, &mut dyn fmt::Write) + Clone + Send + Sync + 'static {
    let dashboard = Arc::clone(dashboard);
    move |state: &ProgressState, out: &mut dyn fmt::Write| {
        let mut dashboard = dashboard.lock().unwrap_or_else(PoisonError::into_inner);
        // The bar has no way to say that it cannot be drawn.
        let _ = write!(out, "  {}", dashboard.lines(state.elapsed())[which]);
    }
}

impl Drop for ProgressWatch {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl RunObserver for ProgressWatch {
    fn progress(&mut self, progress: RunProgress<'_>) {
        match progress {
            RunProgress::Preparing { scenario } => self.say(&format!("preparing `{scenario}`")),
            RunProgress::Counting { scenario } => {
                self.say(&format!("counting the instructions of `{scenario}`"));
            }
            RunProgress::Networking => self.say("measuring what the network costs by itself"),
            RunProgress::Launching { launch, of } => {
                if let Some(bar) = &self.bar {
                    bar.set_length(of as u64);
                    bar.set_position(launch as u64);
                }
            }
            RunProgress::Driving { scenario } => {
                if let Some(bar) = &self.bar {
                    bar.set_message(format!(
                        "{} · `{scenario}` {}",
                        plural(self.noun),
                        self.estimate
                    ));
                }
            }
            RunProgress::Launched { done, of, elapsed } => self.launched(done, of, elapsed),
        }
    }

    fn paced(
        &mut self,
        launch_pair: Duration,
        counting: Duration,
    ) -> Result<Option<Vec<usize>>, String> {
        self.horizon.map_or(Ok(None), |horizon| horizon.looks(launch_pair, counting))
    }

    fn look(&mut self, run: &Run) -> RunDecision {
        // A record that cannot be judged is reported, with its reason, when the run has ended.
        let Ok(comparison) = Comparison::of(run) else { return RunDecision::Continue };
        let gating = comparison.rows.iter().filter(|row| row.rule.policy == MetricPolicy::Gate);
        let changes = gating.filter_map(|row| {
            let change = units::change(row.change()?.estimate_ln);
            Some(format!("{} {} {change}", row.scenario, row.metric))
        });
        self.estimate = format!("· {}", changes.collect::<Vec<_>>().join(", "));
        if self.bar.is_none() {
            let elapsed = units::time_ns(units::exact(run.wall_ns));
            self.say(&format!(
                "{} launch pairs, {elapsed} {}",
                comparison.method.launches, self.estimate
            ));
        }
        let failed =
            self.patience == EarlyStopping::FailFast && comparison.count(Verdict::Regressed) > 0;
        let spent = self.horizon.is_some_and(|horizon| horizon.is_spent(run));
        if failed || spent || comparison.is_decided() {
            RunDecision::Stop
        } else {
            RunDecision::Continue
        }
    }
}
