"""Measures what prepared and templated requests cost their generators; called by benches/flows.sh.

flows.py K6 LOCUST ROUNDS
"""

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

XMLPERF = os.path.abspath(os.environ["XMLPERF"])
PORT = int(os.environ.get("PORT", "18090"))
URL = f"http://127.0.0.1:{PORT}"
CONNECTIONS = 16
SECONDS = 3
# What both runs of a tool have in common is taken off: its start, its report.
SECONDS_SHORT = 1

NGINX = """
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log crit;
events {{ worker_connections 1024; }}
http {{
    access_log off; keepalive_requests 1000000000; keepalive_timeout 600s; default_type application/xml;
    client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder};
    server {{
        listen 127.0.0.1:{port};
        location = /health {{ return 200; }}
        location = /orders {{ add_header Location /orders/$connection$connection_requests always; return 201 "<Order/>"; }}
        location ~ ^/orders/(?<id>[0-9]+)$ {{ return 200 "<Order id='$id'/>"; }}
    }}
}}
"""
ITEM = "<Item>" + "x" * 160 + "</Item>"
CONFIG = """
[target]
url = "{url}"
ready = "/health"

[sampling]
launches = 1
warm-up = "0 s"

[[operation]]
name = "prepared"
path = "/orders"
content-type = "application/xml"
text = "<Order number='1000000001'>{item}</Order>"
expect = [{{ status = 201 }}]

[[operation]]
name = "create"
path = "/orders"
content-type = "application/xml"
text = "<Order number='{{{{ unique }}}}'>{item}</Order>"
expect = [{{ status = 201 }}]
capture = {{ id = {{ header = "Location", regex = "([0-9]+)$" }} }}

[[operation]]
name = "read"
method = "GET"
path = "/orders/{{{{ id }}}}"
expect = [{{ xml = "/Order/@id", equals = "{{{{ id }}}}" }}]

[[scenario]]
name = "prepared"
mix = {{ prepared = 1 }}
load = {{ connections = {connections}, duration = "{seconds} s" }}

[[scenario]]
name = "templated"
flow = ["create", "read"]
load = {{ connections = {connections}, duration = "{seconds} s" }}
"""
WRK = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/xml"
wrk.body = "<Order number='1000000001'>{item}</Order>"
"""
K6 = """
import http from 'k6/http';
import {{ check }} from 'k6';
import exec from 'k6/execution';

const xml = {{ headers: {{ 'Content-Type': 'application/xml' }} }};
const item = '{item}';

export function prepared() {{
  check(http.post('{url}/orders', `<Order number='1000000001'>${{item}}</Order>`, xml), {{ made: (r) => r.status === 201 }});
}}

export function templated() {{
  const number = exec.scenario.iterationInTest;
  const made = http.post('{url}/orders', `<Order number='${{number}}'>${{item}}</Order>`, xml);
  check(made, {{ made: (r) => r.status === 201 }});
  const id = made.headers['Location'].match(/([0-9]+)$/)[1];
  check(http.get(`{url}/orders/${{id}}`), {{ read: (r) => r.body.includes(`id='${{id}}'`) }});
}}
"""
LOCUST = """
import itertools
import re

from locust import FastHttpUser, constant, task

XML = {{"Content-Type": "application/xml"}}
NUMBERS = itertools.count(1)


class Client(FastHttpUser):
    wait_time = constant(0)

    @task
    def templated(self):
        made = self.client.post("/orders", data=f"<Order number='{{next(NUMBERS)}}'>{item}</Order>", headers=XML)
        number = re.search("([0-9]+)$", made.headers["Location"])[1]
        with self.client.get(f"/orders/{{number}}", name="/orders/ID", catch_response=True) as read:
            if f"id='{{number}}'" not in read.text:
                read.failure("another order")
