//! Turns a verdict into what GitHub is to show, and names in a record into harmless ones.

use std::fs;
use std::path::Path;

use compare::confirmation::{self, Confirmation};
use compare::decision::Verdict;
use compare::proof::RevertFinding;
use compare::{Comparison, ComparisonOutcome, InstructionBreakdown, MetricResult};
use github::context::GithubContext;
use github::{Annotation, AnnotationLevel, Conclusion, Publication, sanitize};
use record::causes::WorkCauses;
use record::evidence::EvidenceState;
use record::history::{HistoryNote, RunHistory};
use record::instruction_counts::CountOutcome;
use record::metric::Metric;
use record::workload::Workload;
use record::{
    EarlyEnd, FailureExample, FailureReport, LaunchResult, LaunchResults, LimitBackend,
    LimitsRecord, Machine, Revision, Run,
};
use report::markdown::ReportLink;

/// What the numbers are about, as far as the record does not say.
#[derive(Debug, Clone, Copy)]
pub(super) struct PublicationSubject<'a> {
    /// Configuration that annotations point at.
    pub(super) config: &'a Path,
    /// Its name in the repository.
    pub(super) config_name: &'a Path,
    /// Folder of the record.
    pub(super) dir: &'a Path,
    /// Whether a comparison was meant.
    pub(super) purpose: RunPurpose,
    /// Where more is to be seen.
    pub(super) link: Option<&'a ReportLink>,
}

/// What a run was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunPurpose {
    /// To be set against a base.
    Comparison,
    /// To be looked at.
    Numbers,
}

const LOG_LINES_MAX: usize = 40;
const LOG_CHARS_MAX: usize = 300;
const REASON_CHARS_MAX: usize = 200;

/// Remarks in the files of a pull request, at most: what GitHub takes in one request, and more is read by no one.
const ANNOTATIONS_MAX: usize = 50;

/// Takes the meaning out of every name in a record that a report shows.
pub(super) fn sanitize_run(run: &mut Run) {
    sanitize_text(&mut run.tool);
    sanitize_revision(&mut run.head);
    run.base.iter_mut().for_each(sanitize_revision);
    sanitize_machine(&mut run.machine);
    run.history.iter_mut().for_each(sanitize_history);
    run.evidence.iter_mut().for_each(sanitize_evidence);
    run.offsets.iter_mut().for_each(|offset| sanitize_text(&mut offset.scenario));
    run.confinement.iter_mut().for_each(sanitize_limits);
    run.confirming.iter_mut().for_each(|run| sanitize_run(run));
    let own = std::mem::take(&mut run.gate.scenarios);
    run.gate.scenarios = own.into_iter().map(|(name, own)| (sanitize::text(&name), own)).collect();
    for scenario in &mut run.scenarios {
        sanitize_text(&mut scenario.name);
        sanitize_workload(&mut scenario.workload);
        scenario.work.iter_mut().for_each(sanitize_work);
        let (mut pairs, mut singles) = (Vec::new(), Vec::new());
        match &mut scenario.trials {
            LaunchResults::Paired(launches) => pairs.extend(launches),
            LaunchResults::Single(launches) => singles.extend(launches),
        }
        singles.extend(pairs.into_iter().flat_map(|pair| [&mut pair.base, &mut pair.head]));
        singles.into_iter().for_each(sanitize_failures);
    }
    if let Some(program) = &mut run.identical {
        sanitize_text(&mut program.sha256);
        program.executable.iter_mut().for_each(sanitize_text);
    }
    if let Some(placement) = &mut run.placement {
        let mappings = std::mem::take(&mut placement.mappings);
        let name = |name: &str| sanitize::line(name, REASON_CHARS_MAX);
        placement.mappings = mappings.into_iter().map(|(it, state)| (name(&it), state)).collect();
    }
    if let Some(EarlyEnd::HeadFailed(contrast)) = &mut run.ended {
        sanitize_text(&mut contrast.scenario);
        contrast.reason = sanitize_report(&contrast.reason);
        contrast.head = sanitize_example(&contrast.head);
        contrast.base = contrast.base.as_ref().map(sanitize_example);
    }
    if let Some(EarlyEnd::Failed { scenario, reason, .. }) = &mut run.ended {
        scenario.iter_mut().for_each(sanitize_text);
        *reason = sanitize_report(reason);
    }
}

