//! What the time of a request went into: a sentence for every format, and a figure for the page.

use std::fmt::Write as _;

use compare::Comparison;
use compare::anatomy::{ChangedPart, RequestAnatomy, RequestTime, TimePart};

use crate::markup::escaped;
use crate::wording;

/// Width of the figure's bars, and height of each, in its own units.
const BAR: (f64, f64) = (520.0, 18.0);

/// Room for the name of a side, before its bar.
const LABEL: f64 = 40.0;

/// Returns a sentence for each scenario whose change is in one part of the time.
pub(super) fn sentences(comparison: &Comparison) -> Vec<String> {
    comparison.anatomies.iter().filter_map(sentence).collect()
}

fn sentence(anatomy: &RequestAnatomy) -> Option<String> {
    let ChangedPart { part, part_ns, total_ns } = anatomy.changed?;
    let (total, of_part) = (signed(total_ns), units::time_ns(part_ns.abs()));
    let scenario = wording::quoted(&anatomy.scenario);
    Some(format!("{scenario}: {total} a request, of which {of_part} {}", meaning(part)))
}

/// A difference of times with its sign.
fn signed(ns: f64) -> String {
    let sign = if ns < 0.0 { '−' } else { '+' };
    format!("{sign}{}", units::time_ns(ns.abs()))
}

fn meaning(part: TimePart) -> &'static str {
    match part {
        TimePart::User => "in user space: it computes",
        TimePart::System => "in the system: calls, faults, copies",
        TimePart::Queued => "ready without a processor: other threads or processes have it",
        TimePart::Blocked => "blocked: it waits, and does not compute",
    }
}

fn name(part: TimePart) -> &'static str {
    match part {
        TimePart::User => "user space",
        TimePart::System => "system",
        TimePart::Queued => "ready, no processor",
        TimePart::Blocked => "blocked",
    }
}

/// Returns the section of the page; nothing if nothing was watched.
pub(super) fn section(comparison: &Comparison) -> String {
    if comparison.anatomies.is_empty() {
        return String::new();
    }
    let mut html = "<section>\n<h2>What the time of a request went into</h2>\n".to_owned();
    for sentence in sentences(comparison) {
        add(&mut html, format_args!("<p><b>{}</b></p>\n", escaped(&sentence.replace('`', ""))));
    }
    for anatomy in &comparison.anatomies {
        figure(&mut html, anatomy);
    }
    add(
        &mut html,
        format_args!(
            "<p class=\"small\">Means over the requests of a launch, medians over launch pairs. Computing \
             and queueing are the kernel's accounts of all threads of the target; the rest of the service \
             time is <i>blocked</i>: in the target, on the network or in the load generator.</p>\n\
             </section>\n"
        ),
    );
    html
}

/// One scenario: a bar for each side on one scale, and the same as a table.
fn figure(html: &mut String, anatomy: &RequestAnatomy) {
    let title = escaped(&anatomy.scenario);
    let scale = BAR.0 / anatomy.base.total_ns().max(anatomy.head.total_ns()).max(1.0);
    add(html, format_args!("<figure class=\"anatomy\">\n<figcaption>{title}</figcaption>\n"));
    add(
        html,
        format_args!(
            "<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{title}: time of a request by part, \
             base above head\">\n",
            LABEL + BAR.0,
            2.0 * BAR.1 + 6.0
        ),
    );
    for (side, time, top) in [("base", &anatomy.base, 0.0), ("head", &anatomy.head, BAR.1 + 6.0)] {
        add(html, format_args!("<text x=\"0\" y=\"{}\">{side}</text>\n", top + 0.75 * BAR.1));
        bar(html, time, scale, top);
    }
    add(html, format_args!("</svg>\n"));
    table(html, anatomy);
    add(html, format_args!("</figure>\n"));
}

fn bar(html: &mut String, time: &RequestTime, scale: f64, top: f64) {
    let mut left = LABEL;
    for part in TimePart::ALL {
        let width = time.part(part) * scale;
        let (key, height) = (part.key(), BAR.1);
        add(
            html,
            format_args!(
                "<rect class=\"{key}\" x=\"{left:.1}\" y=\"{top}\" width=\"{width:.1}\" \
                 height=\"{height}\"><title>{}: {}</title></rect>\n",
                name(part),
                units::time_ns(time.part(part))
            ),
        );
        left += width;
    }
}

fn table(html: &mut String, anatomy: &RequestAnatomy) {
    add(
        html,
        format_args!(
            "<div class=\"wide\"><table>\n<thead><tr><th scope=\"col\">part</th>\
             <th scope=\"col\" class=\"n\">base</th><th scope=\"col\" class=\"n\">head</th>\
             <th scope=\"col\" class=\"n\">change</th></tr></thead>\n<tbody>\n"
        ),
    );
    for part in TimePart::ALL {
        let time = |side: &RequestTime| units::time_ns(side.part(part));
        add(
            html,
            format_args!(
                "<tr><th scope=\"row\"><span class=\"key {}\"></span>{}</th><td class=\"n\">{}</td>\
                 <td class=\"n\">{}</td><td class=\"n\">{}</td></tr>\n",
                part.key(),
                name(part),
                time(&anatomy.base),
                time(&anatomy.head),
                signed(anatomy.change.part(part))
            ),
        );
    }
    add(html, format_args!("</tbody>\n</table></div>\n"));
}

fn add(html: &mut String, text: std::fmt::Arguments<'_>) {
    html.write_fmt(text).expect("memory takes all that is written");
}
