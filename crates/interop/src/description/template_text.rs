//! Texts as templates that render to them.

/// Returns a text as a template that renders to it, or to a part of a larger one.
pub(super) fn literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        let (before, brace) = rest.split_at(at);
        out.push_str(before);
        let mark = brace.get(..2).filter(|mark| ["{{", "{%", "{#"].contains(mark));
        match mark {
            Some(mark) => out.extend(["{{ \"", mark, "\" }}"]),
            None => out.push('{'),
        }
        rest = &brace[mark.map_or(1, str::len)..];
    }
    out + rest
}

/// Returns a template of a whole body: of a last end of line, templates leave one out.
pub(super) fn whole(template: String) -> String {
    if template.ends_with('\n') { template + "\n" } else { template }
}

/// Returns a template that takes one of several texts after the other, by the number of the request.
pub(super) fn in_turn(texts: &[String]) -> String {
    match texts {
        [] => String::new(),
        [only] => literal(only),
        several => {
            let count = several.len();
            let texts = several.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(", ");
            format!("{{{{ [{texts}][index % {count}] }}}}")
        }
    }
}

/// Returns a template that takes one of several templates after the other, by the number of the request.
pub(super) fn templates_in_turn(templates: &[String]) -> String {
    match templates {
        [only] => only.clone(),
        several => {
            let count = several.len();
            let arms = several.iter().enumerate().map(|(number, template)| {
                let word = if number == 0 { "if" } else { "elif" };
                format!("{{% {word} index % {count} == {number} %}}{template}")
            });
            let arms: String = arms.collect();
            if arms.is_empty() { arms } else { arms + "{% endif %}" }
        }
    }
}

/// A text as a string of a template's expression.
pub(super) fn quoted(text: &str) -> String {
    // Strings of expressions know the escapes of JSON. No mark of a template may stand within.
    let json = serde_json::Value::String(text.to_owned()).to_string();
    json.replace('{', "\\u007b").replace('}', "\\u007d").replace('%', "\\u0025")
}
