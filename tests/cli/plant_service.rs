//! The small service of `benches/truth` as a project: a change of its source makes it slower by a known amount.

/// Its source.
pub(crate) const SOURCE: &str = include_str!("../../benches/truth/server.c");

/// Makes the program of the source.
pub(crate) const COMPILE: &str = "cc -O2 -pthread -o api server.c";

/// The template of its requests, `request.j2`.
pub(crate) const TEMPLATE: &str = "items={{ pairs | length }}\n{% for pair in pairs %}{{ pair.xml1 }}\n{{ pair.xml2 }}\n{% endfor %}\n";

/// Its configuration with the command that builds it; what is not said is as it is by default.
pub(crate) fn config(build: &str) -> String {
    format!(
        r#"[target]
build = "{build}"
start = "./api"
port-env = "APP_PORT"
ready = "/"

[request]
path = "/"
template = "request.j2"
content-type = "text/plain"
expect = [{{ json = "/items", equals = "{{{{ pairs | length }}}}" }}]
"#
    )
}
