from __future__ import annotations

import pytest

from web.rates import most_and_seconds


@pytest.mark.parametrize("text", ["5", "5/day", "0/min", "-1/s", "5/min/min", "five/min"])
def test_a_rate_is_a_number_and_a_unit(text: str) -> None:
    with pytest.raises(ValueError, match=text.replace("/", "/")):
        most_and_seconds(text)
