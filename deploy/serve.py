"""Runs one app server behind nginx, which can reach it from its first readiness until it stops.

    python deploy/serve.py /run/luckygas/1.sock --workers 2

uvicorn listens on `1.sock.starting`, which is renamed to `1.sock` when the readiness check succeeds. On SIGTERM the
socket is removed first. uvicorn stops after it has received the requests sent before. Without a socket nginx sends
nothing, so even a POST goes to the next server. Thus no request fails during a rolling restart.
"""

from __future__ import annotations

import argparse
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

UVICORN = [
    "-m", "uvicorn", "luckygas.asgi:application", "--ws", "realtime.uvicorn_protocols:FrameProtocol",
    "--http", "realtime.uvicorn_protocols:HttpProtocol",
    "--lifespan", "off", "--no-access-log",
    # Only nginx can reach the socket, and nginx sets the client and the scheme.
    "--forwarded-allow-ips", "*",
    # How long a stopping worker waits for running requests. nginx waits for 90 s.
    "--timeout-graceful-shutdown", "20",
]  # fmt: skip
# The time from nginx choosing this server until a worker reads the request: ms, or a second on a busy machine.
LAST_REQUESTS_SECONDS = 1.0
POLL_SECONDS = 0.2


class UnixSocketConnection(http.client.HTTPConnection):
    """An HTTP connection over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=5)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


def host() -> str:
    """The first name in ALLOWED_HOSTS, without a leading dot. As in the settings, a file takes precedence."""
    file = os.environ.get("ALLOWED_HOSTS_FILE")
    names = Path(file).read_text() if file else os.environ.get("ALLOWED_HOSTS", "localhost")
    return names.split(",")[0].strip().lstrip(".")


def is_ready(path: Path) -> bool:
    """Whether `/health/ready` succeeds: the database answers and is migrated. Redis may be down."""
    connection = UnixSocketConnection(path)
    try:
        connection.request("GET", "/health/ready", headers={"Host": host()})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):  # not listening yet, or the database hangs
        return False
    finally:
        connection.close()


def notify_supervisor(state: str) -> None:
    """Notifies systemd as sd_notify(3) does, if it started this process: `systemctl restart` waits for `READY=1`."""
    if address := os.environ.get("NOTIFY_SOCKET"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
            supervisor.sendto(state.encode(), address.replace("@", "\0", 1))


def serve(path: Path, workers: int) -> int:
    """Runs until SIGTERM or Ctrl-C, or until uvicorn exits. Returns uvicorn's exit code."""
    starting = path.with_name(f"{path.name}.starting")
    for old in (path, starting):
        old.unlink(missing_ok=True)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    uvicorn = subprocess.Popen([sys.executable, *UVICORN, "--uds", str(starting), "--workers", str(workers)])
    while uvicorn.poll() is None and not stop.wait(POLL_SECONDS):
        if starting.exists() and is_ready(starting):
            starting.rename(path)
            notify_supervisor("READY=1")
    path.unlink(missing_ok=True)
    if uvicorn.poll() is None:
        time.sleep(LAST_REQUESTS_SECONDS)
        uvicorn.terminate()
    return uvicorn.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("socket", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    sys.exit(serve(options.socket, options.workers))
