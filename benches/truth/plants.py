"""Plants changes beside innocent ones, and asks xmlperf for the hunk; see benches/plants.sh."""

import glob
import json
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from truth import HERE, REQUEST, REQUEST_TABLE, XMLPERF, run

ROOT = HERE.parent.parent
CONFIG = """
[target]
start = "{start}"
build = "{build}"
port-env = "APP_PORT"
ready = "{ready}"
{request}
[[scenario]]
name = "smoke"
pairs = 20

[work]
pairs = {pairs}
"""
# Document pairs that are counted where not xmlperf's default: this program does more for each.
COUNTED = {"service": 200}
PLAIN = f"\n{REQUEST_TABLE}"

# A program has sources, plants and innocent changes. A plant is its kind and its replacements; the first one is
# the hunk that has to be named.
SERVICE = {
    "plants": [
        ("line", [("server.rs", "*counts.entry(word.to_lowercase()).or_default() += 1;",
                   "*counts.entry(word.to_lowercase().to_lowercase()).or_default() += 1;")]),
        ("calls", [("server.rs", "let (words, numbers) = (words(text), numbers(text));",
                    "let _ = std::hint::black_box(numbers(&text[text.len() / 2..]));\n    let (words, numbers) = (words(text), numbers(text));")]),
        ("loop", [("server.rs", "(0..4).map(|_| summary(body).len())", "(0..5).map(|_| summary(body).len())")]),
        ("format", [("server.rs", "let _ = write!(shown, \"{word}:{count};\");",
                     "let _ = write!(shown, \"{}\", format!(\"{word}:{count};\"));")]),
        ("sort", [("server.rs", "    found.sort_by(f64::total_cmp);\n",
                   "    found.sort_by(|a, b| b.total_cmp(a));\n    found.sort_by(f64::total_cmp);\n")]),
        ("new function", [("server.rs", "    let mut shown = String::new();\n",
                           "    let mut shown = String::new();\n    std::hint::black_box(weight(text));\n"),
                          ("server.rs", "/// The length of the body, by the head of its request.\n",
                           "#[inline(never)]\nfn weight(text: &str) -> u64 {\n    text.bytes().fold(7, |sum: u64, byte| std::hint::black_box(sum.rotate_left(5) ^ u64::from(byte)))\n}\n\n/// The length of the body, by the head of its request.\n")]),
        ("allocation", [("server.rs", "    let items = body.strip_prefix",
                         "    for word in body.split(' ') {\n        std::hint::black_box(word.to_owned());\n    }\n    let items = body.strip_prefix")]),
        ("deletion", [("server.rs", ".filter(|word| !word.is_empty())", "")]),
        ("clone", [("server.rs", "for (word, count) in &words {", "for (word, count) in words.clone() {")]),
        ("copy", [("server.rs", "text.split(['<', '>', ' ', '\"'])", "text.chars().collect::<String>().split(['<', '>', ' ', '\"'])")]),
        ("conversion", [("server.rs", "numbers.iter().sum::<f64>()", "numbers.iter().filter_map(|it| it.to_string().parse::<f64>().ok()).sum::<f64>()")]),
        ("predicate", [("server.rs", "|c: char| !c.is_alphanumeric()", "|c: char| !c.to_uppercase().all(char::is_alphanumeric)")]),
    ],
    "innocent": [
        ("server.rs", "let value = lower.lines()", "let field = lower.lines()", "value.and_then(|value|", "field.and_then(|value|"),
        ("server.rs", "    stream.set_nodelay(true)?;\n", "    stream.set_nodelay(true)?;\n    stream.set_ttl(64)?;\n"),
        ("server.rs", "unwrap_or(8080)", "unwrap_or(8081)"),
        ("server.rs", "/// The length of the body, by the head of its request.\n", "/// How long a body is.\n"),
        ("server.rs", "use std::net::{TcpListener, TcpStream};\n", "use std::net::TcpListener;\nuse std::net::TcpStream;\n\n#[allow(dead_code)]\nfn spare(x: u64) -> u64 {\n    x.count_ones().into()\n}\n"),
    ],
}
C = {
    "plants": [
        ("constant", [("server.c", "enum { ROUNDS = 100 };\n#endif", "enum { ROUNDS = 104 };\n#endif")]),
        ("line", [("server.c", "x = (x ^ word) * 1099511628211ull;", "x = (x ^ word ^ (x >> 29)) * 1099511628211ull;")]),
        ("calls", [("server.c", "    work(body, bytes, items, number);\n", "    work(body, bytes / 8, items, number);\n    work(body, bytes, items, number);\n")]),
        ("loop", [("server.c", "for (int i = 0; i < 100; i++) at += snprintf", "for (int i = 0; i < 150; i++) at += snprintf")]),
        ("new function", [("server.c", "    int closes = 0, status = 200;\n", "    int closes = 0, status = 200;\n    sink = letters(body, bytes);\n"),
                          ("server.c", "static void *serve(void *argument) {\n", "static uint64_t letters(const char *body, size_t bytes);\nstatic void *serve(void *argument) {\n"),
                          ("server.c", "static void pause_us(long us) {\n", "static uint64_t letters(const char *body, size_t bytes) {\n    volatile uint64_t found = 0;\n    for (size_t i = 0; i < bytes; i++) found += body[i] >= 'a';\n    return found;\n}\n\nstatic void pause_us(long us) {\n")]),
        ("branch", [("server.c", "i < rounds; i++) x = pass(body, bytes, x);\n#ifdef PLANT_QUAD", "i < rounds; i++) {\n        x = pass(body, bytes, x);\n        if (i % 16 == 0) x = pass(body, bytes / 2, x);\n    }\n#ifdef PLANT_QUAD")]),
        ("copy", [("server.c", "        int stays = 1;\n", "        for (size_t i = 0; i < length; i++) sink += (uint64_t)body[i];\n        int stays = 1;\n")]),
        ("step", [("server.c", "i + sizeof word <= bytes; i += sizeof word)", "i + sizeof word <= bytes; i += sizeof word - 1)")]),
        ("type", [("server.c", "    uint64_t word;\n", "    volatile uint64_t word;\n"),
                  ("server.c", "memcpy(&word, body", "memcpy((void *)&word, body")]),
    ],
    "innocent": [
        ("server.c", "    if (send(socket, text, (size_t)bytes, MSG_NOSIGNAL) < 0) return;\n", "    ssize_t sent = send(socket, text, (size_t)bytes, MSG_NOSIGNAL);\n    (void)sent;\n"),
        ("server.c", "listen(listener, 512)", "listen(listener, 256)"),
        ("server.c", "// Stands for a store that takes 300 us to answer, any number of requests at once.\n", "// A store.\n"),
        ("server.c", "    pause_us(first);\n", "    pause_us(first + 10);\n"),
        ("server.c", "static void end(int number) {\n", "__attribute__((unused)) static int spare(int x) { return x * 3; }\n\nstatic void end(int number) {\n"),
    ],
}
TOKENIZER, PARSE = "roxmltree/src/tokenizer.rs", "roxmltree/src/parse.rs"
ROXMLTREE = {
    "plants": [
        ("line", [(TOKENIZER, "    if text.contains('>') && text.contains(\"]]>\") {", "    if text.contains(\"]]>\") || (text.contains('>') && text.contains(\"]]>\")) {")]),
        ("calls", [(TOKENIZER, "    let (prefix, tag_name) = s.consume_qname()?;\n    s.skip_spaces();\n    s.consume_byte(b'>')?;\n",
                    "    let _ = core::hint::black_box(s.clone().consume_qname()?);\n    let (prefix, tag_name) = s.consume_qname()?;\n    s.skip_spaces();\n    s.consume_byte(b'>')?;\n")]),
        ("attribute", [(TOKENIZER, "    #[inline]\n    pub fn curr_byte(&self)", "    #[inline(never)]\n    pub fn curr_byte(&self)")]),
        ("small function", [(TOKENIZER, "        self.span.text.as_bytes()[self.pos..self.end].starts_with(text)", "        core::hint::black_box(&self.span.text.as_bytes()[self.pos..self.end]).to_vec().starts_with(text)")]),
        ("deletion", [(TOKENIZER, "        // Check for ASCII first.\n        if *self as u32 <= 128 {\n            return (*self as u8).is_xml_name();\n        }\n\n", "")]),
        ("capacity", [(PARSE, "        nodes: Vec::with_capacity(nodes_capacity),\n", "        nodes: Vec::new(),\n"),
                      (PARSE, "    let nodes_capacity =", "    let _nodes_capacity =")]),
        ("call", [(PARSE, "let nodes_capacity = memchr_iter(b'<', text.as_bytes()).count();", "let nodes_capacity = text.chars().filter(|it| *it == '<').count();")]),
        ("eager", [(PARSE, "        let appending_element = matches!(kind, NodeKind::Element { .. });\n",
                    "        core::hint::black_box(self.doc.nodes.iter().take(8).filter(|it| it.parent.is_some()).count());\n        let appending_element = matches!(kind, NodeKind::Element { .. });\n")]),
        ("closure", [("src/main.rs", "roxmltree::Document::parse(line).ok());", "roxmltree::Document::parse(line).ok().filter(|it| it.descendants().all(|node| node.range().start <= line.len())));")]),
        ("scan", [(PARSE, "    if memchr2(b'&', b'\\r', text.as_bytes()).is_none() {\n        ctx.append_text(", "    if !text.chars().any(|it| it == '&' || it == '\\r') {\n        ctx.append_text(")]),
        ("condition", [(TOKENIZER, "    if s.as_bytes().is_ascii() {\n", "    if s.len() < 2 && s.as_bytes().is_ascii() {\n")]),
        ("characters", [(PARSE, "local != tag_name.local_name {\n", "local.chars().ne(tag_name.local_name.chars()) {\n")]),
        ("formatted", [(PARSE, "    let namespaces = ctx.resolve_namespaces();\n", "    core::hint::black_box(gen_qname_string(ctx.tag_name.prefix, ctx.tag_name.name));\n    let namespaces = ctx.resolve_namespaces();\n")]),
    ],
    "innocent": [
        (TOKENIZER, "    // Search for `>` first, since it's a bit faster than looking for `]]>`.\n", "    // `>` first: it is faster.\n"),
        (TOKENIZER, "    s.advance(9); // <![CDATA[\n", "    s.advance(b\"<![CDATA[\".len());\n"),
        ("src/main.rs", "unwrap_or(8080)", "unwrap_or(8081)"),
        ("src/main.rs", "/// Parses each line", "/// Reads each line"),
        (PARSE, "fn gen_qname_string(prefix: &str, local: &str) -> String {\n", "#[allow(dead_code)]\nfn spare(x: u64) -> u64 {\n    x.count_ones().into()\n}\n\nfn gen_qname_string(prefix: &str, local: &str) -> String {\n"),
    ],
}
XML, FLAT, ENGINE = (f"crates/reference/src/{name}.rs" for name in ("xml", "flat", "engine"))
REFERENCE = {
    "plants": [
        ("line", [(FLAT, "        self.pieces.push(TextPiece { text, next: NONE });\n", "        std::hint::black_box(text.of(self.documents[self.side]).iter().filter(|byte| **byte == b'x').count());\n        self.pieces.push(TextPiece { text, next: NONE });\n")]),
        ("calls", [(FLAT, "        self.read(documents, 0).map_err(|malformed| (PairMember::First, malformed))?;\n", "        self.read(documents, 0).map_err(|malformed| (PairMember::First, malformed))?;\n        self.paths.clear();\n        self.read(documents, 0).map_err(|malformed| (PairMember::First, malformed))?;\n")]),
        ("constant", [(FLAT, "const CHILDREN_FEW: u32 = 24;", "const CHILDREN_FEW: u32 = 1;")]),
        ("deletion", [(FLAT, "        if recent != NONE && self.name(recent, documents) == text {\n            return Ok(recent);\n        }\n", "")]),
        ("attribute", [(XML, "    #[inline]\n    fn skip_class(", "    #[inline(never)]\n    fn skip_class(")]),
        ("allocation", [(FLAT, "        let element = PathElement { attributes: tag.range,", "        std::hint::black_box(tag.name.of(self.documents[self.side]).to_vec());\n        let element = PathElement { attributes: tag.range,")]),
        ("small function", [(XML, "    CLASS[usize::from(byte)] & class != 0\n", "    std::hint::black_box(CLASS[usize::from(byte)]) & class != 0\n")]),
        ("slow path", [(FLAT, "        a.len() == b.len() && iter::zip(a, b).all(equal)\n            || self.sorted", "        a.len() > b.len() && iter::zip(a, b).all(equal)\n            || self.sorted")]),
        ("manifest", [("Cargo.toml", "[profile.release]\n", "[profile.release]\nopt-level = 2\n")]),
        ("eager", [(FLAT, "        let (left, right) = match self.paths.nodes[index].last {\n", "        self.paths.write(index, documents, &mut self.path);\n        let (left, right) = match self.paths.nodes[index].last {\n")]),
        ("validation", [(FLAT, "        pieces.clear();\n", "        pieces.clear();\n        std::hint::black_box(String::from_utf8_lossy(documents[side]).chars().count());\n")]),
        ("collection", [(FLAT, "        self.children(parent).find(|child|", "        self.children(parent).collect::<Vec<_>>().into_iter().find(|child|")]),
        ("owned", [(FLAT, "            return left == right;\n", "            return left.map(<[u8]>::to_vec) == right.map(<[u8]>::to_vec);\n")]),
        ("copy", [(FLAT, "        let content = self.texts_are_equal([left, right], documents);\n", "        std::hint::black_box(self.text(0, left, documents[0]).len());\n        let content = self.texts_are_equal([left, right], documents);\n")]),
        ("check", [(FLAT, "        let mut first = self.run;\n", "        std::hint::black_box(self.pieces[self.run..].iter().all(|piece| std::str::from_utf8(piece.text.of(document)).is_ok()));\n        let mut first = self.run;\n")]),
    ],
    "innocent": [
        (XML, "#[error(\"a malformed comment\")]", "#[error(\"a comment that is malformed\")]"),
        (FLAT, "const PATHS_MAX: usize = 1_000_000;", "const PATHS_MAX: usize = 1_000_100;"),
        (XML, "    /// A byte that no class covers: 0xEF may begin U+FFFE or U+FFFF, the rest are control\n    /// characters.\n", "    /// A byte that no class covers.\n"),
        ("src/main.rs", "unwrap_or(8080)", "unwrap_or(8081)"),
        (ENGINE, "fn in_first(malformed", "#[allow(dead_code)]\nfn spare(x: u64) -> u64 {\n    x.count_ones().into()\n}\n\nfn in_first(malformed"),
    ],
}
PROGRAMS = {"c": C, "service": SERVICE, "roxmltree": ROXMLTREE, "reference": REFERENCE}


