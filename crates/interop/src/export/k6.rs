//! A scenario as a script of k6: its own executors where it has them, and what they lack written out.
//!
//! An iteration is one request. A flow goes on from iteration to iteration of one virtual user, as a
//! connection of the load engine goes on, so that a schedule of arrivals means the same in both.

use load::CookiePolicy;
use load::pacing::{ArrivalProcess, ArrivalSchedule, RateStage};
use payload::{Capture, CapturePlace, LiveText, RequestEncoding, RequestFraming, ResponseLocation};
use record::metric::limit::Limit;
use runner::{ListedAnswer, ListedBody, ListedRequest};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use std::time::Duration;
use suite::{ArrivalShape, LoadAmount, ReusePolicy, WorkloadModel};

use crate::export::files::{self, ExportFile};
use crate::export::gap::ExportGap;
use crate::export::javascript::{literal, text_or_function};
use crate::export::limits::{self, ToolQuantity};
use crate::export::plan::ExportPlan;

/// The script without its scenario.
const RUNTIME: &str = include_str!("k6.js");

/// Where the scenario stands in it.
const SCENARIO_PLACE: &str = "//{{scenario}}";

/// Name of the script.
pub(super) const SCRIPT_FILE: &str = "script.js";

/// Name of the file with the arrivals that are drawn.
const DUE_FILE: &str = "due.json";

/// Decimals of a rate; k6 has whole numbers of requests in a time.
const RATE_DECIMALS_MAX: i32 = 6;

/// Returns what k6 cannot express.
pub(super) fn gaps(plan: &ExportPlan<'_>) -> Vec<ExportGap> {
    let mut gaps = limits::gaps(plan);
    for (number, operation) in plan.scenario.operations.iter().enumerate() {
        let foreign = operation.captures.iter().filter(|capture| !is_portable(capture));
        gaps.extend(foreign.map(|capture| ExportGap::Pattern { name: capture.name.clone() }));
        if operation.is_live && operation.payload.encoding == RequestEncoding::Gzip {
            let operation = plan.operation_name(number).to_owned();
            gaps.push(ExportGap::Compressed { operation });
        }
        if operation.is_live && operation.payload.framing == RequestFraming::Chunked {
            gaps.push(ExportGap::Chunked);
        }
    }
    let users = virtual_users(plan);
    if plan.fleet.is_some_and(|size| size.get() > users) {
        gaps.push(ExportGap::Fleet { users });
    }
    gaps
}

/// Whether the pattern of a capture means in JavaScript what it means here: groups with names or flags, classes
/// of Unicode and anchors of the text are written otherwise there.
fn is_portable(capture: &Capture) -> bool {
    const FOREIGN: [&str; 8] = ["\\A", "\\z", "\\p", "\\P", "\\x{", "\\u", "[[:", "&&"];
    let Some(pattern) = capture.pattern() else { return true };
    let groups = pattern.matches("(?").count();
    groups == pattern.matches("(?:").count() && !FOREIGN.iter().any(|it| pattern.contains(it))
}

/// Virtual users of the script: k6 refuses more of them than iterations.
fn virtual_users(plan: &ExportPlan<'_>) -> u32 {
    let users = plan.connections();
    match plan.load().model {
        WorkloadModel::Closed { amount: LoadAmount::Requests(requests), .. } => {
            users.min(u32::try_from(requests).unwrap_or(u32::MAX))
        }
        _ => users,
    }
}

/// Returns the script, and the arrivals where they are drawn.
pub(super) fn files(plan: &ExportPlan<'_>) -> Vec<ExportFile> {
    let script = format!("{}{}", title(plan), RUNTIME.replacen(SCENARIO_PLACE, &scenario(plan), 1));
    let mut files = vec![ExportFile::text(SCRIPT_FILE, script)];
    files.extend(drawn_arrivals(plan).map(|due| ExportFile::text(DUE_FILE, due)));
    files
}