/// The summary becomes part of the headline, the rest blocks of text.
fn sanitize_report(report: &FailureReport) -> FailureReport {
    let blocks = |texts: &[String]| texts.iter().map(|text| block(text)).collect();
    FailureReport {
        summary: sanitize::line(&report.summary, REASON_CHARS_MAX),
        excerpts: blocks(&report.excerpts),
        hints: blocks(&report.hints),
    }
}

fn sanitize_text(text: &mut String) {
    *text = sanitize::text(text);
}

fn sanitize_revision(revision: &mut Revision) {
    sanitize_text(&mut revision.label);
    revision.commit.iter_mut().for_each(sanitize_text);
}

fn sanitize_machine(machine: &mut Machine) {
    for text in [&mut machine.arch, &mut machine.cpu, &mut machine.kernel, &mut machine.image] {
        sanitize_text(text);
    }
}

/// Scenarios keep their evidence by name, so these change as the run's own do.
fn sanitize_evidence(state: &mut EvidenceState) {
    sanitize_text(&mut state.run);
    for attempt in &mut state.earlier {
        sanitize_text(&mut attempt.run);
        sanitize_machine(&mut attempt.machine);
        for launch_pair in &mut attempt.launch_pairs {
            let differences = std::mem::take(&mut launch_pair.differences).into_iter();
            launch_pair.differences =
                differences.map(|(name, metrics)| (sanitize::text(&name), metrics)).collect();
        }
    }
}

fn sanitize_note(note: &mut HistoryNote) {
    match note {
        HistoryNote::WorkNotCompared { scenario, reason } => {
            sanitize_text(scenario);
            *reason = sanitize_report(reason);
        }
        HistoryNote::Words { text } => *text = sanitize::line(text, REASON_CHARS_MAX),
        HistoryNote::PassedOver { .. }
        | HistoryNote::CommitsUnknown { .. }
        | HistoryNote::NoneAtMergeBase => {}
    }
}

/// Scenarios keep their work recognisable by name and load, so these change as the run's own do.
fn sanitize_history(history: &mut RunHistory) {
    sanitize_text(&mut history.name);
    sanitize_text(&mut history.store);
    for note in &mut history.notes {
        sanitize_note(note);
    }
    for past in &mut history.runs {
        sanitize_text(&mut past.digest);
        sanitize_text(&mut past.started);
        sanitize_revision(&mut past.revision);
        sanitize_machine(&mut past.machine);
        for scenario in &mut past.scenarios {
            sanitize_text(&mut scenario.name);
            sanitize_workload(&mut scenario.workload);
        }
    }
}

/// Paths are the texts in what is sent that are no digest, name or word of the format.
fn sanitize_workload(workload: &mut Workload) {
    workload.path.iter_mut().for_each(sanitize_text);
    for operation in workload.operations.iter_mut().flat_map(|plan| &mut plan.operations) {
        sanitize_text(&mut operation.path);
    }
}

fn sanitize_limits(limits: &mut LimitsRecord) {
    limits.note.iter_mut().for_each(sanitize_text);
    let memory = limits.memory.iter_mut().map(|limit| &mut limit.backend);
    let cpu = limits.cpu.iter_mut().map(|limit| &mut limit.backend);
    for backend in memory.chain(cpu) {
        match backend {
            LimitBackend::Engine(engine) => sanitize_text(engine),
            LimitBackend::ControlGroup(_) | LimitBackend::DataLimit => {}
        }
    }
}

/// Failures carry what a target said.
fn sanitize_failures(trial: &mut LaunchResult) {
    let of_operations = trial.operations.iter_mut().flat_map(|operation| &mut operation.failures);
    let failures = trial.failures.iter_mut().chain(of_operations);
    for first in failures.filter_map(|failures| failures.first.as_mut()) {
        *first = sanitize_example(first);
    }
}

fn sanitize_example(example: &FailureExample) -> FailureExample {
    let line = |text: &str| sanitize::line(text, REASON_CHARS_MAX);
    FailureExample { detail: line(&example.detail), answer: line(&example.answer) }
}

