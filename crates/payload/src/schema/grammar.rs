//! What documents of one root element are made by: the parts of a schema that it leads to, each once, with its
//! values made and its names written.

use super::construct::SchemaConstruct;
use super::model::QualifiedName;
use super::namespaces::NamespaceTable;
use super::values::ValuePool;

/// The cost of what cannot be made.
pub(super) const ENDLESS: u64 = u64::MAX;

/// The number of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct ElementId(pub(super) usize);

/// The number of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct TypeId(pub(super) usize);

/// The number of a particle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct ParticleId(pub(super) usize);

/// The number of a pool of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PoolId(pub(super) usize);

/// All that documents are made by.
#[derive(Debug, Clone, Default)]
pub(super) struct DocumentGrammar {
    pub(super) elements: Vec<ElementPlan>,
    pub(super) types: Vec<TypePlan>,
    pub(super) particles: Vec<ParticlePlan>,
    pub(super) pools: Vec<ValuePool>,
    pub(super) namespaces: NamespaceTable,
    /// Of each constraint that keys are of, how many levels below the element that has a key its value may stand.
    pub(super) constraints: Vec<usize>,
    /// The number of the namespace of `xsi:nil`, if any element may be nil.
    pub(super) instance: Option<usize>,
}

/// An element.
#[derive(Debug, Clone)]
pub(super) struct ElementPlan {
    pub(super) name: QualifiedName,
    /// The name as it is written.
    pub(super) tag: String,
    pub(super) namespace: Option<usize>,
    pub(super) of: TypeId,
    /// Types that stand in the place of its own, which is abstract.
    pub(super) variants: Vec<TypeVariant>,
    /// Its text, escaped, where the declaration has one.
    pub(super) value: Option<PlannedValue>,
    pub(super) is_nillable: bool,
    /// Constraints that it declares, whose keys are those within it.
    pub(super) holds: Vec<usize>,
    /// Of its text.
    pub(super) keys: KeyUse,
    /// Of its attributes that have any.
    pub(super) attribute_keys: Vec<AttributeKeys>,
    pub(super) refused: Option<SchemaConstruct>,
    /// Elements of the smallest one, itself among them.
    pub(super) cost: u64,
}

/// A type that `xsi:type` names.
#[derive(Debug, Clone)]
pub(super) struct TypeVariant {
    pub(super) of: TypeId,
    /// The attribute as it is written, with a space before it.
    pub(super) attribute: String,
    pub(super) namespaces: [Option<usize>; 2],
}

/// A text that a declaration has.
#[derive(Debug, Clone)]
pub(super) struct PlannedValue {
    /// As it is written.
    pub(super) text: String,
    pub(super) is_fixed: bool,
}

/// The constraints that a value is a key of, and those whose keys it refers to.
#[derive(Debug, Clone, Default)]
pub(super) struct KeyUse {
    pub(super) keys: Vec<usize>,
    pub(super) references: Vec<usize>,
}

/// The keys of an attribute, which elements of one type need not share.
#[derive(Debug, Clone)]
pub(super) struct AttributeKeys {
    pub(super) of: TypeId,
    /// The attribute by its place in the type.
    pub(super) index: usize,
    pub(super) keys: KeyUse,
}

/// A type of elements.
#[derive(Debug, Clone)]
pub(super) struct TypePlan {
    pub(super) attributes: Vec<AttributePlan>,
    pub(super) content: ContentPlan,
    pub(super) refused: Option<SchemaConstruct>,
    pub(super) cost: u64,
}

/// What stands in an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ContentPlan {
    Empty,
    /// Anything, so that nothing must.
    Anything,
    Text(PoolId),
    Elements {
        particle: ParticleId,
        is_mixed: bool,
    },
}

/// An attribute that may be written.
#[derive(Debug, Clone)]
pub(super) struct AttributePlan {
    pub(super) name: QualifiedName,
    /// A space, the name, `=` and a quote.
    pub(super) start: String,
    pub(super) namespace: Option<usize>,
    pub(super) is_required: bool,
    pub(super) value: Option<PlannedValue>,
    /// None where the value is fixed.
    pub(super) pool: Option<PoolId>,
}

/// Something that stands so many times.
#[derive(Debug, Clone)]
pub(super) struct ParticlePlan {
    pub(super) min: u32,
    /// None without an end.
    pub(super) max: Option<u32>,
    pub(super) term: TermPlan,
    /// Elements, at least.
    pub(super) cost: u64,
}

/// What stands there.
#[derive(Debug, Clone)]
pub(super) enum TermPlan {
    Element(ElementId),
    Sequence(Vec<ParticleId>),
    /// One of these, and which of them is the smallest.
    Choice(Vec<ParticleId>, usize),
    All(Vec<ParticleId>),
    /// An element that no schema declares, as it is written.
    Foreign(String),
    Refused(SchemaConstruct),
}

impl DocumentGrammar {
    pub(super) fn add_particle(
        &mut self,
        min: u32,
        max: Option<u32>,
        term: TermPlan,
    ) -> ParticleId {
        self.particles.push(ParticlePlan { min, max, term, cost: ENDLESS });
        ParticleId(self.particles.len() - 1)
    }

    /// Returns the elements that stand directly in elements of a type.
    pub(super) fn children(&self, of: TypeId) -> Vec<ElementId> {
        let mut found = Vec::new();
        let mut left = match self.types[of.0].content {
            ContentPlan::Elements { particle, .. } => vec![particle],
            ContentPlan::Empty | ContentPlan::Anything | ContentPlan::Text(_) => Vec::new(),
        };
        let mut seen = std::collections::HashSet::new();
        while let Some(particle) = left.pop() {
            if !seen.insert(particle) {
                continue;
            }
            match &self.particles[particle.0].term {
                TermPlan::Element(element) => found.push(*element),
                TermPlan::Sequence(inner) | TermPlan::Choice(inner, _) | TermPlan::All(inner) => {
                    left.extend(inner);
                }
                TermPlan::Foreign(_) | TermPlan::Refused(_) => {}
            }
        }
        found
    }

    /// Returns the types that an element may have in a document.
    pub(super) fn types_of(&self, element: ElementId) -> Vec<TypeId> {
        let plan = &self.elements[element.0];
        let variants = plan.variants.iter().map(|variant| variant.of);
        std::iter::once(plan.of).chain(variants).collect()
    }
}
