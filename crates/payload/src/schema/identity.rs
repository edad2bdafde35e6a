//! Finds which values of a grammar are keys, and which refer to keys.

use std::collections::{BTreeMap, HashSet};

use super::construct::SchemaConstruct;
use super::grammar::{
    AttributeKeys, ContentPlan, DocumentGrammar, ElementId, KeyUse, ParticleId, TermPlan, TypeId,
};
use super::model::{ElementDeclaration, IdentityConstraint, IdentityRule, NamePath, QualifiedName};
use super::values::{NumberedForm, ValueRole};

/// The constraint that all values of `xs:ID` are keys of.
pub(super) const ID_CONSTRAINT: usize = 0;

/// A place of a grammar where a value stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ValuePlace {
    /// An attribute of an element, by its place in a type of that.
    Attribute(ElementId, TypeId, usize),
    Element(ElementId),
}

/// Marks the values that constraints are about. `declarations` are those of the elements, by their numbers.
pub(super) fn set_keys(
    grammar: &mut DocumentGrammar,
    declarations: &[Option<&ElementDeclaration>],
) {
    grammar.constraints = vec![0; ID_CONSTRAINT + 1];
    let mut numbers: BTreeMap<&QualifiedName, usize> = BTreeMap::new();
    let declared = declarations.iter().enumerate().filter_map(|(index, it)| Some((index, (*it)?)));
    let all: Vec<(ElementId, &IdentityConstraint)> = declared
        .flat_map(|(index, it)| it.identities.iter().map(move |own| (ElementId(index), own)))
        .collect();
    for (holder, constraint) in &all {
        if matches!(constraint.rule, IdentityRule::Reference(_)) {
            continue;
        }
        let number = grammar.constraints.len();
        let paths = constraint.fields.iter().flatten();
        let levels = paths.map(|path| path.children.len()).max().unwrap_or(0);
        grammar.constraints.push(levels);
        numbers.insert(&constraint.name, number);
        grammar.elements[holder.0].holds.push(number);
        mark_keys(grammar, *holder, constraint, number);
    }
    for (holder, constraint) in &all {
        let IdentityRule::Reference(key) = &constraint.rule else { continue };
        let selected = selected(grammar, *holder, &constraint.selector);
        match (numbers.get(key), constraint.fields.as_slice()) {
            (Some(number), [field]) => {
                for place in places(grammar, &selected, field) {
                    key_use(grammar, place).references.push(*number);
                }
            }
            // Several values together would have to be those of one key.
            (Some(_), _) => {
                for element in selected {
                    let refused = SchemaConstruct::Feature("xs:keyref");
                    grammar.elements[element.0].refused = Some(refused);
                }
            }
            (None, _) => {}
        }
    }
}

fn mark_keys(
    grammar: &mut DocumentGrammar,
    holder: ElementId,
    constraint: &IdentityConstraint,
    number: usize,
) {
    let selected = selected(grammar, holder, &constraint.selector);
    let fields: Vec<Vec<ValuePlace>> =
        constraint.fields.iter().map(|field| places(grammar, &selected, field)).collect();
    // One value that is there once makes the whole key one that is.
    let easy = fields
        .iter()
        .find(|field| !field.is_empty() && field.iter().all(|place| is_numbered(grammar, *place)));
    let marked: Vec<ValuePlace> = match easy {
        Some(field) => field.clone(),
        None => fields.concat(),
    };
    for place in marked {
        key_use(grammar, place).keys.push(number);
        // One that is left out has its default, as others may.
        if let ValuePlace::Attribute(_, of, index) = place {
            let attribute = &mut grammar.types[of.0].attributes[index];
            attribute.is_required |= attribute.value.is_some();
        }
    }
    if constraint.rule == IdentityRule::Key {
        for place in fields.concat() {
            require(grammar, &selected, place);
        }
    }
}

fn key_use(grammar: &mut DocumentGrammar, place: ValuePlace) -> &mut KeyUse {
    match place {
        ValuePlace::Attribute(element, of, index) => {
            let all = &mut grammar.elements[element.0].attribute_keys;
            let known = all.iter().position(|it| it.of == of && it.index == index);
            let at = known.unwrap_or_else(|| {
                all.push(AttributeKeys { of, index, keys: KeyUse::default() });
                all.len() - 1
            });
            &mut all[at].keys
        }
        ValuePlace::Element(element) => &mut grammar.elements[element.0].keys,
    }
}

