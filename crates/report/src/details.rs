//! The words for what there is to say of a scenario beside its metrics: lines of text, the same for
//! a terminal and inside markdown.

use crate::wording;
use compare::details::{CapacityEstimate, NetworkDetails, ProbeTotals, ScenarioDetails, StepRow};
use record::{GeneratorQuality, LatencyBasis, LimitsRecord, LoadLevel};
use units::text::plural;

/// Most levels of a load that are shown: the highest ones, where the limits break.
const STEPS_MAX: usize = 12;

/// Returns the lines of one scenario: first what was done, then what was seen, each indented.
pub(super) fn lines(details: &ScenarioDetails) -> Vec<String> {
    let times = match details.times {
        LatencyBasis::Service => "times count from when a request was sent (service time)",
        LatencyBasis::Response => "times count from when a request was due (response time)",
    };
    let mut lines =
        vec![format!("{}: {}; {times}", details.scenario, wording::scenario_load(details))];
    if let Some(capacity) = &details.capacity {
        lines.push(format!("  capacity: {}", capacity_words(capacity)));
    }
    lines.extend(steps(&details.steps));
    for failures in &details.failures {
        lines.push(format!("  failed: {} × {}", failures.count, failures.kind));
        if let Some(first) = &failures.first {
            lines.push(format!("    first: {}", first.detail.replace('\n', " ")));
            let answer = first.answer.trim();
            if !answer.is_empty() {
                let shown: String = answer.chars().take(160).collect();
                lines.push(format!("    answer: {}", shown.replace(['\n', '\r'], " ")));
            }
        }
    }
    lines.extend(details.generator.as_ref().map(generator));
    lines.extend(details.network.as_ref().map(network));
    lines.extend(details.confinement.as_ref().map(confinement));
    if let Some(probes) = &details.probes {
        lines.extend(seen(probes));
    }
    lines
}

/// Returns the capacity of a scenario in a sentence; nothing where none was searched for.
pub(super) fn capacity(details: &ScenarioDetails) -> Option<String> {
    let capacity = details.capacity.as_ref()?;
    Some(format!("{}: {}", wording::quoted(&details.scenario), capacity_words(capacity)))
}

fn capacity_words(capacity: &CapacityEstimate) -> String {
    match capacity {
        CapacityEstimate::Interval {
            median_per_s,
            low_per_s,
            high_per_s,
            coverage,
            launches,
            pairs_per_request,
            unit,
        } => {
            let pairs_per_s = median_per_s * pairs_per_request;
            format!(
                "{} requests/s [{}, {}] with {coverage} confidence from {launches} launches, \
                 or {} {}/s",
                units::count(*median_per_s),
                units::count(*low_per_s),
                units::count(*high_per_s),
                units::count(pairs_per_s),
                unit.plural(),
            )
        }
        CapacityEstimate::AtLeast(per_s) => {
            format!("above {} requests/s, the highest rate that was tried", units::count(*per_s))
        }
        CapacityEstimate::None => "the lowest rate that was tried broke a limit".to_owned(),
    }
}

fn steps(rows: &[StepRow]) -> Vec<String> {
    let hidden = rows.len().saturating_sub(STEPS_MAX);
    let mut lines = Vec::new();
    if hidden > 0 {
        let are = if hidden == 1 { "is" } else { "are" };
        lines.push(format!("  {} {are} in the record", plural(hidden, "lower level")));
    }
    for row in &rows[hidden..] {
        let level = match row.level {
            LoadLevel::Connections(1) => "1 connection".to_owned(),
            LoadLevel::Connections(count) => format!("{count} connections"),
            LoadLevel::PerSecond(per_s) => format!("{} requests/s", units::count(per_s)),
        };
        let time = |name: &str, ns: Option<f64>| {
            ns.map_or_else(String::new, |ns| format!(", {name} {}", units::time_ns(ns)))
        };
        let late = matches!(row.level, LoadLevel::PerSecond(_)).then_some(", the load was late");
        let late = late.unwrap_or_default().to_owned();
        let held = row.held.map_or(late, |(held, of)| {
            if of == 1 {
                let word = if held == 1 { "held" } else { "broke" };
                format!(", {word}")
            } else {
                format!(", held {held} of {of}")
            }
        });
        lines.push(format!(
            "  {level}: {} answered/s{}{}, {} of {} failed{held}",
            units::count(row.per_s),
            time("p50", row.p50_ns),
            time("p95", row.p95_ns),
            row.failed,
            row.requests,
        ));
    }
    lines
}

