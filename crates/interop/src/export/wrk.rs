//! A scenario as a script of wrk.
//!
//! wrk does not say to which request an answer belongs, and each of its threads has a Lua state of its own. With
//! one connection a thread the answer is that to the thread's last request, so that is how the script is run.

use std::time::Duration;

use load::BodyFraming;
use payload::ResponseLocation;
use record::metric::limit::{Limit, LimitBound};
use runner::{ListedAnswer, ListedBody, ListedRequest};
use suite::{LoadAmount, ReusePolicy, WorkloadModel};

use crate::export::failure::ExportError;
use crate::export::files::{self, ExportFile};
use crate::export::gap::ExportGap;
use crate::export::k6;
use crate::export::limits::{self, ToolQuantity};
use crate::export::plan::ExportPlan;

/// The script without its scenario.
const RUNTIME: &str = include_str!("wrk.lua");

/// Where the scenario stands in it.
const SCENARIO_PLACE: &str = "--{{scenario}}";

/// Name of the script.
const SCRIPT_FILE: &str = "script.lua";

/// Stands in a head for host and port, which wrk takes from its command line.
const HOST: &str = "{host}";

/// Returns what wrk cannot express.
pub(super) fn gaps(plan: &ExportPlan<'_>) -> Vec<ExportGap> {
    let mut gaps = limits::gaps(plan);
    gaps.extend(plan.operation_limit_gaps());
    gaps.extend(plan.value_gaps());
    gaps.extend(load_gap(plan));
    gaps
}

fn load_gap(plan: &ExportPlan<'_>) -> Option<ExportGap> {
    match &plan.load().model {
        WorkloadModel::Open { shape, .. } => Some(ExportGap::Arrivals(*shape)),
        WorkloadModel::Closed { amount: LoadAmount::Requests(requests), .. } => {
            Some(ExportGap::Requests(*requests))
        }
        WorkloadModel::Closed { amount: LoadAmount::For(lasts), think } => {
            if lasts.subsec_nanos() > 0 || lasts.is_zero() {
                return Some(ExportGap::Duration(*lasts));
            }
            let is_whole = think.subsec_nanos().is_multiple_of(1_000_000);
            (!is_whole).then_some(ExportGap::Think)
        }
        WorkloadModel::Closed { amount: LoadAmount::Time, .. }
        | WorkloadModel::Steps { .. }
        | WorkloadModel::Capacity { .. } => None,
    }
}

/// Returns the script.
pub(super) fn files(plan: &ExportPlan<'_>) -> Result<Vec<ExportFile>, ExportError> {
    let requests = plan.listing.requests.iter().map(|it| request(plan, it));
    let requests = requests.collect::<Result<Vec<_>, _>>()?.concat();
    let (lasts, think) = plan.closed_time().unwrap_or((plan.duration, Duration::ZERO));
    let places: Vec<String> = plan.places().iter().map(|place| (place + 1).to_string()).collect();
    let limits: String = plan.limits().filter_map(|it| limit(plan, it)).collect();
    let scenario = format!(
        "local thread_count = {}\nlocal units_of_request = {}\nlocal unit_plural = {}\n\
         local think_ms = {}\nlocal allows_errors = {}\nlocal limits = {{\n{limits}}}\n\n\
         -- Heads as they are sent, but for the host; the names of the files with the bodies.\n\
         local requests = {{\n{requests}}}\n\n\
         -- Numbers of requests, in the order in which they are sent.\n\
         local order = {{ {} }}\n",
        plan.connections(),
        plan.listing.units,
        literal(&plan.scenario.unit.plural()),
        think.as_millis(),
        limits::allows_errors(plan),
        places.join(", "),
    );
    let script = RUNTIME.replacen(SCENARIO_PLACE, &scenario, 1);
    Ok(vec![ExportFile::text(SCRIPT_FILE, format!("{}{script}", title(plan, lasts)))])
}

