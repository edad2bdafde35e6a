//! What the kernel says about a process and everything it started.
//!
//! CPU time comes from the clock of each process (`clock_getcpuclockid`): it counts in nanoseconds,
//! covers every thread including those that have ended, and is exact at the moment of reading.
//! `/proc/PID/stat` counts in ticks of 10 ms, which is 1 % of a second of load;
//! `/proc/PID/task/*/schedstat` counts in nanoseconds, but forgets a thread when it ends, and a
//! server may run one for each request. Only for children that have ended and were waited for is
//! the tick counter of their parent all there is, so these are rounded down to 10 ms a process.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::time::Duration;

use rustix::param::clock_ticks_per_second;
use rustix::process::Pid;

use super::kernel::cpu_clock;

/// A line of `/proc/PID/stat`, as far as it is needed here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ProcessStat {
    pub(super) pid: Pid,
    pub(super) parent: i32,
    pub(super) group: i32,
    pub(super) threads: u64,
    /// User time of all threads, in ticks; and system time.
    user_ticks: u64,
    system_ticks: u64,
    pub(super) faults_minor: u64,
    pub(super) faults_major: u64,
    /// User and system time of the children that were waited for, in ticks.
    reaped_ticks: u64,
    /// Since boot, in ticks; tells a process from a later one of the same number.
    pub(super) started_ticks: u64,
    ended: bool,
}

/// Resident memory of a process, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "a field says its unit")]
pub(super) struct ResidentMemory {
    pub(super) now_bytes: u64,
    /// Since the start, or the last reset.
    pub(super) peak_bytes: u64,
    /// Pages of files among those of now.
    pub(super) file_bytes: u64,
}

/// Returns every process that is still running.
pub(super) fn running() -> io::Result<Vec<ProcessStat>> {
    let mut processes = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
        // A process may end between the listing and the reading.
        let Some(process) = ProcessStat::read(pid) else { continue };
        if !process.ended {
            processes.push(process);
        }
    }
    Ok(processes)
}

/// Returns `root`, the others in the process group that it leads, those of `others` that still run, and
/// their descendants.
pub(super) fn family(
    root: Pid,
    others: &[ProcessStat],
    processes: &[ProcessStat],
) -> Vec<ProcessStat> {
    with_descendants(processes, |process| {
        process.pid == root
            || process.group == root.as_raw_pid()
            || others.iter().any(|other| other.is_same(process))
    })
}

/// Returns `root` and its descendants, for a process that does not lead a group of its own.
pub(super) fn descendants(root: Pid, processes: &[ProcessStat]) -> Vec<ProcessStat> {
    with_descendants(processes, |process| process.pid == root)
}

fn with_descendants(
    processes: &[ProcessStat],
    first: impl Fn(&ProcessStat) -> bool,
) -> Vec<ProcessStat> {
    let mut pids = BTreeSet::new();
    // Parents may stand behind their children, as process numbers wrap round.
    loop {
        let known = pids.len();
        for process in processes {
            if first(process) || pids.contains(&process.parent) {
                pids.insert(process.pid.as_raw_pid());
            }
        }
        if pids.len() == known {
            return processes
                .iter()
                .filter(|process| pids.contains(&process.pid.as_raw_pid()))
                .copied()
                .collect();
        }
    }
}

/// Returns whether `marker` (`NAME=value`) stands in the environment the process was started with.
pub(super) fn carries(pid: Pid, marker: &str) -> bool {
    fs::read(format!("/proc/{}/environ", pid.as_raw_pid())).is_ok_and(|environ| {
        environ.split(|&byte| byte == 0).any(|variable| variable == marker.as_bytes())
    })
}

