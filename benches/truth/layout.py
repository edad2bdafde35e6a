"""Innocent changes of small services, and what xmlperf finds of them by where functions lie; see benches/layout.sh."""

import json
import math
import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from truth import HERE, REQUEST, XMLPERF, cold_functions, run

LAYOUTS = ("as-built", "matched", "drawn")
CONFIG = """
[target]
start = "./api"
build = "{build}"
port-env = "APP_PORT"
ready = "/"

[request]
path = "/"
template = "request.j2"
content-type = "text/plain"
expect = [{{ json = "/items", equals = "{{{{ pairs | length }}}}" }}]

[work]
lane = "off"

[sampling]
launch-pairs = {launch_pairs}
load = "{load}"

[[scenario]]
name = "smoke"
pairs = 4
"""
BUILDS = {
    "rust": "rustc -O --edition 2021 -o api server.rs",
    "c": "cc -O2 -fno-toplevel-reorder -pthread -c server.c && cc -pthread -o api server.o",
}
SOURCES = {"rust": "server.rs", "c": "server.c"}


def cold_in_rust(seed):
    """Functions that are never called and kept all the same, each of another size."""
    rng = random.Random(seed)
    lines = []
    for i in range(rng.randrange(1, 4)):
        lines.append(f"#[unsafe(no_mangle)]\npub extern \"C\" fn cold_{i}(mut x: u64) -> u64 {{")
        for _ in range(rng.randrange(3, 200)):
            lines.append(f"    x = (x ^ {rng.randrange(1, 1 << 30)}).wrapping_mul({rng.randrange(3, 1 << 16)}); if x % {rng.randrange(3, 99)} == 1 {{ x ^= x >> 7; }}")
        lines.append("    x\n}")
    # One that formats brings functions of the standard library along.
    lines.append(f"#[unsafe(no_mangle)]\npub extern \"C\" fn cold_text(x: i{rng.choice((16, 32, 64, 128))}) {{ eprintln!(\"{{x:?}} {{:?}}\", vec![x; {rng.randrange(2, 9)}]); }}")
    return "\n".join(lines) + "\n"


def changed(language, source, seed):
    if language == "rust":
        return source + cold_in_rust(seed)
    # Behind the last header: what stands before the first one chooses what they declare.
    last = "#include <unistd.h>\n"
    return source.replace(last, last + cold_functions(seed))


class Repository:
    """A service whose first version is committed."""

    def __init__(self, work, language):
        self.folder, self.language = work / language, language
        self.folder.mkdir()
        self.source = (HERE / SOURCES[language]).read_text()
        config = CONFIG.format(build=BUILDS[language], launch_pairs=os.environ.get("LAUNCH_PAIRS", "14"),
                               load=os.environ.get("LOAD", "500 ms"))
        for name, text in [("xmlperf.toml", config), ("request.j2", REQUEST), (SOURCES[language], self.source),
                           (".gitignore", "api\n*.o\nout\n")]:
            (self.folder / name).write_text(text)
        run("git", "init", "--quiet", "--initial-branch=main", cwd=self.folder)
        run("git", "add", "--all", cwd=self.folder)
        run("git", "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "--quiet", "--message", "base", cwd=self.folder)

    def compare(self, seed, layout):
        """The change of CPU time in percent, and how many functions lay in place in percent."""
        (self.folder / SOURCES[self.language]).write_text(changed(self.language, self.source, seed))
        words = [XMLPERF, "compare", "--plain", "--baseline", "main", "--layout", layout, "--out", "out"]
        environment = {**os.environ, "XDG_CACHE_HOME": str(self.folder.parent / "cache")}
        done = subprocess.run([str(word) for word in words], cwd=self.folder, capture_output=True, text=True, env=environment)
        report = self.folder / "out/report/report.json"
        report = json.loads(report.read_text()) if report.exists() else {}
        row = next((row for row in report.get("metrics", []) if row["metric"] == "cpu"), None)
        if row is None:
            sys.exit(done.stdout + done.stderr)
        shutil.rmtree(self.folder / "out/report")
        placement = report.get("placement", {})
        functions = placement.get("functions")
        share = 100 * functions["in_place"] / functions["common"] if functions else None
        return 100 * (row.get("change") or 0), placement.get("layout"), share, row.get("verdict")


def rms(values):
    return math.sqrt(sum(value * value for value in values) / len(values))


def main():
    languages = [word for word in sys.argv[1:] if word in BUILDS] or list(BUILDS)
    count = next((int(word) for word in sys.argv[1:] if word.isdigit()), 20)
    with tempfile.TemporaryDirectory() as work:
        for language in languages:
            repository = Repository(Path(work), language)
            offsets = {layout: [] for layout in LAYOUTS}
            for seed in range(count):
                shown = []
                for layout in LAYOUTS:
                    change, state, share, verdict = repository.compare(seed, layout)
                    offsets[layout].append(change)
                    place = "" if share is None else f", {share:.0f} % in place"
                    shown.append(f"{layout} {change:+.2f} % ({state}{place}; {verdict})")
                print(f"{language} {seed}: " + " · ".join(shown), flush=True)
            summary = " · ".join(f"{layout} {rms(values):.2f} %" for layout, values in offsets.items())
            print(f"{language}: CPU rms over {count} changes: {summary}", flush=True)


if __name__ == "__main__":
    main()
