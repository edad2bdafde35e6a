//! The reference of the configuration is what the types say that read it: their keys, documentation and
//! defaults, each default tried.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use proc_macro2::TokenStream;
use quote::ToTokens as _;
use suite::config::{self, ConfigOverrides};
use syn::parse::{ParseStream, Parser as _};

use crate::ratchet::listed;
use crate::source_tree::SourceTree;

const PAGE: &str = "docs/configuration.md";
const BEGIN: &str = "<!-- generated from crates/suite/src/config -->\n";
const END: &str = "<!-- end -->";

/// Types that stand inside the value of a key, whose own documentation shows them.
const SHOWN_BY_KEY: [&str; 3] = ["LogRegexTable", "InheritedTable", "TargetTables"];

/// The types of the configuration by name.
struct ConfigTypes<'a> {
    tables: BTreeMap<String, &'a syn::ItemStruct>,
    /// Types of values: what a value is, in words, and the types in its variants.
    values: BTreeMap<String, (String, Vec<&'a syn::Type>)>,
}

/// A key of a table.
struct ConfigKey {
    name: String,
    value: String,
    says: String,
    default: Option<String>,
    is_required: bool,
    /// The tables that stand in its value, and how they are written there.
    tables: Vec<(String, String)>,
}

impl<'a> ConfigTypes<'a> {
    fn of(tree: &'a SourceTree) -> Self {
        let folder = Path::new("crates/suite/src/config");
        let files = tree.files.iter().filter(|file| file.path.starts_with(folder));
        let mut types = Self { tables: BTreeMap::new(), values: BTreeMap::new() };
        for item in files.flat_map(|file| &file.syntax.items) {
            match item {
                syn::Item::Struct(item) if reads_keys(item) => {
                    types.tables.insert(item.ident.to_string(), item);
                }
                syn::Item::Struct(item) => {
                    types.value(&item.ident, documentation(&item.attrs), Vec::new());
                }
                syn::Item::Enum(item) => {
                    let fields = item.variants.iter().flat_map(|variant| &variant.fields);
                    let inside = fields.map(|field| &field.ty).collect();
                    types.value(&item.ident, documentation(&item.attrs), inside);
                }
                syn::Item::Macro(item) if item.mac.path.is_ident("checked") => {
                    let (name, says) = checked_value(item.mac.tokens.clone());
                    types.value(&name, says, Vec::new());
                }
                _ => {}
            }
        }
        types
    }

    fn value(&mut self, name: &syn::Ident, says: String, inside: Vec<&'a syn::Type>) {
        self.values.insert(name.to_string(), (says, inside));
    }

    fn keys(&self, table: &str) -> Vec<ConfigKey> {
        let item = self.tables[table];
        let is_kebab = serde_words(&item.attrs).contains("kebab-case");
        let has_defaults = is_default(&item.attrs);
        let key = |field: &syn::Field| {
            let name = field.ident.as_ref().expect("a field of a table has a name").to_string();
            let name = if is_kebab { name.replace('_', "-") } else { name };
            let text = documentation(&field.attrs);
            assert!(!text.is_empty(), "`{name}` of `{table}` has no documentation");
            let (says, default) = match text.split_once(" Default: ") {
                Some((says, default)) => (says.to_owned(), Some(default.trim_end_matches('.'))),
                None => (text.clone(), None),
            };
            let (outer, _) = generic(&field.ty);
            ConfigKey {
                value: self.words(&field.ty),
                tables: self.inner_tables(&field.ty, &format!("{name} = …")),
                is_required: outer != "Option" && !has_defaults && !is_default(&field.attrs),
                default: default.map(str::to_owned),
                name,
                says,
            }
        };
        item.fields.iter().map(key).collect()
    }

    /// What a value is, for a person.
    fn words(&self, written: &syn::Type) -> String {
        let (name, arguments) = generic(written);
        match name.as_str() {
            "Option" | "Spanned" | "Box" => self.words(arguments[0]),
            "Vec" => format!("list: {}", self.words(arguments[0])),
            "BTreeMap" => format!("table: {}", self.words(arguments[1])),
            "String" | "PathBuf" => "text".to_owned(),
            "bool" => "`true` or `false`".to_owned(),
            "u64" | "u16" | "usize" => "whole number".to_owned(),
            "f64" => "number".to_owned(),
            // `FlowList` and `MixTable` are names for these.
            "FlowList" => "list: names of operations".to_owned(),
            "MixTable" => "table: a whole number from 1 on".to_owned(),
            table if self.tables.contains_key(table) => "table, see below".to_owned(),
            value => {
                let (says, _) =
                    self.values.get(value).unwrap_or_else(|| panic!("what is {value}?"));
                assert!(!says.is_empty(), "`{value}` has no documentation");
                let first = says.split_once(". ").map_or(says.as_str(), |(first, _)| first);
                let first =
                    first.trim_end_matches('.').replace(", each with where it is written", "");
                // A word, and no abbreviation such as XML.
                match first.split_at(1) {
                    (head, tail) if tail.starts_with(char::is_lowercase) => {
                        head.to_lowercase() + tail
                    }
                    _ if first.starts_with("A ") => first.replacen('A', "a", 1),
                    _ => first,
                }
            }
        }
    }