"""


def cpu(*words, cwd):
    """Runs a command on the first core. Returns what it printed, and its CPU seconds."""
    out = Path(cwd, "out")
    words = ["taskset", "-c", "0", *map(str, words)]
    with out.open("w") as file:
        process = subprocess.Popen(words, cwd=cwd, stdout=file, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = status
    if status:
        sys.exit(f"{words} failed:\n{out.read_text()[-2000:]}")
    return out.read_text(), used.ru_utime + used.ru_stime


class Tool:
    """A way to send requests for some seconds. `send` returns requests and CPU seconds."""

    def __init__(self, name, send):
        self.name, self.send, self.costs = name, send, []

    def measure(self):
        (few, short), (many, long) = self.send(SECONDS_SHORT), self.send(SECONDS)
        self.costs.append((long - short) / (many - few) * 1e6)


def ours(folder, scenario):
    def send(seconds):
        values = {"url": URL, "item": ITEM, "connections": CONNECTIONS, "seconds": seconds}
        (folder / "xmlperf.toml").write_text(CONFIG.format(**values))
        _, used = cpu(XMLPERF, "run", "--scenario", scenario, "--lane", "time", "--plain", cwd=folder)
        record = json.loads((folder / ".xmlperf/report/run.json").read_text())
        return requests_of(record), used

    return send


def requests_of(record):
    """Requests of the only launch of a record, all of them answered rightly."""
    (launch,) = record["scenarios"][0]["trials"]["single"]
    if launch.get("failures"):
        sys.exit(f"failures: {launch['failures']}")
    return launch["requests"]


def wrk(folder):
    (folder / "post.lua").write_text(WRK.format(item=ITEM))

    def send(seconds):
        text, used = cpu("wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", "post.lua", f"{URL}/orders", cwd=folder)
        return int(re.search(r"(\d+) requests in", text)[1]), used

    return send


def oha(folder):
    body = f"<Order number='1000000001'>{ITEM}</Order>"

    def send(seconds):
        words = ["--no-tui", "--output-format", "json", "-c", CONNECTIONS, "-z", f"{seconds}s", "-m", "POST", "-T", "application/xml"]
        text, used = cpu("oha", *words, "-d", body, f"{URL}/orders", cwd=folder)
        return sum(json.loads(text)["statusCodeDistribution"].values()), used

    return send


def k6(folder, program, function):
    script = folder / f"{function}.js"
    script.write_text(K6.format(url=URL, item=ITEM) + f"export default {function};\n")

    def send(seconds):
        words = ["run", "--quiet", "--no-usage-report", "--vus", CONNECTIONS, "--duration", f"{seconds}s"]
        _, used = cpu(program, *words, "--summary-export", "summary.json", script, cwd=folder)
        metrics = json.loads((folder / "summary.json").read_text())["metrics"]
        if metrics["checks"]["fails"]:
            sys.exit("k6 got wrong answers")
        return metrics["http_reqs"]["count"], used

    return send


def locust(folder, program):
    script = folder / "locustfile.py"
    script.write_text(LOCUST.format(item=ITEM))

    def send(seconds):
        words = ["--headless", "--only-summary", "--loglevel", "ERROR", "--json-file", "locust", "--host", URL, "-f", script]
        _, used = cpu(program, *words, "-u", CONNECTIONS, "-r", CONNECTIONS, "-t", f"{seconds}s", cwd=folder)
        rows = json.loads((folder / "locust.json").read_text())
        if any(row["num_failures"] for row in rows):
            sys.exit("Locust got wrong answers")
        return sum(row["num_requests"] for row in rows), used

    return send


def measure(folder, programs, rounds):
    k6_program, locust_program = programs
    tools = [
        Tool("xmlperf, prepared", ours(folder, "prepared")),
        Tool("xmlperf, templated and captured", ours(folder, "templated")),
        Tool("wrk, prepared", wrk(folder)),
        Tool("k6, prepared", k6(folder, k6_program, "prepared")),
        Tool("k6, templated and captured", k6(folder, k6_program, "templated")),
        Tool("locust, templated and captured", locust(folder, locust_program)),
    ]
    if shutil.which("oha"):
        tools.append(Tool("oha, prepared", oha(folder)))
    for _ in range(rounds):
        for tool in tools:
            tool.measure()
    costs = {tool.name: statistics.median(tool.costs) for tool in tools}
    print(f"{'':32} {'us CPU/request':>14}   {'least and most':16} {'of wrk':>7} {'of k6, same':>12}")
    for tool in tools:
        name, cost = tool.name, costs[tool.name]
        same = costs["k6, " + name.split(", ")[1]]
        spread = f"{min(tool.costs):.2f} to {max(tool.costs):.2f}"
        print(f"{name:32} {cost:14.2f}   {spread:16} {cost / costs['wrk, prepared']:7.2f} {cost / same:12.2f}")


def main():
    programs, rounds = [os.path.abspath(program) for program in sys.argv[1:3]], int(sys.argv[3])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=PORT))
        server = subprocess.Popen(["taskset", "-c", "1", "nginx", "-p", name, "-c", folder / "nginx.conf"])
        try:
            wait()
            measure(folder, programs, rounds)
        finally:
            server.terminate()
            server.wait()


def wait():
    for _ in range(100):
        try:
            urllib.request.urlopen(f"{URL}/health", timeout=5).close()
            return
        except OSError:
            time.sleep(0.1)
    sys.exit("nginx did not start")


if __name__ == "__main__":
    main()
