//! An export for several instances in a cluster: a `TestRun` of k6-operator, or Jobs of vegeta.
//!
//! Bodies lie in a `ConfigMap` as long as they fit. Beyond that, k6 reads them from a volume, which a Job takes in
//! from this folder and checks by their digests.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

use crate::export::files::{self, ExportFile, SUMS_FILE};
use crate::export::gap::ExportGap;
use crate::export::k6;
use crate::export::limits::ToolQuantity;
use crate::export::plan::{ExportFormat, ExportPlan};
use crate::export::vegeta;

/// What a `ConfigMap` holds, in bytes.
const CONFIG_BYTES_MAX: u64 = 1 << 20;

/// Longest name that a part for the instance can still be put behind, in characters.
const NAME_CHARS_MAX: usize = 50;

const CONFIG_FILE: &str = "configmap.yaml";
const TEST_RUN_FILE: &str = "testrun.yaml";
const VOLUME_FILE: &str = "volume.yaml";
const JOB_FILE: &str = "job.yaml";
const ATTACK_FILE: &str = "attack.sh";

/// Returns what does not fit into a cluster.
pub(super) fn gaps(plan: &ExportPlan<'_>, format: ExportFormat) -> Option<ExportGap> {
    let bytes = files::bodies(plan).iter().map(|file| file.measure().1).sum();
    // The scripts and targets take some of it.
    let is_large = bytes > CONFIG_BYTES_MAX * 3 / 4;
    (plan.fleet.is_some() && format == ExportFormat::Vegeta && is_large)
        .then_some(ExportGap::LargeBodies { bytes })
}

/// Returns the manifests, and how they are applied.
pub(super) fn files(
    plan: &ExportPlan<'_>,
    format: ExportFormat,
    files: &[ExportFile],
) -> Vec<ExportFile> {
    match format {
        ExportFormat::Vegeta => vegeta_files(plan, files),
        ExportFormat::K6 | ExportFormat::Wrk | ExportFormat::Curl => k6_files(plan, files),
    }
}

/// The name of all objects.
fn name(plan: &ExportPlan<'_>) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let name: String = plan.scenario.name.chars().map(plain).take(NAME_CHARS_MAX).collect();
    format!("xmlperf-{}", name.trim_matches('-')).trim_end_matches('-').to_owned()
}

fn instances(plan: &ExportPlan<'_>) -> u32 {
    plan.fleet.map_or(1, std::num::NonZero::get)
}

fn k6_files(plan: &ExportPlan<'_>, files: &[ExportFile]) -> Vec<ExportFile> {
    let bytes: u64 = files.iter().map(|file| file.measure().1).sum();
    if bytes <= CONFIG_BYTES_MAX {
        let run = test_run(plan, "configMap");
        return vec![
            ExportFile::text(CONFIG_FILE, config_map(plan, files)),
            ExportFile::text(TEST_RUN_FILE, run),
            ExportFile::text("README.md", readme(plan, false)),
        ];
    }
    vec![
        ExportFile::text(VOLUME_FILE, volume(plan, bytes)),
        ExportFile::program("load.sh", loader(plan, files)),
        ExportFile::text(TEST_RUN_FILE, test_run(plan, "volumeClaim")),
        ExportFile::text("README.md", readme(plan, true)),
    ]
}

/// Everything as Base64, so that every byte comes out as it went in.
fn config_map(plan: &ExportPlan<'_>, files: &[ExportFile]) -> String {
    let entry =
        |file: &ExportFile| format!("  {}: {}\n", file.name, BASE64_STANDARD.encode(file.bytes()));
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {}\nbinaryData:\n{}",
        name(plan),
        files.iter().map(entry).collect::<String>()
    )
}

fn test_run(plan: &ExportPlan<'_>, source: &str) -> String {
    let name = name(plan);
    format!(
        "# For k6-operator 1.6. The operator starts the instances together, each with its segment of the load.\n\
         apiVersion: k6.io/v1alpha1\n\
         kind: TestRun\n\
         metadata:\n  name: {name}\n\
         spec:\n  parallelism: {instances}\n  script:\n    {source}:\n      name: {name}\n      file: {script}\n  \
         runner:\n    image: grafana/k6:2.2.0\n    env:\n      - name: URL\n        value: {url}\n",
        instances = instances(plan),
        script = k6::SCRIPT_FILE,
        url = json!(plan.url),
    )
}

