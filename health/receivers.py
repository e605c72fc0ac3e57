"""The hubs say every few seconds that their figures are written; what is to be kept of them is kept then."""

from __future__ import annotations

from typing import Any

from health import snapshots
from health.failures import failures
from health.samples import Sampler
from realtime import statistics

sampler = Sampler()


def connect() -> None:
    statistics.written.connect(keep, dispatch_uid="health.keep")


def keep(sender: object, **kwargs: Any) -> None:
    """The minute that is over, and with the first of an hour its snapshot, so that it needs no timer."""
    failures.write()
    if sampler.tick():
        snapshots.record()
