"""The site as `deploy/` installs it: app servers of the unit file behind a real nginx with the shipped configuration.

Only ports, paths and host names differ, and nginx listens only on 127.0.0.1. So other programs on this machine are not
disturbed.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from luckygas.testing.servers import Server, Unavailable, free_port, running, wait_until
from luckygas.testing.site import ROOT, environment

DEPLOY = ROOT / "deploy"
# How long an app server may take to stop: TimeoutStopSec of the unit.
STOP_SECONDS = 30
MAIN_CONFIGURATION = """
daemon off;
{user}
pid {home}/pid;
error_log stderr warn;
events {{ worker_connections 1024; }}
http {{
    client_body_temp_path {home}/body;
    proxy_temp_path {home}/proxy;
    fastcgi_temp_path {home}/fastcgi;
    uwsgi_temp_path {home}/uwsgi;
    scgi_temp_path {home}/scgi;
    access_log off;
    include {home}/luckygas.conf;
}}
"""


def nginx() -> str:
    """Returns the path of nginx. Raises Unavailable."""
    unpacked = Path(sys.prefix) / "deployment/usr/sbin"
    found = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin:{unpacked}")
    if found is None:
        raise Unavailable(
            "nginx was not found: run luckygas/testing/prepare_deployment.sh .venv/deployment, or install nginx."
        )
    return found


class Nginx(Server):
    """The ports are `port` (https), `plain` (http) and `metrics` (http for Prometheus). `log` is nginx's error log."""

    def __init__(self, sockets: Path) -> None:
        super().__init__()
        self.plain, self.metrics = free_port(), free_port()
        self.certificate = self.directory / "cert.pem"
        self.access = self.directory / "luckygas.log"
        self._replaced = {
            "listen 80 default_server;": f"listen 127.0.0.1:{self.plain} default_server;",
            "    listen [::]:80 default_server;\n": "",
            "    listen [::]:443 ssl http2 default_server;\n": "",
            "listen 80;": f"listen 127.0.0.1:{self.plain};",
            "    listen [::]:80;\n": "",
            "listen 443 ssl": f"listen 127.0.0.1:{self.port} ssl",
            "    listen [::]:443 ssl http2;\n": "",
            "127.0.0.1:9180": f"127.0.0.1:{self.metrics}",
            "gas.example.tw": "127.0.0.1",
            "/run/luckygas": str(sockets),
            "/etc/luckygas/tls": str(self.directory),
            "/var/log/nginx": str(self.directory),
        }

    @property
    def root(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        self.certify()
        text = (DEPLOY / "nginx.conf").read_text()
        for shipped, here in self._replaced.items():
            assert shipped in text, f"nginx.conf has no {shipped!r}"
            text = text.replace(shipped, here)
        (self.directory / "luckygas.conf").write_text(text)
        main = MAIN_CONFIGURATION.format(home=self.directory, user="user root;" if os.geteuid() == 0 else "")
        (self.directory / "nginx.conf").write_text(main)
        return [nginx(), "-c", str(self.directory / "nginx.conf"), "-e", "stderr"]

    def certify(self) -> None:
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        name = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
        files = ["-keyout", str(self.directory / "key.pem"), "-out", str(self.certificate)]
        subprocess.run(["openssl", "req", "-x509", *key, *name, *files], check=True, capture_output=True)


def exec_start(unit: str, instance: str = "") -> list[str]:
    """Returns the words of ExecStart of a unit in `deploy/systemd`. `instance` replaces `%i`."""
    text = (DEPLOY / "systemd" / unit).read_text()
    found = re.search(r"^ExecStart=(.+)$", text, re.MULTILINE)
    assert found is not None, unit
    return shlex.split(found[1].replace("%i", instance))


class AppServer(Server):
    """One instance of `luckygas-app@.service`."""

    def __init__(self, number: int, sockets: Path, **extra: str) -> None:
        super().__init__()
        self.number, self.sockets, self.extra = number, sockets, extra
        self.supervisor = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.supervisor.bind(str(self.directory / "notify"))
        self.supervisor.setblocking(False)

    def command(self) -> list[str]:
        _python, program, place, *options = exec_start("luckygas-app@.service", str(self.number))
        place = place.replace("/run/luckygas", str(self.sockets))
        return [sys.executable, str(ROOT / program), place, *options]

    def environment(self) -> dict[str, str]:
        return environment(**self.extra) | {"NOTIFY_SOCKET": str(self.directory / "notify")}

    def wait(self) -> None:
        assert self.process is not None
        wait_until(lambda: self.next_notification() == b"READY=1", self.process, self.log)

    def next_notification(self) -> bytes:
        """Returns the next unread message to systemd (sd_notify); empty if there is none."""
        try:
            return self.supervisor.recv(64)
        except BlockingIOError:
            return b""

    def end(self) -> int:
        """Stops the server as `systemctl stop` does. Returns the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_SECONDS)

    def stop(self) -> None:
        self.supervisor.close()
        if self.process is not None:
            self.end()
            # Kills remaining processes, as systemd does (KillMode=mixed).
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        super().stop()


class Deployed:
    """nginx and its two app servers."""

    def __init__(self, sockets: Path, **extra: str) -> None:
        self.nginx = Nginx(sockets)
        secure = {"HTTPS": "true", "PROXIES": "1", "ALLOWED_HOSTS": "127.0.0.1"} | extra
        self.servers = [AppServer(number, sockets, **secure) for number in (1, 2)]


@contextmanager
def running_deployed(sockets: Path, **extra: str) -> Iterator[Deployed]:
    """Starts nginx and its two app servers, and waits until all are ready."""
    deployed = Deployed(sockets, **extra)
    with ExitStack() as stack:
        for server in deployed.servers:
            stack.callback(server.stop)
            server.launch()
        stack.enter_context(running(deployed.nginx))
        for server in deployed.servers:
            server.wait()
        yield deployed
