//! The keys of one document: values that are there once, and those that refer to them.

use super::construct::SchemaConstruct;
use super::identity::ID_CONSTRAINT;
use super::values::{NumberedForm, ValuePool, ValueRole};
use crate::draws::PairRng;

/// Numbers that are tried for a value that is not there yet.
const TRIES_MAX: usize = 1_000;

/// A value of a constraint.
#[derive(Debug, Clone)]
struct KeyValue {
    constraint: usize,
    value: String,
    /// The depth of the element that has the key. Within it nothing refers to it: readers know a key only when
    /// its element has ended.
    depth: usize,
    is_closed: bool,
}

/// The keys of a document so far.
#[derive(Debug)]
pub(super) struct KeyValues {
    written: Vec<KeyValue>,
    /// Where the values of each constraint begin that count for the element which declares it.
    scopes: Vec<usize>,
    /// How many levels below its element a value of each constraint stands.
    levels: Vec<usize>,
    /// Whether a reference to the first identity was written before it.
    is_ahead: bool,
    may_refer: bool,
}

impl KeyValues {
    /// `levels` has, of each constraint, how many levels below its element a value stands.
    pub(super) fn new(levels: &[usize]) -> Self {
        let (scopes, levels) = (vec![0; levels.len()], levels.to_vec());
        Self { written: Vec::new(), scopes, levels, is_ahead: false, may_refer: true }
    }

    pub(super) fn len(&self) -> usize {
        self.written.len()
    }

    /// Ends an element at a depth, whose keys are those from a number on.
    pub(super) fn close(&mut self, first: usize, depth: usize) {
        for value in self.written.iter_mut().skip(first) {
            value.is_closed |= value.depth >= depth;
        }
    }

    pub(super) fn forbid_references(&mut self) {
        self.may_refer = false;
    }

    /// Returns what [`go_back`](Self::go_back) takes.
    pub(super) fn mark(&self) -> (usize, bool) {
        (self.written.len(), self.is_ahead)
    }

    pub(super) fn go_back(&mut self, (length, is_ahead): (usize, bool)) {
        self.written.truncate(length);
        self.is_ahead = is_ahead;
    }

    /// Begins an element that declares constraints. Returns what [`leave`](Self::leave) takes.
    pub(super) fn enter(&mut self, constraints: &[usize]) -> Vec<usize> {
        let outer = constraints.iter().map(|it| self.scopes[*it]).collect();
        for constraint in constraints {
            self.scopes[*constraint] = self.written.len();
        }
        outer
    }

    /// Ends the element. Its keys are not those of elements beside it.
    pub(super) fn leave(&mut self, constraints: &[usize], outer: Vec<usize>) {
        for (constraint, start) in constraints.iter().zip(outer) {
            let end = self.scopes[*constraint].min(self.written.len());
            for value in &mut self.written[end..] {
                if value.constraint == *constraint {
                    value.constraint = usize::MAX;
                }
            }
            self.scopes[*constraint] = start;
        }
    }

    pub(super) fn is_without(&self, constraint: usize) -> bool {
        self.of(constraint).next().is_none()
    }

    fn of(&self, constraint: usize) -> impl Iterator<Item = &KeyValue> {
        let start = self.scopes[constraint].min(self.written.len());
        self.written[start..].iter().filter(move |it| it.constraint == constraint)
    }

    /// Returns a value that is there, of a constraint.
    pub(super) fn known(
        &self,
        constraint: usize,
        draws: &mut PairRng,
    ) -> Result<String, SchemaConstruct> {
        let closed =
            || self.of(constraint).filter(|it| it.is_closed || constraint == ID_CONSTRAINT);
        let count = closed().count();
        if count == 0 || !self.may_refer {
            return Err(SchemaConstruct::References);
        }
        let value = closed().nth(draws.index(count));
        value.map(|it| it.value.clone()).ok_or(SchemaConstruct::References)
    }

    /// Returns an identity that is there, or the first one that will be.
    pub(super) fn identity(&mut self, draws: &mut PairRng) -> Result<String, SchemaConstruct> {
        if self.is_without(ID_CONSTRAINT) && self.may_refer {
            self.is_ahead = true;
            return Ok("id1".to_owned());
        }
        self.known(ID_CONSTRAINT, draws)
    }

    /// Whether all that is referred to is there.
    pub(super) fn check(&self) -> Result<(), SchemaConstruct> {
        let is_there = !self.is_ahead || self.of(ID_CONSTRAINT).any(|it| it.value == "id1");
        if is_there { Ok(()) } else { Err(SchemaConstruct::References) }
    }

    /// Returns a value of a pool that no constraint has yet, for an element of which `depth` are open.
    pub(super) fn new_value(
        &mut self,
        pool: &ValuePool,
        constraints: &[usize],
        depth: usize,
    ) -> Result<String, SchemaConstruct> {
        let taken = constraints.iter().map(|it| self.of(*it).count()).max().unwrap_or(0);
        let is_new = |value: &str| {
            constraints.iter().all(|constraint| self.of(*constraint).all(|it| it.value != value))
        };
        let numbered = (taken..taken + TRIES_MAX).map_while(|number| numbered(pool, number + 1));
        let mut made = numbered.chain(pool.values.iter().cloned());
        let value = made.find(|value| is_new(value)).ok_or(SchemaConstruct::Keys)?;
        for constraint in constraints {
            let depth = depth.saturating_sub(1 + self.levels[*constraint]);
            let (constraint, value) = (*constraint, value.clone());
            self.written.push(KeyValue { constraint, value, depth, is_closed: false });
        }
        Ok(value)
    }
}

/// The value of a number, from 1 on, if there is one.
fn numbered(pool: &ValuePool, number: usize) -> Option<String> {
    match pool.numbered {
        NumberedForm::Pooled => None,
        NumberedForm::Whole { least, most } => {
            let value = i128::try_from(number).ok()?.checked_add(least)? - 1;
            (value <= most).then(|| value.to_string())
        }
        NumberedForm::Text { least, most } => {
            let letters = if pool.role == ValueRole::Identity { "id" } else { "k" };
            let letters = if most <= 4 { "k" } else { letters };
            let width = least.saturating_sub(letters.len());
            let text = format!("{letters}{number:0>width$}");
            (text.len() <= most).then_some(text)
        }
    }
}
