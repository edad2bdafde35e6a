//! Prints events on standard error: a bar on a terminal, plain lines elsewhere, or JSON lines.
//!
//! Errors of standard error itself are not reported anywhere: it is where they would go.

use std::fmt;
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use baseline::StorageProgress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle, WeakProgressBar};
use runner::LiveMetrics;

use crate::app::event::{Event, EventSink, LaunchUnit};
use crate::cli::dashboard::{Dashboard, ProgressTicker};
use crate::cli::event_text::{self, UnitCount, unit_noun};
use crate::cli::terminal_text;

/// How often a bar is drawn though nothing has happened, for its clock.
const REDRAW_EVERY: Duration = Duration::from_millis(250);

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum ProgressForm {
    /// A bar on a terminal, plain lines elsewhere
    Auto,
    /// Plain lines
    Plain,
    /// A JSON object a line, for other programs
    Json,
}

/// Prints events.
pub(super) struct Reporter {
    form: ReporterForm,
    measuring: Option<MeasuringDisplay>,
    simulating: Option<ProgressBar>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ReporterForm {
    Bar,
    Plain,
    Json,
}

/// What is shown of a measurement that goes on.
struct MeasuringDisplay {
    unit: LaunchUnit,
    bar: Option<ProgressBar>,
    estimate: String,
    /// How much time is left at most; empty before the first launch has ended.
    left: String,
    _ticker: Option<ProgressTicker>,
}

impl Reporter {
    /// Returns a reporter of a form; by itself, it draws a bar if standard error is a terminal.
    pub(super) fn new(form: ProgressForm) -> Self {
        let form = match form {
            ProgressForm::Auto if io::stderr().is_terminal() => ReporterForm::Bar,
            ProgressForm::Auto | ProgressForm::Plain => ReporterForm::Plain,
            ProgressForm::Json => ReporterForm::Json,
        };
        Self { form, measuring: None, simulating: None }
    }

    /// Prints a result that belongs beside the output and not into it.
    pub(super) fn note(&self, text: &str) {
        match self.form {
            ReporterForm::Json => write_json(&Event::Noted { text }),
            ReporterForm::Bar | ReporterForm::Plain => write_line(text),
        }
    }

    fn show(&mut self, event: &Event<'_>) {
        match event {
            Event::MeasuringStarted { unit, live } => {
                self.measuring = Some(MeasuringDisplay::new(*unit, self.form, live));
            }
            Event::MeasuringEnded => self.measuring = None,
            Event::SimulationStarted { cells } => {
                self.simulating = Some(ProgressBar::new(*cells as u64));
            }
            Event::CellSimulated => self.simulating.iter().for_each(|bar| bar.inc(1)),
            Event::SimulationEnded => {
                self.simulating.take().iter().for_each(ProgressBar::finish_and_clear);
            }
            _ => match &mut self.measuring {
                Some(display) => display.show(event),
                None => event_text::line(event).iter().for_each(|line| write_line(line)),
            },
        }
    }
}

impl Default for Reporter {
    fn default() -> Self {
        Self::new(ProgressForm::Auto)
    }
}

impl EventSink for Reporter {
    fn emit(&mut self, event: Event<'_>) {
        match self.form {
            ReporterForm::Json => write_json(&event),
            ReporterForm::Bar | ReporterForm::Plain => self.show(&event),
        }
    }

    fn store_progress(&self) -> StorageProgress {
        match self.form {
            ReporterForm::Json => Arc::new(|text| write_json(&Event::StoreAdvanced { text })),
            ReporterForm::Bar | ReporterForm::Plain => Arc::new(write_line),
        }
    }
}

impl MeasuringDisplay {
    fn new(unit: LaunchUnit, form: ReporterForm, live: &LiveMetrics) -> Self {
        let bar = (form == ReporterForm::Bar).then(|| bar(live));
        let ticker = bar.is_none().then(|| ProgressTicker::start(live));
        Self { unit, bar, estimate: String::new(), left: String::new(), _ticker: ticker }
    }

    fn show(&mut self, event: &Event<'_>) {
        match event {
            Event::EstimateUpdated { changes, .. } => {
                self.estimate = event_text::estimate(changes);
            }
            Event::LaunchEnded { done, of, elapsed } => {
                self.left = event_text::time_left(*done, *of, *elapsed);
            }
            _ => {}
        }
        match &self.bar {
            Some(bar) => self.draw(bar, event),
            None => self.print(event),
        }
    }

    fn draw(&self, bar: &ProgressBar, event: &Event<'_>) {
        match event {
            Event::LaunchStarted { done, of } | Event::LaunchEnded { done, of, .. } => {
                bar.set_length(*of as u64);
                bar.set_position(*done as u64);
                bar.set_message(self.message(None));
            }
            Event::ScenarioStarted { scenario } => {
                bar.set_message(self.message(Some(&terminal_text::sanitize(scenario))));
            }
            Event::EstimateUpdated { .. } => bar.set_message(self.message(None)),
            _ => {
                if let Some(line) = event_text::line(event) {
                    bar.set_message(terminal_text::sanitize(&line).into_owned());
                }
            }
        }
    }

