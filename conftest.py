"""Fixtures that need the apps: pytest reads this file when Django is set up, and `luckygas.testing.plugin` before."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.cache import cache

from luckygas.libraries import throttle_rate
from luckygas.testing.sandbox.receipts import ReceiptPolicy
from luckygas.testing.sandbox.server import Sandbox
from web import flags, throttling


@pytest.fixture(autouse=True)
def all_switches_on() -> Iterator[None]:
    """Not asked of the database, so that queries are always as many; a test of a switch calls `flags.forget`."""
    flags.remember(flags.Seen(math.inf))
    yield
    flags.forget()


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    """An answer of a test that was rolled back is of rows that never were, and stays for a minute."""
    cache.clear()


@pytest.fixture
def switch_off(all_switches_on: None) -> Callable[..., None]:
    """Turns switches off for this process, without a row."""

    def turn_off(*names: str) -> None:
        flags.forget()
        flags.remember(flags.Seen(math.inf, frozenset(names)))

    return turn_off


@pytest.fixture
def rates(settings: Any) -> Callable[..., None]:
    """Sets rates of throttles (`track="3/h"`: an hour's end is far), with nothing counted before."""

    def set_rates(**rates: str) -> None:
        throttling.process_cache.clear()
        cache.clear()
        settings.THROTTLE_RATES = settings.THROTTLE_RATES | {
            name: throttle_rate(name, said) for name, said in rates.items()
        }

    return set_rates


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """The SMS sandbox in this process, on a free port, telling no receipts by itself."""
    with Sandbox() as running:
        running.operator.receipts.policy = ReceiptPolicy(outcome=None)
        yield running
