"""Takes descriptions by `init --from`, and sends what was made of them to a mock.

check.py PROGRAM FOLDER [KIND ...]
"""

import json
import os
import re
import shlex
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import access_logs
import k6_runs

# Of the operations of a kind, at least.
SHARE_MIN = 0.8
OAS = "node_modules/@readme/oas-examples"
OPENAPI = [
    f"{OAS}/3.0/json/petstore.json",
    f"{OAS}/3.0/json/uspto.json",
    f"{OAS}/3.0/json/link-example.json",
    f"{OAS}/3.1/json/petstore.json",
    f"{OAS}/3.1/json/train-travel.json",
    f"{OAS}/3.0/yaml/petstore-simple.yaml",
]
WSDL = "bingads-13.0.30.1/bingads/v13/proxies/production"
# The most frequent operations of a log that are taken, so that each is sent often enough to be judged.
LOGGED_MAX = 50
# A line of a log: method, target, status.
LOG_LINE = re.compile(r'\] "(\S+) (\S+) HTTP/[\d.]+" (2\d\d|304) ')
SERVICES = ["adinsight", "bulk", "customerbilling", "customermanagement", "reporting", "campaignmanagement"]
# Values as they are, where the converter would write the names of their types.
OPTIONS = "parametersResolution=Example"


def postman(folder: Path) -> list[tuple[Path, Path]]:
    """Has the converter make collections. Returns them, each with the document that it was made from."""
    made = []
    for name in OPENAPI:
        source = folder / name
        place = folder / f"{source.parent.parent.name}-{source.stem}.postman.json"
        if not place.exists():
            converter = folder / "node_modules/openapi-to-postmanv2/bin/openapi2postmanv2.js"
            subprocess.run(["node", converter, "-s", source, "-o", place, "-O", OPTIONS], check=True, stdout=subprocess.DEVNULL)
        made.append((place, source))
    return made


def wsdls(folder: Path) -> list[tuple[Path, Path]]:
    place = folder / "wsdl"
    if not place.exists():
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "-d", folder, "bingads==13.0.30.1"]
        subprocess.run(pip, check=True)
        with tarfile.open(folder / "bingads-13.0.30.1.tar.gz") as archive:
            archive.extractall(place, filter="data")
    files = [place / WSDL / f"{service}_service.xml" for service in SERVICES]
    return [(file, file) for file in files]


def hars(folder: Path) -> list[tuple[Path, Path]]:
    """The recordings that a package exports, each as a file."""
    place = folder / "har"
    place.mkdir(exist_ok=True)
    script = (
        "import('har-examples').then((all) => { const fs = require('fs');"
        "for (const [name, har] of Object.entries(all.default)) if (har && har.log)"
        " fs.writeFileSync(process.argv[1] + '/' + name + '.har', JSON.stringify(har)); })"
    )
    subprocess.run(["node", "-e", script, place.resolve()], check=True, cwd=folder)
    return [(file, file) for file in sorted(place.glob("*.har"))]


def k6(folder: Path) -> list[tuple[Path, Path]]:
    """Scripts of k6's own templates and of recordings, as k6 packs and runs them."""
    recordings = [recording for recording, _ in hars(folder)]
    return k6_runs.described(folder, str((folder / "tools/bin/k6").resolve()), recordings)


def check(program: str, kind: str, source: Path, file: Path) -> dict:
    """Returns how many operations there were, how many were answered rightly, and what was wrong."""
    with tempfile.TemporaryDirectory() as folder:
        made = subprocess.run([program, "init", "--from", file.resolve()], cwd=folder, capture_output=True, text=True)
        if made.returncode != 0:
            return {"all": 0, "right": 0, "wrong": [made.stderr.strip()[:200]]}
        environment = os.environ | {name: "secret" for name in re.findall(r"^set (\w+) to", made.stdout, re.M)}
        mock = [sys.executable, str(Path(__file__).with_name("mock.py").resolve()), kind, str(source.resolve())]
        start = shlex.join(mock) + " {port}"
        command = [program, "check", "--start", start, "--format", "json"]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        try:
            said = json.loads(done.stdout)
        except ValueError:
            return {"all": 0, "right": 0, "wrong": [done.stderr.strip()[-300:]]}
    exchanges = said.get("exchanges", [])
    wrong = [json.dumps(it)[:600] for it in exchanges if it["right"] is not True]
    return {"all": len(exchanges), "right": len(exchanges) - len(wrong), "wrong": wrong}


def described(kind: str, source: Path) -> int:
    """Returns how many operations a description has, whatever was made of them."""
    import yaml
    from lxml import etree

    text = source.read_text(encoding="utf-8-sig", errors="replace")
    if kind == "k6":
        return len({(method, urlsplit(target).path) for method, target, _, _ in json.loads(text)})
    if kind == "log":
        lines = LOG_LINE.findall(text)
        operations = {(method, kind_of(urlsplit(target).path)) for method, target, _ in lines}
        # A log has no bodies, so that it does not describe what carries one.
        whole = sum(method in ("GET", "HEAD", "OPTIONS") for method, _ in operations)
        left = len(operations) - whole, max(whole - LOGGED_MAX, 0)
        print(f"  {source}: {left[0]} operations with bodies and {left[1]} rare ones are not asked for", file=sys.stderr)
        return min(whole, LOGGED_MAX)
    if kind == "har":
        entries = json.loads(text)["log"]["entries"]
        return len({(it["request"]["method"], it["request"]["url"].split("?")[0]) for it in entries})
    if kind == "wsdl":
        space = "{http://schemas.xmlsoap.org/wsdl/}"
        return len(list(etree.fromstring(text.encode()).iterfind(f"{space}binding/{space}operation")))
    methods = ("get", "put", "post", "delete", "options", "head", "patch")
    return sum(method in item for item in yaml.safe_load(text)["paths"].values() for method in methods)


def kind_of(path: str) -> str:
    """A path without the numbers in it: `/orders/17` and `/orders/18` are of one operation."""
    number = r"\d+|(?=.*\d)[\da-fA-F-]{12,}"
    return "/".join("*" if re.fullmatch(number, part) else part for part in path.split("/"))


def main() -> int:
    program, folder = sys.argv[1], Path(sys.argv[2])
    kinds = sys.argv[3:] or ["openapi", "postman", "har", "wsdl", "k6", "log"]
    failures = 0
    print("| kind | description | operations | sent | answered rightly |")
    print("|:--|:--|--:|--:|--:|")
    for kind in kinds:
        files = {
            "openapi": lambda: [(folder / name, folder / name) for name in OPENAPI],
            "postman": lambda: postman(folder),
            "har": lambda: hars(folder),
            "wsdl": lambda: wsdls(folder),
            "k6": lambda: k6(folder),
            "log": lambda: access_logs.described(program, folder, folder / OAS),
        }[kind]()
        total = right = 0
        for file, source in files:
            found = check(program, "openapi" if kind == "postman" else kind, source, file)
            count = described(kind, source)
            total, right = total + count, right + found["right"]
            name = "/".join(file.parts[-3:])
            print(f"| {kind} | {name} | {count} | {found['all']} | {found['right']} |", flush=True)
            for line in found["wrong"]:
                print(f"  {name}: {line}", file=sys.stderr)
        share = right / max(total, 1)
        print(f"| {kind} | all | {total} | | {right}: {share:.0%} |", flush=True)
        failures += share < SHARE_MIN
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
