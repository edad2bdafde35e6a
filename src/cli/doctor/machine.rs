//! The findings about a machine, each with what to do.

use std::io::Write;

use comfy_table::Cell as TableCell;
use report::terminal;
use serde_json::{Value, json};
use units::Ratio;

use crate::app::doctor::{DoctorOutcome, MachineFinding, NoiseFinding, SensitivityForecast};
use crate::app::event::MetricChange;
use crate::cli::{Exit, dose_text, output};

/// Beyond this a number says no more than that the metric is of no use here.
const PERCENT_MAX: f64 = 100.0;

/// Fails only where nothing could be measured: a machine that is worse than another one is no mistake.
pub(super) fn exit(outcome: &DoctorOutcome) -> Exit {
    match outcome.noise {
        NoiseFinding::NotMeasured(_) => Exit::NotMeasured,
        NoiseFinding::Measured { .. } => Exit::Success,
    }
}

/// Shows a table, then what can be found here.
pub(super) fn show(out: &mut impl Write, outcome: &DoctorOutcome) -> anyhow::Result<()> {
    let mut table = terminal::table(output::screen());
    table.set_header(["", "found", "what to do"]);
    for finding in &outcome.findings {
        let advice = if finding.is_sound() { "" } else { advice(finding) };
        let row = [subject(finding), &found(finding), advice].map(TableCell::new);
        table.add_row(row);
    }
    writeln!(out, "{}\n", table.trim_fmt())?;
    show_noise(out, &outcome.noise)?;
    Ok(dose_text::show_offset(out, outcome.twins, outcome.offsets.as_ref())?)
}

fn show_noise(out: &mut impl Write, noise: &NoiseFinding) -> anyhow::Result<()> {
    let (launch_pairs, launch_pair, spreads, forecasts) = match noise {
        NoiseFinding::NotMeasured(reason) => {
            return Ok(writeln!(out, "could not measure the noise: {reason}")?);
        }
        NoiseFinding::Measured { launch_pairs, launch_pair, spreads, forecasts } => {
            (launch_pairs, launch_pair, spreads, forecasts)
        }
    };
    let took = units::duration(*launch_pair);
    writeln!(
        out,
        "one build against itself: {launch_pairs} launch pairs of {took}, which scatter by"
    )?;
    writeln!(out, "  {}\n", changes(spreads, "±"))?;
    writeln!(out, "the smallest change that is found four times in five")?;
    for SensitivityForecast { budget, launch_pairs, smallest } in forecasts {
        let found = if smallest.is_empty() {
            "none: too few launch pairs to decide".to_owned()
        } else {
            changes(smallest, "+")
        };
        let budget = units::duration(*budget);
        writeln!(out, "  in {budget} ({launch_pairs} launch pairs): {found}")?;
    }
    Ok(())
}

/// `smoke CPU per XML pair ±0.8 %, …`.
fn changes(changes: &[MetricChange], sign: &str) -> String {
    let words = changes.iter().map(|change| {
        let percent = 100.0 * Ratio::from_ln(change.change_ln).0;
        let size = if percent > PERCENT_MAX {
            format!("over {sign}{PERCENT_MAX:.0} %")
        } else {
            format!("{sign}{percent:.1} %")
        };
        format!("{} {} {size}", change.of.scenario, change.of.label())
    });
    words.collect::<Vec<_>>().join(", ")
}

fn subject(finding: &MachineFinding) -> &'static str {
    match finding {
        MachineFinding::Cores { .. } => "cores",
        MachineFinding::Pinning { .. } => "pinning",
        MachineFinding::Governor(_) => "governor",
        MachineFinding::Steal(_) => "steal",
        MachineFinding::Throttling(_) => "throttling",
        MachineFinding::Cgroup { .. } => "cgroup limits",
        MachineFinding::Valgrind(_) => "valgrind",
        MachineFinding::Perf { .. } => "perf",
        MachineFinding::Memory { .. } => "memory",
        MachineFinding::Disk { .. } => "disk",
        MachineFinding::Clock(_) => "clock",
    }
}

fn found(finding: &MachineFinding) -> String {
    let unknown = || "not known".to_owned();
    let size = |bytes: u64| units::bytes(bytes as f64);
    match finding {
        MachineFinding::Cores { cpus, load_mean } => {
            let load = load_mean.map_or_else(unknown, |mean| format!("{mean:.1}"));
            format!("{cpus}, load {load}")
        }
        MachineFinding::Pinning { is_split: true } => {
            "target and load on cores of their own".to_owned()
        }
        MachineFinding::Pinning { .. } => "target and load share a core".to_owned(),
        MachineFinding::Governor(governor) => governor.clone().unwrap_or_else(unknown),
        MachineFinding::Steal(share) | MachineFinding::Throttling(share) => {
            format!("{share} while it was measured")
        }
        MachineFinding::Cgroup { cpu_quota, memory_bytes_max } => {
            let none = || "none".to_owned();
            let cpus = cpu_quota.map_or_else(none, |cpus| format!("{cpus:.1} processors"));
            let memory = memory_bytes_max.map_or_else(none, size);
            format!("CPU {cpus}, memory {memory}")
        }
        MachineFinding::Valgrind(version) => {
            version.clone().unwrap_or_else(|| "not there".to_owned())
        }
        MachineFinding::Perf { version, paranoid } => {
            let version = version.clone().unwrap_or_else(|| "not there".to_owned());
            let paranoid = paranoid.map_or_else(unknown, |level| level.to_string());
            format!("{version}, perf_event_paranoid {paranoid}")
        }
        MachineFinding::Memory { available_bytes, swap_used_bytes } => format!(
            "{} available, {} swapped out",
            available_bytes.map_or_else(unknown, size),
            swap_used_bytes.map_or_else(unknown, size)
        ),
        MachineFinding::Disk { left_bytes } => format!("{} left", size(*left_bytes)),
        MachineFinding::Clock(source) => source.clone().unwrap_or_else(unknown),
    }
}