fn sanitize_work(work: &mut CountOutcome) {
    match work {
        CountOutcome::Unavailable { reason, .. } => {
            *reason = sanitize_report(reason);
        }
        CountOutcome::Counted(counted) => {
            counted.counter = sanitize::text(&counted.counter);
            for count in counted.base.iter_mut().chain([&mut counted.head]) {
                count.toolchain = sanitize::text(&count.toolchain);
                for function in &mut count.functions {
                    function.name = sanitize::code(&function.name);
                    function.file = sanitize::text(&function.file);
                }
            }
            counted.causes.iter_mut().for_each(|causes| sanitize_causes(causes));
        }
    }
}

fn sanitize_causes(causes: &mut WorkCauses) {
    for line in &mut causes.lines {
        line.file = sanitize::code(&line.file);
        line.function = sanitize::code(&line.function);
    }
    let ranked = causes.hunks.iter_mut().map(|hunk| &mut hunk.hunk);
    let reverted = causes.reverts.iter_mut().flat_map(|revert| &mut revert.hunks);
    ranked.chain(reverted).for_each(|hunk| hunk.path = sanitize::code(&hunk.path));
}

/// Calls the revisions what people on GitHub call them: the head of the pull request, which is not
/// the merge that was built, and the branch it is to go to instead of that branch's commit. The reference API
/// is no commit of theirs.
pub(super) fn name_revisions(run: &mut Run, context: &GithubContext) {
    if run.head.is_reference {
        return;
    }
    let head = &context.head;
    head.short().clone_into(&mut run.head.label);
    run.head.commit = Some(head.as_str().to_owned());
    let base = run.base.as_mut().filter(|base| base.commit.as_ref() == Some(&base.label));
    if let Some(base) = base {
        let short = base.label.chars().take(head.short().len()).collect();
        base.label = context.base_branch.as_deref().map_or(short, sanitize::text);
    }
}

/// What is published of a single run.
pub(super) fn of_comparison(
    subject: PublicationSubject<'_>,
    comparison: &Comparison,
) -> Publication {
    let title = report::title(comparison);
    let is_slower = |row: &&MetricResult| row.verdict() == Some(Verdict::Regressed);
    let slower: Vec<&MetricResult> = comparison.rows.iter().filter(is_slower).collect();
    let publication = Publication {
        summary: title.clone(),
        title,
        body: report::markdown::render_linked(comparison, subject.link),
        conclusion: conclusion(&comparison.outcome),
        annotations: annotations(subject, comparison, &slower),
        outputs: outputs(subject, comparison, slower.len() + comparison.broken().count()),
    };
    let measured = !matches!(comparison.outcome, ComparisonOutcome::NotMeasured(_));
    match (subject.purpose, &comparison.base) {
        (RunPurpose::Comparison, None) if measured => without_base(publication),
        (RunPurpose::Comparison | RunPurpose::Numbers, _) => publication,
    }
}

/// There is nothing to be slower than, which is not the same as not being slower.
fn without_base(publication: Publication) -> Publication {
    let title = format!("no base to compare with — {}", publication.title);
    let report = publication.body.replacen("### ", "#### ", 1);
    Publication {
        body: format!("### ⚪ xmlperf: no base to compare with\n\n{report}"),
        summary: title.clone(),
        title,
        conclusion: match publication.conclusion {
            Conclusion::Pass | Conclusion::Improved | Conclusion::Inconclusive => {
                Conclusion::Inconclusive
            }
            Conclusion::Regressed => Conclusion::Regressed,
            Conclusion::Error => Conclusion::Error,
        },
        ..publication
    }
}

/// What is published of two runs on two machines.
pub(super) fn of_confirmation(
    subject: PublicationSubject<'_>,
    confirmation: &Confirmation,
) -> Publication {
    let title = report::confirmation::title(confirmation);
    let standing = confirmation.cells.iter().filter(|cell| cell.standing.stands());
    Publication {
        summary: title.clone(),
        title,
        body: report::confirmation::render_linked(confirmation, subject.link),
        conclusion: conclusion(&confirmation.outcome),
        annotations: standing
            .map(|cell| annotation(subject, &cell.first))
            .take(ANNOTATIONS_MAX)
            .collect(),
        outputs: outputs(subject, &confirmation.first, confirmation.standing()),
    }
}

