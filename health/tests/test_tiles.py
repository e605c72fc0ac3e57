from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from health.views import figure, milliseconds


@pytest.mark.parametrize(
    ("value", "said"), [(None, "–"), (0, "0"), (1234567, "1,234,567"), (Decimal("991.00"), "991"), (2.525, "2.525")]
)
def test_a_figure_is_short(value: Any, said: str) -> None:
    assert figure(value) == said


@pytest.mark.parametrize(
    ("value", "said"), [(None, "–"), (0.4321, "0.432 ms"), (19.54, "19.5 ms"), (5000.0, "5,000 ms"), (123.4, "123 ms")]
)
def test_a_time_is_short_and_plain(value: float | None, said: str) -> None:
    assert milliseconds(value) == said
