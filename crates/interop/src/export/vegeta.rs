//! A scenario as targets of vegeta, and the shell scripts that attack them and judge what came of it.
//!
//! vegeta looks at the status of an answer alone. Its results are a line a request, so those of several
//! instances are put together exactly.

use std::time::Duration;

use payload::{LiveText, ResponseLocation};
use record::metric::limit::Limit;
use runner::{ListedAnswer, ListedBody, ListedRequest};
use suite::{ArrivalShape, LoadAmount, ReusePolicy, WorkloadModel};

use crate::export::files::{self, ExportFile};
use crate::export::gap::ExportGap;
use crate::export::limits::{self, ToolQuantity};
use crate::export::plan::ExportPlan;
use crate::export::shell;

/// Name of the file with the targets.
pub(super) const TARGETS_FILE: &str = "targets.http";

/// Name of the script that judges results.
const JUDGE_FILE: &str = "judge.sh";

/// That script without its scenario.
const JUDGE: &str = include_str!("vegeta-judge.sh");

/// Returns what vegeta cannot express.
pub(super) fn gaps(plan: &ExportPlan<'_>) -> Vec<ExportGap> {
    let mut gaps = limits::gaps(plan);
    gaps.extend(plan.operation_limit_gaps());
    gaps.extend(load_gap(plan));
    let rules: Vec<String> =
        plan.listing.requests.iter().map(|it| status_rule(&it.answer)).collect();
    let says_more = plan.listing.requests.iter().any(|it| looks_into(&it.answer));
    if says_more || rules.iter().any(|rule| *rule != rules[0]) {
        gaps.push(ExportGap::Answers);
    }
    if plan.fleet.is_some_and(|size| size.get() > plan.connections()) {
        gaps.push(ExportGap::Fleet { users: plan.connections() });
    }
    gaps
}

fn load_gap(plan: &ExportPlan<'_>) -> Option<ExportGap> {
    match &plan.load().model {
        WorkloadModel::Open { shape: ArrivalShape::Constant, .. }
        | WorkloadModel::Steps { .. }
        | WorkloadModel::Capacity { .. } => None,
        WorkloadModel::Open { shape, .. } => Some(ExportGap::Arrivals(*shape)),
        WorkloadModel::Closed { amount: LoadAmount::Requests(requests), .. } => {
            Some(ExportGap::Requests(*requests))
        }
        WorkloadModel::Closed { think, .. } => (!think.is_zero()).then_some(ExportGap::Think),
    }
}

/// Whether a right answer says more than its status.
fn looks_into(answer: &ListedAnswer) -> bool {
    match answer {
        ListedAnswer::Verdict(_) | ListedAnswer::Verdicts(_) | ListedAnswer::Soap => true,
        ListedAnswer::Success | ListedAnswer::Survival => false,
        ListedAnswer::Values(values) => {
            values.iter().any(|(place, _)| *place != ResponseLocation::Status)
        }
    }
}

/// Returns the condition on the status `$2` of a right answer, as awk has it.
fn status_rule(answer: &ListedAnswer) -> String {
    const SUCCESS: &str = "$2 >= 200 && $2 < 300";
    match answer {
        ListedAnswer::Verdict(_) | ListedAnswer::Verdicts(_) => "$2 == 200".to_owned(),
        ListedAnswer::Success | ListedAnswer::Soap => SUCCESS.to_owned(),
        ListedAnswer::Survival => "$2 > 0 && $2 < 500".to_owned(),
        ListedAnswer::Values(values) => {
            let status = values.iter().find(|(place, _)| *place == ResponseLocation::Status);
            let status = status.and_then(|(_, equals)| equals.first()?.fixed());
            let status = status.and_then(|status| status.parse::<u16>().ok());
            status.map_or_else(|| SUCCESS.to_owned(), |status| format!("$2 == {status}"))
        }
    }
}

/// Returns the targets and the scripts.
pub(super) fn files(plan: &ExportPlan<'_>) -> Vec<ExportFile> {
    vec![
        ExportFile::program(shell::SCRIPT_FILE, attack_script(plan)),
        ExportFile::text(TARGETS_FILE, targets(plan)),
        ExportFile::program(JUDGE_FILE, judge_script(plan)),
    ]
}

fn targets(plan: &ExportPlan<'_>) -> String {
    let targets: Vec<String> = plan.listing.requests.iter().map(|it| target(plan, it)).collect();
    plan.places().iter().map(|place| targets[*place].as_str()).collect()
}

fn target(plan: &ExportPlan<'_>, request: &ListedRequest) -> String {
    // What is open is a gap.
    let fixed = |text: &LiveText| text.fixed().unwrap_or_default();
    let path = fixed(&request.path);
    let mut lines = vec![format!("{} {}{path}", request.method.name(), plan.url)];
    lines.extend(request.media_type.iter().map(|it| format!("Content-Type: {it}")));
    lines.extend(request.headers.iter().map(|(name, it)| format!("{name}: {}", fixed(it))));
    if let ListedBody::Known(..) = &request.body {
        lines.push(format!("@./{}", files::body_name(plan, request)));
    }
    lines.join("\n") + "\n\n"
}

