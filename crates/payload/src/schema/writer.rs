//! Writes documents of a grammar.

use super::construct::SchemaConstruct;
use super::grammar::{
    AttributePlan, ContentPlan, DocumentGrammar, ElementId, KeyUse, ParticleId, PoolId, TermPlan,
    TypeId,
};
use super::identity::ID_CONSTRAINT;
use super::key_values::KeyValues;
use super::values::ValueRole;
use crate::draws::PairRng;
use crate::vocabulary;

/// Elements within elements.
const DEPTH_MAX: usize = 120;
/// Elements within elements as long as those are written that may be left out.
const OPTIONAL_DEPTH_MAX: usize = 12;
/// Bytes of a document, at most.
const BYTES_MAX: usize = 1 << 20;
/// Bytes as long as elements are written that may be left out, of a plain document.
const PLAIN_BYTES_MAX: usize = 32 << 10;
/// Steps of one document: what ends nowhere costs them without a byte.
const STEPS_MAX: usize = 200_000;
/// Repetitions beyond those that must be, of one that knows no end.
const REPEATS_MAX: u32 = 6;

/// How documents are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DocumentStyle {
    /// The plainest one: the first branch of each choice, each optional element once.
    Plain,
    /// Drawn, with what may be left out as long as it has fewer bytes.
    Drawn { bytes: usize },
}

/// What cannot be written as it was begun. What may be left out then is.
pub(super) type WriteOutcome = Result<(), SchemaConstruct>;

/// Writes one document.
pub(super) struct DocumentWriter<'g> {
    grammar: &'g DocumentGrammar,
    style: DocumentStyle,
    draws: PairRng,
    out: Vec<u8>,
    /// Whether each namespace has to be declared.
    used: Vec<bool>,
    depth: usize,
    /// Types that the current element stands in.
    open: Vec<TypeId>,
    /// Whether text may stand before the next element.
    is_mixed: bool,
    keys: KeyValues,
    steps: usize,
}

/// What a writer goes back to.
struct WriterMark {
    length: usize,
    opened: usize,
    depth: usize,
    is_mixed: bool,
    keys: (usize, bool),
}

impl<'g> DocumentWriter<'g> {
    pub(super) fn new(grammar: &'g DocumentGrammar, style: DocumentStyle, draws: PairRng) -> Self {
        Self {
            grammar,
            style,
            draws,
            out: Vec::new(),
            used: vec![false; grammar.namespaces.len()],
            depth: 0,
            open: Vec::new(),
            is_mixed: false,
            keys: KeyValues::new(&grammar.constraints),
            steps: 0,
        }
    }

    /// Has no value refer to another one, where it can be left out.
    pub(super) fn without_references(mut self) -> Self {
        self.keys.forbid_references();
        self
    }

    /// Appends a document whose root is an element.
    pub(super) fn document(mut self, root: ElementId, out: &mut Vec<u8>) -> WriteOutcome {
        self.write_element(root)?;
        self.keys.check()?;
        // The prefixes are declared on the first element, once all are known.
        let name_end = 1 + self.grammar.elements[root.0].tag.len();
        out.extend_from_slice(&self.out[..name_end]);
        for index in (0..self.used.len()).filter(|index| self.used[*index]) {
            let (prefix, uri) = self.grammar.namespaces.at(index);
            out.extend_from_slice(b" xmlns:");
            out.extend_from_slice(prefix.as_bytes());
            out.extend_from_slice(b"=\"");
            out.extend_from_slice(quick_xml::escape::escape(uri).as_bytes());
            out.push(b'"');
        }
        out.extend_from_slice(&self.out[name_end..]);
        Ok(())
    }

    fn is_drawn(&self) -> bool {
        match self.style {
            DocumentStyle::Plain => false,
            DocumentStyle::Drawn { .. } => true,
        }
    }