def main_of(respond):
    """The HTTP part of server.rs around another `respond`."""
    text = (HERE / "server.rs").read_text()
    begin, end = text.index("#[inline(never)]\nfn words"), text.index("/// The length of the body")
    text = text[:begin] + respond + "\n" + text[end:]
    return text.replace("use std::collections::BTreeMap;\nuse std::fmt::Write as _;\n", "")


PARSES = """/// Parses each line of a body, and counts elements.
fn respond(body: &str) -> String {
    let items = body.strip_prefix("items=").and_then(|rest| rest.lines().next()).unwrap_or("0");
    let documents = body.lines().skip(1).filter_map(|line| roxmltree::Document::parse(line).ok());
    let elements: usize = documents.map(|it| it.descendants().filter(|node| node.is_element()).count()).sum();
    let text = format!("{{\\"items\\": {items}, \\"elements\\": {elements}}}");
    format!("HTTP/1.1 200 OK\\r\\ncontent-length: {}\\r\\n\\r\\n{text}", text.len())
}
"""
SERVES = """//! The reference API by itself.

use std::net::SocketAddr;
use std::time::Duration;

fn main() {
    let port: u16 = std::env::var("APP_PORT").ok().and_then(|port| port.parse().ok()).unwrap_or(8080);
    let settings = reference::ServerSettings {
        address: SocketAddr::from(([127, 0, 0, 1], port)),
        workers: 1,
        extra_work: units::Ratio(0.0),
        semantics: reference::EqualitySemantics::NAMES[0].1,
        allowed_hosts: Vec::new(),
        body_bytes_max: 1 << 28,
        pair_bytes_max: 1 << 26,
        kept_bytes_max: 1 << 29,
        idle_max: Duration::from_secs(30),
        body_max: Duration::from_secs(600),
        connections_max: 256,
        leak_bytes: 0,
        delay: Duration::ZERO,
    };
    reference::ReferenceServer::bind(&settings).unwrap().run().unwrap();
}
"""


