"""The server under test: a process pinned to one core, with its CPU time and memory as the kernel counts them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from luckygas.libraries import THROTTLE_RATES
from luckygas.testing.servers import Server

ROOT = Path(__file__).resolve().parent.parent
# The server under test has one core. PostgreSQL, Redis, the senders and the load client share the other.
SERVER_CORE, OTHER_CORE = 0, 1
# CPUCLOCK_SCHED of clock_gettime(2): CPU time of a whole process in ns, including finished threads.
SCHEDULED = 2
# The value of THROTTLE_RATES. One client sends the load of many, so the limits are too high to reach. They are not off,
# so that the cost of counting requests is measured.
HIGH_RATES = ",".join(f"{name}=9999999/s" for name in THROTTLE_RATES)


class Pinned(Server):
    """A server process on SERVER_CORE. `command` receives this object, to read its port and directory."""

    def __init__(self, command: Callable[[Pinned], list[str]], environment: dict[str, str]) -> None:
        super().__init__()
        self._command = command
        self._environment = environment

    def command(self) -> list[str]:
        return ["taskset", "--cpu-list", str(SERVER_CORE), *self._command(self)]

    def environment(self) -> dict[str, str]:
        # The load client may send nothing for a whole round, so silent sockets must stay open.
        silence = {"WEBSOCKET_SILENCE_SECONDS": "3600"}
        return os.environ | {"PYTHONPATH": str(ROOT)} | silence | self._environment

    @property
    def pids(self) -> list[int]:
        assert self.process is not None
        return [self.process.pid, *descendants(self.process.pid)]

    def cpu_seconds(self) -> float:
        """User and system time so far, of the process and its descendants. More precise than /proc/PID/stat."""
        return sum(time.clock_gettime(~pid << 3 | SCHEDULED) for pid in self.pids)

    def memory(self, field: str = "VmRSS") -> float:
        """Resident memory with that of descendants, in MB. The field `VmHWM` is the peak since `reset_peak()`."""
        return sum(_status(pid, field) for pid in self.pids) / 1024

    def reset_peak(self) -> None:
        for pid in self.pids:
            Path(f"/proc/{pid}/clear_refs").write_text("5")


def descendants(pid: int) -> Iterator[int]:
    """All descendants of a process."""
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        yield int(child)
        yield from descendants(int(child))


def _status(pid: int, field: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))
