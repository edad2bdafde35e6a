use std::fs;

use proptest::prelude::*;
use suite::Suite;
use suite::config::{self, ConfigOverrides};

use super::{ApiDescription, RequestTables, read};

const ORDERS_XSD: &str = include_str!("fixtures/orders.xsd");

fn beside(path: &str) -> Option<String> {
    (path == "orders.xsd").then(|| ORDERS_XSD.to_owned())
}

fn describe(bytes: &[u8]) -> ApiDescription {
    read(bytes, &beside).unwrap()
}

/// Why a description is refused, with its causes.
fn refusal(bytes: &[u8]) -> String {
    units::text::error_chain(&read(bytes, &beside).unwrap_err())
}

/// The tables as they are written, and the files beside them.
fn written(description: &ApiDescription) -> String {
    let tables = RequestTables::new(description, "api");
    let files = tables.files.iter().map(|file| format!("--- {}\n{}\n", file.path, file.text));
    tables.text.clone() + &files.collect::<String>()
}

/// Reads what is written, as a configuration.
fn suite(description: &ApiDescription) -> Suite {
    let folder = tempfile::tempdir().unwrap();
    let tables = RequestTables::new(description, "api");
    for file in &tables.files {
        let path = folder.path().join(&file.path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, &file.text).unwrap();
    }
    let path = folder.path().join("xmlperf.toml");
    fs::write(&path, config::initial(&<_>::default(), Some(&tables.text))).unwrap();
    let loaded = config::load(&path, &ConfigOverrides::default());
    loaded.unwrap_or_else(|error| panic!("{}\n{}", units::text::error_chain(&error), tables.text))
}

/// An archive as k6 makes it.
fn archive(files: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, text) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        builder.append_data(&mut header, name, text.as_bytes()).unwrap();
    }
    builder.into_inner().unwrap()
}

fn orders_archive() -> Vec<u8> {
    let metadata = r#"{"type": "js", "options": {"thresholds": {
        "http_req_duration": ["p(95)<500", {"threshold": "avg<200", "abortOnFail": true}],
        "http_req_failed": ["rate<0.01"], "checks": ["rate>0.9"]
    }}, "env": {"TOKEN": "hunter2"}}"#;
    let script = include_str!("fixtures/orders.js");
    archive(&[
        ("metadata.json", metadata),
        ("data", script),
        ("file/home/u/order.xml", "<Order><Item>1</Item></Order>"),
    ])
}