/// What is published where there are no numbers, with the end of what the run printed.
pub(super) fn unmeasured(reason: &str, log: Option<&str>) -> Publication {
    let title = format!("could not measure — {}", sanitize::line(reason, REASON_CHARS_MAX));
    let log = log.map(|log| format!("```text\n{log}\n```\n")).unwrap_or_default();
    Publication {
        body: format!("### ❌ xmlperf: {title}\n\n{log}"),
        summary: title.clone(),
        title,
        conclusion: Conclusion::Error,
        annotations: Vec::new(),
        outputs: Vec::new(),
    }
}

fn conclusion(outcome: &ComparisonOutcome) -> Conclusion {
    match outcome {
        ComparisonOutcome::NotMeasured(_) => Conclusion::Error,
        ComparisonOutcome::Regressed => Conclusion::Regressed,
        ComparisonOutcome::Inconclusive => Conclusion::Inconclusive,
        ComparisonOutcome::Improved => Conclusion::Improved,
        ComparisonOutcome::Pass => Conclusion::Pass,
    }
}

fn outputs(
    subject: PublicationSubject<'_>,
    comparison: &Comparison,
    regressions: usize,
) -> Vec<(String, String)> {
    let base = comparison.base.as_ref().and_then(|base| base.commit.clone());
    let outputs = [
        ("regressions", regressions.to_string()),
        ("flagged", confirmation::flagged(comparison).join("\n")),
        ("baseline-sha", base.unwrap_or_default()),
        ("report-dir", subject.dir.display().to_string()),
    ];
    outputs.map(|(name, value)| (name.to_owned(), value)).to_vec()
}

/// Remarks at what is slower in the configuration, and at the hunks that more work is proven to be in.
fn annotations(
    subject: PublicationSubject<'_>,
    comparison: &Comparison,
    slower: &[&MetricResult],
) -> Vec<Annotation> {
    let is_red = |breakdown: &&InstructionBreakdown| {
        slower.iter().any(|row| row.metric == Metric::Work && row.scenario == breakdown.scenario)
    };
    let red = comparison.breakdowns.iter().filter(is_red);
    let proven = red.flat_map(|breakdown| {
        let findings = breakdown.causes.iter().flat_map(|summary| &summary.proven);
        findings.filter_map(|finding| proof_annotation(&breakdown.scenario, finding))
    });
    let slower = slower.iter().map(|row| annotation(subject, row));
    // Hunks first: they stand in the change itself, where a reader is.
    proven.chain(slower).take(ANNOTATIONS_MAX).collect()
}

/// Points at the first line of a hunk, in the diff.
fn proof_annotation(scenario: &str, finding: &RevertFinding) -> Option<Annotation> {
    let hunk = finding.hunks.first()?;
    Some(Annotation {
        path: hunk.path.clone(),
        line: hunk.head.start.max(1),
        level: AnnotationLevel::Warning,
        title: format!("{scenario} takes more work"),
        message: report::causes::proof(finding),
    })
}

/// Points at the scenario in the configuration, or at the configuration.
fn annotation(subject: PublicationSubject<'_>, row: &MetricResult) -> Annotation {
    let text = fs::read_to_string(subject.config).unwrap_or_default();
    let is_name = |line: &str| {
        let value = line.trim_start().strip_prefix("name")?.trim_start().strip_prefix('=')?;
        Some(value.trim_start().strip_prefix('"')?.split('"').next()? == row.scenario)
    };
    let line = text.lines().position(|line| is_name(line) == Some(true)).unwrap_or(0);
    Annotation {
        path: subject.config_name.display().to_string(),
        line: u32::try_from(line + 1).unwrap_or(1),
        level: AnnotationLevel::Failure,
        title: format!("{} {} regressed", row.scenario, row.label()),
        message: report::sentence(row),
    }
}

/// Last lines that neither end the block they stand in nor colour it.
pub(super) fn block(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(LOG_LINES_MAX);
    let plain = |line: &&str| {
        let line = line.replace("```", "'''");
        let shown = line.chars().filter(|c| !c.is_control() || *c == '\t');
        shown.take(LOG_CHARS_MAX).collect::<String>()
    };
    lines[from..].iter().map(plain).collect::<Vec<_>>().join("\n")
}