/// Whether any number of different values can be made for a place.
fn is_numbered(grammar: &DocumentGrammar, place: ValuePlace) -> bool {
    let pool = match place {
        ValuePlace::Attribute(_, of, index) => grammar.types[of.0].attributes[index].pool,
        ValuePlace::Element(element) => {
            let of = grammar.elements[element.0].of;
            match grammar.types[of.0].content {
                ContentPlan::Text(pool) => Some(pool),
                ContentPlan::Empty | ContentPlan::Anything | ContentPlan::Elements { .. } => None,
            }
        }
    };
    pool.is_some_and(|pool| {
        let pool = &grammar.pools[pool.0];
        pool.numbered != NumberedForm::Pooled && pool.role != ValueRole::Reference
    })
}

/// Has a part of a key be there always.
fn require(grammar: &mut DocumentGrammar, selected: &[ElementId], place: ValuePlace) {
    match place {
        ValuePlace::Attribute(_, of, index) => {
            grammar.types[of.0].attributes[index].is_required = true;
        }
        ValuePlace::Element(element) => {
            grammar.elements[element.0].is_nillable = false;
            for of in selected.iter().flat_map(|it| grammar.types_of(*it)).collect::<Vec<_>>() {
                if let ContentPlan::Elements { particle, .. } = grammar.types[of.0].content {
                    require_element(grammar, particle, element);
                }
            }
        }
    }
}

/// Raises the least number of an element that stands in a sequence, not in a choice.
fn require_element(grammar: &mut DocumentGrammar, particle: ParticleId, element: ElementId) {
    let plan = &mut grammar.particles[particle.0];
    match &plan.term {
        TermPlan::Element(found) if *found == element => plan.min = plan.min.max(1),
        TermPlan::Sequence(inner) | TermPlan::All(inner) => {
            for inner in inner.clone() {
                require_element(grammar, inner, element);
            }
        }
        TermPlan::Element(_)
        | TermPlan::Choice(..)
        | TermPlan::Foreign(_)
        | TermPlan::Refused(_) => {}
    }
}

/// The elements that a selector leads to.
fn selected(grammar: &DocumentGrammar, holder: ElementId, selector: &[NamePath]) -> Vec<ElementId> {
    let mut found = Vec::new();
    for path in selector {
        found.extend(follow(grammar, vec![holder], path));
    }
    found.dedup();
    found
}

/// The places that the paths of a field lead to.
fn places(grammar: &DocumentGrammar, from: &[ElementId], field: &[NamePath]) -> Vec<ValuePlace> {
    let mut found = Vec::new();
    for path in field {
        let elements = follow(grammar, from.to_vec(), path);
        let Some(test) = &path.attribute else {
            found.extend(elements.into_iter().map(ValuePlace::Element));
            continue;
        };
        let types = elements.into_iter().map(|it| (it, grammar.types_of(it)));
        let each =
            types.flat_map(|(element, types)| types.into_iter().map(move |of| (element, of)));
        for (element, of) in each {
            for (index, attribute) in grammar.types[of.0].attributes.iter().enumerate() {
                let place = ValuePlace::Attribute(element, of, index);
                if test.fits(&attribute.name) && !found.contains(&place) {
                    found.push(place);
                }
            }
        }
    }
    found
}

fn follow(grammar: &DocumentGrammar, from: Vec<ElementId>, path: &NamePath) -> Vec<ElementId> {
    let inner = |elements: &[ElementId]| {
        let types = elements.iter().flat_map(|it| grammar.types_of(*it));
        types.flat_map(|of| grammar.children(of)).collect::<Vec<_>>()
    };
    let mut at = from;
    if path.is_deep {
        let mut seen: HashSet<ElementId> = at.iter().copied().collect();
        let mut left = at.clone();
        while !left.is_empty() {
            left = inner(&left);
            left.retain(|element| seen.insert(*element));
            at.extend(&left);
        }
    }
    for test in &path.children {
        at = inner(&at);
        let mut seen = HashSet::new();
        at.retain(|it| test.fits(&grammar.elements[it.0].name) && seen.insert(*it));
    }
    at
}