    /// Whether there is room for what may be left out.
    fn has_room(&self) -> bool {
        let bytes = match self.style {
            DocumentStyle::Plain => PLAIN_BYTES_MAX,
            DocumentStyle::Drawn { bytes } => bytes,
        };
        self.depth < OPTIONAL_DEPTH_MAX && self.out.len() < bytes
    }

    fn mark(&self) -> WriterMark {
        WriterMark {
            length: self.out.len(),
            opened: self.open.len(),
            depth: self.depth,
            is_mixed: self.is_mixed,
            keys: self.keys.mark(),
        }
    }

    fn go_back(&mut self, mark: &WriterMark) {
        self.out.truncate(mark.length);
        self.open.truncate(mark.opened);
        self.depth = mark.depth;
        self.is_mixed = mark.is_mixed;
        self.keys.go_back(mark.keys);
    }

    /// Counts a step of a document that must end.
    fn step(&mut self) -> WriteOutcome {
        self.steps += 1;
        if self.depth > DEPTH_MAX {
            return Err(SchemaConstruct::Size("120 levels"));
        }
        if self.steps > STEPS_MAX || self.out.len() > BYTES_MAX {
            return Err(SchemaConstruct::Size("1 MiB"));
        }
        Ok(())
    }

    fn use_namespace(&mut self, namespace: Option<usize>) {
        if let Some(index) = namespace {
            self.used[index] = true;
        }
    }

