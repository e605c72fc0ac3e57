"""Several processes that count as one (workers, senders, commands): each in files of its own, in one directory.

prometheus_client names the files by process id: each worker that is replaced, and each command that cron starts, would
leave its own for ever. So they are named by places: a process takes the lowest that is free, and goes on where the one
before it ended. There are as many files as ever ran at once, no count is lost, and nothing need be cleared away.

This is the only module that touches `prometheus_client.values`, which that package does not document: it has no other
place for a name that is not the process id. Without a directory (`PROMETHEUS_MULTIPROC_DIR`) nothing of it is used.
"""

from __future__ import annotations

import fcntl
import os
from io import TextIOWrapper
from itertools import count
from pathlib import Path

from django.conf import settings
from prometheus_client import REGISTRY, CollectorRegistry, values
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector


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
    """To be called before any metric is made, but for those with labels."""
    directory.mkdir(parents=True, exist_ok=True)
    values.ValueClass = values.MultiProcessValue(Place(directory))  # type: ignore[no-untyped-call]


def directory() -> Path | None:
    """Which processes of this machine share; None: each counts alone."""
    return Path(settings.PROMETHEUS_MULTIPROC_DIR) if settings.PROMETHEUS_MULTIPROC_DIR else None


def counted() -> Collector:
    """Of this process, or of all processes that share the directory."""
    if directory() is None:
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry


def processes() -> int:
    """How many share the directory now."""
    shared = directory()
    return sum(map(_is_held, shared.glob("*.lock"))) if shared else 1


def _is_held(place: Path) -> bool:
    """A process that looks for a place at this very moment takes the next one."""
    with place.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
