//! Kills of comparisons at random moments of every phase: what is left of them is what was measured.

#![expect(clippy::unwrap_used, reason = "a program that does not run must fail the test")]
#![expect(clippy::print_stdout, reason = "the table is for people")]
#![expect(clippy::disallowed_methods, reason = "how long the end of a run takes is what is tested")]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

use crate::faults::{FaultFixture, HIDING, SHORT, executing, own_sleep, wait_until};

const SIGNALS: [&str; 5] = ["-INT", "-TERM", "-HUP", "-QUIT", "-KILL"];

/// What a comparison does, in the order of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KilledPhase {
    Build,
    /// A service is set up and started.
    Service,
    Hook,
    /// The target is up, and is sent one request of each scenario.
    Probe,
    Count,
    Launch,
    /// A launch pair has ended, and others follow.
    Measure,
    /// The record and the reports are written.
    Write,
}

impl KilledPhase {
    const ALL: [Self; 8] = [
        Self::Build,
        Self::Service,
        Self::Hook,
        Self::Probe,
        Self::Count,
        Self::Launch,
        Self::Measure,
        Self::Write,
    ];

    /// Whether it has begun, by what the commands of the run made and what its events say.
    fn is_begun(self, fixture: &FaultFixture) -> bool {
        let is_made = |name| fixture.path().join(name).exists();
        let is_said = |event| events(fixture).contains(&format!("\"event\":\"{event}\""));
        match self {
            Self::Build => is_made("building"),
            Self::Service => is_made("setting-up"),
            Self::Hook => is_made("hooked"),
            Self::Probe => is_made("ready"),
            Self::Count => is_said("counting_started"),
            Self::Launch => is_said("launch_started"),
            Self::Measure => is_said("launch_ended"),
            Self::Write => is_said("measuring_ended"),
        }
    }

    /// How long after its begin it is killed at most, in microseconds.
    fn reach_us(self) -> u64 {
        match self {
            Self::Write => 40_000,
            Self::Build | Self::Service | Self::Hook | Self::Probe => 250_000,
            Self::Count | Self::Launch | Self::Measure => 500_000,
        }
    }
}

/// What a comparison leaves that a signal ended.
struct KilledRun {
    phase: KilledPhase,
    /// From the signal to the end of the process.
    took: Duration,
    /// Launch pairs that had ended before.
    measured: usize,
}

fn events(fixture: &FaultFixture) -> String {
    fs::read_to_string(fixture.path().join("events")).unwrap_or_default()
}

/// A comparison of a build, a service and two targets with helpers that hide, all of which take a while.
fn fixture(phase: KilledPhase) -> FaultFixture {
    let target = "build = 'touch building; ./own-sleep 0.3'\nstart = 'python3 hiding.py {port} \
                  ./own-sleep'\nenv = { STOCK = \"{service:stock}\" }\n[[service]]\nname = \
                  \"stock\"\nsetup = 'touch setting-up; ./own-sleep 0.1'\nstart = 'python3 hiding.py \
                  {port} ./own-sleep'\n[hooks]\nbefore-launch = 'touch hooked; ./own-sleep \
                  0.1'\nafter-launch = './own-sleep 0.05'";
    let fixture = FaultFixture::new(target);
    fs::write(fixture.path().join("hiding.py"), HIDING).unwrap();
    // A run that comes to its end does so by its last launch pair.
    let launch_pairs = if phase == KilledPhase::Write { 8 } else { 50 };
    fixture.configure("launches = 1", &format!("launch-pairs = {launch_pairs}\n{SHORT}"));
    if phase == KilledPhase::Count {
        fixture.configure("lane = \"off\"", "lane = \"on\"");
    }
    fixture
}

/// Ends a comparison by a signal so long `after` a phase began, and asserts that it leaves no process, no part
/// of a file, and nothing that was measured unsaid.
fn kill_in(phase: KilledPhase, signal: &str, after: Duration) -> KilledRun {
    let fixture = fixture(phase);
    let program = own_sleep(fixture.path());
    let base = "python3 hiding.py {port} ./own-sleep";
    let mut command = fixture.command(&["compare", "--progress", "json", "--base-start", base]);
    let stderr = fs::File::create(fixture.path().join("events")).unwrap();
    let mut child = command.stdout(Stdio::null()).stderr(stderr).spawn().unwrap();
    // One that fails before is shown by what it leaves.
    wait_until("the phase begins", || {
        phase.is_begun(&fixture) || child.try_wait().unwrap().is_some()
    });
    assert!(phase.is_begun(&fixture), "{phase:?} never began: {}", events(&fixture));
    thread::sleep(after);
    let began = Instant::now();
    let id = child.id().to_string();
    // It may have ended by itself.
    let _ = Command::new("kill").args([signal, &id]).stderr(Stdio::null()).status().unwrap();
    let status = child.wait().unwrap();
    let took = began.elapsed();
    wait_until("all is ended", || executing(&program).is_empty());

    let what = format!("{signal} {after:?} after {phase:?}, {status}");
    assert_eq!(parts(&fixture), Vec::<PathBuf>::new(), "{what}");
    let measured = events(&fixture).matches("\"event\":\"launch_ended\"").count();
    if measured > 0 && signal != "-KILL" {
        let kept = kept(&fixture);
        assert!(kept >= measured, "{what}: {kept} of {measured}: {}", events(&fixture));
    }
    KilledRun { phase, took, measured }
}

/// The files below the folder for results that a run has begun and not finished.
fn parts(fixture: &FaultFixture) -> Vec<PathBuf> {
    let report = fixture.path().join(".xmlperf/report");
    let files = fs::read_dir(report).into_iter().flatten().map(|file| file.unwrap().path());
    let known = ["run.json", "report.md", "report.html", "report.json"];
    files.filter(|file| !known.iter().any(|known| file.ends_with(known))).collect()
}

/// Launch pairs in the record of a run.
fn kept(fixture: &FaultFixture) -> usize {
    let shown = fixture.run(&["report", "--format", "json"]);
    let report: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
    usize::try_from(report["method"]["launches"].as_u64().unwrap()).unwrap()
}

/// Ends comparisons at random moments of all their phases.
fn kill_at_random(runs: usize, seed: u64) -> Vec<KilledRun> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    // Five signals and eight phases meet in all ways within forty.
    let drawn = KilledPhase::ALL.into_iter().cycle().zip(SIGNALS.into_iter().cycle());
    let mut kill = |(phase, signal): (KilledPhase, &str)| {
        kill_in(phase, signal, Duration::from_micros(rng.next_u64() % phase.reach_us()))
    };
    drawn.take(runs).map(&mut kill).collect()
}

#[test]
fn nothing_is_left_of_a_run_that_is_killed_at_a_random_moment() {
    kill_at_random(5, 7);
}

#[test]
#[ignore = "a hundred runs take minutes"]
fn a_hundred_random_kills_leave_nothing_and_end_within_two_seconds() {
    let killed = kill_at_random(100, 42);
    let longest = killed.iter().map(|run| run.took).max().unwrap();
    let measured = killed.iter().filter(|run| run.measured > 0).count();
    for phase in KilledPhase::ALL {
        let of_phase: Vec<&KilledRun> = killed.iter().filter(|run| run.phase == phase).collect();
        let longest = of_phase.iter().map(|run| run.took).max().unwrap();
        println!("{phase:?}: {} kills, ended within {longest:?}", of_phase.len());
    }
    println!("{measured} of 100 had measured something; the last to end took {longest:?}");
    assert!(longest < Duration::from_secs(2), "{longest:?}");
    assert!((20..=80).contains(&measured), "{measured} of 100 had measured something");
}
