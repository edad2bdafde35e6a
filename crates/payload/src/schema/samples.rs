//! Sample values of the types that XML Schema itself has.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::model::ValueFacets;
use super::numbers::{is_number, numbers};
use crate::draws::PairRng;
use crate::vocabulary;

/// Characters or items of a value, at most.
const LENGTH_MAX: u32 = 10_000;

/// Returns values of a type by its facets, but for patterns: the plainest first, then `count` that are drawn.
/// They are yet to be checked. None of a type whose values need more than the document.
pub(super) fn samples(
    name: &str,
    facets: &ValueFacets,
    count: usize,
    draws: &mut PairRng,
) -> Option<Vec<String>> {
    if is_number(name) {
        return Some(numbers(name, facets, count, draws));
    }
    let plain = match name {
        "boolean" => "true".to_owned(),
        "dateTime" | "dateTimeStamp" => "2026-01-31T12:00:00Z".to_owned(),
        "date" => "2026-01-31".to_owned(),
        "time" => "12:00:00".to_owned(),
        "gYear" => "2026".to_owned(),
        "gYearMonth" => "2026-01".to_owned(),
        "gMonth" => "--01".to_owned(),
        "gMonthDay" => "--01-31".to_owned(),
        "gDay" => "---31".to_owned(),
        "duration" | "dayTimeDuration" => "P1D".to_owned(),
        "yearMonthDuration" => "P1Y".to_owned(),
        // What it stands for has to be declared in a document type.
        "ENTITY" | "ENTITIES" | "NOTATION" => return None,
        "hexBinary" => "00".repeat(octets(facets)),
        "base64Binary" => BASE64_STANDARD.encode(vec![0; octets(facets)]),
        _ => plain_text(name, facets),
    };
    let mut made = vec![plain];
    // A bound is a value that is known to fit.
    let bounds = [&facets.least, &facets.most].into_iter().flatten();
    made.extend(bounds.filter(|it| it.is_included).map(|it| it.value.clone()));
    made.extend((0..count).map(|_| drawn(name, facets, draws)));
    Some(made)
}

fn drawn(name: &str, facets: &ValueFacets, draws: &mut PairRng) -> String {
    let date = |draws: &mut PairRng| {
        format!(
            "{}-{:02}-{:02}",
            draws.between(2019, 2026),
            draws.between(1, 12),
            draws.between(1, 28)
        )
    };
    let time = |draws: &mut PairRng| {
        format!("{:02}:{:02}:{:02}", draws.below(24), draws.below(60), draws.below(60))
    };
    match name {
        "boolean" => (*draws.pick(&["true", "false"])).to_owned(),
        "dateTime" | "dateTimeStamp" => format!("{}T{}Z", date(draws), time(draws)),
        "date" => date(draws),
        "time" => time(draws),
        "gYear" => draws.between(1990, 2030).to_string(),
        "gYearMonth" => format!("{}-{:02}", draws.between(1990, 2030), draws.between(1, 12)),
        "gMonth" => format!("--{:02}", draws.between(1, 12)),
        "gMonthDay" => format!("--{:02}-{:02}", draws.between(1, 12), draws.between(1, 28)),
        "gDay" => format!("---{:02}", draws.between(1, 28)),
        "duration" => match draws.below(3) {
            0 => format!("P{}D", draws.between(1, 90)),
            1 => format!("PT{}M", draws.between(1, 600)),
            _ => format!("P{}M", draws.between(1, 24)),
        },
        "dayTimeDuration" => format!("PT{}M", draws.between(1, 600)),
        "yearMonthDuration" => format!("P{}M", draws.between(1, 24)),
        "hexBinary" => {
            let bytes = drawn_octets(facets, draws);
            units::hex(&bytes)
        }
        "base64Binary" => BASE64_STANDARD.encode(drawn_octets(facets, draws)),
        "language" => (*draws.pick(&["en", "de", "fr", "en-GB", "pt-BR", "zh"])).to_owned(),
        _ => drawn_text(name, facets, draws),
    }
}

fn octets(facets: &ValueFacets) -> usize {
    let most = facets.length_max.unwrap_or(LENGTH_MAX);
    let count = facets.length_min.unwrap_or(1).min(most).min(LENGTH_MAX);
    usize::try_from(count).unwrap_or(1)
}

fn drawn_octets(facets: &ValueFacets, draws: &mut PairRng) -> Vec<u8> {
    let least = facets.length_min.unwrap_or(4).min(LENGTH_MAX);
    let most = facets.length_max.unwrap_or(least + 28).clamp(least, least + 28);
    (0..draws.between(least, most)).map(|_| draws.word().to_le_bytes()[0]).collect()
}

fn plain_text(name: &str, facets: &ValueFacets) -> String {
    let sample = match name {
        "language" => "en",
        "anyURI" => "urn:text",
        _ => "text",
    };
    if name == "NMTOKENS" {
        let count = facets.length_min.unwrap_or(1).clamp(1, LENGTH_MAX);
        return vec![sample; usize::try_from(count).unwrap_or(1)].join(" ");
    }
    fitted(sample, facets)
}

/// Words, as many as there is room for.
fn drawn_text(name: &str, facets: &ValueFacets, draws: &mut PairRng) -> String {
    let mut words = Vec::new();
    let room = facets.length_max.map_or(6, |most| (most / 6).clamp(1, 6));
    match name {
        "anyURI" => words.extend_from_slice(b"urn:"),
        "NMTOKENS" => {
            let least = facets.length_min.unwrap_or(1).clamp(1, LENGTH_MAX);
            let most = facets.length_max.unwrap_or(least + 3).clamp(least, least + 3);
            vocabulary::words(&mut words, draws.between(least, most), draws);
            return String::from_utf8_lossy(&words).into_owned();
        }
        _ => {}
    }
    let is_text = matches!(name, "string" | "normalizedString" | "token" | "anySimpleType");
    let count = draws.between(1, if is_text { room } else { room.min(2) });
    vocabulary::words(&mut words, count, draws);
    let text = String::from_utf8_lossy(&words);
    fitted(&if is_text { text.into_owned() } else { text.replace(' ', "-") }, facets)
}

/// A text that is cut or made longer to be of a length that facets allow.
fn fitted(text: &str, facets: &ValueFacets) -> String {
    let least = usize::try_from(facets.length_min.unwrap_or(0).min(LENGTH_MAX)).unwrap_or(0);
    let most =
        facets.length_max.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX));
    let length = text.chars().count().max(least).min(most);
    let mut made: String = text.chars().chain(std::iter::repeat('x')).take(length).collect();
    if made.ends_with([' ', '-']) {
        made.pop();
        made.push('x');
    }
    made
}
