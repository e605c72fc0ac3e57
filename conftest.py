"""Fixtures that need the apps. pytest reads this file after Django's set-up, and `luckygas.testing.plugin` before."""

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
    """Caches all switches as on, so that they cost no queries.

    Tests of switches use `switch_off`, or call `flags.forget` to have them read from the database.
    """
    flags.remember(flags.SwitchesRead(math.inf))
    yield
    flags.forget()


@pytest.fixture(autouse=True)
def empty_cache() -> None:
    """Clears the cache, because its entries survive the rollback after a test."""
    cache.clear()


@pytest.fixture
def switch_off(all_switches_on: None) -> Callable[..., None]:
    """A function that turns the named switches off, and all others on, in this process and not in the database."""

    def turn_off(*names: str) -> None:
        flags.forget()
        flags.remember(flags.SwitchesRead(math.inf, frozenset(names)))

    return turn_off


@pytest.fixture
def rates(settings: Any) -> Callable[..., None]:
    """A function that sets throttle rates and clears the counts.

    Use rates per hour (`track="3/h"`), because counts start again at the end of each period.
    """

    def set_rates(**rates: str) -> None:
        throttling.process_cache.clear()
        cache.clear()
        settings.THROTTLE_RATES = settings.THROTTLE_RATES | {
            name: throttle_rate(name, rate) for name, rate in rates.items()
        }

    return set_rates


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """The SMS sandbox in this process on a free port, without automatic receipts."""
    with Sandbox() as running:
        running.operator.receipts.policy = ReceiptPolicy(outcome=None)
        yield running
