//! Makes the grammar of a root element: follows what a schema names from there, each part once.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use quick_xml::escape::escape;

use super::construct::SchemaConstruct;
use super::content::{ContentReader, TypeContent};
use super::grammar::{
    AttributePlan, ContentPlan, DocumentGrammar, ENDLESS, ElementId, ElementPlan, KeyUse,
    ParticleId, PlannedValue, PoolId, TermPlan, TypeId, TypePlan, TypeVariant,
};
use super::model::{
    AttributeNeed, AttributeUse, DeclaredValue, DerivationBlock, ElementDeclaration,
    ElementWildcard, ParticleTerm, QualifiedName, SchemaParticle, SchemaParts, SchemaType,
    TypeDerivation, TypeReference, ValueFacets, WildcardNamespaces,
};
use super::namespaces::{INSTANCE_NAMESPACE, NamespaceTable};
use super::values::{TypePlace, ValueMaker};

/// Repetitions that must be there, at most.
const REPEATS_MAX: u32 = 10_000;
/// Elements from which one is taken where a declared one of some namespaces must stand.
const DECLARED_MAX: usize = 8;
/// The namespace of elements where those of other ones may stand.
const FOREIGN: &str = "urn:xmlperf:extension";

/// A type by what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum TypeKey<'p> {
    BuiltIn(&'p str),
    Own(*const SchemaType),
}

impl<'p> TypeKey<'p> {
    fn of(place: TypePlace<'p>) -> Self {
        match place {
            TypePlace::BuiltIn(name) => Self::BuiltIn(name),
            TypePlace::Own(own) => Self::Own(Arc::as_ptr(own)),
        }
    }
}

/// Makes a grammar.
pub(super) struct GrammarCompiler<'p> {
    parts: &'p SchemaParts,
    values: ValueMaker<'p>,
    grammar: DocumentGrammar,
    elements: HashMap<*const ElementDeclaration, ElementId>,
    /// The declaration of each element.
    declarations: Vec<Option<&'p ElementDeclaration>>,
    types: HashMap<TypeKey<'p>, TypeId>,
    /// Pools of types without further facets.
    pools: HashMap<TypeKey<'p>, Result<PoolId, SchemaConstruct>>,
    /// Groups; none of one that is being read.
    groups: HashMap<&'p QualifiedName, Option<ParticleId>>,
    /// Types that are to be read.
    queue: Vec<(TypeId, TypePlace<'p>)>,
    /// Names of types that extend or restrict each type.
    derived: BTreeMap<&'p QualifiedName, Vec<(&'p QualifiedName, TypeDerivation)>>,
}

impl<'p> GrammarCompiler<'p> {
    /// Starts a grammar whose types have pools of `size` values.
    pub(super) fn new(parts: &'p SchemaParts, size: usize, namespaces: NamespaceTable) -> Self {
        let mut derived: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (name, of) in &parts.types {
            let SchemaType::Complex(complex) = &**of else { continue };
            if let Some((derivation, TypeReference::Named(base))) = &complex.base {
                derived.entry(base).or_default().push((name, *derivation));
            }
        }
        Self {
            parts,
            values: ValueMaker::new(parts, size, namespaces),
            grammar: DocumentGrammar::default(),
            elements: HashMap::new(),
            declarations: Vec::new(),
            types: HashMap::new(),
            pools: HashMap::new(),
            groups: HashMap::new(),
            queue: Vec::new(),
            derived,
        }
    }

    /// Adds a global element.
    pub(super) fn root(&mut self, name: &QualifiedName) -> Option<ElementId> {
        let declaration = self.parts.elements.get(name)?;
        Some(self.element(declaration))
    }

    /// Adds an element of a global type under a name of its own.
    pub(super) fn typed_root(
        &mut self,
        name: &QualifiedName,
        of: &'p QualifiedName,
    ) -> Result<ElementId, SchemaConstruct> {
        let place = self.values.named(of)?;
        let of = self.type_id(place);
        Ok(self.add_element(name, of, None))
    }

    /// Returns the grammar, with the declarations of its elements by their numbers.
    pub(super) fn finish(mut self) -> (DocumentGrammar, Vec<Option<&'p ElementDeclaration>>) {
        while let Some((id, place)) = self.queue.pop() {
            let plan = self.type_plan(place);
            self.grammar.types[id.0] = plan;
        }
        self.grammar.namespaces = self.values.namespaces;
        (self.grammar, self.declarations)
    }

