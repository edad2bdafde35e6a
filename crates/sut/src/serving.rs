//! Finds the processes that do the work: those which hold the listening socket, wherever they went.
//!
//! A wrapper, a supervisor or a command that puts its server into the background is a process that
//! sleeps. Its numbers would be steady, small and of nothing.

use super::Target;
use std::fs;
use std::path::PathBuf;

use super::failure::TargetError;
use super::listeners::{self, PortOwners};
use super::process::{self, ProcessStat};

impl Target {
    /// Takes note of the processes that listen on the port. Fails if they are not the target's: what
    /// is measured would not be what answers.
    pub(super) fn find_serving(&mut self) -> Result<(), TargetError> {
        let (family, port) = (self.family()?, self.port());
        let Some(own) = self.own.as_mut().filter(|own| own.scope.container.is_none()) else {
            return Ok(());
        };
        let running = process::running().map_err(TargetError::Unreadable)?;
        let PortOwners::Known(owners) = listeners::owners(port, &running) else { return Ok(()) };
        let is_member = |process: &ProcessStat| family.iter().any(|it| it.is_same(process));
        let is_own = |process: &ProcessStat| {
            is_member(process) || process::carries(process.pid, &own.marker)
        };
        let (serving, others): (Vec<_>, Vec<_>) = owners.into_iter().partition(is_own);
        // Sockets of a process of another user are not shown, so it may be the one that listens.
        if serving.is_empty() && !family.iter().any(listeners::is_hidden) {
            let pid = others.first().map(|process| process.pid.as_raw_pid());
            return Err(TargetError::ServedElsewhere { port, pid, tail: own.tail() });
        }
        own.serving = serving;
        Ok(())
    }

    /// Returns the files that the processes execute which listen on the port, programs before libraries:
    /// behind `npm start`, that is Node.js.
    pub fn serving_programs(&self) -> Vec<PathBuf> {
        let serving = self.own.iter().flat_map(|own| &own.serving);
        // Those of another user are not shown.
        let program = |process: &ProcessStat| {
            fs::read_link(format!("/proc/{}/exe", process.pid.as_raw_pid())).ok()
        };
        let libraries = |process: &ProcessStat| {
            let maps = fs::read_to_string(format!("/proc/{}/maps", process.pid.as_raw_pid()));
            executed(&maps.unwrap_or_default())
        };
        let programs = serving.clone().filter_map(program);
        let mut files: Vec<PathBuf> = programs.collect();
        for library in serving.flat_map(libraries) {
            if !files.contains(&library) {
                files.push(library);
            }
        }
        files
    }

    /// Whether the start command has left processes that still run.
    pub(super) fn is_in_background(&self) -> Result<bool, TargetError> {
        let Some(own) = &self.own else { return Ok(false) };
        let left = own.left(&[]).map_err(TargetError::Unreadable)?;
        Ok(own.scope.container.is_none() && !left.is_empty())
    }
}

/// The files of which a list of mappings has code.
fn executed(maps: &str) -> Vec<PathBuf> {
    let code =
        maps.lines().filter(|line| line.split(' ').nth(1).is_some_and(|it| it.contains('x')));
    code.filter_map(|line| Some(PathBuf::from(&line[line.find('/')?..]))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_with_code_are_those_of_mappings_that_may_be_executed() {
        let maps = "5581-5582 r--p 00000000 fe:00 1  /usr/bin/service\n\
                    5582-5583 r-xp 00001000 fe:00 1  /usr/bin/service\n\
                    7f01-7f02 r-xp 00028000 fe:00 2  /opt/a b/libjvm.so\n\
                    7f03-7f04 rwxp 00000000 00:00 0\n\
                    7ffe-7fff r-xp 00000000 00:00 0  [vdso]\n";
        let files = executed(maps);
        assert_eq!(files, [PathBuf::from("/usr/bin/service"), "/opt/a b/libjvm.so".into()]);
    }
}