#[test]
fn openapi_gives_operations_with_bodies_that_their_schemas_allow() {
    let description = describe(include_bytes!("fixtures/orders.yaml"));
    insta::assert_snapshot!(written(&description), @r#"
    # What is sent is from api (OpenAPI 3): 5 operations.
    # The variable API_AUTHORIZATION must hold the header Authorization; it is written nowhere.
    # Not carried over, or only in part:
    # - /paths/~1orders/trace: no load is sent by TRACE
    # - cancel: it is written and in no mix, as what it deletes is there once
    # - /paths/~1orders~1{id}~1picture/put: no body of `image/png` is made

    [[operation]]
    name = "get-health" # /paths/~1health/get
    method = "GET"
    path = "/v1/health"
    expect = [{ status = 204 }]

    [[operation]]
    name = "search" # /paths/~1orders/get
    method = "GET"
    path = "/v1/orders?state=open"
    headers = { X-Tenant = "acme", Accept = "application/xml", Authorization = { from = "API_AUTHORIZATION" } }
    expect = [{ status = 200 }]

    [[operation]]
    name = "create" # /paths/~1orders/post
    method = "POST"
    path = "/v1/orders"
    content-type = "application/xml"
    template = "xmlperf/create.xml.j2"
    headers = { X-Tenant = "acme", Authorization = { from = "API_AUTHORIZATION" } }
    expect = [{ status = 201 }]

    [[operation]]
    name = "read" # /paths/~1orders~1{id}/get
    method = "GET"
    path = "/v1/orders/1"
    headers = { Authorization = { from = "API_AUTHORIZATION" } }
    expect = [{ status = 200 }]

    [[operation]]
    name = "cancel" # /paths/~1orders~1{id}/delete
    method = "DELETE"
    path = "/v1/orders/1"
    headers = { Authorization = { from = "API_AUTHORIZATION" } }
    expect = [{ status = 204 }]

    [[scenario]]
    name = "traffic"
    # Equal shares, as the description says nothing of them.
    mix = { get-health = 1, search = 1, create = 1, read = 1 }
    limits = { errors = "0 %" }
    --- xmlperf/create.xml.j2
    <?xml version="1.0" encoding="UTF-8"?>
    <Order number="7">
      <reference>ORD-0000</reference>
      <placed>2026-01-31T12:00:00Z</placed>
      <lines>
        <line>
          <text>tex</text>
          <price>1</price>
        </line>
        <line>
          <text>tex</text>
          <price>1</price>
        </line>
      </lines>
    </Order>
    "#);
    suite(&description);
}

#[test]
fn the_same_openapi_in_json_gives_the_same() {
    let yaml = include_str!("fixtures/orders.yaml");
    let value: super::DocumentValue = super::yaml(yaml).unwrap();
    assert_eq!(written(&describe(value.json().as_bytes())), written(&describe(yaml.as_bytes())));
}

#[test]
fn wsdl_gives_envelopes_of_both_versions_of_soap() {
    let description = describe(include_bytes!("fixtures/orders.wsdl"));
    insta::assert_snapshot!(written(&description), @r#"
    # What is sent is from api (WSDL 1.1): 3 operations.
    # Not carried over, or only in part:
    # - Create: the SOAP header `session` is not sent
    # - Old: `use="encoded"` is not made
    # - Plain: this is no binding of SOAP

    [[operation]]
    name = "Create" # binding Soap11
    method = "POST"
    path = "/soap/orders"
    content-type = "text/xml; charset=utf-8"
    template = "xmlperf/Create.xml.j2"
    headers = { SOAPAction = "\"urn:orders:create\"" }

    [[operation]]
    name = "Count" # binding Soap11
    method = "POST"
    path = "/soap/orders"
    content-type = "text/xml; charset=utf-8"
    template = "xmlperf/Count.xml.j2"
    headers = { SOAPAction = "\"\"" }

    [[operation]]
    name = "Create-soap12" # binding Soap12
    method = "POST"
    path = "/soap12/orders"
    content-type = "application/soap+xml; charset=utf-8; action=\"urn:orders:create\""
    template = "xmlperf/Create-soap12.xml.j2"

    [[scenario]]
    name = "traffic"
    # Equal shares, as the description says nothing of them.
    mix = { Create = 1, Count = 1, Create-soap12 = 1 }
    limits = { errors = "0 %" }
    --- xmlperf/Create.xml.j2
    <?xml version="1.0" encoding="UTF-8"?>
    <soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/">
      <soap:Body>
        <n0:Create xmlns:n0="urn:orders"><n0:Order currency="EUR"><n0:Reference>ORD-000000</n0:Reference><n0:Quantity>1</n0:Quantity></n0:Order></n0:Create>
      </soap:Body>
    </soap:Envelope>


    --- xmlperf/Count.xml.j2
    <?xml version="1.0" encoding="UTF-8"?>
    <soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/">
      <soap:Body>
        <o:Count xmlns:o="urn:orders:rpc"><state>text</state><limit>1</limit></o:Count>
      </soap:Body>
    </soap:Envelope>


    --- xmlperf/Create-soap12.xml.j2
    <?xml version="1.0" encoding="UTF-8"?>
    <soap:Envelope xmlns:soap="http://www.w3.org/2003/05/soap-envelope">
      <soap:Body>
        <n0:Create xmlns:n0="urn:orders"><n0:Order currency="EUR"><n0:Reference>ORD-000000</n0:Reference><n0:Quantity>1</n0:Quantity></n0:Order></n0:Create>
      </soap:Body>
    </soap:Envelope>
    "#);
    suite(&description);
}

#[test]
fn a_har_file_gives_the_shares_that_were_seen_and_no_secret() {
    let description = describe(include_bytes!("fixtures/orders.har"));
    insta::assert_snapshot!(written(&description), @r#"
    # What is sent is from api (HAR): 3 operations.
    # The variable API_AUTHORIZATION must hold the header Authorization; it is written nowhere.
    # The variable API_COOKIE must hold the header Cookie; it is written nowhere.
    # The variable API_PASSWORD must hold the field password; it is written nowhere.
    # Not carried over, or only in part:
    # - /log/entries: 1 request for images, styles, scripts and fonts
    # - /log/entries: 1 request, not answered by 2xx
    # - other hosts: 1 request to `cdn.example`
    # - get-orders-id: the header `X-Request-Id` differs from request to request

    [[operation]]
    name = "get-orders-id" # /log/entries/2
    method = "GET"
    path = "/orders/{{ [\"17\", \"18\"][index % 2] }}?view=full"
    headers = { Accept = "application/xml", Authorization = { from = "API_AUTHORIZATION" } }
    expect = [{ status = 200 }]

    [[operation]]
    name = "post-orders" # /log/entries/4
    method = "POST"
    path = "/orders"
    content-type = "application/xml"
    kind = "raw-xml"
    corpus = "xmlperf/post-orders"
    headers = { Cookie = { from = "API_COOKIE" } }
    expect = [{ status = 201 }]

    [[operation]]
    name = "post-login" # /log/entries/1
    method = "POST"
    path = "/login"
    content-type = "application/json"
    template = "xmlperf/post-login.json.j2"
    expect = [{ status = 200 }]

    [[scenario]]
    name = "traffic"
    # The shares are those of the recording.
    mix = { get-orders-id = 2, post-orders = 2, post-login = 1 }
    limits = { errors = "0 %" }
    --- xmlperf/post-orders/0001.xml
    <Order><Item>1</Item></Order>
    --- xmlperf/post-orders/0002.xml
    <Order><Item>{{2}}</Item></Order>
    --- xmlperf/post-login.json.j2
    {
      "user": "ada",
      "password": "{{ env.API_PASSWORD }}"
    }
    "#);
    let names = suite(&description).request_variables();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    assert_eq!(names, ["API_AUTHORIZATION", "API_COOKIE", "API_PASSWORD"]);
}

#[test]
fn a_url_in_parts_is_that_of_a_postman_request() {
    let collection = r#"{
        "info": {"schema": "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"},
        "item": [{"name": "Find", "request": {"method": "GET", "url": {
            "host": ["{{baseUrl}}"], "path": ["orders", ":id"],
            "variable": [{"key": "id", "value": "7"}],
            "query": [{"key": "full", "value": "1"}, {"key": "page", "value": "2", "disabled": true}]
        }}}]
    }"#;
    let written = written(&describe(collection.as_bytes()));
    assert!(written.contains("path = \"/orders/7?full=1\""), "{written}");
}

#[test]
fn a_postman_collection_gives_its_requests() {
    let description = describe(include_bytes!("fixtures/orders.postman.json"));
    insta::assert_snapshot!(written(&description), @r#"
    # What is sent is from api (a Postman collection): 2 operations.
    # The variable API_AUTHORIZATION must hold the header Authorization; it is written nowhere.
    # The variable API_KEY must hold the parameter api_key; it is written nowhere.
    # The variable API_TOKEN must hold the value of Token; it is written nowhere.
    # The variable API_WAREHOUSE must hold the variable warehouse; it is written nowhere.
    # Not carried over, or only in part:
    # - the collection: what runs before a request is code, which is not run
    # - Create an order: a test of the answer is code, which is not run
    # - Create an order: `warehouse` has no value in it and is taken from the environment
    # - Upload: no body of `formdata` is made

    [[operation]]
    name = "Create-an-order" # /item/0/item/0/request
    method = "POST"
    path = "/orders"
    content-type = "application/xml"
    text = "<Order id='{{ uuid }}'><Token>{{ env.API_TOKEN }}</Token><Warehouse>{{ env.API_WAREHOUSE }}</Warehouse></Order>"
    headers = { X-Tenant = "acme", Authorization = { from = "API_AUTHORIZATION" } }

    [[operation]]
    name = "Read-it" # /item/0/item/1/request
    method = "GET"
    path = "/orders/17?view=full&api_key={{ env.API_KEY }}"

    [[scenario]]
    name = "traffic"
    # Equal shares, as the description says nothing of them.
    mix = { Create-an-order = 1, Read-it = 1 }
    limits = { errors = "0 %" }
    "#);
    suite(&description);
}

#[test]
fn an_access_log_gives_what_needs_no_body() {
    let description = describe(include_bytes!("fixtures/access.log"));
    insta::assert_snapshot!(written(&description), @r#"
    # What is sent is from api (an access log): 3 operations.
    # The variable API_TOKEN must hold the parameter token; it is written nowhere.
    # Not carried over, or only in part:
    # - POST /orders: 1 request with a body, which is not recorded
    # - the log: 1 request, not answered by 2xx
    # - the log: 1 line, not of a request

    [[operation]]
    name = "get-orders-id" # line 2
    method = "GET"
    path = "/orders/{{ [\"17\", \"18\"][index % 2] }}"
    expect = [{ status = 200 }]

    [[operation]]
    name = "get-orders" # line 1
    method = "GET"
    path = "/orders?state=open"
    expect = [{ status = 200 }]

    [[operation]]
    name = "get-report" # line 6
    method = "GET"
    path = "/report?token={{ env.API_TOKEN }}&day=1"
    expect = [{ status = 200 }]

    [[scenario]]
    name = "traffic"
    # The shares are those of the recording.
    mix = { get-orders-id = 3, get-orders = 1, get-report = 1 }
    limits = { errors = "0 %" }
    "#);
    suite(&description);
}

#[test]
fn an_archive_of_k6_gives_the_calls_that_are_written_as_texts() {
    let description = describe(&orders_archive());
    insta::assert_snapshot!(written(&description), @r#"
    # What is sent is from api (an archive of k6): 2 operations.
    # The variable API_AUTHORIZATION must hold the header Authorization; it is written nowhere.
    # Not carried over, or only in part:
    # - line 12 of the script: a request whose address is computed
    # - thresholds: no limit here says `http_req_duration avg<200`
    # - thresholds: no limit here says `checks rate>0.9`

    [[operation]]
    name = "post-v1-orders" # line 8 of the script
    method = "POST"
    path = "/v1/orders"
    content-type = "application/xml"
    text = "<Order><Item>1</Item></Order>"
    headers = { Authorization = { from = "API_AUTHORIZATION" } }

    [[operation]]
    name = "get-v1-orders" # line 13 of the script
    method = "GET"
    path = "/v1/orders?state=open"
    headers = { Accept = "application/xml" }

    [[scenario]]
    name = "traffic"
    # Equal shares, as the description says nothing of them.
    mix = { post-v1-orders = 1, get-v1-orders = 1 }
    limits = { p95 = "<= 500 ms", errors = "1 %" }
    "#);
    suite(&description);
}

#[test]
fn a_summary_of_k6_gives_the_requests_that_its_tags_name() {
    let description = describe(include_bytes!("fixtures/orders.summary.json"));
    insta::assert_snapshot!(written(&description), @r#"
    # What is sent is from api (a summary of k6): 1 operation.
    # Not carried over, or only in part:
    # - /metrics/http_reqs{method:POST,name:~1v1~1orders}: 1 request with a body, which is not recorded
    # - thresholds: no limit here says `http_req_duration avg<5`

    [[operation]]
    name = "get-v1-orders" # /metrics/http_reqs{name:https:~1~1shop.example~1v1~1orders}
    method = "GET"
    path = "/v1/orders"

    [[scenario]]
    name = "traffic"
    # The shares are those of the recording.
    mix = { get-v1-orders = 1 }
    limits = { p95 = "<= 20 ms", errors = "1 %" }
    "#);
    suite(&description);
}

#[test]
fn no_secret_of_a_fixture_is_written() {
    let fixtures: [&[u8]; 4] = [
        include_bytes!("fixtures/orders.har"),
        include_bytes!("fixtures/orders.postman.json"),
        include_bytes!("fixtures/access.log"),
        &orders_archive(),
    ];
    for fixture in fixtures {
        assert!(fixture.windows(7).any(|bytes| bytes == b"hunter2"));
        let text = written(&describe(fixture));
        assert!(!text.contains("hunter2"), "{text}");
        assert!(!text.contains("203.0.113"), "{text}");
    }
}

#[test]
fn what_cannot_be_read_is_named_with_its_place() {
    let said = [
        "",
        "hello",
        "{\"a\": 1}",
        "{\"openapi\": \"3.1.0\",\n \"paths\": {,}}",
        "{\"openapi\": \"3.0.0\"}",
        "{\"openapi\": \"4.0\", \"paths\": {}}",
        "{\"swagger\": \"2.0\"}",
        "openapi: 3.0.0\npaths:\n\t/a: {}",
        "{\"openapi\": \"3.0.0\", \"paths\": {\"/a\": {\"get\": {\"parameters\": [{\"$ref\": \"#/b\"}]}}}}",
        "{\"openapi\": \"3.0.0\", \"paths\": {\"/a\": {\"$ref\": \"#/x\"}}, \"x\": {\"$ref\": \"#/x\"}}",
        "{\"openapi\": \"3.0.0\", \"paths\": {}}",
        "<html/>",
        "<a",
        "<description xmlns='http://www.w3.org/ns/wsdl'/>",
        "{\"log\": {\"entries\": [{\"request\": {\"method\": 7}}]}}",
        "{\"metrics\": {}}",
        "{\"info\": {\"schema\": \"v1\"}, \"item\": []}",
    ]
    .map(|text| format!("{}\n", refusal(text.as_bytes())));
    insta::assert_snapshot!(said.concat(), @r"
    this is no known description of an API: it is empty
    this is no known description of an API: it is text that begins with `hello`
    this is no known description of an API: it is JSON or YAML with `a`
    this is not JSON: key must be a string at line 2 column 12
    /paths is missing
    /openapi: `4.0` is not a version of OpenAPI from 3.0 on
    /swagger: `2.0` is not a version of OpenAPI from 3.0 on
    this is not YAML: line 3 column 2: tabs disallowed within this context (block indentation)
    /paths/~1a/get/parameters/0: there is no `#/b` in the document
    /paths/~1a: the `$ref` leads around in a circle
    nothing in it can be sent: it has no operation
    this is no known description of an API: it is XML whose root is `html`
    this is not XML: the document does not have a root node
    /: `description` is not a `definitions` of WSDL 1.1
    /log/entries/0/request/method: `7` is not a text
    nothing in it can be sent: a summary of k6 names no request; `k6 archive SCRIPT` makes a file that does
    /info/schema: `v1` is not a collection of version 2
    ");
    assert!(refusal(&[0xff, 0xfe]).contains("not text in UTF-8"));
    assert!(refusal(&archive(&[("data", "")])).contains("`metadata.json` is missing"));
}

#[test]
fn a_schema_within_itself_and_a_deep_document_end() {
    let tree = r##"{"openapi": "3.1.0", "paths": {"/a": {"post": {"requestBody": {"content": {
        "application/xml": {"schema": {"$ref": "#/components/schemas/T"}}}}}}},
        "components": {"schemas": {"T": {"type": "object", "properties": {
            "name": {"type": ["null", "string"]},
            "left": {"$ref": "#/components/schemas/T"},
            "many": {"type": "array", "minItems": 4000000000, "items": {"$ref": "#/components/schemas/T"}}}}}}}"##;
    let text = written(&describe(tree.as_bytes()));
    assert!(text.contains("<T>\n  <name>text</name>\n</T>"), "{text}");
    for open in ["[", "{\"a\":", "<a>", "- "] {
        let deep = open.repeat(200_000);
        assert!(read(deep.as_bytes(), &beside).is_err());
    }
    let lines: Vec<String> =
        (1..30).map(|n| format!("a{n}: &a{n} [*a{0}, *a{0}]\n", n - 1)).collect();
    let bomb = format!("a0: &a0 [x, x]\n{}", lines.concat());
    assert!(read(format!("openapi: 3.0.0\n{bomb}").as_bytes(), &beside).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// A description that is cut, or changed at one place, is refused or read: it never ends the program, and
    /// what is written of it can always be read.
    #[test]
    fn whatever_is_read_can_be_written_and_read_again(
        number in 0_usize..7,
        cut in 0.0..1.0_f64,
        text in "[a-z\"'{}<>/%\\\\\n0]{0,6}",
    ) {
        let fixtures: [Vec<u8>; 7] = [
            include_bytes!("fixtures/orders.yaml").to_vec(),
            include_bytes!("fixtures/orders.har").to_vec(),
            include_bytes!("fixtures/orders.wsdl").to_vec(),
            include_bytes!("fixtures/orders.postman.json").to_vec(),
            include_bytes!("fixtures/access.log").to_vec(),
            include_bytes!("fixtures/orders.summary.json").to_vec(),
            orders_archive(),
        ];
        let mut bytes = fixtures[number].clone();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a length")]
        let at = (cut * bytes.len() as f64) as usize;
        bytes.splice(at..(at + text.len()).min(bytes.len()), text.bytes());
        if let Ok(description) = read(&bytes, &beside) {
            suite(&description);
        }
        bytes.truncate(at);
        drop(read(&bytes, &beside));
    }
}
