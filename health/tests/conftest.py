from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connections

from health.parts import PARTS
from health.probes import Answer


def let_go() -> Answer:
    connections.close_all()
    return {}


@pytest.fixture(autouse=True)
def probes_let_go() -> Iterator[None]:
    """The probes' threads keep their database connections; the next test has another database's worth of tables."""
    yield
    for probe in PARTS.values():
        if probe.pool.drain(10):
            probe.pool.submit(let_go).result(10)