fn title(plan: &ExportPlan<'_>) -> String {
    let http1 = if plan.is_secure() { "GODEBUG=http2client=0 " } else { "" };
    format!(
        "// Scenario `{name}`, written by xmlperf {version} for k6 from 1.5 on.\n\
         //\n\
         //   sha256sum -c SHA256SUMS\n\
         //   {http1}k6 run -e URL={url} {SCRIPT_FILE}\n\
         //\n\
         // The exit code is 99 where a limit is broken or an answer is wrong. Two instances share the load by\n\
         //\n\
         //   k6 run --execution-segment 0:1/2 --execution-segment-sequence 0,1/2,1 --tag instance_id=1 …\n\
         //   k6 run --execution-segment 1/2:1 --execution-segment-sequence 0,1/2,1 --tag instance_id=2 …\n\
         //\n\
         // and `xmlperf import --from k6-operator -` adds up what they print.\n{left_out}\n",
        name = plan.scenario.name,
        version = env!("CARGO_PKG_VERSION"),
        url = plan.url,
        left_out = plan.left_out("//"),
    )
}

fn scenario(plan: &ExportPlan<'_>) -> String {
    let options = serde_json::to_string_pretty(&options(plan)).expect("a value of JSON");
    let requests: String = plan.listing.requests.iter().map(|it| request(plan, it)).collect();
    let operations: Vec<Value> = (0..plan.scenario.operations.len())
        .map(|number| {
            let name = plan.operation_name(number);
            json!({ "name": name, "metric": format!("{number}_{}", word(name)) })
        })
        .collect();
    let places = serde_json::to_string(&plan.places()).expect("numbers");
    let setup = serde_json::to_string(&plan.listing.setup).expect("numbers");
    format!(
        "{constants}\n\
         /** @type {{import('k6/options').Options}} */\n\
         export const options = {options};\n\n\
         const operations = {operations};\n\n\
         // In `path`, `headers`, `body` and `answer`, a function makes what is known only when it is sent.\n\
         const requests = [\n{requests}];\n\n\
         // Places in `requests`: in this order for all virtual users together, or, where a flow has a length, for\n\
         // each of them.\n\
         const order = {{ flow: {flow}, places: {places} }};\n\
         const setup = {setup};\n",
        constants = constants(plan),
        operations = json!(operations),
        flow = plan.flow_length(),
    )
}

fn constants(plan: &ExportPlan<'_>) -> String {
    let load = plan.load();
    let think = match load.model {
        WorkloadModel::Closed { think, .. } => think,
        _ => Duration::ZERO,
    };
    let (stages, late_max) = match &load.model {
        WorkloadModel::Open { schedule, late_max, .. } if !is_drawn(schedule) => {
            (stages(schedule), *late_max)
        }
        WorkloadModel::Open { late_max, .. } => (Vec::new(), *late_max),
        _ => (Vec::new(), Duration::ZERO),
    };
    let stages: Vec<Value> = stages
        .iter()
        .map(|it| json!({ "from": it.from_per_s, "to": it.to_per_s, "lasts": it.lasts.as_secs_f64() }))
        .collect();
    let is_drawn = drawn_arrivals(plan).is_some();
    let due = if is_drawn {
        format!("new SharedArray('due', () => JSON.parse(open('./{DUE_FILE}')))")
    } else {
        "null".to_owned()
    };
    let lines = [
        ("scenarioName", literal(&plan.scenario.name)),
        ("payloadDigest", literal(&files::payload_digest(plan))),
        ("instances", plan.fleet.map_or(0, std::num::NonZero::get).to_string()),
        ("defaultUrl", literal(plan.url)),
        ("unitMetric", literal(&unit_metric(plan))),
        ("unitsOfRequest", plan.listing.units.to_string()),
        ("timeoutMs", millis(load.timeouts.total)),
        ("thinkMs", millis(think)),
        ("lateMaxMs", millis(late_max)),
        ("keepsCookies", (plan.scenario.cookies == CookiePolicy::Kept).to_string()),
        ("waits", is_drawn.to_string()),
        ("stages", json!(stages).to_string()),
        ("dueTimes", due),
    ];
    lines.map(|(name, value)| format!("const {name} = {value};\n")).concat()
}

