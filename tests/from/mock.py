"""Answers as a description of an API says, and refuses what it does not allow.

mock.py KIND FILE PORT    KIND: openapi, har, wsdl, k6, log
"""

import json
import re
import sys
import tempfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

METHODS = ("get", "put", "post", "delete", "options", "head", "patch")
WSDL = "{http://schemas.xmlsoap.org/wsdl/}"
SCHEMA = "{http://www.w3.org/2001/XMLSchema}"
ENVELOPES = ("http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope")


class OpenApi:
    """Knows operations by method and path, with the parameters and bodies that they need."""

    def __init__(self, text: str):
        import yaml

        self.document = yaml.safe_load(text)
        self.routes = []
        for path, item in self.document.get("paths", {}).items():
            pattern = re.compile("(?:.*)?" + re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(path)) + "/?")
            item = self.resolve(item)
            for method in METHODS:
                if method in item:
                    shared = item.get("parameters", [])
                    self.routes.append((method, path.count("{"), pattern, item[method], shared))
        # A path without parameters before one with some.
        self.routes.sort(key=lambda route: route[1])

    def resolve(self, value):
        for _ in range(10):
            if not (isinstance(value, dict) and "$ref" in value):
                return value
            place = self.document
            for part in value["$ref"].removeprefix("#/").split("/"):
                place = place[part.replace("~1", "/").replace("~0", "~")]
            value = place
        return value

    def answer(self, method, target, headers, body):
        url = urlsplit(target)
        for route, _, pattern, operation, shared in self.routes:
            if route == method.lower() and pattern.fullmatch(unquote(url.path)):
                wrong = self.wrong(operation, shared, parse_qs(url.query, keep_blank_values=True), headers, body)
                if wrong:
                    return 400, "text/plain", wrong
                return self.right(operation, headers)
        return 404, "text/plain", f"no operation {method} {url.path}"

    def wrong(self, operation, shared, query, headers, body):
        for parameter in map(self.resolve, [*shared, *operation.get("parameters", [])]):
            name = parameter.get("name", "")
            if parameter.get("required") and parameter.get("in") == "query":
                if not any(key == name or key.startswith(name + "[") for key in query):
                    return f"the query has no `{name}`"
            if parameter.get("required") and parameter.get("in") == "header" and name not in headers:
                return f"there is no header `{name}`"
        wanted = self.resolve(operation.get("requestBody", {}))
        if not wanted:
            return None
        if wanted.get("required") and not body:
            return "there is no body"
        kind = (headers.get("Content-Type") or "").split(";")[0].strip().lower()
        content = {name.split(";")[0].lower(): media for name, media in wanted.get("content", {}).items()}
        if body and kind not in content and "*/*" not in content:
            return f"no body of `{kind}` is known"
        if body and kind.endswith("json"):
            return self.wrong_json(content.get(kind, {}).get("schema"), body)
        return None

    def wrong_json(self, schema, body):
        import jsonschema

        try:
            value = json.loads(body)
        except ValueError as error:
            return str(error)
        if schema is None:
            return None
        rules = {"allOf": [schema], "components": self.document.get("components", {})}
        try:
            error = next(jsonschema.Draft202012Validator(rules).iter_errors(value), None)
        except Exception:  # Schemas of OpenAPI 3.0 are not all schemas of JSON Schema.
            return None
        return error and error.message

    def right(self, operation, headers):
        answers = operation.get("responses", {})
        success = sorted(str(status) for status in answers if str(status).startswith("2"))
        status = success[0] if success else "200"
        code = int(status) if status.isdigit() else 200
        found = {str(key): value for key, value in answers.items()}
        content = self.resolve(found.get(status, found.get("default", {}))).get("content", {})
        accepted = headers.get("Accept") or "*/*"
        names = sorted(content, key=lambda name: name not in accepted)
        if not names or code == 204:
            return code, None, ""
        media = content[names[0]]
        examples = [self.resolve(it).get("value") for it in media.get("examples", {}).values()]
        value = media.get("example", examples[0] if examples else self.made(media.get("schema", {}), 0))
        if "xml" in names[0] and not isinstance(value, str):
            value = "<answer/>"
        return code, names[0], value if isinstance(value, str) and "json" not in names[0] else json.dumps(value, default=str)

    def made(self, schema, depth):
        schema = self.resolve(schema) if isinstance(schema, dict) else {}
        for key in ("example", "default", "const"):
            if key in schema:
                return schema[key]
        if "enum" in schema:
            return schema["enum"][0]
        if depth > 5:
            return None
        for key in ("allOf", "oneOf", "anyOf"):
            if schema.get(key):
                return self.made(schema[key][0], depth + 1)
        kind = schema.get("type")
        kind = kind[0] if isinstance(kind, list) else kind
        if kind == "array":
            return [self.made(schema.get("items", {}), depth + 1)]
        if kind == "object" or "properties" in schema:
            return {name: self.made(inner, depth + 1) for name, inner in schema.get("properties", {}).items()}
        return {"integer": 1, "number": 1.5, "boolean": True, "string": "text"}.get(kind)