    /// What stands beside the counts: what they count, what is driven, what is left, what is known so far.
    fn message(&self, scenario: Option<&str>) -> String {
        let nouns = unit_noun(self.unit, UnitCount::Several).to_owned();
        let scenario = scenario.map(|name| format!(" · `{name}`")).unwrap_or_default();
        let left = if self.left.is_empty() { String::new() } else { format!(" · {}", self.left) };
        format!("{nouns}{scenario}{left} {}", self.estimate).trim_end().to_owned()
    }

    fn print(&self, event: &Event<'_>) {
        match event {
            Event::LaunchEnded { done: 1, elapsed, .. } => {
                let noun = unit_noun(self.unit, UnitCount::One);
                let took = units::duration(*elapsed);
                write_line(&format!("first {noun} took {took}, {}", self.left));
            }
            Event::EstimateUpdated { .. } if !self.left.is_empty() => {
                let line = event_text::line(event).unwrap_or_default();
                write_line(&format!("{line} · {}", self.left));
            }
            _ => event_text::line(event).iter().for_each(|line| write_line(line)),
        }
    }
}

impl Drop for MeasuringDisplay {
    fn drop(&mut self) {
        self.bar.iter().for_each(ProgressBar::finish_and_clear);
    }
}

/// A bar with two lines of live numbers below it.
fn bar(live: &LiveMetrics) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(4));
    let style = ProgressStyle::with_template("{counts}{msg}\n{load}\n{targets}");
    let style = style.expect("the template is well written");
    let dashboard = Arc::new(Mutex::new(Dashboard::new(live)));
    bar.set_style(
        style
            .with_key("counts", |state: &ProgressState, out: &mut dyn fmt::Write| {
                // The bar has no way to say that it cannot be drawn.
                let _ = out.write_str(&counts(state.pos(), state.len()));
            })
            .with_key("load", dashboard_line(&dashboard, 0))
            .with_key("targets", dashboard_line(&dashboard, 1)),
    );
    redraw(bar.downgrade());
    bar
}

/// Draws a bar anew as long as there is one. Its own steady tick panics where the system refuses a thread;
/// without one it is drawn when something happens.
fn redraw(bar: WeakProgressBar) {
    let draw = move || {
        while let Some(bar) = bar.upgrade().filter(|bar| !bar.is_finished()) {
            bar.tick();
            drop(bar);
            thread::sleep(REDRAW_EVERY);
        }
    };
    drop(threads::spawn(draw));
}

/// Columns of the bar itself.
const BAR_COLUMNS: u64 = 20;

/// A bar, and how many are done of how many; nothing before that is known, and where nothing is counted.
fn counts(done: u64, of: Option<u64>) -> String {
    let Some(of) = of.filter(|of| *of > 0) else { return String::new() };
    let full = (0..BAR_COLUMNS).map(|column| column * of < done * BAR_COLUMNS);
    let bar: String = full.map(|is_full| if is_full { '█' } else { '░' }).collect();
    format!("{bar} {done}/{of} ")
}

/// One line of the dashboard, made anew whenever the bar is drawn.
fn dashboard_line(
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

fn write_line(text: &str) {
    let _ = writeln!(io::stderr(), "{}", terminal_text::sanitize(text));
}

fn write_json(event: &Event<'_>) {
    let line = serde_json::to_string(event).expect("an event has no key that is not text");
    let _ = writeln!(io::stderr(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_counted_before_it_is_known_how_many_there_are() {
        assert_eq!(counts(0, None), "");
        assert_eq!(counts(0, Some(0)), "", "a run that only counts instructions has no launches");
        assert_eq!(counts(0, Some(40)), format!("{} 0/40 ", "░".repeat(20)));
        assert_eq!(counts(10, Some(40)), format!("{}{} 10/40 ", "█".repeat(5), "░".repeat(15)));
        assert_eq!(counts(40, Some(40)), format!("{} 40/40 ", "█".repeat(20)));
    }

    #[test]
    fn what_is_left_in_time_stands_beside_the_scenario_that_is_driven() {
        let live = LiveMetrics::default();
        let mut display = MeasuringDisplay::new(LaunchUnit::LaunchPair, ReporterForm::Json, &live);
        assert_eq!(display.message(Some("smoke")), "launch pairs · `smoke`");
        display.left = event_text::time_left(10, 40, Duration::from_secs(10));
        assert_eq!(display.message(Some("smoke")), "launch pairs · `smoke` · at most 30.0 s left");
        display.estimate = "· smoke cpu +1.2 %".to_owned();
        assert_eq!(display.message(None), "launch pairs · at most 30.0 s left · smoke cpu +1.2 %");
    }
}