fn advice(finding: &MachineFinding) -> &'static str {
    match finding {
        MachineFinding::Cores { cpus: 0 | 1, .. } => "take a machine with two cores or more",
        MachineFinding::Cores { .. } => "end other work: what competes for the cores is noise",
        MachineFinding::Pinning { .. } => {
            "give the container two cores or more; until then the load disturbs the target"
        }
        MachineFinding::Governor(_) => {
            "`cpupower frequency-set -g performance`, where the machine is yours"
        }
        MachineFinding::Steal(_) => {
            "neighbours take time: more launch pairs (`--budget`), or a dedicated runner"
        }
        MachineFinding::Throttling(_) => {
            "the quota was used up: raise the container's CPU limit, or lower the load"
        }
        MachineFinding::Cgroup { .. } => "raise the container's limits, at least 2 cores and 1 GiB",
        MachineFinding::Valgrind(_) => {
            "`apt-get install valgrind`: counted instructions find small changes in seconds"
        }
        MachineFinding::Perf { .. } => "`apt-get install linux-perf`, for `xmlperf profile`",
        MachineFinding::Memory { .. } => "end other programs: swapping is noise of milliseconds",
        MachineFinding::Disk { .. } => "make room: below 16 MiB no run begins",
        MachineFinding::Clock(_) => "each reading of this clock is a system call: prefer `tsc`",
    }
}

/// Shows every number.
pub(super) fn show_json(out: &mut impl Write, outcome: &DoctorOutcome) -> anyhow::Result<()> {
    let findings = outcome.findings.iter().map(|finding| {
        let is_sound = finding.is_sound();
        json!({
            "subject": subject(finding),
            "sound": is_sound,
            "found": found(finding),
            "advice": (!is_sound).then(|| advice(finding)),
            "values": values(finding),
        })
    });
    let all = json!({
        "schema": 1,
        "findings": findings.collect::<Vec<_>>(),
        "noise": noise_json(&outcome.noise),
        "twins": outcome.twins,
        "offsets": &outcome.offsets,
    });
    serde_json::to_writer_pretty(&mut *out, &all)?;
    writeln!(out)?;
    Ok(())
}

fn values(finding: &MachineFinding) -> Value {
    match finding {
        MachineFinding::Cores { cpus, load_mean } => json!({"cpus": cpus, "load_mean": load_mean}),
        MachineFinding::Pinning { is_split } => json!({"split": is_split}),
        MachineFinding::Governor(name) | MachineFinding::Clock(name) => json!({"name": name}),
        MachineFinding::Steal(share) | MachineFinding::Throttling(share) => {
            json!({"share": share.0})
        }
        MachineFinding::Cgroup { cpu_quota, memory_bytes_max } => {
            json!({"cpu_quota": cpu_quota, "memory_bytes_max": memory_bytes_max})
        }
        MachineFinding::Valgrind(version) => json!({"version": version}),
        MachineFinding::Perf { version, paranoid } => {
            json!({"version": version, "paranoid": paranoid})
        }
        MachineFinding::Memory { available_bytes, swap_used_bytes } => {
            json!({"available_bytes": available_bytes, "swap_used_bytes": swap_used_bytes})
        }
        MachineFinding::Disk { left_bytes } => json!({"left_bytes": left_bytes}),
    }
}

fn noise_json(noise: &NoiseFinding) -> Value {
    let (launch_pairs, launch_pair, spreads, forecasts) = match noise {
        NoiseFinding::NotMeasured(reason) => return json!({"reason": reason.summary}),
        NoiseFinding::Measured { launch_pairs, launch_pair, spreads, forecasts } => {
            (launch_pairs, launch_pair, spreads, forecasts)
        }
    };
    let forecasts = forecasts.iter().map(|forecast| {
        json!({
            "budget_ns": units::nanos(forecast.budget),
            "launch_pairs": forecast.launch_pairs,
            "smallest": forecast.smallest,
        })
    });
    json!({
        "launch_pairs": launch_pairs,
        "launch_pair_ns": units::nanos(*launch_pair),
        "spreads": spreads,
        "forecasts": forecasts.collect::<Vec<_>>(),
    })
}
