"""Several processes that count as one (workers, senders, commands): each in files of its own, in one directory.

prometheus_client names the files by process id: each worker that is replaced, and each command that cron starts, would
leave its own for ever. So they are named by places: a process takes the lowest that is free, and goes on where the one
before it ended. There are as many as ever ran at once, no count is lost, and nothing need be cleared away.
"""

from __future__ import annotations

import fcntl
import os
from io import TextIOWrapper
from itertools import count
from pathlib import Path

from prometheus_client import values


class Place:
    """The number of this process; of a fork, another one."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._taken: tuple[int, int, TextIOWrapper] | None = None

    def __call__(self) -> int:
        if self._taken is None or self._taken[0] != os.getpid():
            self._taken = (os.getpid(), *self._take())
        return self._taken[1]

    def _take(self) -> tuple[int, TextIOWrapper]:
        for number in count():
            file = (self._directory / f"{number}.lock").open("w")
            try:
                # The kernel gives it back, however the process ends.
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.close()
            else:
                return number, file
        raise AssertionError("There is always one more.")


def share(directory: Path) -> None:
    """To be called before any metric is made."""
    directory.mkdir(parents=True, exist_ok=True)
    values.ValueClass = values.MultiProcessValue(Place(directory))  # type: ignore[no-untyped-call]
