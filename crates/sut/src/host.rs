//! What of the machine's settings makes measurements worse or impossible.

use std::fs;

use super::cpus::CpuSet;

/// The settings of this machine, as far as the system tells them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HostSettings {
    /// Logical processors that this process may use.
    pub cpus: usize,
    /// Whether target and load can have processors of their own.
    pub is_split: bool,
    /// How the first processor's frequency is chosen.
    pub governor: Option<String>,
    /// What the kernel reads the time from.
    pub clock_source: Option<String>,
    /// Processors' worth of time that the control group may use.
    pub cpu_quota: Option<f64>,
    /// Memory that the control group may use, in bytes.
    pub memory_bytes_max: Option<u64>,
    /// Memory that programs can get without swapping, in bytes.
    pub memory_available_bytes: Option<u64>,
    /// Memory that was swapped out, in bytes.
    pub swap_used_bytes: Option<u64>,
    /// Processes that wanted to run, averaged over the last minute.
    pub load_mean: Option<f64>,
    /// Who may count events of the processor: below 2, any user their own programs'.
    pub perf_paranoid: Option<i32>,
}

impl HostSettings {
    /// Reads them.
    pub fn read() -> Self {
        let cpus = CpuSet::available().ok();
        let meminfo = text("/proc/meminfo").unwrap_or_default();
        let swap = |key| kibibytes(&meminfo, key);
        let quota = text("/sys/fs/cgroup/cpu.max").and_then(|text| quota(&text)).or_else(quota_v1);
        let limit = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
        let limit = limit.into_iter().find_map(text).and_then(|text| memory_limit(&text));
        Self {
            cpus: cpus.as_ref().map_or(1, |cpus| cpus.numbers().len()),
            is_split: cpus.and_then(|cpus| cpus.split()).is_some(),
            governor: text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            clock_source: text("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
            cpu_quota: quota,
            memory_bytes_max: limit,
            memory_available_bytes: kibibytes(&meminfo, "MemAvailable:"),
            swap_used_bytes: swap("SwapTotal:")
                .zip(swap("SwapFree:"))
                .map(|(total, free)| total.saturating_sub(free)),
            load_mean: text("/proc/loadavg").and_then(|text| text.split(' ').next()?.parse().ok()),
            perf_paranoid: text("/proc/sys/kernel/perf_event_paranoid")
                .and_then(|text| text.parse().ok()),
        }
    }
}

fn text(path: &str) -> Option<String> {
    Some(fs::read_to_string(path).ok()?.trim().to_owned())
}

/// The value of a line of `/proc/meminfo`, in bytes.
fn kibibytes(meminfo: &str, key: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// `50000 100000` is half a processor, `max 100000` as many as there are.
fn quota(text: &str) -> Option<f64> {
    let (quota, period) = text.split_once(' ')?;
    let (quota, period): (f64, f64) = (quota.parse().ok()?, period.parse().ok()?);
    (quota > 0.0 && period > 0.0).then(|| quota / period)
}

/// The first version of control groups has a file for each, and -1 for no limit.
fn quota_v1() -> Option<f64> {
    let file = |name: &str| text(&format!("/sys/fs/cgroup/cpu/{name}"));
    quota(&format!("{} {}", file("cpu.cfs_quota_us")?, file("cpu.cfs_period_us")?))
}

/// The first version of control groups has a number near 2⁶³ for no limit, the second a word.
fn memory_limit(text: &str) -> Option<u64> {
    text.parse::<u64>().ok().filter(|bytes| *bytes < 1 << 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_linux_are_understood() {
        assert_eq!(
            [quota("50000 100000"), quota("max 100000"), quota("-1 100000")],
            [Some(0.5), None, None]
        );
        let limits = ["1073741824", "max", "9223372036854771712"].map(memory_limit);
        assert_eq!(limits, [Some(1 << 30), None, None]);
        let meminfo = "MemTotal:       24576 kB\nMemAvailable:    2048 kB\n";
        assert_eq!(kibibytes(meminfo, "MemAvailable:"), Some(2 << 20));
        assert_eq!(kibibytes(meminfo, "SwapTotal:"), None);
    }

    #[test]
    fn this_machine_has_a_processor() {
        assert!(HostSettings::read().cpus > 0);
    }
}
