from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from health.tiles import figure


@pytest.mark.parametrize(
    ("value", "said"), [(None, "–"), (0, "0"), (1234567, "1,234,567"), (Decimal("991.00"), "991"), (2.525, "2.525")]
)
def test_a_figure_is_short(value: Any, said: str) -> None:
    assert figure(value) == said
