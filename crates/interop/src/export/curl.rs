//! A scenario as a script of a shell that sends each of its requests once, by curl: what is sent and how it is
//! answered, without any load.

use load::BodyFraming;
use load::RequestMethod;
use payload::ResponseLocation;
use runner::{ListedAnswer, ListedBody, ListedRequest};
use sha2::{Digest as _, Sha256};

use crate::export::files::{self, ExportFile};
use crate::export::gap::ExportGap;
use crate::export::k6;
use crate::export::plan::ExportPlan;
use crate::export::shell;

/// The script without its scenario.
const RUNTIME: &str = include_str!("curl.sh");

/// Where the requests stand in it.
const REQUESTS_PLACE: &str = "#{{requests}}";

/// Where it is said how curl is started.
const OPTIONS_PLACE: &str = "{{options}}";

/// Where the default target stands in it.
const URL_PLACE: &str = "{{url}}";

/// Returns what a script with curl cannot express.
pub(super) fn gaps(plan: &ExportPlan<'_>) -> Vec<ExportGap> {
    plan.value_gaps()
}

/// Returns the script.
pub(super) fn files(plan: &ExportPlan<'_>) -> Vec<ExportFile> {
    let requests: String = plan.listing.requests.iter().map(|it| request(plan, it)).collect();
    let mut options = format!("--max-time {}", plan.load().timeouts.total.as_secs().max(1));
    if plan.is_insecure {
        options.push_str(" --insecure");
    }
    let script = RUNTIME
        .replacen(URL_PLACE, plan.url, 1)
        .replacen(OPTIONS_PLACE, &options, 1)
        .replacen(REQUESTS_PLACE, &requests, 1);
    let title = format!(
        "#!/bin/sh\n\
         # Scenario `{}`, written by xmlperf {} for curl: each request once, one after the other.\n\
         #\n\
         #   sha256sum -c SHA256SUMS\n\
         #   ./{} {}\n\
         #\n\
         # The exit code is 1 where an answer is wrong. It is no load, so limits have no meaning here.\n\
         {}",
        plan.scenario.name,
        env!("CARGO_PKG_VERSION"),
        shell::SCRIPT_FILE,
        plan.url,
        plan.left_out("#"),
    );
    vec![ExportFile::program(shell::SCRIPT_FILE, format!("{title}{script}"))]
}

fn request(plan: &ExportPlan<'_>, request: &ListedRequest) -> String {
    let mut words = match request.method {
        RequestMethod::Head => vec!["--head".to_owned()],
        method => vec!["--request".to_owned(), method.name().to_owned()],
    };
    let media_type = request.media_type.iter().map(|it| ("Content-Type".to_owned(), it.clone()));
    let headers = request.headers.iter().map(|(name, value)| {
        // What is open is a gap.
        (name.clone(), value.fixed().unwrap_or_default())
    });
    for (name, value) in media_type.chain(headers) {
        // curl takes a header without a value for one that is not to be sent, unless it ends so.
        let header = if value.is_empty() { format!("{name};") } else { format!("{name}: {value}") };
        words.extend(["--header".to_owned(), shell::word(&header)]);
    }
    if let ListedBody::Known(_, framing) = &request.body {
        if *framing == BodyFraming::Chunked {
            words.extend(["--header".to_owned(), shell::word("Transfer-Encoding: chunked")]);
        }
        let file = format!("@{}", files::body_name(plan, request));
        words.extend(["--data-binary".to_owned(), shell::word(&file)]);
    }
    let path = request.path.fixed().unwrap_or_default();
    format!("send {} \"$url\"{}\n{}\n", words.join(" "), shell::word(&path), rule(&request.answer))
}

fn rule(answer: &ListedAnswer) -> String {
    match answer {
        ListedAnswer::Verdict(matched) => verdicts(&[*matched], "one"),
        ListedAnswer::Verdicts(matched) => verdicts(matched, "batch"),
        ListedAnswer::Success => "expect_success".to_owned(),
        ListedAnswer::Soap => "expect_envelope".to_owned(),
        ListedAnswer::Survival => "expect_survival".to_owned(),
        ListedAnswer::Values(values) => {
            let status = values.iter().find(|(place, _)| *place == ResponseLocation::Status);
            match status.and_then(|(_, equals)| equals.first()?.fixed()) {
                Some(status) => format!("expect_status {}", shell::word(&status)),
                None => "expect_success".to_owned(),
            }
        }
    }
}

fn verdicts(matched: &[bool], kind: &str) -> String {
    let digest = units::hex(&Sha256::digest(k6::bits(matched)));
    format!("expect_verdicts {kind} {} {digest}", matched.len())
}