    fn add_element(
        &mut self,
        name: &QualifiedName,
        of: TypeId,
        declaration: Option<&'p ElementDeclaration>,
    ) -> ElementId {
        let written = self.values.namespaces.written(name);
        self.grammar.elements.push(ElementPlan {
            name: name.clone(),
            tag: written.text,
            namespace: written.namespace,
            of,
            variants: Vec::new(),
            value: None,
            is_nillable: false,
            holds: Vec::new(),
            keys: KeyUse::default(),
            attribute_keys: Vec::new(),
            refused: None,
            cost: ENDLESS,
        });
        self.declarations.push(declaration);
        ElementId(self.grammar.elements.len() - 1)
    }

    fn element(&mut self, declaration: &'p Arc<ElementDeclaration>) -> ElementId {
        let key = Arc::as_ptr(declaration);
        if let Some(known) = self.elements.get(&key) {
            return *known;
        }
        let place = self.values.place(&declaration.of);
        let of = match &place {
            Ok(place) => self.type_id(*place),
            Err(construct) => self.add_type(refused_type(construct.clone())),
        };
        let id = self.add_element(&declaration.name, of, Some(declaration));
        self.elements.insert(key, id);
        let variants = match (place, &declaration.of) {
            (Ok(TypePlace::Own(own)), TypeReference::Named(name)) => {
                self.variants(own, name, declaration.block)
            }
            _ => Vec::new(),
        };
        if declaration.is_nillable {
            let nil = QualifiedName::new(INSTANCE_NAMESPACE, "nil");
            self.grammar.instance = self.values.namespaces.written(&nil).namespace;
        }
        let plan = &mut self.grammar.elements[id.0];
        plan.variants = variants;
        plan.value = declaration.value.as_ref().map(planned);
        plan.is_nillable = declaration.is_nillable;
        plan.refused = declaration.refused.map(SchemaConstruct::Feature);
        id
    }

    /// Types that may stand in the place of an abstract one.
    fn variants(
        &mut self,
        of: &'p SchemaType,
        name: &'p QualifiedName,
        block: DerivationBlock,
    ) -> Vec<TypeVariant> {
        let SchemaType::Complex(complex) = of else { return Vec::new() };
        if !complex.is_abstract {
            return Vec::new();
        }
        let is_blocked = |derivation: TypeDerivation| match derivation {
            TypeDerivation::Extension => block.extension || complex.block.extension,
            TypeDerivation::Restriction => block.restriction || complex.block.restriction,
        };
        let (mut found, mut left) = (Vec::new(), vec![name]);
        while let Some(base) = left.pop() {
            for (name, derivation) in self.derived.get(base).into_iter().flatten() {
                if !is_blocked(*derivation) && !found.contains(name) && !name.local.contains('#') {
                    found.push(*name);
                    left.push(*name);
                }
            }
        }
        let instance = QualifiedName::new(INSTANCE_NAMESPACE, "type");
        let mut variants = Vec::new();
        for name in found {
            let Some(own) = self.parts.types.get(name) else { continue };
            if matches!(&**own, SchemaType::Complex(complex) if complex.is_abstract) {
                continue;
            }
            let of = self.type_id(TypePlace::Own(own));
            let key = self.values.namespaces.written(&instance);
            let value = self.values.namespaces.written(name);
            variants.push(TypeVariant {
                of,
                attribute: format!(" {}=\"{}\"", key.text, value.text),
                namespaces: [key.namespace, value.namespace],
            });
        }
        variants
    }

    fn add_type(&mut self, plan: TypePlan) -> TypeId {
        self.grammar.types.push(plan);
        TypeId(self.grammar.types.len() - 1)
    }

    /// The number of a type, which is read later: types that lead to types may be deeper than a stack.
    fn type_id(&mut self, place: TypePlace<'p>) -> TypeId {
        let key = TypeKey::of(place);
        if let Some(known) = self.types.get(&key) {
            return *known;
        }
        let id = self.add_type(refused_type(SchemaConstruct::Nesting));
        self.types.insert(key, id);
        self.queue.push((id, place));
        id
    }

    fn type_plan(&mut self, place: TypePlace<'p>) -> TypePlan {
        let content = match place {
            TypePlace::BuiltIn("anyType") => {
                let content = ContentPlan::Anything;
                return TypePlan { attributes: Vec::new(), content, refused: None, cost: ENDLESS };
            }
            TypePlace::Own(own) => match &**own {
                SchemaType::Complex(complex) => {
                    match ContentReader::new(self.parts, &self.values).content(complex) {
                        Ok(content) => content,
                        Err(construct) => return refused_type(construct),
                    }
                }
                SchemaType::Simple(_) => TypeContent::of_text(place),
            },
            TypePlace::BuiltIn(_) => TypeContent::of_text(place),
        };
        self.complex_plan(content)
    }

