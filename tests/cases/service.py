"""A small service for the cases: `serve()` answers GET with 200 and POST with `<r/>`.

A case that wants another behaviour gives a class of its own, derived from Handler.
"""

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version, wbufsize = "HTTP/1.1", -1

    def log_message(self, *_):
        pass

    def say(self, status, body=b"", kind="text/xml; charset=utf-8"):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def do_GET(self):
        self.say(200, b"up")

    def do_POST(self):
        self.body()
        self.post()

    def post(self):
        self.say(200, b"<r/>")


def serve(handler=Handler, host="127.0.0.1"):
    ThreadingHTTPServer((host, int(sys.argv[1])), handler).serve_forever()
