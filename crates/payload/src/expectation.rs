//! What a right answer says, and what is wrong with one that does not.

use thiserror::Error;

use super::PayloadKind;
use super::answer::JsonCursor;
use super::soap;
use super::template::{ExpectedValue, TemplateError};

/// What a request must be answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseExpectation {
    rule: ExpectationRule,
    verdicts: VerdictBits,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum ExpectationRule {
    /// Status 200, and one result.
    Single,
    /// Status 200, a result for each pair, and counts that fit.
    Batch,
    /// A status that says that all went well.
    Accepted,
    /// An envelope without a fault, and such a status.
    Soap,
    /// Any answer but one that says that the server broke.
    Survival,
    /// What a user wants to see, and a status that says that all went well, if none is wanted.
    Wanted(Vec<ExpectedValue>),
    /// The request could not be made, for this reason.
    Unsendable(String),
}

/// What makes an answer right, for whatever else checks answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnswerRule<'a> {
    /// Status 200, and a JSON object whose `matched` is this.
    Verdict(bool),
    /// Status 200, and a JSON object with `results`, each with a `matched`, in this order; and the counts
    /// `total_comparisons`, which is their number, and `failed_comparisons`, which is 0.
    Verdicts(Vec<bool>),
    /// A status from 200 to 299.
    Success,
    /// Such a status, and a SOAP envelope without a fault.
    Soap,
    /// A status below 500.
    Survival,
    /// These values, and a status from 200 to 299 unless one is among them.
    Values(&'a [ExpectedValue]),
    /// No answer is right, as the request cannot be made, for this reason.
    Unsendable(&'a str),
}

/// One bit an XML pair.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct VerdictBits {
    words: Vec<u64>,
    len: u64,
}

impl VerdictBits {
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    pub(super) fn push(&mut self, verdict: bool) {
        if self.len.is_multiple_of(64) {
            self.words.push(0);
        }
        let last = self.words.last_mut().expect("pushed above");
        *last |= u64::from(verdict) << (self.len % 64);
        self.len += 1;
    }

    fn get(&self, index: u64) -> Option<bool> {
        let word = usize::try_from(index / 64).ok().and_then(|word| self.words.get(word))?;
        (index < self.len).then(|| word >> (index % 64) & 1 == 1)
    }
}

/// Why an answer is wrong. XML pairs count from 1, as people do.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Mismatch {
    /// The status says that the request failed.
    #[error("expected status {expected}, got {got}: `{body}`")]
    Status {
        /// What would be right.
        expected: &'static str,
        /// The status of the answer.
        got: u16,
        /// How its body begins.
        body: String,
    },
    /// The body is not an answer of this contract.
    #[error("expected a comparison's answer, got something else from byte {at} on: `{body}`")]
    Unreadable {
        /// How many bytes could be read.
        at: usize,
        /// What stands there.
        body: String,
    },
    /// The answer is a SOAP fault, whatever its status.
    #[error("got a SOAP fault with status {status}: `{code}`: {reason}")]
    Fault {
        /// The status of the answer.
        status: u16,
        /// The fault's code.
        code: String,
        /// What the fault says.
        reason: String,
    },
    /// The answer is no SOAP envelope.
    #[error("expected a SOAP envelope, got `{body}`")]
    NoEnvelope {
        /// How the body begins.
        body: String,
    },
    /// A value is not what it should be.
    #[error("expected `{expected}` at {place}, got {}", got.as_deref().unwrap_or("nothing"))]
    Value {
        /// Where it stands.
        place: String,
        /// What should stand there.
        expected: String,
        /// What stands there.
        got: Option<String>,
    },
    /// There are more or fewer values than XML pairs.
    #[error("expected {expected} values at {place}, got {got}")]
    Values {
        /// Where they stand.
        place: String,
        /// XML pairs in the request.
        expected: usize,
        /// Values in the answer.
        got: usize,
    },
    /// The request was not the one expected.
    #[error("the request could not be made: {reason}")]
    Unsendable {
        /// Why.
        reason: String,
    },
    /// A number that every answer has is missing.
    #[error("expected `{name}` in the answer, got none")]
    Missing {
        /// The name of the member.
        name: &'static str,
    },
    /// There are more or fewer results than XML pairs.
    #[error("expected {expected} results, got {got}")]
    Results {
        /// XML pairs in the request.
        expected: u64,
        /// Results in the answer.
        got: u64,
    },
    /// A count is not what it should be.
    #[error("expected `{name}` {expected}, got {got}")]
    Count {
        /// The name of the member.
        name: &'static str,
        /// What it should be.
        expected: u64,
        /// What it is.
        got: u64,
    },
    /// A result does not say whether its pair matched.
    #[error("XML pair {number} of {of}: expected `matched` {expected}, got none")]
    NoVerdict {
        /// The pair, from 1.
        number: u64,
        /// Pairs in the request.
        of: u64,
        /// What a right answer says.
        expected: bool,
    },
    /// A pair was judged wrongly.
    #[error("XML pair {number} of {of}: expected `matched` {expected}, got {}", !expected)]
    Verdict {
        /// The pair, from 1.
        number: u64,
        /// Pairs in the request.
        of: u64,
        /// What a right answer says.
        expected: bool,
    },
}

