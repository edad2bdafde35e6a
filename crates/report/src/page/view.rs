//! Figures, tables and prose as HTML: the same elements all over the page.

use std::fmt::{self, Write as _};

use crate::markup::escaped;
use crate::unbroken::unbroken;

/// Memory takes all that is written.
const STRING: &str = "writing to a string does not fail";

/// A column of a table.
#[derive(Debug, Clone, Copy)]
pub(crate) enum TableColumn {
    /// Of words.
    Words(&'static str),
    /// Of numbers.
    Numbers(&'static str),
    /// Of names of code.
    Code(&'static str),
}

impl TableColumn {
    fn name(self) -> &'static str {
        match self {
            Self::Words(name) | Self::Numbers(name) | Self::Code(name) => name,
        }
    }

    fn class(self) -> &'static str {
        match self {
            Self::Words(_) => "",
            Self::Numbers(_) => " class=\"n\"",
            Self::Code(_) => " class=\"c\"",
        }
    }
}

/// A table; the first cell of each row names it.
#[derive(Debug, Clone)]
pub(crate) struct TableView {
    pub(crate) caption: String,
    pub(crate) columns: Vec<TableColumn>,
    pub(crate) rows: Vec<Vec<String>>,
}

/// A picture, how to read it, and the same numbers as a table.
#[derive(Debug, Clone)]
pub(crate) struct FigureView {
    /// What it shows.
    pub(crate) title: String,
    /// How to read it, in a line.
    pub(crate) how: String,
    pub(crate) svg: String,
    pub(crate) table: TableView,
}

/// Text with its quantities held together, and names between backquotes as code.
pub(crate) fn prose(text: &str) -> String {
    let parts = text.split('`').enumerate();
    let part = |(i, part): (usize, &str)| match i % 2 {
        0 => escaped(&unbroken(part)),
        _ => format!("<code>{}</code>", ranges_held(&escaped(part))),
    };
    parts.map(part).collect()
}

/// Code in which no line breaks inside the lines of a file, such as `xml.rs:118–131`: what stands before and behind
/// the dash is read as one.
fn ranges_held(code: &str) -> String {
    let Some(dash) = code.find('–') else { return code.to_owned() };
    let is_range = |c: char| c.is_ascii_digit() || c == ':';
    let begin = code[..dash].trim_end_matches(is_range).len();
    let rest = &code[dash + '–'.len_utf8()..];
    let end = code.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    format!("{}<span class=\"nb\">{}</span>{}", &code[..begin], &code[begin..end], &code[end..])
}

/// A quantity in words with its value as programs read it, in the unit that `report.json` has; words alone where
/// there is none.
pub(crate) fn quantity(value: Option<f64>, words: &str) -> String {
    match value.filter(|value| value.is_finite() && !words.is_empty()) {
        Some(value) => format!("<data value=\"{value}\">{}</data>", prose(words)),
        None => prose(words),
    }
}

/// A sentence as a paragraph: with a capital and a full stop, as the words of all formats have neither.
pub(crate) fn paragraph(class: &str, sentence: &str) -> String {
    let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
    format!("<p{class}>{}</p>\n", prose(&finished(sentence)))
}

fn finished(sentence: &str) -> String {
    let end = if sentence.ends_with(['.', '!', '?', ':']) { "" } else { "." };
    format!("{}{end}", capitalised(sentence))
}

/// Text with a capital.
pub(crate) fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}", characters.as_str())
}

/// Content that is shown on request, and in print.
pub(crate) fn folded(summary: &str, content: &str) -> String {
    format!("<details><summary>{}</summary>\n{content}</details>\n", prose(summary))
}

impl TableView {
    /// Writes the table in a region of a name that no other of the page has.
    fn write(&self, f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
        let name = escaped(&name.replace('`', ""));
        write!(f, "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"{name}\">")?;
        write!(f, "<table><caption>{}</caption><thead><tr>", prose(&self.caption))?;
        for column in &self.columns {
            write!(f, "<th scope=\"col\"{}>{}</th>", column.class(), prose(column.name()))?;
        }
        f.write_str("</tr></thead>\n<tbody>")?;
        for row in &self.rows {
            f.write_str("<tr>")?;
            for (place, (cell, column)) in row.iter().zip(&self.columns).enumerate() {
                let cell = escaped(&unbroken(cell));
                let (class, cell) = match column {
                    TableColumn::Code(_) => (column.class(), ranges_held(&cell)),
                    TableColumn::Words(_) | TableColumn::Numbers(_) => (column.class(), cell),
                };
                if place == 0 {
                    write!(f, "<th scope=\"row\"{class}>{cell}</th>")?;
                } else {
                    write!(f, "<td{class}>{cell}</td>")?;
                }
            }
            f.write_str("</tr>\n")?;
        }
        f.write_str("</tbody></table></div>\n")
    }
}

impl fmt::Display for TableView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, &self.caption)
    }
}

impl fmt::Display for FigureView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (title, how) = (prose(&self.title), prose(&self.how));
        write!(
            f,
            "<figure><figcaption>{title}</figcaption>\n\
             <div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"{}\">{}</div>\n\
             <p class=\"how\">{how}</p>\n<details><summary>Numbers</summary>\n",
            escaped(&self.title.replace('`', "")),
            self.svg,
        )?;
        self.table.write(f, &format!("{}, numbers", self.title))?;
        f.write_str("</details></figure>\n")
    }
}

/// Writes several parts one after the other.
pub(crate) fn joined<T: fmt::Display>(parts: impl IntoIterator<Item = T>) -> String {
    let mut html = String::new();
    for part in parts {
        write!(html, "{part}").expect(STRING);
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_escapes_its_cells_and_heads_its_rows() {
        let table = TableView {
            caption: "a & b".to_owned(),
            columns: vec![TableColumn::Words("Name"), TableColumn::Numbers("Time")],
            rows: vec![vec!["<i>".to_owned(), "5 ms".to_owned()]],
        };
        insta::assert_snapshot!(crate::unbroken::breakable(&table.to_string()), @r#"
        <div class="wide" tabindex="0" role="region" aria-label="a &amp; b"><table><caption>a &amp; b</caption><thead><tr><th scope="col">Name</th><th scope="col" class="n">Time</th></tr></thead>
        <tbody><tr><th scope="row">&lt;i&gt;</th><td class="n">5 ms</td></tr>
        </tbody></table></div>
        "#);
    }

    #[test]
    fn prose_has_names_as_code_and_no_other_markup() {
        assert_eq!(prose("`a<b` is <b> 5 %"), "<code>a&lt;b</code> is &lt;b&gt; 5\u{a0}%");
        assert_eq!(paragraph("", "nothing changed"), "<p>Nothing changed.</p>\n");
        assert_eq!(
            prose("in `src/a.rs:118–131`"),
            "in <code>src/a.rs<span class=\"nb\">:118–131</span></code>"
        );
    }
}
