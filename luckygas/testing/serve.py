"""`make serve`: a site like production on this machine: PostgreSQL, Redis, and several uvicorn workers on one port.

Uses the servers of DATABASE_URL and REDIS_URL. Without them it starts its own, as the tests do, with the database in
the directory that the first argument names.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from luckygas.environment import LOOPBACK
from luckygas.testing.sandbox.process import SandboxServer, with_sandbox
from luckygas.testing.servers import Postgres, Redis, Unavailable, die_with_parent
from luckygas.testing.site import COMMANDS, ROOT

# How long a stopping worker waits for requests. It closes sockets at once and asks their clients to reconnect.
GRACE_SECONDS = 5


def start_servers(stack: ExitStack, data: Path) -> dict[str, str]:
    """Starts the servers that the environment does not name, and waits for them. Returns the site's environment."""
    environment = dict(os.environ)
    if not environment.get("DATABASE_URL"):
        postgres = Postgres(options=(), data=data.resolve() / "postgres")
        stack.callback(postgres.stop)
        postgres.start()
        environment["DATABASE_URL"] = postgres.url
    if not environment.get("REDIS_URL"):
        redis = Redis()
        stack.callback(redis.stop)
        redis.start()
        environment["REDIS_URL"] = redis.url
    if not environment.get("PROMETHEUS_MULTIPROC_DIR"):
        environment["PROMETHEUS_MULTIPROC_DIR"] = stack.enter_context(TemporaryDirectory(prefix="luckygas-"))
    return environment


def commands(host: str, port: str, workers: int) -> list[list[str]]:
    """Returns the commands of the processes that run permanently. uvicorn replaces dead workers itself."""
    uvicorn = ["-m", *(part.format(port=port, application="luckygas.asgi:application") for part in COMMANDS["uvicorn"])]
    more = ["--host", host, "--workers", str(workers), "--timeout-graceful-shutdown", str(GRACE_SECONDS)]
    return [[*uvicorn, *more], ["manage.py", "send_pending_sms", "--loop"]]


def manage(environment: dict[str, str], *command: str) -> str:
    """Runs a management command and returns its output. Raises CalledProcessError."""
    arguments = [sys.executable, "manage.py", *command]
    return subprocess.run(arguments, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout


def welcome(address: str, sandbox: SandboxServer | None, demo: str) -> str:
    """Returns the text with addresses and accounts. `demo`: the output of the demo command."""
    pages = {"The site": f"http://{address}/", "The driver's page": f"http://{address}/driver/"}
    if sandbox is not None:
        pages["The customers' telephones"] = f"{sandbox.url}/"
    lines = [f"{name + ':':<28}{url}" for name, url in pages.items()]
    return "\n".join(["", demo, *lines, "Ctrl-C stops it.", ""])


def answers(address: str) -> bool:
    host, _colon, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=1).close()
    except OSError:
        return False
    return True


def run(commands: Sequence[Sequence[str]], environment: dict[str, str], address: str, welcome: str) -> None:
    """Runs the processes until Ctrl-C or until one ends, and stops them. Prints `welcome` once the site answers."""
    children = [
        subprocess.Popen(
            [sys.executable, *command], cwd=ROOT, env=environment, process_group=0, preexec_fn=die_with_parent
        )
        for command in commands
    ]
    is_welcomed = False
    try:
        while all(child.poll() is None for child in children):
            if not is_welcomed and answers(address):
                print(welcome, flush=True)
                is_welcomed = True
            time.sleep(0.2)
    finally:
        for child in children:
            child.send_signal(signal.SIGINT)
        for child in children:
            child.wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="luckygas.testing.serve")
    parser.add_argument("data", type=Path, help="the database's directory")
    parser.add_argument("--address", default="127.0.0.1:8000")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    host, _colon, port = options.address.rpartition(":")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with ExitStack() as stack:
        environment = start_servers(stack, options.data)
        sandbox = with_sandbox(stack, environment, options.address)
        manage(environment, "migrate", "--verbosity", "0")
        # The demo's passwords are public, so it is only created in our own database and for a site on loopback.
        is_own = "DATABASE_URL" not in os.environ and host in LOOPBACK
        demo = manage(environment, "demo", "--force") if is_own else ""
        text = welcome(options.address, sandbox, demo)
        run(commands(host, port, options.workers), environment, options.address, text)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print()
    except Unavailable as error:
        sys.exit(str(error))
