use std::collections::BTreeMap;

use super::terminal::{ColorMode, TerminalScreen};
use super::{html, json, markdown, terminal, wording};
use compare::{Comparison, attempts};
use record::evidence::{EvidenceGap, EvidenceState};
use record::fixtures::{LEVEL, SampleLaunch, counted, paired, remembered};
use record::metric::Metric;
use record::{
    EarlyEnd, FailureReport, FunctionsInPlace, IdenticalProgram, LaunchResults, LayoutObstacle,
    LayoutState, MappingState, PlacementMethod, PlacementRecord, Run, Side,
};

fn comparison(run: &Run) -> Comparison {
    Comparison::of(run).unwrap()
}

fn on_terminal(run: &Run, width: u16) -> String {
    let mut out = Vec::new();
    terminal::write(&mut out, &comparison(run), TerminalScreen { width, paint: ColorMode::Plain })
        .unwrap();
    String::from_utf8(out).unwrap()
}

/// CPU 10 % up, memory a third down.
fn mixed() -> Run {
    paired(10, LEVEL, SampleLaunch { cpu_us: 572, rss_mib: 16, ..LEVEL })
}

#[test]
fn a_terminal_shows_the_table_and_ends_with_the_verdict() {
    insta::assert_snapshot!(on_terminal(&mixed(), 100), @"
    head (9f3c2ab) vs main (1d20e77) · 10 launch pairs of at most 40 interleaved on one machine, 52.0 s
        · chance of a false alarm ≤ 1 % over 3 comparisons

     scenario  metric                 head   change     interval, %  better┊worse   verdict
    ─────────────────────────────────────────────────────────────────────────────────────────────────
     smoke     CPU per XML         5.72 µs  +10.0 %   [+9.6, +10.3]        ┊▲       regressed
               pair                                                                 (tolerance 3 %)
     smoke     latency             1.90 ms  −0.04 %  [−0.34, +0.25]        ●        unchanged (±3 %)
     smoke     p50                 1.90 ms  −0.05 %  [−0.34, +0.27]        ◇        reported only
     smoke     p95                 2.07 ms  −0.05 %  [−0.35, +0.25]        ◇        reported only
     smoke     p99                 2.08 ms  −0.05 %  [−0.35, +0.25]        ◇        reported only
     smoke     throughput   52 655 pairs/s  +0.04 %  [−0.25, +0.34]        ◇        reported only
     smoke     peak RSS           16.0 MiB  −33.3 %  [−33.3, −33.3]   ▼    ┊        improved

     scenario  limit             promised        measured  holds
    ─────────────────────────────────────────────────────────────
     smoke     errors              <= 0 %             0 %  yes
     smoke     throughput  >= 333 pairs/s  52 653 pairs/s  yes

    smoke: xml-compare-batch, closed, 1 connection; times count from when a request was sent (service
        time)

    Visible four times in five, from: smoke CPU per XML pair 1.2 %, smoke latency 1.2 %, smoke peak RSS
    1.0 %. Would have been seen here: smoke CPU per XML pair +1.4 %, smoke latency +1.4 %, smoke peak
    RSS +1.0 %

    1 regression — smoke CPU per XML pair +10.0 %
    ");
}

/// As the second attempt after one of 14 launch pairs, on the machine of that one.
fn second_attempt(gap: Option<EvidenceGap>) -> Run {
    let (key, run) = ("k1".to_owned(), "77".to_owned());
    let state = EvidenceState { key, number: 1, run, since: 1, gap: None, earlier: Vec::new() };
    let first = Run { evidence: Some(state.clone()), ..mixed() };
    let earlier = attempts::attempt(&first).unwrap().into_iter().filter(|_| gap.is_none());
    let since = if gap.is_some() { 2 } else { 1 };
    let state = EvidenceState { number: 2, since, earlier: earlier.collect(), gap, ..state };
    Run { evidence: Some(state), ..mixed() }
}

#[test]
fn the_attempt_and_its_evidence_stand_in_every_form() {
    let run = second_attempt(None);
    let said = "2nd attempt, 20 launch pairs in all, on 1 machine; evidence for slower ";
    assert!(on_terminal(&run, 200).contains(said), "{}", on_terminal(&run, 200));
    assert!(markdown::render(&comparison(&run)).contains(&said.replace("slower", "*slower*")));
    let report: serde_json::Value = serde_json::from_str(&json::render(&comparison(&run))).unwrap();
    assert_eq!(report["attempts"]["launch_pairs"], 20);
    assert_eq!(report["attempts"]["evidence_for"], "regressed");
    let odds = report["attempts"]["evidence"].as_f64().unwrap();
    assert!((1e3..1e7).contains(&odds), "{odds}");
    let gap = second_attempt(Some(EvidenceGap::Missing));
    let line = wording::attempts(&comparison(&gap)).unwrap();
    let lost = " : 1. The record of the attempts before is missing: evidence begins anew, at 1/6 of the \
                error rate";
    assert!(line.starts_with("2nd attempt, 10 launch pairs in all, on 1 machine; "), "{line}");
    assert!(line.ends_with(lost), "{line}");
}

/// Rows that break what is careless: other scripts, markup, a name without an end, limits without one.
fn ugly() -> Run {
    let mut run = paired(4, LEVEL, LEVEL);
    let scenario = run.scenarios.remove(0);
    let slow = mixed().scenarios.remove(0);
    for (name, of) in [
        ("比較・大きな文書", &slow),
        ("a|b `c` <b>", &scenario),
        ("a-name-without-a-space-that-is-longer-than-its-column", &scenario),
    ] {
        run.scenarios.push(record::ScenarioRun { name: name.to_owned(), ..of.clone() });
    }
    run
}

#[test]
fn no_line_of_a_terminal_is_wider_than_its_screen() {
    use unicode_width::UnicodeWidthStr as _;
    for (run, widths) in [
        (mixed(), &[60, 80, 100, 120, 160][..]),
        (ugly(), &[60, 80, 100, 120, 160]),
        (waiting(), &[60, 80, 100, 120, 160]),
        (suspicious(), &[60, 80, 100, 120, 160]),
        // Its table of functions has four columns of numbers before a name.
        (more_work(), &[80, 100, 120, 160]),
    ] {
        for &width in widths {
            let text = on_terminal(&run, width);
            // The headline is one line, by which programs find it.
            let headline = wording::headline(&Comparison::of(&run).unwrap()).text.replace('`', "");
            let mut lines = text.lines().filter(|line| *line != headline);
            let wide = lines.find(|line| line.width() > usize::from(width));
            // A word of its own may be wider than a line.
            let is_one_word = |line: &&str| line.split_whitespace().count() <= 2;
            assert_eq!(wide.filter(|line| !is_one_word(line)), None, "{width} columns: {text}");
        }
    }
}

/// The table of metrics alone.
fn table(run: &Run, width: u16) -> String {
    let text = on_terminal(run, width);
    let rows = text.lines().skip_while(|line| !line.contains("scenario"));
    rows.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_table_of_60_columns_has_changes_and_verdicts() {
    insta::assert_snapshot!(table(&ugly(), 60), @"
     scenario           metric        change  verdict
    ────────────────────────────────────────────────────────────
     比較・大きな文書   CPU per XML  +10.0 %  can't tell: too
                        pair                  few launch pairs
     比較・大きな文書   latency      +0.02 %  can't tell: too
                                              few launch pairs
     比較・大きな文書   p50          −0.05 %  reported only
     比較・大きな文書   p95          −0.05 %  reported only
     比較・大きな文書   p99          −0.05 %  reported only
     比較・大きな文書   throughput   +0.04 %  reported only
     比較・大きな文書   peak RSS     −33.3 %  can't tell: too
                                              few launch pairs
     a|b `c` <b>        CPU per XML  +0.02 %  can't tell: too
                        pair                  few launch pairs
     a|b `c` <b>        latency      +0.02 %  can't tell: too
                                              few launch pairs
     a|b `c` <b>        p50          +0.01 %  reported only
     a|b `c` <b>        p95          +0.01 %  reported only
     a|b `c` <b>        p99          +0.02 %  reported only
     a|b `c` <b>        throughput   −0.02 %  reported only
     a|b `c` <b>        peak RSS       0.0 %  can't tell: too
                                              few launch pairs
     a-name-without-a-  CPU per XML  +0.02 %  can't tell: too
     space-that-is-lon  pair                  few launch pairs
     ger-than-its-colu
     mn
     a-name-without-a-  latency      +0.02 %  can't tell: too
     space-that-is-lon                        few launch pairs
     ger-than-its-colu
     mn
     a-name-without-a-  p50          +0.01 %  reported only
     space-that-is-lon
     ger-than-its-colu
     mn
     a-name-without-a-  p95          +0.01 %  reported only
     space-that-is-lon
     ger-than-its-colu
     mn
     a-name-without-a-  p99          +0.02 %  reported only
     space-that-is-lon
     ger-than-its-colu
     mn
     a-name-without-a-  throughput   −0.02 %  reported only
     space-that-is-lon
     ger-than-its-colu
     mn
     a-name-without-a-  peak RSS       0.0 %  can't tell: too
     space-that-is-lon                        few launch pairs
     ger-than-its-colu
     mn
    ");
}

#[test]
fn a_table_of_80_columns_has_intervals_too() {
    insta::assert_snapshot!(table(&ugly(), 80), @"
     scenario           metric             change     interval, %  verdict
    ────────────────────────────────────────────────────────────────────────────────
     比較・大きな文書   CPU per XML pair  +10.0 %       unbounded  can't tell: too
                                                                   few launch pairs
     比較・大きな文書   latency           +0.02 %       unbounded  can't tell: too
                                                                   few launch pairs
     比較・大きな文書   p50               −0.05 %  [−0.34, +0.27]  reported only
     比較・大きな文書   p95               −0.05 %  [−0.35, +0.25]  reported only
     比較・大きな文書   p99               −0.05 %  [−0.35, +0.25]  reported only
     比較・大きな文書   throughput        +0.04 %  [−0.25, +0.34]  reported only
     比較・大きな文書   peak RSS          −33.3 %       unbounded  can't tell: too
                                                                   few launch pairs
     a|b `c` <b>        CPU per XML pair  +0.02 %       unbounded  can't tell: too
                                                                   few launch pairs
     a|b `c` <b>        latency           +0.02 %       unbounded  can't tell: too
                                                                   few launch pairs
     a|b `c` <b>        p50               +0.01 %       unbounded  reported only
     a|b `c` <b>        p95               +0.01 %       unbounded  reported only
     a|b `c` <b>        p99               +0.02 %       unbounded  reported only
     a|b `c` <b>        throughput        −0.02 %       unbounded  reported only
     a|b `c` <b>        peak RSS            0.0 %       unbounded  can't tell: too
                                                                   few launch pairs
     a-name-without-a-  CPU per XML pair  +0.02 %       unbounded  can't tell: too
     space-that-is-lon                                             few launch pairs
     ger-than-its-colu
     mn
     a-name-without-a-  latency           +0.02 %       unbounded  can't tell: too
     space-that-is-lon                                             few launch pairs
     ger-than-its-colu
     mn
     a-name-without-a-  p50               +0.01 %       unbounded  reported only
     space-that-is-lon
     ger-than-its-colu
     mn
     a-name-without-a-  p95               +0.01 %       unbounded  reported only
     space-that-is-lon
     ger-than-its-colu
     mn
     a-name-without-a-  p99               +0.02 %       unbounded  reported only
     space-that-is-lon
     ger-than-its-colu
     mn
     a-name-without-a-  throughput        −0.02 %       unbounded  reported only
     space-that-is-lon
     ger-than-its-colu
     mn
     a-name-without-a-  peak RSS            0.0 %       unbounded  can't tell: too
     space-that-is-lon                                             few launch pairs
     ger-than-its-colu
     mn
    ");
}

#[test]
fn a_table_of_100_columns_draws_the_intervals() {
    insta::assert_snapshot!(table(&ugly(), 100), @"
     scenario          metric           head   change       interval, %  better┊worse   verdict
    ────────────────────────────────────────────────────────────────────────────────────────────────────
     比較・大きな文書  CPU per XML   5.72 µs  +10.0 %         unbounded  ←───────────→  can't tell: too
                       pair                                                             few launch
                                                                                        pairs
     比較・大きな文書  latency       1.90 ms  +0.02 %         unbounded  ←─────◌─────→  can't tell: too
                                                                                        few launch
                                                                                        pairs
     比較・大きな文書  p50           1.90 ms  −0.05 %    [−0.34, +0.27]        ◇        reported only
     比較・大きな文書  p95           2.07 ms  −0.05 %    [−0.35, +0.25]        ◇        reported only
     比較・大きな文書  p99           2.08 ms  −0.05 %    [−0.35, +0.25]        ◇        reported only
     比較・大きな文書  throughput     52 655  +0.04 %    [−0.25, +0.34]        ◇        reported only
                                     pairs/s
     比較・大きな文書  peak RSS     16.0 MiB  −33.3 %         unbounded  ←───────────→  can't tell: too
                                                                                        few launch
                                                                                        pairs
     a|b `c` <b>       CPU per XML   5.20 µs  +0.02 %         unbounded  ←─────◌─────→  can't tell: too
                       pair                                                             few launch
                                                                                        pairs
     a|b `c` <b>       latency       1.90 ms  +0.02 %         unbounded  ←─────◌─────→  can't tell: too
                                                                                        few launch
                                                                                        pairs
     a|b `c` <b>       p50           1.90 ms  +0.01 %         unbounded  ←─────◇─────→  reported only
     a|b `c` <b>       p95           2.07 ms  +0.01 %         unbounded  ←─────◇─────→  reported only
     a|b `c` <b>       p99           2.08 ms  +0.02 %         unbounded  ←─────◇─────→  reported only
     a|b `c` <b>       throughput     52 660  −0.02 %         unbounded  ←─────◇─────→  reported only
                                     pairs/s
     a|b `c` <b>       peak RSS     24.0 MiB    0.0 %         unbounded  ←─────◌─────→  can't tell: too
                                                                                        few launch
                                                                                        pairs
     a-name-without-a  CPU per XML   5.20 µs  +0.02 %         unbounded  ←─────◌─────→  can't tell: too
     -space-that-is-l  pair                                                             few launch
     onger-than-its-c                                                                   pairs
     olumn
     a-name-without-a  latency       1.90 ms  +0.02 %         unbounded  ←─────◌─────→  can't tell: too
     -space-that-is-l                                                                   few launch
     onger-than-its-c                                                                   pairs
     olumn
     a-name-without-a  p50           1.90 ms  +0.01 %         unbounded  ←─────◇─────→  reported only
     -space-that-is-l
     onger-than-its-c
     olumn
     a-name-without-a  p95           2.07 ms  +0.01 %         unbounded  ←─────◇─────→  reported only
     -space-that-is-l
     onger-than-its-c
     olumn
     a-name-without-a  p99           2.08 ms  +0.02 %         unbounded  ←─────◇─────→  reported only
     -space-that-is-l
     onger-than-its-c
     olumn
     a-name-without-a  throughput     52 660  −0.02 %         unbounded  ←─────◇─────→  reported only
     -space-that-is-l                pairs/s
     onger-than-its-c
     olumn
     a-name-without-a  peak RSS     24.0 MiB    0.0 %         unbounded  ←─────◌─────→  can't tell: too
     -space-that-is-l                                                                   few launch
     onger-than-its-c                                                                   pairs
     olumn
    ");
}

#[test]
fn a_table_of_120_columns_has_base_beside_the_intervals_that_it_draws() {
    insta::assert_snapshot!(table(&mixed(), 120), @"
     scenario  metric                      base            head   change     interval, %   better┊worse    verdict
    ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
     smoke     CPU per XML pair         5.20 µs         5.72 µs  +10.0 %   [+9.6, +10.3]         ┊▲┤       regressed
                                                                                                           (tolerance 3 %)
     smoke     latency                  1.90 ms         1.90 ms  −0.04 %  [−0.34, +0.25]         ●         unchanged (±3 %)
     smoke     p50                      1.90 ms         1.90 ms  −0.05 %  [−0.34, +0.27]         ◇         reported only
     smoke     p95                      2.07 ms         2.07 ms  −0.05 %  [−0.35, +0.25]         ◇         reported only
     smoke     p99                      2.09 ms         2.08 ms  −0.05 %  [−0.35, +0.25]         ◇         reported only
     smoke     throughput        52 633 pairs/s  52 655 pairs/s  +0.04 %  [−0.25, +0.34]         ◇         reported only
     smoke     peak RSS                24.0 MiB        16.0 MiB  −33.3 %  [−33.3, −33.3]   ▼     ┊         improved
    ");
    insta::assert_snapshot!(table(&mixed(), 160), @"
     scenario  metric                      base            head   change     interval, %         better┊worse          verdict
    ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
     smoke     CPU per XML pair         5.20 µs         5.72 µs  +10.0 %   [+9.6, +10.3]               ┊  ▲            regressed (tolerance 3 %)
     smoke     latency                  1.90 ms         1.90 ms  −0.04 %  [−0.34, +0.25]               ●               unchanged (±3 %)
     smoke     p50                      1.90 ms         1.90 ms  −0.05 %  [−0.34, +0.27]               ◇               reported only
     smoke     p95                      2.07 ms         2.07 ms  −0.05 %  [−0.35, +0.25]               ◇               reported only
     smoke     p99                      2.09 ms         2.08 ms  −0.05 %  [−0.35, +0.25]               ◇               reported only
     smoke     throughput        52 633 pairs/s  52 655 pairs/s  +0.04 %  [−0.25, +0.34]               ◇               reported only
     smoke     peak RSS                24.0 MiB        16.0 MiB  −33.3 %  [−33.3, −33.3]   ▼           ┊               improved
    ");
}

#[test]
fn a_narrow_terminal_wraps_instead_of_losing_anything() {
    let narrow = on_terminal(&mixed(), 60);
    assert!(narrow.lines().all(|line| line.chars().count() <= 60), "{narrow}");
    insta::assert_snapshot!(narrow, @"
    head (9f3c2ab) vs main (1d20e77) · 10 launch pairs of at
        most 40 interleaved on one machine, 52.0 s · chance of a
        false alarm ≤ 1 % over 3 comparisons

     scenario  metric             change  verdict
    ────────────────────────────────────────────────────────────
     smoke     CPU per XML pair  +10.0 %  regressed (tolerance
                                          3 %)
     smoke     latency           −0.04 %  unchanged (±3 %)
     smoke     p50               −0.05 %  reported only
     smoke     p95               −0.05 %  reported only
     smoke     p99               −0.05 %  reported only
     smoke     throughput        +0.04 %  reported only
     smoke     peak RSS          −33.3 %  improved

     scenario  limit       promised        measured  holds
    ───────────────────────────────────────────────────────
     smoke     errors        <= 0 %             0 %  yes
     smoke     throughput    >= 333  52 653 pairs/s  yes
                            pairs/s

    smoke: xml-compare-batch, closed, 1 connection; times count
        from when a request was sent (service time)

    Visible four times in five, from: smoke CPU per XML pair
    1.2 %, smoke latency 1.2 %, smoke peak RSS 1.0 %. Would have
    been seen here: smoke CPU per XML pair +1.4 %, smoke latency
    +1.4 %, smoke peak RSS +1.0 %

    1 regression — smoke CPU per XML pair +10.0 %
    ");
}

#[test]
fn markdown_puts_what_changed_first_and_folds_the_rest() {
    insta::assert_snapshot!(markdown::render(&comparison(&mixed())), @"
    ### 🔴 xmlperf: 1 regression — `smoke` CPU per XML pair +10.0 %
    <sub>head (9f3c2ab) vs main (1d20e77) · 10 launch pairs of at most 40 interleaved on one machine, 52.0 s · chance of a false alarm ≤ 1 % over 3 comparisons · 1 slower, 1 faster, 0 can't tell, 1 unchanged</sub>

    |  | Scenario | Metric | main | PR | Change | Interval | Verdict |
    |:-:|:--|:--|--:|--:|--:|:-:|:--|
    | 🔴 | `smoke` | CPU per XML pair | 5.20 µs | 5.72 µs | **+10.0 %** | [+9.6, +10.3] | regressed (tolerance 3 %) |
    | 🟢 | `smoke` | peak RSS | 24.0 MiB | 16.0 MiB | −33.3 % | [−33.3, −33.3] | improved |

    > [!TIP]
    > Reproduce: `xmlperf compare --baseline 1d20e770aa --scenario smoke`

    <details><summary>All metrics</summary>

    |  | Scenario | Metric | main | PR | Change | Interval | Verdict |
    |:-:|:--|:--|--:|--:|--:|:-:|:--|
    | ✅ | `smoke` | latency | 1.90 ms | 1.90 ms | −0.04 % | [−0.34, +0.25] | unchanged (±3 %) |
    |  | `smoke` | p50 | 1.90 ms | 1.90 ms | −0.05 % | [−0.34, +0.27] | reported only |
    |  | `smoke` | p95 | 2.07 ms | 2.07 ms | −0.05 % | [−0.35, +0.25] | reported only |
    |  | `smoke` | p99 | 2.09 ms | 2.08 ms | −0.05 % | [−0.35, +0.25] | reported only |
    |  | `smoke` | throughput | 52 633 pairs/s | 52 655 pairs/s | +0.04 % | [−0.25, +0.34] | reported only |

    </details>
    <details><summary>Limits: all hold</summary>

    |  | Scenario | Limit | Promised | Measured |
    |:-:|:--|:--|--:|--:|
    | ✅ | `smoke` | errors | &lt;= 0 % | 0 % |
    | ✅ | `smoke` | throughput | &gt;= 333 pairs/s | 52 653 pairs/s |

    </details>
    <details><summary>Load, target, failures</summary>

    ```text
    smoke: xml-compare-batch, closed, 1 connection; times count from when a request was sent (service time)
    ```

    </details>
    <details><summary>Method and machine</summary>

    Base and head ran side by side in fresh launches; which came first was drawn by coin for every launch pair and every slice. Base and head are typical launches: medians over launches, and of percentiles all requests together. The change is estimated within launch pairs, so it need not be their quotient. Evidence from one number per launch pair, which may be looked at after each of them and adds up over attempts (test martingales); the family is closed by means; limits that hold at any time, Hodges-Lehmann estimates.

    Visible four times in five, from&#58; `smoke` CPU per XML pair 1.2 %, `smoke` latency 1.2 %, `smoke` peak RSS 1.0 %. Would have been seen here&#58; `smoke` CPU per XML pair +1.4 %, `smoke` latency +1.4 %, `smoke` peak RSS +1.0 %.

    AMD EPYC, 2 cores, 24.0 GiB, Linux 6.1, Debian GNU/Linux 12 · coins 7 · xmlperf 0.1.0

    </details>
    ");
}

#[test]
fn a_comment_has_five_rows_open_and_says_how_many_more_there_are() {
    let mut run = mixed();
    let scenario = run.scenarios.remove(0);
    let named = |i| record::ScenarioRun { name: format!("\u{202e}s{i}"), ..scenario.clone() };
    run.scenarios = (0..6).map(named).collect();
    let text = markdown::render(&comparison(&run));
    let (open, folded) = text.split_once("<details>").unwrap();
    let rows = open.lines().filter(|line| line.starts_with("| ") && line.contains("`s"));
    assert_eq!(rows.count(), 5, "{open}");
    assert!(open.contains("7 more rows changed or could not be decided"), "{open}");
    assert!(open.lines().filter(|line| !line.is_empty()).count() <= 12, "{open}");
    assert!(folded.contains("| `s5` | CPU per XML pair |"), "{folded}");
    assert!(!text.contains('\u{202e}'), "a name turns the direction of what follows");
}

#[test]
fn no_change_is_one_line_and_folded_tables() {
    let text = markdown::render(&comparison(&paired(10, LEVEL, LEVEL)));
    let open = text.split("<details>").next().unwrap();
    insta::assert_snapshot!(open, @"
    ### ✅ xmlperf: no regression ≥ 5 % in 1 scenario (52.0 s)
    <sub>head (9f3c2ab) vs main (1d20e77) · 10 launch pairs of at most 40 interleaved on one machine, 52.0 s · chance of a false alarm ≤ 1 % over 3 comparisons · 0 slower, 0 faster, 0 can't tell, 3 unchanged</sub>
    ");
}

#[test]
fn one_program_on_both_sides_is_named_by_its_digest_in_every_format() {
    let sha256 = "0123456789abcdef".repeat(4);
    let executable = Some("target/api_v1".to_owned());
    let program = IdenticalProgram { sha256: sha256.clone(), executable };
    let run = Run { identical: Some(program), ..paired(0, LEVEL, LEVEL) };
    insta::assert_snapshot!(on_terminal(&run, 100), @"
    head (9f3c2ab) vs main (1d20e77) · nothing measured

    Both builds of target/api_v1 are byte for byte one program, own libraries included (sha256
    0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef), and between the commits only
    documentation changed, or what the target's tree does not hold. Whatever a measurement showed would
    be an error of it; --always-measure measures all the same

    identical program, sha256 0123456789ab — nothing to measure
    ");
    let text = markdown::render(&comparison(&run));
    insta::assert_snapshot!(text.split("<details>").next().unwrap(), @"
    ### ✅ xmlperf: identical program, sha256 0123456789ab — nothing to measure
    <sub>head (9f3c2ab) vs main (1d20e77) · nothing measured</sub>

    Both builds of target/api\\_v1 are byte for byte one program, own libraries included (sha256 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef), and between the commits only documentation changed, or what the target's tree does not hold. Whatever a measurement showed would be an error of it; --always-measure measures all the same.
    ");
    let page = super::html::render(&comparison(&run));
    assert!(page.contains("identical program, sha256 0123456789ab") && page.contains(&sha256));
    let json: serde_json::Value = serde_json::from_str(&json::render(&comparison(&run))).unwrap();
    assert_eq!(json["identical"]["sha256"], sha256.as_str());
    assert_eq!((&json["outcome"], json["metrics"].as_array().unwrap().len()), (&"pass".into(), 0));
}

#[test]
fn what_could_not_be_measured_is_the_headline() {
    let mut run = paired(3, LEVEL, LEVEL);
    let reason = FailureReport {
        excerpts: vec!["fatal: the disk is on fire ``` @team".to_owned()],
        ..FailureReport::from("exited with status 7")
    };
    run.ended =
        Some(EarlyEnd::Failed { side: Side::Head, scenario: Some("smoke".to_owned()), reason });
    let text = markdown::render(&comparison(&run));
    insta::assert_snapshot!(text.split("<details>").next().unwrap(), @"
    ### ❌ xmlperf: could not measure — head in `smoke`&#58; exited with status 7
    <sub>head (9f3c2ab) vs main (1d20e77) · 3 launch pairs of at most 40 interleaved on one machine, 52.0 s · chance of a false alarm ≤ 1 % over 3 comparisons · 0 slower, 0 faster, 3 can't tell, 0 unchanged</sub>

    ```text
    head in `smoke`: exited with status 7

    fatal: the disk is on fire ''' @team
    ```
    ");
}

#[test]
fn a_run_alone_shows_values_and_limits() {
    let mut run = paired(2, LEVEL, LEVEL);
    run.base = None;
    let head = run.scenarios[0].head().into_iter().cloned().collect();
    run.scenarios[0].trials = LaunchResults::Single(head);
    insta::assert_snapshot!(on_terminal(&run, 100), @"
    head (9f3c2ab) · 2 launches on one machine, 52.0 s

     scenario  metric                     value
    ────────────────────────────────────────────
     smoke     CPU per XML pair         5.20 µs
     smoke     latency                  1.90 ms
     smoke     p50                      1.90 ms
     smoke     p95                      2.07 ms
     smoke     p99                      2.08 ms
     smoke     throughput        52 676 pairs/s
     smoke     peak RSS                24.0 MiB

     scenario  limit             promised        measured  holds
    ─────────────────────────────────────────────────────────────
     smoke     errors              <= 0 %             0 %  yes
     smoke     throughput  >= 333 pairs/s  52 676 pairs/s  yes

    smoke: xml-compare-batch, closed, 1 connection; times count from when a request was sent (service
        time)

    all limits hold in 1 scenario (52.0 s)
    ");
}

#[test]
fn names_cannot_become_markup() {
    let mut run = paired(10, LEVEL, SampleLaunch { cpu_us: 572, ..LEVEL });
    let name = "x`|<!-- @team **b** [l](http://e.vil) </details>";
    run.scenarios[0].name = name.to_owned();
    run.base.as_mut().unwrap().label = name.to_owned();
    let text = markdown::render(&comparison(&run));
    let outside_code: String = text.split('`').step_by(2).collect();
    for markup in ["<!--", "@team", "**b**", "[l](", "http://"] {
        assert!(!outside_code.contains(markup), "`{markup}` survived in:\n{text}");
    }
    assert_eq!(outside_code.matches("</details>").count(), 4, "{text}");
    assert!(!text.contains("Reproduce"), "no command is better than one that runs something else");
    let cells = |line: &&str| line.replace("\\|", "").matches('|').count() == 9;
    assert!(
        text.lines().filter(|line| line.starts_with('|')).take(3).all(|line| cells(&line)),
        "{text}"
    );
}

#[test]
fn json_holds_what_the_table_holds() {
    let text = json::render(&comparison(&mixed()));
    let report: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["outcome"], "regressed");
    let metrics = report["metrics"].as_array().unwrap();
    let cpu = metrics.iter().find(|row| row["metric"] == "cpu").unwrap();
    assert_eq!(cpu["verdict"], "regressed");
    assert!((cpu["change"].as_f64().unwrap() - 0.1).abs() < 0.003);
    assert_eq!(cpu["sample"], 10);
}

/// Nothing slower by the clock, and two percent more instructions.
fn more_work() -> Run {
    let mut run = paired(10, LEVEL, LEVEL);
    run.scenarios[0].work = Some(counted(64_800.0, 66_420.0));
    run
}

#[test]
fn a_terminal_says_where_the_work_grew() {
    let text = on_terminal(&more_work(), 100);
    let (_, why) = text.split_once("Where the work").unwrap();
    insta::assert_snapshot!(why, @"
     grew in smoke, in instructions per XML pair:

         base      head    change with calls  function
       44 800    46 420     +1620      +1620  api::parse  src/xml.rs

    1 regression — smoke work per XML pair +2.5 %
    ");
}

#[test]
fn markdown_folds_where_the_work_grew() {
    let text = markdown::render(&comparison(&more_work()));
    let (_, why) = text.split_once("<details>").unwrap();
    let (why, _) = why.split_once("</details>").unwrap();
    insta::assert_snapshot!(why, @"
    <summary>Where the work grew (callgrind)</summary>

    | Function | File | main | PR | Δ | Δ with calls |
    |:--|:--|--:|--:|--:|--:|
    | `api::parse` | src/xml.rs | 44 800 | 46 420 | **+1620** | +1620 |

    Instructions per XML pair.
    ");
    let calm = markdown::render(&comparison(&paired(10, LEVEL, LEVEL)));
    assert!(!calm.contains("Where the work"), "{calm}");
}

/// More work, of which a revert of a hunk of `src/xml.rs` takes so much away.
fn explained(variant: f64) -> Run {
    let mut run = more_work();
    run.scenarios[0].work = Some(record::fixtures::explained(64_800.0, 66_420.0, variant));
    run
}

#[test]
fn a_proven_hunk_is_said_first_and_a_ranked_one_is_called_ranked() {
    let text = on_terminal(&explained(64_850.0), 100);
    let (_, why) = text.split_once("src/xml.rs\n").unwrap();
    insta::assert_snapshot!(why, @"
    src/xml.rs:118–131: 2.4 of +2.5 % of the work goes when this is reverted (measured, 5 launches),
        together with src/a_b.rs:118–131, without which it does not build

       change     share  hunk, ranked by
        +1620     100 %  src/xml.rs:118–131  its lines

         base      head    change  line
            0      1620     +1620  src/xml.rs:120  changed  api::parse

    1 regression — smoke work per XML pair +2.5 %
    ");
    let text = on_terminal(&explained(66_000.0), 100);
    assert!(text.contains("Not explained by one hunk: 1 hunk reverted alone, and halves of all."));
    assert!(text.contains("100 %  src/xml.rs:118–131  its lines"), "{text}");
}

#[test]
fn a_comment_has_the_hunk_above_the_fold_and_lines_below() {
    let text = markdown::render(&comparison(&explained(64_850.0)));
    let (above, below) = text.split_once("<details>").unwrap();
    let line = above.lines().find(|line| line.contains("src/xml.rs:118–131")).unwrap();
    insta::assert_snapshot!(line, @"`src/xml.rs:118–131`&#58; 2.4 of +2.5 % of the work goes when this is reverted (measured, 5 launches), together with `src/a_b.rs:118–131`, without which it does not build.");
    let (why, _) = below.split_once("</details>").unwrap();
    let (_, tables) = why.split_once("Instructions per XML pair. \n").unwrap();
    insta::assert_snapshot!(tables, @"

    | Hunk, ranked by costs of lines | Δ | of the growth | by |
    |:--|--:|--:|:--|
    | `src/xml.rs:118–131` | **+1620** | 100 % | its lines |

    | Line |  | Function | base | PR | Δ |
    |:--|:--|:--|--:|--:|--:|
    | `src/xml.rs:120` | changed | `api::parse` | 0 | 1620 | **+1620** |
    ");
}

#[test]
fn other_formats_have_the_proof_too() {
    let comparison = comparison(&explained(64_850.0));
    // The lines of a file are held together.
    let page = html::render(&comparison).replace("<span class=\"nb\">", "");
    assert!(
        page.contains("src/xml.rs:118–131") && page.contains("of the work goes when"),
        "{page}"
    );
    assert!(page.contains("by line and function"));
    let report: serde_json::Value = serde_json::from_str(&json::render(&comparison)).unwrap();
    let work = &report["work"][0];
    assert_eq!(work["proven"][0]["hunks"][0]["path"], "src/xml.rs");
    assert!((work["proven"][0]["share"].as_f64().unwrap() - 0.969).abs() < 0.001);
    assert_eq!(work["causes"]["lines"][0]["line"], 120);
}

/// A suspicion: latency and CPU 7 % above ten days that scatter by 2 %.
fn suspicious() -> Run {
    let slower = SampleLaunch { latency_us: 2_033, cpu_us: 556, ..LEVEL };
    remembered(&[0, 14, -22, 31, -9, 18, -27, 5, -16, 8], slower)
}

#[test]
fn a_stored_comparison_says_what_it_rests_on_and_what_it_cannot_see() {
    insta::assert_snapshot!(on_terminal(&suspicious(), 100), @"
    head (9f3c2ab) vs main (0000000) · 5 launches against 10 stored runs, 52.0 s · chance of a false
        alarm ≤ 2.5 % over 3 comparisons, if days differ by up to 3 %
    Baseline main (0000000) in baselines: run 000000000009 of 2026-11-10T10:00:00Z, 13 days before head,
    on the same kind of machine; 10 runs up to it

     scenario  metric                 head  change     interval, %  better┊worse   verdict
    ────────────────────────────────────────────────────────────────────────────────────────────────────
     smoke     CPU per XML         5.55 µs  +6.8 %  [+0.36, +13.6]        ├──◌─┤   suspected, not
               pair                                                                confirmed
                                                                                   (p = 0.021, 10 runs)
     smoke     latency             2.03 ms  +6.8 %  [+0.43, +13.7]        ├──◌─┤   suspected, not
                                                                                   confirmed
                                                                                   (p = 0.021, 10 runs)
     smoke     p50                 2.03 ms  +6.8 %  [+0.35, +13.6]        ├──◇─┤   reported only
     smoke     p95                 2.21 ms  +6.8 %  [+0.43, +13.7]        ├──◇─┤   reported only
     smoke     p99                 2.23 ms  +6.6 %  [+0.21, +13.4]        ├──◇─┤   reported only
     smoke     throughput   49 256 pairs/s                                         not shown: no stored
                                                                                   run has throughput
                                                                                   of this scenario
     smoke     peak RSS           24.0 MiB   0.0 %    [−6.0, +6.4]     ├──◇──┤     none found
                                                                                   (needs ≥ 7.9 %)

     scenario  limit             promised        measured  holds
    ─────────────────────────────────────────────────────────────
     smoke     errors              <= 0 %             0 %  yes
     smoke     throughput  >= 333 pairs/s  49 217 pairs/s  yes

    smoke CPU per XML pair: measuring side by side, or a second job, decides it
    smoke latency: measuring side by side, or a second job, decides it

    smoke: xml-compare-batch, closed, 1 connection; times count from when a request was sent (service
        time)

    Visible four times in five, from: smoke CPU per XML pair 7.9 %, smoke latency 7.9 %, smoke peak RSS
    7.9 %

    suspected, not confirmed — smoke CPU per XML pair +6.8 %
    ");
}

#[test]
fn a_page_names_the_run_that_stood_for_the_base() {
    let markdown = markdown::render(&comparison(&suspicious()));
    for expected in [
        "suspected, not confirmed",
        "run 000000000009 of 2026-11-10T10&#58;00&#58;00Z, 13 days before head, on the same kind of machine",
        "xmlperf compare --baseline main --mode stored --scenario smoke",
    ] {
        assert!(markdown.contains(expected), "{expected} is not in {markdown}");
    }
    let json: serde_json::Value =
        serde_json::from_str(&json::render(&comparison(&suspicious()))).unwrap();
    assert_eq!(json["method"]["mode"], "stored");
    assert_eq!(json["baseline"]["runs"], 10);
    let rows = json["metrics"].as_array().unwrap();
    let verdict =
        |metric: &str| rows.iter().find(|row| row["metric"] == metric).unwrap()["verdict"].clone();
    assert_eq!((verdict("cpu"), verdict("rss")), ("suspected".into(), "not-found".into()));
}

#[test]
fn what_was_not_redrawn_stands_first() {
    let mut run = paired(10, LEVEL, LEVEL);
    run.placement = Some(PlacementRecord {
        base: Some(PlacementMethod::CopyBeside),
        head: Some(PlacementMethod::CopyBeside),
        layout: Some(LayoutState::NotRedrawn),
        mappings: BTreeMap::from([
            ("api".to_owned(), MappingState::Redrawn),
            ("lib<i>.so".to_owned(), MappingState::NotRedrawn),
            ("libc.so.6".to_owned(), MappingState::Shared),
        ]),
        ..PlacementRecord::default()
    });
    let comparison = Comparison::of(&run).unwrap();
    insta::assert_snapshot!(wording::placement(&comparison, str::to_owned).unwrap(), @"Pages of code not redrawn: lib<i>.so; redrawn at each launch: api; shared: libc.so.6 · layout of functions: not redrawn");
    let text = markdown::render(&comparison);
    assert!(!text.contains("<i>") && text.contains("redrawn at each launch: api"), "{text}");
}

#[test]
fn of_many_shared_files_some_are_named_and_all_are_counted() {
    let mut run = paired(10, LEVEL, LEVEL);
    let mappings = (0..40).map(|i| (format!("lib{i:02}.so"), MappingState::Shared)).collect();
    run.placement = Some(PlacementRecord { mappings, ..PlacementRecord::default() });
    let said = wording::placement(&Comparison::of(&run).unwrap(), str::to_owned).unwrap();
    assert_eq!(said, "Pages of code shared: lib00.so, lib01.so, lib02.so, lib03.so and 36 more");
}

#[test]
fn a_layout_is_named_with_what_was_matched_or_why_not() {
    let counts = Some(FunctionsInPlace { common: 1_000, in_place: 974 });
    let check = |layout, functions, layout_obstacle, expected: &str| {
        let mut run = paired(10, LEVEL, LEVEL);
        let layout = Some(layout);
        let record =
            PlacementRecord { layout, functions, layout_obstacle, ..PlacementRecord::default() };
        run.placement = Some(record);
        let comparison = Comparison::of(&run).unwrap();
        let said = wording::placement(&comparison, str::to_owned).unwrap();
        assert_eq!(said, format!("layout of functions: {expected}"));
    };
    check(LayoutState::Same, None, None, "same layout");
    check(LayoutState::Matched, counts, None, "matched, 97 % of functions in place");
    check(
        LayoutState::Drawn,
        counts,
        None,
        "drawn for each launch pair, 97 % of functions in place",
    );
    let independent = "drawn for each launch, of both sides independently";
    check(LayoutState::DrawnIndependently, None, None, independent);
    let obstacle = Some(LayoutObstacle::NoLink);
    check(LayoutState::NotRedrawn, None, obstacle, "not redrawn (no link of one side was kept)");
}

#[test]
fn a_workload_is_described_in_a_sentence() {
    use record::fixtures::workload;
    use record::workload::{
        ArrivalShape, LoadAmount, LoadRecord, LoadSummary, ModelSummary, ReusePolicy,
    };
    use std::time::Duration;

    let seconds = Duration::from_secs;
    let closed = |amount, think| ModelSummary::Closed { amount, think };
    let open = |shape, per_s, lasts| ModelSummary::Open { shape, per_s, lasts: seconds(lasts) };
    let summary = |connections, streams, model, reuse| {
        let load = LoadRecord::Summary(LoadSummary { connections, streams, model, reuse });
        super::wording::workload(&record::workload::Workload { load, ..workload() })
    };
    let slice = ReusePolicy::Slice;
    let (time, requests) = (LoadAmount::For(seconds(30)), LoadAmount::Requests(10));
    let capacity =
        ModelSummary::Capacity { start_per_s: 50.0, ceiling_per_s: 1_000.0, trial: seconds(2) };
    let steps = ModelSummary::Steps { connections: vec![1, 3, 5], requests: 15 };
    let all = [
        summary(4, None, closed(Some(time), Duration::from_millis(5)), slice),
        summary(2, None, closed(Some(requests), Duration::ZERO), ReusePolicy::Request),
        summary(5, None, steps, slice),
        summary(64, None, open(ArrivalShape::Constant, 5_000.0, 10), slice),
        summary(8, None, open(ArrivalShape::Poisson, 100.0, 10), ReusePolicy::Kept),
        summary(64, None, open(ArrivalShape::Spikes, 28.0, 10), slice),
        summary(64, None, capacity, slice),
        summary(2, Some(8), closed(None, Duration::ZERO), slice),
        summary(1, Some(64), open(ArrivalShape::Constant, 50.0, 10), slice),
    ];
    insta::assert_snapshot!(all.join("\n"), @"
    xml-compare-batch, closed, 4 connections, 30.0 s, thinking 5.00 ms
    xml-compare-batch, closed, 2 connections, 10 requests, a connection for each request
    xml-compare-batch, closed, 1 → 3 → 5 connections, 15 requests each
    xml-compare-batch, open, constant, 5000 requests/s over 10.0 s, at most 64 connections
    xml-compare-batch, open, poisson, 100 requests/s over 10.0 s, at most 8 connections, kept
    xml-compare-batch, open, spikes, 28.0 requests/s over 10.0 s, at most 64 connections
    xml-compare-batch, open, capacity from 50.0 to 1000 requests/s in steps of 2.00 s, at most 64 connections
    xml-compare-batch, closed, 2 connections, HTTP/2 with 8 streams each
    xml-compare-batch, open, constant, 50.0 requests/s over 10.0 s, at most 1 connection, HTTP/2 with 64 streams each
    ");
}

#[test]
fn a_load_that_was_fitted_is_said_with_what_it_was_fitted_to() {
    use record::workload::{LoadAmount, LoadRecord, LoadSettings};
    use record::{FittedLoad, ProbedPace};
    use std::time::Duration;

    let usual = Duration::from_secs(1);
    let mut run = paired(8, LEVEL, LEVEL);
    run.scenarios[0].workload.load =
        LoadRecord::Settings(LoadSettings::closed(1, LoadAmount::For(usual)));
    let mut said = |interval_ms| {
        let interval = Duration::from_millis(interval_ms);
        let scatter = (interval_ms < 10).then_some(units::Ratio(0.032));
        let pace = ProbedPace { interval, scatter, slice: Duration::from_millis(10) };
        run.scenarios[0].fitted_load = Some(FittedLoad::at(pace, usual / 5, usual));
        let comparison = Comparison::of(&run).unwrap();
        let notes: Vec<String> = comparison.notes.iter().map(ToString::to_string).collect();
        format!("{}\n{}", super::wording::scenario_load(&comparison.details[0]), notes.join("\n"))
    };
    insta::assert_snapshot!(said(4), @"xml-compare-batch, closed, 1 connection, 400 ms, fitted to an answer every 4.00 ms, ± 3.2 % from slice to slice");
    insta::assert_snapshot!(said(200), @"
    xml-compare-batch, closed, 1 connection, 5.00 s, fitted to an answer every 200 ms
    `smoke`: the target answers every 200 ms, so that 5.00 s hold about 25 requests on each side of a launch, of 100 that a level wants; with a longer `load` in `[sampling]` fewer launch pairs are needed
    ");
}

/// The numbers are those that the old releases showed, to the last digit. Their `latency` was the
/// mean of all requests; today's is by request body, which they did not record: it is no row.
#[test]
fn a_run_of_an_old_release_is_judged_as_it_was() {
    for (text, judged) in record::fixtures::RUNS_OF_OLD {
        let run = Run::parse(text, std::path::Path::new("old/run.json")).unwrap();
        let report: serde_json::Value =
            serde_json::from_str(&json::render(&comparison(&run))).unwrap();
        let judged: serde_json::Value = serde_json::from_str(judged).unwrap();
        assert_eq!(report["outcome"], judged["outcome"]);
        for (list, said) in
            [("metrics", "metrics"), ("limits", "limits"), ("scenarios", "failures")]
        {
            let kept = |row: &&serde_json::Value| row["metric"] != Metric::Latency.key();
            let now = report[list].as_array().unwrap();
            let then: Vec<_> = judged[said].as_array().unwrap().iter().filter(kept).collect();
            assert_eq!(now.len(), then.len(), "{list}");
            now.iter().zip(then).for_each(|(now, then)| same(now, then));
            assert!(now.iter().all(|row| kept(&row)));
        }
    }
}

/// Whether a value has all that another has.
#[track_caller]
fn same(now: &serde_json::Value, then: &serde_json::Value) {
    match then {
        serde_json::Value::Object(fields) => {
            fields.iter().for_each(|(key, then)| same(&now[key], then));
        }
        serde_json::Value::Array(items) => {
            let now = now.as_array().unwrap();
            assert_eq!(now.len(), items.len());
            now.iter().zip(items).for_each(|(now, then)| same(now, then));
        }
        then => assert_eq!(now, then),
    }
}

/// A run of which both targets were watched, with a millisecond of waiting more in head.
fn waiting() -> Run {
    let mut run = paired(12, LEVEL, SampleLaunch { latency_us: LEVEL.latency_us + 1_000, ..LEVEL });
    let LaunchResults::Paired(pairs) = &mut run.scenarios[0].trials else { unreachable!() };
    for launch in pairs.iter_mut().flat_map(|pair| [&mut pair.base, &mut pair.head]) {
        launch.probes = Some(record::ResourceProbes {
            user_ns: 300_000_000,
            system_ns: 100_000_000,
            queued_ns: Some(20_000_000),
            counters: record::ProcessCounters::default(),
            threads: 1,
            files: 1,
            series: Vec::new(),
            cost_ns: 0,
            steal_ns: 0,
            throttled_ns: 0,
        });
    }
    run
}

#[test]
fn a_change_in_one_part_of_the_time_is_a_sentence_in_every_format() {
    const SENTENCE: &str = "smoke: +999 µs a request, blocked: it waits, and does not compute";
    let comparison = comparison(&waiting());
    let terminal = on_terminal(&waiting(), 120);
    assert!(terminal.contains(SENTENCE), "{terminal}");
    let markdown = markdown::render(&comparison).replace('`', "").replace("&#58;", ":");
    assert!(markdown.contains(SENTENCE), "{markdown}");
    let page = html::render(&comparison);
    let page = super::unbroken::breakable(&page).replace("<code>", "").replace("</code>", "");
    assert!(page.contains(&format!("<p class=\"answer\">{SENTENCE}.</p>")), "{page}");
    assert_eq!(page.matches("class=\"f-blocked\"").count(), 3, "a bar for each side, and the key");
    let json: serde_json::Value = serde_json::from_str(&json::render(&comparison)).unwrap();
    assert_eq!(json["anatomy"][0]["changed_part"], "blocked");
    let unchanged = html::render(&super::tests::comparison(&mixed()));
    assert!(!unchanged.contains("what the time"), "nothing was watched");
}

#[test]
fn statements_that_were_added_are_named_in_every_format() {
    const STATEMENT: &str = "SELECT name FROM line WHERE id = ?";
    let mut run = paired(12, LEVEL, LEVEL);
    record::fixtures::call(&mut run, &[("SELECT 1", 1, 1), (STATEMENT, 1, 11), ("COMMIT", 0, 1)]);
    let comparison = comparison(&run);
    let sentence = format!("smoke to db: 2 → 13 calls a request, {STATEMENT} 1 → 11, new COMMIT 1");
    let terminal = on_terminal(&run, 120);
    assert!(terminal.contains(&sentence), "{terminal}");
    assert!(terminal.contains("queries per request"), "{terminal}");
    assert!(terminal.contains("+11") && terminal.contains("exact"), "{terminal}");
    assert!(
        terminal.contains("more often") && terminal.contains("Calls of smoke to db"),
        "{terminal}"
    );
    let markdown = markdown::render(&comparison);
    assert!(
        markdown.contains(&format!("| more often | `{STATEMENT}` | 1 | 11 | **+10** |")),
        "{markdown}"
    );
    assert!(markdown.contains("1 regression — `smoke` queries per request +11"), "{markdown}");
    assert!(markdown.contains("regressed (any increase)"), "{markdown}");
    let page = html::render(&comparison);
    assert!(page.contains("<td class=\"c\">COMMIT</td>") || page.contains(">COMMIT<"), "{page}");
    assert!(page.contains("unchanged</summary>"), "the statement that stayed is folded");
    let json: serde_json::Value = serde_json::from_str(&json::render(&comparison)).unwrap();
    assert_eq!(json["calls"][0]["statements"][0]["change"], "more-often");
    assert_eq!(json["calls"][0]["head"]["queries"], 13.0);
    let agent = super::agent::render(&comparison);
    assert!(agent.contains("new `COMMIT` 1"), "{agent}");
}
