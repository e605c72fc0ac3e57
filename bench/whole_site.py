"""Runs a site as in production on this machine, as `make serve` does, and measures each of its processes."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.processes import HIGH_RATES, ROOT, SCHEDULED, descendants
from luckygas.testing import serve
from luckygas.testing.sandbox.process import SandboxServer, with_sandbox
from luckygas.testing.servers import Postgres, Redis, Server, free_port

WORKERS = 2
# The SMS points of the account: more than all steps use.
POINTS = 10_000_000


class SiteProcess(Server):
    """A process of the site. `wait` returns at once if the process listens on no port."""

    def __init__(self, command: list[str], environment: dict[str, str], port: int | None = None) -> None:
        super().__init__()
        self.listens = port is not None
        self.port = port or self.port
        self._command, self._environment = command, environment

    def command(self) -> list[str]:
        return [sys.executable, *self._command]

    def environment(self) -> dict[str, str]:
        return self._environment | {"PYTHONPATH": str(ROOT)}

    def wait(self) -> None:
        if self.listens:
            super().wait()


@dataclass(frozen=True)
class Usage:
    """CPU time so far in seconds (in a Result: the share of a core), and memory in MB.

    The memory is the proportional set size, which divides shared memory among its processes.
    """

    cpu: float
    memory: float


@dataclass
class WholeSite:
    port: int
    environment: dict[str, str]
    servers: dict[str, Server]

    @property
    def sandbox(self) -> SandboxServer:
        sandbox = self.servers["sandbox"]
        assert isinstance(sandbox, SandboxServer)
        return sandbox

    def usage(self) -> dict[str, Usage]:
        """The usage of each process. PostgreSQL includes its descendants; uvicorn is counted by worker."""
        groups = {name: [server.process.pid] for name, server in self.servers.items() if server.process}
        groups["PostgreSQL"] += descendants(groups["PostgreSQL"][0])
        workers = [pid for pid in descendants(groups.pop("uvicorn")[0]) if "spawn_main" in _command_line(pid)]
        groups = {f"worker {place}": [pid] for place, pid in enumerate(workers, 1)} | groups
        return {name: Usage(sum(map(_cpu, pids)), sum(map(_memory, pids))) for name, pids in groups.items()}


@contextmanager
def whole_site() -> Iterator[WholeSite]:
    """Starts PostgreSQL with its default settings (commits reach the disk), Redis, the sandbox, workers and sender."""
    with ExitStack() as stack:
        port = free_port()
        postgres = Postgres(options=(), data=Path(stack.enter_context(tempfile.TemporaryDirectory())) / "postgres")
        redis = Redis()
        os.chmod(postgres.data.parent, 0o755)  # noqa: S103  (PostgreSQL runs as another user)
        servers: dict[str, Server] = {"PostgreSQL": postgres, "Redis": redis}
        for server in servers.values():
            stack.callback(server.stop)
            server.start()
        environment = dict(os.environ) | {
            "DATABASE_URL": postgres.url, "REDIS_URL": redis.url, "SECRET_KEY": "bench" * 10, "LOG_FORMAT": "json",
            "PROMETHEUS_MULTIPROC_DIR": stack.enter_context(tempfile.TemporaryDirectory(prefix="luckygas-")),
            "SMS_QUIET_HOURS": "", "THROTTLE_RATES": HIGH_RATES,
            "DJANGO_SETTINGS_MODULE": "luckygas.settings", "WEBSOCKET_SILENCE_SECONDS": "3600",
        }  # fmt: skip
        for name in ("SMS_GATEWAY", "LOG_LEVEL"):
            environment.pop(name, None)
        sandbox = with_sandbox(stack, environment, f"127.0.0.1:{port}", "--balance", str(POINTS))
        assert sandbox is not None
        migrate = SiteProcess([str(ROOT / "manage.py"), "migrate", "--verbosity", "0"], environment)
        migrate.launch()
        assert migrate.process is not None
        migrate.process.wait()
        site, sender = serve.commands("127.0.0.1", str(port), WORKERS)
        servers |= {
            "sandbox": sandbox, "uvicorn": SiteProcess(site, environment, port),
            "sender": SiteProcess([str(ROOT / sender[0]), *sender[1:]], environment),
        }  # fmt: skip
        for name in ("uvicorn", "sender"):
            stack.callback(servers[name].stop)
            servers[name].start()
        yield WholeSite(port, environment, servers)


def _command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()


def _cpu(pid: int) -> float:
    try:
        return time.clock_gettime(~pid << 3 | SCHEDULED)
    except OSError:  # the process has ended
        return 0.0


def _memory(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
