//! A page around some content, where that is all there is to it.

use crate::markup::escaped;
use crate::page::forest;

/// Returns the style sheet of every page.
pub(crate) fn stylesheet() -> String {
    format!("{}{}", include_str!("../report.css"), forest::filter_styles())
}

/// Returns the document: it needs nothing beside itself.
pub(crate) fn document(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>xmlperf: {}</title>\n<style>{}</style>\n</head>\n<body>\n<main>\n{body}</main>\n</body>\n</html>\n",
        escaped(title),
        stylesheet(),
    )
}
