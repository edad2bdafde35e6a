//! Renders a comparison as JUnit XML, for the test views of CI servers.
//!
//! A scenario is a test suite; each metric that decides and each limit is a test case. A regression and a
//! broken limit are failures, what was not decided is skipped, and a run without numbers is an error. The
//! document is valid by the schema of Jenkins' xUnit plugin, `junit-10.xsd`.

use std::io;

use compare::decision::Verdict;
use compare::{Comparison, ComparisonOutcome, LimitCheck, MetricResult};
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};
use record::metric::gate::MetricPolicy;

use crate::wording;

/// What became of a test case.
enum CaseOutcome {
    Passed,
    /// Why it did not, as a word and a sentence.
    Failed(&'static str, String),
    /// Why nothing can be said.
    Skipped(String),
    /// Why there is no number.
    Errored(String),
}

struct TestCase {
    name: String,
    outcome: CaseOutcome,
}

struct TestSuite {
    name: String,
    cases: Vec<TestCase>,
    /// Names and values of what was measured.
    properties: Vec<(String, String)>,
}

/// Returns the comparison as an XML document, with a final newline.
pub fn render(comparison: &Comparison) -> String {
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    write(&mut writer, &suites(comparison), comparison).expect("memory takes all that is written");
    let mut text = writer.into_inner();
    text.push(b'\n');
    String::from_utf8(text).expect("it was written from text")
}

/// A text without the characters that no XML document may hold, as the document has it.
fn plain(text: &str) -> String {
    let allowed = |c: char| !c.is_control() || "\t\n\r".contains(c);
    text.chars().map(|c| if allowed(c) { c } else { char::REPLACEMENT_CHARACTER }).collect()
}

fn suites(comparison: &Comparison) -> Vec<TestSuite> {
    let mut suites: Vec<TestSuite> =
        comparison.method.scenarios.iter().map(|name| suite(comparison, name)).collect();
    if let ComparisonOutcome::NotMeasured(reason) = &comparison.outcome {
        let outcome = CaseOutcome::Errored(plain(&reason.to_string()));
        let cases = vec![TestCase { name: "measurement".to_owned(), outcome }];
        suites.push(TestSuite { name: "xmlperf".to_owned(), cases, properties: Vec::new() });
    }
    suites
}

fn suite(comparison: &Comparison, scenario: &str) -> TestSuite {
    let rows = || comparison.rows.iter().filter(|row| row.scenario == scenario);
    let limits = comparison.limits.iter().filter(|limit| limit.scenario == scenario);
    let deciding = rows().filter(|row| row.rule.policy == MetricPolicy::Gate);
    TestSuite {
        name: plain(scenario),
        cases: deciding.map(metric).chain(limits.map(limit)).collect(),
        properties: rows().flat_map(properties).collect(),
    }
}

fn metric(row: &MetricResult) -> TestCase {
    let outcome = match row.verdict() {
        _ if row.is_lost() => CaseOutcome::Errored(plain(&wording::verdict(row))),
        Some(Verdict::Regressed) => CaseOutcome::Failed("regressed", wording::sentence(row)),
        Some(Verdict::Inconclusive) => CaseOutcome::Skipped(plain(&wording::sentence(row))),
        Some(Verdict::Improved | Verdict::Unchanged) | None => CaseOutcome::Passed,
    };
    TestCase { name: row.label(), outcome }
}

fn limit(check: &LimitCheck) -> TestCase {
    let outcome = if check.holds() {
        CaseOutcome::Passed
    } else {
        CaseOutcome::Failed("limit", wording::limit_words(check))
    };
    let name = format!("limit {} {}", check.label(), check.bound());
    TestCase { name, outcome }
}

fn properties(row: &MetricResult) -> impl Iterator<Item = (String, String)> {
    let key = match &row.operation {
        Some(operation) => format!("{operation}.{}", row.metric.key()),
        None => row.metric.key().to_owned(),
    };
    let value = |side: &str, value: Option<f64>| {
        value.map(|value| (format!("{key}.{side}"), row.format(value)))
    };
    let change = row.change().map(|_| {
        (format!("{key}.change"), format!("{} {}", wording::change(row), wording::interval(row)))
    });
    [value("base", row.base), value("head", row.head), change].into_iter().flatten()
}

impl CaseOutcome {
    /// The element that says so, with its type and its message.
    fn element(&self) -> Option<(&'static str, &'static str, &str)> {
        match self {
            Self::Passed => None,
            Self::Failed(kind, message) => Some(("failure", kind, message)),
            Self::Skipped(message) => Some(("skipped", "inconclusive", message)),
            Self::Errored(message) => Some(("error", "not-measured", message)),
        }
    }
}

/// How many cases ended in which way, as the attributes of a suite.
fn counts(suites: &[TestSuite]) -> [(&'static str, String); 4] {
    let cases = || suites.iter().flat_map(|suite| &suite.cases);
    let of = |name: &str| {
        let is = |case: &&TestCase| case.outcome.element().is_some_and(|(it, ..)| it == name);
        cases().filter(is).count().to_string()
    };
    [
        ("tests", cases().count().to_string()),
        ("failures", of("failure")),
        ("errors", of("error")),
        ("skipped", of("skipped")),
    ]
}

fn write(
    writer: &mut Writer<Vec<u8>>,
    suites: &[TestSuite],
    comparison: &Comparison,
) -> io::Result<()> {
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let mut element = writer.create_element("testsuites").with_attribute(("name", "xmlperf"));
    let [tests, failures, errors, _] = counts(suites);
    for (name, value) in [tests, failures, errors] {
        element = element.with_attribute((name, value.as_str()));
    }
    let seconds = format!("{:.3}", comparison.method.wall_ns as f64 / 1e9);
    element.with_attribute(("time", seconds.as_str())).write_inner_content(|writer| {
        suites.iter().try_for_each(|suite| write_suite(writer, suite))
    })?;
    Ok(())
}

fn write_suite(writer: &mut Writer<Vec<u8>>, suite: &TestSuite) -> io::Result<()> {
    let mut element =
        writer.create_element("testsuite").with_attribute(("name", suite.name.as_str()));
    for (name, value) in &counts(std::slice::from_ref(suite)) {
        element = element.with_attribute((*name, value.as_str()));
    }
    element.write_inner_content(|writer| {
        if !suite.properties.is_empty() {
            writer.create_element("properties").write_inner_content(|writer| {
                suite.properties.iter().try_for_each(|(name, value)| {
                    let property = writer.create_element("property");
                    let property = property.with_attribute(("name", name.as_str()));
                    property.with_attribute(("value", value.as_str())).write_empty().map(drop)
                })
            })?;
        }
        suite.cases.iter().try_for_each(|case| write_case(writer, &suite.name, case))
    })?;
    Ok(())
}

fn write_case(writer: &mut Writer<Vec<u8>>, suite: &str, case: &TestCase) -> io::Result<()> {
    let class = format!("xmlperf.{suite}");
    let element = writer.create_element("testcase").with_attribute(("classname", class.as_str()));
    let element = element.with_attribute(("name", case.name.as_str()));
    let Some((name, kind, message)) = case.outcome.element() else {
        return element.write_empty().map(drop);
    };
    element.write_inner_content(|writer| {
        let outcome = writer.create_element(name).with_attribute(("type", kind));
        let outcome = outcome.with_attribute(("message", message));
        outcome.write_text_content(BytesText::new(message)).map(drop)
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use record::fixtures::{LEVEL, SampleLaunch, paired};
    use record::metric::limit::Limit;
    use record::{EarlyEnd, Run};

    fn rendered(run: &Run) -> String {
        render(&Comparison::of(run).unwrap())
    }

    #[test]
    fn a_regression_and_a_broken_limit_are_failures() {
        let mut run = paired(10, LEVEL, SampleLaunch { cpu_us: 572, ..LEVEL });
        run.scenarios[0].limits = vec![Limit::parse("throughput", ">= 99999 pairs/s").unwrap()];
        insta::assert_snapshot!(rendered(&run), @r#"
    <?xml version="1.0" encoding="UTF-8"?>
    <testsuites name="xmlperf" tests="4" failures="2" errors="0" time="52.000">
      <testsuite name="smoke" tests="4" failures="2" errors="0" skipped="0">
        <properties>
          <property name="cpu.base" value="5.20 µs"/>
          <property name="cpu.head" value="5.72 µs"/>
          <property name="cpu.change" value="+10.0 % [+9.6, +10.3]"/>
          <property name="latency.base" value="1.90 ms"/>
          <property name="latency.head" value="1.90 ms"/>
          <property name="latency.change" value="−0.04 % [−0.34, +0.25]"/>
          <property name="p50.base" value="1.90 ms"/>
          <property name="p50.head" value="1.90 ms"/>
          <property name="p50.change" value="−0.05 % [−0.34, +0.27]"/>
          <property name="p95.base" value="2.07 ms"/>
          <property name="p95.head" value="2.07 ms"/>
          <property name="p95.change" value="−0.05 % [−0.35, +0.25]"/>
          <property name="p99.base" value="2.09 ms"/>
          <property name="p99.head" value="2.08 ms"/>
          <property name="p99.change" value="−0.05 % [−0.35, +0.25]"/>
          <property name="throughput.base" value="52 633 pairs/s"/>
          <property name="throughput.head" value="52 655 pairs/s"/>
          <property name="throughput.change" value="+0.04 % [−0.25, +0.34]"/>
          <property name="rss.base" value="24.0 MiB"/>
          <property name="rss.head" value="24.0 MiB"/>
          <property name="rss.change" value="0.0 % [0.0, 0.0]"/>
        </properties>
        <testcase classname="xmlperf.smoke" name="CPU per XML pair">
          <failure type="regressed" message="5.20 µs → 5.72 µs: +10.0 % [+9.6, +10.3], regressed (tolerance 3 %)">5.20 µs → 5.72 µs: +10.0 % [+9.6, +10.3], regressed (tolerance 3 %)</failure>
        </testcase>
        <testcase classname="xmlperf.smoke" name="latency"/>
        <testcase classname="xmlperf.smoke" name="peak RSS"/>
        <testcase classname="xmlperf.smoke" name="limit throughput &gt;= 99999 pairs/s">
          <failure type="limit" message="throughput 52 653 pairs/s (&gt;= 99999 pairs/s)">throughput 52 653 pairs/s (&gt;= 99999 pairs/s)</failure>
        </testcase>
      </testsuite>
    </testsuites>
    "#);
    }

    #[test]
    fn what_cannot_be_told_is_skipped_and_what_has_no_numbers_an_error() {
        let few = rendered(&paired(5, LEVEL, LEVEL));
        assert!(few.contains("<skipped type=\"inconclusive\""), "{few}");
        let mut run = paired(5, LEVEL, LEVEL);
        run.ended = Some(EarlyEnd::Failed {
            side: record::Side::Head,
            scenario: None,
            reason: "it says <no> & \"never\"".into(),
        });
        let failed = rendered(&run);
        assert!(failed.contains("it says &lt;no&gt; &amp;"), "{failed}");
        assert!(failed.contains("errors=\"1\""), "{failed}");
    }

    /// An element of Jenkins' `junit-10.xsd`: its required attributes, its optional ones, what may stand in it,
    /// and whether words may.
    struct ElementRule {
        required: &'static [&'static str],
        optional: &'static [&'static str],
        children: &'static [&'static str],
        has_words: bool,
    }

    fn rule(name: &str) -> ElementRule {
        let outcome = ElementRule {
            required: &[],
            optional: &["type", "message"],
            children: &[],
            has_words: true,
        };
        match name {
            "testsuites" => ElementRule {
                required: &[],
                optional: &["name", "time", "tests", "failures", "errors"],
                children: &["testsuite"],
                has_words: false,
            },
            "testsuite" => ElementRule {
                required: &["name", "tests", "failures", "errors"],
                optional: &[
                    "group",
                    "time",
                    "skipped",
                    "timestamp",
                    "hostname",
                    "id",
                    "package",
                    "file",
                    "log",
                    "url",
                ],
                children: &["testsuite", "properties", "testcase", "system-out", "system-err"],
                has_words: false,
            },
            "properties" => ElementRule {
                required: &[],
                optional: &[],
                children: &["property"],
                has_words: false,
            },
            "property" => ElementRule {
                required: &["name", "value"],
                optional: &[],
                children: &[],
                has_words: false,
            },
            "testcase" => ElementRule {
                required: &["name"],
                optional: &["time", "classname", "group"],
                children: &["skipped", "error", "failure", "system-out", "system-err"],
                has_words: false,
            },
            "failure" | "error" | "skipped" => outcome,
            other => panic!("there is no element {other}"),
        }
    }

    fn check_element(state: &str, element: roxmltree::Node<'_, '_>) {
        let name = element.tag_name().name();
        let ElementRule { required, optional, children, has_words } = rule(name);
        for attribute in required {
            assert!(element.has_attribute(*attribute), "{state}: {name} has no {attribute}");
        }
        for attribute in element.attributes() {
            let is_known = required.iter().chain(optional).any(|it| *it == attribute.name());
            assert!(is_known, "{state}: {name} has {}", attribute.name());
            if attribute.name() == "time" {
                let digits = attribute.value().chars().filter(|c| *c != '.');
                assert!(digits.into_iter().all(|c| c.is_ascii_digit()), "{state}: {attribute:?}");
            }
        }
        for child in element.children() {
            if child.is_element() {
                assert!(
                    children.contains(&child.tag_name().name()),
                    "{state}: {child:?} in {name}"
                );
                check_element(state, child);
            } else if let Some(words) = child.text() {
                assert!(has_words || words.trim().is_empty(), "{state}: {words:?} in {name}");
            }
        }
    }

    #[test]
    fn every_state_is_valid_by_the_schema_of_jenkins_and_counts_what_it_has() {
        for (state, run) in crate::page_tests::states() {
            let text = rendered(&run);
            let document = roxmltree::Document::parse(&text).unwrap();
            let root = document.root_element();
            assert_eq!(root.tag_name().name(), "testsuites", "{state}");
            check_element(state, root);
            for suite in root.children().filter(roxmltree::Node::is_element).chain([root]) {
                for (attribute, element) in
                    [("tests", "testcase"), ("failures", "failure"), ("errors", "error")]
                {
                    let found = suite.descendants().filter(|it| it.has_tag_name(element)).count();
                    assert_eq!(suite.attribute(attribute), Some(&*found.to_string()), "{state}");
                }
            }
        }
    }

    #[test]
    fn names_of_any_kind_are_attributes_of_a_document_that_can_be_read() {
        let mut run = paired(8, LEVEL, LEVEL);
        "a|b <&\"'> \u{1b}[31m 注文".clone_into(&mut run.scenarios[0].name);
        let text = rendered(&run);
        let mut reader = quick_xml::Reader::from_str(&text);
        while !matches!(reader.read_event().unwrap(), Event::Eof) {}
        assert!(!text.contains('\u{1b}'), "no XML document may hold it");
    }
}
