//! Prints events on standard error: a bar on a terminal, plain lines elsewhere, or JSON lines.
//!
//! Errors of standard error itself are not reported anywhere: it is where they would go.

use std::fmt;
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use baseline::StorageProgress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use runner::LiveMetrics;

use crate::app::event::{Event, EventSink, LaunchUnit};
use crate::cli::dashboard::{Dashboard, ProgressTicker};
use crate::cli::event_text::{self, UnitCount, unit_noun};
use crate::cli::terminal_text;

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
        Self { unit, bar, estimate: String::new(), _ticker: ticker }
    }

    fn show(&mut self, event: &Event<'_>) {
        if let Event::EstimateUpdated { changes, .. } = event {
            self.estimate = event_text::estimate(changes);
        }
        match &self.bar {
            Some(bar) => self.draw(bar, event),
            None => self.print(event),
        }
    }

    fn draw(&self, bar: &ProgressBar, event: &Event<'_>) {
        let nouns = unit_noun(self.unit, UnitCount::Several);
        match event {
            Event::LaunchStarted { done, of } => {
                bar.set_length(*of as u64);
                bar.set_position(*done as u64);
            }
            Event::ScenarioStarted { scenario } => {
                let scenario = terminal_text::sanitize(scenario);
                bar.set_message(format!("{nouns} · `{scenario}` {}", self.estimate));
            }
            Event::LaunchEnded { done, of, elapsed } => {
                bar.set_length(*of as u64);
                bar.set_position(*done as u64);
                let left = event_text::time_left(*done, *of, *elapsed);
                bar.set_message(format!("{nouns} · {left} {}", self.estimate));
            }
            Event::EstimateUpdated { .. } => {}
            _ => {
                if let Some(line) = event_text::line(event) {
                    bar.set_message(terminal_text::sanitize(&line).into_owned());
                }
            }
        }
    }

    fn print(&self, event: &Event<'_>) {
        match event {
            Event::LaunchEnded { done: 1, of, elapsed } => {
                let noun = unit_noun(self.unit, UnitCount::One);
                let (took, left) =
                    (units::duration(*elapsed), event_text::time_left(1, *of, *elapsed));
                write_line(&format!("first {noun} took {took}, {left}"));
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
    let style = ProgressStyle::with_template("{bar:20} {pos}/{len} {msg}\n{load}\n{targets}");
    let style = style.expect("the template is well written");
    let dashboard = Arc::new(Mutex::new(Dashboard::new(live)));
    bar.set_style(
        style
            .with_key("load", dashboard_line(&dashboard, 0))
            .with_key("targets", dashboard_line(&dashboard, 1)),
    );
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
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