    fn complex_plan(&mut self, parts: TypeContent<'p>) -> TypePlan {
        let mut plan = TypePlan {
            attributes: Vec::new(),
            content: ContentPlan::Empty,
            refused: None,
            cost: ENDLESS,
        };
        for attribute in parts.attributes {
            match self.attribute(attribute) {
                Ok(attribute) => plan.attributes.push(attribute),
                Err(construct) if attribute.need == AttributeNeed::Required => {
                    plan.refused = Some(construct);
                }
                Err(_) => {}
            }
        }
        if let Some((of, facets)) = &parts.text {
            match self.pool(*of, facets) {
                Ok(pool) => plan.content = ContentPlan::Text(pool),
                Err(construct) => plan.refused = Some(construct),
            }
            return plan;
        }
        let particles: Vec<ParticleId> =
            parts.particles.into_iter().map(|particle| self.particle(particle)).collect();
        let particle = match particles.as_slice() {
            [] if !parts.is_mixed => return plan,
            [one] => *one,
            _ => self.grammar.add_particle(1, Some(1), TermPlan::Sequence(particles)),
        };
        plan.content = ContentPlan::Elements { particle, is_mixed: parts.is_mixed };
        plan
    }

    fn pool(&mut self, of: TypePlace<'p>, facets: &ValueFacets) -> Result<PoolId, SchemaConstruct> {
        let key = TypeKey::of(of);
        if let Some(known) = self.pools.get(&key).filter(|_| facets.is_empty()) {
            return known.clone();
        }
        let pool = self.values.pool(of, facets).map(|pool| {
            self.grammar.pools.push(pool);
            PoolId(self.grammar.pools.len() - 1)
        });
        if facets.is_empty() {
            self.pools.insert(key, pool.clone());
        }
        pool
    }

    fn attribute(&mut self, attribute: &'p AttributeUse) -> Result<AttributePlan, SchemaConstruct> {
        let declared = self.parts.attributes.get(&attribute.name);
        let of = attribute.of.as_ref().or(declared.and_then(|it| it.of.as_ref()));
        let value = attribute.value.as_ref().or(declared.and_then(|it| it.value.as_ref()));
        let is_fixed = value.is_some_and(|value| value.is_fixed);
        let pool = match of {
            _ if is_fixed => None,
            Some(of) => {
                let place = self.values.place(of)?;
                Some(self.pool(place, &ValueFacets::default())?)
            }
            None => return Err(SchemaConstruct::MissingAttribute(attribute.name.local.clone())),
        };
        let written = self.values.namespaces.written(&attribute.name);
        Ok(AttributePlan {
            name: attribute.name.clone(),
            start: format!(" {}=\"", written.text),
            namespace: written.namespace,
            is_required: attribute.need == AttributeNeed::Required,
            value: value.map(planned),
            pool,
        })
    }

    fn particle(&mut self, particle: &'p SchemaParticle) -> ParticleId {
        // Where any declared element may stand, it could bring keys of its own: it stands only where one has to.
        let is_open = matches!(&particle.term, ParticleTerm::Any(wildcard) if wildcard.is_strict);
        let term = if particle.max == Some(0) || is_open && particle.min == 0 {
            TermPlan::Sequence(Vec::new())
        } else if particle.min > REPEATS_MAX {
            TermPlan::Refused(SchemaConstruct::Repetition(particle.min))
        } else {
            self.term(&particle.term)
        };
        self.grammar.add_particle(particle.min, particle.max, term)
    }

    fn particles(&mut self, particles: &'p [SchemaParticle]) -> Vec<ParticleId> {
        particles.iter().map(|particle| self.particle(particle)).collect()
    }

    fn term(&mut self, term: &'p ParticleTerm) -> TermPlan {
        match term {
            ParticleTerm::Element(declaration) if declaration.is_abstract => {
                TermPlan::Refused(SchemaConstruct::Abstract(declaration.name.local.clone()))
            }
            ParticleTerm::Element(declaration) => TermPlan::Element(self.element(declaration)),
            ParticleTerm::Reference(name) => self.reference(name),
            ParticleTerm::Group(name) => match self.group(name) {
                Ok(group) => TermPlan::Sequence(vec![group]),
                Err(construct) => TermPlan::Refused(construct),
            },
            ParticleTerm::Sequence(inner) => TermPlan::Sequence(self.particles(inner)),
            ParticleTerm::Choice(inner) if inner.is_empty() => TermPlan::Sequence(Vec::new()),
            ParticleTerm::Choice(inner) => TermPlan::Choice(self.particles(inner), 0),
            ParticleTerm::All(inner) => TermPlan::All(self.particles(inner)),
            ParticleTerm::Any(wildcard) => self.wildcard(wildcard),
        }
    }

