//! Reads what tells one machine from another, as far as numbers measured on them may differ.

use std::fs;
use std::thread;

use record::Machine;

/// Returns this machine's fingerprint. What the system does not tell is `unknown` or 0.
pub fn read() -> Machine {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kernel = |name: &str| {
        let text = fs::read_to_string(format!("/proc/sys/kernel/{name}")).unwrap_or_default();
        text.trim().to_owned()
    };
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    Machine {
        arch: std::env::consts::ARCH.to_owned(),
        cpu: field(&cpuinfo, "model name", ':').unwrap_or_else(|| "unknown".to_owned()),
        cores: thread::available_parallelism().map_or(0, usize::from),
        memory_bytes: memory_bytes(&meminfo).unwrap_or(0),
        kernel: format!("{} {}", kernel("ostype"), kernel("osrelease")),
        image: field(&release, "PRETTY_NAME", '=').unwrap_or_else(|| "unknown".to_owned()),
    }
}

/// Returns what tells this machine from another one of its kind, if the system says: a digest of its
/// boot, which is that of the host inside of a container too.
pub fn boot() -> Option<String> {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(record::digest(id.trim().as_bytes()))
}

/// The first value of `key` in lines of `key<separator>value`, without quotes.
fn field(text: &str, key: &str, separator: char) -> Option<String> {
    text.lines().find_map(|line| {
        let (found, value) = line.split_once(separator)?;
        (found.trim() == key).then(|| value.trim().trim_matches('"').to_owned())
    })
}

fn memory_bytes(meminfo: &str) -> Option<u64> {
    let kibibytes = field(meminfo, "MemTotal", ':')?;
    kibibytes.strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_linux_are_understood() {
        let cpuinfo = "processor\t: 0\nmodel name\t: AMD EPYC 9B14\nmodel name\t: other\n";
        assert_eq!(field(cpuinfo, "model name", ':').as_deref(), Some("AMD EPYC 9B14"));
        assert_eq!(memory_bytes("MemFree: 1 kB\nMemTotal:       24576 kB\n"), Some(24_576 * 1024));
        let release = "NAME=\"Debian\"\nPRETTY_NAME=\"Debian GNU/Linux 12\"\n";
        assert_eq!(field(release, "PRETTY_NAME", '=').as_deref(), Some("Debian GNU/Linux 12"));
    }
}
