from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import time_machine


@pytest.fixture(autouse=True)
def _two_days_before_the_sheets() -> Iterator[None]:
    """Sets the clock to two days before the delivery date in the sheets. It keeps running."""
    with time_machine.travel(datetime(2026, 11, 21, 4, tzinfo=UTC)):
        yield