fn generator(generator: &GeneratorQuality) -> String {
    let time = |ns| units::time_ns(units::exact(ns));
    let lag = format!(
        "  load: lag p99 {}, at most {}; {:.2} requests in flight, at most {}",
        time(generator.lag_p99_ns),
        time(generator.lag_max_ns),
        generator.in_flight,
        generator.in_flight_max,
    );
    let resent = match generator.resent {
        0 => String::new(),
        resent => format!(
            "; {} sent once more, as the target had closed the kept connection",
            plural(resent, "request")
        ),
    };
    let rendered = match generator.rendering_ns {
        0 => String::new(),
        rendering_ns => format!("; {} of rendering before requests were sent", time(rendering_ns)),
    };
    if generator.late == 0 && generator.dropped == 0 {
        return format!("{lag}{resent}{rendered}");
    }
    let (late, dropped) = (generator.late, generator.dropped);
    format!("{lag}; {late} waited for a connection, {dropped} were never sent{resent}{rendered}")
}

fn confinement(confinement: &LimitsRecord) -> String {
    let LimitsRecord { memory, cpu, note } = confinement;
    let memory = memory.iter().map(|limit| {
        format!("memory {} by {}", units::bytes(units::exact(limit.bytes_max)), limit.backend)
    });
    let cpu = cpu.iter().map(|limit| format!("processors {} by {}", limit.cpus_max, limit.backend));
    let kept = memory.chain(cpu).collect::<Vec<_>>().join(", ");
    let note = note.as_ref().map_or_else(String::new, |note| format!("; {note}"));
    format!("  limits of the target: {kept}{note}")
}

fn network(network: &NetworkDetails) -> String {
    let cost = &network.cost;
    let mut words = format!(
        "  network: by itself adds {} to an exchange of {}, {} of CPU each and {} a MiB; took {} of \
         CPU ({})",
        units::time_ns(cost.added_ns),
        units::time_ns(cost.direct_ns),
        units::time_ns(cost.cpu_per_exchange_ns),
        units::time_ns(cost.cpu_per_mib_ns),
        units::time_ns(network.cpu_ns),
        network.cpu,
    );
    if network.resets > 0 {
        let (resets, connections) = (network.resets, network.connections);
        words = format!("{words}; reset {resets} of {connections} connections");
    }
    words
}

fn seen(probes: &ProbeTotals) -> [String; 2] {
    let count = |count: u64| match count {
        0..10_000 => count.to_string(),
        _ => units::count(units::exact(count)),
    };
    [
        format!(
            "  target: {} user + {} system; RSS {} → {}; {} + {} context switches (given up + \
             taken); {} + {} page faults (memory + disk); {}, {}",
            units::time_ns(probes.user_ns),
            units::time_ns(probes.system_ns),
            units::bytes(probes.rss_begin_bytes),
            units::bytes(probes.rss_end_bytes),
            count(probes.counters.switches_voluntary),
            count(probes.counters.switches_involuntary),
            count(probes.counters.faults_minor),
            count(probes.counters.faults_major),
            plural(probes.threads, "thread"),
            plural(probes.files, "file"),
        ),
        format!(
            "  machine: {} stolen by its host, throttled for {}; watching took {} of CPU ({})",
            units::time_ns(probes.steal_ns),
            units::time_ns(probes.throttled_ns),
            units::time_ns(probes.cost_ns),
            probes.cost,
        ),
    ]
}