    fn push(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn write_element(&mut self, id: ElementId) -> WriteOutcome {
        self.step()?;
        let grammar = self.grammar;
        let element = &grammar.elements[id.0];
        if let Some(refused) = &element.refused {
            return Err(refused.clone());
        }
        self.write_words();
        self.out.push(b'<');
        self.push(&element.tag);
        self.use_namespace(element.namespace);
        let of = self.write_type_name(id)?;
        let (scope, first_key) = (self.keys.enter(&element.holds), self.keys.len());
        let (depth, is_mixed) = (self.depth, self.is_mixed);
        self.depth += 1;
        self.open.push(of);
        let written = self.write_content(id, of);
        // On the way out only: after a failure the writer goes back to its mark.
        if written.is_ok() {
            self.open.pop();
            self.depth = depth;
            self.is_mixed = is_mixed;
            self.keys.close(first_key, depth);
        }
        self.keys.leave(&element.holds, scope);
        written
    }

    /// Writes `xsi:type` where an element needs it. Returns the type.
    fn write_type_name(&mut self, id: ElementId) -> Result<TypeId, SchemaConstruct> {
        let grammar = self.grammar;
        let element = &grammar.elements[id.0];
        let can_be = |of: &TypeId| grammar.types[of.0].cost < u64::MAX;
        if can_be(&element.of) {
            return Ok(element.of);
        }
        let makeable: Vec<_> = element.variants.iter().filter(|it| can_be(&it.of)).collect();
        let variant = match makeable.as_slice() {
            [] => {
                let refused = grammar.types[element.of.0].refused.clone();
                return Err(refused.unwrap_or(SchemaConstruct::Endless));
            }
            some if self.is_drawn() && self.has_room() => self.draws.pick(some),
            some => some.iter().min_by_key(|it| grammar.types[it.of.0].cost).unwrap_or(&some[0]),
        };
        self.push(&variant.attribute);
        for namespace in variant.namespaces {
            self.use_namespace(namespace);
        }
        Ok(variant.of)
    }

    /// Writes the rest of an element, from its attributes on.
    fn write_content(&mut self, id: ElementId, of: TypeId) -> WriteOutcome {
        let grammar = self.grammar;
        let (element, plan) = (&grammar.elements[id.0], &grammar.types[of.0]);
        let none = KeyUse::default();
        for (index, attribute) in plan.attributes.iter().enumerate() {
            let keys = element.attribute_keys.iter().find(|it| it.of == of && it.index == index);
            self.write_attribute(attribute, keys.map_or(&none, |it| &it.keys))?;
        }
        let may_be_nil = element.is_nillable && element.value.is_none() && self.is_drawn();
        if may_be_nil && element.keys.keys.is_empty() && self.draws.once_in(8) {
            self.use_namespace(grammar.instance);
            self.push(" xsi:nil=\"true\"/>");
            return Ok(());
        }
        self.out.push(b'>');
        let start = self.out.len();
        let fixed = element.value.as_ref().filter(|it| it.is_fixed || !self.is_drawn());
        self.is_mixed = false;
        match (plan.content, fixed) {
            (ContentPlan::Empty, _) | (ContentPlan::Anything, None) => {}
            (ContentPlan::Text(_) | ContentPlan::Anything, Some(value)) => self.push(&value.text),
            // A fixed text between elements allows none of them.
            (ContentPlan::Elements { particle, .. }, Some(value))
                if grammar.particles[particle.0].cost == 0 =>
            {
                self.push(&value.text);
            }
            (ContentPlan::Text(pool), None) => self.write_value(pool, &element.keys)?,
            (ContentPlan::Elements { particle, is_mixed }, _) => {
                self.is_mixed = is_mixed && self.is_drawn();
                self.write_particle(particle)?;
                self.write_words();
            }
        }
        if self.out.len() == start {
            self.out.pop();
            self.push("/>");
        } else {
            self.push("</");
            self.push(&element.tag);
            self.out.push(b'>');
        }
        Ok(())
    }

    /// Writes text between elements, where it may stand.
    fn write_words(&mut self) {
        if self.is_mixed && self.has_room() && self.draws.once_in(2) {
            let count = self.draws.between(1, 6);
            vocabulary::words(&mut self.out, count, &mut self.draws);
        }
    }

    fn write_attribute(&mut self, attribute: &'g AttributePlan, keys: &KeyUse) -> WriteOutcome {
        if !attribute.is_required {
            let is_first_id = attribute.pool.is_some_and(|pool| {
                let role = self.grammar.pools[pool.0].role;
                role == ValueRole::Identity && self.keys.is_without(ID_CONSTRAINT)
            });
            // The first identity is always there, for others to refer to.
            let is_wanted = is_first_id || self.has_room() && self.draws.once_in(2);
            if !self.is_drawn() || !is_wanted {
                return Ok(());
            }
        }
        let mark = self.mark();
        self.push(&attribute.start);
        self.use_namespace(attribute.namespace);
        let written = match (&attribute.value, attribute.pool) {
            (Some(value), _) if value.is_fixed || !self.is_drawn() => {
                self.push(&value.text);
                Ok(())
            }
            (_, Some(pool)) => self.write_value(pool, keys),
            (_, None) => Ok(()),
        };
        match written {
            Ok(()) => {
                self.out.push(b'"');
                Ok(())
            }
            Err(_) if !attribute.is_required => {
                self.go_back(&mark);
                Ok(())
            }
            Err(construct) => Err(construct),
        }
    }

    fn write_value(&mut self, pool: PoolId, keys: &KeyUse) -> WriteOutcome {
        let grammar = self.grammar;
        let pool = &grammar.pools[pool.0];
        for namespace in &pool.namespaces {
            self.used[*namespace] = true;
        }
        if let Some(constraint) = keys.references.first() {
            let value = self.keys.known(*constraint, &mut self.draws)?;
            self.out.extend_from_slice(value.as_bytes());
            return Ok(());
        }
        match pool.role {
            ValueRole::Reference => {
                let value = self.keys.identity(&mut self.draws)?;
                self.out.extend_from_slice(value.as_bytes());
            }
            ValueRole::Identity => {
                let all = [&[ID_CONSTRAINT][..], &keys.keys[..]].concat();
                let value = self.keys.new_value(pool, &all, self.depth)?;
                self.out.extend_from_slice(value.as_bytes());
            }
            ValueRole::Plain if !keys.keys.is_empty() => {
                let value = self.keys.new_value(pool, &keys.keys, self.depth)?;
                self.out.extend_from_slice(value.as_bytes());
            }
            ValueRole::Plain => {
                let value = match self.style {
                    DocumentStyle::Plain => &pool.values[0],
                    DocumentStyle::Drawn { .. } => self.draws.pick(&pool.values),
                };
                self.out.extend_from_slice(value.as_bytes());
            }
        }
        Ok(())
    }

    fn write_particle(&mut self, id: ParticleId) -> WriteOutcome {
        let grammar = self.grammar;
        let particle = &grammar.particles[id.0];
        if particle.max == Some(0) {
            return Ok(());
        }
        for _ in 0..particle.min {
            self.step()?;
            self.write_term(&particle.term)?;
        }
        for _ in 0..self.extra(id) {
            if !self.has_room() {
                break;
            }
            // It may be left out, and is where it cannot be ended.
            let mark = self.mark();
            if self.write_term(&particle.term).is_err() {
                self.go_back(&mark);
                break;
            }
        }
        Ok(())
    }

    /// How often something stands beyond what must be.
    fn extra(&mut self, id: ParticleId) -> u32 {
        let particle = &self.grammar.particles[id.0];
        if !self.has_room() {
            return 0;
        }
        let most = particle.max.map_or(REPEATS_MAX, |max| max.saturating_sub(particle.min));
        match self.style {
            DocumentStyle::Plain => {
                u32::from(particle.min == 0 && !self.leads_back(&particle.term))
            }
            DocumentStyle::Drawn { .. } => {
                let mut count = 0;
                while count < most.min(REPEATS_MAX) && self.draws.once_in(2) {
                    count += 1;
                }
                count
            }
        }
    }

    /// Whether a term is an element of a type that the document is within.
    fn leads_back(&self, term: &TermPlan) -> bool {
        match term {
            TermPlan::Element(element) => self.open.contains(&self.grammar.elements[element.0].of),
            TermPlan::Sequence(_)
            | TermPlan::Choice(..)
            | TermPlan::All(_)
            | TermPlan::Foreign(_)
            | TermPlan::Refused(_) => false,
        }
    }

    fn write_term(&mut self, term: &'g TermPlan) -> WriteOutcome {
        match term {
            TermPlan::Element(element) => self.write_element(*element),
            TermPlan::Sequence(inner) => inner.iter().try_for_each(|it| self.write_particle(*it)),
            TermPlan::All(inner) if self.is_drawn() => {
                let mut order = inner.clone();
                for last in (1..order.len()).rev() {
                    let other = self.draws.index(last + 1);
                    order.swap(last, other);
                }
                order.into_iter().try_for_each(|it| self.write_particle(it))
            }
            TermPlan::All(inner) => inner.iter().try_for_each(|it| self.write_particle(*it)),
            TermPlan::Choice(choices, least) => self.write_choice(choices, *least),
            TermPlan::Foreign(text) => {
                self.step()?;
                self.push(text);
                Ok(())
            }
            TermPlan::Refused(construct) => Err(construct.clone()),
        }
    }

    /// Writes a branch that can be: one that is drawn, the first one that does not lead back, or the smallest.
    fn write_choice(&mut self, choices: &'g [ParticleId], least: usize) -> WriteOutcome {
        let grammar = self.grammar;
        let first = if !self.has_room() {
            least
        } else if self.is_drawn() {
            self.draws.index(choices.len())
        } else {
            let on = |it: &ParticleId| !self.leads_back(&grammar.particles[it.0].term);
            choices.iter().position(on).unwrap_or(least)
        };
        let mut refused = SchemaConstruct::Endless;
        let others = (first + 1..choices.len()).chain(0..first);
        for at in std::iter::once(first).chain(others) {
            let mark = self.mark();
            self.step()?;
            match self.write_particle(choices[at]) {
                Ok(()) => return Ok(()),
                Err(construct) => {
                    self.go_back(&mark);
                    refused = construct;
                }
            }
        }
        Err(refused)
    }
}