def write(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def registry(crate):
    found = sorted(glob.glob(str(Path.home() / f".cargo/registry/src/*/{crate}-0*")))
    if not found:
        sys.exit(f"`{crate}` is not in cargo's registry: run `cargo fetch`")
    return Path(found[-1])


def program_files(name, folder):
    """Writes a program's sources, and returns how it is built and started."""
    if name in ("c", "service"):
        source = "server.c" if name == "c" else "server.rs"
        shutil.copy(HERE / source, folder / source)
        # Optimised as a release is, in one part so that a change stays where it is.
        build = "cc -O2 -pthread -o api server.c" if name == "c" else \
            "rustc -O --edition 2021 -C debuginfo=line-tables-only -o api server.rs"
        return build, "./api", "/", PLAIN
    build = "cargo build --release --quiet --offline"
    if name == "roxmltree":
        shutil.copytree(registry("roxmltree"), folder / "roxmltree", ignore=shutil.ignore_patterns("tests", "examples", "benches", "target", "Cargo.lock", ".*"))
        write(folder, {"src/main.rs": main_of(PARSES), "Cargo.toml": """[workspace]
members = ["."]
exclude = ["roxmltree"]

[package]
name = "api"
version = "0.1.0"
edition = "2021"

[dependencies]
roxmltree = { path = "roxmltree" }

[profile.release]
codegen-units = 16
"""})
        return build, "target/release/api", "/", PLAIN
    manifest = (ROOT / "Cargo.toml").read_text()
    table = lambda name: re.search(rf"(?ms)^\[{re.escape(name)}\]\n.*?(?=^\[|\Z)", manifest).group(0)
    # With the crates of the house that it is built from.
    crates = ["reference"]
    for crate in crates:
        shutil.copytree(ROOT / "crates" / crate, folder / "crates" / crate)
        used = re.findall(r"(?m)^(\w+)\.workspace = true", (folder / "crates" / crate / "Cargo.toml").read_text())
        crates += [it for it in used if (ROOT / "crates" / it).is_dir() and it not in crates]
    dependencies = "\n".join(line for line in table("workspace.dependencies").splitlines()
                             if "path =" not in line or any(f'"crates/{it}"' in line for it in crates))
    write(folder, {"src/main.rs": SERVES, "Cargo.toml": "\n".join([
        '[workspace]\nmembers = ["crates/*"]\nresolver = "3"\n', table("workspace.package"), dependencies, "",
        "[workspace.lints]\n", '[package]\nname = "api"\nversion = "0.1.0"\nedition = "2024"\n',
        "[dependencies]\nreference.workspace = true\nunits.workspace = true\n", "[profile.release]\n"])})
    shutil.copy(ROOT / "Cargo.lock", folder / "Cargo.lock")
    return build, "target/release/api", "/xml-compare-api/health", ""


class Repository:
    """A program whose first version is committed."""

    def __init__(self, work, name):
        self.folder, self.name = work / name, name
        self.folder.mkdir()
        build, start, ready, request = program_files(name, self.folder)
        if request:
            write(self.folder, {"request.j2": REQUEST})
        if build.startswith("cargo"):
            run("cargo", "generate-lockfile", "--offline", cwd=self.folder)
        write(self.folder, {"xmlperf.toml": CONFIG.format(build=build, start=start, ready=ready, request=request, pairs=COUNTED.get(name, 2000)),
                            ".gitignore": "/api\n*.o\n/out\n/target\n"})
        run("git", "init", "--quiet", "--initial-branch=main", cwd=self.folder)
        self.commit("base")
        self.innocents = {}

    def commit(self, message):
        run("git", "add", "--all", cwd=self.folder)
        run("git", "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "--quiet", "--message", message, cwd=self.folder)

    def replace(self, path, *pairs):
        """Replaces texts in pairs; returns whether each was there."""
        file = self.folder / path
        text = file.read_text()
        for old, new in zip(pairs[::2], pairs[1::2]):
            if old not in text:
                return False
            text = text.replace(old, new, 1)
        file.write_text(text)
        return True

    def compare(self):
        words = [XMLPERF, "compare", "--plain", "--baseline", "main", "--lane", "work", "--out", "out"]
        environment = {**os.environ, "XDG_CACHE_HOME": str(self.folder.parent / "cache")}
        shutil.rmtree(self.folder / "out/report", ignore_errors=True)
        began = time.monotonic()
        done = subprocess.run([str(word) for word in words], cwd=self.folder, capture_output=True, text=True, env=environment)
        report = self.folder / "out/report/report.json"
        report = json.loads(report.read_text()) if report.exists() else {}
        work = next(iter(report.get("work", [])), None)
        if work is None:
            raise RuntimeError(done.stdout[-2000:] + done.stderr[-1000:])
        row = next(row for row in report["metrics"] if row["metric"] == "work")
        return work, row, time.monotonic() - began

    def restore(self):
        run("git", "checkout", "--quiet", "--", ".", cwd=self.folder)


def place(repository, path, old, new):
    """The lines of head that a planted text is at."""
    text = (repository.folder / path).read_text()
    line = lambda at: text.count("\n", 0, at) + 1
    if new and new in text:
        # The first line that differs.
        common = len(os.path.commonprefix([old, new]))
        at = text.index(new)
        return path, line(at + min(common, len(new) - 1)), line(at + len(new) - 1)
    before = subprocess.run(["git", "show", f"main:{path}"], cwd=repository.folder, capture_output=True, text=True, check=True).stdout
    # Of a deletion, where the text before it ends.
    at = before.index(old)
    start = before.count("\n", 0, at) + 1
    shift = text.count("\n") - before.count("\n") + old.count("\n")
    return path, start - 1 + min(0, shift), start + 1 + max(0, shift)


def is_at(hunk, planted):
    path, first, last = planted
    start, count = hunk["head"]
    end = start + max(count, 1) - 1
    return hunk["path"] == path and start <= last + 1 and end + 1 >= first


def outcome(revert):
    """What came of a revert: the share of the growth that went away, or a word."""
    counted = revert["outcome"]
    if isinstance(counted, str):
        return counted
    base, head, variant = (statistics.median(counted["counted"][side]) for side in ("base", "head", "variant"))
    return f"{(head - variant) / (head - base):.2f} without {len(revert['hunks'])}"


def plant(repository, number, kind, changes, rng):
    program = PROGRAMS[repository.name]
    innocent = rng.sample(program["innocent"], len(program["innocent"]))
    # Innocent changes are elsewhere: those that would take the plant's place are left out.
    planted = "".join(old for _, old, _ in changes)
    taken = [change for change in innocent if not any(old in planted for old in change[1::2])][:3]
    taken = [change for change in taken if repository.replace(*change)]
    # What innocent changes come to by themselves, once for each choice of them.
    choice = tuple(sorted(program["innocent"].index(change) for change in taken))
    if choice not in repository.innocents:
        repository.innocents[choice] = repository.compare()[0]
    alone = repository.innocents[choice]
    if not all(repository.replace(*change) for change in changes):
        repository.restore()
        return print(f"{repository.name} {number} {kind}: its text is not there, left out", flush=True)
    planted = [place(repository, *change) for change in changes]
    work, row, seconds = repository.compare()
    repository.restore()
    base, head = work["base"], work["head"]
    size, growth = head / base - 1, head - base
    share = (head - alone["head"] * base / alone["base"]) / growth if growth else 0
    causes = work.get("causes", {})
    hunks, proven = causes.get("hunks", []), work.get("proven", [])
    first = bool(hunks) and is_at(hunks[0]["hunk"], planted[0])
    named = any(is_at(hunk, planted[0]) for hunk in proven[0]["hunks"][:1]) if proven else False
    # Further hunks of the plant belong into the set.
    strange = [hunk for hunk in proven[0]["hunks"] if not any(is_at(hunk, it) for it in planted)] if proven else []
    found = {"plant": kind, "size": size, "verdict": row["verdict"], "first": first, "proven": named,
             "wrong": bool(proven) and not named, "strange": len(strange), "joined": len(proven[0]["hunks"]) - 1 if proven else 0,
             "share": share, "said": proven[0]["share"] if proven else None, "seconds": seconds, "innocents": len(taken)}
    said = "-" if found["said"] is None else f"{100 * found['said']:.0f} %"
    rank = next((at + 1 for at, hunk in enumerate(hunks) if is_at(hunk["hunk"], planted[0])), None)
    print(f"{repository.name} {number} {kind}: {100 * size:+.2f} %, {row['verdict']}; rank {rank} of {len(hunks)}; "
          f"proven {named} with {found['joined']} more, {len(strange)} innocent; {said} of {100 * share:.0f} %; {seconds:.0f} s"
          + ("" if proven else f"; {causes.get('unproven') or causes.get('obstacle') or [outcome(it) for it in causes.get('reverts', [])]}"),
          flush=True)
    return found


def null(repository, number, rng):
    """A change that does nothing: of comments, shape, names, or unused code."""
    program = PROGRAMS[repository.name]
    for change in rng.sample(program["innocent"], rng.randrange(1, 4)):
        repository.replace(*change)
    work, row, seconds = repository.compare()
    repository.restore()
    size, annotations = work["head"] / work["base"] - 1, len(work.get("proven", []))
    print(f"{repository.name} null {number}: {100 * size:+.2f} %, {row['verdict']}; {annotations} annotations; {seconds:.0f} s", flush=True)
    return {"annotations": annotations, "verdict": row["verdict"]}


def table(found):
    # What is smaller is not red, and nothing is looked for.
    found = [it for it in found if it and it["size"] >= 0.01]
    near = sum(it["said"] is not None and abs(it["said"] - it["share"]) <= 0.1 for it in found)
    count = lambda key: sum(bool(it[key]) for it in found)
    print(f"\n| plants of 1 % and more | {len(found)} |\n|:--|--:|")
    print(f"| first by rank | {count('first')} |\n| proven | {count('proven')} |\n| another hunk proven | {count('wrong')} |")
    print(f"| proven share within 10 points | {near} |\n| without an innocent hunk beside it | {sum(it['proven'] and it['strange'] == 0 for it in found)} |")
    if found:
        seconds = [it["seconds"] for it in found]
        print(f"| seconds for a comparison, mean and longest | {sum(seconds) / len(seconds):.0f}, {max(seconds):.0f} |")


def main():
    words = sys.argv[1:]
    names = [word for word in words if word in PROGRAMS] or list(PROGRAMS)
    count = next((int(word) for word in words if word.isdigit()), None)
    kinds = [word for word in words if not word.isdigit() and word not in PROGRAMS and word != "null"]
    found = []
    with tempfile.TemporaryDirectory() as work:
        for name in names:
            repository, rng = Repository(Path(work), name), random.Random(name)
            if "null" in words:
                found += [null(repository, number, rng) for number in range(count or 5)]
                continue
            for number, (kind, changes) in enumerate(PROGRAMS[name]["plants"][:count]):
                if kinds and kind not in kinds:
                    continue
                try:
                    found.append(plant(repository, number, kind, changes, rng))
                except RuntimeError as error:
                    repository.restore()
                    print(f"{name} {number} {kind}: not measured, {error}", flush=True)
    if "null" in words:
        print(f"\n{len(found)} null changes: {sum(it['annotations'] for it in found)} annotations, "
              f"{sum(it['verdict'] == 'regressed' for it in found)} red")
    else:
        table(found)


if __name__ == "__main__":
    main()