    fn group(&mut self, name: &'p QualifiedName) -> Result<ParticleId, SchemaConstruct> {
        match self.groups.get(name) {
            Some(Some(known)) => return Ok(*known),
            Some(None) => return Err(SchemaConstruct::Nesting),
            None => {}
        }
        let Some(group) = self.parts.groups.get(name) else {
            return Err(SchemaConstruct::MissingGroup(name.local.clone()));
        };
        self.groups.insert(name, None);
        let particle = self.particle(group);
        self.groups.insert(name, Some(particle));
        Ok(particle)
    }

    /// A global element, or one of those that may stand in its place.
    fn reference(&mut self, name: &'p QualifiedName) -> TermPlan {
        let Some(head) = self.parts.elements.get(name) else {
            return TermPlan::Refused(SchemaConstruct::MissingElement(name.local.clone()));
        };
        let (mut found, mut next) = (vec![name], 0);
        while let Some(name) = found.get(next).copied().filter(|_| !head.block.substitution) {
            next += 1;
            for substitute in self.parts.substitutes.get(name).into_iter().flatten() {
                if !found.contains(&substitute) && self.may_stand(head, substitute) {
                    found.push(substitute);
                }
            }
        }
        let declared = found.into_iter().filter_map(|name| self.parts.elements.get(name));
        let standing: Vec<_> = declared.filter(|it| !it.is_abstract).collect();
        let elements: Vec<ElementId> = standing.into_iter().map(|it| self.element(it)).collect();
        self.one_of(&elements)
            .unwrap_or(TermPlan::Refused(SchemaConstruct::Abstract(name.local.clone())))
    }

    /// Whether the type of an element is derived in no way that another one blocks.
    fn may_stand(&self, head: &ElementDeclaration, substitute: &QualifiedName) -> bool {
        let Some(substitute) = self.parts.elements.get(substitute) else { return false };
        let is_blocking = head.block.extension || head.block.restriction;
        let same = match (&head.of, &substitute.of) {
            (TypeReference::Named(head), TypeReference::Named(own)) => head == own,
            _ => false,
        };
        !is_blocking || same
    }

    fn one_of(&mut self, elements: &[ElementId]) -> Option<TermPlan> {
        match elements {
            [] => None,
            [one] => Some(TermPlan::Element(*one)),
            several => {
                let choice = |element: &ElementId| {
                    self.grammar.add_particle(1, Some(1), TermPlan::Element(*element))
                };
                Some(TermPlan::Choice(several.iter().map(choice).collect(), 0))
            }
        }
    }

    fn wildcard(&mut self, wildcard: &'p ElementWildcard) -> TermPlan {
        if wildcard.is_strict {
            let declared = self.parts.elements.iter();
            let fitting = declared.filter(|(name, element)| {
                wildcard.namespaces.has(&name.namespace) && !element.is_abstract
            });
            let fitting: Vec<_> = fitting.map(|(_, element)| element).take(DECLARED_MAX).collect();
            let elements: Vec<ElementId> = fitting.into_iter().map(|it| self.element(it)).collect();
            return self.one_of(&elements).unwrap_or(TermPlan::Refused(SchemaConstruct::Wildcard));
        }
        let namespace = match &wildcard.namespaces {
            WildcardNamespaces::Any | WildcardNamespaces::Other(_) => FOREIGN,
            WildcardNamespaces::Listed(all) => all.first().map_or("", String::as_str),
        };
        TermPlan::Foreign(match namespace {
            "" => "<extension/>".to_owned(),
            uri => format!("<x:extension xmlns:x=\"{}\"/>", escape(uri)),
        })
    }
}

fn refused_type(construct: SchemaConstruct) -> TypePlan {
    let refused = Some(construct);
    TypePlan { attributes: Vec::new(), content: ContentPlan::Empty, refused, cost: ENDLESS }
}

fn planned(value: &DeclaredValue) -> PlannedValue {
    PlannedValue { text: escape(value.text.as_str()).into_owned(), is_fixed: value.is_fixed }
}
