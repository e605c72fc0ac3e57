from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import time_machine

from orders.tests.admin.browser import Browser, sign_in
from orders.tests.factories import make_office


@pytest.fixture(autouse=True)
def _clock_at_21_november() -> Iterator[None]:
    """Sets the clock to 21 November 2026, 12:00 in Taipei. It keeps running."""
    with time_machine.travel(datetime(2026, 11, 21, 4, tzinfo=UTC)):
        yield


@pytest.fixture
def office(db: None) -> Browser:
    """A browser in which a manager is signed in, in English."""
    return sign_in(make_office())
