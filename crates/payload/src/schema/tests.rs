use roxmltree::Document;

use super::{QualifiedName, XmlSchema, joined};

fn schema(files: &[(&str, &str)]) -> XmlSchema {
    let text = format!(
        "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema' xmlns:t='urn:t' \
         targetNamespace='urn:t' elementFormDefault='qualified'>{}</xs:schema>",
        files[0].1
    );
    let document = Document::parse(&text).unwrap();
    let mut schema = XmlSchema::default();
    let found = |path: &str| {
        files[1..].iter().find(|(name, _)| *name == path).map(|(_, text)| (*text).to_owned())
    };
    schema.add(document.root_element(), &found);
    schema
}

fn document(text: &str, root: &str) -> Option<String> {
    schema(&[("", text)]).document(&QualifiedName::new("urn:t", root))
}

#[test]
fn a_document_has_what_its_type_wants_in_order() {
    let text = "
        <xs:element name='Order' type='t:Order'/>
        <xs:complexType name='Base'>
          <xs:sequence><xs:element name='Id' type='xs:positiveInteger'/></xs:sequence>
          <xs:attribute name='version' type='xs:decimal' use='required'/>
        </xs:complexType>
        <xs:complexType name='Order'><xs:complexContent><xs:extension base='t:Base'>
          <xs:sequence>
            <xs:element name='Line' minOccurs='2' maxOccurs='unbounded'>
              <xs:complexType><xs:simpleContent><xs:extension base='xs:string'>
                <xs:attribute name='unit' use='required'><xs:simpleType>
                  <xs:restriction base='xs:token'><xs:enumeration value='kg'/></xs:restriction>
                </xs:simpleType></xs:attribute>
              </xs:extension></xs:simpleContent></xs:complexType>
            </xs:element>
            <xs:choice><xs:element name='Card' type='t:Card'/><xs:element name='Cash'/></xs:choice>
            <xs:element name='Note' type='xs:date' minOccurs='0'/>
            <xs:element name='None' minOccurs='0' maxOccurs='0'/>
          </xs:sequence>
        </xs:extension></xs:complexContent></xs:complexType>
        <xs:simpleType name='Card'><xs:restriction base='xs:string'>
          <xs:pattern value='[0-9]{4}-\\d{4}'/></xs:restriction></xs:simpleType>";
    insta::assert_snapshot!(
        document(text, "Order").unwrap(),
        @r#"<n0:Order xmlns:n0="urn:t" version="1"><n0:Id>1</n0:Id><n0:Line unit="kg">text</n0:Line><n0:Line unit="kg">text</n0:Line><n0:Card>0000-0000</n0:Card><n0:Note>2026-01-31</n0:Note></n0:Order>"#
    );
}

#[test]
fn a_type_within_itself_ends_as_early_as_it_may() {
    let tree = "
        <xs:element name='Node'><xs:complexType><xs:sequence>
          <xs:element name='Name' type='xs:string'/>
          <xs:element ref='t:Node' minOccurs='0' maxOccurs='unbounded'/>
        </xs:sequence></xs:complexType></xs:element>
        <xs:element name='Either'><xs:complexType><xs:choice>
          <xs:element ref='t:Either'/><xs:element name='End' type='xs:boolean'/>
        </xs:choice></xs:complexType></xs:element>
        <xs:element name='Endless'><xs:complexType><xs:sequence>
          <xs:element ref='t:Endless'/><xs:element ref='t:Endless'/>
        </xs:sequence></xs:complexType></xs:element>";
    assert_eq!(
        document(tree, "Node").unwrap(),
        "<n0:Node xmlns:n0=\"urn:t\"><n0:Name>text</n0:Name></n0:Node>"
    );
    assert_eq!(
        document(tree, "Either").unwrap(),
        "<n0:Either xmlns:n0=\"urn:t\"><n0:End>true</n0:End></n0:Either>"
    );
    assert_eq!(document(tree, "Endless"), None);
    assert_eq!(document(tree, "Missing"), None);
}

