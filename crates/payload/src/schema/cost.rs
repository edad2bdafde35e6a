//! How small each part of a grammar can be, and why a part cannot be made at all.

use std::collections::HashSet;

use super::construct::SchemaConstruct;
use super::grammar::{
    ContentPlan, DocumentGrammar, ENDLESS, ElementId, ParticleId, TermPlan, TypeId,
};

/// Sets the costs, from the smallest parts on: what leads back to itself has none until a way out is found.
pub(super) fn set_costs(grammar: &mut DocumentGrammar) {
    loop {
        let mut changed = false;
        for index in 0..grammar.particles.len() {
            let cost = particle_cost(grammar, ParticleId(index));
            changed |= set(&mut grammar.particles[index].cost, cost);
        }
        for index in 0..grammar.types.len() {
            let cost = type_cost(grammar, TypeId(index));
            changed |= set(&mut grammar.types[index].cost, cost);
        }
        for index in 0..grammar.elements.len() {
            let cost = element_cost(grammar, ElementId(index));
            changed |= set(&mut grammar.elements[index].cost, cost);
        }
        if !changed {
            break;
        }
    }
    for index in 0..grammar.particles.len() {
        keep_makeable(grammar, index);
    }
}

fn set(cost: &mut u64, new: u64) -> bool {
    let is_new = *cost != new;
    *cost = new;
    is_new
}

/// Takes away what may be left out and cannot be made, and notes which choice is the smallest.
fn keep_makeable(grammar: &mut DocumentGrammar, index: usize) {
    if term_cost(grammar, &grammar.particles[index].term) == ENDLESS {
        grammar.particles[index].max = Some(0).filter(|_| grammar.particles[index].min == 0);
    }
    let TermPlan::Choice(choices, _) = &grammar.particles[index].term else { return };
    let cost = |particle: &ParticleId| grammar.particles[particle.0].cost;
    let kept: Vec<ParticleId> = choices.iter().copied().filter(|it| cost(it) < ENDLESS).collect();
    let least = (0..kept.len()).min_by_key(|at| cost(&kept[*at])).unwrap_or(0);
    if !kept.is_empty() {
        grammar.particles[index].term = TermPlan::Choice(kept, least);
    }
}

fn particle_cost(grammar: &DocumentGrammar, id: ParticleId) -> u64 {
    let particle = &grammar.particles[id.0];
    if particle.min == 0 {
        return 0;
    }
    match term_cost(grammar, &particle.term) {
        ENDLESS => ENDLESS,
        cost => cost.saturating_mul(u64::from(particle.min)),
    }
}

/// The cost of a term that stands once.
fn term_cost(grammar: &DocumentGrammar, term: &TermPlan) -> u64 {
    let cost = |particle: &ParticleId| grammar.particles[particle.0].cost;
    match term {
        TermPlan::Element(element) => grammar.elements[element.0].cost,
        TermPlan::Sequence(inner) | TermPlan::All(inner) => {
            inner.iter().map(cost).fold(0, u64::saturating_add)
        }
        TermPlan::Choice(choices, _) => choices.iter().map(cost).min().unwrap_or(0),
        TermPlan::Foreign(_) => 1,
        TermPlan::Refused(_) => ENDLESS,
    }
}

fn type_cost(grammar: &DocumentGrammar, id: TypeId) -> u64 {
    let plan = &grammar.types[id.0];
    match (plan.refused.is_some(), plan.content) {
        (true, _) => ENDLESS,
        (_, ContentPlan::Empty | ContentPlan::Anything | ContentPlan::Text(_)) => 0,
        (_, ContentPlan::Elements { particle, .. }) => grammar.particles[particle.0].cost,
    }
}

fn element_cost(grammar: &DocumentGrammar, id: ElementId) -> u64 {
    let element = &grammar.elements[id.0];
    if element.refused.is_some() {
        return ENDLESS;
    }
    let types = grammar.types_of(id);
    let least = types.into_iter().map(|of| grammar.types[of.0].cost).min().unwrap_or(ENDLESS);
    least.saturating_add(1)
}

/// Returns what an element that cannot be made needs, and the element that needs it.
pub(super) fn refusal(grammar: &DocumentGrammar, root: ElementId) -> (SchemaConstruct, String) {
    let mut seen = HashSet::new();
    let name = |element: ElementId| grammar.elements[element.0].name.local.clone();
    let mut place = root;
    while seen.insert(place) {
        let element = &grammar.elements[place.0];
        let refused = element.refused.as_ref().or_else(|| {
            grammar.types_of(place).into_iter().find_map(|of| grammar.types[of.0].refused.as_ref())
        });
        if let Some(construct) = refused {
            return (construct.clone(), name(place));
        }
        let content = grammar.types[element.of.0].content;
        let ContentPlan::Elements { particle, .. } = content else { break };
        match endless_part(grammar, particle, &seen) {
            Some(Ok(inner)) => place = inner,
            Some(Err(construct)) => return (construct, name(place)),
            None => break,
        }
    }
    (SchemaConstruct::Endless, name(place))
}

/// The first element in a particle that cannot be made and has not been seen, or what is refused there.
fn endless_part(
    grammar: &DocumentGrammar,
    particle: ParticleId,
    seen: &HashSet<ElementId>,
) -> Option<Result<ElementId, SchemaConstruct>> {
    let plan = &grammar.particles[particle.0];
    if plan.cost < ENDLESS {
        return None;
    }
    match &plan.term {
        TermPlan::Element(element) => Some(Ok(*element)).filter(|_| !seen.contains(element)),
        TermPlan::Refused(construct) => Some(Err(construct.clone())),
        TermPlan::Foreign(_) => None,
        TermPlan::Sequence(inner) | TermPlan::All(inner) | TermPlan::Choice(inner, _) => {
            inner.iter().find_map(|it| endless_part(grammar, *it, seen))
        }
    }
}