impl ProcessStat {
    /// Whether both are one process, and not a later one of the same number.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        (self.pid, self.started_ticks) == (other.pid, other.started_ticks)
    }

    /// Whether the process has not ended since.
    pub(super) fn is_running(&self) -> bool {
        Self::read(self.pid.as_raw_pid()).is_some_and(|now| self.is_same(&now) && !now.ended)
    }

    /// Reads the process, or nothing if it is gone.
    pub(super) fn read(pid: i32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    fn parse(stat: &str) -> Option<Self> {
        // The name stands in parentheses and may itself contain spaces and parentheses.
        let (pid, rest) = stat.split_once(" (")?;
        let fields = rest.rsplit_once(") ")?.1.split(' ').collect::<Vec<_>>();
        let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
        Some(Self {
            pid: Pid::from_raw(pid.parse().ok()?)?,
            parent: fields.get(1)?.parse().ok()?,
            group: fields.get(2)?.parse().ok()?,
            threads: number(17)?,
            user_ticks: number(11)?,
            system_ticks: number(12)?,
            faults_minor: number(7)?,
            faults_major: number(9)?,
            reaped_ticks: number(13)? + number(14)?,
            started_ticks: number(19)?,
            ended: matches!(*fields.first()?, "Z" | "X"),
        })
    }

    /// Returns user and system time of all threads, living and ended, and of the children that
    /// were waited for.
    pub(super) fn cpu(&self) -> io::Result<Duration> {
        let ticks_per_second = clock_ticks_per_second().max(1);
        let reaped_ms = self.reaped_ticks.saturating_mul(1000) / ticks_per_second;
        Ok(cpu_clock(self.pid)? + Duration::from_millis(reaped_ms))
    }

    /// Returns user and system time of all threads, to the tick of 10 ms.
    pub(super) fn user_and_system(&self) -> (Duration, Duration) {
        let ticks_per_second = clock_ticks_per_second().max(1);
        let time = |ticks: u64| Duration::from_millis(ticks * 1000 / ticks_per_second);
        (time(self.user_ticks), time(self.system_ticks))
    }

    /// Returns how often the living threads gave up the processor, and how often it was taken.
    pub(super) fn switches(&self) -> io::Result<(u64, u64)> {
        let mut switches = (0, 0);
        for task in fs::read_dir(format!("/proc/{}/task", self.pid.as_raw_pid()))? {
            // A thread may end between the listing and the reading.
            let Ok(status) = fs::read_to_string(task?.path().join("status")) else { continue };
            switches.0 += number_of(&status, "voluntary_ctxt_switches:");
            switches.1 += number_of(&status, "nonvoluntary_ctxt_switches:");
        }
        Ok(switches)
    }

    /// Returns the bytes that were read from and written to storage, in this order.
    pub(super) fn storage(&self) -> io::Result<(u64, u64)> {
        let io = fs::read_to_string(format!("/proc/{}/io", self.pid.as_raw_pid()))?;
        Ok((number_of(&io, "read_bytes:"), number_of(&io, "write_bytes:")))
    }

    /// Returns how many files and sockets are open.
    pub(super) fn files(&self) -> io::Result<u64> {
        let files = fs::read_dir(format!("/proc/{}/fd", self.pid.as_raw_pid()))?;
        Ok(files.fold(0, |files, _| files + 1))
    }

    /// Returns resident memory; a kernel thread has none.
    pub(super) fn memory(&self) -> io::Result<ResidentMemory> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid.as_raw_pid()))?;
        let bytes = |key| number_of(&status, key) * 1024;
        Ok(ResidentMemory {
            now_bytes: bytes("VmRSS:"),
            peak_bytes: bytes("VmHWM:"),
            file_bytes: bytes("RssFile:"),
        })
    }

    /// Returns resident memory without pages of files, a page that several processes share divided
    /// among them. The kernel walks all pages for it.
    pub(super) fn proportional_bytes(&self) -> io::Result<u64> {
        let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.pid.as_raw_pid()))?;
        Ok((number_of(&rollup, "Pss_Anon:") + number_of(&rollup, "Pss_Shmem:")) * 1024)
    }

    /// Lets the highest resident memory start again from what is resident now.
    pub(super) fn reset_peak(&self) -> io::Result<()> {
        fs::write(format!("/proc/{}/clear_refs", self.pid.as_raw_pid()), "5")
    }
}

fn number_of(status: &str, key: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: i32, parent: i32, group: i32) -> ProcessStat {
        ProcessStat {
            pid: Pid::from_raw(pid).unwrap(),
            parent,
            group,
            threads: 1,
            user_ticks: 0,
            system_ticks: 0,
            faults_minor: 0,
            faults_major: 0,
            reaped_ticks: 0,
            started_ticks: 0,
            ended: false,
        }
    }

    #[test]
    fn a_family_is_the_tree_and_the_group_in_any_order() {
        let processes = [
            process(5, 90, 5),   // a grandchild with a lower number and its own group
            process(10, 1, 10),  // the root
            process(11, 1, 10),  // orphaned, still in the group
            process(12, 11, 12), // child of the orphan
            process(20, 1, 20),  // a foreign process
            process(90, 10, 10), // a child
        ];
        let pids = |others: &[ProcessStat]| {
            family(Pid::from_raw(10).unwrap(), others, &processes)
                .iter()
                .map(|process| process.pid.as_raw_pid())
                .collect::<Vec<_>>()
        };
        assert_eq!(pids(&[]), [5, 10, 11, 12, 90]);
        let daemon = process(20, 1, 20);
        assert_eq!(pids(&[daemon]), [5, 10, 11, 12, 20, 90]);
        let earlier = ProcessStat { started_ticks: 7, ..daemon };
        assert_eq!(pids(&[earlier]), [5, 10, 11, 12, 90], "the number was given to another");
    }

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let stat = "42 (a) b (c) S 7 42 42 0 -1 4194560 1 0 0 0 3 4 50 6 20 0 9 0 123456 1 1 1";
        let process = ProcessStat::parse(stat).unwrap();
        assert_eq!((process.pid.as_raw_pid(), process.parent, process.group), (42, 7, 42));
        assert_eq!(
            (process.threads, process.reaped_ticks, process.started_ticks),
            (9, 56, 123_456)
        );
        assert!(!process.ended);
        assert_eq!(ProcessStat::parse("42 (short) S 7"), None);
    }

    #[test]
    fn the_clock_counts_threads_that_have_ended() {
        let own = rustix::process::getpid();
        let before = cpu_clock(own).unwrap();
        let thread = std::thread::spawn(move || {
            assert!((0..20_000_000_u64).all(|i| std::hint::black_box(i) < u64::MAX));
            cpu_clock(own).unwrap()
        });
        let inside = thread.join().unwrap();
        assert!(inside > before);
        assert!(cpu_clock(own).unwrap() >= inside);
        assert_eq!(
            cpu_clock(Pid::from_raw(1 << 22).unwrap()).unwrap_err().raw_os_error(),
            Some(libc::ESRCH)
        );
    }
}
