//! How the cost of a request goes during a launch: a runtime that compiles as it runs gets cheaper, one whose
//! state grows gets dearer, and what is then measured depends on when.
//!
//! The CPU time of a request over the parts of a launch, in relation to the launch's own mean, and of that the
//! median over all launches: what the machine did to one launch is not in another.

use std::sync::{Mutex, PoisonError};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;

use record::instruction_counts::CountOutcome;
use record::{LaunchResult, LaunchResults, Run, ScenarioRun, Side};
use stats::course::{CourseKind, CourseSearch};
use stats::quantile;
use units::Ratio;

use crate::note::{ComparisonNote, LaunchCourse};

/// Parts of a launch.
const PARTS: usize = 30;

/// Parts that a level holds for, at least.
const LEVEL_PARTS_MIN: usize = 3;

/// Probability that levels are seen where there is one.
const SPLIT_LEVEL: f64 = 0.01;

/// Changes of the cost that are smaller are none.
const CHANGE_MIN: f64 = 0.02;

/// Requests of a connection after which most of what they run is compiled.
const WARM_UP_REQUESTS_MIN: u64 = 100;

const SEED: u64 = 1;

/// Returns what there is to say of the warm-up of the scenarios, of each side.
pub(super) fn notes(run: &Run) -> Vec<ComparisonNote> {
    let is_compiled = |it: &ScenarioRun| {
        // A warm-up is fitted to nothing else.
        let is_fitted = it.fitted_load.is_some_and(|load| load.warm_up.is_some());
        is_fitted || matches!(it.work, Some(CountOutcome::Counted(_)))
    };
    let runtime = if run.scenarios.iter().any(is_compiled) {
        RuntimeKind::Compiled
    } else {
        RuntimeKind::Unknown
    };
    run.scenarios.iter().flat_map(|scenario| of_scenario(scenario, runtime)).collect()
}

/// What is known of how the target is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RuntimeKind {
    /// It is, as its file shows or as its instructions could be counted: nothing is compiled as it runs.
    Compiled,
    Unknown,
}

fn of_scenario(scenario: &ScenarioRun, runtime: RuntimeKind) -> Vec<ComparisonNote> {
    let sides = match &scenario.trials {
        LaunchResults::Paired(pairs) => vec![
            (Side::Base, pairs.iter().map(|pair| &pair.base).collect::<Vec<_>>()),
            (Side::Head, pairs.iter().map(|pair| &pair.head).collect()),
        ],
        LaunchResults::Single(launches) => vec![(Side::Head, launches.iter().collect())],
    };
    let mut notes = Vec::new();
    let mut is_flat = true;
    for (side, launches) in &sides {
        let course = curve(launches).map(|curve| course(&curve));
        is_flat &= course.is_some_and(|it| it.is_none());
        let course = course.flatten().map(|(course, change)| ComparisonNote::CostCourse {
            scenario: scenario.name.clone(),
            side: *side,
            course,
            change,
        });
        notes.extend(course.into_iter().chain(unsteady(scenario, *side, launches)));
    }
    // What is flat is warm, after however few requests, and so is what was compiled before.
    let is_warm = is_flat || runtime == RuntimeKind::Compiled;
    let short = sides.iter().filter_map(|(_, launches)| warm_up_requests(launches)).min();
    match short {
        Some(requests) if !is_warm && requests < WARM_UP_REQUESTS_MIN => {
            let scenario = scenario.name.clone();
            notes.push(ComparisonNote::ShortWarmUp { scenario, requests });
        }
        Some(_) | None => {}
    }
    notes
}

/// What is said of a side that did not become steady before it was measured.
fn unsteady(
    scenario: &ScenarioRun,
    side: Side,
    launches: &[&LaunchResult],
) -> Option<ComparisonNote> {
    let warm_ups = launches.iter().filter_map(|launch| launch.warm_up.as_ref()?.is_steady);
    let unsteady = warm_ups.filter(|is_steady| !is_steady).count();
    let scenario = scenario.name.clone();
    (unsteady > 0).then_some(ComparisonNote::NeverSteady {
        scenario,
        side,
        unsteady,
        launches: launches.len(),
    })
}

/// Fewest requests of a connection in a warm-up by time.
fn warm_up_requests(launches: &[&LaunchResult]) -> Option<u64> {
    let warm_ups = launches.iter().filter_map(|launch| launch.warm_up.as_ref());
    warm_ups.map(|it| it.requests / u64::from(it.connections.max(1))).min()
}

/// The CPU time of a request by part of a launch, as the logarithm of its share of the launch's mean; none
/// where that is not known of enough parts.
fn curve(launches: &[&LaunchResult]) -> Option<Vec<f64>> {
    let curves: Vec<_> = launches.iter().filter_map(|launch| launch_curve(launch)).collect();
    let part = |number: usize| {
        let values: Vec<f64> = curves.iter().map(|curve: &Vec<f64>| curve[number]).collect();
        quantile::median(&values)
    };
    (!curves.is_empty()).then(|| (0..PARTS).map(part).collect())
}

fn launch_curve(launch: &LaunchResult) -> Option<Vec<f64>> {
    let slices = launch.slices.len();
    if slices < PARTS || launch.slice_cpu_ns.len() != slices {
        return None;
    }
    let cost = |from: usize, to: usize| {
        let requests = units::total(launch.slices[from..to].iter().map(|slice| slice.requests));
        let cpu_ns = units::total(launch.slice_cpu_ns[from..to].iter().copied());
        (requests > 0 && cpu_ns > 0).then(|| units::exact(cpu_ns) / units::exact(requests))
    };
    let whole = cost(0, slices)?;
    let part = |number: usize| {
        let (from, to) = (number * slices / PARTS, (number + 1) * slices / PARTS);
        cost(from, to).map(|cost| (cost / whole).ln())
    };
    (0..PARTS).map(part).collect()
}

