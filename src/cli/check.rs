//! Shows one request and answer of each operation, as they went over the wire.

use std::io::{self, Write};

use load::RequestPreview;
use runner::{CheckOutcome, ScenarioExchange};
use serde_json::{Value, json};

use crate::app;
use crate::app::check::CheckOptions;
use crate::cli::selection::{OF_LAUNCHES, SelectionFlags};
use crate::cli::{Exit, output, process, terminal_text};

/// Bytes of a body that are shown, unless all are.
const BODY_BYTES_SHOWN: usize = 1_000;

/// Headers whose values are left out, unless all is shown: the output of a job is often public.
const SECRET_HEADERS: [&str; 6] =
    ["Authorization", "Cookie", "Proxy-Authorization", "Set-Cookie", "X-Api-Key", "X-Auth-Token"];

/// Start the target and send one request of each operation: is the configuration right?
///
/// Shows request and answer as they went over the wire, what was expected, the time, and where the log of the
/// target is; nothing is measured. Exit codes: 0 all answers are right; 2 wrong usage or configuration; 3 the
/// target did not start, or an answer is wrong.
#[derive(Debug, clap::Args)]
pub(super) struct CheckArgs {
    /// Command that starts the target, instead of the configuration's
    #[arg(long, value_name = "CMD")]
    start: Option<String>,
    /// Show bodies in whole, and the values of headers such as `Authorization`
    #[arg(long)]
    whole: bool,
    /// Form of what is shown
    #[arg(long, value_enum, default_value_t = CheckFormat::Text)]
    format: CheckFormat,
    #[command(flatten)]
    selection: SelectionFlags,
}

/// How exchanges are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum CheckFormat {
    /// For people
    Text,
    /// For other programs
    Json,
}

/// Sends the requests, and shows what came of them.
pub(super) fn run(args: &CheckArgs, out: &mut impl Write) -> anyhow::Result<Exit> {
    args.selection.refuse(&OF_LAUNCHES)?;
    let bytes_max = if args.whole { usize::MAX } else { BODY_BYTES_SHOWN };
    let options = CheckOptions {
        selection: args.selection.selection()?,
        start: args.start.clone(),
        body_bytes_max: bytes_max,
    };
    let cancel = process::cancel_on_signals()?;
    let outcome = app::check::check(&options, &mut args.selection.reporter(), &cancel)?;
    match args.format {
        CheckFormat::Json => writeln!(out, "{:#}", json(&outcome, bytes_max))?,
        CheckFormat::Text => {
            terminal_text::write(out, output::screen().paint, |out| {
                show(out, &outcome, bytes_max)
            })?;
        }
    }
    Ok(if outcome.is_right() { Exit::Success } else { Exit::NotMeasured })
}

fn show(out: &mut impl Write, outcome: &CheckOutcome, bytes_max: usize) -> io::Result<()> {
    if let Some(ready_after) = outcome.ready_after {
        writeln!(out, "ready after {}\n", units::duration(ready_after))?;
    }
    for exchange in &outcome.exchanges {
        show_exchange(out, exchange, bytes_max)?;
    }
    if let Some(failure) = &outcome.failure {
        writeln!(out, "{failure}\n")?;
    }
    writeln!(out, "log of the target: {}", outcome.log.display())?;
    let wrong = outcome.exchanges.iter().filter(|exchange| exchange.fault.is_some()).count();
    let all = outcome.exchanges.len();
    match (&outcome.failure, wrong) {
        (Some(_), _) => writeln!(out, "the target does not run as it must"),
        (None, 0) => writeln!(out, "all answers are right ({all} of {all}); nothing was measured"),
        (None, wrong) => writeln!(out, "{wrong} of {all} answers are wrong; nothing was measured"),
    }
}

fn show_exchange(
    out: &mut impl Write,
    exchange: &ScenarioExchange,
    bytes_max: usize,
) -> io::Result<()> {
    let sign = if exchange.fault.is_none() { "ok" } else { "WRONG" };
    let time = exchange.time.map_or_else(|| "not sent".to_owned(), units::duration);
    let operation = exchange.operation.as_ref().map(|name| format!(" · {name}"));
    let name = format!("{}{}", exchange.scenario, operation.unwrap_or_default());
    writeln!(out, "── {name} · {sign} · {time}")?;
    if let Some(RequestPreview { head, body, body_bytes }) = &exchange.request {
        show_head(out, "> ", head, bytes_max)?;
        show_body(out, "> ", body, *body_bytes, bytes_max)?;
    }
    if exchange.pairs_left_out > 0 {
        writeln!(out, "  (without the last {} XML pairs)", exchange.pairs_left_out)?;
    }
    show_head(out, "< ", &exchange.answer_head, bytes_max)?;
    let answer = &exchange.answer_body;
    show_body(out, "< ", answer, answer.len() as u64, bytes_max)?;
    writeln!(out, "  expected: {}", exchange.expected)?;
    if let Some(fault) = &exchange.fault {
        writeln!(out, "  wrong:    {}", fault.summary)?;
        if let Some(setting) = fault.setting {
            writeln!(out, "  setting:  {setting}")?;
        }
    }
    writeln!(out)
}