/// A claim, and a Job that ends once the files are there and are what they should be.
fn volume(plan: &ExportPlan<'_>, bytes: u64) -> String {
    const MEBIBYTE: u64 = 1 << 20;
    let name = name(plan);
    let size = (2 * bytes).div_ceil(MEBIBYTE).max(64);
    format!(
        "apiVersion: v1\n\
         kind: PersistentVolumeClaim\n\
         metadata:\n  name: {name}\n\
         spec:\n  accessModes: [ReadWriteMany]\n  resources:\n    requests:\n      storage: {size}Mi\n\
         ---\n\
         apiVersion: batch/v1\n\
         kind: Job\n\
         metadata:\n  name: {name}-loader\n\
         spec:\n  backoffLimit: 0\n  template:\n    spec:\n      restartPolicy: Never\n      containers:\n        \
         - name: loader\n          image: busybox:1.37\n          workingDir: /test\n          \
         command: [sh, -c, 'until [ -f .loaded ]; do sleep 1; done; sha256sum -c {SUMS_FILE}']\n          \
         volumeMounts:\n            - name: test\n              mountPath: /test\n      volumes:\n        \
         - name: test\n          persistentVolumeClaim:\n            claimName: {name}\n"
    )
}

/// Sends the files to the Job that waits for them. Of the digests, those of what is sent.
fn loader(plan: &ExportPlan<'_>, files: &[ExportFile]) -> String {
    let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
    let job = format!("job/{}-loader", name(plan));
    format!(
        "#!/bin/sh\n\
         # Fills the volume from this folder, and waits until the digests there are right.\n\
         set -eu\n\
         cd \"$(dirname \"$0\")\"\n\
         kubectl apply -f {VOLUME_FILE}\n\
         kubectl wait --for=jsonpath='{{.status.ready}}'=1 --timeout=10m {job}\n\
         sums=$(mktemp -d)\n\
         trap 'rm -rf \"$sums\"' EXIT\n\
         sha256sum {names} >\"$sums/{SUMS_FILE}\"\n\
         tar -cf - {names} -C \"$sums\" {SUMS_FILE} | kubectl exec -i {job} -- tar -xf - -C /test\n\
         kubectl exec {job} -- touch /test/.loaded\n\
         kubectl wait --for=condition=complete --timeout=10m {job}\n",
        names = names.join(" "),
    )
}

/// The limits as options of `import`, in requests: that is what all tools have.
fn limit_options(plan: &ExportPlan<'_>) -> String {
    let units = units::exact(plan.listing.units.max(1));
    let option = |limit: &record::metric::limit::Limit| {
        let quantity = ToolQuantity::of(limit.quantity)?;
        let (limit, unit) = match quantity {
            ToolQuantity::Throughput => (
                record::metric::limit::Limit { value: limit.value / units, ..*limit },
                record::work_unit::WorkUnit::request(),
            ),
            ToolQuantity::Percentile(_) | ToolQuantity::Errors => {
                (*limit, plan.scenario.unit.clone())
            }
        };
        Some(format!(" --limit '{} {}'", limit.quantity.key(), limit.text(&unit)))
    };
    plan.limits().filter_map(option).collect()
}

fn readme(plan: &ExportPlan<'_>, has_volume: bool) -> String {
    let name = name(plan);
    let apply = if has_volume {
        format!(
            "./load.sh                          # fills the volume `{name}`\nkubectl apply -f {TEST_RUN_FILE}"
        )
    } else {
        // Client-side apply keeps a copy in an annotation, which holds 256 KiB.
        format!("kubectl apply --server-side -f {CONFIG_FILE} -f {TEST_RUN_FILE}")
    };
    format!(
        "# Scenario `{scenario}` by {instances} instances of k6\n\n\
         Written by xmlperf {version} for k6-operator 1.6. Set `URL` in `{TEST_RUN_FILE}` to the target as the\n\
         cluster sees it.\n\n\
         ```sh\n{apply}\n\
         kubectl wait --for=jsonpath='{{.status.stage}}'=finished --timeout=1h testrun/{name}\n\
         kubectl logs -l k6_cr={name},runner=true --tail=-1 | xmlperf import --from k6-operator{limits} -\n```\n\n\
         `import` adds up what the instances counted. It is one run: its numbers can be held to limits, and nothing in\n\
         it shows what another run would have had.\n",
        scenario = plan.scenario.name,
        instances = instances(plan),
        version = env!("CARGO_PKG_VERSION"),
        limits = limit_options(plan),
    )
}