/// Returns the options of an attack by one of several instances: each sends its part of the rate.
pub(super) fn options(plan: &ExportPlan<'_>) -> String {
    let load = plan.load();
    let instances = plan.fleet.map_or(1, std::num::NonZero::get);
    let users = plan.connections().div_ceil(instances);
    let (rate, lasts) = match &load.model {
        WorkloadModel::Open { schedule, .. } => {
            let per_s = schedule.stages().first().map_or(0.0, |stage| stage.from_per_s);
            (rate(per_s, instances), schedule.lasts())
        }
        _ => ("0".to_owned(), plan.closed_time().map_or(plan.duration, |(lasts, _)| lasts)),
    };
    let mut options = format!(
        "-format http -rate={rate} -duration={} -workers={users} -max-workers={users} \
         -timeout={} -redirects=-1 -http2=false",
        time(lasts),
        time(load.timeouts.total),
    );
    if load.reuse == ReusePolicy::Request {
        options.push_str(" -keepalive=false");
    }
    if plan.is_insecure {
        options.push_str(" -insecure");
    }
    options
}

fn time(time: Duration) -> String {
    format!("{}ns", time.as_nanos())
}

/// A rate as whole requests in a time: vegeta has no parts of requests. A million seconds are enough for any.
fn rate(per_s: f64, instances: u32) -> String {
    const DECIMALS_MAX: i32 = 6;
    let scale = (0..DECIMALS_MAX).map(|it| 10_f64.powi(it));
    let scale = scale.into_iter().find(|it| ((per_s * it).round() - per_s * it).abs() < 1e-9);
    let scale = scale.unwrap_or(1e6);
    format!("{}/{}s", (per_s * scale).round(), scale * f64::from(instances))
}

/// The line that makes targets of another URL.
pub(super) fn target_line(plan: &ExportPlan<'_>) -> String {
    let plain = |c: char| if ".[]*^$\\|".contains(c) { format!("\\{c}") } else { c.to_string() };
    let default: String = plan.url.chars().map(plain).collect();
    format!("sed \"s|^\\([A-Z][A-Z]*\\) {default}|\\1 $url|\" {TARGETS_FILE}")
}

fn attack_script(plan: &ExportPlan<'_>) -> String {
    format!(
        "#!/bin/sh\n\
         # Scenario `{name}`, written by xmlperf {version} for vegeta 12.\n\
         #\n\
         #   sha256sum -c SHA256SUMS\n\
         #   ./{script} {url}\n\
         #\n\
         # The exit code is 1 where a limit is broken or a status is wrong. `results.bin` has every request:\n\
         # `vegeta report results.bin`, `vegeta encode results.bin | xmlperf import -`.\n\
         {left_out}\
         set -eu\n\
         cd \"$(dirname \"$0\")\"\n\
         url=${{1:-{url}}}\n\
         url=${{url%/}}\n\
         targets=$(mktemp)\n\
         trap 'rm -f \"$targets\"' EXIT\n\
         {line} >\"$targets\"\n\
         vegeta attack -targets \"$targets\" {options} >results.bin\n\
         vegeta report results.bin\n\
         vegeta encode -to csv results.bin >results.csv\n\
         ./{JUDGE_FILE} results.csv\n",
        name = plan.scenario.name,
        version = env!("CARGO_PKG_VERSION"),
        script = shell::SCRIPT_FILE,
        url = plan.url,
        left_out = plan.left_out("#"),
        line = target_line(plan),
        options = options(plan),
    )
}

fn judge_script(plan: &ExportPlan<'_>) -> String {
    let rule = plan.listing.requests.first().map(|it| status_rule(&it.answer));
    let mut limits: String = plan.limits().filter_map(|it| limit_line(plan, it)).collect();
    if !limits::allows_errors(plan) {
        limits.push_str("    limit(\"errors <= 0 %\", wrong / n <= 0)\n");
    }
    JUDGE
        .replacen("{{right}}", &rule.unwrap_or_else(|| "1".to_owned()), 1)
        .replacen("{{units}}", &plan.listing.units.to_string(), 1)
        .replacen("{{unit}}", &plan.scenario.unit.plural(), 1)
        .replacen("    #{{limits}}\n", &limits, 1)
}

fn limit_line(plan: &ExportPlan<'_>, limit: &Limit) -> Option<String> {
    let measured = match ToolQuantity::of(limit.quantity)? {
        ToolQuantity::Throughput => "throughput".to_owned(),
        ToolQuantity::Percentile(rank) => format!("percentile({rank})"),
        ToolQuantity::Errors => "wrong / n".to_owned(),
    };
    let text = format!("{} {}", limit.quantity.key(), limit.text(&plan.scenario.unit));
    Some(format!("    limit(\"{text}\", {measured} {} {})\n", limits::sign(limit), limit.value))
}