impl ResponseExpectation {
    /// Returns what the answer must be, for a person.
    pub fn describe(&self) -> String {
        match &self.rule {
            ExpectationRule::Single => "status 200, and whether the pair is equal".to_owned(),
            ExpectationRule::Batch => {
                format!("status 200, and {} results that are true", self.pairs())
            }
            ExpectationRule::Accepted => "a status from 200 to 299".to_owned(),
            ExpectationRule::Soap => {
                "a status from 200 to 299, and an envelope without a fault".to_owned()
            }
            ExpectationRule::Survival => "any status below 500".to_owned(),
            ExpectationRule::Wanted(values) => {
                let value = |it: &ExpectedValue| {
                    let first = it.values().first().map_or("", String::as_str);
                    let more = it.values().len().saturating_sub(1);
                    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                    format!("`{first}`{more} at {}", it.place())
                };
                let status = (!values.iter().any(ExpectedValue::is_status))
                    .then(|| "a status from 200 to 299".to_owned());
                status.into_iter().chain(values.iter().map(value)).collect::<Vec<_>>().join(", ")
            }
            ExpectationRule::Unsendable(reason) => format!("nothing: {reason}"),
        }
    }

    /// Returns what makes an answer right.
    pub fn rule(&self) -> AnswerRule<'_> {
        let verdicts = (0..self.pairs()).filter_map(|index| self.verdicts.get(index));
        match &self.rule {
            ExpectationRule::Single => {
                AnswerRule::Verdict(self.verdicts.get(0).unwrap_or_default())
            }
            ExpectationRule::Batch => AnswerRule::Verdicts(verdicts.collect()),
            ExpectationRule::Accepted => AnswerRule::Success,
            ExpectationRule::Soap => AnswerRule::Soap,
            ExpectationRule::Survival => AnswerRule::Survival,
            ExpectationRule::Wanted(values) => AnswerRule::Values(values),
            ExpectationRule::Unsendable(reason) => AnswerRule::Unsendable(reason),
        }
    }

    pub(super) fn of(kind: PayloadKind, verdicts: VerdictBits) -> Self {
        let rule = match kind {
            PayloadKind::XmlCompare => ExpectationRule::Single,
            PayloadKind::XmlCompareBatch => ExpectationRule::Batch,
            PayloadKind::RawXml => ExpectationRule::Accepted,
            PayloadKind::Soap11 | PayloadKind::Soap12 => ExpectationRule::Soap,
            PayloadKind::Template => ExpectationRule::Unsendable("there is no template".to_owned()),
        };
        Self { rule, verdicts }
    }

    /// Expects what a user wants to see, if there is a request.
    pub(super) fn wanted(
        wanted: Result<Vec<ExpectedValue>, TemplateError>,
        verdicts: VerdictBits,
    ) -> Self {
        Self {
            rule: wanted.map_or_else(
                |error| ExpectationRule::Unsendable(error.to_string()),
                ExpectationRule::Wanted,
            ),
            verdicts,
        }
    }

    /// Expects that the server answers, and says of itself no more than that it refuses.
    pub(super) fn survival(verdicts: VerdictBits) -> Self {
        Self { rule: ExpectationRule::Survival, verdicts }
    }

    /// Returns how many XML pairs the request carries.
    pub fn pairs(&self) -> u64 {
        self.verdicts.len()
    }

    /// Checks a whole answer: the status, the number of results and what it says of it, and each
    /// verdict. The first thing that is wrong is returned.
    ///
    /// Reads more than a gigabyte of comparisons a second, as it runs on the core that makes the
    /// load. Text that is not quite JSON may pass, where every verdict can be read in it.
    pub fn check(&self, status: u16, body: &[u8]) -> Result<(), Mismatch> {
        let refused = |expected| Mismatch::Status { expected, got: status, body: beginning(body) };
        let is_fine = (200..300).contains(&status);
        match &self.rule {
            ExpectationRule::Single | ExpectationRule::Batch if status != 200 => {
                Err(refused("200"))
            }
            ExpectationRule::Single | ExpectationRule::Batch => self.check_results(body),
            ExpectationRule::Accepted if !is_fine => Err(refused("200 to 299")),
            ExpectationRule::Survival if status >= 500 => Err(refused("below 500")),
            ExpectationRule::Accepted | ExpectationRule::Survival => Ok(()),
            ExpectationRule::Soap => match soap::read(body) {
                soap::SoapResponse::Fault { code, reason } => {
                    Err(Mismatch::Fault { status, code, reason })
                }
                _ if !is_fine => Err(refused("200 to 299")),
                soap::SoapResponse::Envelope => Ok(()),
                soap::SoapResponse::Other => Err(Mismatch::NoEnvelope { body: beginning(body) }),
            },
            ExpectationRule::Wanted(wanted)
                if !is_fine && !wanted.iter().any(ExpectedValue::is_status) =>
            {
                Err(refused("200 to 299"))
            }
            ExpectationRule::Wanted(wanted) => {
                wanted.iter().try_for_each(|wanted| check_wanted(wanted, status, body))
            }
            ExpectationRule::Unsendable(reason) => {
                Err(Mismatch::Unsendable { reason: reason.clone() })
            }
        }
    }

    fn check_results(&self, body: &[u8]) -> Result<(), Mismatch> {
        let mut reader = JsonCursor::new(body);
        let mut seen = ResponseContent::default();
        let is_batch = self.rule == ExpectationRule::Batch;
        let read = if is_batch {
            self.read_batch(&mut reader, &mut seen)
        } else {
            self.read_result(&mut reader, &mut seen)
        };
        if read.and_then(|()| reader.end()).is_none() {
            let at = reader.offset().min(body.len());
            return Err(Mismatch::Unreadable { at, body: beginning(&body[at..]) });
        }
        if is_batch {
            self.judge_counts(&seen)?;
        }
        seen.wrong.map_or(Ok(()), Err)
    }

    fn read_batch(&self, reader: &mut JsonCursor<'_>, seen: &mut ResponseContent) -> Option<()> {
        reader.object(|reader, key| match key {
            b"results" => {
                (seen.results, seen.wrong) = (Some(0), None);
                reader.array(|reader| self.read_result(reader, seen))
            }
            b"total_comparisons" => reader.count().map(|count| seen.total = Some(count)),
            b"failed_comparisons" => reader.count().map(|count| seen.failed = Some(count)),
            _ => reader.skip(),
        })
    }

    /// Reads one result, and notes the first that is wrong.
    fn read_result(&self, reader: &mut JsonCursor<'_>, seen: &mut ResponseContent) -> Option<()> {
        let mut matched = None;
        reader.object(|reader, key| match key {
            b"matched" => reader.boolean().map(|verdict| matched = Some(verdict)),
            _ => reader.skip(),
        })?;
        let index = seen.results.unwrap_or(0);
        seen.results = Some(index + 1);
        let (number, of) = (index + 1, self.pairs());
        let wrong = match (self.verdicts.get(index), matched) {
            (Some(expected), None) => Some(Mismatch::NoVerdict { number, of, expected }),
            (Some(expected), Some(got)) if got != expected => {
                Some(Mismatch::Verdict { number, of, expected })
            }
            (None | Some(_), _) => None,
        };
        if seen.wrong.is_none() {
            seen.wrong = wrong;
        }
        Some(())
    }

    fn judge_counts(&self, seen: &ResponseContent) -> Result<(), Mismatch> {
        let expected = self.pairs();
        match seen.results {
            None => return Err(Mismatch::Missing { name: "results" }),
            Some(got) if got != expected => return Err(Mismatch::Results { expected, got }),
            Some(_) => {}
        }
        for (name, expected, got) in
            [("total_comparisons", expected, seen.total), ("failed_comparisons", 0, seen.failed)]
        {
            match got {
                None => return Err(Mismatch::Missing { name }),
                Some(got) if got != expected => {
                    return Err(Mismatch::Count { name, expected, got });
                }
                Some(_) => {}
            }
        }
        Ok(())
    }
}