fn title(plan: &ExportPlan<'_>, lasts: Duration) -> String {
    let connections = plan.connections();
    format!(
        "-- Scenario `{name}`, written by xmlperf {version} for wrk 4.\n\
         --\n\
         --   sha256sum -c SHA256SUMS\n\
         --   wrk -t{connections} -c{connections} -d{seconds}s --timeout {timeout}s --latency -s {SCRIPT_FILE} {url}\n\
         --\n\
         -- As many threads as connections: only then it is known to which request an answer belongs. The exit code\n\
         -- is 1 where a limit is broken or an answer is wrong. `xmlperf import -` reads what it prints.\n\
         {left_out}\n",
        name = plan.scenario.name,
        version = env!("CARGO_PKG_VERSION"),
        seconds = lasts.as_secs(),
        timeout = plan.load().timeouts.total.as_secs().max(1),
        url = plan.url,
        left_out = plan.left_out("--"),
    )
}

fn request(plan: &ExportPlan<'_>, request: &ListedRequest) -> Result<String, ExportError> {
    let mut head = request.head(HOST)?;
    if plan.load().reuse == ReusePolicy::Request {
        head.truncate(head.len() - 2);
        head.push_str("Connection: close\r\n\r\n");
    }
    let (body, is_chunked) = match &request.body {
        ListedBody::Known(_, framing) => {
            let name = literal(&files::body_name(plan, request));
            (format!("body = {name}, "), *framing == BodyFraming::Chunked)
        }
        ListedBody::Nothing | ListedBody::Live(_) => (String::new(), false),
    };
    Ok(format!(
        "  {{ head = {}, {body}is_chunked = {is_chunked}, answer = {} }},\n",
        literal(&head),
        answer(&request.answer)
    ))
}

fn answer(answer: &ListedAnswer) -> String {
    match answer {
        ListedAnswer::Verdict(matched) => {
            format!("{{ kind = \"verdict\", matched = \"{}\" }}", k6::bits(&[*matched]))
        }
        ListedAnswer::Verdicts(verdicts) => {
            format!("{{ kind = \"verdicts\", matched = \"{}\" }}", k6::bits(verdicts))
        }
        ListedAnswer::Success => "{ kind = \"success\" }".to_owned(),
        ListedAnswer::Soap => "{ kind = \"soap\" }".to_owned(),
        ListedAnswer::Survival => "{ kind = \"survival\" }".to_owned(),
        // What stands in a body is a gap.
        ListedAnswer::Values(values) => {
            let status = values.iter().find(|(place, _)| *place == ResponseLocation::Status);
            match status.and_then(|(_, equals)| equals.first()?.fixed()) {
                Some(status) => {
                    format!("{{ kind = \"status\", status = tonumber({}) }}", literal(&status))
                }
                None => "{ kind = \"success\" }".to_owned(),
            }
        }
    }
}

fn limit(plan: &ExportPlan<'_>, limit: &Limit) -> Option<String> {
    let quantity = match ToolQuantity::of(limit.quantity)? {
        ToolQuantity::Throughput => "throughput".to_owned(),
        ToolQuantity::Percentile(rank) => format!("p{rank}"),
        ToolQuantity::Errors => "errors".to_owned(),
    };
    let text = format!("{} {}", limit.quantity.key(), limit.text(&plan.scenario.unit));
    Some(format!(
        "  {{ quantity = \"{quantity}\", is_least = {}, value = {}, text = {} }},\n",
        limit.bound == LimitBound::AtLeast,
        limit.value,
        literal(&text)
    ))
}

/// Returns a string literal of Lua.
fn literal(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'"' | b'\\' => format!("\\{}", char::from(byte)),
        b'\r' => "\\r".to_owned(),
        b'\n' => "\\n".to_owned(),
        0x20..=0x7e => char::from(byte).to_string(),
        _ => format!("\\{byte:03}"),
    };
    format!("\"{}\"", text.bytes().map(byte).collect::<String>())
}
