"""Has servers write access logs, each in a format that it has by itself."""

import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{}}
http {{
    access_log {log} combined;
    client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder};
    server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://127.0.0.1:{behind}; }} }}
}}
"""
APACHE = """
ServerName orders.test
ServerRoot {folder}
PidFile {folder}/apache.pid
ErrorLog {folder}/error.log
Listen 127.0.0.1:{port}
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so
LoadModule proxy_http_module /usr/lib/apache2/modules/mod_proxy_http.so
LogFormat "{format}" written
CustomLog {log} written
AllowEncodedSlashes NoDecode
ProxyPass / http://127.0.0.1:{behind}/ nocanon
"""
LIGHTTPD = """
server.modules = ("mod_proxy", "mod_accesslog")
server.bind = "127.0.0.1"
server.port = {port}
server.document-root = "{folder}"
server.errorlog = "{folder}/error.log"
accesslog.filename = "{log}"
proxy.server = ("" => (("host" => "127.0.0.1", "port" => {behind})))
"""
# As Debian's apache2.conf has them.
COMMON = r"%h %l %u %t \"%r\" %>s %O"
VHOSTS = r"%v:%p %h %l %u %t \"%r\" %>s %O \"%{Referer}i\" \"%{User-Agent}i\""
# Name, what the server is started by, its configuration, and the description that it answers by.
SERVERS = [
    ("nginx-combined", ["nginx", "-c"], NGINX, "3.0/json/petstore.json"),
    ("apache-common", ["apache2", "-D", "FOREGROUND", "-f"], APACHE.replace("{format}", COMMON), "3.1/json/train-travel.json"),
    ("apache-vhosts", ["apache2", "-D", "FOREGROUND", "-f"], APACHE.replace("{format}", VHOSTS), "3.0/json/link-example.json"),
    ("lighttpd", ["lighttpd", "-D", "-f"], LIGHTTPD, "3.0/json/uspto.json"),
]
PORT, BEHIND = 18461, 18462


def wait_for(port: int) -> None:
    for _ in range(100):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=5).close()
            return
        except OSError:
            time.sleep(0.1)
    sys.exit(f"nothing answers on {port}")


def write(program: str, place: Path, start: list[str], config: str, description: Path) -> Path:
    """Sends what a description has through a server, once for each of three clients, and returns its log."""
    folder = place.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    # Servers that root starts work as another user, who has to reach their folder.
    folder.chmod(0o777)
    log = folder / "access.log"
    (folder / "server.conf").write_text(filled(config, folder, log))
    mock = [sys.executable, Path(__file__).with_name("mock.py"), "openapi", description, str(BEHIND)]
    servers = [subprocess.Popen(mock)]
    try:
        wait_for(BEHIND)
        servers.append(subprocess.Popen([*start, folder / "server.conf"], cwd=folder))
        wait_for(PORT)
        client = folder / "client"
        client.mkdir()
        subprocess.run([program, "init", "--from", description.resolve()], cwd=client, check=True, capture_output=True)
        settings = client / "xmlperf.toml"
        written = settings.read_text()
        # The server is there already, and is none of what is described.
        settings.write_text(re.sub(r"(?m)^\[target\]$", f'[target]\nurl = "http://127.0.0.1:{PORT}"', written))
        names = re.findall(r'from = "(\w+)"', written)
        for _ in range(3):
            command = [program, "check"]
            subprocess.run(command, cwd=client, env=os.environ | {name: "secret" for name in names}, capture_output=True)
    finally:
        for server in reversed(servers):
            server.terminate()
            server.wait()
    text = log.read_text()
    # What the wait for the server asked is none of a client's.
    log.write_text("".join(line for line in text.splitlines(True) if "/-/ready" not in line))
    return log


def filled(config: str, folder: Path, log: Path) -> str:
    values = {"folder": folder, "log": log, "port": PORT, "behind": BEHIND}
    for name, value in values.items():
        config = config.replace("{" + name + "}", str(value))
    return config.replace("{{", "{").replace("}}", "}")


def described(program: str, folder: Path, descriptions: Path) -> list[tuple[Path, Path]]:
    """Returns logs: one that a package of Debian ships, and one of each server."""
    place = folder / "logs"
    place.mkdir(exist_ok=True)
    shipped = place / "usr/share/logstalgia/example.log"
    if not shipped.exists():
        subprocess.run(["apt-get", "download", "-qq", "logstalgia"], cwd=place, check=True, capture_output=True)
        package = next(place.glob("logstalgia_*.deb"))
        subprocess.run(["dpkg-deb", "-x", package.name, "."], cwd=place, check=True)
    logs = [shipped]
    for name, start, config, description in SERVERS:
        logs.append(write(program, place / name, start, config, descriptions / description))
    return [(log, log) for log in logs]
