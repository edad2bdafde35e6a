use std::collections::BTreeSet;

use roxmltree::{Document, Node};

use super::{SchemaDocuments, SchemaError, XmlSchema};
use crate::draws::PairRng;

fn read(parts: &str) -> XmlSchema {
    let text = format!(
        "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema' xmlns:t='urn:t' \
         targetNamespace='urn:t' elementFormDefault='qualified'>{parts}</xs:schema>"
    );
    XmlSchema::read(&text, &|_| None).unwrap()
}

fn drawn(documents: &SchemaDocuments, number: u64) -> String {
    let mut out = Vec::new();
    documents.write(&mut out, &mut PairRng::new(7, number));
    String::from_utf8(out).unwrap()
}

/// The documents of the element `R`, each given to a check with its root.
fn each(parts: &str, check: impl Fn(Node<'_, '_>)) {
    let documents = read(parts).documents(Some("R")).unwrap();
    for number in 0..300 {
        let text = drawn(&documents, number);
        let document = Document::parse(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        check(document.root_element());
    }
}

fn names<'a>(node: Node<'a, '_>) -> Vec<&'a str> {
    node.children().filter(Node::is_element).map(|it| it.tag_name().name()).collect()
}

fn values<'a>(root: Node<'a, '_>, element: &str, attribute: &str) -> Vec<&'a str> {
    let elements = root.descendants().filter(|it| it.tag_name().name() == element);
    elements.filter_map(|it| it.attribute(attribute)).collect()
}

#[test]
fn a_number_names_one_document() {
    let schema = read(
        "<xs:element name='R'><xs:complexType><xs:sequence>
           <xs:element name='a' type='xs:string' maxOccurs='unbounded'/>
           <xs:element name='b' type='xs:decimal' minOccurs='0'/>
         </xs:sequence></xs:complexType></xs:element>",
    );
    let documents = schema.documents(None).unwrap();
    let all: Vec<String> = (0..100).map(|number| drawn(&documents, number)).collect();
    assert_eq!(all[17], drawn(&schema.documents(Some("{urn:t}R")).unwrap(), 17));
    assert!(all.iter().collect::<BTreeSet<_>>().len() > 90);
    assert!(all.iter().all(|text| text.starts_with("<t:R xmlns:t=\"urn:t\"><t:a>")));
    assert!(all.iter().any(|text| text.contains("<t:b>")));
    assert!(all.iter().any(|text| !text.contains("<t:b>")));
}

#[test]
fn branches_orders_and_substitutes_are_drawn() {
    let parts = "
        <xs:element name='Head' abstract='true' type='xs:string'/>
        <xs:element name='One' substitutionGroup='t:Head' type='xs:string'/>
        <xs:element name='Two' substitutionGroup='t:One' type='xs:string'/>
        <xs:element name='R'><xs:complexType><xs:sequence>
          <xs:element ref='t:Head'/>
          <xs:element name='all'><xs:complexType><xs:all>
            <xs:element name='x'/><xs:element name='y'/><xs:element name='z' minOccurs='0'/>
          </xs:all></xs:complexType></xs:element>
          <xs:choice maxOccurs='3'><xs:element name='c' type='xs:int'/><xs:element name='d'/></xs:choice>
          <xs:any namespace='##other' processContents='lax' minOccurs='0'/>
        </xs:sequence></xs:complexType></xs:element>";
    let seen = std::cell::RefCell::new(BTreeSet::new());
    each(parts, |root| {
        let found = names(root);
        assert!(["One", "Two"].contains(&found[0]), "{found:?}");
        let choices = found.iter().filter(|name| ["c", "d"].contains(name)).count();
        assert!((1..=3).contains(&choices), "{found:?}");
        let all = root.children().find(|it| it.tag_name().name() == "all").unwrap();
        let inner = names(all);
        assert!(inner.contains(&"x") && inner.contains(&"y"), "{inner:?}");
        let mut seen = seen.borrow_mut();
        seen.extend(found.iter().map(|it| (*it).to_owned()));
        seen.insert(inner.concat());
    });
    let seen = seen.into_inner();
    for wanted in ["One", "Two", "c", "d", "extension", "xy", "yx", "zyx", "yxz"] {
        assert!(seen.contains(wanted), "{wanted} in {seen:?}");
    }
}

#[test]
fn abstract_types_are_named_and_nil_elements_are_empty() {
    let parts = "
        <xs:complexType name='Shape' abstract='true'><xs:attribute name='id' type='xs:ID'/></xs:complexType>
        <xs:complexType name='Dot'><xs:complexContent><xs:extension base='t:Shape'/></xs:complexContent></xs:complexType>
        <xs:complexType name='Line'><xs:complexContent><xs:extension base='t:Shape'>
          <xs:sequence><xs:element name='to' type='xs:int'/></xs:sequence>
        </xs:extension></xs:complexContent></xs:complexType>
        <xs:element name='R'><xs:complexType><xs:sequence>
          <xs:element name='shape' type='t:Shape' maxOccurs='4'/>
          <xs:element name='note' type='xs:string' nillable='true'/>
        </xs:sequence></xs:complexType></xs:element>";
    let instance = "http://www.w3.org/2001/XMLSchema-instance";
    let nils = std::cell::Cell::new(0);
    each(parts, |root| {
        for shape in root.children().filter(|it| it.tag_name().name() == "shape") {
            match shape.attribute((instance, "type")) {
                Some("t:Dot") => assert_eq!(names(shape), [""; 0]),
                Some("t:Line") => assert_eq!(names(shape), ["to"]),
                other => panic!("{other:?}"),
            }
        }
        let note = root.last_element_child().unwrap();
        if note.attribute((instance, "nil")) == Some("true") {
            assert_eq!(note.text(), None);
            nils.set(nils.get() + 1);
        }
    });
    assert!((10..100).contains(&nils.get()), "{}", nils.get());
}

#[test]
fn keys_differ_and_references_lead_to_them() {
    let parts = "
        <xs:element name='R'>
          <xs:complexType><xs:sequence>
            <xs:element name='use' minOccurs='0' maxOccurs='9'><xs:complexType>
              <xs:attribute name='id' type='xs:IDREF' use='required'/></xs:complexType></xs:element>
            <xs:element name='part' maxOccurs='unbounded'><xs:complexType>
              <xs:attribute name='no' type='xs:int'/><xs:attribute name='me' type='xs:ID'/>
              <xs:attribute name='size' type='t:Size'/></xs:complexType></xs:element>
            <xs:element name='line' minOccurs='0' maxOccurs='unbounded' type='xs:int'/>
          </xs:sequence></xs:complexType>
          <xs:key name='no'><xs:selector xpath='t:part'/><xs:field xpath='@no'/></xs:key>
          <xs:unique name='size'><xs:selector xpath='t:part'/><xs:field xpath='@size'/></xs:unique>
          <xs:keyref name='line' refer='t:no'><xs:selector xpath='t:line'/><xs:field xpath='.'/></xs:keyref>
        </xs:element>
        <xs:simpleType name='Size'><xs:restriction base='xs:token'>
          <xs:enumeration value='S'/><xs:enumeration value='M'/></xs:restriction></xs:simpleType>";
    let lines = std::cell::Cell::new(0);
    each(parts, |root| {
        let (keys, parts) = (values(root, "part", "no"), names(root));
        let parts = parts.iter().filter(|name| **name == "part").count();
        assert_eq!(keys.len(), parts, "a key is there always");
        for values in [&keys, &values(root, "part", "size"), &values(root, "part", "me")] {
            assert_eq!(values.iter().collect::<BTreeSet<_>>().len(), values.len(), "{values:?}");
        }
        let ids = values(root, "part", "me");
        assert!(values(root, "use", "id").iter().all(|id| ids.contains(id)));
        for line in root.children().filter(|it| it.tag_name().name() == "line") {
            assert!(keys.contains(&line.text().unwrap()));
            lines.set(lines.get() + 1);
        }
    });
    assert!(lines.get() > 50, "{}", lines.get());
}

#[test]
fn values_are_of_their_types_in_all_documents() {
    let parts = "
        <xs:element name='R'><xs:complexType><xs:sequence>
          <xs:element name='code' type='t:Short'/>
          <xs:element name='list'><xs:simpleType><xs:restriction>
            <xs:simpleType><xs:list itemType='xs:unsignedByte'/></xs:simpleType>
            <xs:minLength value='2'/><xs:maxLength value='3'/></xs:restriction></xs:simpleType></xs:element>
          <xs:element name='either'><xs:simpleType><xs:union memberTypes='xs:boolean t:Short'/></xs:simpleType></xs:element>
          <xs:element name='fixed' type='xs:int' fixed='007'/>
        </xs:sequence></xs:complexType></xs:element>
        <xs:simpleType name='Code'><xs:restriction base='xs:string'><xs:pattern value='[A-Z]{2,9}&lt;\\d+'/></xs:restriction></xs:simpleType>
        <xs:simpleType name='Short'><xs:restriction base='t:Code'><xs:pattern value='[A-M&lt;0-9]*'/><xs:maxLength value='6'/></xs:restriction></xs:simpleType>";
    let code = regex::Regex::new("^[A-M]{2,9}<[0-9]+$").unwrap();
    let is_code = |text: &str| code.is_match(text) && text.len() <= 6;
    each(parts, |root| {
        let texts: Vec<&str> = root.children().map(|it| it.text().unwrap_or_default()).collect();
        assert!(is_code(texts[0]), "{}", texts[0]);
        let items: Vec<u8> = texts[1].split(' ').map(|it| it.parse().unwrap()).collect();
        assert!((2..=3).contains(&items.len()));
        assert!(["true", "false"].contains(&texts[2]) || is_code(texts[2]), "{}", texts[2]);
        assert_eq!(texts[3], "007");
    });
}

#[test]
fn what_is_redefined_takes_the_place_of_what_was_there() {
    let head = "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema'";
    let text = format!(
        "{head}><xs:redefine schemaLocation='old.xsd'>
           <xs:complexType name='P'><xs:complexContent><xs:extension base='P'>
             <xs:sequence><xs:element name='b'/></xs:sequence>
           </xs:extension></xs:complexContent></xs:complexType>
         </xs:redefine></xs:schema>"
    );
    let old = format!(
        "{head}><xs:element name='R' type='P'/><xs:complexType name='P'>
           <xs:sequence><xs:element name='a'/></xs:sequence></xs:complexType></xs:schema>"
    );
    let schema = XmlSchema::read(&text, &|path| (path == "old.xsd").then(|| old.clone())).unwrap();
    assert_eq!(drawn(&schema.documents(None).unwrap(), 0), "<R><a/><b/></R>");
}

#[test]
fn what_cannot_be_made_is_refused_by_name() {
    let said = |content: &str| {
        let parts = format!(
            "<xs:element name='R'><xs:complexType><xs:sequence>{content}</xs:sequence>\
             </xs:complexType></xs:element><xs:element name='Off' abstract='true'/>"
        );
        match read(&parts).documents(Some("R")) {
            Ok(_) => "made".to_owned(),
            Err(error) => error.to_string(),
        }
    };
    let typed = |inner: &str| {
        format!(
            "<xs:element name='e'><xs:simpleType><xs:restriction base='xs:string'>{inner}\
             </xs:restriction></xs:simpleType></xs:element>"
        )
    };
    let said = [
        said("<xs:element name='e' type='xs:ENTITY'/>"),
        said("<xs:element name='e' type='xs:ENTITY' minOccurs='0'/>"),
        said("<xs:element name='e' type='t:Nothing'/>"),
        said("<xs:element ref='t:Nothing'/>"),
        said("<xs:element ref='t:Off'/>"),
        said("<xs:element ref='t:R'/>"),
        said("<xs:element name='e' type='xs:IDREF'/>"),
        said("<xs:element name='e' minOccurs='4000000000'/>"),
        said("<xs:any namespace='urn:nothing'/>"),
        said("<xs:group ref='t:Nothing'/>"),
        said(&typed("<xs:pattern value='[A-Z]{3}'/><xs:maxLength value='2'/>")),
        said(&typed("<xs:pattern value='\\p{IsNothing}'/>")),
        said(&typed("<xs:assertion test='true()'/>")),
        said(
            "<xs:element name='e'><xs:complexType><xs:assert test='true()'/></xs:complexType></xs:element>",
        ),
    ];
    insta::assert_snapshot!(said.join("\n"), @r#"
    no document is made of the element `e`, which needs values of `xs:ENTITY`
    made
    no document is made of the element `e`, which needs the type `Nothing`, which is not declared
    no document is made of the element `R`, which needs the element `Nothing`, which is not declared
    no document is made of the element `R`, which needs the abstract `Off`, in whose place nothing may stand
    no document is made of the element `R`, which needs content that leads back to itself without an end
    no document is made of the element `R`, which needs references (`xs:keyref`, `xs:IDREF`) to what no document has to hold
    no document is made of the element `R`, which needs `minOccurs="4000000000"`
    no document is made of the element `R`, which needs `xs:any` where no element is declared that may stand there
    no document is made of the element `R`, which needs the group `Nothing`, which is not declared
    no document is made of the element `e`, which needs the pattern `[A-Z]{3}`
    no document is made of the element `e`, which needs the pattern `\p{IsNothing}`
    no document is made of the element `e`, which needs `xs:assertion`
    no document is made of the element `e`, which needs `xs:assert`
    "#);
    assert!(matches!(
        read("<xs:element name='A'/><xs:element name='B'/>").documents(None),
        Err(SchemaError::SeveralRoots { .. })
    ));
    assert!(matches!(XmlSchema::read("<a/>", &|_| None), Err(SchemaError::Other(_))));
    assert!(matches!(XmlSchema::read("<a", &|_| None), Err(SchemaError::Xml(_))));
}
