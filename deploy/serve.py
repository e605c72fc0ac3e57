"""One app server behind nginx: within its reach once it is ready, out of it before it stops.

    python deploy/serve.py /run/luckygas/1.sock --workers 2

uvicorn listens on `1.sock.starting`; that name becomes `1.sock` when its readiness answers. On SIGTERM the name goes
first, and uvicorn stops when the requests from before are in its hands. nginx finds no socket before it has sent
anything, so that even a POST goes to the next server: whoever restarts one after the other fails no request.
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
    # Whoever reaches the socket is nginx, which names client and scheme itself.
    "--forwarded-allow-ips", "*",
    # How long a worker that stops waits for requests under way; nginx gives up on them after 90 s.
    "--timeout-graceful-shutdown", "20",
]  # fmt: skip
# From nginx's choice of this server to the worker that reads the request: milliseconds, a second on a busy machine.
LAST_REQUESTS_SECONDS = 1.0
LOOK_SECONDS = 0.2


class Local(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=5)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


def host() -> str:
    """A name that the site answers to. As for its settings, a file counts before the variable."""
    file = os.environ.get("ALLOWED_HOSTS_FILE")
    names = Path(file).read_text() if file else os.environ.get("ALLOWED_HOSTS", "localhost")
    return names.split(",")[0].strip().lstrip(".")


def is_ready(path: Path) -> bool:
    """Whether the database answers and has what this code needs; Redis may be away."""
    connection = Local(path)
    try:
        connection.request("GET", "/health/ready", headers={"Host": host()})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):  # it does not listen yet, or its database hangs
        return False
    finally:
        connection.close()


def tell_supervisor(state: str) -> None:
    """sd_notify(3): `systemctl restart` returns when the server is ready, and fails where it does not become so."""
    if address := os.environ.get("NOTIFY_SOCKET"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
            supervisor.sendto(state.encode(), address.replace("@", "\0", 1))


def serve(path: Path, workers: int) -> int:
    """Until SIGTERM or Ctrl-C, or until uvicorn ends by itself; its exit code."""
    starting = path.with_name(f"{path.name}.starting")
    for left in (path, starting):
        left.unlink(missing_ok=True)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    uvicorn = subprocess.Popen([sys.executable, *UVICORN, "--uds", str(starting), "--workers", str(workers)])
    while uvicorn.poll() is None and not stop.wait(LOOK_SECONDS):
        if starting.exists() and is_ready(starting):
            starting.rename(path)
            tell_supervisor("READY=1")
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