/// The name of the metric that counts units of work.
pub(super) fn unit_metric(plan: &ExportPlan<'_>) -> String {
    format!("xmlperf_{}", word(&plan.scenario.unit.plural()))
}

/// A name with nothing but letters of ASCII, digits and underscores.
fn word(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

fn millis(time: Duration) -> String {
    (time.as_secs_f64() * 1e3).to_string()
}

fn duration_text(time: Duration) -> String {
    format!("{}ms", millis(time))
}

fn is_drawn(schedule: &ArrivalSchedule) -> bool {
    schedule.arrivals() != ArrivalProcess::Even
}

fn stages(schedule: &ArrivalSchedule) -> Vec<RateStage> {
    schedule.stages().iter().filter(|stage| !stage.lasts.is_zero()).copied().collect()
}

/// The arrivals of a load that draws them, in milliseconds, as JSON.
fn drawn_arrivals(plan: &ExportPlan<'_>) -> Option<String> {
    let WorkloadModel::Open { schedule, .. } = &plan.scenario.load.model else { return None };
    if !is_drawn(schedule) {
        return None;
    }
    let millis = |ns: u64| format!("{}.{:06}", ns / 1_000_000, ns % 1_000_000);
    let due: Vec<String> = schedule.due_ns().map(millis).collect();
    Some(format!("[{}]\n", due.join(",\n")))
}

fn options(plan: &ExportPlan<'_>) -> Value {
    let load = plan.load();
    let name: String = plan
        .scenario
        .name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' })
        .collect();
    json!({
        "scenarios": { name: executor(plan) },
        "thresholds": thresholds(plan),
        "noConnectionReuse": load.reuse == ReusePolicy::Request,
        "noCookiesReset": true,
        // A header that is empty is not sent at all.
        "userAgent": "",
        "insecureSkipTLSVerify": plan.is_insecure,
        "summaryTrendStats": ["avg", "min", "med", "p(90)", "p(95)", "p(99)", "max"],
    })
}

/// What sends the requests, and when.
fn executor(plan: &ExportPlan<'_>) -> Value {
    let load = plan.load();
    let users = virtual_users(plan);
    let grace = duration_text(load.timeouts.total);
    match &load.model {
        WorkloadModel::Closed { amount: LoadAmount::Requests(requests), .. } => json!({
            "executor": "shared-iterations", "vus": users, "iterations": requests,
            "maxDuration": "24h", "gracefulStop": grace,
        }),
        WorkloadModel::Open { schedule, late_max, .. } if is_drawn(schedule) => json!({
            "executor": "shared-iterations", "vus": users, "iterations": schedule.due_ns().count(),
            "maxDuration": duration_text(schedule.lasts() + *late_max + load.timeouts.total),
            "gracefulStop": grace,
        }),
        WorkloadModel::Open { shape: ArrivalShape::Constant, schedule, .. } => {
            let (rate, unit) = whole_rates(&[schedule.stages()[0].from_per_s]);
            json!({
                "executor": "constant-arrival-rate", "rate": rate[0], "timeUnit": unit,
                "duration": duration_text(schedule.lasts()), "preAllocatedVUs": users,
                "maxVUs": users, "gracefulStop": grace,
            })
        }
        WorkloadModel::Open { schedule, .. } => {
            let (start, stages, unit) = ramps(&stages(schedule));
            json!({
                "executor": "ramping-arrival-rate", "startRate": start, "timeUnit": unit,
                "stages": stages, "preAllocatedVUs": users, "maxVUs": users, "gracefulStop": grace,
            })
        }
        // Steps and searches are gaps.
        WorkloadModel::Closed { .. }
        | WorkloadModel::Steps { .. }
        | WorkloadModel::Capacity { .. } => {
            let lasts = plan.closed_time().map_or(plan.duration, |(lasts, _)| lasts);
            json!({
                "executor": "constant-vus", "vus": users, "duration": duration_text(lasts),
                "gracefulStop": grace,
            })
        }
    }
}

/// Returns rates as whole numbers of requests in a time, and that time.
fn whole_rates(per_s: &[f64]) -> (Vec<u64>, String) {
    let is_whole =
        |scale: f64| per_s.iter().all(|it| ((it * scale).round() - it * scale).abs() < 1e-9);
    let decimals = (0..RATE_DECIMALS_MAX).find(|it| is_whole(10_f64.powi(*it)));
    let scale = 10_f64.powi(decimals.unwrap_or(RATE_DECIMALS_MAX));
    let rates = per_s.iter().map(|it| units::whole((it * scale).round()).unwrap_or_default());
    (rates.collect(), format!("{scale}s"))
}

/// Returns the first rate, the stages and the time that rates are counted in. A jump is a stage without time.
fn ramps(stages: &[RateStage]) -> (u64, Vec<Value>, String) {
    let rates: Vec<f64> = stages.iter().flat_map(|it| [it.from_per_s, it.to_per_s]).collect();
    let (rates, unit) = whole_rates(&rates);
    let mut at = rates.first().copied().unwrap_or_default();
    let start = at;
    let mut ramps = Vec::new();
    for (stage, rates) in stages.iter().zip(rates.chunks(2)) {
        if at != rates[0] {
            ramps.push(json!({ "duration": "0s", "target": rates[0] }));
        }
        at = rates[1];
        ramps.push(json!({ "duration": duration_text(stage.lasts), "target": at }));
    }
    (start, ramps, unit)
}

/// The limits. Those of several instances are checked on what they come to together.
fn thresholds(plan: &ExportPlan<'_>) -> Value {
    let mut thresholds = Map::new();
    let mut add = |metric: String, condition: String| {
        let conditions = thresholds.entry(metric).or_insert_with(|| json!([]));
        conditions.as_array_mut().expect("a list").push(condition.into());
    };
    let names = MetricNames {
        time: "xmlperf_time".to_owned(),
        failed: "xmlperf_failed".to_owned(),
        units: unit_metric(plan),
    };
    if plan.fleet.is_none() {
        for limit in plan.limits() {
            if let Some((metric, condition)) = threshold(limit, &names) {
                add(metric, condition);
            }
        }
        for operation in 0..plan.scenario.operations.len() {
            let metric = format!("{operation}_{}", word(plan.operation_name(operation)));
            let time = format!("xmlperf_time_{metric}");
            let names =
                MetricNames { time, failed: format!("xmlperf_failed_{metric}"), ..names.clone() };
            for limit in plan.limits_of(operation) {
                if let Some((metric, condition)) = threshold(limit, &names) {
                    add(metric, condition);
                }
            }
        }
        if !limits::allows_errors(plan) {
            add(names.failed, "rate<=0".to_owned());
        }
    }
    match &plan.load().model {
        WorkloadModel::Open { schedule, .. } if is_drawn(schedule) => {
            add("xmlperf_dropped".to_owned(), "count<=0".to_owned());
        }
        WorkloadModel::Open { .. } => add("dropped_iterations".to_owned(), "count<=0".to_owned()),
        WorkloadModel::Closed { .. }
        | WorkloadModel::Steps { .. }
        | WorkloadModel::Capacity { .. } => {}
    }
    thresholds.into()
}

/// The metrics that limits are set on.
#[derive(Clone)]
struct MetricNames {
    time: String,
    failed: String,
    units: String,
}

fn threshold(limit: &Limit, names: &MetricNames) -> Option<(String, String)> {
    let sign = limits::sign(limit);
    Some(match ToolQuantity::of(limit.quantity)? {
        ToolQuantity::Throughput => (names.units.clone(), format!("rate{sign}{}", limit.value)),
        ToolQuantity::Errors => (names.failed.clone(), format!("rate{sign}{}", limit.value)),
        ToolQuantity::Percentile(rank) => {
            (names.time.clone(), format!("p({rank}){sign}{}", limit.value / 1e6))
        }
    })
}

fn request(plan: &ExportPlan<'_>, request: &ListedRequest) -> String {
    let operation = &plan.scenario.operations[request.operation];
    let media_type = request.media_type.as_deref();
    let media_type = media_type.map(|it| ("Content-Type".to_owned(), LiveText::from(it)));
    let headers: Vec<String> = media_type
        .iter()
        .chain(&request.headers)
        .map(|(name, value)| format!("{}: {}", literal(name), text_or_function(value)))
        .collect();
    let body = match &request.body {
        ListedBody::Nothing => "null".to_owned(),
        ListedBody::Known(..) => format!("open('./{}', 'b')", files::body_name(plan, request)),
        ListedBody::Live(text) => text_or_function(text),
    };
    let captures: Vec<String> = operation.captures.iter().map(capture).collect();
    format!(
        "  {{\n    operation: {}, isLive: {}, method: '{}',\n    path: {},\n    headers: {{ {} }},\n    \
         body: {body},\n    answer: {},\n    captures: [{}],\n  }},\n",
        request.operation,
        operation.is_live,
        request.method.name(),
        text_or_function(&request.path),
        headers.join(", "),
        answer(&request.answer),
        captures.join(", "),
    )
}

fn answer(answer: &ListedAnswer) -> String {
    match answer {
        ListedAnswer::Verdict(matched) => format!("{{ kind: 'verdict', matched: {matched} }}"),
        ListedAnswer::Verdicts(verdicts) => {
            let digest = units::hex(&Sha256::digest(bits(verdicts)));
            format!("{{ kind: 'verdicts', count: {}, digest: '{digest}' }}", verdicts.len())
        }
        ListedAnswer::Success => "{ kind: 'success' }".to_owned(),
        ListedAnswer::Soap => "{ kind: 'soap' }".to_owned(),
        ListedAnswer::Survival => "{ kind: 'survival' }".to_owned(),
        ListedAnswer::Values(values) => {
            let value = |(place, equals): &(ResponseLocation, Vec<LiveText>)| {
                let (place, path) = match place {
                    ResponseLocation::Status => ("status", ""),
                    ResponseLocation::Json(path) => ("json", path.as_str()),
                    ResponseLocation::Xml(path) => ("xml", path.as_str()),
                };
                let equals: Vec<String> = equals.iter().map(text_or_function).collect();
                format!(
                    "{{ place: '{place}', path: {}, equals: [{}] }}",
                    literal(path),
                    equals.join(", ")
                )
            };
            let values: Vec<String> = values.iter().map(value).collect();
            format!("{{ kind: 'values', values: [{}] }}", values.join(", "))
        }
    }
}

/// A digit a document pair: `1` where its documents are equal.
pub(super) fn bits(verdicts: &[bool]) -> String {
    verdicts.iter().map(|verdict| if *verdict { '1' } else { '0' }).collect()
}

fn capture(capture: &Capture) -> String {
    let (place, at) = match capture.place() {
        CapturePlace::Json(at) => ("json", at.as_str()),
        CapturePlace::Xml(at) => ("xml", at.as_str()),
        CapturePlace::Header(at) => ("header", at.as_str()),
        CapturePlace::Cookie(at) => ("cookie", at.as_str()),
        CapturePlace::Body => ("body", ""),
    };
    let pattern = capture.pattern();
    let pattern = pattern.map_or("null".to_owned(), |it| format!("new RegExp({})", literal(it)));
    format!(
        "{{ name: {}, place: '{place}', at: {}, pattern: {pattern} }}",
        literal(&capture.name),
        literal(at)
    )
}
