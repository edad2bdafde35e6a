//! Makes XML pairs of any kind but the depth mix: writes a document, and changes a copy of it.

use std::sync::Arc;

use super::change;
use super::corpus::Corpus;
use super::draws::PairRng;
use super::hostile;
use super::mix::{DocumentMix, PairRecipe};
use super::pattern::Pattern;
use super::quota::{CyclePair, QuotaCycle};
use super::schema::SchemaDocuments;
use super::truth::{DocumentChange, PairTruth};
use super::xml::Document;

/// Where documents come from.
#[derive(Debug, Clone, PartialEq, Eq)]
enum DocumentShape {
    Pattern(Pattern),
    /// A mix, and the depth of this document.
    Tree(Arc<DocumentMix>, u32),
    /// The index of a document in a corpus.
    File(Arc<Corpus>, usize),
    Schema(Arc<SchemaDocuments>),
    Hostile,
}

/// What the XML pairs of a spec are made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DocumentSource {
    shapes: Vec<DocumentShape>,
    plan: Vec<Option<DocumentChange>>,
    changes: Vec<DocumentChange>,
    /// Shape and plan of each pair.
    order: CyclePair,
}

impl DocumentSource {
    fn new(shapes: Vec<DocumentShape>, cycle: QuotaCycle, recipe: &PairRecipe) -> Self {
        let (order, plan) = recipe.plan();
        Self { shapes, plan, changes: recipe.changes(), order: CyclePair::new(cycle, order) }
    }

    /// Documents after patterns, with their weights.
    pub(super) fn patterns(patterns: &[(&str, u64)], recipe: &PairRecipe) -> Self {
        let weights: Vec<_> = patterns.iter().map(|(_, weight)| *weight).collect();
        let shapes = patterns.iter().map(|(text, _)| DocumentShape::Pattern(Pattern::new(text)));
        Self::new(shapes.collect(), QuotaCycle::new(&weights), recipe)
    }

    /// Documents of a mix.
    pub(super) fn mix(mix: &DocumentMix, recipe: &PairRecipe) -> Self {
        let (cycle, depths) = mix.depths();
        let mix = Arc::new(mix.clone());
        let shapes = depths.into_iter().map(|depth| DocumentShape::Tree(Arc::clone(&mix), depth));
        Self::new(shapes.collect(), cycle, recipe)
    }

    /// Documents of a user, in turn.
    pub(super) fn corpus(corpus: &Arc<Corpus>, recipe: &PairRecipe) -> Self {
        let count = corpus.documents().len();
        let shapes = (0..count).map(|index| DocumentShape::File(Arc::clone(corpus), index));
        Self::new(shapes.collect(), QuotaCycle::new(&vec![1; count]), recipe)
    }

    /// Documents that a schema allows.
    pub(super) fn schema(documents: &Arc<SchemaDocuments>, recipe: &PairRecipe) -> Self {
        let shapes = vec![DocumentShape::Schema(Arc::clone(documents))];
        Self::new(shapes, QuotaCycle::new(&[1]), recipe)
    }

    /// Documents that do harm.
    pub(super) fn hostile() -> Self {
        Self::new(vec![DocumentShape::Hostile], QuotaCycle::new(&[1]), &PairRecipe::identical())
    }

