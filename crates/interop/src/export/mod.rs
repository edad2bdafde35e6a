//! Writes a scenario for another load tool: the same bytes, in the same order, under the same load, with the
//! checks of the answers and the limits.
//!
//! What a tool cannot express is an [`ExportGap`] with its name, and there is no export with a gap that is
//! not accepted: a script that leaves out what it cannot say would measure something else under the same name.

mod curl;
mod failure;
mod files;
mod gap;
mod javascript;
mod k6;
mod kubernetes;
mod limits;
mod plan;
mod shell;
mod vegeta;
mod wrk;

pub use crate::export::failure::ExportError;
pub use crate::export::files::{ExportContent, ExportFile, SUMS_FILE, SUMS_TITLE};
pub use crate::export::gap::{ExportGap, GapKey};
pub use crate::export::plan::{ExportFormat, ExportPlan, FleetSize};

/// Returns the files that send a scenario by another tool, the first of them the one to begin with.
pub fn export(plan: &ExportPlan<'_>, format: ExportFormat) -> Result<Vec<ExportFile>, ExportError> {
    let mut gaps = plan.gaps(format);
    gaps.extend(match format {
        ExportFormat::K6 => k6::gaps(plan),
        ExportFormat::Wrk => wrk::gaps(plan),
        ExportFormat::Vegeta => vegeta::gaps(plan),
        ExportFormat::Curl => curl::gaps(plan),
    });
    gaps.extend(kubernetes::gaps(plan, format));
    let is_accepted = |gap: &ExportGap| gap.key().is_some_and(|key| plan.accepted.contains(&key));
    let (accepted, mut gaps): (Vec<_>, Vec<_>) = gaps.into_iter().partition(is_accepted);
    gaps.dedup();
    if !gaps.is_empty() {
        return Err(ExportError::Gaps { format, gaps });
    }
    // What the tool expresses is not left out, whatever is accepted.
    let mut accepted: Vec<GapKey> = accepted.iter().filter_map(ExportGap::key).collect();
    accepted.dedup();
    let plan = &ExportPlan { accepted: &accepted, ..plan.clone() };
    let mut files = match format {
        ExportFormat::K6 => k6::files(plan),
        ExportFormat::Wrk => wrk::files(plan)?,
        ExportFormat::Vegeta => vegeta::files(plan),
        ExportFormat::Curl => curl::files(plan),
    };
    let mut bodies = files::bodies(plan);
    files.append(&mut bodies);
    if plan.fleet.is_some() {
        let mut manifests = kubernetes::files(plan, format, &files);
        files.append(&mut manifests);
    }
    files.push(files::sums(&files));
    Ok(files)
}

#[cfg(test)]
mod tests;
