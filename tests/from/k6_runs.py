"""Has k6 itself pack scripts into archives and write summaries, and takes down what it sends for them."""

import json
import re
import ssl
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

TEMPLATES = ["minimal", "protocol"]


class Recorder(BaseHTTPRequestHandler):
    """Answers everything, and keeps what was asked."""

    protocol_version = "HTTP/1.1"
    requests = None

    def serve(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        # As text, whatever it is: it is only compared.
        entry = [self.command, self.path, self.headers.get("Content-Type") or "", body.decode("latin-1")]
        if entry not in self.requests:
            self.requests.append(entry)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(b"{}")

    do_GET = do_PUT = do_POST = do_DELETE = do_OPTIONS = do_HEAD = do_PATCH = serve

    def log_message(self, *_):
        pass


def record(folder: Path, k6: str, script: Path, place: Path, *options: str) -> None:
    """Runs a script once, with all hosts that it names led here, and writes what it sent to `place`."""
    certificate = folder / "recorder.pem"
    if not certificate.exists():
        key = ["-newkey", "rsa:2048", "-nodes", "-keyout", certificate, "-out", certificate]
        subprocess.run(["openssl", "req", "-x509", *key, "-subj", "/CN=test"], check=True, capture_output=True)
    requests = []
    handler = type("Handler", (Recorder,), {"requests": requests})
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), handler) for _ in range(2)]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    servers[1].socket = context.wrap_socket(servers[1].socket, server_side=True)
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    ports = {"http": (80, servers[0].server_port), "https": (443, servers[1].server_port)}
    hosts = {}
    for scheme, host in re.findall(r"(https?)://([\w.-]+)", script.read_text()):
        named, port = ports[scheme]
        hosts[f"{host}:{named}"] = f"127.0.0.1:{port}"
    config = folder / "k6-config.json"
    config.write_text(json.dumps({"hosts": hosts, "insecureSkipTLSVerify": True}))
    once = ["--iterations", "1", "--vus", "1", "--quiet", "--no-usage-report"]
    # A script may fail on an answer that is none of its own service's; what it sent counts.
    subprocess.run([k6, "run", "--config", config, *once, *options, script], capture_output=True, timeout=120)
    for server in servers:
        server.shutdown()
        server.server_close()
    place.write_text(json.dumps(requests))


def scripts(folder: Path, k6: str, recordings: list[Path]) -> list[Path]:
    """Returns the templates of k6, and a script of each recording by the converter of its makers."""
    place = folder / "k6"
    place.mkdir(exist_ok=True)
    made = []
    for name in TEMPLATES:
        script = place / f"{name}.js"
        if not script.exists():
            subprocess.run([k6, "new", "--template", name, script.name], cwd=place, check=True, capture_output=True)
        made.append(script)
    converter = folder / "node_modules/har-to-k6/bin/har-to-k6.js"
    for recording in recordings:
        script = place / f"{recording.stem}.js"
        if not script.exists():
            command = ["node", converter.resolve(), recording.resolve(), "--output", script.resolve()]
            subprocess.run(command, check=True, capture_output=True)
        made.append(script)
    return made


def summary(folder: Path, k6: str, script: Path) -> tuple[Path, Path]:
    """Returns the summary of a run whose thresholds name the addresses that the script calls, and what was sent."""
    text = script.read_text()
    addresses = sorted(set(re.findall(r"https?://[^\s'\"`]+", text)))
    limits = {f"http_reqs{{name:{address}}}": ["count>0"] for address in addresses}
    named = script.with_name(f"{script.stem}-named.js")
    named.write_text(re.sub(r"export const options = \{", f"export const options = {{ thresholds: {json.dumps(limits)},", text))
    place, sent = script.with_suffix(".summary.json"), script.with_suffix(".summary.sent.json")
    record(folder, k6, named, sent, "--summary-export", str(place))
    return place, sent


def described(folder: Path, k6: str, recordings: list[Path]) -> list[tuple[Path, Path]]:
    """Returns archives and a summary, each with what k6 sent for it."""
    made = []
    for script in scripts(folder, k6, recordings):
        archive, sent = script.with_suffix(".tar"), script.with_suffix(".sent.json")
        if not (archive.exists() and sent.exists()):
            packed = subprocess.run([k6, "archive", "--archive-out", archive, script], capture_output=True, text=True)
            if packed.returncode:
                # Forms of several parts: k6 would fetch a module from the net, or open a file that is nowhere.
                print(f"  {script.name}: k6 itself cannot pack it: {packed.stderr.strip()[-200:]}", file=sys.stderr)
                continue
            record(folder, k6, script, sent)
        made.append((archive, sent))
    made.append(summary(folder, k6, folder / "k6/minimal.js"))
    return made