    /// Writes both documents of XML pair number `number`, in place of what the buffers held.
    pub(super) fn write(
        &self,
        seed: u64,
        number: u64,
        first: &mut Vec<u8>,
        second: &mut Vec<u8>,
    ) -> PairTruth {
        first.clear();
        second.clear();
        let (shape, plan) = self.order.at(number);
        let mut draws = PairRng::new(seed, number);
        match &self.shapes[shape] {
            DocumentShape::Pattern(pattern) => pattern.write(first, number, &mut draws),
            DocumentShape::Tree(mix, depth) => mix.write(first, *depth, &mut draws),
            DocumentShape::File(corpus, index) => {
                first.extend_from_slice(corpus.documents()[*index].as_bytes());
            }
            DocumentShape::Schema(documents) => documents.write(first, &mut draws),
            DocumentShape::Hostile => hostile::write(first, number, &mut draws),
        }
        match self.plan[plan] {
            None => {
                second.extend_from_slice(first);
                PairTruth::identical()
            }
            Some(wanted) => {
                let text = std::str::from_utf8(first).expect("documents are written as UTF-8");
                let document = Document::parse(text).expect("documents are well-formed");
                change::apply(&document, wanted, &self.changes, &mut draws, second)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::super::oracle;
    use super::super::spec::{PayloadPreset, PayloadSpec};
    use super::super::truth::{PairClass, Semantics};
    use super::*;

    /// Holds what the generator says of a pair against a comparison by another parser.
    fn check(first: &[u8], second: &[u8], truth: PairTruth) {
        let [first, second] = [first, second].map(|text| std::str::from_utf8(text).unwrap());
        for text in [first, second] {
            assert!(oracle::parse(text).is_ok(), "{:?}: {text}", truth.change);
        }
        assert_eq!(first == second, truth.class() == PairClass::Identical, "{:?}", truth.change);
        for semantics in Semantics::ALL {
            let (matched, seen) =
                (truth.matched(semantics), oracle::matched(semantics, first, second));
            assert_eq!(matched, seen, "{semantics:?} {truth:?}\n{first}\n{second}");
        }
    }

    fn check_all(spec: &PayloadSpec, count: u64) -> BTreeSet<&'static str> {
        let mut changes = BTreeSet::new();
        let done: Result<(), ()> = spec.for_each(0, count, |first, second, truth| {
            check(first, second, truth);
            changes.extend(truth.change.map(DocumentChange::name));
            Ok(())
        });
        done.unwrap();
        changes
    }

    /// Which changes a preset's documents have room for is part of what it is.
    #[test]
    fn every_preset_tells_the_truth_about_its_pairs() {
        let mut lines = Vec::new();
        for preset in
            PayloadPreset::ALL.into_iter().filter(|preset| *preset != PayloadPreset::DepthMix)
        {
            let mut recipe = PairRecipe::default();
            recipe.set("classes", "0:1:1").unwrap();
            let spec = PayloadSpec::preset(preset, 42, 100).with_recipe(recipe).unwrap();
            let count = if preset == PayloadPreset::WideFlat { 40 } else { 200 };
            let made = check_all(&spec, count);
            let missing = DocumentChange::ALL.map(DocumentChange::name).into_iter();
            let missing: Vec<_> = missing.filter(|name| !made.contains(name)).collect();
            lines.push(format!("{}: all but {}", preset.name(), missing.join(" ")));
        }
        insta::assert_snapshot!(lines.join("\n"), @r"
        soap11: all but line-ending SCHEMA_LOCATION PROCESSING_INSTRUCTION_TARGET PROCESSING_INSTRUCTION_DATA
        soap12: all but line-ending SCHEMA_LOCATION PROCESSING_INSTRUCTION_TARGET PROCESSING_INSTRUCTION_DATA
        ubl-invoice: all but line-ending SCHEMA_LOCATION PROCESSING_INSTRUCTION_TARGET PROCESSING_INSTRUCTION_DATA
        fpml-trade: all but namespace-prefix line-ending PROCESSING_INSTRUCTION_TARGET PROCESSING_INSTRUCTION_DATA
        rss: all but NAMESPACE_URI SCHEMA_LOCATION
        hl7-cda: all but namespace-prefix line-ending
        svg: all but namespace-prefix line-ending SCHEMA_LOCATION PROCESSING_INSTRUCTION_TARGET PROCESSING_INSTRUCTION_DATA
        pom: all but namespace-prefix ATTR_VALUE ATTR_NAME_LOOKUP PROCESSING_INSTRUCTION_TARGET PROCESSING_INSTRUCTION_DATA
        text-heavy: all but empty-element namespace-prefix NAMESPACE_URI SCHEMA_LOCATION PROCESSING_INSTRUCTION_TARGET PROCESSING_INSTRUCTION_DATA
        deep-narrow: all but attribute-order empty-element namespace-prefix line-ending CHILD_NODELIST_SEQUENCE NAMESPACE_URI SCHEMA_LOCATION PROCESSING_INSTRUCTION_TARGET PROCESSING_INSTRUCTION_DATA
        wide-flat: all but empty-element namespace-prefix line-ending NAMESPACE_URI SCHEMA_LOCATION PROCESSING_INSTRUCTION_TARGET PROCESSING_INSTRUCTION_DATA
        unicode: all but empty-element line-ending NAMESPACE_URI SCHEMA_LOCATION PROCESSING_INSTRUCTION_TARGET PROCESSING_INSTRUCTION_DATA
        namespaces: all but line-ending SCHEMA_LOCATION PROCESSING_INSTRUCTION_TARGET PROCESSING_INSTRUCTION_DATA
        ");
    }

    const ODD: [&str; 12] = [
        "<a/>",
        "<a></a>",
        "<a> </a>",
        "<a>text</a>",
        "<a>你好 &amp; &#x41;</a>",
        "<a><![CDATA[x < y]]></a>",
        "<?xml version='1.0' encoding='utf-8'?>\n<!DOCTYPE a>\n<!-- c --><a b='\"' c = \"'\"/>\n<?p d?>",
        "<a>mixed <b>bold</b> and <i/> text<!-- c --></a>",
        "<a><b>1</b><b>2</b><c/><b/><c>x\ny</c><b></b></a>",
        "<a xmlns:p='urn:p' xmlns:q='urn:q' p:x='1' q:y='p:z'><p:b/><p:b>1</p:b><q:c/><q:c>2</q:c></a>",
        "<a xmlns='urn:a' xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' \
         xsi:schemaLocation='urn:a a.xsd'><?p?><b><?p ?></b><?q r s?></a>",
        "<a\n  x = '1'\r\n  y='' ><b z=\"&lt;\">&lt;&gt;</b>\r\n<!-- x -->\n</a>",
    ];

    #[test]
    fn odd_documents_of_a_user_are_changed_and_understood() {
        let files = ODD.map(|text| (String::new(), text.as_bytes().to_vec()));
        let corpus = Corpus::new(files.to_vec()).unwrap();
        let mut recipe = PairRecipe::default();
        recipe.set("classes", "1:3:3").unwrap();
        let spec = PayloadSpec::corpus(corpus, 1, 1).with_recipe(recipe).unwrap();
        let made = check_all(&spec, 4_000);
        assert_eq!(made.len(), DocumentChange::ALL.len(), "{made:?}");
    }

    #[test]
    fn shares_are_those_of_the_recipe() {
        let spec = PayloadSpec::preset(PayloadPreset::UblInvoice, 42, 100);
        let mut counts = [0; 3];
        for truth in spec.truths(0).take(180) {
            counts[match truth.class() {
                PairClass::Identical => 0,
                PairClass::Equal => 1,
                PairClass::Different => 2,
            }] += 1;
        }
        assert_eq!(counts, [126, 18, 36]);
    }

    #[test]
    fn a_declaration_has_a_space_before_each_of_its_parts() {
        let corpus = |declaration: &str| {
            Corpus::new(vec![(String::new(), format!("{declaration}<a/>").into_bytes())])
        };
        assert!(corpus("<?xml version='1.0'\tencoding=\"utf-8\"\nstandalone='yes' ?>").is_ok());
        for wrong in [
            "<?xml version='1.0'encoding='utf-8'?>",
            "<?xml version='1.0' encoding='utf-8'standalone='yes'?>",
        ] {
            assert!(corpus(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn a_mix_of_any_settings_makes_documents_as_configured(
            seed: u64,
            number in 0_u64..1_000_000,
            depth in 1_u32..60,
            fan_out in 0_u64..5,
            attributes in 0_u64..4,
            text in 0_u64..50,
            size in 0_u64..5_000,
        ) {
            let mut mix = DocumentMix::default();
            for (key, value) in [
                ("depth", u64::from(depth)), ("fan-out", fan_out), ("attributes", attributes),
                ("text", text), ("size", size),
            ] {
                mix.set(key, &value.to_string()).unwrap();
            }
            let spec = PayloadSpec::mix(mix, seed, 1);
            let done: Result<(), ()> = spec.for_each(number, 1, |first, second, truth| {
                check(first, second, truth);
                let text = std::str::from_utf8(first).unwrap();
                let document = oracle::parse(text).unwrap();
                let depths = document.descendants().filter(roxmltree::Node::is_element)
                    .map(|node| node.ancestors().count() - 1);
                assert_eq!(depths.max(), usize::try_from(depth).ok());
                assert!(first.len() >= usize::try_from(size).unwrap());
                Ok(())
            });
            done.unwrap();
        }

        /// What is accepted must be well-formed; some of what is refused may be.
        #[test]
        fn a_damaged_document_is_never_taken_for_a_sound_one(
            which in 0..ODD.len(),
            at: prop::sample::Index,
            length in 0_usize..4,
            instead in "[<>&;'\"/!\\[\\]?=: a-c1\\-]{0,3}",
        ) {
            let mut text: Vec<char> = ODD[which].chars().collect();
            let start = at.index(text.len());
            let end = text.len().min(start + length);
            text.splice(start..end, instead.chars());
            let text: String = text.into_iter().collect();
            let accepted = Corpus::new(vec![(String::new(), text.clone().into_bytes())]).is_ok();
            prop_assert!(!accepted || oracle::parse(&text).is_ok(), "{}", text);
        }
    }
}