fn vegeta_files(plan: &ExportPlan<'_>, files: &[ExportFile]) -> Vec<ExportFile> {
    let attack = ExportFile::program(ATTACK_FILE, instance_script(plan));
    let mut mounted = files.to_vec();
    mounted.push(attack.clone());
    vec![
        ExportFile::text(CONFIG_FILE, config_map(plan, &mounted)),
        ExportFile::text(JOB_FILE, job(plan)),
        attack,
        ExportFile::program("collect.sh", collector(plan)),
    ]
}

/// What one instance does: its part of the rate, shifted by its part of a gap, from its own place in the targets.
fn instance_script(plan: &ExportPlan<'_>) -> String {
    let per_s = match &plan.scenario.load.model {
        suite::WorkloadModel::Open { schedule, .. } => {
            schedule.stages().first().map_or(0.0, |stage| stage.from_per_s)
        }
        _ => 0.0,
    };
    let gap_s = if per_s > 0.0 { 1.0 / per_s } else { 0.0 };
    format!(
        "#!/bin/sh\n\
         # One of {instances} instances. What it prints is compressed CSV in Base64, a line a request: logs keep it whole.\n\
         set -eu\n\
         cd \"$(dirname \"$0\")\"\n\
         url=${{URL%/}}\n\
         targets=$(mktemp)\n\
         {line} |\n    awk -v part=\"$JOB_COMPLETION_INDEX\" '\n        BEGIN {{ RS = \"\"; ORS = \"\\n\\n\" }}\n        \
         {{ all[NR] = $0 }}\n        END {{ for (i = 0; i < NR; i++) print all[(i + int(part * NR / {instances})) % NR + 1] }}' >\"$targets\"\n\
         sleep \"$(awk \"BEGIN {{ print $JOB_COMPLETION_INDEX * {gap_s} }}\")\"\n\
         vegeta attack -targets \"$targets\" {options} | vegeta encode -to csv | cut -d, -f1-5 | gzip | base64\n",
        instances = instances(plan),
        line = vegeta::target_line(plan),
        options = vegeta::options(plan),
    )
}

fn job(plan: &ExportPlan<'_>) -> String {
    let (name, instances) = (name(plan), instances(plan));
    format!(
        "# Any image will do that has a shell, vegeta, awk, gzip and base64.\n\
         apiVersion: batch/v1\n\
         kind: Job\n\
         metadata:\n  name: {name}\n\
         spec:\n  completions: {instances}\n  parallelism: {instances}\n  completionMode: Indexed\n  backoffLimit: 0\n  \
         template:\n    spec:\n      restartPolicy: Never\n      containers:\n        - name: vegeta\n          \
         image: peterevans/vegeta\n          command: [sh, /attack/{ATTACK_FILE}]\n          env:\n            \
         - name: URL\n              value: {url}\n          volumeMounts:\n            - name: attack\n              \
         mountPath: /attack\n      volumes:\n        - name: attack\n          configMap:\n            name: {name}\n",
        url = json!(plan.url),
    )
}

/// Puts the results of all instances together: a line a request, so that is exact.
fn collector(plan: &ExportPlan<'_>) -> String {
    let (name, instances) = (name(plan), instances(plan));
    format!(
        "#!/bin/sh\n\
         # Scenario `{scenario}` by {instances} instances of vegeta, written by xmlperf {version}. Set `URL` in\n\
         # `{JOB_FILE}` to the target as the cluster sees it.\n\
         #\n\
         #   kubectl apply --server-side -f {CONFIG_FILE} -f {JOB_FILE}\n\
         #   ./collect.sh\n\
         set -eu\n\
         cd \"$(dirname \"$0\")\"\n\
         kubectl wait --for=condition=complete --timeout=1h job/{name}\n\
         part=0\n\
         while [ \"$part\" -lt {instances} ]; do\n    \
         kubectl logs -l \"job-name={name},batch.kubernetes.io/job-completion-index=$part\" --tail=-1 |\n        \
         base64 -d | gunzip >\"results-$part.csv\"\n    \
         part=$((part + 1))\ndone\n\
         ./judge.sh results-*.csv\n",
        scenario = plan.scenario.name,
        version = env!("CARGO_PKG_VERSION"),
    )
}
