//! Prints events on standard error: a bar on a terminal, plain lines elsewhere, or JSON lines.
//!
//! Errors of standard error itself are not reported anywhere: it is where they would go.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::Arc;

use baseline::StorageProgress;
use indicatif::ProgressBar;
use runner::RunObserver;

use crate::app::budget::ComparisonBudget;
use crate::app::event::{Event, EventSink, LaunchUnit};
use crate::app::measure::{PlannedRun, RegressionStop, RunFollower};
use crate::cli::event_text::{self, unit_noun};
use crate::cli::progress::{EarlyStopping, ProgressWatch};
use crate::cli::selection::ProgressForm;
use crate::cli::terminal_text;

/// Prints events.
pub(super) struct Reporter {
    form: ReporterForm,
    simulating: Option<ProgressBar>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ReporterForm {
    Bar,
    Plain,
    Json,
}

impl Reporter {
    /// Returns a reporter of a form; by itself, it draws a bar if standard error is a terminal.
    pub(super) fn new(form: ProgressForm) -> Self {
        let form = match form {
            ProgressForm::Auto if io::stderr().is_terminal() => ReporterForm::Bar,
            ProgressForm::Auto | ProgressForm::Plain => ReporterForm::Plain,
            ProgressForm::Json => ReporterForm::Json,
        };
        Self { form, simulating: None }
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
            Event::SimulationStarted { cells } => {
                self.simulating = Some(ProgressBar::new(*cells as u64));
            }
            Event::CellSimulated => self.simulating.iter().for_each(|bar| bar.inc(1)),
            Event::SimulationEnded => {
                self.simulating.take().iter().for_each(ProgressBar::finish_and_clear);
            }
            _ => event_text::line(event).iter().for_each(|line| write_line(line)),
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

impl RunFollower for Reporter {
    fn observer(&mut self, planned: PlannedRun<'_>) -> Box<dyn RunObserver> {
        let PlannedRun { unit, selection, suite, ending } = planned;
        let stopping = match ending.at_regression {
            RegressionStop::First => EarlyStopping::FailFast,
            RegressionStop::Never => EarlyStopping::Decided,
        };
        let noun = unit_noun(unit);
        let plain = self.form != ReporterForm::Bar;
        let watch = ProgressWatch::new(plain, stopping, noun, &selection.live);
        Box::new(match unit {
            LaunchUnit::Launch => watch,
            LaunchUnit::LaunchPair => {
                watch.within(ComparisonBudget::of(&suite.gate, ending.budget))
            }
        })
    }
}

fn write_line(text: &str) {
    let _ = writeln!(io::stderr(), "{}", terminal_text::sanitize(text));
}

fn write_json(event: &Event<'_>) {
    let line = serde_json::to_string(event).expect("an event has no key that is not text");
    let _ = writeln!(io::stderr(), "{line}");
}
