//! Where the time of a run went, as a table in text.

use comfy_table::Cell;
use record::stage::{RunStage, StageTimes};
use units::exact;

use crate::terminal::{self, TerminalScreen};

/// Returns the table of the stages of a run in order, with the share of each in the whole, and what each launch (or
/// launch pair) costs of those that recur. Ends with a new line; empty where no time is known.
pub fn table(stages: &StageTimes, launches: usize, screen: TerminalScreen) -> String {
    let whole = units::total(stages.values().copied());
    if whole == 0 {
        return String::new();
    }
    let mut table = terminal::table(screen);
    let [stage, seconds, share, each] = ["stage", "seconds", "share", "a launch"];
    table.set_header(vec![
        Cell::new(stage),
        terminal::right(seconds),
        terminal::right(share),
        terminal::right(each),
    ]);
    for (stage, ns) in stages {
        table.add_row(row(stage.name(), *ns, whole, stage.is_of_launch().then_some(launches)));
    }
    let recurs = |(stage, _): &(&RunStage, &u64)| stage.is_of_launch();
    let launched = units::total(stages.iter().filter(recurs).map(|(_, ns)| *ns));
    table.add_row(row("all", whole, whole, None));
    if launches > 0 {
        table.add_row(row("all of launches", launched, whole, Some(launches)));
    }
    table.trim_fmt() + "\n"
}

fn row(name: &str, ns: u64, whole: u64, launches: Option<usize>) -> Vec<Cell> {
    let seconds = exact(ns) / 1e9;
    let each = launches.filter(|it| *it > 0).map(|it| seconds / exact(it as u64));
    vec![
        Cell::new(name),
        terminal::right(&format!("{seconds:.2}")),
        terminal::right(&format!("{:.0} %", 100.0 * exact(ns) / exact(whole))),
        terminal::right(&each.map(|it| format!("{it:.3}")).unwrap_or_default()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terminal::ColorMode;

    #[test]
    fn stages_stand_in_order_with_shares_and_what_a_launch_costs() {
        let s = 1_000_000_000;
        let stages = StageTimes::from([
            (RunStage::Load, 6 * s),
            (RunStage::Build, 2 * s),
            (RunStage::Launch, s),
            (RunStage::Other, s),
        ]);
        let screen = TerminalScreen { width: 80, paint: ColorMode::Plain };
        insta::assert_snapshot!(table(&stages, 4, screen), @"
         stage               seconds  share  a launch
        ──────────────────────────────────────────────
         build                  2.00   20 %
         launch until ready     1.00   10 %     0.250
         load                   6.00   60 %     1.500
         other                  1.00   10 %
         all                   10.00  100 %
         all of launches        7.00   70 %     1.750
        ");
        assert_eq!(table(&StageTimes::new(), 4, screen), "");
    }
}