    fn inner_tables(&self, written: &syn::Type, place: &str) -> Vec<(String, String)> {
        let (name, arguments) = generic(written);
        let around = |form: &str| place.replace('…', form);
        match name.as_str() {
            "Vec" => self.inner_tables(arguments[0], &around("[…]")),
            "BTreeMap" => self.inner_tables(arguments[1], &around("{ NAME = … }")),
            table if self.tables.contains_key(table) => vec![(name, around("{ … }"))],
            value => {
                let variants = self.values.get(value).map_or(&[][..], |(_, inside)| inside);
                let inside = arguments.iter().chain(variants).copied();
                inside.flat_map(|inside| self.inner_tables(inside, place)).collect()
            }
        }
    }

    /// Every table, in the order of the file, with its heading and what is said of it.
    fn sections(&self) -> Vec<(String, String, String)> {
        let mut sections = Vec::new();
        let mut seen = BTreeSet::new();
        for key in self.keys("ConfigFile") {
            for (table, place) in key.tables {
                let brackets = if place.contains('[') { ("[[", "]]") } else { ("[", "]") };
                let heading = format!("## `{}{}{}`", brackets.0, key.name, brackets.1);
                self.section(table, heading, &key.says, &mut seen, &mut sections);
            }
        }
        let shown = |table: &&String| !SHOWN_BY_KEY.contains(&table.as_str());
        let all = self.tables.keys().filter(shown).filter(|table| *table != "ConfigFile");
        let lost = all.filter(|table| !seen.contains(*table));
        assert!(lost.clone().next().is_none(), "reached from no key:{}", listed(lost));
        sections
    }

    fn section(
        &self,
        table: String,
        heading: String,
        says: &str,
        seen: &mut BTreeSet<String>,
        sections: &mut Vec<(String, String, String)>,
    ) {
        if !seen.insert(table.clone()) {
            return;
        }
        let inner: Vec<_> = self.keys(&table).into_iter().flat_map(|key| key.tables).collect();
        sections.push((table, heading, says.to_owned()));
        for (table, place) in inner {
            self.section(table, format!("### `{place}`"), "", seen, sections);
        }
    }

    fn page(&self) -> String {
        let mut text = String::new();
        for (table, heading, says) in self.sections() {
            write!(text, "\n{heading}\n\n").expect("a text takes what is written");
            if !says.is_empty() {
                writeln!(text, "{says}\n").expect("a text takes what is written");
            }
            text += "| key | value | default | |\n|:--|:--|:--|:--|\n";
            for key in self.keys(&table) {
                let default = key.default.unwrap_or_default();
                let default = if key.is_required { "required".to_owned() } else { default };
                let ConfigKey { name, value, says, .. } = key;
                writeln!(text, "| `{name}` | {value} | {default} | {says} |")
                    .expect("a text takes what is written");
            }
        }
        text + "\n"
    }
}

/// Whether a struct is a table that serde reads.
fn reads_keys(item: &syn::ItemStruct) -> bool {
    let derives = |attribute: &syn::Attribute| {
        attribute.path().is_ident("derive")
            && attribute.to_token_stream().to_string().contains("Deserialize")
    };
    matches!(item.fields, syn::Fields::Named(_)) && item.attrs.iter().any(derives)
}

/// The name of a value in `checked!(…)`, and what is said of it.
fn checked_value(tokens: TokenStream) -> (syn::Ident, String) {
    let read = |input: ParseStream<'_>| {
        let attributes = input.call(syn::Attribute::parse_outer)?;
        let name = input.parse::<syn::Ident>()?;
        input.parse::<TokenStream>()?;
        Ok((name, documentation(&attributes)))
    };
    read.parse2(tokens).expect("a checked value begins with its documentation and name")
}

/// The text of `///` comments, on one line.
fn documentation(attributes: &[syn::Attribute]) -> String {
    let text = |attribute: &syn::Attribute| match &attribute.meta {
        syn::Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    };
    let lines: Vec<String> = attributes.iter().filter_map(text).collect();
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}

fn serde_words(attributes: &[syn::Attribute]) -> String {
    let own = attributes.iter().filter(|attribute| attribute.path().is_ident("serde"));
    own.map(|attribute| attribute.to_token_stream().to_string()).collect()
}

fn is_default(attributes: &[syn::Attribute]) -> bool {
    serde_words(attributes).contains("default")
}

/// The last name of a type, and what it is given in angle brackets.
fn generic(written: &syn::Type) -> (String, Vec<&syn::Type>) {
    let syn::Type::Path(path) = written else { panic!("a value has a named type") };
    let last = path.path.segments.last().expect("a path has a name");
    let arguments = match &last.arguments {
        syn::PathArguments::AngleBracketed(inside) => inside.args.iter().collect(),
        _ => Vec::new(),
    };
    let types = arguments.into_iter().filter_map(|argument| match argument {
        syn::GenericArgument::Type(inner) => Some(inner),
        _ => None,
    });
    (last.ident.to_string(), types.collect())
}

