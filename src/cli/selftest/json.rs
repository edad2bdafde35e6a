//! What was counted, for other programs.

use std::io::Write;

use calibration::FAMILY;
use calibration::attempts::AttemptsCell;
use calibration::known_noise::NoiseCell;
use calibration::layout::LayoutCell;
use calibration::peers::PeerRule;
use calibration::promise::PromiseObservation;
use compare::decision::Verdict;
use serde_json::{Value, json};
use stats::proportion::Proportion;

use super::tables::rule_words;
use crate::app::error_rate::CalibrationOutcome;

/// Shows every count.
pub(super) fn show(out: &mut impl Write, outcome: &CalibrationOutcome) -> anyhow::Result<()> {
    serde_json::to_writer_pretty(&mut *out, &as_json(outcome))?;
    writeln!(out)?;
    Ok(())
}

fn as_json(outcome: &CalibrationOutcome) -> Value {
    let CalibrationOutcome { plan, counts, peers, promises } = outcome;
    let cells = counts.cells.iter().map(|cell| {
        let verdict = |verdict| share_json(cell.tally.proportion(verdict));
        json!({
            "regime": cell.regime.name,
            "metric": cell.metric.key(),
            "change": cell.change,
            "slower": cell.slower.map(share_json),
            "regressed": verdict(Verdict::Regressed),
            "improved": verdict(Verdict::Improved),
            "unchanged": verdict(Verdict::Unchanged),
            "inconclusive": verdict(Verdict::Inconclusive),
            "launch_pairs": cell.tally.launch_pairs_mean(),
            "minutes": cell.minutes_mean(),
        })
    });
    let families = counts.families.iter().map(|family| {
        json!({
            "regime": family.regime.name,
            "hypotheses": FAMILY,
            "slower": share_json(family.slower),
            "regressed": share_json(family.regressed),
        })
    });
    let peers = peers.iter().map(|(regime, peers)| {
        let slower = PeerRule::ALL.iter().zip(peers);
        let slower: Vec<Value> = slower
            .map(|(peer, share)| json!({"rule": peer.label(), "slower": share_json(*share)}))
            .collect();
        json!({"regime": regime.name, "rules": slower})
    });
    let anytime = counts.anytime.iter().flat_map(|cell| {
        cell.slower.iter().map(|(by, share)| {
            json!({"regime": cell.regime.name, "launch_pairs": by, "slower": share_json(*share)})
        })
    });
    let noise = counts.noise.iter().map(noise_json);
    let layouts = counts.layouts.iter().map(layout_json);
    let attempts = counts.attempts.iter().map(attempts_json);
    let promises = promises.iter().map(|promise| {
        let seen = match promise.seen {
            PromiseObservation::Share(share) => share_json(share),
            PromiseObservation::LaunchPairs(mean) => json!({"launch_pairs": mean}),
        };
        json!({"promise": promise.text, "worst": promise.cell, "seen": seen, "holds": promise.holds})
    });
    json!({
        "schema": 2,
        "rule": rule_words(&plan.rule),
        "sessions": plan.sessions,
        "seed": plan.seed,
        "cells": cells.collect::<Vec<_>>(),
        "families": families.collect::<Vec<_>>(),
        "anytime": anytime.collect::<Vec<_>>(),
        "noise": noise.collect::<Vec<_>>(),
        "layouts": layouts.collect::<Vec<_>>(),
        "attempts": attempts.collect::<Vec<_>>(),
        "peers": peers.collect::<Vec<_>>(),
        "promises": promises.collect::<Vec<_>>(),
    })
}

fn noise_json(cell: &NoiseCell) -> Value {
    json!({
        "metrics": cell.case.family,
        "deviation": cell.case.deviation,
        "change": cell.case.change,
        "regressed": share_json(cell.tally.proportion(Verdict::Regressed)),
        "unchanged": share_json(cell.tally.proportion(Verdict::Unchanged)),
        "launch_pairs": cell.tally.launch_pairs_mean(),
    })
}

fn layout_json(cell: &LayoutCell) -> Value {
    json!({
        "floor": cell.case.question.floor,
        "tolerance": cell.case.question.tolerance,
        "offset": cell.case.offset,
        "change": cell.case.change,
        "regressed": share_json(cell.tally.proportion(Verdict::Regressed)),
        "unchanged": share_json(cell.tally.proportion(Verdict::Unchanged)),
        "launch_pairs": cell.tally.launch_pairs_mean(),
    })
}

fn attempts_json(cell: &AttemptsCell) -> Value {
    json!({
        "change": cell.case.change,
        "deviation": cell.case.deviation,
        "offset": cell.case.offset,
        "red_then_green": share_json(cell.red_then_green),
        "ever_green": share_json(cell.ever_green),
        "ever_red": share_json(cell.ever_red),
        "last_red": share_json(cell.last_red),
    })
}

pub(super) fn share_json(share: Proportion) -> Value {
    let (low, high) = share.limits(0.025);
    json!({"count": share.count, "of": share.of, "share": share.share(), "low": low, "high": high})
}