/// A head, without the values of headers that let others act for the user, unless all is shown.
fn show_head(out: &mut impl Write, prefix: &str, head: &str, bytes_max: usize) -> io::Result<()> {
    lines(out, prefix, &if bytes_max == usize::MAX { head.to_owned() } else { masked(head) })
}

fn masked(head: &str) -> String {
    let line = |line: &str| match line.split_once(": ") {
        Some((name, _)) if SECRET_HEADERS.iter().any(|it| it.eq_ignore_ascii_case(name)) => {
            format!("{name}: …\r\n")
        }
        Some(_) | None => format!("{line}\r\n"),
    };
    head.lines().map(line).collect()
}

fn lines(out: &mut impl Write, prefix: &str, text: &str) -> io::Result<()> {
    text.lines().try_for_each(|line| writeln!(out, "{}", format!("{prefix}{line}").trim_end()))
}

/// The beginning of a body, and how much is left out.
fn show_body(
    out: &mut impl Write,
    prefix: &str,
    body: &[u8],
    whole: u64,
    bytes_max: usize,
) -> io::Result<()> {
    let shown = &body[..body.len().min(bytes_max)];
    lines(out, prefix, &String::from_utf8_lossy(shown))?;
    let left = whole.saturating_sub(shown.len() as u64);
    if left > 0 {
        writeln!(
            out,
            "{prefix}… and {} more; `--whole` shows all",
            units::bytes(units::exact(left))
        )?;
    }
    Ok(())
}

fn json(outcome: &CheckOutcome, bytes_max: usize) -> Value {
    let text =
        |bytes: &[u8]| String::from_utf8_lossy(&bytes[..bytes.len().min(bytes_max)]).into_owned();
    let head = |text: &str| if bytes_max == usize::MAX { text.to_owned() } else { masked(text) };
    let exchange = |it: &ScenarioExchange| {
        json!({
            "scenario": it.scenario,
            "operation": it.operation,
            "right": it.fault.is_none(),
            "request": it.request.as_ref().map(|request| json!({
                "head": head(&request.head),
                "body": text(&request.body),
                "body_bytes": request.body_bytes,
                "pairs_left_out": it.pairs_left_out,
            })),
            "answer": {
                "head": head(&it.answer_head),
                "body": text(&it.answer_body),
                "body_bytes": it.answer_body.len(),
            },
            "expected": it.expected,
            "time_ns": it.time.map(units::nanos),
            "fault": it.fault.as_ref().map(|fault| json!({
                "summary": fault.summary,
                "setting": fault.setting,
            })),
        })
    };
    json!({
        "right": outcome.is_right(),
        "ready_ns": outcome.ready_after.map(units::nanos),
        "log": outcome.log,
        "failure": outcome.failure.as_ref().map(ToString::to_string),
        "exchanges": outcome.exchanges.iter().map(exchange).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use runner::ExchangeFault;

    use super::*;

    #[test]
    fn a_wrong_answer_is_shown_beside_its_request_and_the_setting() {
        let head = "POST /orders HTTP/1.1\r\nHost: h:1\r\nAuthorization: Bearer abc\r\n\r\n";
        let exchange = ScenarioExchange {
            scenario: "orders".to_owned(),
            operation: None,
            request: Some(RequestPreview {
                head: head.to_owned(),
                body: b"<order/>".to_vec(),
                body_bytes: 8,
            }),
            pairs_left_out: 900,
            expected: "a status from 200 to 299".to_owned(),
            answer_head: "HTTP/1.1 415 Unsupported\r\nset-cookie: s=1\r\n\r\n".to_owned(),
            answer_body: b"no such type".to_vec(),
            time: Some(Duration::from_micros(107)),
            fault: Some(ExchangeFault {
                summary: "status 415: expected another".to_owned(),
                setting: Some("`content-type`"),
            }),
        };
        let outcome = CheckOutcome {
            ready_after: Some(Duration::from_millis(20)),
            log: "logs/head.log".into(),
            log_tail: None,
            programs: Vec::new(),
            exchanges: vec![exchange],
            failure: None,
        };
        let mut out = Vec::new();
        show(&mut out, &outcome, 10).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @"
        ready after 20.0 ms

        ── orders · WRONG · 107 µs
        > POST /orders HTTP/1.1
        > Host: h:1
        > Authorization: …
        >
        > <order/>
          (without the last 900 XML pairs)
        < HTTP/1.1 415 Unsupported
        < set-cookie: …
        <
        < no such ty
        < … and 2.00 B more; `--whole` shows all
          expected: a status from 200 to 299
          wrong:    status 415: expected another
          setting:  `content-type`

        log of the target: logs/head.log
        1 of 1 answers are wrong; nothing was measured
        ");
        let json = json(&outcome, usize::MAX);
        assert_eq!(json["exchanges"][0]["request"]["head"], head);
        assert_eq!((&json["right"], &json["ready_ns"]), (&false.into(), &20_000_000.into()));
    }
}
