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
        kernel: match (kernel("ostype"), kernel("osrelease")) {
            // As of every system but Linux.
            (name, _) if name.is_empty() => std::env::consts::OS.to_owned(),
            (name, release) => format!("{name} {release}"),
        },
        image: field(&release, "PRETTY_NAME", '=').unwrap_or_else(|| "unknown".to_owned()),
    }
}

/// How long a machine lasts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum MachineLifetime {
    /// It is started again and again.
    #[default]
    Lasting,
    /// It was made for one job, from an image that others are made from too.
    OneJob,
}

/// Returns what tells this machine from another one of its kind, a digest, if the system says.
///
/// The identity that systemd gives to an installation outlives a start, so that starting a machine again
/// does not make a second one of it. Machines that are made from one image for a job each may share it:
/// there the start, which each has once, belongs to it. A system without one, as in most containers, has
/// the start alone: that of the host.
pub fn identity(lifetime: MachineLifetime) -> Option<String> {
    let read = |path| {
        let text = fs::read_to_string(path).unwrap_or_default();
        Some(text.trim().to_owned()).filter(|text| !text.is_empty() && text != "uninitialized")
    };
    let installation = read("/etc/machine-id");
    identity_of(lifetime, installation, read("/proc/sys/kernel/random/boot_id"))
}

fn identity_of(
    lifetime: MachineLifetime,
    installation: Option<String>,
    boot: Option<String>,
) -> Option<String> {
    let known = match (lifetime, installation, boot) {
        (MachineLifetime::Lasting, Some(installation), _) => installation,
        (MachineLifetime::OneJob, Some(installation), Some(boot)) => {
            format!("{installation} {boot}")
        }
        (_, None, Some(boot)) => boot,
        (MachineLifetime::OneJob, _, None) | (MachineLifetime::Lasting, None, None) => return None,
    };
    // Neither is for others to read as it is.
    Some(record::digest(known.as_bytes()))
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
    fn a_machine_is_the_same_after_a_start_unless_it_lasts_for_one_job() {
        let identity = |lifetime, installation: &str, boot: &str| {
            let known = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            identity_of(lifetime, known(installation), known(boot))
        };
        let (lasting, one_job) = (MachineLifetime::Lasting, MachineLifetime::OneJob);
        assert_eq!(identity(lasting, "m", "1"), identity(lasting, "m", "2"));
        assert_ne!(identity(lasting, "m", "1"), identity(lasting, "n", "1"));
        assert_ne!(identity(one_job, "m", "1"), identity(one_job, "m", "2"));
        assert_ne!(identity(lasting, "", "1"), identity(lasting, "", "2"));
        assert_eq!(identity(lasting, "", ""), None);
        assert_eq!(identity(one_job, "m", ""), None, "others may have the same");
    }

    #[test]
    fn the_files_of_linux_are_understood() {
        let cpuinfo = "processor\t: 0\nmodel name\t: AMD EPYC 9B14\nmodel name\t: other\n";
        assert_eq!(field(cpuinfo, "model name", ':').as_deref(), Some("AMD EPYC 9B14"));
        assert_eq!(memory_bytes("MemFree: 1 kB\nMemTotal:       24576 kB\n"), Some(24_576 * 1024));
        let release = "NAME=\"Debian\"\nPRETTY_NAME=\"Debian GNU/Linux 12\"\n";
        assert_eq!(field(release, "PRETTY_NAME", '=').as_deref(), Some("Debian GNU/Linux 12"));
    }
}