class Recording:
    """Answers requests of a HAR file as they were answered."""

    def __init__(self, text: str):
        self.answers = {}
        for entry in json.loads(text)["log"]["entries"]:
            request, response = entry["request"], entry["response"]
            content = response.get("content", {})
            answer = (response["status"], content.get("mimeType") or None, content.get("text", ""))
            self.answers[(request["method"], urlsplit(request["url"]).path)] = answer

    def answer(self, method, target, headers, body):
        known = self.answers.get((method, urlsplit(target).path))
        return known or (404, "text/plain", "not recorded")


class SentRequests:
    """Answers requests that k6 sent as well: the same method, address, media type and body."""

    def __init__(self, text: str):
        self.sent = [tuple(request) for request in json.loads(text)]

    def answer(self, method, target, headers, body):
        same = [request for request in self.sent if request[:2] == (method, target)]
        kind = headers.get("Content-Type") or ""
        # k6 names no media type where the script names none.
        known = any(sent_body == body.decode("latin-1") and sent_kind in (kind, "") for _, _, sent_kind, sent_body in same)
        if same and not known:
            return 400, "text/plain", f"sent as {same}"
        return (200, "text/plain", "known") if same else (404, "text/plain", "not sent")


class AccessLog:
    """Answers requests of a log by the statuses that they had. What was in a client's cache is answered in full."""

    LINE = re.compile(r'\] "(\S+) (\S+) HTTP/[\d.]+" (\d+) ')

    def __init__(self, text: str):
        self.statuses = {}
        for method, target, status in self.LINE.findall(text):
            code = 200 if status in ("206", "304") else int(status)
            # One that was answered by success at some time has not failed for good.
            self.statuses[(method, target)] = min(code, self.statuses.get((method, target), code))

    def answer(self, method, target, headers, body):
        status = self.statuses.get((method, target))
        return (status, "text/plain", "known") if status else (404, "text/plain", "not in the log")


class Wsdl:
    """Answers envelopes whose content is an element of an operation, valid by the description's schemas."""

    def __init__(self, text: str):
        from lxml import etree

        self.etree = etree
        root = etree.fromstring(text.encode())
        parts = root.iterfind(f"{WSDL}message/{WSDL}part[@element]")
        self.elements = set()
        for part in parts:
            prefix, _, name = part.get("element").rpartition(":")
            self.elements.add(f"{{{part.nsmap.get(prefix or None, '')}}}{name}")
        folder = Path(tempfile.mkdtemp())
        imports = []
        for number, schema in enumerate(root.iterfind(f"{WSDL}types/{SCHEMA}schema")):
            place = folder / f"{number}.xsd"
            place.write_bytes(etree.tostring(schema))
            imports.append(f'<import namespace="{schema.get("targetNamespace")}" schemaLocation="{place}"/>')
        driver = folder / "all.xsd"
        driver.write_text(f'<schema xmlns="{SCHEMA[1:-1]}">{"".join(imports)}</schema>')
        self.rules = etree.XMLSchema(etree.parse(str(driver)))

    def answer(self, method, target, headers, body):
        try:
            envelope = self.etree.fromstring(body)
        except self.etree.XMLSyntaxError as error:
            return 400, "text/plain", str(error)
        namespace = self.etree.QName(envelope).namespace
        content = envelope.find(f"{{{namespace}}}Body")
        if namespace not in ENVELOPES or content is None or len(content) != 1:
            return 400, "text/plain", "no envelope with one element"
        if content[0].tag not in self.elements:
            return 500, "text/plain", f"no operation takes {content[0].tag}"
        # By itself: what is declared around it is declared on it.
        alone = self.etree.fromstring(self.etree.tostring(content[0]))
        if not self.rules.validate(alone):
            return 400, "text/plain", str(self.rules.error_log.last_error)
        answer = f'<s:Envelope xmlns:s="{namespace}"><s:Body><r/></s:Body></s:Envelope>'
        return 200, headers.get("Content-Type"), answer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    api = None

    def serve(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if self.path == "/-/ready":
            status, kind, text = 200, None, ""
        else:
            status, kind, text = self.api.answer(self.command, self.path, self.headers, body)
        data = text.encode()
        self.send_response(status)
        if kind:
            self.send_header("Content-Type", kind)
        if status != 204:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD" and status != 204:
            self.wfile.write(data)

    do_GET = do_PUT = do_POST = do_DELETE = do_OPTIONS = do_HEAD = do_PATCH = serve

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    kinds = {"openapi": OpenApi, "har": Recording, "wsdl": Wsdl, "k6": SentRequests, "log": AccessLog}
    Handler.api = kinds[sys.argv[1]](Path(sys.argv[2]).read_text(encoding="utf-8-sig", errors="replace"))
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[3])), Handler).serve_forever()
