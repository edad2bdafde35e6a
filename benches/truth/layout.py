"""Innocent changes of small services, and what xmlperf finds of them by where functions lie; see benches/layout.sh."""

import json
import math
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from truth import HERE, REQUEST, REQUEST_TABLE, XMLPERF, cold_functions, run

LAYOUTS = ("as-built", "matched", "drawn")
CONFIG = """
[target]
start = "./api"
build = "{build}"
port-env = "APP_PORT"
ready = "/"

{request}
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
    "go": "CGO_ENABLED=0 go build -o api server.go",
}
SOURCES = {"rust": "server.rs", "c": "server.c", "go": "server.go"}
# A package of the standard library that the service does not have yet, and what a function does with it.
GO_PACKAGES = [
    ("encoding/csv", "fmt.Println(csv.NewReader(strings.NewReader(text)).ReadAll())"),
    ("text/tabwriter", "fmt.Fprintln(tabwriter.NewWriter(os.Stderr, 1, 2, 3, ' ', 0), text)"),
    ("encoding/ascii85", "fmt.Println(io.ReadAll(ascii85.NewDecoder(strings.NewReader(text))))"),
    ("container/list", "fmt.Println(list.New().PushBack(text).Value)"),
    ("text/template", "fmt.Println(template.New(text).Parse(text))"),
    ("html", "fmt.Println(html.EscapeString(text), html.UnescapeString(text))"),
    ("regexp", "fmt.Println(regexp.MustCompile(text).FindAllString(text, -1))"),
    ("math/cmplx", "fmt.Println(cmplx.Pow(complex(float64(len(text)), 1), 2))"),
]


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


def cold_in_go(source, seed):
    """The source with functions that are never called, of which one brings a package along."""
    rng = random.Random(seed)
    package, does = rng.choice(GO_PACKAGES)
    lines = [f"func coldText(text string) {{ {does} }}"]
    calls = ["coldText(os.Args[9])"]
    for i in range(rng.randrange(1, 4)):
        calls.append(f"fmt.Println(cold{i}(uint64(len(os.Args))))")
        lines.append(f"//go:noinline\nfunc cold{i}(x uint64) uint64 {{")
        for _ in range(rng.randrange(3, 200)):
            lines.append(f"\tx = (x ^ {rng.randrange(1, 1 << 30)}) * {rng.randrange(3, 1 << 16)}\n\tif x%{rng.randrange(3, 99)} == 1 {{ x ^= x >> 7 }}")
        lines.append("\treturn x\n}")
    lines.append("func init() {\n\tif len(os.Args) > 9 {\n\t\t" + "\n\t\t".join(calls) + "\n\t}\n}")
    imports = "import (\n"
    source = source.replace(imports, f'{imports}\t"{package}"\n')
    return source.replace("// tokens counts", "\n".join(lines) + "\n\n// tokens counts")


def slower(language, source):
    """The source with 3 % more CPU time a request."""
    if language == "rust":
        line = "    let items = body.strip_prefix"
        more = "    std::hint::black_box(summary(&body.chars().take(body.chars().count() / 14).collect::<String>()));\n"
        return source.replace(line, more + line)
    if language == "go":
        line = "\titems, _ := strconv.Atoi"
        return source.replace(line, "\tlength += len(summary(documents[:len(documents)/25]))\n" + line)
    # Of a small request a third of the CPU time is spent in these.
    return source.replace("ROUNDS = 100 ", "ROUNDS = 110 ")


def changed(language, source, seed, plant):
    if plant:
        source = slower(language, source)
    if language == "rust":
        return source + cold_in_rust(seed)
    if language == "go":
        return cold_in_go(source, seed)
    # Behind the last header: what stands before the first one chooses what they declare.
    last = "#include <unistd.h>\n"
    return source.replace(last, last + cold_functions(seed))


class Repository:
    """A service whose first version is committed."""

    def __init__(self, work, language):
        self.folder, self.language = work / language, language
        self.folder.mkdir()
        self.source = (HERE / SOURCES[language]).read_text()
        config = CONFIG.format(request=REQUEST_TABLE, build=BUILDS[language], launch_pairs=os.environ.get("LAUNCH_PAIRS", "14"),
                               load=os.environ.get("LOAD", "500 ms"))
        for name, text in [("xmlperf.toml", config), ("request.j2", REQUEST), (SOURCES[language], self.source),
                           (".gitignore", "api\n*.o\nout\n")]:
            (self.folder / name).write_text(text)
        run("git", "init", "--quiet", "--initial-branch=main", cwd=self.folder)
        run("git", "add", "--all", cwd=self.folder)
        run("git", "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "--quiet", "--message", "base", cwd=self.folder)

    def compare(self, seed, layout, plant):
        """The change of CPU time in percent, how far its launch pairs scatter, how many functions lay in place in percent,
        and what was said."""
        (self.folder / SOURCES[self.language]).write_text(changed(self.language, self.source, seed, plant))
        words = [XMLPERF, "compare", "--plain", "--baseline", "main", "--layout", layout, "--out", "out"]
        environment = {**os.environ, "XDG_CACHE_HOME": str(self.folder.parent / "cache")}
        done = subprocess.run([str(word) for word in words], cwd=self.folder, capture_output=True, text=True, env=environment)
        report = self.folder / "out/report/report.json"
        report = json.loads(report.read_text()) if report.exists() else {}
        row = next((row for row in report.get("metrics", []) if row["metric"] == "cpu"), None)
        if row is None:
            sys.exit(done.stdout + done.stderr)
        scatter = pair_scatter(json.loads((self.folder / "out/report/run.json").read_text()))
        shutil.rmtree(self.folder / "out/report")
        placement = report.get("placement", {})
        functions = placement.get("functions")
        share = 100 * functions["in_place"] / functions["common"] if functions else None
        pairs = report.get("method", {}).get("launches")
        return 100 * (row.get("change") or 0), scatter, placement.get("layout"), share, row.get("verdict"), report["outcome"], pairs


def pair_scatter(record):
    """The standard deviation of the change of CPU time from launch pair to launch pair in percent, by the median
    absolute deviation: a neighbour that takes the processor for one launch does not count."""
    trials = record["scenarios"][0]["trials"]["paired"]
    changes = [math.log(pair["head"]["cpu_ns"] / pair["head"]["pairs"]) - math.log(pair["base"]["cpu_ns"] / pair["base"]["pairs"])
               for pair in trials]
    middle = statistics.median(changes)
    return 100 * 1.4826 * statistics.median(abs(change - middle) for change in changes)


def rms(values):
    return math.sqrt(sum(value * value for value in values) / len(values))


def main():
    words = sys.argv[1:]
    plant = "slower" in words
    languages = [word for word in words if word in BUILDS] or list(BUILDS)
    chosen = [word for word in words if word in LAYOUTS]
    count = next((int(word) for word in words if word.isdigit()), 20)
    with tempfile.TemporaryDirectory() as work:
        for language in languages:
            # Go's linker takes no order, so that nothing can be matched.
            layouts = chosen or [layout for layout in LAYOUTS if language != "go" or layout != "matched"]
            repository = Repository(Path(work), language)
            offsets, said = {layout: [] for layout in layouts}, {layout: Counter() for layout in layouts}
            scatters = {layout: [] for layout in layouts}
            for seed in range(count):
                shown = []
                for layout in layouts:
                    change, scatter, state, share, verdict, outcome, pairs = repository.compare(seed, layout, plant)
                    offsets[layout].append(change)
                    scatters[layout].append(scatter)
                    said[layout][outcome] += 1
                    place = "" if share is None else f", {share:.0f} % in place"
                    shown.append(f"{layout} {change:+.2f} % (launch pairs ± {scatter:.2f}, {state}{place}; {verdict}, {outcome} in {pairs})")
                print(f"{language} {seed}: " + " · ".join(shown), flush=True)
            summary = " · ".join(
                f"{layout} {rms(values):.2f} %, launch pairs ± {rms(scatters[layout]):.2f} %, " + ", ".join(f"{number} {outcome}" for outcome, number in said[layout].items())
                for layout, values in offsets.items()
            )
            print(f"{language}: CPU rms over {count} changes: {summary}", flush=True)


if __name__ == "__main__":
    main()