#[test]
fn values_keep_their_facets() {
    let value = |base: &str, facets: &str| {
        let text = format!(
            "<xs:element name='V'><xs:simpleType><xs:restriction base='{base}'>{facets}\
             </xs:restriction></xs:simpleType></xs:element>"
        );
        let document = document(&text, "V")?;
        let document = Document::parse(&document).unwrap();
        Some(document.root_element().text().unwrap_or_default().to_owned())
    };
    let is = |base: &str, facets: &str, expected: &str| {
        assert_eq!(value(base, facets).as_deref(), Some(expected), "{base} {facets}");
    };
    is("xs:int", "<xs:minExclusive value='41'/>", "42");
    is("xs:byte", "<xs:maxInclusive value='-3'/>", "-3");
    is("xs:decimal", "<xs:minInclusive value='0.05'/><xs:maxInclusive value='0.5'/>", "0.05");
    is("xs:negativeInteger", "", "-1");
    is("xs:string", "<xs:length value='6'/>", "textxx");
    is("xs:string", "<xs:maxLength value='2'/>", "te");
    is("xs:dateTime", "<xs:minInclusive value='2030-01-01T00:00:00Z'/>", "2030-01-01T00:00:00Z");
    is("xs:hexBinary", "<xs:length value='3'/>", "000000");
    is("xs:string", "<xs:pattern value='$[A-Z-[A-C]]\\i'/>", "$DA");
    is("xs:ID", "", "id1");
    assert_eq!(value("xs:int", "<xs:minInclusive value='5'/><xs:maxInclusive value='4'/>"), None);
}

#[test]
fn hostile_schemas_end() {
    let union = |n: u32| {
        let members = format!("t:U{0} t:U{0}", n + 1);
        format!("<xs:simpleType name='U{n}'><xs:union memberTypes='{members}'/></xs:simpleType>")
    };
    let unions = (0..40).map(union).collect::<Vec<_>>().concat();
    let groups = "<xs:attributeGroup name='G'><xs:attributeGroup ref='t:G'/><xs:attributeGroup ref='t:G'/>\
                  </xs:attributeGroup><xs:complexType name='T'><xs:attributeGroup ref='t:G'/></xs:complexType>";
    let circle = "<xs:simpleType name='C'><xs:restriction base='t:C'/></xs:simpleType>";
    let many = "<xs:element name='Many'><xs:complexType><xs:sequence minOccurs='4000000000'>\
                <xs:sequence/></xs:sequence></xs:complexType></xs:element>";
    let elements = "<xs:element name='U' type='t:U0'/><xs:element name='G' type='t:T'/>\
                    <xs:element name='C' type='t:C'/>";
    let text = format!("{unions}{groups}{circle}{many}{elements}");
    for root in ["U", "C", "Many"] {
        assert_eq!(document(&text, root), None, "{root}");
    }
    assert_eq!(document(&text, "G").as_deref(), Some("<n0:G xmlns:n0=\"urn:t\"/>"));
}

#[test]
fn documents_that_are_included_and_imported_are_found_from_where_they_are_named() {
    let head = "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema'";
    let order = format!(
        "{head} xmlns:m='urn:m'><xs:import namespace='urn:m' schemaLocation='../m.xsd'/>\
                         <xs:element name='Order'><xs:complexType><xs:sequence>\
                         <xs:element ref='m:Sum'/></xs:sequence></xs:complexType></xs:element></xs:schema>"
    );
    let sum = format!(
        "{head} targetNamespace='urn:m'><xs:include schemaLocation='a/order.xsd'/>\
                       <xs:element name='Sum' type='xs:int'/></xs:schema>"
    );
    let found = schema(&[
        ("", "<xs:include schemaLocation='a/order.xsd'/><xs:include schemaLocation='gone.xsd'/>"),
        ("a/order.xsd", &order),
        ("m.xsd", &sum),
    ]);
    assert_eq!(found.missing(), ["gone.xsd"]);
    assert_eq!(
        found.document(&QualifiedName::new("urn:t", "Order")).unwrap(),
        "<n0:Order xmlns:n0=\"urn:t\" xmlns:n1=\"urn:m\"><n1:Sum>1</n1:Sum></n0:Order>"
    );
    assert_eq!(joined("a/b/c.xsd", "../../d.xsd"), "d.xsd");
    assert_eq!(joined("c.xsd", "../d.xsd"), "../d.xsd");
}
