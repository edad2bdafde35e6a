//! Which processors the target may use, and which are left to the load.
//!
//! Whole physical cores are handed out where there are two: two threads of one core share its
//! execution units, so load on the sibling would show as a slower target.

use std::collections::BTreeMap;
use std::fs;
use std::io;

use super::kernel;

/// A set of logical processors, never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CpuSet(Vec<usize>);

/// Processors for the target and for the load, without overlap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CpuSplit {
    /// All but one core.
    pub target: CpuSet,
    /// One core: the load is one thread, and the core of processor 0 takes most interrupts anyway.
    pub load: CpuSet,
}

impl CpuSet {
    /// Returns the processors that this thread may run on, which a container or `taskset` may have
    /// narrowed.
    pub fn available() -> io::Result<Self> {
        Ok(Self(kernel::thread_cpus()?))
    }

    /// Returns the numbers of the processors, in rising order.
    pub fn numbers(&self) -> &[usize] {
        &self.0
    }

    /// Returns a core for the load and the others for the target, or nothing if there is only one
    /// processor, or the system keeps no thread to its own.
    pub fn split(&self) -> Option<CpuSplit> {
        kernel::LAUNCHES.then(|| self.split_by(core_of))?
    }

    fn split_by(&self, core_of: impl Fn(usize) -> String) -> Option<CpuSplit> {
        let mut cores = BTreeMap::<String, Vec<usize>>::new();
        for &cpu in &self.0 {
            cores.entry(core_of(cpu)).or_default().push(cpu);
        }
        let first = *self.0.first()?;
        let load = if cores.len() > 1 { cores.remove(&core_of(first))? } else { vec![first] };
        let target = self.0.iter().copied().filter(|cpu| !load.contains(cpu)).collect::<Vec<_>>();
        (!target.is_empty()).then_some(CpuSplit { target: Self(target), load: Self(load) })
    }

    /// Keeps the calling thread, and what it starts, on these processors until the result is
    /// dropped.
    pub fn pin_thread(&self) -> io::Result<AffinityGuard> {
        let before = kernel::thread_cpus()?;
        kernel::place_thread(&self.0)?;
        Ok(AffinityGuard { before })
    }
}

/// The thread is pinned while this lives; must be dropped on the same thread.
#[derive(Debug)]
#[must_use = "the thread is released as soon as this is dropped"]
pub struct AffinityGuard {
    before: Vec<usize>,
}

impl AffinityGuard {
    /// Returns where the thread ran before, and runs again later.
    pub fn before(&self) -> CpuSet {
        CpuSet(self.before.clone())
    }
}

impl Drop for AffinityGuard {
    fn drop(&mut self) {
        // The set was in force a moment ago; if it has become impossible since, staying is all
        // that is left.
        let _ = kernel::place_thread(&self.before);
    }
}

/// The threads that share the core, as the kernel lists them; a machine that does not say has a
/// core for each.
fn core_of(cpu: usize) -> String {
    let path = format!("/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list");
    fs::read_to_string(path).unwrap_or_else(|_| cpu.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(cpus: &[usize], cores: &[&str], target_and_load: Option<(&[usize], &[usize])>) {
        let split = CpuSet(cpus.to_vec()).split_by(|cpu| cores[cpu].to_owned());
        let split = split.as_ref().map(|s| (s.target.numbers(), s.load.numbers()));
        assert_eq!(split, target_and_load);
    }

    #[test]
    fn the_load_gets_one_core_with_all_its_threads() {
        check(&[0], &["0"], None);
        check(&[0, 1], &["0", "1"], Some((&[1], &[0])));
        check(&[0, 1, 2, 3], &["0-1", "0-1", "2-3", "2-3"], Some((&[2, 3], &[0, 1])));
        check(&[0, 1, 2, 3], &["0,2", "1,3", "0,2", "1,3"], Some((&[1, 3], &[0, 2])));
        check(&[1, 3], &["0,2", "1,3", "0,2", "1,3"], Some((&[3], &[1])));
    }

    #[test]
    fn a_pinned_thread_is_released_again() {
        let before = CpuSet::available().unwrap();
        let one = CpuSet(vec![before.numbers()[0]]);
        let pinned = one.pin_thread().unwrap();
        assert_eq!(CpuSet::available().unwrap(), one);
        drop(pinned);
        assert_eq!(CpuSet::available().unwrap(), before);
    }
}