/// `UPDATE_DOCS=1 cargo test --test architecture config` writes the page anew.
#[test]
fn the_page_of_the_configuration_is_what_its_types_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let page = fs::read_to_string(&path).expect("the page can be read");
    let (before, rest) = page.split_once(BEGIN).expect("the page has a generated part");
    let (shown, after) = rest.split_once(END).expect("the generated part has an end");
    let made = ConfigTypes::of(&SourceTree::here()).page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, format!("{before}{BEGIN}{made}{END}{after}")).expect("the page is ours");
    } else {
        let message = "run: UPDATE_DOCS=1 cargo test --locked --test architecture config";
        assert!(shown == made, "{PAGE} is not what the types say; {message}");
    }
}

/// A configuration in which a key of a table has an effect, with `LINE` where the key goes.
fn configuration(table: &str, key: &str) -> &'static str {
    match (table, key) {
        ("TargetTable", "reference") => "[target]\nLINE\n",
        ("TargetTable", _) => "[target]\nstart = 'api {port}'\nLINE\n",
        ("ServiceTable", _) => {
            "[target]\nstart = 'api {port}'\n[[service]]\nname = 'db'\nstart = 'db {port}'\nLINE\n"
        }
        ("DependencyTable", _) => {
            "[target]\nstart = 'api {port}'\n[[dependency]]\nname = 'db'\naddress = 'db:5432'\nLINE\n"
        }
        ("HooksTable", _) => {
            "[target]\nstart = 'api {port}'\n[hooks]\nbefore-launch = 'true'\nLINE\n"
        }
        ("RequestTable", _) => "[request]\nLINE\n",
        ("PayloadTable", _) => "[payload]\nLINE\n",
        ("SamplingTable", _) => "[sampling]\nLINE\n",
        ("NetworkTable", _) => "[network]\nLINE\n",
        ("WorkTable", _) => "[work]\nLINE\n",
        ("GateTable", _) => "[gate]\nLINE\n",
        ("BaselineTable", _) => "[baseline]\nLINE\n",
        ("OperationTable", _) => {
            "[[operation]]\nname = 'a'\nLINE\n[[scenario]]\nname = 'flow'\nflow = ['a']\n"
        }
        ("ScenarioTable", "cookies") => {
            "[[operation]]\nname = 'a'\n[[scenario]]\nname = 'flow'\nflow = ['a']\nLINE\n"
        }
        ("ScenarioTable", _) => "[[scenario]]\nname = 'own'\nLINE\n",
        ("LoadTable", "spike" | "every") => {
            "[[scenario]]\nname = 'own'\n[scenario.load]\nmodel = 'spikes'\nrate = 9.0\nspike-rate = 99.0\nLINE\n"
        }
        ("LoadTable", "ceiling" | "precision") => {
            "[[scenario]]\nname = 'own'\n[scenario.load]\nmodel = 'capacity'\nLINE\n"
        }
        ("LoadTable", "seed" | "late-max") => {
            "[[scenario]]\nname = 'own'\n[scenario.load]\nmodel = 'poisson'\nrate = 9.0\nLINE\n"
        }
        ("LoadTable", _) => "[[scenario]]\nname = 'own'\n[scenario.load]\nLINE\n",
        _ => panic!("no configuration for `{key}` of `{table}`"),
    }
}

/// What a configuration means, with a scenario in it: without one, there is less of each.
fn meaning(text: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("xmlperf.toml");
    let scenario = if text.contains("[[scenario]]") { "" } else { "[[scenario]]\nname = 'one'\n" };
    fs::write(&path, format!("{text}{scenario}")).expect("a file can be written");
    let suite = config::load(&path, &ConfigOverrides::default());
    let suite = suite.unwrap_or_else(|error| panic!("{text}\n{error}"));
    format!("{suite:?}").replace(&folder.path().display().to_string(), "FOLDER")
}

#[test]
fn a_default_that_is_written_out_changes_nothing() {
    let tree = SourceTree::here();
    let types = ConfigTypes::of(&tree);
    let mut tried = 0;
    for (table, ..) in types.sections() {
        for key in types.keys(&table) {
            let literal = key.default.as_deref().and_then(|default| default.strip_prefix('`'));
            let Some(literal) = literal.and_then(|literal| literal.strip_suffix('`')) else {
                continue;
            };
            if literal.contains('`') || literal == "rate" {
                continue;
            }
            let text = configuration(&table, &key.name);
            let line = format!("{} = {literal}", key.name);
            let (without, with) = (text.replace("LINE\n", ""), text.replace("LINE", &line));
            assert_eq!(meaning(&without), meaning(&with), "`{line}` of `{table}` is no default");
            tried += 1;
        }
    }
    assert!(tried >= 60, "only {tried} defaults were tried");
}
