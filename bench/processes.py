"""The server under test: a process pinned to one core, and what the kernel says it used."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from luckygas.libraries import THROTTLE_RATES
from luckygas.testing.servers import Server

ROOT = Path(__file__).resolve().parent.parent
# The server under test has the one core, PostgreSQL, Redis, the senders and the load client share the other.
SERVER_CORE, OTHER_CORE = 0, 1
# CPUCLOCK_SCHED of clock_gettime(2): nanoseconds a whole process ran, threads that ended included.
SCHEDULED = 2
# For THROTTLE_RATES: one client asks as much as all of them would, and is counted as they are.
GENEROUS = ",".join(f"{name}=9999999/s" for name in THROTTLE_RATES)


class Pinned(Server):
    """A server process on SERVER_CORE. `command` gets the server: its port and its directory."""

    def __init__(self, command: Callable[[Pinned], list[str]], environment: dict[str, str]) -> None:
        super().__init__()
        self._command = command
        self._environment = environment

    def command(self) -> list[str]:
        return ["taskset", "--cpu-list", str(SERVER_CORE), *self._command(self)]

    def environment(self) -> dict[str, str]:
        # Listeners that only listen stay, however long a round takes.
        patient = {"WEBSOCKET_SILENCE_SECONDS": "3600"}
        return os.environ | {"PYTHONPATH": str(ROOT)} | patient | self._environment

    @property
    def pids(self) -> list[int]:
        assert self.process is not None
        return [self.process.pid, *children(self.process.pid)]

    def cpu_seconds(self) -> float:
        """User and system time so far, of the process and its children; finer than the ticks of /proc/PID/stat."""
        return sum(time.clock_gettime(~pid << 3 | SCHEDULED) for pid in self.pids)

    def memory(self, field: str = "VmRSS") -> float:
        """Resident memory in MB; `VmHWM` is the most since `forget_peak()`."""
        return sum(_status(pid, field) for pid in self.pids) / 1024

    def forget_peak(self) -> None:
        for pid in self.pids:
            Path(f"/proc/{pid}/clear_refs").write_text("5")


def children(pid: int) -> Iterator[int]:
    """All below it, however deep."""
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        yield int(child)
        yield from children(int(child))


def _status(pid: int, field: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))
