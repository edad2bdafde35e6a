//! The processes of a target at one moment, and what they have used.

use std::io;

use super::Target;
use super::failure::TargetError;
use super::process::ProcessStat;
use super::resource_usage::ResourceUsage;
use super::run_queue::RunQueueClock;
use super::sampler::{CpuClock, ResourceSample, Sampler};

/// The processes that a target had when they were looked for.
#[derive(Debug)]
pub struct TargetProcesses(Vec<ProcessStat>);

impl Target {
    /// Finds its processes. Takes a look at every process of the machine, a few milliseconds: not for the middle of
    /// a measurement.
    pub fn processes(&self) -> Result<TargetProcesses, TargetError> {
        Ok(TargetProcesses(self.family()?))
    }

    /// Returns what the target has used up to now, after a look for its processes.
    pub fn usage(&self) -> Result<ResourceUsage, TargetError> {
        self.usage_of(&self.processes()?)
    }

    /// Returns what these processes of it have used up to now.
    pub fn usage_of(&self, processes: &TargetProcesses) -> Result<ResourceUsage, TargetError> {
        let mut usage = ResourceUsage::default();
        for process in &processes.0 {
            // One that ends under the eyes is counted by its parent from now on.
            let (Ok(cpu), Ok(memory)) = (process.cpu(), process.memory()) else { continue };
            usage.cpu += cpu;
            let (user, system) = process.user_and_system();
            usage.user += user;
            usage.system += system;
            let (voluntary, involuntary) = process.switches().unwrap_or_default();
            usage.counters.switches_voluntary += voluntary;
            usage.counters.switches_involuntary += involuntary;
            usage.counters.faults_minor += process.faults_minor;
            usage.counters.faults_major += process.faults_major;
            // Those of another user are not shown.
            let (read, written) = process.storage().unwrap_or_default();
            usage.counters.storage_read_bytes += read;
            usage.counters.storage_written_bytes += written;
            usage.files += process.files().unwrap_or_default();
            usage.rss_bytes += memory.now_bytes;
            usage.rss_peak_bytes += memory.peak_bytes;
            usage.memory_peak_bytes += memory.peak_bytes.saturating_sub(memory.file_bytes);
            usage.threads += process.threads;
            usage.processes += 1;
        }
        if usage.processes == 0 {
            self.alive()?;
            return Err(TargetError::NoProcess);
        }
        Ok(usage)
    }

    /// Returns what reads the CPU time of the processes that there are now.
    pub fn cpu_clock(&self) -> Result<CpuClock, TargetError> {
        Ok(self.processes()?.cpu_clock())
    }

    /// Lets [`ResourceUsage::rss_peak_bytes`] start again from what is resident now.
    pub fn reset_peak(&self) -> Result<(), TargetError> {
        self.processes()?.reset_peak()
    }
}

impl TargetProcesses {
    /// Returns their memory without pages of files, where several processes can share some: each shared page
    /// counts once. None of a single process.
    pub fn memory_proportional_bytes(&self) -> Option<u64> {
        if self.0.len() < 2 {
            return None;
        }
        // Those of another user, and those that end meanwhile, are not shown.
        let bytes = self.0.iter().filter_map(|process| process.proportional_bytes().ok());
        Some(bytes.sum())
    }

    /// Watches them until the result is stopped or dropped. `seen` hears of every point, on a thread of its own.
    pub fn sample(&self, seen: impl FnMut(&ResourceSample) + Send + 'static) -> Sampler {
        Sampler::start(self.0.iter().map(|process| process.pid).collect(), seen)
    }

    /// Returns what reads their CPU time.
    pub fn cpu_clock(&self) -> CpuClock {
        CpuClock::new(self.0.iter().map(|process| process.pid).collect())
    }

    /// Returns what reads how long their threads wait for a processor.
    pub fn run_queue_clock(&self) -> RunQueueClock {
        RunQueueClock::new(self.0.iter().map(|process| process.pid).collect())
    }

    /// Lets [`ResourceUsage::rss_peak_bytes`] start again from what is resident now.
    pub fn reset_peak(&self) -> Result<(), TargetError> {
        for process in &self.0 {
            match process.reset_peak() {
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    return Err(TargetError::Unreadable(error));
                }
                // It has ended in the meantime.
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }
}
