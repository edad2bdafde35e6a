//! Saves that are killed: what was there before stays, and what was said to be kept is kept.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use super::branch::{BRANCH, BareRemote};
use super::bucket::{self, S3};
use super::{SeedSequence, baseline, save, succeed};
use crate::git::git;

/// Kills so many saves, and pins among them, at moments between their start and twice the usual time, and says what became of them.
pub(super) fn kill(folder: &Path, store: &str, env: &[(&str, String)], kills: u64) {
    let with_env = |mut command: std::process::Command| {
        command.envs(env.iter().map(|(name, value)| (*name, value)));
        command
    };
    let started = Instant::now();
    succeed(with_env(save(folder, store, 0)));
    let usual = u64::try_from(started.elapsed().as_micros()).unwrap();
    let (mut draws, mut said) = (SeedSequence(7), BTreeSet::from([0]));
    for second in 1..=kills {
        let pins = second.is_multiple_of(4);
        let mut command = with_env(if pins {
            baseline(folder, store, &["pin", "release", "main"])
        } else {
            save(folder, store, usize::try_from(second).unwrap())
        });
        // Git and all that it starts die with it.
        command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        thread::sleep(Duration::from_micros(draws.next(2 * usual)));
        let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
        child.wait().unwrap();
        let mut out = String::new();
        child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        if out.starts_with("kept") {
            said.insert(second);
        }
    }
    // A pin is the old one, the new one, or none yet; it can be read, and leads to a run.
    succeed(with_env(baseline(folder, store, &["verify"])));
    let list = with_env(baseline(folder, store, &["list", "main"]));
    let listing = String::from_utf8(succeed(list).stdout).unwrap();
    let stamp = |line: &str| {
        let digits = line.split_whitespace().next()?.split_once('T')?.1.trim_end_matches('Z');
        let parts: Vec<u64> = digits.split(':').map(|part| part.parse().unwrap()).collect();
        Some(parts[0] * 3600 + parts[1] * 60 + parts[2])
    };
    let there: BTreeSet<u64> = listing.lines().skip(1).filter_map(stamp).collect();
    println!("{kills} kills: {} runs said to be kept, {} there", said.len(), there.len());
    assert!(said.is_subset(&there), "{said:?} {there:?}");
    assert!(there.len() < usize::try_from(kills).unwrap(), "no save was killed in time");
    // Nothing that was left behind is in the way.
    succeed(with_env(save(folder, store, usize::try_from(kills + 1).unwrap())));
    succeed(with_env(baseline(folder, store, &["pin", "release", "main"])));
    let last =
        String::from_utf8(succeed(with_env(baseline(folder, store, &["list"]))).stdout).unwrap();
    assert!(
        last.starts_with(&format!("main  {} runs\nrelease  pinned to ", there.len() + 1)),
        "{last}"
    );
}

#[test]
#[ignore = "slow: run by .ci/run full"]
fn killed_saves_into_a_folder_leave_it_readable() {
    let folder = tempfile::tempdir().unwrap();
    kill(folder.path(), "baselines", &[], 100);
}

#[test]
#[ignore = "slow: run by .ci/run full"]
fn killed_saves_onto_a_branch_leave_it_readable() {
    let remote = BareRemote::new();
    let clone = remote.path("seed");
    kill(&clone, BRANCH, &[], 60);
    assert_eq!(git(&remote.path("remote.git"), &["fsck", "--strict", "--no-dangling"]), "");
}

#[test]
#[ignore = "slow: run by .ci/run full"]
fn killed_saves_into_a_bucket_leave_it_readable() {
    let s3 = S3::start();
    let folder = tempfile::tempdir().unwrap();
    kill(folder.path(), "s3://kept/xmlperf", &bucket::env(s3.port), 40);
}