/// How a curve goes, and by how much; none if it is flat.
fn course(curve: &[f64]) -> Option<(LaunchCourse, Ratio)> {
    // What chance shows takes simulations, and depends on nothing but the length of a series.
    static SEARCH: Mutex<Option<CourseSearch<ChaCha8Rng>>> = Mutex::new(None);
    let mut search = SEARCH.lock().unwrap_or_else(PoisonError::into_inner);
    let search = search.get_or_insert_with(|| {
        let rng = ChaCha8Rng::seed_from_u64(SEED);
        CourseSearch::new(LEVEL_PARTS_MIN, SPLIT_LEVEL, CHANGE_MIN, rng)
    });
    let found = search.course(curve);
    let course = match found.kind {
        CourseKind::Flat => return None,
        CourseKind::Falling => LaunchCourse::WarmingUp,
        CourseKind::Rising => LaunchCourse::SlowingDown,
        CourseKind::Neither => LaunchCourse::Unsteady,
    };
    Some((course, Ratio(found.change.exp_m1())))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use record::fixtures;
    use record::{FittedLoad, ProbedPace, SliceTotals, WarmUpRecord};

    use super::*;

    /// A scenario of three launches whose requests cost this much in each of so many slices.
    fn scenario(cost: impl Fn(usize) -> u64, warm_up: Option<&WarmUpRecord>) -> ScenarioRun {
        let launch = |wobble: u64| {
            let slices = vec![SliceTotals { requests: 100, service_ns: 1_000_000 }; 60];
            let slice_cpu_ns = (0..60).map(|it| 100 * cost(it) * (1_000 + wobble) / 1_000);
            LaunchResult {
                slices,
                slice_cpu_ns: slice_cpu_ns.collect(),
                warm_up: warm_up.cloned(),
                ..fixtures::trial(fixtures::LEVEL, 0)
            }
        };
        let mut scenario = fixtures::alone(fixtures::LEVEL).scenarios.remove(0);
        scenario.trials = LaunchResults::Single((0..3).map(launch).collect());
        scenario
    }

    fn said(scenario: &ScenarioRun) -> Vec<String> {
        of_scenario(scenario, RuntimeKind::Unknown).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_cost_that_falls_or_rises_during_the_launches_is_said_with_what_would_help() {
        let noise = |it: usize| u64::try_from(it * 7 % 11).unwrap() * 20;
        let falling = scenario(|it| 20_000 + noise(it) + if it < 15 { 6_000 } else { 0 }, None);
        let rising = scenario(|it| 20_000 + noise(it) + 100 * it as u64, None);
        let unsteady = scenario(
            |it| 20_000 + noise(it) + if (20..40).contains(&it) { 6_000 } else { 0 },
            None,
        );
        let begins = |scenario: &ScenarioRun, words: &str| {
            let said = said(scenario);
            assert!(said.len() == 1 && said[0].starts_with(words), "{said:?}");
        };
        begins(&falling, "`smoke`: head is still warming up: CPU time of a request changes by −2");
        begins(&rising, "`smoke`: head is slowing down: CPU time of a request changes by +");
        begins(&unsteady, "`smoke`: head is not steady: CPU time of a request moves by +");
        assert_eq!(said(&scenario(|it| 20_000 + noise(it), None)), Vec::<String>::new());
    }

    #[test]
    fn a_short_warm_up_is_not_said_of_a_program_that_it_was_fitted_to() {
        let mut run = fixtures::paired(8, fixtures::LEVEL, fixtures::LEVEL);
        let LaunchResults::Paired(pairs) = &mut run.scenarios[0].trials else { panic!("paired") };
        for pair in pairs {
            let (requests, connections, wall_ns) = (40, 1, 25_000_000);
            pair.base.warm_up =
                Some(WarmUpRecord { requests, connections, wall_ns, is_steady: None });
        }
        let short = |run: &Run| {
            let is_short = |it: &ComparisonNote| matches!(it, ComparisonNote::ShortWarmUp { .. });
            notes(run).iter().any(is_short)
        };
        assert!(short(&run));
        let ms = Duration::from_millis;
        let pace = ProbedPace { interval: ms(1), scatter: None, slice: ms(10) };
        let load = FittedLoad::at(pace, ms(200), ms(1_000));
        run.scenarios[0].fitted_load = Some(load.of_runtime(ms(1_000)));
        assert!(short(&run));
        run.scenarios[0].fitted_load = Some(load.with_warm_up(1, ms(500)));
        assert!(!short(&run));
    }

    #[test]
    fn a_warm_up_of_few_requests_is_said_unless_the_cost_is_known_to_be_flat() {
        let warm_up = |is_steady| WarmUpRecord {
            requests: 198,
            connections: 2,
            wall_ns: 500_000_000,
            is_steady,
        };
        assert_eq!(said(&scenario(|_| 20_000, Some(&warm_up(None)))), Vec::<String>::new());
        let mut short = scenario(|_| 20_000, Some(&warm_up(Some(false))));
        if let LaunchResults::Single(launches) = &mut short.trials {
            for launch in launches {
                launch.slice_cpu_ns.clear();
            }
        }
        insta::assert_snapshot!(said(&short).join("\n"), @r"
        `smoke`: head was not steady when its warm-up reached its bounds, in 3 of 3 launches
        `smoke`: the warm-up held 99 requests of a connection; a runtime that compiles as it runs needs 100 or more, so raise `warm-up` in `[sampling]` if the target is one
        ");
    }
}