fn check_wanted(wanted: &ExpectedValue, status: u16, body: &[u8]) -> Result<(), Mismatch> {
    let (place, expected) = (wanted.place().to_owned(), wanted.values());
    let mut got = wanted.find(status, body);
    if expected.len() != 1 && got.len() != expected.len() {
        return Err(Mismatch::Values { place, expected: expected.len(), got: got.len() });
    }
    for (index, expected) in expected.iter().enumerate() {
        if got.get(index) != Some(expected) {
            let place = match wanted.values().len() {
                1 => place,
                of => format!("value {} of {of} of {place}", index + 1),
            };
            let got = (index < got.len()).then(|| got.swap_remove(index));
            return Err(Mismatch::Value { place, expected: expected.clone(), got });
        }
    }
    Ok(())
}

/// What an answer says.
#[derive(Debug, Default)]
struct ResponseContent {
    results: Option<u64>,
    total: Option<u64>,
    failed: Option<u64>,
    wrong: Option<Mismatch>,
}

/// Returns the beginning of a body, for a person to recognise it by.
pub(super) fn beginning(body: &[u8]) -> String {
    const BYTES_MAX: usize = 120;
    let text = String::from_utf8_lossy(&body[..body.len().min(BYTES_MAX)]);
    let rest = if body.len() > BYTES_MAX { "…" } else { "" };
    text.trim_end().chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>() + rest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn expected(kind: PayloadKind, verdicts: &[bool]) -> ResponseExpectation {
        let mut bits = VerdictBits::default();
        for verdict in verdicts {
            bits.push(*verdict);
        }
        ResponseExpectation::of(kind, bits)
    }

    fn batch(verdicts: &[bool]) -> ResponseExpectation {
        expected(PayloadKind::XmlCompareBatch, verdicts)
    }

    fn result(matched: bool) -> Value {
        json!({"matched": matched, "match_ratio": 0.5, "diffs": [], "total_elements": 2, "matched_elements": 1})
    }

    fn answer(verdicts: &[bool]) -> Value {
        let results: Vec<_> = verdicts.iter().map(|matched| result(*matched)).collect();
        json!({
            "results": results, "total_comparisons": verdicts.len(),
            "successful_comparisons": verdicts.len(), "failed_comparisons": 0,
        })
    }

    #[test]
    fn an_answer_that_is_wrong_is_refused_with_the_place() {
        let rule = batch(&[true, false, true]);
        let check = |status, body: &str| match rule.check(status, body.as_bytes()) {
            Ok(()) => "right".to_owned(),
            Err(mismatch) => mismatch.to_string(),
        };
        let mut failed = answer(&[true, false, true]);
        failed["failed_comparisons"] = 1.into();
        let mut total = answer(&[true, false, true]);
        total["total_comparisons"] = 4.into();
        let mut silent = answer(&[true, false, true]);
        silent["results"][2] = json!({"diffs": [{"message": "\"matched\":true"}]});
        let said = [
            check(200, &answer(&[true, false, true]).to_string()),
            check(500, "thread panicked\nat line 1"),
            check(200, &answer(&[true, true, true]).to_string()),
            check(200, &answer(&[true, false]).to_string()),
            check(200, &answer(&[true, false, true, true]).to_string()),
            check(200, &failed.to_string()),
            check(200, &total.to_string()),
            check(200, &silent.to_string()),
            check(200, "{\"results\": []"),
            check(200, "<html>"),
            check(200, "{}"),
            check(200, &(answer(&[true, false, true]).to_string() + "}")),
        ];
        insta::assert_snapshot!(said.join("\n"), @r"
        right
        expected status 200, got 500: `thread panicked at line 1`
        XML pair 2 of 3: expected `matched` false, got true
        expected 3 results, got 2
        expected 3 results, got 4
        expected `failed_comparisons` 0, got 1
        expected `total_comparisons` 3, got 4
        XML pair 3 of 3: expected `matched` true, got none
        expected a comparison's answer, got something else from byte 14 on: ``
        expected a comparison's answer, got something else from byte 0 on: `<html>`
        expected `results` in the answer, got none
        expected a comparison's answer, got something else from byte 344 on: `}`
        ");
    }

    #[test]
    fn a_single_answer_has_one_verdict() {
        let rule = expected(PayloadKind::XmlCompare, &[false]);
        assert_eq!(rule.check(200, result(false).to_string().as_bytes()), Ok(()));
        let wrong = rule.check(200, result(true).to_string().as_bytes()).unwrap_err();
        insta::assert_snapshot!(wrong, @"XML pair 1 of 1: expected `matched` false, got true");
        assert!(rule.check(200, answer(&[false]).to_string().as_bytes()).is_err());
    }

    /// JSON with every trap: nesting, keys that look right in the wrong place, quotes in strings.
    fn value() -> impl Strategy<Value = Value> {
        let text = prop_oneof![
            Just("\"matched\":true".to_owned()),
            Just("\\\"matched\":false,\\".to_owned()),
            Just("}]\"".to_owned()),
            ".{0,12}",
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            text.prop_map(Value::from),
        ];
        let key = prop_oneof![Just("matched".to_owned()), Just("results".to_owned()), ".{0,4}"];
        leaf.prop_recursive(3, 24, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(key.clone(), inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    /// An answer to three pairs, right, wrong or misshapen, its members in any order.
    fn answers() -> impl Strategy<Value = Value> {
        let member = prop_oneof![8 => any::<bool>().prop_map(Value::from), 1 => value()];
        let result = (member, value(), value()).prop_map(
            |(matched, diffs, first)| json!({"matched": matched, "diffs": diffs, "a": first}),
        );
        let counts = prop_oneof![8 => Just(3), 1 => 0..9];
        (prop::collection::vec(result, 2..5), counts.clone(), value(), value()).prop_map(
            |(results, total, first, last)| {
                json!({"a": first, "results": results, "total_comparisons": total, "failed_comparisons": 0, "z": last})
            },
        )
    }

    proptest! {
        #[test]
        fn the_check_agrees_with_a_whole_parser(
            answer in answers(),
            truth in prop::array::uniform3(any::<bool>()),
            pretty: bool,
        ) {
            let results = answer["results"].as_array().unwrap();
            let right = results.len() == 3
                && answer["total_comparisons"] == 3
                && results.iter().zip(truth).all(|(r, truth)| r["matched"] == truth);
            let text = if pretty {
                serde_json::to_string_pretty(&answer).unwrap()
            } else {
                answer.to_string()
            };
            prop_assert_eq!(batch(&truth).check(200, text.as_bytes()).is_ok(), right, "{}", text);
        }

        #[test]
        fn what_is_cut_off_is_refused_and_garbage_does_no_harm(
            answer in answers(), at: prop::sample::Index, garbage: Vec<u8>, place: prop::sample::Index,
        ) {
            let rule = batch(&[true; 3]);
            let text = answer.to_string();
            prop_assert!(rule.check(200, &text.as_bytes()[..at.index(text.len())]).is_err());
            let mut bytes = text.into_bytes();
            let place = place.index(bytes.len());
            bytes.splice(place..place, garbage.iter().copied());
            let _ = rule.check(200, &bytes);
            let _ = rule.check(200, &garbage);
        }
    }
}
